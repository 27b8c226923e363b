// WebSocket servers and clients over the sockets of Node. README.md tells how to use it, node.d.ts what each thing is for.
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";

import { Core } from "./core.js";

// Messages that wait for `receive`, and their lengths, from which on nothing more is read.
const MOST_MESSAGES = 64;
const MOST_LENGTH = 1 << 20;

// Milliseconds that a socket may take to write its last bytes.
const LINGER = 5000;

// The longest that a timer of Node's can wait.
const LONGEST = 2 ** 31 - 1;

const cores = new Map();

/** The core of this process, with compression or without. */
export function core({ deflate = false } = {}) {
  const name = deflate ? "sansocket-deflate" : "sansocket";
  if (!cores.has(name)) {
    const bytes = readFileSync(new URL(`../dist/${name}.wasm`, import.meta.url));
    cores.set(name, new Core(new WebAssembly.Module(bytes)));
  }
  return cores.get(name);
}

/** The connection has ended: `report` tells how. */
export class ConnectionClosed extends Error {
  constructor(report, options) {
    super(report.text, options);
    this.name = "ConnectionClosed";
    this.report = report;
  }
}

/** The server did not open the connection: `refused` is its answer, if it gave one. */
export class HandshakeRefused extends ConnectionClosed {
  constructor(report, refused, options) {
    super(report, options);
    this.name = "HandshakeRefused";
    this.refused = refused;
  }
}

// ── a connection over a socket

/** Moves bytes, events and the time between a socket and a connection. */
class Driver {
  opened = null;
  request = null;
  refused = null;
  report = null;
  latency = null;
  #ws;
  #socket;
  #ask;
  #error = null;
  #writing = false;
  #ending = false;
  #discarding = false;
  #flushing = false;
  #timer = null;
  #due = Infinity;
  #linger = null;
  #messages = [];
  #length = 0;
  #waiting = [];
  #pings = [];
  #pingsSent = 0;

  /** `ask` answers a request. */
  constructor(ws, socket, ask = null) {
    this.#ws = ws;
    this.#socket = socket;
    this.#ask = ask;
    socket.on("data", (bytes) => this.#told(() => ws.receive(bytes)));
    socket.on("end", () => this.#told(() => (ws.receiveEof(), ws.receive())));
    // What follows it is `close`.
    socket.on("error", (error) => (this.#error = error));
    socket.on("close", () => this.#lost());
    this.#told(() => ws.receive());
  }

  get socket() {
    return this.#socket;
  }

  get state() {
    return this.report === null ? this.#ws.state : "closed";
  }

  get bufferedAmount() {
    return this.report === null ? this.#ws.bufferedAmount : 0;
  }

  get error() {
    return this.#error;
  }

  // ── what the application calls

  async receive() {
    while (this.#messages.length === 0) {
      if (this.report !== null) {
        return null;
      }
      await this.#change();
    }
    const message = this.#messages.shift();
    this.#length -= message.length;
    if (this.#hasRoom() && this.#socket.isPaused()) {
      this.#socket.resume();
    }
    return message;
  }

  async send(data, options) {
    for (;;) {
      if (this.report !== null) {
        throw this.#closed();
      }
      try {
        this.#ws.send(data, options);
        this.#flushSoon();
        return;
      } catch (error) {
        if (error.word === "closing") {
          await this.closed();
          throw this.#closed();
        }
        // With an empty queue there is nothing to wait for: it is too long for the limits.
        const waits = (error.word === "full" || error.word === "memory_full") && this.#ws.outputLength > 0;
        if (!waits) {
          throw error;
        }
      }
      this.#settle([]);
      await this.#change();
    }
  }

  async ping() {
    if (this.report !== null) {
      throw this.#closed();
    }
    this.#pingsSent += 1;
    const payload = `${this.#pingsSent}`;
    this.#ws.ping(payload);
    const answered = new Promise((resolve, reject) => {
      this.#pings.push({ payload, at: performance.now(), resolve, reject });
    });
    this.#settle([]);
    return answered;
  }

  async close(code, reason) {
    if (this.report === null) {
      this.#ws.close(code, reason);
      this.#discarding = true;
      this.#messages = [];
      this.#length = 0;
      this.#socket.resume();
      this.#told(() => this.#ws.receive());
    }
    return this.closed();
  }

  async closed() {
    while (this.report === null) {
      await this.#change();
    }
    return this.report;
  }

  /** Until it is open, or will not be. */
  async open() {
    while (this.opened === null) {
      if (this.report !== null) {
        // Where the network failed nobody has refused.
        throw (this.refused === null && this.#error) || new HandshakeRefused(this.report, this.refused, this.#cause());
      }
      await this.#change();
    }
  }

  /** Accepts the request, or answers it over HTTP. */
  answer(answer = {}) {
    if (this.report !== null) {
      return;
    }
    this.#told(() => {
      const { status, ...rest } = answer;
      if (status === undefined) {
        this.#ws.accept(rest);
      } else {
        this.#ws.respond(status, rest);
      }
      return this.#ws.receive();
    });
  }

  #cause() {
    return this.#error === null ? undefined : { cause: this.#error };
  }

  #closed() {
    return new ConnectionClosed(this.report, this.#cause());
  }

  #change() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  // ── what happened

  /** Tells the time, lets something be done, and does what comes of it. */
  #told(act) {
    if (this.#gone()) {
      return;
    }
    this.#ws.advanceTime(performance.now());
    this.#settle(act());
  }

  /** After the last event and the last byte: the connection's memory is given back. */
  #gone() {
    return this.#ws === null;
  }

  #settle(events) {
    while (events.length > 0) {
      for (const event of events) {
        this.#handle(event);
      }
      // What an answer to a request has brought.
      events = events.at(-1).type === "request" ? this.#ws.receive() : [];
    }
    this.#flush();
    this.#follow();
    this.#arm();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) {
      resolve();
    }
  }

  #handle(event) {
    switch (event.type) {
      case "message":
        this.#message(event.data);
        break;
      case "pong":
        this.latency = event.roundTrip ?? this.latency;
        this.#answered(Buffer.from(event.payload).toString());
        break;
      case "open":
        this.opened = event;
        break;
      case "request":
        this.request = event;
        this.#ask(this);
        break;
      case "refused":
        this.refused = event;
        break;
      case "closed":
        this.report = event;
        for (const ping of this.#pings) {
          ping.reject(this.#closed());
        }
        this.#pings = [];
        break;
      default:
    }
  }

  #message(data) {
    if (this.#discarding) {
      return;
    }
    this.#messages.push(data);
    this.#length += data.length;
    if (!this.#hasRoom()) {
      this.#socket.pause();
    }
  }

  #hasRoom() {
    return this.#messages.length < MOST_MESSAGES && this.#length < MOST_LENGTH;
  }

  // A pong answers all pings up to the one with its payload (RFC 6455 §5.5.3).
  #answered(payload) {
    const last = this.#pings.findIndex((ping) => ping.payload === payload);
    for (const ping of this.#pings.splice(0, last + 1)) {
      ping.resolve(performance.now() - ping.at);
    }
  }

  #lost() {
    this.#told(() => (this.#ws.transportLost(), this.#ws.receive()));
    clearTimeout(this.#timer);
    clearTimeout(this.#linger);
    this.#ws.free();
    this.#ws = null;
  }

  // ── bytes and time

  // Messages that are sent in one turn go out in one write.
  #flushSoon() {
    if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => {
        this.#flushing = false;
        if (!this.#gone()) {
          this.#settle([]);
        }
      });
    }
  }

  // One write at a time, which counts as written when the system has it: the queue is the connection's alone.
  #flush() {
    if (this.#writing || this.#socket.destroyed || this.#socket.writableEnded || this.#ws.outputLength === 0) {
      return;
    }
    const bytes = this.#ws.output();
    this.#writing = true;
    this.#socket.write(bytes, (error) => {
      this.#writing = false;
      this.#told(() => {
        if (error) {
          this.#ws.writeLost();
        } else {
          this.#ws.consumeOutput(bytes.length);
        }
        return this.#ws.receive();
      });
    });
  }

  // Does with the socket what the connection says.
  #follow() {
    if (this.#writing || this.#ws.outputLength > 0 || this.#socket.destroyed) {
      return;
    }
    const transport = this.#ws.transport;
    if (transport !== "keep-open" && this.#socket.isPaused()) {
      this.#socket.resume(); // up to the peer's end
    }
    if (transport === "shutdown-write" && !this.#ending) {
      this.#ending = true;
      this.#socket.end();
    }
    if (transport === "close" && this.#linger === null) {
      this.#socket.destroySoon();
      this.#linger = setTimeout(() => this.#socket.destroy(), LINGER);
    }
  }

  // One timer, made anew only when it has to ring earlier.
  #arm() {
    const due = this.#ws.nextDeadline ?? Infinity;
    if (due >= this.#due || this.#socket.destroyed) {
      return;
    }
    clearTimeout(this.#timer);
    this.#due = due;
    const wait = Math.ceil(due - performance.now());
    this.#timer = setTimeout(() => this.#ring(), Math.min(Math.max(wait, 1), LONGEST));
  }

  #ring() {
    this.#due = Infinity;
    // What has arrived in time counts, also where nobody reads: one look at it.
    if (this.#socket.isPaused()) {
      this.#socket.resume();
      setImmediate(() => {
        if (!this.#gone() && !this.#hasRoom()) {
          this.#socket.pause();
        }
      });
    }
    this.#told(() => this.#ws.receive());
  }
}

/** An open connection. */
export class WebSocket {
  #driver;

  constructor(driver) {
    this.#driver = driver;
  }

  receive() {
    return this.#driver.receive();
  }

  async *[Symbol.asyncIterator]() {
    for (let message; (message = await this.#driver.receive()) !== null; ) {
      yield message;
    }
  }

  send(data, options) {
    return this.#driver.send(data, options);
  }

  ping() {
    return this.#driver.ping();
  }

  close(code = 1000, reason = "") {
    return this.#driver.close(code, reason);
  }

  get closed() {
    return this.#driver.closed();
  }

  get report() {
    return this.#driver.report;
  }

  get request() {
    return this.#driver.request;
  }

  get response() {
    return this.#driver.request === null ? this.#driver.opened : null;
  }

  get subprotocol() {
    return this.#driver.opened.subprotocol;
  }

  get extensions() {
    return this.#driver.opened.extensions;
  }

  get state() {
    return this.#driver.state;
  }

  get latency() {
    return this.#driver.latency;
  }

  get bufferedAmount() {
    return this.#driver.bufferedAmount;
  }

  get socket() {
    return this.#driver.socket;
  }
}

// ── clients

/** Connects to a ws or wss URI. */
export async function connect(uri, options = {}) {
  const { tls: secure, net: plain, socket: given, signal, core: own, timeouts, ...rest } = options;
  signal?.throwIfAborted();
  const made = own ?? core({ deflate: Boolean(rest.deflate) });
  const ws = made.client(uri, { timeouts: { ping: 20_000, ...timeouts }, ...rest });
  const driver = new Driver(ws, given ?? dial(new URL(uri), secure, plain));
  const abort = () => driver.socket.destroy(signal.reason);
  signal?.addEventListener("abort", abort);
  try {
    await driver.open();
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  return new WebSocket(driver);
}

function dial(url, secure, plain) {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const place = { host, noDelay: true, ...plain };
  if (url.protocol === "ws:") {
    return net.connect({ port: Number(url.port || 80), allowHalfOpen: true, ...place });
  }
  const servername = net.isIP(host) ? undefined : host;
  return tls.connect({ port: Number(url.port || 443), servername, ALPNProtocols: ["http/1.1"], ...place, ...secure });
}

// ── servers

/** A server: what `serve` gives. */
export class WebSocketServer {
  #listener;
  #settings;
  #handler;
  #options;
  #drivers = new Set();
  #closing = null;

  constructor(listener, settings, options, handler) {
    this.#listener = listener;
    this.#settings = settings;
    this.#options = options;
    this.#handler = handler;
    listener.on(listener instanceof tls.Server ? "secureConnection" : "connection", (socket) => this.#take(socket));
  }

  get address() {
    return this.#listener.address();
  }

  get port() {
    return this.#listener.address()?.port ?? null;
  }

  get connections() {
    return this.#drivers.size;
  }

  #take(socket) {
    const driver = new Driver(this.#settings.connection(), socket, (asked) => this.#asked(asked));
    this.#drivers.add(driver);
    this.#serve(driver).catch((error) => this.#report(error)).finally(() => this.#drivers.delete(driver));
  }

  async #serve(driver) {
    try {
      await driver.open();
    } catch {
      return; // a request that was refused, or none
    }
    if (this.#closing !== null) {
      driver.close(1001, "").catch((error) => this.#report(error));
    }
    const ws = new WebSocket(driver);
    try {
      await this.#handler(ws);
      await driver.close(1000, "");
    } catch (error) {
      // Whoever sends to a peer that has left has made no mistake.
      if (!(error instanceof ConnectionClosed)) {
        this.#report(error);
      }
      await driver.close(1011, "");
    }
  }

  #asked(driver) {
    const { onRequest, subprotocols } = this.#options;
    const standard = { prefer: subprotocols };
    if (!onRequest) {
      driver.answer(standard);
      return;
    }
    Promise.resolve(driver.request)
      .then(onRequest)
      .then((answer) => driver.answer({ ...(answer?.status === undefined ? standard : {}), ...answer }))
      .catch((error) => {
        this.#report(error);
        driver.answer({ status: 500 });
      });
  }

  #report(error) {
    if (this.#options.onError) {
      this.#options.onError(error);
    } else {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  /** Takes no more connections, and closes those that there are. */
  close(code = 1001, reason = "") {
    this.#closing ??= new Promise((resolve) => {
      this.#listener.close(() => {
        this.#settings.free();
        resolve();
      });
      for (const driver of this.#drivers) {
        if (driver.opened === null) {
          driver.socket.destroy();
        } else {
          driver.close(code, reason).catch((error) => this.#report(error));
        }
      }
    });
    return this.#closing;
  }
}

/** Serves WebSockets: each connection is given to `handler`, and closed after it. */
export async function serve(options, handler) {
  const { port, host, path, backlog, tls: secure, onRequest, onError, subprotocols, core: own, timeouts, ...rest } = options;
  const made = own ?? core({ deflate: Boolean(rest.deflate) });
  const settings = made.server({ timeouts: { ping: 20_000, ...timeouts }, ...rest });
  // TLS is not half-closed: who leaves within its handshake would stay.
  const secured = { ALPNProtocols: ["http/1.1"], handshakeTimeout: 10_000, noDelay: true, ...secure };
  const listener = secure ? tls.createServer(secured) : net.createServer({ allowHalfOpen: true, noDelay: true });
  const server = new WebSocketServer(listener, settings, { onRequest, onError, subprotocols }, handler);
  await new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(path === undefined ? { port, host, backlog } : { path, backlog }, () => {
      listener.off("error", reject);
      // Running out of descriptors ends nothing: who has come waits.
      listener.on("error", (error) => (onError ? onError(error) : process.emitWarning(error)));
      resolve();
    });
  });
  return server;
}
