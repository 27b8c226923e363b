// Two users of the page. `restart` asks for a restart of the server; the other lines are checks.
//     page.mjs CHROMIUM PORT [DIR]: with a folder it takes pictures instead.
import { launch } from "../../../tests/interop/clients/chromium.mjs";

const [executable, port, pictures] = process.argv.slice(2);
const address = `http://127.0.0.1:${port}/`;
const browser = await launch(executable);

const check = (what, passed, detail = "") => console.log(passed ? "ok" : "FAILED", what, passed ? "" : detail);

/** A browser of its own, in which somebody has told the name. */
async function user(name, options = {}, path = "") {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.wrong = [];
  page.on("pageerror", (error) => page.wrong.push(error.message));
  await page.goto(address + path);
  await page.fill("#name", name);
  await page.click("dialog button");
  await page.waitForSelector("#state.open");
  return page;
}

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};
const texts = (page) => page.locator(".said:not(.waiting) p").allInnerTexts();
const notes = (page) => page.locator(".note").allInnerTexts();

/** Whether that comes to be so. */
async function comes(holds) {
  for (let end = Date.now() + 15000; Date.now() < end; await new Promise((done) => setTimeout(done, 30))) {
    if (await holds()) return true;
  }
  return false;
}

async function checks() {
  const ann = await user("Ann");
  const bob = await user("Bob");
  const here = (page) => page.locator("#here li").allInnerTexts();
  const names = async (page) => (await here(page)).map((line) => line.split("\n").at(-1)).join();
  check("each sees who is here", (await comes(async () => (await names(ann)) === "Ann,Bob")) && (await comes(async () => (await names(bob)) === "Ann,Bob")), await names(ann));
  check("who joins is told", (await comes(async () => (await notes(ann)).includes("Bob joined"))), await notes(ann));
  await say(ann, "Hello <b>Bob</b>");
  check("one sees what the other says, as text", await comes(async () => (await texts(bob)).join() === "Hello <b>Bob</b>"), await texts(bob));
  check("it is one's own", (await comes(async () => (await ann.locator(".mine:not(.waiting)").count()) === 1)) && (await bob.locator(".mine").count()) === 0);
  await say(bob, "Hello Ann");
  await comes(async () => (await texts(ann)).length === 2);

  console.log("restart");
  check("a loss is shown", await comes(async () => !(await ann.locator("#state").getAttribute("class"))));
  await say(ann, "are you there?");
  check("what was said meanwhile waits", (await ann.locator(".waiting").count()) === 1);
  check("it connects again by itself, and says it once", await comes(async () => (await texts(bob)).at(-1) === "are you there?" && (await ann.locator(".waiting").count()) === 0));
  check("and is told that it missed some, as this server has forgotten all", await comes(async () => (await notes(bob)).includes("You missed some messages here")), await notes(bob));
  check("nothing is shown twice", (await texts(bob)).length === 3 && (await texts(ann)).length === 3, await texts(ann));

  check("each is here again", await comes(async () => (await names(ann)) === "Ann,Bob"), await names(ann));
  await bob.context().close();
  check("who leaves is told", await comes(async () => (await notes(ann)).includes("Bob left")), await notes(ann));
  const phone = await user("Phone", { viewport: { width: 360, height: 640 } });
  check("nothing is wider than a phone", await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  check("nothing went wrong in a page", ann.wrong.length + phone.wrong.length === 0, ann.wrong.join());
}

async function takePictures() {
  const talk = [
    ["Ada", "Good morning! The three machines are up, one room over all of them."],
    ["Grace", "I am on the second one. Shall I pull the plug?"],
    ["Ada", "Please do."],
    ["Grace", "Done. I was back in a second, on the third, and have missed nothing."],
    ["Katherine", "And here the order is the same as at yours."],
    ["You", "Then let us restart the engine, too."],
  ];
  const people = {};
  for (const name of ["Ada", "Grace", "Katherine"]) people[name] = await user(name, {}, "#launch");
  const shown = [];
  for (const [name, colorScheme, viewport] of [
    ["light", "light", { width: 1000, height: 680 }],
    ["dark", "dark", { width: 1000, height: 680 }],
    ["phone", "dark", { width: 390, height: 760 }],
  ]) {
    shown.push([name, await user("You", { colorScheme, viewport, deviceScaleFactor: name === "phone" ? 2 : 1 }, "#launch")]);
  }
  for (const [at, [name, text]] of talk.entries()) {
    await say(people[name] ?? shown[0][1], text);
    await comes(async () => (await texts(shown[2][1])).length === at + 1);
  }
  await people.Grace.context().close();
  for (const [name, page] of shown) {
    await comes(async () => (await notes(page)).includes("Grace left"));
    await page.screenshot({ path: `${pictures}/chat-${name}.png` });
    check(`chat-${name}.png`, true);
  }
}

await (pictures ? takePictures() : checks());
await browser.close();
