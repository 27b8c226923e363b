// Pictures of the page, light and dark, into the folder that is named: node pictures.mjs FOLDER
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { small } from "./png.mjs";
import { browsing, serve } from "./served.mjs";

const site = await serve();
const browser = await browsing(site.address);
for (const colorScheme of ["light", "dark"]) {
  const { page } = await browser.open("?seed=7", { colorScheme, viewport: { width: 1120, height: 660 } });
  await page.selectOption("#pieces", "all");
  for (let at = 0; at < 3; at += 1) {
    await page.click("#step");
  }
  await page.click("#client [data-do=text]");
  await page.click("#server [data-do=ping]");
  await page.selectOption("#pieces", "line");
  await page.click("#step");
  await page.click("#step");
  await page.locator("#to-server button.byte").nth(2).click();
  writeFileSync(join(process.argv[2], `page-${colorScheme}.png`), small(await page.screenshot()));
}
await browser.close();
site.close();
