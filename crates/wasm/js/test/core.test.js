// The core in WebAssembly: both ends in memory, what is refused, memory and randomness.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { Core, SansocketError, load } from "../core.js";

const dist = (name) => new URL(`../../dist/${name}.wasm`, import.meta.url);
const plain = await load();
const compressing = await load(dist("sansocket-deflate"));

/** Hands bytes over until neither end has any: the events of both. */
function exchange(client, server, cut = Infinity) {
  const events = { client: [], server: [] };
  for (let moved = true; moved; ) {
    moved = false;
    for (const [from, to, told] of [[client, server, events.server], [server, client, events.client]]) {
      const bytes = from.takeOutput();
      for (let at = 0; at < bytes.length; at += cut) {
        moved = true;
        for (const event of to.receive(bytes.subarray(at, at + cut))) {
          told.push(event);
          if (event.type === "request") {
            to.accept({ prefer: ["chat"] });
            told.push(...to.receive());
          }
        }
      }
    }
  }
  return events;
}

function pair(core = plain, settings = {}, options = {}) {
  const server = core.server({ origins: "any", ...settings }).connection();
  const client = core.client("ws://example.com/room?a=1", options);
  const events = exchange(client, server);
  return { client, server, events };
}

const refused = (word, code) => (error) => {
  assert.ok(error instanceof SansocketError, error.stack);
  assert.equal(error.word, word);
  assert.equal(error.code, code);
  assert.ok(error.message.length > 5, error.message);
  return true;
};

for (const [name, core] of Object.entries({ plain, compressing })) {
  for (const cut of [1, 7, Infinity]) {
    test(`${name}: a conversation in pieces of ${cut}`, () => {
      const { client, server } = pair(core);
      assert.deepEqual([client.state, server.state], ["open", "open"]);
      client.send("Grüße 🌍");
      client.send(new Uint8Array([1, 2, 3]));
      client.ping("p");
      client.sendPart("in ", { last: false });
      client.sendPart("parts", { last: true });
      let events = exchange(client, server, cut);
      assert.deepEqual(
        events.server.map((event) => event.data ?? event.type),
        ["Grüße 🌍", new Uint8Array([1, 2, 3]), "ping", "in parts"],
      );
      assert.deepEqual(events.client, [{ type: "pong", payload: new Uint8Array([112]), roundTrip: null }]);
      server.close(1001, "bye");
      assert.deepEqual(server.closeSent, { code: 1001, reason: "bye" });
      assert.equal(server.closeReceived, null);
      events = exchange(client, server, cut);
      assert.deepEqual(events.client.map((event) => [event.type, event.code, event.reason]), [["close", 1001, "bye"]]);
      // The server ends TCP first (RFC 6455 §7.1.1).
      assert.deepEqual([client.transport, server.transport], ["await-peer-end", "close"]);
      server.transportLost();
      client.receiveEof();
      const closed = [...server.receive(), ...client.receive()];
      assert.deepEqual(
        [...events.server, ...closed].filter(({ type }) => type === "closed").map(({ clean, code, began }) => [clean, code, began]),
        [[true, 1001, "us"], [true, 1001, "peer"]],
      );
      client.free();
      server.free();
      assert.throws(() => client.send("a"), /freed/);
      client.free();
    });
  }
}

test("a request, its parts, and how it is accepted", () => {
  const server = plain.server({ origins: ["https://example.com"], hosts: ["example.com"] }).connection();
  const client = plain.client("ws://example.com/room?a=1", {
    subprotocols: ["other", "chat"],
    headers: { "X-Name": "ü" },
    origin: "https://example.com",
  });
  const [request] = server.receive(client.takeOutput());
  assert.equal(request.type, "request");
  assert.equal(request.upgrade, true);
  const { method, target, path, query, authority, origin, subprotocols } = request;
  assert.deepEqual([method, target, path, query, authority], ["GET", "/room?a=1", "/room", "a=1", "example.com"]);
  assert.deepEqual([origin, subprotocols], ["https://example.com", ["other", "chat"]]);
  assert.equal(request.header("x-name"), "ü");
  assert.equal(request.header("x-other"), null);
  assert.ok(Object.isFrozen(request));
  assert.throws(() => server.accept({ subprotocol: "third" }), refused("accepted_subprotocol_not_offered", 602));
  assert.throws(() => server.accept({ headers: { Upgrade: "a" } }), refused("reserved_field", 703));
  server.accept({ prefer: ["chat"], headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] });
  const [open] = client.receive(server.takeOutput());
  assert.deepEqual([open.type, open.subprotocol, client.subprotocol], ["open", "chat", "chat"]);
  assert.deepEqual(open.headers.filter(([field]) => field === "Set-Cookie").map(([, value]) => value), ["a=1", "b=2"]);
});

test("a refusal, and a plain page", () => {
  const settings = plain.server({ origins: "any", serveHttp: true });
  const server = settings.connection();
  const client = plain.client("ws://h/");
  server.receive(client.takeOutput());
  server.respond(403, { headers: { "X-Why": "so" }, body: "no" });
  const [event] = client.receive(server.takeOutput());
  assert.deepEqual([event.type, event.status, event.header("X-Why")], ["refused", 403, "so"]);
  assert.equal(new TextDecoder().decode(event.body), "no");
  const page = settings.connection();
  const [http] = page.receive(new TextEncoder().encode("GET /page HTTP/1.1\r\nHost: h\r\n\r\n"));
  assert.deepEqual([http.type, http.upgrade, http.path, http.subprotocols], ["request", false, "/page", []]);
  page.respond(200, { body: new Uint8Array(100_000) });
  assert.ok(page.outputLength > 100_000);
});

test("settings are checked by name and by value", () => {
  assert.throws(() => plain.server({ orgins: "any" }), /no setting "orgins".*origins/);
  assert.throws(() => plain.server({ origins: "all" }), /"same-host"/);
  assert.throws(() => plain.server({ limits: { heads: 1 } }), /no limit "heads"/);
  assert.throws(() => plain.server({ limits: { head: "1" } }), TypeError);
  assert.throws(() => plain.server({ limits: { head: 1.5 } }), refused("bad_argument", 1));
  assert.throws(() => plain.server({ origins: ["https://a/b"] }), refused("bad_origin_entry", 2));
  assert.throws(() => plain.client("http://h/"), refused("uri_scheme", 3));
  assert.throws(() => plain.client("ws://h/", { serveHttp: true }), /no setting/);
  assert.throws(() => plain.client("ws://h/", { deflate: true }), /this build does not have/);
  assert.throws(() => plain.client("ws://h/", { headers: { a: "→" } }), /U\+00FF/);
});

test("every setting has its effect", () => {
  const { client, server } = pair(plain, { limits: { message: 10, budgets: "tight" }, echoCloseReason: true }, { fragment: 4 });
  client.send("12345678");
  assert.equal(client.outputLength, 2 * (2 + 4 + 4));
  assert.equal(exchange(client, server).server[0].data, "12345678");
  client.send("12345678901");
  const [failed] = exchange(client, server).server;
  assert.deepEqual([failed.type, failed.word, failed.code, failed.closeCode], ["failed", "message_limit", 119, 1009]);
  assert.match(failed.text, /10/);

  const strict = pair(plain, { preset: "strict", silentFailures: true, manualPong: true });
  strict.client.ping("");
  exchange(strict.client, strict.server);
  assert.equal(strict.server.outputLength, 0);
  strict.server.pong("");
  assert.equal(exchange(strict.client, strict.server).client[0].type, "pong");

  const origins = plain.server({ requireOrigin: true }).connection();
  origins.receive(plain.client("ws://h/").takeOutput());
  assert.match(new TextDecoder().decode(origins.takeOutput()), /^HTTP\/1.1 403/);

  const unmasked = plain.server({ acceptUnmasked: true }).upgraded();
  assert.deepEqual(unmasked.receive(new Uint8Array([0x81, 1, 97])).map(({ data }) => data), [undefined, "a"]);
});

test("deadlines are milliseconds", () => {
  const server = plain.server({ timeouts: { handshake: 2500, pong: null } }).connection();
  assert.equal(server.nextDeadline, null);
  server.advanceTime(100.5);
  assert.equal(server.nextDeadline, 2600.5);
  for (const now of [2601, 2602, 9000]) {
    server.advanceTime(now);
  }
  const [failed] = server.receive();
  assert.deepEqual([failed.type, failed.word], ["failed", "handshake_timeout"]);
});

test("chunks, and messages that are asked for", () => {
  const { client, server } = pair(plain, { delivery: "chunks" });
  client.send("abc");
  const { server: chunks } = exchange(client, server, 4);
  assert.equal(chunks.map(({ data }) => new TextDecoder().decode(data)).join(""), "abc");
  assert.deepEqual([chunks[0].first, chunks.at(-1).last, chunks.at(-1).endsFrame], [true, true, true]);
  const asked = pair(plain, { delivery: "ask" });
  for (const streamed of [false, true]) {
    asked.client.send("abc");
    const start = asked.server.nextEvent(asked.client.takeOutput());
    assert.deepEqual(start, { type: "start", kind: "text", frameLength: 3, last: true, compressed: false });
    if (streamed) {
      asked.server.streamMessage();
    }
    assert.equal(asked.server.nextEvent().type, streamed ? "chunk" : "message");
    assert.equal(asked.server.nextEvent(), null);
  }
});

test("large messages, and bytes of every kind", () => {
  const { client, server } = pair(plain, { preset: "trusted" }, { preset: "trusted" });
  const large = "ü".repeat(200_000);
  client.send(large);
  const bytes = new Uint8Array(300_001).map((_, at) => at * 7);
  client.send(bytes.buffer);
  client.send(new DataView(bytes.buffer, 1, 70_000));
  const { server: messages } = exchange(client, server);
  assert.equal(messages[0].data, large);
  assert.deepEqual(messages[1].data, bytes);
  assert.deepEqual(messages[2].data, bytes.subarray(1, 70_001));
  assert.throws(() => client.send([1]), TypeError);
  client.send("a\ud800b");
  assert.equal(exchange(client, server).server[0].data, "a\ufffdb");
  assert.throws(() => client.ping("x".repeat(126)), refused("too_long", 406));
  assert.throws(() => client.close(1005), refused("bad_argument", 1));
  assert.throws(() => client.send("a", { compress: "much" }), /"never"/);
});

test("a full queue refuses, and takes again", () => {
  const { client, server } = pair(plain, { limits: { output: 1000 } });
  while (server.canSend) {
    server.send("x".repeat(100));
  }
  assert.throws(() => server.send("x"), refused("full", 403));
  assert.ok(server.bufferedAmount >= 1000);
  const count = exchange(client, server).client.length;
  assert.ok(count >= 10 && server.canSend);
});

test("compression is agreed on where both want it", () => {
  const wanted = { deflate: { level: 9, serverMaxWindowBits: 10, clientNoContextTakeover: true } };
  const { client, server } = pair(compressing, { deflate: true }, wanted);
  assert.match(client.extensions, /permessage-deflate.*server_max_window_bits=10/);
  const text = "again and again ".repeat(1000);
  client.send(text);
  assert.ok(client.outputLength < text.length / 10);
  assert.equal(exchange(client, server).server[0].data, text);
  client.send(text, { compress: "never" });
  assert.ok(client.outputLength > text.length);
  assert.ok(compressing.compresses && !plain.compresses);
  assert.throws(() => compressing.server({ deflate: { level: 10 } }), refused("bad_argument", 1));
});

test("randomness of one's own, and none", () => {
  let asked = 0;
  const entropy = (bytes) => bytes.fill((asked += 1));
  const client = plain.client("ws://h/", { entropy });
  assert.match(new TextDecoder().decode(client.takeOutput()), /Sec-WebSocket-Key: AQEBAQEBAQEBAQEBAQEBAQ==\r\n/);
  const broken = () => {
    throw new Error("no dice");
  };
  assert.throws(
    () => plain.client("ws://h/", { entropy: broken }),
    (error) => refused("no_entropy", 801)(error) && error.cause.message === "no dice",
  );
  const nosy = () => plain.client("ws://h/");
  assert.throws(() => plain.client("ws://h/", { entropy: nosy }), (error) => /may not call/.test(error.cause.message));
  const keys = new Set(Array.from({ length: 1000 }, () => plain.client("ws://h/").takeOutput().join()));
  assert.equal(keys.size, 1000);
});

test("streams that were upgraded elsewhere", () => {
  const server = plain.server().upgraded({ subprotocol: "chat" });
  const client = plain.upgradedClient({ subprotocol: "chat" });
  assert.deepEqual([...server.receive(), ...client.receive()].map(({ subprotocol }) => subprotocol), ["chat", "chat"]);
  client.send("a");
  assert.equal(server.receive(client.takeOutput())[0].data, "a");
  client.fail(1008, "enough");
  assert.deepEqual([client.state, client.closeSent], ["closing", { code: 1008, reason: "enough" }]);
});

test("memory is given back", () => {
  const core = new Core(new WebAssembly.Module(readFileSync(dist("sansocket"))));
  const round = () => {
    const settings = core.server({ origins: "any" });
    const [server, client] = [settings.connection(), core.client("ws://h/", { entropy: crypto.getRandomValues.bind(crypto) })];
    exchange(client, server);
    for (let at = 0; at < 3; at += 1) {
      client.send("x".repeat(100_000));
      exchange(client, server);
      assert.throws(() => client.close(1, ""));
    }
    for (const made of [server, client, settings]) {
      made.free();
    }
  };
  round();
  const before = core.memory;
  for (let at = 0; at < 300; at += 1) {
    round();
  }
  assert.ok(core.memory <= before + 65536, `${before} bytes became ${core.memory}`);
});

test("random bytes are an event or nothing, and never an exception", () => {
  let state = 6455;
  const random = (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 500; round += 1) {
    const { client, server } = pair();
    for (let step = 0; step < 8; step += 1) {
      client.send("x".repeat(random(200)));
      const bytes = client.takeOutput();
      for (let flips = random(3); flips > 0; flips -= 1) {
        bytes[random(bytes.length)] ^= 1 << random(8);
      }
      const events = server.receive(bytes);
      assert.ok(events.every(({ type }) => ["message", "failed", "ping", "pong", "close", "closed"].includes(type)));
      client.receive(server.takeOutput());
      if (client.state !== "open") {
        break;
      }
    }
    client.free();
    server.free();
  }
});
