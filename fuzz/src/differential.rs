//! The same bytes to this crate and to tungstenite, in both roles: the same messages, control
//! frames and end. Where they differ, one of [`RULES`] says why.

use crate::oracle::{Taker, wire};
use sansocket::config::Limits;
use sansocket::error::Failure;
use sansocket::error::ProtocolError;
use sansocket::{
    ClientConfig, Connection, Event, Message, Negotiated, OriginPolicy, Role, ServerConfig,
};
use std::io::{self, Read, Write};
use tungstenite::error::Error as TheirError;
use tungstenite::protocol::{Role as TheirRole, WebSocket, WebSocketConfig};

#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// What a failure is about, by the close codes of RFC 6455 §7.4.1.
#[derive(Debug, Clone, Copy, PartialEq)]
enum About {
    /// 1002
    Protocol,
    /// 1007
    Text,
    /// 1009
    Size,
}

#[derive(Debug)]
struct Ours {
    seen: Vec<Seen>,
    failure: Option<ProtocolError>,
}

#[derive(Debug)]
struct Theirs {
    seen: Vec<Seen>,
    failure: Option<About>,
}

/// A difference that is meant.
struct Rule {
    section: &'static str,
    reason: &'static str,
    explains: fn(&Ours, &Theirs) -> bool,
}

const RULES: &[Rule] = &[
    Rule {
        section: "RFC 6455 §5.2, §5.5",
        reason: "\"The minimal number of bytes MUST be used to encode the length\": tungstenite \
                 takes longer forms, and goes on after them",
        explains: |ours, theirs| {
            ours.failure == Some(ProtocolError::LengthNotMinimal)
                && theirs.seen.starts_with(&ours.seen)
        },
    },
    Rule {
        section: "RFC 6455 §7.4.1, §7.4.2",
        reason: "a code that must not be sent is an error: tungstenite answers it with 1002 too, but \
                 shows a Close frame with that code instead of a failure",
        explains: |ours, theirs| {
            matches!(ours.failure, Some(ProtocolError::CloseCode { .. }))
                && theirs.seen.split_last() == Some((&protocol_violation(), &ours.seen))
                && theirs.failure.is_none()
        },
    },
    Rule {
        section: "RFC 6455 §7.4.2, §11.7",
        reason: "1014 (Bad Gateway) is in the registry of close codes: tungstenite does not know it",
        explains: |ours, theirs| {
            let (Some((own, before)), Some((other, theirs_before))) =
                (ours.seen.split_last(), theirs.seen.split_last())
            else {
                return false;
            };
            matches!(own, Seen::Close(Some((1014, _))))
                && *other == protocol_violation()
                && before == theirs_before
                && ours.failure.is_none()
                && theirs.failure.is_none()
        },
    },
    Rule {
        section: "RFC 6455 §7.1.7, §10.4",
        reason: "both fail at the same frame, which breaks several rules: this crate names the one \
                 that is certain first, tungstenite looks at the size of the frame first, then at \
                 the rest of it as a whole",
        explains: |ours, theirs| ours.seen == theirs.seen && pair(ours, theirs).is_some(),
    },
];

type Pair = (fn(ProtocolError) -> bool, About, &'static str);

/// Which rules a frame can break together so that the two name different ones.
const PAIRS: &[Pair] = &[
    (
        |own| about(own) == About::Protocol,
        About::Size,
        "anything in a header whose length is over the limit, the top bit of §5.2 among it",
    ),
    (
        |own| matches!(own, ProtocolError::CloseCode { .. }),
        About::Text,
        "a Close frame with a wrong code and a reason that is no text (§7.4.1, §5.5.1)",
    ),
];

fn pair(ours: &Ours, theirs: &Theirs) -> Option<&'static Pair> {
    let (own, other) = (ours.failure?, theirs.failure?);
    PAIRS
        .iter()
        .find(|(is, about, _)| *about == other && is(own))
}

/// What tungstenite makes of a Close frame with a code that must not be sent.
fn protocol_violation() -> Seen {
    Seen::Close(Some((1002, "Protocol violation".to_owned())))
}

fn about(error: ProtocolError) -> About {
    match Failure::from(error).close_code() {
        Some(1002) => About::Protocol,
        Some(1007) => About::Text,
        Some(1009) => About::Size,
        other => panic!("{error:?} is closed with {other:?}"),
    }
}

pub fn differential(data: &[u8]) {
    let mut t = Taker::new(data);
    let role = t.role();
    let mut limits = Limits::server();
    limits.frame = t.pick(&[125, 126, 300, 70_000]);
    limits.message = t.pick(&[0, 125, 126, 300, 70_000]);
    limits.fragments = u32::MAX; // tungstenite has no such limit
    let mut stream = if t.once_in(4) {
        t.rest().to_vec()
    } else {
        wire::stream(&mut t, role.peer(), 24)
    };
    // Tungstenite judges whole frames, this crate as soon as anything is certain (§7.1.7): no frame
    // is left half.
    complete(&mut stream, limits.frame);
    let (ours, theirs) = (ours(role, limits, &stream), theirs(role, limits, &stream));
    if ours.seen == theirs.seen && ours.failure.map(about) == theirs.failure {
        return;
    }
    let explained = RULES.iter().find(|rule| (rule.explains)(&ours, &theirs));
    let Some(rule) = explained else {
        panic!("nothing explains it:\n{ours:?}\n{theirs:?}");
    };
    // `EXPLAIN=1` says which rule an input comes to.
    if std::env::var_os("EXPLAIN").is_some() {
        eprintln!("{}: {}", rule.section, rule.reason);
        if let Some((.., which)) = pair(&ours, &theirs) {
            eprintln!("{which}");
        }
    }
}

/// Adds what the last frame says is missing, unless that is more than the limit lets through.
fn complete(stream: &mut Vec<u8>, most: u64) {
    let mut at = 0;
    while at < stream.len() {
        let short = stream.get(at + 1).map_or(0, |byte| byte & 0x7f);
        let form = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masked = stream.get(at + 1).is_some_and(|byte| byte & 0x80 != 0);
        let start = at + 2 + form + if masked { 4 } else { 0 };
        if stream.len() < start {
            stream.resize(start, 0);
        }
        let extended = &stream[at + 2..at + 2 + form];
        let long = extended
            .iter()
            .fold(0, |len, byte| len << 8 | u64::from(*byte));
        let len = if form == 0 { short.into() } else { long };
        if len > most {
            return;
        }
        at = start + len as usize;
    }
    stream.resize(at.max(stream.len()), 0);
}

fn ours(role: Role, limits: Limits, stream: &[u8]) -> Ours {
    let agreed = Negotiated::default();
    let mut ws = match role {
        Role::Server => {
            let config = ServerConfig::new(OriginPolicy::Any).limits(limits);
            Connection::upgraded_server(&config, agreed)
        }
        Role::Client => Connection::upgraded_client(&ClientConfig::new().limits(limits), agreed),
    };
    let mut stream = stream.to_vec();
    let mut input = &mut stream[..];
    let (mut seen, mut failure) = (Vec::new(), None);
    while let Some(event) = ws.receive(&mut input) {
        seen.push(match event {
            Event::Message(Message::Text(text)) => Seen::Text((*text).to_owned()),
            Event::Message(Message::Binary(bytes)) => Seen::Binary(bytes.to_vec()),
            Event::Ping(payload) => Seen::Ping(payload.to_vec()),
            Event::Pong(pong) => Seen::Pong(pong.payload.to_vec()),
            Event::Close(frame) => {
                let reason = frame.reason().to_owned();
                Seen::Close(frame.code.map(|code| (code.get(), reason)))
            }
            Event::Failed(Failure::Protocol(error)) => {
                failure = Some(error);
                continue;
            }
            Event::Open | Event::Closed(_) => continue,
            other => panic!("{other:?} cannot be"),
        });
    }
    Ours { seen, failure }
}

/// A transport that has all input, and takes all output.
struct Wire<'s>(&'s [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(role: Role, limits: Limits, stream: &[u8]) -> Theirs {
    let role = match role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    };
    let config = WebSocketConfig::default()
        .max_frame_size(Some(limits.frame as usize))
        .max_message_size(Some(limits.message as usize));
    let mut ws = WebSocket::from_raw_socket(Wire(stream), role, Some(config));
    let mut seen = Vec::new();
    let failure = loop {
        use tungstenite::Message as Their;
        use tungstenite::error::ProtocolError as TheirProtocolError;
        match ws.read() {
            Ok(Their::Text(text)) => seen.push(Seen::Text(text.as_str().to_owned())),
            Ok(Their::Binary(bytes)) => seen.push(Seen::Binary(bytes.to_vec())),
            Ok(Their::Ping(payload)) => seen.push(Seen::Ping(payload.to_vec())),
            Ok(Their::Pong(payload)) => seen.push(Seen::Pong(payload.to_vec())),
            Ok(Their::Close(frame)) => {
                let frame =
                    frame.map(|frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                seen.push(Seen::Close(frame));
                // What is after it is not read here either.
                break None;
            }
            // The end of the bytes.
            Err(TheirError::Protocol(TheirProtocolError::ResetWithoutClosingHandshake)) => {
                break None;
            }
            Err(TheirError::Protocol(_)) => break Some(About::Protocol),
            Err(TheirError::Utf8(_)) => break Some(About::Text),
            Err(TheirError::Capacity(_)) => break Some(About::Size),
            other => panic!("{other:?} cannot be"),
        }
    };
    Theirs { seen, failure }
}
