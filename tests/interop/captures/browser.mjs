// Chromium says what messages.json has, without what a page cannot: node browser.mjs CHROMIUM URL MODE CERTIFICATE KEYLOG PROXY
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../clients/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [executablePath, url, , , keylog, proxy] = process.argv.slice(2);
const messages = JSON.parse(readFileSync(new URL("messages.json", import.meta.url)));
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--ignore-certificate-errors"];
if (keylog !== "-") args.push(`--ssl-key-log-file=${keylog}`);
if (proxy !== "-") args.push(`--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>");
const browser = await chromium.launch({ executablePath, args });
const page = await browser.newPage();
const talk = async ({ url, messages }) => {
  const ws = new WebSocket(url);
  ws.binaryType = "arraybuffer";
  const next = (name) => new Promise((resolve, reject) => {
    ws.addEventListener(name, resolve, { once: true });
    ws.addEventListener("error", () => reject(new Error("an error")), { once: true });
  });
  await next("open");
  for (const { text, binary, times = 1 } of messages) {
    if (text === undefined && binary === undefined) continue;
    const bytes = binary && binary.repeat(times).match(/../g).map((pair) => Number.parseInt(pair, 16));
    const said = binary === undefined ? text.repeat(times) : new Uint8Array(bytes).buffer;
    const came = next("message");
    ws.send(said);
    const { data } = await came;
    const same = binary === undefined ? data === said : String(new Uint8Array(data)) === String(bytes);
    if (!same) throw new Error("it came back changed");
  }
  const closed = next("close");
  ws.close(1000, "bye");
  await closed;
};
await page.evaluate(talk, { url, messages });
await browser.close();
