//! The numbers of the interface, those of the C library where it has them. `js/numbers.js` is made from these tables.

/// Constants, and a table of them by name.
macro_rules! numbers {
    ($($(#[$of:meta])* $table:ident { $($(#[$about:meta])* $name:ident = $number:literal,)* })*) => {$(
        $(#[$of])*
        pub mod $table {
            $($(#[$about])* pub const $name: u32 = $number;)*

            /// All of them, by name.
            pub const ALL: &[(&str, u32)] = &[$((stringify!($name), $name)),*];
        }
    )*};
}

numbers! {
    /// What an entry of a list is.
    entry {
        /// A number of `preset`: whose limits the settings begin with.
        PRESET = 1,
        /// Numbers of `flag`, added up.
        FLAGS = 2,
        /// A number of `delivery`.
        DELIVERY = 3,
        /// Bytes of the head of the opening handshake.
        MAX_HEAD = 4,
        /// Header fields of one head.
        MAX_FIELDS = 5,
        /// Bytes of payload that a frame may announce.
        MAX_FRAME = 6,
        /// Bytes of a message, after decompression.
        MAX_MESSAGE = 7,
        /// Frames of a message.
        MAX_FRAGMENTS = 8,
        /// Bytes of queued output from which on nothing more is taken.
        MAX_OUTPUT = 9,
        /// Bytes that are kept after a request that waits for its answer.
        MAX_HELD = 10,
        /// Bytes of the body of a refusal that a client keeps.
        MAX_BODY = 11,
        /// Bytes of heap that the connection may take in all.
        MAX_MEMORY = 12,
        /// Milliseconds, as all times: until the connection is open.
        HANDSHAKE_TIMEOUT = 13,
        /// For the peer's end of the closing handshake.
        CLOSE_TIMEOUT = 14,
        /// A ping is sent when no frame came for this long.
        PING_INTERVAL = 15,
        /// How long nothing may come after such a ping.
        PONG_TIMEOUT = 16,
        /// How long nothing may be received.
        IDLE_TIMEOUT = 17,
        /// From a message's first byte to its last.
        MESSAGE_TIMEOUT = 18,
        /// Messages are sent in frames of at most so many bytes of payload.
        FRAGMENT = 19,
        /// How hard to compress, from 0 to 9.
        DEFLATE_LEVEL = 20,
        /// The server's window has at most 2^this bytes.
        SERVER_MAX_WINDOW_BITS = 21,
        /// The client's window.
        CLIENT_MAX_WINDOW_BITS = 22,
        /// A number of `origins`.
        ORIGIN_POLICY = 23,
        /// A number of `budgets`.
        BUDGETS = 24,
        /// Server: an origin for `LIST`.
        ORIGIN = 32,
        /// Server: a host that it answers to.
        HOST = 33,
        /// Client: the ws or wss URI.
        URI = 34,
        /// Client: a subprotocol that is offered. Server: the one that is chosen. Upgraded: the one in use.
        SUBPROTOCOL = 35,
        /// Server: one to choose if the client offers it, most wanted first.
        PREFER = 36,
        /// The name of a header field; its value follows.
        FIELD_NAME = 37,
        /// Its value.
        FIELD_VALUE = 38,
        /// Upgraded: the value of Sec-WebSocket-Extensions in the answer.
        EXTENSIONS = 39,
        /// Server: this connection is not compressed, whatever the settings say.
        UNCOMPRESSED = 40,
        /// Client: the origin that it says it has.
        OWN_ORIGIN = 41,
    }

    /// For `entry::PRESET`.
    preset {
        /// A server on the open internet.
        SERVER = 0,
        /// A server that expects attacks.
        STRICT = 1,
        /// A client, which chose its server.
        CLIENT = 2,
        /// Peers that belong together.
        TRUSTED = 3,
    }

    /// For `entry::FLAGS`.
    flag {
        /// Pongs are left to the application.
        MANUAL_PONG = 1,
        /// The answer to a Close frame is left to the application.
        MANUAL_CLOSE = 2,
        /// The Close frames of failures have no reason.
        SILENT_FAILURES = 4,
        /// The answer to a Close frame repeats its reason.
        ECHO_CLOSE_REASON = 8,
        /// Server: requests that ask for no upgrade come as events.
        SERVE_HTTP = 16,
        /// Server: frames that are not masked are taken.
        ACCEPT_UNMASKED = 32,
        /// Server: a request without an Origin is refused.
        REQUIRE_ORIGIN = 64,
        /// Client: an answer without a subprotocol fails the handshake if some were offered.
        REQUIRE_SUBPROTOCOL = 128,
        /// permessage-deflate is offered or accepted.
        DEFLATE = 256,
        /// The server begins each message with an empty window.
        SERVER_NO_CONTEXT_TAKEOVER = 512,
        /// The client begins each message with an empty window.
        CLIENT_NO_CONTEXT_TAKEOVER = 1024,
    }

    /// For `entry::DELIVERY`.
    delivery {
        /// Messages come whole.
        WHOLE = 0,
        /// As the bytes arrive.
        CHUNKS = 1,
        /// Their beginning is told first; then whole, unless `ws_stream_message` is called.
        ASK = 2,
    }

    /// For `entry::ORIGIN_POLICY`.
    origins {
        /// Pages of the same host, and clients that are no browsers.
        SAME_HOST = 0,
        /// Pages of the origins that are listed, and clients that are no browsers.
        LIST = 1,
        /// Anybody.
        ANY = 2,
    }

    /// For `entry::BUDGETS`.
    budgets {
        /// As the preset has them.
        GENEROUS = 0,
        /// For peers that people sit at.
        TIGHT = 1,
        /// No bounds.
        NONE = 2,
    }

    /// What happened: `ws_told::what`. The fields of `ws_told` that each has are named here.
    event {
        /// All of the input was taken.
        NONE = 0,
        /// Server: a request waits for its answer; `ws_part` and `ws_headers` tell of it.
        REQUEST = 1,
        /// Server: a request that asks for no upgrade waits for its answer.
        HTTP = 2,
        /// Client: the server refused: `code` is the status, `data` the body, `mark`, and `ws_headers`.
        REFUSED = 3,
        /// The connection is open; for a client `ws_headers` has those of the answer.
        OPEN = 4,
        /// The head of a message: `kind`, `number` bytes in its first frame, `mark`.
        START = 5,
        /// A message: `kind` and `data`.
        MESSAGE = 6,
        /// A part of a message: `kind`, `data`, `mark`.
        CHUNK = 7,
        /// A Ping: `data`.
        PING = 8,
        /// A Pong: `data`, and in `number` the milliseconds since the ping that it answers, or infinity.
        PONG = 9,
        /// The peer's Close frame: `code`, 0 if it has none, and the reason as `data`.
        CLOSE = 10,
        /// The connection was failed: `number`, `name`, `code` of our Close frame or 0, a sentence as `data`.
        FAILED = 11,
        /// It is closed: `code`, `mark`, in `number` the status if an HTTP answer was the end, a sentence as `data`.
        CLOSED = 12,
        /// An event that this version cannot tell more about.
        OTHER = 13,
    }

    /// What else there is to say of an event: `ws_told::marks`.
    mark {
        /// The first part of its message.
        FIRST = 1,
        /// The last part of its message, or all of it.
        LAST = 2,
        /// The message is compressed.
        COMPRESSED = 4,
        /// The body was cut.
        TRUNCATED = 8,
        /// The transport can be used for another request.
        REUSABLE = 16,
        /// The closing handshake was complete.
        CLEAN = 32,
        /// This end sent the first Close frame, or both at once.
        BEGUN_BY_US = 64,
        /// The peer sent the first Close frame, or both at once.
        BEGUN_BY_PEER = 128,
        /// The frame ends here.
        ENDS_FRAME = 256,
    }

    /// The kind of a message.
    kind {
        /// UTF-8.
        TEXT = 1,
        /// Any bytes.
        BINARY = 2,
    }

    /// Where a connection is in its life.
    state {
        /// Nothing was sent yet: a server is in it until it accepts.
        INITIAL = 0,
        /// A client's request is on its way, or the answer.
        CONNECTING = 1,
        /// Messages can be sent.
        OPEN = 2,
        /// The closing handshake is going on, or the connection was failed.
        CLOSING = 3,
        /// It is over.
        CLOSED = 4,
    }

    /// What to do with the transport once the output was written.
    transport {
        /// Read and write on.
        KEEP_OPEN = 0,
        /// Shut down writing, then read until the peer's end.
        SHUTDOWN_WRITE = 1,
        /// The server ends the transport first: read on until it does.
        AWAIT_PEER_END = 2,
        /// Close it now.
        CLOSE_TRANSPORT = 3,
    }

    /// Whether a message is compressed, where permessage-deflate was agreed on.
    compress {
        /// From a threshold on.
        AUTO = 0,
        /// For what is compressed already, and for secrets.
        NEVER = 1,
        /// Whatever its length.
        ALWAYS = 2,
        /// In a context of its own, so that its length says nothing about other messages.
        ALONE = 3,
    }

    /// What `ws_part` gives.
    part {
        /// The request's method.
        METHOD = 0,
        /// Its target as it was sent.
        TARGET = 1,
        /// The target's path.
        PATH = 2,
        /// The target's query, without the question mark.
        QUERY = 3,
        /// The host and port that were asked for.
        AUTHORITY = 4,
        /// The request's origin.
        ORIGIN = 5,
        /// The subprotocol in use.
        SUBPROTOCOL = 6,
        /// The extensions in use.
        EXTENSIONS = 7,
        /// The subprotocols that the request offers, with commas between them.
        OFFERED = 8,
    }

    /// What the transport did: for `ws_tell`.
    tell {
        /// The peer has ended the stream.
        EOF = 0,
        /// Nothing can be written any more; reading goes on.
        WRITE_LOST = 1,
        /// It is gone, in both directions.
        TRANSPORT_LOST = 2,
        /// The TLS handshake failed (1015).
        TLS_FAILED = 3,
        /// No transport's doing: the message that was begun comes in chunks.
        STREAM_MESSAGE = 4,
    }

    /// Why a call was refused, where the core has no number for it.
    refused {
        /// It was done.
        OK = 0,
        /// An argument that cannot be.
        BAD_ARGUMENT = 1,
        /// An entry of a list of origins or hosts.
        BAD_ENTRY = 2,
        /// A URI that is no ws or wss URI.
        BAD_URI = 3,
    }
}
