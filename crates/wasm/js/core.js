// The WebSocket core over its plain exports: bytes in, events and bytes out. README.md tells how to use it, core.d.ts what
// each thing is for.
import * as numbers from "./numbers.js";

// One block that every call's bytes go through, and what a call tells after it.
const SCRATCH = 64 << 10;
const TOLD = 40;
const PIECES = 64;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A call that was refused and changed nothing. */
export class SansocketError extends Error {
  constructor(code, word, sentence, options) {
    super(sentence, options);
    this.name = "SansocketError";
    this.code = code;
    this.word = word;
  }
}

/** Compiles the core, and makes one. */
export async function load(source = new URL("../dist/sansocket.wasm", import.meta.url)) {
  if (source instanceof WebAssembly.Module) {
    return new Core(source);
  }
  return new Core(await WebAssembly.compile(await bytesOf(await source)));
}

async function bytesOf(source) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return source;
  }
  if (!(typeof Response === "function" && source instanceof Response)) {
    const url = new URL(source, globalThis.location?.href ?? import.meta.url);
    if (url.protocol === "file:" && globalThis.process?.versions?.node) {
      const { readFile } = await import("node:fs/promises");
      return readFile(url);
    }
    source = await fetch(url);
  }
  if (!source.ok) {
    throw new Error(`${source.url}: ${source.status} ${source.statusText}`);
  }
  return source.arrayBuffer();
}

/** The instantiated core: it makes connections. */
export class Core {
  #memory;
  #calls;
  #scratch;
  #told;
  #view;
  #sources = new Map();
  #lastSource = 0;
  #asking = false;
  #noEntropy = null;
  #random = new Uint8Array(4096);
  #drawn = 4096;
  // What was forgotten without `free` is freed some time after.
  #forgotten = new FinalizationRegistry((free) => free());

  constructor(module) {
    const imports = { sansocket: { entropy: (source, at, length) => this.#entropy(source, at, length) } };
    const calls = new WebAssembly.Instance(module, imports).exports;
    this.#memory = calls.memory;
    this.#calls = calls;
    this.#scratch = calls.ws_alloc(SCRATCH);
    this.#told = calls.ws_alloc(TOLD + 8);
    this.#told += -this.#told & 7;
    this.#view = new DataView(this.#memory.buffer);
  }

  get compresses() {
    return this.#calls.ws_compresses() === 1;
  }

  get memory() {
    return this.#memory.buffer.byteLength;
  }

  server(settings = {}) {
    const list = new List().settings(settings, SERVER_SETTINGS);
    return new Server(this.#inside, this.#made("ws_server_settings", list));
  }

  client(uri, options = {}) {
    const { subprotocols, headers, origin, entropy, ...settings } = options;
    const list = new List().settings(settings, CLIENT_SETTINGS).text("URI", uri);
    list.texts("SUBPROTOCOL", subprotocols).fields(headers).text("OWN_ORIGIN", origin);
    return this.#connection("ws_client_new", list, entropy);
  }

  upgradedClient(options = {}) {
    const { subprotocol, extensions, entropy, ...settings } = options;
    const list = new List().settings(settings, CLIENT_SETTINGS);
    list.text("SUBPROTOCOL", subprotocol).text("EXTENSIONS", extensions);
    return this.#connection("ws_client_upgraded", list, entropy);
  }

  #connection(call, list, entropy) {
    const source = this.#source(entropy);
    try {
      const handle = this.#made(call, list, source);
      return new Connection(this.#inside, handle, source);
    } catch (error) {
      this.#sources.delete(source);
      throw error;
    }
  }

  #made(call, list, ...more) {
    return this.#with(list.bytes(), (at, length) => {
      const handle = this.#call(call, at, length, ...more, this.#told);
      if (handle === 0) {
        throw this.#refusal();
      }
      return handle;
    });
  }

  // ── what connections use of it

  #inside = {
    call: (name, ...values) => this.#call(name, ...values),
    done: (status) => this.#done(status),
    with: (bytes, use) => this.#with(bytes, use),
    told: () => this.#told,
    read: (decode) => this.#read(decode),
    bytes: () => this.#bytes(),
    pieces: (list) => this.#pieces(list),
    number: (offset) => this.#seen().getUint32(this.#told + offset, true),
    time: () => this.#seen().getFloat64(this.#told, true),
    name: () => decoder.decode(this.#at(32)),
    upgrade: (settings, list) => this.#upgraded(settings, list),
    watch: (owner, free) => this.#forgotten.register(owner, free, owner),
    forget: (owner) => this.#forgotten.unregister(owner),
    drop: (source) => this.#sources.delete(source),
  };

  #upgraded(settings, list) {
    return this.#with(list.bytes(), (at, length) => {
      const handle = this.#call("ws_server_upgraded", settings, at, length, this.#told);
      if (handle === 0) {
        throw this.#refusal();
      }
      return handle;
    });
  }

  #call(name, ...values) {
    if (this.#asking) {
      throw new Error("a source of randomness may not call the core");
    }
    return this.#calls[name](...values);
  }

  #done(status) {
    if (status !== 0) {
      throw this.#refusal();
    }
  }

  #refusal() {
    const at = this.#seen().getUint32(this.#told + 24, true);
    const length = this.#view.getUint32(this.#told + 28, true);
    const [code, name, sentence] = [this.#inside.number(20), this.#inside.name(), decoder.decode(this.#at(24))];
    this.#call("ws_dealloc", at, length);
    const options = this.#noEntropy === null ? undefined : { cause: this.#noEntropy };
    this.#noEntropy = null;
    return new SansocketError(code, name, sentence, options);
  }

  // Memory that has grown is another buffer.
  #seen() {
    if (this.#view.buffer !== this.#memory.buffer) {
      this.#view = new DataView(this.#memory.buffer);
    }
    return this.#view;
  }

  #at(offset) {
    const view = this.#seen();
    const [at, length] = [view.getUint32(this.#told + offset, true), view.getUint32(this.#told + offset + 4, true)];
    return new Uint8Array(view.buffer, at, length);
  }

  #bytes() {
    return this.#at(24).slice();
  }

  /** The bytes of a list of pieces, which is made in the scratch block. */
  #pieces(list) {
    const count = list(this.#scratch, PIECES);
    const view = this.#seen();
    const pieces = [];
    for (let at = this.#scratch; at < this.#scratch + count * 8; at += 8) {
      pieces.push(new Uint8Array(view.buffer, view.getUint32(at, true), view.getUint32(at + 4, true)));
    }
    return joined(pieces);
  }

  #read(decode) {
    return decode(this.#at(24));
  }

  /** Lends bytes to a call. A string goes over as UTF-8, with U+FFFD for a surrogate that stands alone. */
  #with(bytes, use) {
    if (typeof bytes === "string") {
      if (bytes.length * 3 <= SCRATCH) {
        const place = new Uint8Array(this.#memory.buffer, this.#scratch, SCRATCH);
        return use(this.#scratch, encoder.encodeInto(bytes, place).written);
      }
      bytes = encoder.encode(bytes);
    }
    if (bytes.length <= SCRATCH) {
      new Uint8Array(this.#memory.buffer).set(bytes, this.#scratch);
      return use(this.#scratch, bytes.length);
    }
    const at = this.#call("ws_alloc", bytes.length);
    try {
      new Uint8Array(this.#memory.buffer).set(bytes, at);
      return use(at, bytes.length);
    } finally {
      this.#call("ws_dealloc", at, bytes.length);
    }
  }

  // ── randomness

  #source(entropy) {
    if (entropy === undefined) {
      return 0;
    }
    this.#lastSource += 1;
    this.#sources.set(this.#lastSource, entropy);
    return this.#lastSource;
  }

  #entropy(source, at, length) {
    const out = new Uint8Array(this.#memory.buffer, at, length);
    if (source === 0) {
      return this.#draw(out);
    }
    this.#asking = true;
    try {
      const bytes = new Uint8Array(length);
      this.#sources.get(source)(bytes);
      out.set(bytes);
      return 1;
    } catch (error) {
      this.#noEntropy = error;
      return 0;
    } finally {
      this.#asking = false;
    }
  }

  // Masking keys are small, and asking the system is not.
  #draw(out) {
    try {
      if (out.length > this.#random.length) {
        crypto.getRandomValues(out);
        return 1;
      }
      if (this.#drawn + out.length > this.#random.length) {
        crypto.getRandomValues(this.#random);
        this.#drawn = 0;
      }
      const bytes = this.#random.subarray(this.#drawn, this.#drawn + out.length);
      this.#drawn += out.length;
      out.set(bytes);
      bytes.fill(0);
      return 1;
    } catch (error) {
      this.#noEntropy = error;
      return 0;
    }
  }
}

// ── settings

const SWITCHES = {
  manualPong: "MANUAL_PONG",
  manualClose: "MANUAL_CLOSE",
  silentFailures: "SILENT_FAILURES",
  echoCloseReason: "ECHO_CLOSE_REASON",
  serveHttp: "SERVE_HTTP",
  acceptUnmasked: "ACCEPT_UNMASKED",
  requireOrigin: "REQUIRE_ORIGIN",
  requireSubprotocol: "REQUIRE_SUBPROTOCOL",
};
const LIMITS = {
  head: "MAX_HEAD",
  fields: "MAX_FIELDS",
  frame: "MAX_FRAME",
  message: "MAX_MESSAGE",
  fragments: "MAX_FRAGMENTS",
  output: "MAX_OUTPUT",
  held: "MAX_HELD",
  body: "MAX_BODY",
  memory: "MAX_MEMORY",
};
const TIMEOUTS = {
  handshake: "HANDSHAKE_TIMEOUT",
  close: "CLOSE_TIMEOUT",
  ping: "PING_INTERVAL",
  pong: "PONG_TIMEOUT",
  idle: "IDLE_TIMEOUT",
  message: "MESSAGE_TIMEOUT",
};
const WINDOWS = {
  level: "DEFLATE_LEVEL",
  serverMaxWindowBits: "SERVER_MAX_WINDOW_BITS",
  clientMaxWindowBits: "CLIENT_MAX_WINDOW_BITS",
};
const TAKEOVERS = {
  serverNoContextTakeover: "SERVER_NO_CONTEXT_TAKEOVER",
  clientNoContextTakeover: "CLIENT_NO_CONTEXT_TAKEOVER",
};
const BOTH = ["preset", "limits", "timeouts", "delivery", "fragment", "deflate"];
const BOTH_SWITCHES = ["manualPong", "manualClose", "silentFailures", "echoCloseReason"];
const SERVER_SETTINGS = [...BOTH, ...BOTH_SWITCHES, "origins", "hosts", "serveHttp", "acceptUnmasked", "requireOrigin"];
const CLIENT_SETTINGS = [...BOTH, ...BOTH_SWITCHES, "requireSubprotocol"];

/** The number of a word, such as "chunks" or "same-host". */
function numberOf(table, word, what) {
  const number = numbers[table][String(word).toUpperCase().replaceAll("-", "_")];
  if (number === undefined) {
    const words = Object.keys(numbers[table]).map((name) => `"${name.toLowerCase().replaceAll("_", "-")}"`);
    throw new TypeError(`${what} ${JSON.stringify(word)}: there are ${words.join(", ")}`);
  }
  return number;
}

/** What is given by names, of which others would be mistakes. */
function named(given, names, what) {
  const found = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name] of found) {
    if (!names.includes(name)) {
      throw new TypeError(`no ${what} ${JSON.stringify(name)}: there are ${names.join(", ")}`);
    }
  }
  return found;
}

/** A list of entries: each is its number, its length and so many bytes. */
class List {
  #entries = [];
  #length = 0;

  bytes() {
    const bytes = new Uint8Array(this.#length);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const [what, value] of this.#entries) {
      view.setUint32(at, what, true);
      view.setUint32(at + 4, value.length, true);
      bytes.set(value, at + 8);
      at += 8 + value.length;
    }
    return bytes;
  }

  #push(what, value) {
    this.#entries.push([numbers.entry[what], value]);
    this.#length += 8 + value.length;
    return this;
  }

  number(what, value) {
    if (typeof value !== "number") {
      throw new TypeError(`${what.toLowerCase()} is a number, not ${typeof value}`);
    }
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.#push(what, bytes);
  }

  text(what, text) {
    return text === undefined || text === null ? this : this.#push(what, encoder.encode(text));
  }

  texts(what, list = []) {
    for (const text of list) {
      this.text(what, text);
    }
    return this;
  }

  switch(what, on) {
    return on ? this.#push(what, new Uint8Array(0)) : this;
  }

  /** Header fields: pairs, or an object of them. */
  fields(headers = []) {
    const pairs = typeof headers[Symbol.iterator] === "function" ? headers : Object.entries(headers);
    for (const [name, value] of pairs) {
      this.text("FIELD_NAME", name);
      this.#push("FIELD_VALUE", value instanceof Uint8Array ? value : octets(String(value)));
    }
    return this;
  }

  settings(settings, names) {
    let flags = 0;
    // The preset comes first, as it sets all limits.
    this.number("PRESET", numberOf("preset", settings.preset ?? (names === CLIENT_SETTINGS ? "client" : "server"), "preset"));
    for (const [name, value] of named(settings, names, "setting")) {
      if (name in SWITCHES) {
        flags |= value ? numbers.flag[SWITCHES[name]] : 0;
      } else if (name === "deflate") {
        flags |= this.#deflate(value);
      } else if (name !== "preset") {
        this.#setting(name, value);
      }
    }
    return this.number("FLAGS", flags);
  }

  #setting(name, value) {
    switch (name) {
      case "limits":
        return this.#limits(value);
      case "timeouts":
        return this.#numbers(value, TIMEOUTS, "timeout");
      case "delivery":
        return this.number("DELIVERY", numberOf("delivery", value, "delivery"));
      case "fragment":
        return this.number("FRAGMENT", value);
      case "hosts":
        return this.texts("HOST", value);
      default: // "origins"
        if (typeof value === "string") {
          return this.number("ORIGIN_POLICY", numberOf("origins", value, "origins"));
        }
        return this.number("ORIGIN_POLICY", numbers.origins.LIST).texts("ORIGIN", value);
    }
  }

  #limits({ budgets, ...limits }) {
    this.#numbers(limits, LIMITS, "limit");
    if (budgets !== undefined) {
      this.number("BUDGETS", numberOf("budgets", budgets, "budgets"));
    }
  }

  #deflate(wanted) {
    if (wanted === false || wanted === null) {
      return 0;
    }
    const { level, serverMaxWindowBits, clientMaxWindowBits, ...takeovers } = wanted === true ? {} : wanted;
    this.#numbers({ level, serverMaxWindowBits, clientMaxWindowBits }, WINDOWS, "setting of deflate");
    let flags = numbers.flag.DEFLATE;
    for (const [name, value] of named(takeovers, Object.keys(TAKEOVERS), "setting of deflate")) {
      flags |= value ? numbers.flag[TAKEOVERS[name]] : 0;
    }
    return flags;
  }

  // Null is without bound.
  #numbers(given, names, what) {
    for (const [name, value] of named(given, Object.keys(names), what)) {
      this.number(names[name], value ?? Infinity);
    }
    return this;
  }
}

function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

// Header fields are octets; as text each of them is a character of Latin-1.
function octets(text) {
  const bytes = Uint8Array.from(text, (character) => character.codePointAt(0));
  if (bytes.length !== text.length || !bytes.every((byte, at) => byte === text.charCodeAt(at))) {
    throw new TypeError("a header field's value with characters above U+00FF: give its bytes");
  }
  return bytes;
}

const latin1 = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
const utf8 = (bytes) => decoder.decode(bytes);

function fieldsOf(list) {
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  const fields = [];
  for (let at = 0; at < list.length; ) {
    const pair = [];
    for (const decode of [utf8, latin1]) {
      const length = view.getUint32(at + 4, true);
      pair.push(decode(list.subarray(at + 8, at + 8 + length)));
      at += 8 + length;
    }
    fields.push(Object.freeze(pair));
  }
  return Object.freeze(fields);
}

// ── what is made

/** Settings that all connections of a server share. */
export class Server {
  #core;
  #handle;

  constructor(core, handle) {
    this.#core = core;
    this.#handle = handle;
    core.watch(this, () => core.call("ws_server_settings_free", handle));
  }

  #live() {
    if (this.#handle === 0) {
      throw new Error("these settings were freed");
    }
    return this.#handle;
  }

  connection() {
    return new Connection(this.#core, this.#core.call("ws_server_new", this.#live()));
  }

  upgraded({ subprotocol, extensions } = {}) {
    const list = new List().text("SUBPROTOCOL", subprotocol).text("EXTENSIONS", extensions);
    return new Connection(this.#core, this.#core.upgrade(this.#live(), list));
  }

  free() {
    if (this.#handle !== 0) {
      this.#core.forget(this);
      this.#core.call("ws_server_settings_free", this.#handle);
      this.#handle = 0;
    }
  }
}

const bytesIn = (data) => {
  if (data instanceof Uint8Array) {
    return data;
  }
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  if (data instanceof ArrayBuffer || (typeof SharedArrayBuffer === "function" && data instanceof SharedArrayBuffer)) {
    return new Uint8Array(data);
  }
  throw new TypeError("bytes are an ArrayBuffer or a view of one");
};
const EMPTY = new Uint8Array(0);
const STATES = ["initial", "connecting", "open", "closing", "closed"];
const TRANSPORTS = ["keep-open", "shutdown-write", "await-peer-end", "close"];

/** A head: of a request, a refusal, or the answer that opened the connection. */
class Head {
  constructor(fields) {
    Object.freeze(Object.assign(this, fields));
  }

  header(name) {
    const wanted = name.toLowerCase();
    return this.headers.find(([found]) => found.toLowerCase() === wanted)?.[1] ?? null;
  }
}

/** One end of a WebSocket connection, without IO. */
export class Connection {
  #core;
  #handle;
  #source;

  constructor(core, handle, source = 0) {
    this.#core = core;
    this.#handle = handle;
    this.#source = source;
    core.watch(this, () => {
      core.call("ws_free", handle);
      core.drop(source);
    });
  }

  free() {
    if (this.#handle !== 0) {
      this.#core.forget(this);
      this.#core.call("ws_free", this.#handle);
      this.#core.drop(this.#source);
      this.#handle = 0;
    }
  }

  #call(name, ...values) {
    if (this.#handle === 0) {
      throw new Error("this connection was freed");
    }
    return this.#core.call(name, this.#handle, ...values);
  }

  /** A call that may be refused. */
  #did(name, ...values) {
    this.#core.done(this.#call(name, ...values, this.#core.told()));
  }

  /** The same with bytes. */
  #give(name, data, before = [], after = []) {
    const bytes = typeof data === "string" ? data : bytesIn(data);
    this.#core.with(bytes, (at, length) => this.#did(name, ...before, at, length, ...after));
  }

  // ── in

  receive(data = EMPTY) {
    const events = [];
    const bytes = bytesIn(data);
    let from = 0;
    do {
      const piece = bytes.subarray(from, from + SCRATCH);
      this.#core.with(piece, (at, length) => {
        for (let used = 0; ; ) {
          used += this.#call("ws_receive", at + used, length - used, this.#core.told());
          if (this.#core.number(8) === numbers.event.NONE) {
            return;
          }
          events.push(this.#event());
        }
      });
      from += SCRATCH;
    } while (from < bytes.length);
    return events;
  }

  nextEvent(data = EMPTY) {
    const bytes = bytesIn(data);
    return this.#core.with(bytes, (at, length) => {
      const used = this.#call("ws_receive", at, length, this.#core.told());
      if (this.#core.number(8) === numbers.event.NONE) {
        return null;
      }
      const event = this.#event();
      if (used < length) {
        this.#call("ws_keep_input", at + used, length - used);
      }
      return event;
    });
  }

  receiveEof() {
    this.#call("ws_tell", numbers.tell.EOF);
  }

  writeLost() {
    this.#call("ws_tell", numbers.tell.WRITE_LOST);
  }

  transportLost() {
    this.#call("ws_tell", numbers.tell.TRANSPORT_LOST);
  }

  tlsFailed() {
    this.#call("ws_tell", numbers.tell.TLS_FAILED);
  }

  streamMessage() {
    this.#call("ws_tell", numbers.tell.STREAM_MESSAGE);
  }

  #event() {
    const core = this.#core;
    const marks = core.number(16);
    const has = (mark) => (marks & numbers.mark[mark]) !== 0;
    const kind = core.number(12) === numbers.kind.TEXT ? "text" : "binary";
    const code = core.number(20);
    switch (core.number(8)) {
      case numbers.event.REQUEST:
        return this.#request(true);
      case numbers.event.HTTP:
        return this.#request(false);
      case numbers.event.REFUSED: {
        const refused = { type: "refused", status: code, body: core.bytes() };
        return this.#head({ ...refused, truncated: has("TRUNCATED"), reusable: has("REUSABLE") });
      }
      case numbers.event.OPEN:
        return this.#head({ type: "open", subprotocol: this.subprotocol, extensions: this.extensions });
      case numbers.event.START: {
        const [length, last] = [core.time(), has("LAST")];
        return Object.freeze({ type: "start", kind, frameLength: length, last, compressed: has("COMPRESSED") });
      }
      case numbers.event.MESSAGE:
        return Object.freeze({ type: "message", kind, data: kind === "text" ? core.read(utf8) : core.bytes() });
      case numbers.event.CHUNK: {
        const chunk = { type: "chunk", kind, data: core.bytes(), first: has("FIRST"), last: has("LAST") };
        return Object.freeze({ ...chunk, endsFrame: has("ENDS_FRAME") });
      }
      case numbers.event.PING:
        return Object.freeze({ type: "ping", payload: core.bytes() });
      case numbers.event.PONG: {
        const time = core.time();
        return Object.freeze({ type: "pong", payload: core.bytes(), roundTrip: time === Infinity ? null : time });
      }
      case numbers.event.CLOSE:
        return Object.freeze({ type: "close", code: code || null, reason: core.read(utf8) });
      case numbers.event.FAILED: {
        const failed = { type: "failed", code: core.time(), word: core.name(), closeCode: code || null };
        return Object.freeze({ ...failed, text: core.read(utf8) });
      }
      case numbers.event.CLOSED: {
        const [answered, text] = [core.time() || null, core.read(utf8)];
        const sides = [has("BEGUN_BY_US"), has("BEGUN_BY_PEER")];
        const began = sides[0] && sides[1] ? "both" : sides[0] ? "us" : sides[1] ? "peer" : null;
        const frames = { sent: this.closeSent, received: this.closeReceived };
        return Object.freeze({ type: "closed", code, clean: has("CLEAN"), began, answered, ...frames, text });
      }
      default:
        return Object.freeze({ type: "other" });
    }
  }

  #part(what, decode = utf8) {
    this.#call("ws_part", what, this.#core.told());
    return this.#core.number(24) === 0 ? null : this.#core.read(decode);
  }

  #request(upgrade) {
    const part = numbers.part;
    const request = { type: "request", upgrade, method: this.#part(part.METHOD), target: this.#part(part.TARGET) };
    const target = { path: this.#part(part.PATH), query: this.#part(part.QUERY) };
    const who = { authority: this.#part(part.AUTHORITY), origin: this.#part(part.ORIGIN) };
    const offered = this.#part(part.OFFERED);
    const subprotocols = Object.freeze(offered ? offered.split(",") : []);
    return this.#head({ ...request, ...target, ...who, subprotocols });
  }

  #head(fields) {
    this.#call("ws_headers", this.#core.told());
    return new Head({ ...fields, headers: this.#core.read(fieldsOf) });
  }

  // ── out

  output() {
    return this.#core.pieces((at, most) => this.#call("ws_output", at, most));
  }

  consumeOutput(n) {
    this.#call("ws_consume_output", n);
  }

  takeOutput() {
    const taken = [];
    while (this.outputLength > 0) {
      taken.push(this.output());
      this.consumeOutput(taken.at(-1).length);
    }
    return taken.length === 1 ? taken[0] : joined(taken);
  }

  get outputLength() {
    return this.#call("ws_output_len");
  }

  get bufferedAmount() {
    return this.#call("ws_buffered_amount");
  }

  // ── messages

  send(data, { kind, compress = "auto" } = {}) {
    this.#send(data, kind, 0, compress);
  }

  sendPart(data, { last, kind, compress = "auto" }) {
    this.#send(data, kind, last ? 1 : 2, compress);
  }

  #send(data, kind = typeof data === "string" ? "text" : "binary", part, compress) {
    const how = numberOf("compress", compress, "compression");
    this.#give("ws_send", data, [numberOf("kind", kind, "kind")], [part, how]);
  }

  get canSend() {
    return this.#call("ws_can_send") === 0;
  }

  ping(payload = EMPTY) {
    this.#give("ws_ping", payload);
  }

  pong(payload = EMPTY) {
    this.#give("ws_pong", payload);
  }

  // ── the opening handshake

  accept({ subprotocol, prefer, headers, compression = true } = {}) {
    const list = new List().text("SUBPROTOCOL", subprotocol).texts("PREFER", prefer).fields(headers);
    this.#give("ws_accept", list.switch("UNCOMPRESSED", !compression).bytes());
  }

  respond(status, { headers, body = EMPTY } = {}) {
    const list = new List().fields(headers).bytes();
    const content = typeof body === "string" ? encoder.encode(body) : bytesIn(body);
    const both = new Uint8Array(list.length + content.length);
    both.set(list);
    both.set(content, list.length);
    this.#core.with(both, (at) => {
      this.#did("ws_respond", status, at, list.length, at + list.length, content.length);
    });
  }

  // ── the closing handshake

  close(code = 1000, reason = "") {
    this.#give("ws_close", reason, [code ?? 0]);
  }

  fail(code, reason = "") {
    this.#give("ws_fail", reason, [code]);
  }

  get closeSent() {
    return this.#closeFrame(0);
  }

  get closeReceived() {
    return this.#closeFrame(1);
  }

  #closeFrame(received) {
    if (this.#call("ws_close_frame", received, this.#core.told()) === 0) {
      return null;
    }
    return Object.freeze({ code: this.#core.number(20) || null, reason: this.#core.read(utf8) });
  }

  // ── time, and what it is

  advanceTime(now) {
    this.#call("ws_advance_time", now);
  }

  get nextDeadline() {
    const deadline = this.#call("ws_next_deadline");
    return deadline === Infinity ? null : deadline;
  }

  get state() {
    return STATES[this.#call("ws_get_state")];
  }

  get transport() {
    return TRANSPORTS[this.#call("ws_get_transport")];
  }

  get role() {
    return this.#call("ws_is_server") === 1 ? "server" : "client";
  }

  get subprotocol() {
    return this.#part(numbers.part.SUBPROTOCOL);
  }

  get extensions() {
    return this.#part(numbers.part.EXTENSIONS) ?? "";
  }

  get memoryHeld() {
    return this.#call("ws_memory_held");
  }
}

if (Symbol.dispose) {
  for (const type of [Server, Connection]) {
    type.prototype[Symbol.dispose] = type.prototype.free;
  }
}
