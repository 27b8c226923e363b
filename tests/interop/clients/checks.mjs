// One line per check, for `run` to count: `ok NAME` or `FAILED NAME: why`; last `end COUNT`.
import { isDeepStrictEqual } from "node:util";

const SECONDS = 30;
let count = 0;

export async function check(name, body) {
  count += 1;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing after ${SECONDS} s`)), SECONDS * 1000);
  });
  try {
    await Promise.race([body(), late]);
    console.log(`ok ${name}`);
  } catch (why) {
    console.log(`FAILED ${name}: ${String(why).replaceAll("\n", " ")}`);
  } finally {
    clearTimeout(timer);
  }
}

export function expect(got, wanted, what = "got") {
  if (!isDeepStrictEqual(got, wanted)) {
    throw new Error(`${what} ${short(got)}, wanted ${short(wanted)}`);
  }
}

function short(value) {
  const text = Buffer.isBuffer(value) ? value.toString("hex") : String(JSON.stringify(value));
  return text.length <= 100 ? text : `${text.slice(0, 90)}... (${text.length} long)`;
}

export async function until(condition, what, seconds = 10) {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`never ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export function end() {
  console.log(`end ${count}`);
  process.exit(0);
}
