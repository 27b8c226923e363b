//! Packet after packet, as a teacher would draw it.

use std::io::{self, Write};
use std::time::Duration;

use sansocket::Kind as MessageKind;
use sansocket::observer::{Frame, Message, Report, Seen, Violation};
use sansocket::{Negotiated, State};
use sansocket_tcp_streams::{End, Flags, Kind, Segment, Sender};

use super::{Summary, View, kind, missing, opcode, sender, violations};
use crate::args::Args;
use crate::follow::{Entry, Talk, What};
use crate::text::{Paint, count, hex, quoted, seconds};

/// Where what a packet brings begins.
const INDENT: &str = "                        ";

pub(crate) struct Timeline {
    out: Box<dyn Write>,
    paint: Paint,
    frames: bool,
    brief: bool,
    payload: usize,
    /// The line of the packet that is read, until something is shown below it.
    line: Option<String>,
    packet: u64,
}

impl Timeline {
    pub(crate) fn new(args: &Args, out: Box<dyn Write>) -> Self {
        Self {
            out,
            paint: Paint(args.color),
            frames: args.frames,
            brief: args.brief || args.filter.is_of_things(),
            payload: args.payload,
            line: None,
            packet: 0,
        }
    }

    fn tcp(&self, talk: &Talk, entry: &Entry<'_>, kind: Kind<'_>) -> Option<String> {
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
                let (client, server) = (paint.client(client), paint.server(server));
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

    fn seen(&self, seen: &Seen<'_>) -> Vec<String> {
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
            Seen::Message(message) => lines.push(self.message(message)),
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
            Seen::Found { offset, .. } => lines.push(format!("a frame begins at byte {offset}")),
            Seen::Opaque { tls: true, .. } => {
                lines.push("TLS: what it carries cannot be read without its keys".into())
            }
            Seen::Opaque { .. } => lines.push("neither HTTP nor WebSocket".into()),
            _ => {}
        }
        lines.extend(violations(seen).into_iter().map(|it| self.violation(&it)));
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

    fn violation(&self, violation: &Violation) -> String {
        let rule = violation.rule();
        let answer = match (rule.close_code(), rule.status()) {
            (Some(code), _) => format!("; a strict end closes with {code}"),
            (_, Some(status)) => format!("; a strict server answers {status}"),
            _ => String::new(),
        };
        self.paint.wrong(format!("! {violation}{answer}"))
    }

    fn message(&self, message: &Message<'_>) -> String {
        let payload = match message.kind {
            MessageKind::Text => quoted(message.payload, self.payload),
            MessageKind::Binary => hex(message.payload, self.payload.div_ceil(4)),
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
        if let Some(missing) = missing(message.content) {
            line += &self.paint.wrong(format!(", {missing}"));
        }
        line
    }

    fn control(&self, payload: &[u8]) -> String {
        if payload.is_empty() {
            String::new()
        } else {
            format!(" {}", quoted(payload, self.payload))
        }
    }

    fn show(&mut self, entry: &Entry<'_>, line: &str) -> io::Result<()> {
        if let Some(line) = self.line.take() {
            writeln!(self.out, "{line}")?;
        }
        let of = if entry.packet == self.packet {
            String::new()
        } else {
            format!(" (packet {})", entry.packet)
        };
        writeln!(self.out, "{INDENT}{line}{}", self.paint.quiet(of))
    }
}

impl View for Timeline {
    fn segment(
        &mut self,
        talk: &Talk,
        from: Sender,
        segment: &Segment<'_>,
        start: Duration,
    ) -> io::Result<()> {
        if let Some(line) = self.line.take()
            && !self.brief
        {
            writeln!(self.out, "{line}")?;
        }
        let time = seconds(segment.time.saturating_sub(start));
        let arrow = match from {
            Sender::Client => self.paint.client("C→S"),
            Sender::Server => self.paint.server("C←S"),
        };
        let flags = segment.flags.to_string();
        let bytes = match segment.length {
            0 => String::new(),
            n => format!(", {}", count(n.into(), "byte")),
        };
        let (packet, number) = (segment.packet, talk.number);
        let flags = if segment.flags == Flags::ACK {
            self.paint.quiet(flags)
        } else {
            flags
        };
        self.line = Some(format!(
            "{packet:>6} {time:>11} #{number} {arrow} {flags}{bytes}"
        ));
        self.packet = segment.packet;
        Ok(())
    }

    fn entry(&mut self, talk: &Talk, entry: &Entry<'_>, _start: Duration) -> io::Result<()> {
        match &entry.what {
            What::Tcp(kind) => {
                let Some(line) = self.tcp(talk, entry, *kind) else {
                    return Ok(());
                };
                if let Kind::Begin { .. } = kind {
                    if let Some(line) = self.line.take()
                        && !self.brief
                    {
                        writeln!(self.out, "{line}")?;
                    }
                    return writeln!(self.out, "{line}");
                }
                self.show(entry, &line)
            }
            What::Seen(seen) => {
                for line in self.seen(seen) {
                    self.show(entry, &line)?;
                }
                Ok(())
            }
            What::States([client, server]) => {
                let line = format!("client {}, server {}", state(*client), state(*server));
                self.show(entry, &self.paint.quiet(line))
            }
            What::Report(report) => {
                if let Some(line) = self.line.take()
                    && !self.brief
                {
                    writeln!(self.out, "{line}")?;
                }
                writeln!(
                    self.out,
                    "#{} {}",
                    talk.number,
                    self.paint.loud(verdict(report))
                )
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(line) = self.line.take()
            && !self.brief
        {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        self.flush()?;
        for note in summary.notes() {
            writeln!(
                self.out,
                "{}",
                self.paint.quiet(format!("not shown: {note}"))
            )?;
        }
        self.out.flush()
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Initial => "Initial",
        State::Connecting => "Connecting",
        State::Open => "Open",
        State::Closing => "Closing",
        State::Closed => "Closed",
    }
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
fn verdict(report: &Report) -> String {
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
