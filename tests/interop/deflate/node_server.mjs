// An echo server made with `ws` that takes any offer. Prints `port N`. The argument: its own wishes, as JSON.
import { createRequire } from "node:module";

const require = createRequire(new URL("../clients/package.json", import.meta.url));
const { WebSocketServer } = require("ws");

const wishes = JSON.parse(process.argv[2] ?? "{}");
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 1 << 27,
  perMessageDeflate: { threshold: 0, ...wishes },
});
server.on("listening", () => console.log(`port ${server.address().port}`));
server.on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on("message", (data, binary) => ws.send(data, { binary }));
});
