// The messages that the importer of Chromium's developer tools has of a HAR file: node har.mjs CHROMIUM FILE...
// Prints a line of JSON for each file: a list of its messages.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../clients/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [executablePath, ...files] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
await page.goto("devtools://devtools/bundled/devtools_app.html");
for (const file of files) {
  const imported = await page.evaluate(async (text) => {
    const { HARFormat, Importer } = await import("devtools://devtools/bundled/models/har/har.js");
    const log = new HARFormat.HARRoot(JSON.parse(text)).log;
    const requests = await Importer.Importer.requestsFromHARLog(log);
    return requests.flatMap((request) => request.frames().map(({ type, time, text, opCode }) => ({ type, time, text, opCode })));
  }, readFileSync(file, "utf8"));
  console.log(JSON.stringify(imported));
}
await browser.close();
