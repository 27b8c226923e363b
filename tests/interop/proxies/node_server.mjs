// An echo server with `ws` for the client: `node_server.mjs PORT [CERTIFICATE KEY]`. Prints
// `port N`, then a line of JSON per connection.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createRequire } from "node:module";

// The packages of tests/interop/clients serve here too.
const require = createRequire(new URL("../clients/package.json", import.meta.url));
const { WebSocketServer } = require("ws");

const [port, cert, key] = process.argv.slice(2);
const server = cert
  ? createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : createServer();
const handleProtocols = (offered) => (offered.has("chat") ? "chat" : false);

new WebSocketServer({ server, handleProtocols, perMessageDeflate: true }).on("connection", (ws, request) => {
  const seen = { target: request.url, headers: request.headers, messages: 0 };
  ws.on("error", () => {});
  ws.on("message", (data, binary) => {
    seen.messages += 1;
    ws.send(data, { binary });
  });
  ws.on("close", (code) => {
    seen.close = code === 1006 ? null : code;
    console.log(JSON.stringify(seen));
  });
});
server.listen(Number(port), "127.0.0.1", () => console.log("port", server.address().port));
