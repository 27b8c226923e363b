import type { ListenOptions, NetConnectOpts, Socket } from "node:net";
import type { ConnectionOptions, TlsOptions } from "node:tls";

import type {
  AcceptOptions, ClientOptions, Closed, Core, Open, Refused, Request, SendOptions, ServerSettings,
} from "./core.js";

/** The connection has ended: `report` tells how, and `cause` is the socket's error if there was one. */
export class ConnectionClosed extends Error {
  readonly report: Closed;
}

/** The server did not open the connection: `refused` is its answer, if it gave one. */
export class HandshakeRefused extends ConnectionClosed {
  readonly refused: Refused | null;
}

type Bytes = ArrayBufferLike | ArrayBufferView;

/** An open connection. `for await` gives its messages, up to its end. */
export class WebSocket implements AsyncIterable<string | Uint8Array> {
  private constructor();
  /** The next message: a string, or bytes. Null when the connection has ended. */
  receive(): Promise<string | Uint8Array | null>;
  [Symbol.asyncIterator](): AsyncIterableIterator<string | Uint8Array>;
  /** Queues a message, and waits for room in the queue. Rejects with ConnectionClosed where there is no connection. */
  send(data: string | Bytes, options?: SendOptions): Promise<void>;
  /** Sends a Ping: the milliseconds until its Pong has come. */
  ping(): Promise<number>;
  /** Begins the closing handshake, drops what was not received, and gives the report of the end. */
  close(code?: number | null, reason?: string): Promise<Closed>;
  /** The report of the end, when it has come. It never rejects. */
  readonly closed: Promise<Closed>;
  /** The same; null before the end. */
  readonly report: Closed | null;
  /** A server's end: the request. */
  readonly request: Request | null;
  /** A client's end: the answer that opened it. */
  readonly response: Open | null;
  readonly subprotocol: string | null;
  readonly extensions: string;
  readonly state: "initial" | "connecting" | "open" | "closing" | "closed";
  /** Milliseconds of the last round trip that was measured. */
  readonly latency: number | null;
  /** Bytes of messages that wait to be written. */
  readonly bufferedAmount: number;
  readonly socket: Socket;
}

interface Common {
  /** Of `core`, or another one's. */
  core?: Core;
}

type Whole<T> = Omit<T, "delivery" | "manualPong" | "manualClose">;

export interface ConnectOptions extends Common, Whole<ClientOptions> {
  /** Given to `tls.connect` for wss, such as `ca`. */
  tls?: ConnectionOptions;
  /** Given to `net.connect` and `tls.connect`, such as `localAddress`. */
  net?: Partial<NetConnectOpts>;
  /** A stream to the server that is there already. */
  socket?: Socket;
  /** Gives up before it is open. */
  signal?: AbortSignal;
}

/**
 * Connects to a ws or wss URI. Rejects with HandshakeRefused if the server does not open the connection, with the socket's
 * error if it cannot be reached. Without other timeouts it pings after 20 s of silence.
 */
export function connect(uri: string, options?: ConnectOptions): Promise<WebSocket>;

/** An answer over HTTP. */
export interface Answer {
  status: number;
  headers?: AcceptOptions["headers"];
  body?: string | Bytes;
}

export interface ServeOptions extends Common, Whole<ServerSettings> {
  /** 0 chooses a free one. */
  port?: number;
  host?: string;
  /** A Unix socket instead. */
  path?: ListenOptions["path"];
  backlog?: number;
  /** Given to `tls.createServer`: `key` and `cert`. */
  tls?: TlsOptions;
  /** Those that are spoken, most wanted first. */
  subprotocols?: readonly string[];
  /** Decides on a request: nothing or options accept it, an answer with a status refuses it. */
  onRequest?: (request: Request) => void | AcceptOptions | Answer | Promise<void | AcceptOptions | Answer>;
  /** Told what the handler, `onRequest` or the listening socket threw. Without it: a warning of the process. */
  onError?: (error: unknown) => void;
}

/** A server that listens. */
export class WebSocketServer {
  private constructor();
  readonly port: number | null;
  readonly address: ReturnType<import("node:net").Server["address"]>;
  /** How many there are. */
  readonly connections: number;
  /** Takes no more connections, closes those that there are, and waits for their ends. */
  close(code?: number, reason?: string): Promise<void>;
}

/** Serves WebSockets. Each connection is given to `handler`, and closed when that has ended: with 1011 if it threw. */
export function serve(options: ServeOptions, handler: (ws: WebSocket) => unknown): Promise<WebSocketServer>;

/** The core of this process, with compression or without. */
export function core(options?: { deflate?: boolean }): Core;
