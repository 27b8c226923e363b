// A `ws` server for examples/echo_client, the same as python_server.py: see there.
import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const server = createServer((_, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });

server.on("upgrade", (request, stream, head) => {
  if (request.url === "/refuse") {
    stream.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  sockets.handleUpgrade(request, stream, head, (ws) => handle(ws, request));
});

function handle(ws, request) {
  const path = request.url.split("?")[0];
  const seen = {
    target: request.url,
    host: request.headers.host,
    messages: 0,
    ponged: false,
    close: null,
  };
  let last = Promise.resolve(); // answers go out one after the other
  if (path === "/echo") ws.ping("are you there");
  ws.on("pong", () => {
    seen.ponged = true;
  });
  ws.on("error", () => {});
  ws.on("message", (data, isBinary) => {
    if (isBinary) throw new Error("echo_client sends text");
    seen.messages += 1;
    last = last.then(() => answer(ws, path, data));
  });
  ws.on("close", (code) => {
    seen.close = code === 1006 ? null : code;
    console.log(JSON.stringify(seen));
  });
}

async function answer(ws, path, data) {
  if (path === "/drop") {
    ws.terminate();
  } else if (path === "/fail") {
    ws.close(1011, "as told");
  } else if (path === "/slow") {
    await new Promise((resolve) => setTimeout(resolve, 300));
    ws.send(data, { binary: false });
  } else if (path === "/fragments") {
    const cut = data.length >> 1; // in the middle of a character, perhaps
    const ponged = once(ws, "pong");
    ws.send(data.subarray(0, cut), { binary: false, fin: false });
    ws.ping("between");
    await ponged;
    ws.send(data.subarray(cut), { fin: false });
    ws.send("", { fin: true });
  } else {
    ws.send(data, { binary: false });
  }
}

server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
