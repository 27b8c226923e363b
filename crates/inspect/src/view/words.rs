//! What is said of each thing: the same in a terminal and in a picture.

use std::time::Duration;

use crate::tls::{Suite, Told, alert_name, version_name};
use sansocket::Kind as MessageKind;
use sansocket::observer::{
    Content, ConversationReport, Frame, Seen, SeenMessage, Stretch, Violation,
};
use sansocket::{Negotiated, State};
use sansocket_tcp_streams::{End, Flags, Kind, Segment};

use super::{kind, missing, opcode, sender};
use crate::args::Args;
use crate::follow::{Entry, Talk};
use crate::indent::indented;
use crate::text::{Paint, address, count, hex, quoted, seconds};

/// How much is said, and in what colours.
pub(crate) struct Words {
    pub(crate) paint: Paint,
    frames: bool,
    payload: usize,
}

/// So many holes of a message are shown.
const HOLES: usize = 16;

impl Words {
    pub(crate) fn new(args: &Args, paint: Paint) -> Self {
        Self {
            paint,
            frames: args.frames,
            payload: args.payload,
        }
    }

    /// What TCP does, if it is worth a line.
    pub(crate) fn tcp(&self, talk: &Talk, entry: &Entry<'_>, kind: Kind<'_>) -> Option<String> {
        let paint = self.paint;
        let bytes = |n| count(n, "byte");
        Some(match kind {
            Kind::Begin {
                client,
                server,
                from_start,
            } => {
                let how = if from_start {
                    ""
                } else {
                    ", begun before the capture"
                };
                let client = paint.client(address(client));
                let server = paint.server(address(server));
                return Some(format!(
                    "\n#{} client {client}, server {server}{how}",
                    talk.number
                ));
            }
            Kind::Gap(n) => paint.wrong(format!(
                "{} of the {} are not in the capture",
                bytes(n),
                sender(entry.sender)
            )),
            Kind::Again(0) => paint.quiet("once more"),
            Kind::Again(n) => paint.quiet(format!("{} once more", bytes(n))),
            Kind::Differs => paint.wrong(format!("other bytes than before, at {}", entry.offset)),
            Kind::KeepAlive => paint.quiet("TCP asks whether the other end is there"),
            Kind::AfterFin(n) => paint.wrong(format!("{} after the end", bytes(n))),
            Kind::End(End::Forgotten) => {
                paint.quiet("followed no further: there are too many others")
            }
            _ => return None,
        })
    }

    /// What compressed messages may refer to was given up.
    pub(crate) fn given_up(&self) -> String {
        let why = "there is no memory for it: what compressed messages copy from earlier ones is not known (--memory)";
        self.paint.wrong(why)
    }

    /// What TLS says, if it is worth a line.
    pub(crate) fn tls(&self, told: Told<'_>) -> Option<String> {
        let paint = self.paint;
        Some(match told {
            Told::Asked {
                server_name: Some(name),
            } => paint.quiet(format!("TLS for {name}")),
            Told::Asked { server_name: None } => paint.quiet("TLS"),
            Told::Agreed { version, suite } => paint.quiet(agreed(version, suite)),
            Told::Gap(n) => paint.wrong(format!("TLS: {} are missing", count(n, "byte"))),
            Told::Early { accepted: true } => paint.quiet("TLS: the server takes the early data"),
            Told::Early { accepted: false } => {
                paint.quiet("TLS: the server refuses the early data")
            }
            Told::Alert(0) => paint.quiet("TLS: close_notify"),
            Told::Alert(alert) => paint.wrong(match alert_name(alert) {
                Some(name) => format!("TLS: alert {name}"),
                None => format!("TLS: alert {alert}"),
            }),
            Told::KeyUpdate => paint.quiet("TLS: another key"),
            Told::Unreadable(why) => paint.loud(format!("TLS that cannot be read: {why}")),
            _ => return None,
        })
    }

    /// What was seen, without the rules that it breaks.
    pub(crate) fn seen(&self, seen: &Seen<'_>) -> Vec<String> {
        let paint = self.paint;
        let mut lines = Vec::new();
        match seen {
            Seen::Request(head) | Seen::Response(head) => {
                lines.push(paint.loud(quoted_line(head.first_line(), self.payload)));
                for (name, value) in head.headers() {
                    let line = format!("{name}: {}", String::from_utf8_lossy(value));
                    lines.push(paint.quiet(quoted_line(&line, self.payload)));
                }
            }
            Seen::Opened(None) => {
                lines.push("a tunnel: what follows is for the host behind the proxy".into())
            }
            Seen::Opened(Some(agreed)) => lines.push(self.opened(agreed)),
            Seen::Frame(frame) if self.frames => lines.extend(bits(frame)),
            Seen::Message(message) => lines.extend(self.message(message)),
            Seen::Ping { payload, .. } => lines.push(format!("ping{}", self.control(payload))),
            Seen::Pong {
                payload,
                solicited,
                round_trip,
                ..
            } => {
                let how = match (solicited, round_trip) {
                    (true, Some(time)) => format!(", {} s after the ping", seconds(*time)),
                    (true, None) => String::new(),
                    (false, _) => ", which nobody asked for".to_owned(),
                };
                lines.push(format!("pong{}{how}", self.control(payload)));
            }
            Seen::Close { code, reason, .. } => {
                let code = code.map_or(" without a code".to_owned(), |code| format!(" {code}"));
                lines.push(format!(
                    "{}{code}{}",
                    paint.loud("close"),
                    self.control(reason)
                ));
            }
            Seen::Lost { offset, .. } => {
                lines.push(paint.wrong(format!(
                    "the next frame is searched for, from byte {offset} on"
                )));
            }
            Seen::Found {
                offset, skipped, ..
            } => {
                let after = match skipped {
                    0 => String::new(),
                    n => format!(", after {} that cannot be read", count(*n, "byte")),
                };
                lines.push(format!("a frame begins at byte {offset}{after}"));
            }
            Seen::Opaque { tls: true, .. } => {
                lines.push("TLS, whose beginning is not here: it cannot be read".into())
            }
            Seen::Opaque { .. } => lines.push("neither HTTP nor WebSocket".into()),
            _ => {}
        }
        lines
    }

    fn opened(&self, agreed: &Negotiated) -> String {
        let mut line = "open".to_owned();
        if let Some(name) = &agreed.subprotocol {
            line += &format!(", subprotocol {}", quoted_line(name, self.payload));
        }
        if !agreed.extensions.is_empty() {
            line += &format!(", {}", quoted_line(&agreed.extensions, self.payload));
        }
        self.paint.loud(line)
    }

    /// A rule that was broken, and what follows.
    pub(crate) fn violation(&self, violation: &Violation) -> String {
        let rule = violation.rule();
        let answer = match (rule.close_code(), rule.status()) {
            (Some(code), _) => format!("; a strict end closes with {code}"),
            (_, Some(status)) => format!("; a strict server answers {status}"),
            _ => String::new(),
        };
        self.paint.wrong(format!("! {violation}{answer}"))
    }

    fn message(&self, message: &SeenMessage<'_>) -> Vec<String> {
        let json = match (message.kind, message.content) {
            (MessageKind::Text, Content::Whole) => str::from_utf8(message.payload)
                .ok()
                .and_then(|text| indented(text, self.payload)),
            _ => None,
        };
        let payload = if json.is_some() {
            "JSON".to_owned()
        } else {
            self.stretches(message)
        };
        let mut line = format!(
            "{} {payload}, {}",
            kind(message.kind),
            count(message.len, "byte")
        );
        if message.encoded {
            line += &format!(" from {}", message.wire_len);
        }
        if message.frames != 1 {
            line += &format!(" in {}", count(message.frames.into(), "frame"));
        }
        if let Some(missing) = missing(message) {
            line += &self.paint.wrong(format!(", {missing}"));
        }
        let mut lines = vec![line];
        lines.extend(json.into_iter().flatten());
        lines
    }

    /// What is known, and holes as how many bytes they have.
    fn stretches(&self, message: &SeenMessage<'_>) -> String {
        let mut left = match message.kind {
            MessageKind::Text => self.payload,
            MessageKind::Binary => self.payload.div_ceil(4),
        };
        let (mut shown, mut holes) = (Vec::new(), 0);
        for stretch in message.stretches() {
            if left == 0 || holes == HOLES {
                shown.push("…".to_owned());
                break;
            }
            match stretch {
                Stretch::Known(bytes) => {
                    shown.push(match message.kind {
                        MessageKind::Text => quoted(bytes, left),
                        MessageKind::Binary => hex(bytes, left),
                    });
                    let Some(rest) = left.checked_sub(bytes.len()) else {
                        break; // which is shown
                    };
                    left = rest;
                }
                Stretch::Hole(len) => {
                    holes += 1;
                    shown.push(self.paint.wrong(format!("[{}]", count(len, "byte"))));
                }
            }
        }
        match (message.kind, shown.is_empty()) {
            (MessageKind::Text, true) => quoted(b"", 0),
            _ => shown.join(" "),
        }
    }

    fn control(&self, payload: &[u8]) -> String {
        if payload.is_empty() {
            String::new()
        } else {
            format!(" {}", quoted(payload, self.payload))
        }
    }
}

pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Initial => "Initial",
        State::Connecting => "Connecting",
        State::Open => "Open",
        State::Closing => "Closing",
        State::Closed => "Closed",
    }
}

/// A version and a cipher suite.
fn agreed(version: u16, suite: u16) -> String {
    let name = Suite::of(suite).map_or(format!("cipher suite {suite:04x}"), |it| {
        it.name().to_owned()
    });
    format!("{}, {name}", version_name(version))
}

/// A line of a head, without what a terminal would obey.
fn quoted_line(line: &str, most: usize) -> String {
    let quoted = quoted(line.as_bytes(), most);
    let cut = quoted.ends_with('…');
    let inner = quoted
        .trim_end_matches('…')
        .trim_matches('"')
        .replace("\\\"", "\"");
    if cut { inner + "…" } else { inner }
}

/// The header of a frame, bit by bit (RFC 6455 §5.2).
fn bits(frame: &Frame) -> Vec<String> {
    let header = frame.header();
    let [first, second] = [header.first(), header.get(1)].map(|byte| byte.copied().unwrap_or(0));
    let masked = frame.masking_key().is_some();
    let mut lines = vec![
        format!(
            "frame at byte {}{}",
            frame.offset(),
            if frame.is_certain() { "" } else { ", probably" }
        ),
        format!(
            "{:08b}  FIN {}, RSV {:03b}, {}",
            first,
            first >> 7,
            first >> 4 & 7,
            opcode(first & 15)
        ),
        format!(
            "{second:08b}  MASK {}, length {}",
            second >> 7,
            second & 127
        ),
    ];
    let rest = header.get(2..).unwrap_or_default();
    let (length, key) = rest.split_at(rest.len().saturating_sub(if masked { 4 } else { 0 }));
    if !length.is_empty() {
        lines.push(format!(
            "{}  length {}",
            hex(length, 8),
            frame.payload_len()
        ));
    }
    if masked {
        lines.push(format!("{}  masking key", hex(key, 4)));
    }
    lines
}

/// How it went.
pub(crate) fn verdict(report: &ConversationReport) -> String {
    let name = |role| match role {
        sansocket::Role::Client => "client",
        sansocket::Role::Server => "server",
    };
    let code = |code: Option<u16>| code.map_or("no code".to_owned(), |code| code.to_string());
    let mut line = if !report.opened {
        "no WebSocket connection".to_owned()
    } else if report.is_clean() {
        "closed cleanly".to_owned()
    } else if report.tcp_ended_by.is_some() {
        "ended without a closing handshake (1006)".to_owned()
    } else {
        "not ended in the capture".to_owned()
    };
    if let Some(role) = report.begun_by {
        line += &format!(", begun by the {}", name(role));
    }
    for (who, sent) in [
        ("client", report.client_code),
        ("server", report.server_code),
    ] {
        if let Some(sent) = sent {
            line += &format!(", the {who} sent {}", code(sent));
        }
    }
    if let Some(role) = report.tcp_ended_by {
        let how = if report.tcp_reset {
            "reset TCP"
        } else {
            "ended TCP first"
        };
        line += &format!(", the {} {how}", name(role));
    }
    let broken = u64::from(report.client_violations) + u64::from(report.server_violations);
    if broken != 0 {
        line += &format!(", {} broken", count(broken, "rule"));
    }
    line
}

/// What TCP does with a segment, and how much it carries.
pub(crate) fn label(segment: &Segment<'_>) -> String {
    let flags = segment.flags.to_string();
    match (flags.is_empty(), segment.length) {
        (_, 0) => flags,
        (true, n) => count(n.into(), "byte"),
        (false, n) => format!("{flags}, {}", count(n.into(), "byte")),
    }
}

/// Whether it says nothing but what has arrived.
pub(crate) fn only_acknowledges(segment: &Segment<'_>) -> bool {
    segment.flags == Flags::ACK && segment.length == 0
}

/// Which packet has brought it, where that is not the one whose line stands above.
pub(crate) fn brought_by(entry: &Entry<'_>, above: u64) -> String {
    if entry.packet == above {
        String::new()
    } else {
        format!(" (packet {})", entry.packet)
    }
}

/// When it came, since the first one, if that is known.
pub(crate) fn time(segment: &Segment<'_>, start: Duration) -> String {
    if segment.time.is_zero() && segment.from.ip().is_unspecified() {
        String::new()
    } else {
        seconds(segment.time.saturating_sub(start))
    }
}
