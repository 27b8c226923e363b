// Compiled, not run: each declaration used as it is meant.
import { type Event, load, SansocketError } from "sansocket";
import { connect, ConnectionClosed, HandshakeRefused, serve, type WebSocket } from "sansocket/node";

export async function byHand(): Promise<string[]> {
  const core = await load(fetch("sansocket.wasm"));
  using server = core.server({ origins: ["https://example.com"], limits: { message: null }, deflate: { level: 1 } });
  const ws = server.connection();
  core.client("ws://h/", { headers: { a: "b" }, subprotocols: ["a"], entropy: (bytes) => crypto.getRandomValues(bytes) });
  core.upgradedClient({ extensions: "", fragment: 4 }).send("a", { compress: "alone" });
  const told = (event: Event): string => {
    switch (event.type) {
      case "request":
        ws.accept({ prefer: event.subprotocols });
        return event.header("host") ?? event.path;
      case "message":
        return event.kind === "text" ? event.data.toUpperCase() : String(event.data.byteLength);
      case "failed":
        return `${event.code.toFixed()} ${event.word} ${event.closeCode}`;
      case "closed":
        return `${event.clean} ${event.sent?.reason}`;
      default:
        return event.type;
    }
  };
  // @ts-expect-error there is no such setting
  core.server({ orgins: "any" });
  // @ts-expect-error only the core makes connections
  new (ws.constructor as typeof import("sansocket").Connection)();
  const next: Event | null = ws.nextEvent(new ArrayBuffer(1));
  return [...ws.receive(new DataView(new ArrayBuffer(1))), ...(next ? [next] : [])].map(told);
}

export async function inNode(): Promise<number> {
  const handler = async (ws: WebSocket): Promise<void> => {
    for await (const message of ws) {
      await ws.send(typeof message === "string" ? message : message.subarray(1));
    }
  };
  const server = await serve({ port: 0, onRequest: ({ path }) => (path === "/" ? undefined : { status: 404 }) }, handler);
  try {
    const ws = await connect("wss://h/", { tls: { ca: "" }, signal: AbortSignal.timeout(1), deflate: true });
    const message: string | Uint8Array | null = await ws.receive();
    return message === null ? (await ws.closed).code : await ws.ping();
  } catch (error) {
    if (error instanceof HandshakeRefused) return error.refused?.status ?? 0;
    if (error instanceof ConnectionClosed) return error.report.code;
    return error instanceof SansocketError ? error.code : (server.port ?? 0);
  }
}
