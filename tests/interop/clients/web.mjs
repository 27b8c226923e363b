// The browser's own WebSocket against a server of each way: node web.mjs HOST:PORT CHROMIUM
// The server is crates/tokio/examples/ways.rs; the checks run in a page of it, and some in a worker.
import { check, end, expect } from "./checks.mjs";
import { launch } from "./chromium.mjs";

const [address, executablePath] = process.argv.slice(2);
const browser = await launch(executablePath);
const page = await browser.newPage();
await page.goto(`http://${address}/`);

// What a page and a worker use: a socket whose events are taken one by one.
const tools = () => {
  globalThis.Taken = class {
    constructor(path, protocols = []) {
      this.ws = new WebSocket(`ws://${globalThis.address}${path}`, protocols);
      this.ws.binaryType = "arraybuffer";
      this.events = [];
      this.waiting = [];
      for (const type of ["open", "message", "error", "close"]) {
        this.ws.addEventListener(type, (event) => {
          const wait = this.waiting.shift();
          if (wait) wait(event);
          else this.events.push(event);
        });
      }
    }

    next() {
      if (this.events.length > 0) return Promise.resolve(this.events.shift());
      return new Promise((resolve) => this.waiting.push(resolve));
    }

    // Up to the end: the types of the events, and the last one's values.
    async end() {
      const types = [];
      for (;;) {
        const event = await this.next();
        types.push(event.type);
        if (event.type === "close") {
          const { code, reason, wasClean } = event;
          return { types, code, reason, wasClean };
        }
      }
    }

    static async open(path, protocols) {
      const taken = new this(path, protocols);
      const event = await taken.next();
      if (event.type !== "open") throw new Error(event.type);
      return taken;
    }
  };
};
const inPage = async (test, ...values) => {
  await page.evaluate(`globalThis.address = ${JSON.stringify(address)}; (${tools})()`);
  return page.evaluate(test, ...values);
};

const clean = (code, reason = "") => ({ types: ["close"], code, reason, wasClean: true });

await check("text, also empty, and with every kind of character", async () => {
  const sent = ["", "a", "grüße, 世界 🌍", "\u0000\u007f\u0080\u07ff\u0800\uffff", "x".repeat(200_000)];
  const got = await inPage(async (texts) => {
    const taken = await Taken.open("/echo");
    const echoed = [];
    for (const text of texts) {
      taken.ws.send(text);
      echoed.push((await taken.next()).data);
    }
    taken.ws.close();
    return echoed;
  }, sent);
  expect(got, sent);
});

await check("a lone surrogate goes as U+FFFD", async () => {
  const got = await inPage(async () => {
    const taken = await Taken.open("/echo");
    taken.ws.send("a\ud800b");
    const { data } = await taken.next();
    taken.ws.close();
    return data;
  });
  expect(got, "a\ufffdb");
});

await check("ArrayBuffer, views and Blob, and both kinds in return", async () => {
  const got = await inPage(async () => {
    const taken = await Taken.open("/echo");
    const bytes = Uint8Array.from({ length: 300 }, (_, at) => at % 256);
    const told = [];
    for (const data of [bytes.buffer, bytes.subarray(7, 19), new Blob(["text ", bytes]), new Blob([])]) {
      taken.ws.send(data);
      told.push([...new Uint8Array((await taken.next()).data)].length);
    }
    taken.ws.binaryType = "blob";
    taken.ws.send(bytes);
    const { data } = await taken.next();
    told.push(data instanceof Blob, (await data.arrayBuffer()).byteLength);
    taken.ws.close();
    return told;
  });
  expect(got, [300, 12, 305, 0, true, 300]);
});

await check("a subprotocol is chosen in the server's order", async () => {
  const got = await inPage(async () => {
    const chosen = [];
    for (const offered of [["v1.example", "v2.example"], ["v1.example"], "v2.example", []]) {
      const taken = await Taken.open("/subprotocol", offered);
      chosen.push(taken.ws.protocol);
      taken.ws.close();
    }
    return chosen;
  });
  expect(got, ["v2.example", "v1.example", "v2.example", ""]);
});

await check("a browser that offered some fails when none is chosen", async () => {
  const got = await inPage(() => new Taken("/subprotocol", ["v9.example"]).end());
  expect(got, { types: ["error", "close"], code: 1006, reason: "", wasClean: false });
});

await check("a refusal is an error and 1006, whatever its status", async () => {
  const got = await inPage(() => new Taken("/nowhere").end());
  expect(got, { types: ["error", "close"], code: 1006, reason: "", wasClean: false });
});

await check("compression is agreed on, and seen in `extensions`", async () => {
  const got = await inPage(async () => {
    const taken = await Taken.open("/echo");
    const extensions = taken.ws.extensions;
    const text = "again and again ".repeat(10_000);
    const same = [];
    for (let i = 0; i < 3; i += 1) {
      taken.ws.send(text);
      same.push((await taken.next()).data === text);
    }
    taken.ws.close();
    return [extensions.split(";")[0], ...same];
  });
  expect(got, ["permessage-deflate", true, true, true]);
});

await check("the page's codes and reasons reach the server", async () => {
  const ends = [[1000, ""], [1000, "done"], [3000, "ä".repeat(61)], [4999, "last"]];
  const got = await inPage(async (wanted) => {
    const seen = [];
    for (const [code, reason] of wanted) {
      const taken = await Taken.open("/report");
      taken.ws.close(code, reason);
      seen.push(await taken.end());
    }
    const taken = await Taken.open("/report");
    taken.ws.close();
    seen.push(await taken.end());
    // The server has told of each once its own end is there.
    let reports = [];
    while (reports.length < seen.length) {
      const asked = await Taken.open("/reports");
      reports = reports.concat((await asked.next()).data.split("\n").filter((line) => line !== ""));
      await asked.end();
    }
    return { seen, reports };
  }, ends);
  // The answer has the code and no reason.
  expect(got.seen, [...ends.map(([code]) => clean(code)), clean(1005)]);
  const told = [...ends.map(([code]) => code), 1005];
  expect(got.reports, told.map((code) => `closed cleanly, code ${code}, begun by the peer`));
});

await check("the server's codes and reasons reach the page", async () => {
  const ends = [["1000,bye", 1000, "bye"], ["1001,", 1001, ""], ["1011,oops", 1011, "oops"], ["1013,later", 1013, "later"],
    ["4000,grus", 4000, "grus"], ["", 1005, ""]];
  const got = await inPage(async (paths) => {
    const seen = [];
    for (const path of paths) {
      const taken = await Taken.open(`/close?${path}`);
      taken.ws.send("now");
      seen.push(await taken.end());
    }
    return seen;
  }, ends.map(([path]) => path));
  expect(got, ends.map(([, code, reason]) => clean(code, reason)));
});

await check("a transport that is cut is an error and 1006", async () => {
  const got = await inPage(async () => {
    const taken = await Taken.open("/cut");
    taken.ws.send("now");
    return taken.end();
  });
  expect(got, { types: ["close"], code: 1006, reason: "", wasClean: false });
});

await check("a message of 16 MiB to the page, one of 1 MiB to the server, and one that is too large", async () => {
  const got = await inPage(async () => {
    const stream = await Taken.open("/stream?256");
    let total = 0;
    for (let i = 0; i < 256; i += 1) total += (await stream.next()).data.byteLength;
    const streamed = await stream.end();
    const taken = await Taken.open("/echo");
    const large = new Uint8Array(1 << 20).map((_, at) => (at * 7) % 256);
    taken.ws.send(large);
    const { data } = await taken.next();
    const same = new Uint8Array(data).every((byte, at) => byte === large[at]) && data.byteLength === large.length;
    taken.ws.send(new Uint8Array((1 << 20) + 1));
    const { code, wasClean } = await taken.end();
    return [total, streamed.code, same, code, wasClean];
  });
  expect(got, [16 << 20, 1000, true, 1009, true]);
});

await check("bufferedAmount grows at once and falls to 0", async () => {
  const got = await inPage(async () => {
    const taken = await Taken.open("/echo");
    taken.ws.send(new Uint8Array(100_000));
    const at = taken.ws.bufferedAmount;
    await taken.next();
    const later = taken.ws.bufferedAmount;
    taken.ws.close();
    return [at, later];
  });
  expect(got, [100_000, 0]);
});

await check("1,000 messages keep their order", async () => {
  const got = await inPage(async () => {
    const taken = await Taken.open("/echo");
    for (let i = 0; i < 1000; i += 1) taken.ws.send(i % 2 ? String(i) : new Uint8Array([i & 255, i >> 8]));
    let wrong = 0;
    for (let i = 0; i < 1000; i += 1) {
      const { data } = await taken.next();
      const n = typeof data === "string" ? Number(data) : new Uint16Array(data)[0];
      if (n !== i) wrong += 1;
    }
    taken.ws.close();
    return wrong;
  });
  expect(got, 0);
});

await check("200 connections at once from one page", async () => {
  const got = await inPage(async () => {
    const all = await Promise.all(Array.from({ length: 200 }, () => Taken.open("/echo")));
    all.forEach((taken, at) => taken.ws.send(String(at)));
    const echoed = await Promise.all(all.map((taken) => taken.next()));
    all.forEach((taken) => taken.ws.close(1000));
    const ends = await Promise.all(all.map((taken) => taken.end()));
    return [echoed.every(({ data }, at) => data === String(at)), ends.filter((one) => one.wasClean).length];
  });
  expect(got, [true, 200]);
});

await check("a worker's socket", async () => {
  const got = await page.evaluate(
    ([where, source]) =>
      new Promise((resolve, reject) => {
        const body = `globalThis.address = ${JSON.stringify(where)}; (${source})();
          (async () => {
            const taken = await Taken.open("/echo");
            taken.ws.send("from a worker");
            const { data } = await taken.next();
            taken.ws.close(1000);
            const { code, wasClean } = await taken.end();
            postMessage([data, code, wasClean]);
          })();`;
        const worker = new Worker(URL.createObjectURL(new Blob([body], { type: "text/javascript" })));
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
      }),
    [address, String(tools)],
  );
  expect(got, ["from a worker", 1000, true]);
});

await check("a page that goes away is gone for the server: 1001", async () => {
  const other = await browser.newPage();
  await other.goto(`http://${address}/`);
  await other.evaluate(`globalThis.address = ${JSON.stringify(address)}; (${tools})()`);
  await other.evaluate(async () => {
    globalThis.kept = await Taken.open("/report");
  });
  await other.close();
  const got = await inPage(async () => {
    for (;;) {
      const asked = await Taken.open("/reports");
      const { data } = await asked.next();
      await asked.end();
      if (data !== "") return data;
    }
  });
  expect(got.includes("code 1001"), true, got);
});

await browser.close();
end();
