// Chromium on the page of tests/interop/deflate/peer, which checks by itself: node browser.mjs CHROMIUM HOST:PORT...
import { createRequire } from "node:module";

const require = createRequire(new URL("../clients/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [executablePath, ...addresses] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
for (const address of addresses) {
  const page = await browser.newPage();
  const closed = new Promise((resolve) => {
    page.on("websocket", (socket) => socket.on("close", resolve));
  });
  await page.goto(`http://${address}/`);
  // What was found is told to the server; this only waits.
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 20000))]);
  await page.close();
}
await browser.close();
