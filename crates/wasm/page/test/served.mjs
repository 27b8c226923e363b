// The folder of the crate over HTTP, and headless Chromium on its page.
import { createReadStream } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { launch } from "../../../../tests/interop/clients/chromium.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

/** Serves it on a port, 0 for a free one: the address of the page. */
export async function serve(port = 0) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://h").pathname));
    const file = join(ROOT, path.endsWith("/") ? `${path}index.html` : path);
    const found = createReadStream(file);
    found.on("open", () => {
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Cache-Control": "no-store" });
      found.pipe(response);
    });
    found.on("error", () => response.writeHead(404).end());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return { address: `http://127.0.0.1:${server.address().port}/page/`, close: () => (server.close(), server.closeAllConnections()) };
}

/** A browser, and pages of it with what went wrong in them. */
export async function browsing(address) {
  const browser = await launch(process.env.CHROMIUM);
  const origin = new URL(address).origin;
  const open = async (query = "?seed=7", options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1240, height: 800 }, ...options });
    const page = await context.newPage();
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${origin}/`) && !url.startsWith("data:")) {
        wrong.push(`asks for ${url}`);
      }
    });
    await page.goto(address + query);
    await page.waitForSelector("body[data-ready=yes]");
    return { page, wrong };
  };
  return { open, close: () => browser.close() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log((await serve(Number(process.argv[2] ?? 0))).address);
}
