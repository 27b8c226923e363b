// The `ws` client against the echo server: node node_client.mjs HOST:PORT
import { once } from "node:events";
import WebSocket from "ws";
import { check, end, expect } from "./checks.mjs";

const address = process.argv[2];
const MIB = 1 << 20;

async function open(options = {}) {
  const ws = new WebSocket(`ws://${address}/ws`, { maxPayload: 64 * MIB, ...options });
  // Collected from the start, so that none is missed.
  ws.queue = [];
  ws.waiting = [];
  ws.on("message", (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    const next = ws.waiting.shift();
    if (next) next(message);
    else ws.queue.push(message);
  });
  ws.next = () =>
    ws.queue.length > 0
      ? Promise.resolve(ws.queue.shift())
      : new Promise((resolve) => ws.waiting.push(resolve));
  await once(ws, "open");
  return ws;
}

async function close(ws, code = 1000, reason = "") {
  const closed = once(ws, "close");
  ws.close(code, reason);
  const [got] = await closed;
  expect(got, code, "close code");
}

async function echo(...messages) {
  const ws = await open();
  for (const message of messages) {
    ws.send(message);
    expect(await ws.next(), message, "echo");
  }
  await close(ws);
}

await check("text", () => echo("hello", "grüße, 世界 🌍", "\0"));
await check("binary", () => echo(Buffer.from([0, 255, 254]), Buffer.alloc(256, 7)));
await check("empty messages", () => echo("", Buffer.alloc(0), ""));
await check("permessage-deflate, with it and without", async () => {
  for (const [options, extension] of [
    [{}, "permessage-deflate"],
    [{ clientNoContextTakeover: true, serverNoContextTakeover: true }, "permessage-deflate"],
    [{ serverMaxWindowBits: 10, clientMaxWindowBits: 10 }, "permessage-deflate"],
    [false, ""],
  ]) {
    // `ws` leaves short messages as they are unless told otherwise.
    const perMessageDeflate = options && { ...options, threshold: 0 };
    const ws = await open({ perMessageDeflate });
    expect(ws.extensions, extension, "extensions");
    for (const message of ["x".repeat(100_000), "", Buffer.alloc(25_600, "sans"), "x"]) {
      ws.send(message);
      expect(await ws.next(), message, "echo");
    }
    await close(ws);
  }
});

await check("1 MiB", () => echo("ü".repeat(MIB / 2), Buffer.alloc(MIB, "sans")));
await check("16 MiB", () => echo(Buffer.alloc(16 * MIB, "socket")));
await check("around the edges of the length field", () =>
  echo(...[125, 126, 127, 65535, 65536, 65537].map((length) => Buffer.alloc(length, 1))),
);

await check("fragmented messages, a ping between two fragments", async () => {
  const ws = await open();
  ws.send("frag", { fin: false });
  ws.send("", { fin: false });
  const pong = once(ws, "pong");
  ws.ping("inside");
  expect((await pong)[0].toString(), "inside", "pong");
  ws.send("ments ü", { fin: true });
  expect(await ws.next(), "fragments ü", "echo");
  for (let i = 0; i < 200; i += 1) ws.send(Buffer.alloc(1000, i), { fin: i === 199 });
  const wanted = Buffer.concat(Array.from({ length: 200 }, (_, i) => Buffer.alloc(1000, i)));
  expect(await ws.next(), wanted, "echo");
  await close(ws);
});

await check("pings are answered with their payload", async () => {
  const ws = await open();
  for (const payload of ["", "hello", "p".repeat(125)]) {
    const pong = once(ws, "pong");
    ws.ping(payload);
    expect((await pong)[0].toString(), payload, "pong");
  }
  ws.pong("nobody asked");
  ws.send("still here");
  expect(await ws.next(), "still here", "echo");
  await close(ws);
});

await check("1000 messages before the first echo is read", async () => {
  const ws = await open();
  for (let i = 0; i < 1000; i += 1) ws.send(`message ${i}`);
  for (let i = 0; i < 1000; i += 1) expect(await ws.next(), `message ${i}`, "echo");
  await close(ws);
});

await check("close 1000", async () => close(await open(), 1000));
await check("close 4000 with a reason", async () => close(await open(), 4000, "grüße"));
await check("close without a code", async () => {
  const ws = await open();
  const closed = once(ws, "close");
  ws.close();
  expect((await closed)[0], 1005, "close code");
});

await check("403 for a foreign origin", async () => {
  const ws = new WebSocket(`ws://${address}/ws`, { origin: "http://elsewhere.example" });
  ws.on("error", () => {}); // `abort` below counts as one
  ws.on("open", () => ws.terminate());
  const [, refusal] = await once(ws, "unexpected-response");
  expect(refusal.statusCode, 403, "status");
  ws.terminate();
});

end();
