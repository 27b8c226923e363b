//! What a hostile peer sends to take memory or time, in any length: one [`Attack`] for each hole
//! that other libraries had and that can be measured. `tests/assurance/requirements/advisories.txt` says which
//! one stands for which advisory.

use crate::oracle::{ACCEPT, Scripted, wire};
use std::sync::OnceLock;

use sansocket::config::{Delivery, Limits};
use sansocket::error::Failure;
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::{
    ClientConfig, ClientRequest, Connection, Event, Kind, Negotiated, OriginPolicy, Part, Role,
    ServerConfig, Uri,
};

/// A connection and what its peer sends to it.
pub struct Scene {
    pub ws: Connection,
    pub stream: Vec<u8>,
    /// The bytes that the configuration allows this attack to take.
    pub limit: usize,
    /// What its failure says; nothing if it goes on.
    pub fails: &'static str,
    /// The application sends each message back, and so much of the output is taken each time.
    pub echo: Option<usize>,
    /// What its codecs need, whatever the limits are.
    pub codecs: usize,
}

/// What inflating needs: zlib's state, a window, and a step of output.
const INFLATER: usize = 128 << 10;
/// What a compressor needs at the default level.
const DEFLATER: usize = 288 << 10;

/// Sends about `n` bytes, or `n` times the same, to a connection of that role, with or without
/// compression agreed on (or offered). `None`: not to this one.
pub struct Attack {
    pub name: &'static str,
    pub scene: fn(Role, bool, usize) -> Option<Scene>,
}

pub const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// Delivers in reads of that size. What failed, if something did.
#[inline(never)]
pub fn deliver(scene: &mut Scene, read: usize) -> Option<Failure> {
    let mut failure = None;
    for mut read in scene.stream.chunks_mut(read) {
        while let Some(event) = scene.ws.receive(&mut read) {
            match event {
                Event::Message(message) if scene.echo.is_some() => {
                    let _ = scene.ws.send(&message);
                    scene.ws.consume_output(scene.echo.unwrap_or_default());
                }
                Event::Failed(why) => failure = Some(why),
                _ => {}
            }
        }
    }
    failure
}

// ── connections

fn settings(role: Role, deflate: bool, limits: Limits) -> (ServerConfig, ClientConfig) {
    let server = ServerConfig::new(OriginPolicy::Application).limits(limits);
    let client = ClientConfig::new().limits(limits);
    match (role, deflate) {
        (_, false) => (server, client),
        (Role::Server, true) => (server.deflate(PermessageDeflate::server()), client),
        (Role::Client, true) => (server, client.deflate(PermessageDeflate::client())),
    }
}

fn open_with(role: Role, deflate: bool, limits: Limits, delivery: Delivery) -> Connection {
    let (server, client) = settings(role, deflate, limits);
    let extensions = if deflate { "permessage-deflate" } else { "" };
    let negotiated = Negotiated::new().extensions(extensions);
    let mut ws = match role {
        Role::Server => Connection::upgraded_server(&server.delivery(delivery), negotiated),
        Role::Client => Connection::upgraded_client_with_entropy(
            &client.delivery(delivery),
            negotiated,
            Scripted::boxed(),
        ),
    };
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

fn waiting(role: Role, deflate: bool, limits: Limits) -> Connection {
    let (server, client) = settings(role, deflate, limits);
    if role == Role::Server {
        return Connection::server(&server);
    }
    let uri = Uri::parse("ws://example.com/chat").expect("a URI");
    let request = ClientRequest::new(uri)
        .subprotocol("chat")
        .expect("a token");
    let request = request.extension("x-test; a", 0).expect("an extension");
    let mut ws = Connection::client_with_entropy(&client, request, Scripted::boxed()).unwrap();
    ws.consume_output(usize::MAX);
    ws
}

fn small() -> Limits {
    let mut limits = Limits::server();
    (limits.head, limits.held, limits.body) = (4096, 4096, 4096);
    (limits.frame, limits.message) = (8192, 8192);
    limits.output = 8192;
    limits.fragments = u32::MAX;
    limits
}

// ── frames

fn key(role: Role) -> Option<[u8; 4]> {
    (role == Role::Server).then_some([1, 2, 3, 4])
}

/// The same frame again and again after a first one.
fn frames(role: Role, first: u8, then: &[(u8, &[u8])], n: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    wire::frame(&mut stream, first, key(role), b"x");
    for i in 0..n {
        let (first, payload) = then[i % then.len()];
        wire::frame(&mut stream, first, key(role), payload);
    }
    stream
}

/// A header that announces `len`, and `n` bytes after it.
fn announced(role: Role, first: u8, len: u64, n: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    wire::raw_frame(&mut stream, first, key(role), 8, len, &vec![b'a'; n]);
    stream
}

fn scene(role: Role, deflate: bool, limits: Limits, stream: Vec<u8>, fails: &'static str) -> Scene {
    Scene {
        ws: open_with(role, deflate, limits, Delivery::Whole),
        stream,
        limit: limits.message as usize,
        fails,
        echo: None,
        codecs: 0,
    }
}

/// Messages and pings for an application that sends each message back; the peer takes `taken` bytes of
/// the output for each.
fn echo(role: Role, deflate: bool, n: usize, taken: usize) -> Scene {
    let mut limits = small();
    (limits.frame, limits.message, limits.output) = (1000, 1000, 1 << 17);
    let stream = frames(role, 0x82, &[(0x82, &[7; 1000]), (0x89, &[1; 125])], n / 25);
    Scene {
        // What may be queued is the mark and one message.
        limit: (limits.output + 1000) as usize,
        echo: Some(taken),
        codecs: if deflate { DEFLATER } else { 0 },
        ..scene(role, deflate, limits, stream, "")
    }
}

/// The payload of a compressed message of so many mebibytes of zeros, two at least.
fn zeros(mebibytes: usize) -> Vec<u8> {
    // The first, the next, which only refers to what came before and comes again and again, the last.
    static PARTS: OnceLock<[Vec<u8>; 3]> = OnceLock::new();
    let [first, again, last] = PARTS.get_or_init(|| {
        let mut sender = open_with(Role::Server, true, Limits::trusted(), Delivery::Whole);
        let zeros = vec![0; 1 << 20];
        [false, false, true].map(|last| {
            let kind = Kind::Binary;
            let sent = sender.send_part(
                Part::new(kind, &zeros)
                    .last_if(last)
                    .compress(Compress::Always),
            );
            sent.expect("it is open");
            let frame = sender.output().to_vec();
            sender.consume_output(frame.len());
            assert_eq!(frame[1], 126, "some hundred bytes");
            frame[4..].to_vec()
        })
    });
    [&first[..], &again.repeat(mebibytes - 2), last].concat()
}

// ── heads

const KEY_FIELD: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A request or an answer that is whole but for its end.
fn head(role: Role, more: &str) -> String {
    match role {
        Role::Server => format!(
            "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{KEY_FIELD}{more}"
        ),
        Role::Client => format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n{more}"
        ),
    }
}

fn heads(role: Role, deflate: bool, limits: Limits, stream: String, fails: &'static str) -> Scene {
    Scene {
        ws: waiting(role, deflate, limits),
        stream: stream.into(),
        limit: limits.head as usize,
        fails,
        echo: None,
        codecs: 0,
    }
}

/// A head of the handshake may be as long as this one.
fn room_for(head: &str) -> Limits {
    let mut limits = small();
    limits.head = head.len() as u32 + 1;
    limits
}

/// A field with such a value in a head that has room for it.
fn field(role: Role, deflate: bool, name: &str, value: &str, fails: [&'static str; 2]) -> Scene {
    let head = head(role, &format!("{name}: {value}\r\n\r\n"));
    let fails = fails[usize::from(role == Role::Client)];
    heads(role, deflate, room_for(&head), head, fails)
}

// ── the attacks

pub const ATTACKS: &[Attack] = &[
    Attack {
        name: "a length beyond all limits",
        scene: |role, deflate, n| {
            let stream = announced(role, 0x82, (1 << 63) - 1, n);
            Some(scene(role, deflate, small(), stream, "limit: Frame"))
        },
    },
    Attack {
        name: "a length with its top bit",
        scene: |role, deflate, n| {
            let stream = announced(role, 0x82, u64::MAX, n);
            Some(scene(role, deflate, small(), stream, "LengthTopBit"))
        },
    },
    Attack {
        name: "a length beyond the limit after a fragment",
        scene: |role, deflate, n| {
            let mut stream = frames(role, 0x02, &[(0x00, b"y")], 10);
            stream.extend(announced(role, 0x80, (1 << 63) - 1, n));
            Some(scene(role, deflate, small(), stream, "limit: Frame"))
        },
    },
    Attack {
        name: "an announcement of what never comes",
        scene: |role, deflate, n| {
            let limits = Limits::trusted();
            let stream = announced(role, 0x02, limits.message, n);
            // Far below the limit a buffer doubles: three times what came, while it moves.
            let limit = n * 3 / 2;
            Some(Scene {
                limit,
                ..scene(role, deflate, limits, stream, "")
            })
        },
    },
    Attack {
        name: "an announced text that never comes",
        scene: |role, deflate, n| {
            let limits = Limits::trusted();
            let stream = announced(role, 0x01, limits.message, n);
            // Far below the limit a buffer doubles: three times what came, while it moves.
            let limit = n * 3 / 2;
            Some(Scene {
                limit,
                ..scene(role, deflate, limits, stream, "")
            })
        },
    },
    Attack {
        name: "an unknown opcode with a huge payload",
        scene: |role, deflate, n| {
            let stream = announced(role, 0x83, 1 << 40, n);
            Some(scene(role, deflate, small(), stream, "ReservedOpcode"))
        },
    },
    Attack {
        name: "frames of an old draft",
        scene: |role, deflate, n| {
            let stream = vec![0x80; n];
            Some(scene(
                role,
                deflate,
                small(),
                stream,
                "UnexpectedContinuation",
            ))
        },
    },
    Attack {
        name: "fragments of one byte",
        scene: |role, deflate, n| {
            let mut limits = small();
            (limits.frame, limits.message) = (n as u64 + 1, n as u64 + 1);
            let stream = frames(role, 0x02, &[(0x00, b"y")], n);
            Some(scene(role, deflate, limits, stream, ""))
        },
    },
    Attack {
        name: "fragments of one byte of text",
        scene: |role, deflate, n| {
            let mut limits = small();
            (limits.frame, limits.message) = (n as u64 + 1, n as u64 + 1);
            let stream = frames(
                role,
                0x01,
                &[(0x00, "é".as_bytes().split_at(1).0), (0x00, &[0xa9])],
                n,
            );
            Some(scene(role, deflate, limits, stream, ""))
        },
    },
    Attack {
        name: "empty fragments without end",
        scene: |role, deflate, n| {
            let stream = frames(role, 0x01, &[(0x00, b"")], n);
            Some(scene(role, deflate, small(), stream, ""))
        },
    },
    Attack {
        name: "empty fragments over the limit",
        scene: |role, deflate, n| {
            let mut limits = small();
            limits.fragments = 100;
            let stream = frames(role, 0x01, &[(0x00, b"")], n);
            Some(scene(role, deflate, limits, stream, "limit: Fragments"))
        },
    },
    Attack {
        name: "fragments that each keep the limit of a frame",
        scene: |role, deflate, n| {
            let mut limits = small();
            limits.frame = 1000;
            let stream = frames(role, 0x02, &[(0x00, &[7; 1000])], n / 500);
            Some(scene(role, deflate, limits, stream, "limit: Message"))
        },
    },
    Attack {
        name: "a mixture that never ends a message",
        scene: |role, deflate, n| {
            let then: &[(u8, &[u8])] = &[
                (0x00, b""),
                (0x89, &[1; 125]),
                (0x8a, &[2; 125]),
                (0x00, b""),
            ];
            let stream = frames(role, 0x01, then, n / 64);
            let limits = small();
            let limit = (limits.message as usize).min(limits.output as usize);
            Some(Scene {
                limit,
                ..scene(role, deflate, limits, stream, "")
            })
        },
    },
    Attack {
        name: "pings of a peer that does not read",
        scene: |role, deflate, n| {
            let stream = frames(role, 0x89, &[(0x89, &[1; 125])], n / 64);
            Some(scene(role, deflate, small(), stream, ""))
        },
    },
    Attack {
        name: "an echo for a peer that does not read",
        scene: |role, deflate, n| Some(echo(role, deflate, n, 0)),
    },
    Attack {
        name: "an echo for a peer that reads slowly",
        scene: |role, deflate, n| Some(echo(role, deflate, n, 300)),
    },
    Attack {
        name: "RSV1 that was not agreed on",
        scene: |role, deflate, n| {
            let stream = announced(role, 0xc2, 1 << 40, n);
            (!deflate).then(|| scene(role, deflate, small(), stream, "ReservedBits"))
        },
    },
    Attack {
        name: "a reserved bit before a huge payload",
        scene: |role, deflate, n| {
            let stream = announced(role, 0xa2, 1 << 40, n);
            Some(scene(role, deflate, small(), stream, "ReservedBits"))
        },
    },
    Attack {
        name: "a huge payload that is masked as the other end's",
        scene: |role, deflate, n| {
            let (other, fails) = match role {
                Role::Server => (Role::Client, "UnmaskedFrame"),
                Role::Client => (Role::Server, "MaskedFrame"),
            };
            let stream = announced(other, 0x82, n as u64, n);
            Some(scene(role, deflate, small(), stream, fails))
        },
    },
    Attack {
        name: "a bomb",
        scene: |role, deflate, n| {
            let mut limits = small();
            (limits.frame, limits.message) = (1 << 30, 1 << 18);
            let mut stream = Vec::new();
            let payload = if deflate {
                zeros(n.div_ceil(1 << 10))
            } else {
                return None;
            };
            wire::frame(&mut stream, 0xc2, key(role), &payload);
            let bomb = scene(role, deflate, limits, stream, "limit: Message");
            Some(Scene {
                codecs: INFLATER,
                ..bomb
            })
        },
    },
    Attack {
        name: "a bomb of text",
        scene: |role, deflate, n| {
            let mut limits = small();
            (limits.frame, limits.message) = (1 << 30, 1 << 18);
            let mut stream = Vec::new();
            let payload = if deflate {
                zeros(n.div_ceil(1 << 10))
            } else {
                return None;
            };
            wire::frame(&mut stream, 0xc1, key(role), &payload);
            let bomb = scene(role, deflate, limits, stream, "limit: Message");
            Some(Scene {
                codecs: INFLATER,
                ..bomb
            })
        },
    },
    Attack {
        name: "a bomb in chunks, without a limit",
        scene: |role, deflate, n| {
            let mut limits = small();
            (limits.frame, limits.message) = (1 << 30, 1 << 40);
            let mut stream = Vec::new();
            let payload = if deflate {
                zeros(n.div_ceil(1 << 12))
            } else {
                return None;
            };
            wire::frame(&mut stream, 0xc2, key(role), &payload);
            Some(Scene {
                ws: open_with(role, deflate, limits, Delivery::Chunks),
                limit: 16 << 10,
                codecs: INFLATER,
                ..scene(role, deflate, limits, stream, "")
            })
        },
    },
    Attack {
        name: "empty blocks of DEFLATE",
        scene: |role, deflate, n| {
            let mut stream = Vec::new();
            let blocks = [0, 0, 0, 0xff, 0xff].repeat(n / 5);
            wire::frame(&mut stream, 0x42, key(role), &blocks);
            let mut limits = small();
            limits.frame = 1 << 30;
            let empty = scene(role, deflate, limits, stream, "");
            deflate.then_some(Scene {
                codecs: INFLATER,
                ..empty
            })
        },
    },
    Attack {
        name: "bytes before a head that never ends",
        scene: |role, deflate, n| {
            let stream = match role {
                Role::Server => format!("GET /{}", "a".repeat(n)),
                Role::Client => format!("HTTP/1.1 101 {}", "a".repeat(n)),
            };
            let fails = if role == Role::Server {
                "TargetTooLong"
            } else {
                "HeadTooLong"
            };
            Some(heads(role, deflate, small(), stream, fails))
        },
    },
    Attack {
        name: "fields without end",
        scene: |role, deflate, n| {
            let stream = head(role, &"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(n / 100));
            Some(heads(role, deflate, small(), stream, "HeadTooLong"))
        },
    },
    Attack {
        name: "more fields than there is room for",
        scene: |role, deflate, n| {
            let head = head(role, &"X: a\r\n".repeat(n / 6));
            Some(heads(role, deflate, room_for(&head), head, "TooManyFields"))
        },
    },
    Attack {
        name: "a long field, a byte at a time",
        scene: |role, deflate, n| Some(field(role, deflate, "X", &"a".repeat(n), ["", ""])),
    },
    Attack {
        name: "blanks between subprotocols",
        scene: |role, deflate, n| {
            let value = format!("a{}b", " ".repeat(n));
            let fails = ["Invalid(Protocol)", "Invalid(Protocol)"];
            Some(field(
                role,
                deflate,
                "Sec-WebSocket-Protocol",
                &value,
                fails,
            ))
        },
    },
    Attack {
        name: "commas between subprotocols",
        scene: |role, deflate, n| {
            let value = format!("chat{}", ",".repeat(n));
            let fails = ["", "Invalid(Protocol)"];
            Some(field(
                role,
                deflate,
                "Sec-WebSocket-Protocol",
                &value,
                fails,
            ))
        },
    },
    Attack {
        name: "a quoted string that does not end",
        scene: |role, deflate, n| {
            let value = format!("a; b=\"{}", "\\c".repeat(n / 2));
            let fails = ["Invalid(Extensions)", "Invalid(Extensions)"];
            Some(field(
                role,
                deflate,
                "Sec-WebSocket-Extensions",
                &value,
                fails,
            ))
        },
    },
    Attack {
        name: "extensions without end",
        scene: |role, deflate, n| {
            let fails = ["", "ExtensionNotOffered"];
            let value = "constructor; a=\"b\", ".repeat(n / 20) + "x";
            Some(field(
                role,
                deflate,
                "Sec-WebSocket-Extensions",
                &value,
                fails,
            ))
        },
    },
    Attack {
        name: "offers of compression without end",
        scene: |role, deflate, n| {
            let value = "permessage-deflate; x, ".repeat(n / 23) + "permessage-deflate; x";
            let fails = [
                "",
                if deflate {
                    "ExtensionParameters"
                } else {
                    "ExtensionNotOffered"
                },
            ];
            Some(field(
                role,
                deflate,
                "Sec-WebSocket-Extensions",
                &value,
                fails,
            ))
        },
    },
    Attack {
        name: "a host without end",
        scene: |role, deflate, n| {
            let request = head(role, "\r\n");
            let host = format!("[{}", ":".repeat(n));
            let request = request.replacen("example.com", &host, 1);
            let limits = room_for(&request);
            let long = heads(role, deflate, limits, request, "Invalid(Host)");
            (role == Role::Server).then_some(long)
        },
    },
    Attack {
        name: "a body after a request",
        scene: |role, deflate, n| {
            let length = format!("Content-Length: {n}\r\n\r\n");
            let request = head(role, &length);
            let limits = room_for(&request);
            let body = request + &"\u{1}".repeat(n);
            let body = heads(role, deflate, limits, body, "Content");
            (role == Role::Server).then_some(body)
        },
    },
    Attack {
        name: "bytes outside ASCII between subprotocols",
        scene: |role, deflate, n| {
            let value = format!("chat{}", ", \u{e9}".repeat(n / 4));
            let fails = ["Invalid(Protocol)", "Invalid(Protocol)"];
            Some(field(
                role,
                deflate,
                "Sec-WebSocket-Protocol",
                &value,
                fails,
            ))
        },
    },
    Attack {
        name: "other protocols in Upgrade",
        scene: |role, deflate, n| {
            let whole = head(role, "\r\n");
            let list = "h2c/2, ".repeat(n / 7) + "websockets";
            let whole = whole.replacen("websocket", &list, 1);
            let fails = match role {
                Role::Server => "NotAnUpgrade",
                Role::Client => "Invalid(Upgrade)",
            };
            Some(heads(role, deflate, room_for(&whole), whole, fails))
        },
    },
    Attack {
        name: "commas in Connection",
        scene: |role, deflate, n| {
            Some(field(role, deflate, "Connection", &",".repeat(n), ["", ""]))
        },
    },
    Attack {
        name: "frames after an undecided request",
        scene: |role, deflate, n| {
            let stream = head(role, "\r\n") + &"\u{1}".repeat(n);
            let undecided = heads(role, deflate, small(), stream, "HeldTooLong");
            (role == Role::Server).then_some(undecided)
        },
    },
    Attack {
        name: "answers before the answer without end",
        scene: |role, deflate, n| {
            let stream = "HTTP/1.1 103 Early\r\nX: y\r\n\r\n".repeat(n / 28);
            let interim = heads(role, deflate, small(), stream, "HeadTooLong");
            (role == Role::Client).then_some(interim)
        },
    },
    Attack {
        name: "a refusal's body without end",
        scene: |role, deflate, n| {
            let stream = format!("HTTP/1.1 404 x\r\n\r\n{}", "a".repeat(n));
            let body = heads(role, deflate, small(), stream, "");
            (role == Role::Client).then_some(body)
        },
    },
    Attack {
        name: "a refusal's chunks of one byte",
        scene: |role, deflate, n| {
            let chunks = "1;x\r\na\r\n".repeat(n / 8);
            let head = "HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n";
            let body = heads(role, deflate, small(), format!("{head}{chunks}"), "");
            (role == Role::Client).then_some(body)
        },
    },
];
