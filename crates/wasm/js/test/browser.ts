// Compiled, not run: the core in a browser, with an older library of TypeScript's.
import { load, type Message } from "sansocket";

export async function greet(stream: ReadableStream<Uint8Array>): Promise<Message[]> {
  const core = await load(new URL("sansocket.wasm", location.href));
  const ws = core.upgradedClient();
  const messages: Message[] = [];
  const reader = stream.getReader();
  for (let read; !(read = await reader.read()).done; ) {
    messages.push(...ws.receive(read.value).filter((event) => event.type === "message"));
  }
  ws.free();
  return messages;
}
