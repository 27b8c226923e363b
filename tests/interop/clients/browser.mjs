// Chromium on the echo server's page: node browser.mjs HOST:PORT CHROMIUM SCREENSHOT
import { createServer } from "node:http";
import { check, end, expect, until } from "./checks.mjs";
import { launch } from "./chromium.mjs";

const [address, executablePath, screenshot] = process.argv.slice(2);

const browser = await launch(executablePath);
const page = await browser.newPage({ viewport: { width: 800, height: 500 } });
const sockets = [];
const complaints = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => {
  const where = message.location().url ?? "";
  // A browser asks for an icon by itself, and the server has none.
  if (message.type() === "error" && !where.endsWith("/favicon.ico")) complaints.push(message.text());
});
page.on("websocket", (socket) => {
  const seen = { url: socket.url(), sent: [], received: [] };
  socket.on("framesent", ({ payload }) => seen.sent.push(payload.toString()));
  socket.on("framereceived", ({ payload }) => seen.received.push(payload.toString()));
  sockets.push(seen);
});

const lines = async () =>
  (await page.locator("#log").innerText()).split("\n").map((line) => line.trim());
const logged = (line) => until(async () => (await lines()).includes(line), `logged: ${line}`);

await check("the page opens a WebSocket to /ws", async () => {
  await page.goto(`http://${address}/`);
  await logged("open");
  expect(sockets.map((socket) => socket.url), [`ws://${address}/ws`], "sockets");
});

const messages = ["hello", "grüße, γειά σου", "<b>not markup</b>"];
await check("messages out and back", async () => {
  for (const message of messages) {
    await page.locator("#message").fill(message);
    await page.locator("#send").click();
    await logged(`> ${message}`);
    await logged(`< ${message}`);
  }
  expect(sockets[0].sent, messages, "frames sent");
  expect(sockets[0].received, messages, "frames received");
  expect(await page.locator("#log b").count(), 0, "elements made from a message");
});

await check("close code 1000, and a screenshot of it", async () => {
  await page.locator("#close").click();
  await logged("close 1000");
  const image = await page.screenshot({ path: screenshot });
  if (image.length < 2000) throw new Error(`only ${image.length} octets`);
});

await check("nothing on the browser's error console", async () => {
  expect([sockets.length, complaints], [1, []]);
});

await check("binary, 1 MiB, empty and close 4000 by script", async () => {
  const result = await page.evaluate(
    (url) =>
      new Promise((resolve, reject) => {
        const ws = new WebSocket(url);
        const sizes = [3, 0, 1 << 20];
        const echoed = [];
        ws.binaryType = "arraybuffer";
        ws.onopen = () => sizes.forEach((size) => ws.send(new Uint8Array(size).fill(size % 251)));
        ws.onmessage = ({ data }) => {
          const size = sizes[echoed.length];
          const octets = new Uint8Array(data);
          echoed.push(octets.length === size && octets.every((octet) => octet === size % 251));
          if (echoed.length === sizes.length) ws.close(4000, "done");
        };
        ws.onerror = () => reject(new Error("error event"));
        ws.onclose = ({ code, wasClean }) => resolve({ echoed, code, wasClean });
      }),
    `ws://${address}/ws`,
  );
  expect(result, { echoed: [true, true, true], code: 4000, wasClean: true });
});

await check("a page of another origin is refused with 403", async () => {
  const elsewhere = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end("<title>elsewhere</title>");
  });
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  const foreign = await browser.newPage();
  const errors = [];
  foreign.on("websocket", (socket) => socket.on("socketerror", (error) => errors.push(error)));
  await foreign.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
  const outcome = await foreign.evaluate(
    (url) =>
      new Promise((resolve) => {
        const ws = new WebSocket(url);
        ws.onopen = () => resolve("open");
        ws.onclose = ({ code }) => resolve(`close ${code}`);
      }),
    `ws://${address}/ws`,
  );
  elsewhere.close();
  expect(outcome, "close 1006");
  await until(() => errors.length > 0, "told why");
  if (!errors[0].includes("403")) throw new Error(errors[0]);
});

await browser.close();
end();
