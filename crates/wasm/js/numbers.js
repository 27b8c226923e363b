// Made from src/numbers.rs by its test.

export const entry = Object.freeze({
  PRESET: 1,
  FLAGS: 2,
  DELIVERY: 3,
  MAX_HEAD: 4,
  MAX_FIELDS: 5,
  MAX_FRAME: 6,
  MAX_MESSAGE: 7,
  MAX_FRAGMENTS: 8,
  MAX_OUTPUT: 9,
  MAX_HELD: 10,
  MAX_BODY: 11,
  MAX_MEMORY: 12,
  HANDSHAKE_TIMEOUT: 13,
  CLOSE_TIMEOUT: 14,
  PING_INTERVAL: 15,
  PONG_TIMEOUT: 16,
  IDLE_TIMEOUT: 17,
  MESSAGE_TIMEOUT: 18,
  FRAGMENT: 19,
  DEFLATE_LEVEL: 20,
  SERVER_MAX_WINDOW_BITS: 21,
  CLIENT_MAX_WINDOW_BITS: 22,
  ORIGIN_POLICY: 23,
  BUDGETS: 24,
  ORIGIN: 32,
  HOST: 33,
  URI: 34,
  SUBPROTOCOL: 35,
  PREFER: 36,
  FIELD_NAME: 37,
  FIELD_VALUE: 38,
  EXTENSIONS: 39,
  UNCOMPRESSED: 40,
  OWN_ORIGIN: 41,
});

export const preset = Object.freeze({
  SERVER: 0,
  STRICT: 1,
  CLIENT: 2,
  TRUSTED: 3,
});

export const flag = Object.freeze({
  MANUAL_PONG: 1,
  MANUAL_CLOSE: 2,
  SILENT_FAILURES: 4,
  ECHO_CLOSE_REASON: 8,
  SERVE_HTTP: 16,
  ACCEPT_UNMASKED: 32,
  REQUIRE_ORIGIN: 64,
  REQUIRE_SUBPROTOCOL: 128,
  DEFLATE: 256,
  SERVER_NO_CONTEXT_TAKEOVER: 512,
  CLIENT_NO_CONTEXT_TAKEOVER: 1024,
});

export const delivery = Object.freeze({
  WHOLE: 0,
  CHUNKS: 1,
  ASK: 2,
});

export const origins = Object.freeze({
  SAME_HOST: 0,
  LIST: 1,
  ANY: 2,
});

export const budgets = Object.freeze({
  GENEROUS: 0,
  TIGHT: 1,
  NONE: 2,
});

export const event = Object.freeze({
  NONE: 0,
  REQUEST: 1,
  HTTP: 2,
  REFUSED: 3,
  OPEN: 4,
  START: 5,
  MESSAGE: 6,
  CHUNK: 7,
  PING: 8,
  PONG: 9,
  CLOSE: 10,
  FAILED: 11,
  CLOSED: 12,
  OTHER: 13,
});

export const mark = Object.freeze({
  FIRST: 1,
  LAST: 2,
  COMPRESSED: 4,
  TRUNCATED: 8,
  REUSABLE: 16,
  CLEAN: 32,
  BEGUN_BY_US: 64,
  BEGUN_BY_PEER: 128,
  ENDS_FRAME: 256,
});

export const kind = Object.freeze({
  TEXT: 1,
  BINARY: 2,
});

export const compress = Object.freeze({
  AUTO: 0,
  NEVER: 1,
  ALWAYS: 2,
  ALONE: 3,
});

export const part = Object.freeze({
  METHOD: 0,
  TARGET: 1,
  PATH: 2,
  QUERY: 3,
  AUTHORITY: 4,
  ORIGIN: 5,
  SUBPROTOCOL: 6,
  EXTENSIONS: 7,
  OFFERED: 8,
});

export const tell = Object.freeze({
  EOF: 0,
  WRITE_LOST: 1,
  TRANSPORT_LOST: 2,
  TLS_FAILED: 3,
  STREAM_MESSAGE: 4,
});
