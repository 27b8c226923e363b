// `ws` clients against the echo server of tests/interop/deflate/peer: node node_client.mjs HOST:PORT...
import { once } from "node:events";
import { createRequire } from "node:module";

const require = createRequire(new URL("../clients/package.json", import.meta.url));
const { WebSocket } = require("ws");

const line = "a line of text that comes again; grüße, 世界 🌍; ";
const noise = Buffer.from(Array.from({ length: 70000 }, (_, i) => Math.imul(i, 2654435761) >>> 13));
const messages = [
  "Hello", "Hello", "", "Hello", line.repeat(20), line.repeat(5000), noise, line,
  Buffer.alloc(1 << 20), line,
];
const modes = [
  {},
  { serverNoContextTakeover: true },
  { clientNoContextTakeover: true },
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
  { serverMaxWindowBits: 9 },
  { serverMaxWindowBits: 10, clientMaxWindowBits: 10 },
];

async function converse(address, mode) {
  const ws = new WebSocket(`ws://${address}/ws`, {
    perMessageDeflate: { threshold: 0, ...mode },
    maxPayload: 1 << 27,
  });
  await once(ws, "open");
  if (!ws.extensions.startsWith("permessage-deflate")) throw new Error(`extensions ${ws.extensions}`);
  for (const message of messages) {
    ws.send(message);
    const [data, isBinary] = await once(ws, "message");
    if (isBinary !== Buffer.isBuffer(message)) throw new Error("another kind");
    if (!data.equals(Buffer.from(message))) throw new Error("differs");
  }
  ws.close(1000);
  const [code] = await once(ws, "close");
  if (code !== 1000) throw new Error(`close code ${code}`);
}

let count = 0;
for (const [number, address] of process.argv.slice(2).entries()) {
  for (const mode of modes) {
    count += 1;
    const name = `ws to server ${number + 1} ${JSON.stringify(mode)}`;
    try {
      await converse(address, mode);
      console.log(`ok ${name}`);
    } catch (why) {
      console.log(`FAILED ${name}: ${String(why).replaceAll("\n", " ")}`);
    }
  }
}
console.log(`end ${count}`);
