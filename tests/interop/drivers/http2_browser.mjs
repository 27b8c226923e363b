// Chromium on the page of `over_http2`: node http2_browser.mjs HOST:PORT CHROMIUM SCREENSHOT PID
import { createRequire } from "node:module";
import { check, end, expect, until } from "../clients/checks.mjs";

// The packages of tests/interop/clients serve here too.
const require = createRequire(new URL("../clients/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [address, executablePath, screenshot, pid] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 800, height: 500 } });
const page = await context.newPage();

// The status is what tells RFC 8441 from an upgrade.
const statuses = [];
const protocol = await context.newCDPSession(page);
await protocol.send("Network.enable");
protocol.on("Network.webSocketHandshakeResponseReceived", ({ response }) => statuses.push(response.status));

const logged = (line) =>
  until(async () => (await page.locator("#log").innerText()).split("\n").includes(line), `logged: ${line}`);

await check("the page's WebSocket is a stream of its HTTP/2 connection", async () => {
  await page.goto(`https://${address}/`);
  await logged("open");
  expect(statuses, [200], "statuses");
  expect(await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h2");
});

await check("messages out and back", async () => {
  for (const message of ["hello", "grüße, γειά σου"]) {
    await page.locator("#message").fill(message);
    await page.locator("#send").click();
    await logged(`< ${message}`);
  }
});

await check("close code 1000, and a screenshot of it", async () => {
  await page.locator("#close").click();
  await logged("close 1000");
  await page.screenshot({ path: screenshot });
});

await check("twenty at once, 1 MiB and 4 MiB each, compressed, and close 4000", async () => {
  const ends = await page.evaluate((url) => {
    const one = () => new Promise((resolve) => {
      const ws = new WebSocket(url);
      const sizes = [0, 1 << 20, 4 << 20];
      const came = [];
      ws.binaryType = "arraybuffer";
      ws.onopen = () => sizes.forEach((size) => ws.send(new Uint8Array(size).fill(7)));
      ws.onmessage = ({ data }) => {
        came.push(data.byteLength);
        if (came.length === sizes.length) ws.close(4000, "done");
      };
      ws.onclose = ({ code, wasClean }) => resolve([String(came), ws.extensions.split(";")[0], code, wasClean].join(" "));
    });
    return Promise.all(Array.from({ length: 20 }, one));
  }, `wss://${address}/ws`);
  expect([...new Set(ends)], ["0,1048576,4194304 permessage-deflate 4000 true"], "ends");
  expect([...new Set(statuses)], [200], "statuses");
});

await check("SIGTERM: 1001", async () => {
  const closed = page.evaluate((url) => new Promise((resolve) => {
    const ws = new WebSocket(url);
    ws.onopen = () => (document.title = "open");
    ws.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]);
  }), `wss://${address}/ws`);
  await until(async () => (await page.title()) === "open", "open");
  process.kill(Number(pid), "SIGTERM");
  expect(await closed, [1001, "the server stops", true], "close");
});

await browser.close();
end();
