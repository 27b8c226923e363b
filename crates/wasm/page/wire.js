// What each byte on the wire is (RFC 6455 §4.1, §5.2). A reader is a plain value: `read` gives what a byte is and the
// reader after it, so that bytes in flight can be looked at before they arrive, and again after one was changed.

const OPCODES = { 0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong" };

/** What reads one direction from its beginning. */
export const beginning = Object.freeze({ phase: "head", segment: 0, line: "", lines: 0, status: null });

/** What a byte is: its kind, its segment, a caption of that, and a sentence. */
export function read(reader, byte) {
  const step = { head, first, length, longer, key, payload, body }[reader.phase];
  return step(reader, byte);
}

// ── the opening handshake

function head(reader, byte) {
  const ended = byte === 10;
  const line = reader.line + String.fromCharCode(byte);
  const text = line.replace(/[\r\n]+$/, "");
  const told = {
    kind: "head",
    segment: reader.segment,
    caption: captionOf(reader.lines, text),
    detail: byte === 13 || byte === 10 ? "the end of a line" : `a character of the ${reader.lines === 0 ? "first line" : "head"}`,
    character: visible(byte),
  };
  const next = { ...reader, line: ended ? "" : line };
  if (ended) {
    next.segment += 1;
    next.lines += 1;
    if (reader.lines === 0) {
      next.status = /^HTTP\/\d\.\d (\d{3})/.exec(text)?.[1] ?? null;
    }
    if (text === "") {
      // After a refusal there are no frames.
      next.phase = reader.status === null || reader.status === "101" ? "first" : "body";
    }
  }
  return [told, next];
}

function captionOf(lines, text) {
  if (lines === 0) {
    return text.startsWith("HTTP") || "HTTP/".startsWith(text.slice(0, 5)) ? "status line" : "request line";
  }
  return text === "" ? "the end of the head" : /^([^:]*)/.exec(text)[1];
}

function body(reader, byte) {
  return [{ kind: "head", segment: reader.segment, caption: "body", detail: "the body of the answer", character: visible(byte) }, reader];
}

// ── frames

function first(reader, byte) {
  const opcode = byte & 15;
  const name = OPCODES[opcode] ?? `reserved ${opcode}`;
  const fin = byte >> 7;
  const reserved = (byte >> 4) & 7;
  const whole = fin === 1 ? "FIN 1: the last frame of its message" : "FIN 0: more frames of this message follow";
  const told = {
    kind: opcode in OPCODES && reserved === 0 ? "first" : "wrong",
    segment: reader.segment,
    caption: `${fin === 1 ? "FIN, " : ""}${name}`,
    detail: `${whole}. RSV ${reserved.toString(2).padStart(3, "0")}. Opcode ${opcode}: ${name}`,
  };
  return [told, { ...reader, phase: "length", segment: reader.segment + 1, opcode, at: 0, key: [] }];
}

function length(reader, byte) {
  const masked = byte >> 7 === 1;
  const short = byte & 127;
  const more = short === 126 ? 2 : short === 127 ? 8 : 0;
  const count = more === 0 ? `${short} bytes of payload` : `the length follows in ${more} bytes`;
  const told = {
    kind: "length",
    segment: reader.segment,
    caption: `${masked ? "MASK, " : ""}length ${more === 0 ? short : `in ${more} bytes`}`,
    detail: `MASK ${byte >> 7}: ${masked ? "a masking key follows, as from each client" : "no masking key, as from each server"}. ${count}`,
  };
  const next = { ...reader, segment: reader.segment + 1, masked, more, length: more === 0 ? short : 0 };
  return [told, more === 0 ? afterLength(next) : { ...next, phase: "longer" }];
}

const afterLength = (reader) => (reader.masked ? { ...reader, phase: "key" } : afterKey(reader));
const afterKey = (reader) => ({ ...reader, phase: reader.length === 0 ? "first" : "payload", at: 0 });

function longer(reader, byte) {
  const whole = reader.length * 256 + byte;
  const left = reader.more - 1;
  const told = {
    kind: "length",
    segment: reader.segment,
    caption: "length",
    detail: left === 0 ? `the lowest byte of the length: ${whole.toLocaleString("en")} bytes` : "a byte of the length, the highest first",
  };
  const next = { ...reader, more: left, length: whole };
  return [told, left === 0 ? afterLength({ ...next, segment: reader.segment + 1 }) : next];
}

function key(reader, byte) {
  const bytes = [...reader.key, byte];
  const told = {
    kind: "key",
    segment: reader.segment,
    caption: "masking key",
    detail: `byte ${bytes.length} of 4 of the masking key: each byte of payload is combined with one of them by exclusive or`,
  };
  const next = { ...reader, key: bytes };
  return [told, bytes.length === 4 ? afterKey({ ...next, segment: reader.segment + 1 }) : next];
}

function payload(reader, byte) {
  const at = reader.at;
  const plain = reader.masked ? byte ^ reader.key[at % 4] : byte;
  const code = reader.opcode === 8 && at < 2;
  const name = code ? "close code" : reader.opcode === 8 ? "reason" : `${OPCODES[reader.opcode] ?? "payload"}`;
  const mask = reader.masked ? `${hex(byte)} with ${hex(reader.key[at % 4])} of the key is ${hex(plain)}` : hex(plain);
  const shown = code ? "" : `, ${plain < 32 || plain > 126 ? "no character by itself" : `“${String.fromCharCode(plain)}”`}`;
  const told = {
    kind: code ? "code" : "payload",
    segment: reader.segment,
    caption: code ? "close code" : name === "continuation" ? "payload" : name,
    detail: `byte ${at + 1} of ${reader.length} of payload: ${mask}${shown}`,
    character: code ? hex(plain) : visible(plain),
  };
  const done = at + 1 === reader.length;
  // The code and the reason of a Close frame are segments of their own.
  const cut = done || (code && at === 1);
  const next = { ...reader, at: at + 1, segment: reader.segment + (cut ? 1 : 0) };
  return [told, done ? { ...next, phase: "first" } : next];
}

export const hex = (byte) => byte.toString(16).padStart(2, "0");

const visible = (byte) => {
  if (byte === 13) {
    return "\\r";
  }
  if (byte === 10) {
    return "\\n";
  }
  return byte === 32 ? "␣" : byte > 32 && byte < 127 ? String.fromCharCode(byte) : "·";
};
