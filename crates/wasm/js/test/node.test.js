// The driver over Node's sockets: against itself, against the package `ws`, and against peers that misbehave.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import Ws, { WebSocketServer as WsServer } from "ws";

import { ConnectionClosed, HandshakeRefused, connect, serve } from "../node.js";

const echo = async (ws) => {
  for await (const message of ws) {
    await ws.send(message);
  }
};

/** A server for the length of a test. */
async function serving(context, handler = echo, options = {}) {
  const errors = [];
  const server = await serve({ port: 0, host: "127.0.0.1", onError: (error) => errors.push(error), ...options }, handler);
  context.after(() => server.close());
  return { server, errors, uri: `${options.tls ? "wss" : "ws"}://127.0.0.1:${server.port}/` };
}

const REQUEST =
  "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** A peer that speaks by hand. */
async function raw(port, first = REQUEST) {
  const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  socket.write(first);
  await once(socket, "readable");
  return socket;
}

/** Everything up to its end. The other direction stays open. */
async function rest(socket) {
  const pieces = [];
  socket.on("data", (piece) => pieces.push(piece));
  await once(socket, "end");
  return Buffer.concat(pieces);
}

/** Until something is so. */
async function until(so) {
  while (!so()) {
    await sleep(1);
  }
}

const PAYLOADS = ["", "text", "Grüße 🌍", "x".repeat(125), "x".repeat(126), "y".repeat(70_000), "é".repeat(400_000)];

for (const deflate of [false, true]) {
  const name = deflate ? "with compression" : "without compression";

  test(`an echo between our own ends, ${name}`, async (context) => {
    const { server, errors, uri } = await serving(context, echo, { deflate, origins: "any" });
    const ws = await connect(uri, { deflate });
    assert.equal(ws.extensions.includes("permessage-deflate"), deflate);
    for (const text of PAYLOADS) {
      await ws.send(text);
      assert.equal(await ws.receive(), text);
      await ws.send(Buffer.from(text));
      assert.deepEqual(Buffer.from(await ws.receive()), Buffer.from(text));
    }
    assert.ok((await ws.ping()) > 0);
    assert.ok(ws.latency > 0);
    const report = await ws.close(1000, "done");
    assert.deepEqual([report.clean, report.code, report.began], [true, 1000, "us"]);
    assert.equal(await ws.receive(), null);
    await assert.rejects(ws.send("late"), ConnectionClosed);
    await assert.rejects(ws.ping(), ConnectionClosed);
    assert.equal((await ws.close()).code, 1000);
    assert.equal(ws.state, "closed");
    await server.close();
    assert.deepEqual([errors, server.connections], [[], 0]);
  });

  test(`the client of ws, ${name}`, async (context) => {
    const { errors, uri } = await serving(context, echo, { deflate });
    const ws = new Ws(uri, { perMessageDeflate: deflate });
    await once(ws, "open");
    assert.equal(ws.extensions.includes("permessage-deflate"), deflate);
    for (const text of PAYLOADS) {
      for (const [data, binary] of [[text, false], [Buffer.from(text), true]]) {
        ws.send(data);
        const [message, isBinary] = await once(ws, "message");
        assert.deepEqual([message.equals(Buffer.from(text)), isBinary], [true, binary]);
      }
    }
    ws.send("in ", { fin: false });
    ws.send("two", { fin: true });
    assert.equal(String((await once(ws, "message"))[0]), "in two");
    ws.ping("p");
    assert.equal(String((await once(ws, "pong"))[0]), "p");
    ws.close(4000, "bye");
    assert.equal((await once(ws, "close"))[0], 4000);
    assert.deepEqual(errors, []);
  });

  test(`the server of ws, ${name}`, async (context) => {
    const peer = new WsServer({ port: 0, host: "127.0.0.1", perMessageDeflate: deflate });
    context.after(() => peer.close());
    const closed = [];
    peer.on("connection", (ws) => {
      ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
      ws.on("close", (code, reason) => closed.push([code, String(reason)]));
      ws.ping("there?");
    });
    await once(peer, "listening");
    const ws = await connect(`ws://127.0.0.1:${peer.address().port}/`, { deflate });
    assert.equal(ws.extensions.includes("permessage-deflate"), deflate);
    for (const text of PAYLOADS) {
      await ws.send(text);
      assert.equal(await ws.receive(), text);
    }
    assert.ok((await ws.ping()) > 0);
    const report = await ws.close(3000, "bye");
    assert.deepEqual([report.clean, report.code], [true, 3000]);
    await until(() => closed.length > 0);
    assert.deepEqual(closed, [[3000, "bye"]]);
  });
}

test("TLS", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "sansocket-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-nodes", "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  const pair = { key: readFileSync(key), cert: readFileSync(cert) };
  const { errors, server, uri } = await serving(context, echo, { tls: pair });
  const ws = await connect(uri, { tls: { ca: pair.cert } });
  for (const text of PAYLOADS) {
    await ws.send(text);
    assert.equal(await ws.receive(), text);
  }
  assert.equal((await ws.close()).clean, true);
  const other = new Ws(uri, { ca: pair.cert });
  await once(other, "open");
  other.close(1000);
  assert.equal((await once(other, "close"))[0], 1000);
  // Whom it does not know, and who speaks no TLS.
  await assert.rejects(connect(uri), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  const plain = net.connect(server.port, "127.0.0.1");
  plain.on("error", () => {});
  plain.resume().end(REQUEST);
  await once(plain, "close");
  await server.close();
  assert.deepEqual(errors, []);
});

test("a queue that is full waits for a peer that does not read", async (context) => {
  const count = 200;
  let sent = 0;
  const { uri } = await serving(context, async (ws) => {
    for (; sent < count; sent += 1) {
      await ws.send(Buffer.alloc(200_000, sent));
    }
  });
  const ws = await connect(uri);
  // Nobody takes messages: it stops far from the end, and pings are answered all the same.
  let before;
  do {
    before = sent;
    await sleep(100);
  } while (sent !== before);
  assert.ok(sent < 100, `${sent} were sent`);
  for (let at = 0; at < count; at += 1) {
    const message = await ws.receive();
    assert.deepEqual([message.length, message[0], message[199_999]], [200_000, at, at]);
  }
  assert.equal(await ws.receive(), null);
  assert.deepEqual([ws.report.clean, ws.report.code, sent], [true, 1000, count]);
});

test("a reader that is slow is not taken for dead", async (context) => {
  const { uri } = await serving(context, async (ws) => {
    for (let at = 0; at < 100; at += 1) {
      await ws.send(Buffer.alloc(50_000));
    }
    await ws.closed;
  });
  const ws = await connect(uri, { timeouts: { ping: 50, pong: 100 } });
  await sleep(700);
  assert.equal(ws.state, "open");
  for (let at = 0; at < 100; at += 1) {
    await ws.receive();
  }
  assert.equal((await ws.close()).clean, true);
});

test("a message that can never fit is refused", async (context) => {
  const { uri } = await serving(context);
  const ws = await connect(uri, { limits: { memory: 65536 } });
  await assert.rejects(ws.send("x".repeat(100_000)), { word: "memory_full" });
  await ws.send("x");
  assert.equal(await ws.receive(), "x");
  await ws.close();
});

test("what is sent in one turn goes out in one write", async (context) => {
  const { uri } = await serving(context);
  const ws = await connect(uri);
  const writes = context.mock.method(ws.socket, "write");
  const sent = Promise.all(["a", "b", "c"].map((text) => ws.send(text)));
  await sent;
  assert.deepEqual([await ws.receive(), await ws.receive(), await ws.receive()], ["a", "b", "c"]);
  assert.equal(writes.mock.callCount(), 1);
  await ws.close();
});

test("requests: subprotocols, refusals, pages, errors", async (context) => {
  const onRequest = async ({ path, upgrade, header }) => {
    await sleep(1);
    switch (path) {
      case "/no":
        return { status: 403, headers: { "X-Why": "so" }, body: "no" };
      case "/page":
        return { status: 200, body: "hello" };
      case "/error":
        throw new Error("asked for");
      default:
        return upgrade ? { headers: { "X-Yes": "1" } } : { status: 404 };
    }
  };
  const options = { onRequest, subprotocols: ["b", "a"], serveHttp: true };
  const { errors, server, uri } = await serving(context, echo, options);
  const ws = await connect(`${uri}yes`, { subprotocols: ["a", "b"], headers: { "X-Name": "1" } });
  assert.deepEqual([ws.subprotocol, ws.response.header("x-yes"), ws.request], ["b", "1", null]);
  await ws.close();
  await assert.rejects(connect(`${uri}no`), (error) => {
    assert.ok(error instanceof HandshakeRefused);
    const { refused, report } = error;
    const told = [refused.status, refused.header("X-Why"), String(Buffer.from(refused.body)), report.answered];
    assert.deepEqual(told, [403, "so", "no", 403]);
    return true;
  });
  await assert.rejects(connect(`${uri}error`), (error) => error.refused.status === 500);
  assert.deepEqual(errors.map(({ message }) => message), ["asked for"]);
  const response = await fetch(`http://127.0.0.1:${server.port}/page`);
  assert.deepEqual([response.status, await response.text()], [200, "hello"]);
});

test("a handler that fails closes with 1011", async (context) => {
  const { errors, uri } = await serving(context, async (ws) => {
    await ws.receive();
    throw new Error("in the handler");
  });
  const ws = await connect(uri);
  await ws.send("go");
  assert.equal(await ws.receive(), null);
  assert.deepEqual([ws.report.code, errors.map(({ message }) => message)], [1011, ["in the handler"]]);
});

test("a server that closes tells its peers 1001", async (context) => {
  const { server, uri } = await serving(context);
  const [ws, other] = [await connect(uri), new Ws(uri)];
  const silent = net.connect(server.port, "127.0.0.1");
  silent.on("error", () => {});
  await Promise.all([once(other, "open"), once(silent, "connect")]);
  const ended = once(other, "close");
  await server.close();
  assert.equal((await ws.closed).code, 1001);
  assert.equal((await ended)[0], 1001);
  await assert.rejects(connect(uri), { code: "ECONNREFUSED" });
});

test("a broken rule is answered, and the last words arrive", async (context) => {
  const { server, uri } = await serving(context, (ws) => ws.closed);
  assert.ok(uri);
  const peer = await raw(server.port);
  // A frame without a mask (RFC 6455 §5.1), and then more than anybody wants.
  peer.write(Buffer.from([0x81, 1, 97]));
  peer.write(Buffer.alloc(300_000));
  const said = await rest(peer);
  assert.ok(said.includes(Buffer.from([0x03, 0xea])), "1002");
  // Our end is shut down, and the peer's is waited for: it may take its time.
  peer.end();
  await once(peer, "close");
  await server.close();
});

test("the peer ends TCP without a word", async (context) => {
  const reports = [];
  const { server } = await serving(context, async (ws) => reports.push(await ws.closed));
  for (const [at, leave] of ["end", "destroy", "resetAndDestroy"].entries()) {
    const peer = await raw(server.port);
    peer[leave]();
    await until(() => reports.length > at);
  }
  assert.deepEqual(reports.map(({ code, clean }) => [code, clean]), [[1006, false], [1006, false], [1006, false]]);
});

test("a peer that resets while it is poured at: no error is left unhandled", async (context) => {
  const ends = [];
  const { errors, server } = await serving(context, async (ws) => {
    try {
      for (;;) {
        await ws.send(Buffer.alloc(100_000));
      }
    } catch (error) {
      ends.push(error);
    }
  });
  const peer = await raw(server.port);
  await sleep(20);
  peer.resetAndDestroy();
  await until(() => ends.length > 0);
  assert.ok(ends[0] instanceof ConnectionClosed, ends[0].stack);
  assert.deepEqual([ends[0].report.code, ends[0].report.clean, errors], [1006, false, []]);
});

test("what is thrown is a warning of the process, where nobody wants it", async (context) => {
  const warned = once(process, "warning");
  const { uri } = await serving(context, () => Promise.reject(new Error("nobody's")), { onError: undefined });
  const ws = await connect(uri);
  assert.equal((await ws.closed).code, 1011);
  assert.equal((await warned)[0].message, "nobody's");
});

test("deadlines: a silent client, a server that never answers, a peer that is gone", async (context) => {
  const reports = [];
  const handler = async (ws) => reports.push(await ws.closed);
  const { server } = await serving(context, handler, { timeouts: { handshake: 400, ping: 60, pong: 80, close: 60 } });
  const silent = net.connect(server.port, "127.0.0.1");
  assert.match(String(await rest(silent)), /^HTTP\/1.1 408/);
  // It is open, and answers no ping.
  const gone = await raw(server.port);
  const said = await rest(gone);
  assert.ok(said.includes(Buffer.from([0x03, 0xf3])), "1011");
  gone.destroy();
  await server.close();
  assert.equal(reports.length, 1);

  const deaf = net.createServer((socket) => socket.on("error", () => {}));
  context.after(() => deaf.close());
  deaf.listen(0, "127.0.0.1");
  await once(deaf, "listening");
  const uri = `ws://127.0.0.1:${deaf.address().port}/`;
  await assert.rejects(connect(uri, { timeouts: { handshake: 50 } }), (error) => /handshake|time/.test(error.message));
  const signal = AbortSignal.timeout(30);
  await assert.rejects(connect(uri, { signal }), { name: "TimeoutError" });
});

test("a closing handshake that the peer does not finish ends with its deadline", async (context) => {
  const peer = http.createServer();
  peer.on("upgrade", (request, socket) => {
    socket.on("error", () => {});
    socket.resume();
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
        `${acceptOf(request.headers["sec-websocket-key"])}\r\n\r\n`,
    );
  });
  context.after(() => (peer.close(), peer.closeAllConnections()));
  peer.listen(0, "127.0.0.1");
  await once(peer, "listening");
  const ws = await connect(`ws://127.0.0.1:${peer.address().port}/`, { timeouts: { close: 60 } });
  const report = await ws.close();
  assert.deepEqual([report.clean, report.code], [false, 1006]);
});

test("half-closed: who ends its direction after its Close frame still gets the answer", async (context) => {
  const reports = [];
  const { server } = await serving(context, async (ws) => reports.push(await ws.closed));
  const peer = await raw(server.port);
  peer.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
  const said = await rest(peer);
  assert.deepEqual(said.subarray(-4), Buffer.from([0x88, 2, 0x03, 0xe8]));
  await until(() => reports.length > 0);
  assert.deepEqual([reports[0].clean, reports[0].code, reports[0].began], [true, 1000, "peer"]);
});

test("requests in pieces, and what came with them", async (context) => {
  const { server } = await serving(context);
  const peer = net.connect({ port: server.port, host: "127.0.0.1", noDelay: true });
  for (const byte of Buffer.concat([Buffer.from(REQUEST), Buffer.from([0x81, 0x81, 0, 0, 0, 0, 97, 0x88, 0x80, 0, 0, 0, 0])])) {
    peer.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  const said = await rest(peer);
  assert.deepEqual(said.subarray(-5), Buffer.from([0x81, 1, 97, 0x88, 0]));
});

test("a socket of one's own", async (context) => {
  const { server } = await serving(context);
  const socket = net.connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
  const ws = await connect("ws://some.where/", { socket });
  await ws.send("a");
  assert.equal(await ws.receive(), "a");
  assert.equal(ws.socket, socket);
  await ws.close();
});

test("two hundred at once", async (context) => {
  const { server, uri } = await serving(context);
  const one = async (at) => {
    const ws = await connect(uri);
    for (let round = 0; round < 5; round += 1) {
      await ws.send(`${at} ${round}`);
      assert.equal(await ws.receive(), `${at} ${round}`);
    }
    return (await ws.close()).clean;
  };
  const ends = await Promise.all(Array.from({ length: 200 }, (_, at) => one(at)));
  assert.ok(ends.every((clean) => clean));
  await server.close();
  assert.equal(server.connections, 0);
});

function acceptOf(key) {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}
