/** A call that was refused and changed nothing. `code` and `word` are the same in every version. */
export class SansocketError extends Error {
  readonly code: number;
  readonly word: string;
}

declare global {
  interface SymbolConstructor {
    /** As TypeScript's own library has it, from ES2025 on. */
    readonly dispose: unique symbol;
  }
}

type Bytes = ArrayBufferLike | ArrayBufferView;
type Headers = Iterable<readonly [string, string | Uint8Array]> | Record<string, string | Uint8Array>;
export type Kind = "text" | "binary";
export type Compression = "auto" | "never" | "always" | "alone";

/** Limits on everything that the peer controls, and on queued output. `null` is without bound. */
export interface Limits {
  /** Bytes of the head of the opening handshake. */
  head?: number;
  /** Header fields of one head, 128 at most. */
  fields?: number;
  /** Bytes of payload that a frame may announce. Beyond it: 1009. */
  frame?: number | null;
  /** Bytes of a message, after decompression. Beyond it: 1009. */
  message?: number | null;
  /** Frames of one message. Beyond it: 1008. */
  fragments?: number;
  /** Bytes of queued output from which on `send` is refused with the word "full". */
  output?: number;
  /** Bytes kept after a request that waits for its answer. */
  held?: number;
  /** Bytes of the body of a refusal that a client keeps. */
  body?: number;
  /** Bytes of memory that the connection may take in all. */
  memory?: number | null;
  /** How often pings, empty frames, tiny fragments and messages may come. */
  budgets?: "generous" | "tight" | "none";
}

/** Deadlines in milliseconds, driven by `advanceTime`. `null`: there is no such deadline. */
export interface Timeouts {
  /** From the first `advanceTime` until the connection is open: 10,000. */
  handshake?: number | null;
  /** How long the peer may take for its end of the closing handshake: 5,000. */
  close?: number | null;
  /** A ping is sent when no frame came for this long. */
  ping?: number | null;
  /** How long nothing may come after such a ping: 20,000. */
  pong?: number | null;
  /** How long nothing may be received. */
  idle?: number | null;
  /** How long a message may take from its first byte to its last. */
  message?: number | null;
}

/** Settings of permessage-deflate (RFC 7692). The parameters have the RFC's names. */
export interface Deflate {
  /** From 0 to 9. */
  level?: number;
  serverNoContextTakeover?: boolean;
  clientNoContextTakeover?: boolean;
  /** From 8 to 15. */
  serverMaxWindowBits?: number;
  /** From 8 to 15. */
  clientMaxWindowBits?: number;
}

interface Settings {
  /** Whose limits the others begin with: "server" or "client" by themselves. */
  preset?: "server" | "strict" | "client" | "trusted";
  limits?: Limits;
  timeouts?: Timeouts;
  /** Messages come whole, as chunks while they arrive, or are told at their beginning and then as `streamMessage` says. */
  delivery?: "whole" | "chunks" | "ask";
  /** What is sent is cut into frames of at most so many bytes. */
  fragment?: number;
  /** Compression, in the build that has it. */
  deflate?: boolean | Deflate;
  /** Pongs are left to the application. */
  manualPong?: boolean;
  /** The answer to a Close frame is left to the application. */
  manualClose?: boolean;
  /** The Close frames of failures have no reason. */
  silentFailures?: boolean;
  /** The answer to a Close frame repeats its reason. */
  echoCloseReason?: boolean;
}

export interface ServerSettings extends Settings {
  /** Who may connect: pages of the same host, anybody, or pages of these origins. Clients that are no browsers always may. */
  origins?: "same-host" | "any" | readonly string[];
  /** The only hosts that the server answers to. */
  hosts?: readonly string[];
  /** Requests that ask for no upgrade come as events, too. */
  serveHttp?: boolean;
  /** Frames that are not masked are taken, against RFC 6455 §5.1. */
  acceptUnmasked?: boolean;
  /** A request without an Origin is refused. */
  requireOrigin?: boolean;
}

export interface ClientSettings extends Settings {
  /** An answer without a subprotocol fails the handshake if some were offered. */
  requireSubprotocol?: boolean;
  /** Fills what it is given with random bytes that nobody can predict. Without it: `crypto.getRandomValues`. */
  entropy?: (bytes: Uint8Array) => unknown;
}

export interface ClientOptions extends ClientSettings {
  subprotocols?: readonly string[];
  headers?: Headers;
  origin?: string;
}

/** What was agreed on for a stream that was upgraded elsewhere. */
export interface Agreed {
  subprotocol?: string;
  /** The value of Sec-WebSocket-Extensions in the answer. */
  extensions?: string;
}

// ── events

interface Head {
  /** Names and values in order; a value has a character for each byte. */
  readonly headers: readonly (readonly [string, string])[];
  /** The first value of this name, without regard to case. */
  header(name: string): string | null;
}

/** A request that waits for `accept` or `respond` (RFC 6455 §4.2), or with `serveHttp` a plain one: `upgrade` is false. */
export interface Request extends Head {
  readonly type: "request";
  readonly upgrade: boolean;
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly query: string | null;
  readonly authority: string;
  readonly origin: string | null;
  readonly subprotocols: readonly string[];
}

/** The server refused the handshake with this answer (RFC 6455 §4.1). */
export interface Refused extends Head {
  readonly type: "refused";
  readonly status: number;
  /** The body, as far as it was read. */
  readonly body: Uint8Array;
  readonly truncated: boolean;
  /** The transport can be used for another request. */
  readonly reusable: boolean;
}

/** The connection is open. The headers are those of the answer, for a client. */
export interface Open extends Head {
  readonly type: "open";
  readonly subprotocol: string | null;
  readonly extensions: string;
}

/** The head of a message, with the delivery "ask". */
export interface Start {
  readonly type: "start";
  readonly kind: Kind;
  readonly frameLength: number;
  readonly last: boolean;
  readonly compressed: boolean;
}

export type Message =
  | { readonly type: "message"; readonly kind: "text"; readonly data: string }
  | { readonly type: "message"; readonly kind: "binary"; readonly data: Uint8Array };

/** A part of a message, with the delivery "chunks". Text may end inside a character. */
export interface Chunk {
  readonly type: "chunk";
  readonly kind: Kind;
  readonly data: Uint8Array;
  readonly first: boolean;
  readonly last: boolean;
  /** The frame that it came in ends with it. */
  readonly endsFrame: boolean;
}

/** A Ping. The Pong is queued already, unless `manualPong` is set. */
export interface Ping {
  readonly type: "ping";
  readonly payload: Uint8Array;
}

/** A Pong. `roundTrip` is in milliseconds, if it answers the last ping and the time is told. */
export interface Pong {
  readonly type: "pong";
  readonly payload: Uint8Array;
  readonly roundTrip: number | null;
}

export interface CloseFrame {
  readonly code: number | null;
  readonly reason: string;
}

/** The peer's Close frame. The answer is queued already, unless `manualClose` is set. */
export interface Close extends CloseFrame {
  readonly type: "close";
}

/** The connection was failed. `code` and `word` are the same in every version; `text` is a sentence. */
export interface Failed {
  readonly type: "failed";
  readonly code: number;
  readonly word: string;
  /** The code of our Close frame. */
  readonly closeCode: number | null;
  readonly text: string;
}

/** The connection is closed: the last event. `code` is 1005 for a Close without a code, 1006 without a Close. */
export interface Closed {
  readonly type: "closed";
  readonly code: number;
  readonly clean: boolean;
  /** Who sent the first Close frame. */
  readonly began: "us" | "peer" | "both" | null;
  /** The status, if an HTTP answer was the end. */
  readonly answered: number | null;
  readonly sent: CloseFrame | null;
  readonly received: CloseFrame | null;
  readonly text: string;
}

/** An event that this version cannot tell more about. */
export interface Other {
  readonly type: "other";
}

export type Event = Request | Refused | Open | Start | Message | Chunk | Ping | Pong | Close | Failed | Closed | Other;

// ── connections

export interface AcceptOptions {
  /** One that the client offers. */
  subprotocol?: string;
  /** Subprotocols, most wanted first, of which one that the client offers is chosen. */
  prefer?: readonly string[];
  headers?: Headers;
  /** False: this connection is not compressed, whatever the settings say. */
  compression?: boolean;
}

export interface SendOptions {
  /** With "text", bytes are text in UTF-8. */
  kind?: Kind;
  /** Where compression was agreed on: from a threshold on, not, always, or in a context of its own. */
  compress?: Compression;
}

/**
 * One end of a WebSocket connection, without IO. Give what was read to `receive`, write what `output` has, and close as
 * `transport` says.
 */
export class Connection {
  private constructor();

  /** Takes bytes that were received, and gives all events that they and earlier calls bring. */
  receive(data?: Bytes): Event[];
  /** As `receive`, but gives only the first event. The bytes after it are kept and not looked at before the next call. */
  nextEvent(data?: Bytes): Event | null;
  /** The peer has ended the stream. Call `receive` after it, and after the next three. */
  receiveEof(): void;
  /** Nothing can be written any more; reading goes on. */
  writeLost(): void;
  /** The transport is gone, in both directions. */
  transportLost(): void;
  /** The TLS handshake failed (1015). */
  tlsFailed(): void;
  /** With the delivery "ask": the message that has begun comes in chunks. */
  streamMessage(): void;

  /** A copy of what is to be written: all of it, or of what lies in many pieces the first. */
  output(): Uint8Array<ArrayBuffer>;
  /** So many bytes of the output were written. */
  consumeOutput(n: number): void;
  /** All that is queued, which counts as written. */
  takeOutput(): Uint8Array<ArrayBuffer>;
  /** Bytes that are queued. */
  readonly outputLength: number;
  /** Bytes of messages that are queued, without their frames. */
  readonly bufferedAmount: number;

  /** Queues a message: text for a string, binary for bytes. */
  send(data: string | Bytes, options?: SendOptions): void;
  /** Queues one frame of a message. The kind is that of its first part. */
  sendPart(data: string | Bytes, options: SendOptions & { last: boolean }): void;
  /** A message can be queued now. */
  readonly canSend: boolean;
  /** Queues a Ping, of at most 125 bytes. */
  ping(payload?: string | Bytes): void;
  /** Queues a Pong, of at most 125 bytes. */
  pong(payload?: string | Bytes): void;

  /** Accepts the request. */
  accept(options?: AcceptOptions): void;
  /** Answers the request over HTTP instead, with a page or a refusal. */
  respond(status: number, options?: { headers?: Headers; body?: string | Bytes }): void;

  /** Begins the closing handshake (RFC 6455 §7.1.2). Without a code, `null`, the Close frame is empty. */
  close(code?: number | null, reason?: string): void;
  /** Fails the connection (RFC 6455 §7.1.7): nothing is delivered after it. */
  fail(code: number, reason?: string): void;
  /** Our Close frame, as soon as it is queued. */
  readonly closeSent: CloseFrame | null;
  /** The peer's Close frame. */
  readonly closeReceived: CloseFrame | null;

  /** Tells the time, in milliseconds of a clock that never goes back: `performance.now()`. Call `receive` after it. */
  advanceTime(now: number): void;
  /** When `advanceTime` has to be called next, on the same clock. Null: nothing is waited for. */
  readonly nextDeadline: number | null;
  readonly state: "initial" | "connecting" | "open" | "closing" | "closed";
  /** What to do with the transport once the output was written. */
  readonly transport: "keep-open" | "shutdown-write" | "await-peer-end" | "close";
  readonly role: "server" | "client";
  readonly subprotocol: string | null;
  /** The extensions in use, as the value of Sec-WebSocket-Extensions. */
  readonly extensions: string;
  /** Bytes of memory that the connection holds. */
  readonly memoryHeld: number;

  /** Gives its memory back at once, rather than some time after it was forgotten. */
  free(): void;
  [Symbol.dispose](): void;
}

/** Settings that all connections of a server share. */
export class Server {
  private constructor();
  /** A server's end, which waits for a request. */
  connection(): Connection;
  /** A server's end of a stream that was upgraded elsewhere. */
  upgraded(agreed?: Agreed): Connection;
  /** Gives its memory back; the connections live on. */
  free(): void;
  [Symbol.dispose](): void;
}

/** The instantiated core: it makes connections. All that one makes share its memory. */
export class Core {
  constructor(module: WebAssembly.Module);
  server(settings?: ServerSettings): Server;
  /** A client's end for a ws or wss URI. Its request is in the output already. */
  client(uri: string, options?: ClientOptions): Connection;
  /** A client's end of a stream that was upgraded elsewhere. */
  upgradedClient(options?: ClientSettings & Agreed): Connection;
  /** This build has permessage-deflate. */
  readonly compresses: boolean;
  /** Bytes of memory that all of its connections have together. */
  readonly memory: number;
}

/**
 * Compiles the core, and makes one: by itself the build without compression, beside this module. `source` is another
 * one: its address, what `fetch` gave, its bytes, or a module.
 */
export function load(source?: string | URL | Response | Promise<Response> | Bytes | WebAssembly.Module): Promise<Core>;
