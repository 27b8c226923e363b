// The page in headless Chromium, used as a reader uses it.
import assert from "node:assert/strict";
import test, { after } from "node:test";

import { browsing, serve } from "./served.mjs";

const site = await serve();
const browser = await browsing(site.address);
after(async () => {
  await browser.close();
  site.close();
});

/** A page, and what a reader does and sees. */
async function opened(context, options) {
  const { page, wrong } = await browser.open("?seed=7", options);
  context.after(() => page.close());
  const text = (selector) => page.locator(selector).allInnerTexts();
  const states = async () => [...(await text("#client .states .now")), ...(await text("#server .states .now"))];
  const deliverAll = async () => {
    await page.selectOption("#pieces", "all");
    while (await page.locator("#step").isEnabled()) {
      await page.click("#step");
    }
  };
  const flying = (lane) => page.locator(`#${lane} button.byte`);
  const press = (end, what) => page.click(`#${end} [data-do=${what}]`);
  const why = async () => (await text("#why"))[0];
  return { page, wrong, text, states, deliverAll, flying, press, why };
}

test("from nothing to open, field by field", async (context) => {
  const { page, wrong, text, states, flying } = await opened(context);
  assert.deepEqual(await states(), ["Initial", "Initial"]);
  await page.click("#step");
  assert.deepEqual(await states(), ["Connecting", "Initial"]);
  const head = await flying("to-server").count();
  assert.ok(head > 100);
  await page.click("#step");
  assert.equal(await flying("to-server").count(), head - "GET /chat HTTP/1.1\r\n".length);
  assert.deepEqual((await text("#to-server .segment:not(.arrived) > span"))[0], "Host");
  while ((await states()).join() !== "Open,Open") {
    await page.click("#step");
  }
  assert.deepEqual(await text("#server .events li"), ["request GET /chat", "accepts it", "open"]);
  assert.deepEqual(wrong, []);
});

test("each byte of a message has its name", async (context) => {
  const { wrong, text, deliverAll, flying, press } = await opened(context);
  await deliverAll();
  await press("client", "text");
  assert.deepEqual(await text("#to-server .segment:not(.arrived) > span"), ["FIN, text", "MASK, length 5", "masking key", "text"]);
  assert.equal(await flying("to-server").count(), 11);
  assert.equal((await text("#to-server .payload button small")).join(""), "Hello");
  await press("server", "parts");
  assert.deepEqual(await text("#to-client .segment:not(.arrived) > span"),
    ["text", "length 4", "text", "FIN, continuation", "length 3", "payload"]);
  await deliverAll();
  assert.equal((await text("#server .events li")).at(-1), "message “Hello”");
  assert.equal((await text("#client .events li")).at(-1), "message “Grüße”");
  assert.deepEqual(wrong, []);
});

test("bytes are cut by hand and one by one, and held", async (context) => {
  const { page, text, deliverAll, flying, press } = await opened(context);
  await deliverAll();
  await press("client", "text");
  await press("client", "ping");
  await flying("to-server").nth(3).click();
  assert.match((await text("#byte"))[0], /Byte 2 of 4 of the masking key/);
  await page.click("[data-do=here]");
  assert.equal(await flying("to-server").count(), 22 - 4);
  await page.selectOption("#pieces", "1");
  await page.click("#step");
  assert.equal(await flying("to-server").count(), 22 - 5);
  await page.check("#to-server input[type=checkbox]");
  assert.equal(await page.locator("#step").isEnabled(), false);
  await page.uncheck("#to-server input[type=checkbox]");
  await deliverAll();
  assert.deepEqual((await text("#server .events li")).slice(-2), ["message “Hello”", "ping “Hello”"]);
  assert.equal((await text("#client .events li")).at(-1), "pong “Hello”");
});

// What is done to “Hello” on its way, and what comes of it.
const BROKEN = {
  "the mask bit": [1, 7, /not masked/, "unmasked_frame", "1002"],
  "a reserved bit": [0, 6, /[Rr]eserved bits/, "reserved_bits", "1002"],
  "the opcode": [0, 1, /opcode 3/, "reserved_opcode", "1002"],
  "the first bit of a character": [6, 7, /UTF-8/, "text_not_utf8", "1007"],
};
for (const [what, [index, bit, sentence, word, code]] of Object.entries(BROKEN)) {
  test(`broken: ${what}`, async (context) => {
    const { page, text, states, deliverAll, flying, press, why } = await opened(context);
    await deliverAll();
    await press("client", "text");
    await flying("to-server").nth(index).click();
    await page.click(`[data-bit="${bit}"]`);
    assert.equal(await page.locator("#to-server .broken").count(), 1);
    await deliverAll();
    const said = await why();
    assert.match(said, /^The server has failed the connection/);
    assert.match(said, sentence);
    assert.ok(said.includes(word) && said.includes(`code ${code}`) && said.includes("RFC 6455"), said);
    assert.ok((await text("#client .events .close"))[0].includes(code));
    assert.deepEqual(await states(), ["Closed", "Closed"]);
  });
}

test("dropped and inserted bytes", async (context) => {
  const { page, deliverAll, flying, press, why } = await opened(context);
  await deliverAll();
  await press("server", "text");
  await flying("to-client").nth(1).click();
  await page.click("[data-do=insert]");
  assert.equal(await flying("to-client").count(), 10);
  await flying("to-client").nth(0).click();
  await page.click("[data-do=drop]");
  assert.equal(await flying("to-client").count(), 9);
  await deliverAll();
  // 00 07 …: a continuation of nothing.
  assert.match(await why(), /^The client has failed.*unexpected_continuation/s);
});

test("a broken answer to the handshake", async (context) => {
  const { page, states, deliverAll, flying, why } = await opened(context);
  await page.selectOption("#pieces", "all");
  await page.click("#step");
  await page.click("#step");
  const count = await flying("to-client").count();
  await flying("to-client").nth(count - 10).click();
  await page.click('[data-bit="0"]');
  await deliverAll();
  assert.match(await why(), /accept_mismatch/);
  assert.equal((await states())[0], "Closed");
});

for (const [who, other] of [["client", "server"], ["server", "client"]]) {
  test(`the closing handshake that the ${who} begins, down to who closes TCP`, async (context) => {
    const { page, wrong, text, states, deliverAll, press } = await opened(context);
    await deliverAll();
    await page.fill(`#${who} .row input`, "4001");
    await press(who, "close");
    const before = await states();
    assert.deepEqual(before, who === "client" ? ["Closing", "Open"] : ["Open", "Closing"]);
    const lane = who === "client" ? "#to-server" : "#to-client";
    assert.deepEqual((await text(`${lane} .segment:not(.arrived) > span`)).at(-1), "close code");
    await deliverAll();
    assert.deepEqual(await states(), ["Closed", "Closed"]);
    assert.ok((await text(`#${other} .events .close`))[0].includes("4001"));
    // The server ends TCP first (RFC 6455 §7.1.1).
    const [client, server] = [await text("#client .events li"), await text("#server .events li")];
    assert.ok(server.indexOf("closes TCP") < server.indexOf("sees the peer's end of TCP") || !server.includes("sees the peer's end of TCP"));
    assert.ok(client.indexOf("sees the peer's end of TCP") < client.indexOf("closes TCP"));
    for (const log of [client, server]) {
      assert.match(log.find((line) => line.startsWith("closed")), /4001: closed cleanly/);
    }
    assert.deepEqual(wrong, []);
  });
}

test("deadlines, a refusal, and TCP that is cut", async (context) => {
  const { page, text, states, deliverAll, press, why } = await opened(context);
  await deliverAll();
  await press("client", "close");
  await page.check("#to-server input[type=checkbox]");
  for (let second = 0; second < 7; second += 1) {
    await page.click("#later");
  }
  assert.match(await why(), /close_timeout/);
  assert.equal((await states())[0], "Closed");
  await page.check("#server label input");
  await page.click("#again");
  assert.deepEqual(await states(), ["Initial", "Initial"]);
  await deliverAll();
  assert.ok((await text("#client .events .refused"))[0].includes("403"));
  await page.uncheck("#server label input");
  await page.click("#again");
  await deliverAll();
  await press("client", "cut");
  await deliverAll();
  assert.match((await text("#server .events .closed"))[0], /1006/);
});

test("play goes on by itself, and stops at the end", async (context) => {
  const { page, states } = await opened(context);
  await page.selectOption("#pause", "40");
  await page.click("#play");
  assert.equal((await page.innerText("#play")), "Pause");
  await page.waitForFunction(() => document.querySelector("#play").textContent === "Play", null, { timeout: 10_000 });
  assert.deepEqual(await states(), ["Open", "Open"]);
});

test("what is typed wrong is said, and the page goes on", async (context) => {
  const { page, text, deliverAll, press } = await opened(context);
  await deliverAll();
  await page.fill("#client .row input", "1005");
  await press("client", "close");
  assert.match((await text("#client .events li")).at(-1), /code/);
  await press("client", "text");
  await deliverAll();
  assert.equal((await text("#server .events li")).at(-1), "message “Hello”");
});

for (const colorScheme of ["light", "dark"]) {
  test(`on a phone, ${colorScheme}`, async (context) => {
    const { page, wrong, deliverAll, press } = await opened(context, { colorScheme, viewport: { width: 360, height: 740 } });
    await page.click("#step");
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok((await wide()) <= 360, `${await wide()} pixels wide`);
    await deliverAll();
    await press("client", "text");
    await page.locator("#to-server button.byte").first().click();
    assert.ok((await wide()) <= 360, `${await wide()} pixels wide`);
    const contrast = await page.evaluate(lowestContrast);
    assert.ok(contrast.ratio >= 4.5, JSON.stringify(contrast));
    assert.deepEqual(wrong, []);
  });
}

/** In the page: the lowest contrast of a text that has no dimmed parent (WCAG 2.2, 1.4.3). */
function lowestContrast() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour, below) => {
    canvas.fillStyle = below;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const paper = (element) => (element === null ? "white" : `rgb(${rgb(getComputedStyle(element).backgroundColor, paper(element.parentElement))})`);
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let lowest = { ratio: 21 };
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
    if (!own || element.closest(".arrived, :disabled, option") || element.offsetParent === null) {
      continue;
    }
    const below = paper(element);
    const [one, other] = [light(rgb(getComputedStyle(element).color, below)), light(rgb(below, "white"))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < lowest.ratio) {
      lowest = { ratio, text: element.textContent.slice(0, 40), class: element.className };
    }
  }
  return lowest;
}
