//! Ways to show a capture.

mod extract;
mod har;
mod json;
mod pcap;
mod picture;
mod stats;
mod svg;
mod timeline;
mod words;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use crate::capture::Packet;
use crate::packet::Skipped;
use sansocket::Kind as MessageKind;
use sansocket::frame::Opcode;
use sansocket::observer::{Content, Seen, SeenMessage, Stretch, Violation};
use sansocket_tcp_streams::{Kind, Segment, Sender};

use crate::args::{Args, Filter, Show};
use crate::follow::{Entry, Talk, What};
use crate::text::count;

/// Where things are shown, in the order in which they happened.
pub(crate) trait View {
    /// A segment, before what it brings.
    fn segment(
        &mut self,
        _talk: &Talk,
        _sender: Sender,
        _segment: &Segment<'_>,
        _start: Duration,
    ) -> io::Result<()> {
        Ok(())
    }

    /// The packet of a segment, as it was captured; before the segment.
    fn packet(&mut self, _talk: &Talk, _packet: &Packet<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Something that happened. Times are shown since `start`.
    fn entry(&mut self, talk: &Talk, entry: &Entry<'_>, start: Duration) -> io::Result<()>;

    /// Shows what there is so far.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The end of the capture.
    fn finish(self: Box<Self>, summary: &Summary) -> io::Result<()>;
}

/// What is known of the file as a whole.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) packets: u64,
    pub(crate) segments: u64,
    pub(crate) skipped: BTreeMap<Skipped, u64>,
    /// Where it was cut off.
    pub(crate) cut: Option<u64>,
}

/// The view that was asked for.
pub(crate) fn of(args: &Args, out: Box<dyn Write>) -> io::Result<Box<dyn View>> {
    Ok(match &args.show {
        Show::Timeline => Box::new(timeline::Timeline::new(args, out)),
        Show::Stats => Box::new(stats::Stats::new(out)),
        Show::Json => Box::new(json::Lines::new(out)),
        Show::Har => Box::new(har::Har::new(out)),
        Show::Svg => Box::new(svg::Svg::new(args, out)),
        Show::Pcap(path) => Box::new(pcap::Pcap::new(path, out)),
        Show::Extract(folder) => Box::new(extract::Extract::new(folder, out)?),
    })
}

/// Whether anything of a conversation is shown.
pub(crate) fn shows(filter: &Filter, talk: &Talk) -> bool {
    let host = filter.host.is_none_or(|(ip, port)| {
        let ends = [talk.client, talk.server];
        ends.iter()
            .any(|end| end.ip() == ip && port.is_none_or(|port| port == end.port()))
    });
    host && filter
        .conversation
        .is_none_or(|number| number == talk.number)
}

/// Whether a thing is shown.
pub(crate) fn passes(filter: &Filter, entry: &Entry<'_>) -> bool {
    if !filter.is_of_things() || matches!(entry.what, What::Tcp(Kind::Begin { .. })) {
        return true;
    }
    let What::Seen(seen) = &entry.what else {
        return false;
    };
    let within = |bytes: &[u8], text: &str| {
        bytes
            .windows(text.len().max(1))
            .any(|at| at == text.as_bytes())
    };
    // What is joined over a hole was never said.
    let has = |seen: &Seen<'_>, text: &str| match seen {
        Seen::Message(message) => message
            .stretches()
            .any(|stretch| matches!(stretch, Stretch::Known(bytes) if within(bytes, text))),
        _ => within(payload(seen), text),
    };
    filter.from.is_none_or(|from| from == entry.sender)
        && filter
            .opcode
            .is_none_or(|opcode| opcode_of(seen) == Some(opcode))
        && (!filter.errors || !violations(seen).is_empty())
        && filter.text.as_ref().is_none_or(|text| has(seen, text))
}

fn opcode_of(seen: &Seen<'_>) -> Option<Opcode> {
    match seen {
        Seen::Frame(frame) => frame.opcode(),
        Seen::Message(message) => Some(match message.kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        }),
        Seen::Ping { .. } => Some(Opcode::Ping),
        Seen::Pong { .. } => Some(Opcode::Pong),
        Seen::Close { .. } => Some(Opcode::Close),
        _ => None,
    }
}

/// All rules that it breaks.
fn violations(seen: &Seen<'_>) -> Vec<Violation> {
    match seen {
        Seen::Request(head) | Seen::Response(head) => head.violation().into_iter().collect(),
        Seen::Frame(frame) => frame.violations().collect(),
        Seen::Message(message) => message.violation.into_iter().collect(),
        Seen::Close { violation, .. } => violation.iter().copied().collect(),
        Seen::Broken(violation) => vec![*violation],
        _ => Vec::new(),
    }
}

fn payload<'a>(seen: &Seen<'a>) -> &'a [u8] {
    match seen {
        Seen::Request(head) | Seen::Response(head) => head.bytes(),
        Seen::Ping { payload, .. } | Seen::Pong { payload, .. } => payload,
        Seen::Close { reason, .. } => reason,
        _ => &[],
    }
}

fn kind(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Text => "text",
        MessageKind::Binary => "binary",
    }
}

fn sender(sender: Sender) -> &'static str {
    match sender {
        Sender::Client => "client",
        Sender::Server => "server",
    }
}

/// What is not there of a message; nothing for all of it.
fn missing(message: &SeenMessage<'_>) -> Option<&'static str> {
    match message.content {
        Content::Whole => None,
        Content::Cut => Some("cut: it is longer than the limit"),
        Content::Holes if message.encoded => {
            Some("in part: it is compressed with messages that were not captured")
        }
        Content::Holes => Some("bytes are missing from the capture"),
        Content::Unknown => {
            Some("unknown: bytes of its compressed form are missing from the capture")
        }
        Content::Corrupt => Some("its compression is broken"),
        _ => Some("incomplete"),
    }
}

/// The name of an opcode, of reserved ones too.
fn opcode(number: u8) -> String {
    match Opcode::new(number) {
        Some(Opcode::Continuation) => "continuation".to_owned(),
        Some(Opcode::Text) => "text".to_owned(),
        Some(Opcode::Binary) => "binary".to_owned(),
        Some(Opcode::Close) => "close".to_owned(),
        Some(Opcode::Ping) => "ping".to_owned(),
        Some(Opcode::Pong) => "pong".to_owned(),
        _ => format!("opcode {number}"),
    }
}

impl Summary {
    pub(crate) fn skip(&mut self, skipped: Skipped) {
        *self.skipped.entry(skipped).or_default() += 1;
    }

    /// What is not shown, and why: a line each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self
            .skipped
            .iter()
            .map(|(skipped, packets)| {
                let packets = count(*packets, "packet");
                match skipped {
                    Skipped::NoIp => format!("{packets} without IP"),
                    Skipped::NoTcp => format!("{packets} without TCP"),
                    Skipped::Fragment => format!("{packets} that are fragments of others"),
                    Skipped::Short => format!("{packets} with headers that the capture has cut"),
                    Skipped::Malformed => format!("{packets} with headers that cannot be"),
                    Skipped::Link(link) => {
                        format!("{packets} of link type {link}, which this program does not know")
                    }
                }
            })
            .collect();
        if let Some(offset) = self.cut {
            notes.push(format!(
                "the file is cut off: it ends within what begins at byte {offset}"
            ));
        }
        notes
    }
}
