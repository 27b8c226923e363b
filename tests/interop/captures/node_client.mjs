// Says what messages.json has with `ws`: node node_client.mjs URL MODE CERTIFICATE KEYLOG PROXY. For what is not there, `-` stands.
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import tls from "node:tls";

const require = createRequire(new URL("../clients/package.json", import.meta.url));
const { WebSocket } = require("ws");

const [url, mode, certificate, keylog, proxy] = process.argv.slice(2);
const messages = JSON.parse(readFileSync(new URL("messages.json", import.meta.url)));
const ends = mode === "no-context";
const options = {
  perMessageDeflate:
    mode !== "none" && { threshold: 0, serverNoContextTakeover: ends, clientNoContextTakeover: ends },
};
let socket;
if (proxy !== "-") {
  const target = new URL(url);
  const request = http.request(proxy, { method: "CONNECT", path: target.host });
  request.end();
  [, socket] = await once(request, "connect");
}
if (certificate !== "-") {
  const { hostname, port } = new URL(url);
  const secure = tls.connect({ ca: readFileSync(certificate), host: hostname, port, socket });
  secure.on("keylog", (line) => appendFileSync(keylog, line));
  await once(secure, "secureConnect");
  socket = secure;
}
if (socket) options.createConnection = () => socket;
const ws = new WebSocket(url, options);
const opened = once(ws, "open");
if (socket) setImmediate(() => socket.emit(certificate === "-" ? "connect" : "secureConnect"));
await opened;
for (const message of messages) {
  if (message.ping) {
    ws.ping(message.ping);
    await once(ws, "pong");
    continue;
  }
  const times = message.times ?? 1;
  let expected;
  if (message.fragments) {
    const last = message.fragments.length - 1;
    message.fragments.forEach((part, n) => ws.send(part, { fin: n === last }));
    expected = Buffer.from(message.fragments.join(""));
  } else {
    const said = message.binary === undefined
      ? message.text.repeat(times)
      : Buffer.from(message.binary.repeat(times), "hex");
    ws.send(said);
    expected = Buffer.from(said);
  }
  const [back] = await once(ws, "message");
  if (!back.equals(expected)) throw new Error("it came back changed");
}
ws.close(1000, "bye");
await once(ws, "close");
