//! One conversation as a sequence diagram: an arrow for each packet, a column of states for each end.

use std::io::{self, Write};
use std::mem;
use std::time::Duration;

use crate::tls::Told;
use sansocket::State;
use sansocket::observer::{Frame, Seen};
use sansocket_tcp_streams::{Kind, Segment, Sender};

use super::picture::{Picture, WIDTH, wrapped};
use super::words::{Words, brought_by, label, only_acknowledges, state, time, verdict};
use super::{Summary, View, opcode, sender, violations};
use crate::args::Args;
use crate::follow::{Entry, Talk, What};
use crate::text::{Paint, address, count};

/// The columns of the client's states and the server's.
const ENDS: [u32; 2] = [250, 860];
/// Where numbers of packets end and times begin, and where what a packet brings begins.
const NUMBER: u32 = 52;
const TIME: u32 = 64;
const TEXT: u32 = ENDS[0] + 22;
/// What fits between the columns.
const COLUMNS: usize = 78;
const LINE: u32 = 16;
/// Where the columns begin.
const TOP: u32 = 64;
/// What nobody would look through is not drawn, and said.
const LINES: usize = 10_000;

pub(crate) struct Svg {
    out: Box<dyn Write>,
    words: Words,
    brief: bool,
    picture: Picture,
    /// The conversation that is drawn.
    drawn: Option<u64>,
    title: String,
    verdict: Option<String>,
    /// The packet that is read, until something of it is drawn.
    row: Option<Row>,
    packet: u64,
    /// The last line that was drawn, and the arrow of the packet.
    y: u32,
    arrow: u32,
    lines: usize,
    /// The state of each end, and the height from which on.
    states: [(State, u32); 2],
    /// An end has ended TCP.
    ended: bool,
    others: u64,
    undrawn: u64,
}

/// What is drawn of a packet itself.
struct Row {
    packet: u64,
    time: String,
    from: Sender,
    label: String,
    plain: bool,
}

impl Svg {
    pub(crate) fn new(args: &Args, out: Box<dyn Write>) -> Self {
        Self {
            out,
            words: Words::new(args, Paint(false)),
            brief: args.brief || args.filter.is_of_things(),
            picture: Picture::default(),
            drawn: None,
            title: "No TCP conversation in the capture".to_owned(),
            verdict: None,
            row: None,
            packet: 0,
            y: TOP,
            arrow: TOP,
            lines: 0,
            states: [(State::Initial, TOP); 2],
            ended: false,
            others: 0,
            undrawn: 0,
        }
    }

    fn begin(&mut self, talk: &Talk, from_start: bool) {
        if self.drawn.is_some() {
            self.others += 1;
            return;
        }
        self.drawn = Some(talk.number);
        let how = if from_start {
            ""
        } else {
            ", begun before the capture"
        };
        self.title = format!(
            "Conversation {}: client {}, server {}{how}",
            talk.number,
            address(talk.client),
            address(talk.server)
        );
        for (x, name) in ENDS.into_iter().zip(["client", "server"]) {
            self.picture.text("loud middle", [x, TOP - 12], name);
        }
    }

    /// Draws the packet that is read, if it was not.
    fn row(&mut self) {
        let Some(row) = self.row.take() else {
            return;
        };
        if self.full() {
            return;
        }
        self.y += LINE * 2 + 2;
        self.arrow = self.y;
        let y = self.y;
        let mark = y + 4;
        self.picture
            .text("quiet end", [NUMBER, mark], &row.packet.to_string());
        self.picture.text("quiet", [TIME, mark], &row.time);
        let [client, server] = [ENDS[0] + 8, ENDS[1] - 8];
        let (ends, class) = match row.from {
            Sender::Client => ([client, server], "client"),
            Sender::Server => ([server, client], "server"),
        };
        let weight = if row.plain { "quiet" } else { "loud" };
        let middle = u32::midpoint(client, server);
        self.picture
            .text(&format!("{weight} middle"), [middle, y - 5], &row.label);
        self.picture.arrow(class, ends, y);
    }

    /// Whether so much was drawn that this is not.
    fn full(&mut self) -> bool {
        let full = self.lines >= LINES;
        self.lines += 1;
        self.undrawn += u64::from(full);
        full
    }

    fn line(&mut self, entry: &Entry<'_>, class: &str, line: &str) {
        self.row();
        let of = brought_by(entry, self.packet);
        for line in wrapped(&format!("{line}{of}"), COLUMNS) {
            if !self.full() {
                // The first one keeps off the arrow.
                self.y += LINE + if self.y == self.arrow { 2 } else { 0 };
                self.picture.text(class, [TEXT, self.y], &line);
            }
        }
    }

    fn seen(&mut self, entry: &Entry<'_>, seen: &Seen<'_>) {
        if let Seen::Frame(frame) = seen {
            self.line(entry, "quiet", &summary(frame));
        }
        let head = matches!(seen, Seen::Request(_) | Seen::Response(_));
        for (n, line) in self.words.seen(seen).iter().enumerate() {
            let class = match seen {
                Seen::Frame(_) => "quiet",
                _ if head && n != 0 => "quiet",
                Seen::Lost { .. } => "wrong",
                _ => "",
            };
            self.line(entry, class, line);
        }
        for violation in violations(seen) {
            let line = self.words.violation(&violation);
            self.line(entry, "wrong", &line);
        }
    }

    fn tcp(&mut self, talk: &Talk, entry: &Entry<'_>, kind: Kind<'_>) {
        let who = sender(entry.sender);
        match kind {
            Kind::Begin { from_start, .. } => self.begin(talk, from_start),
            Kind::Fin => {
                let first = if self.ended { ", too" } else { " first" };
                self.ended = true;
                self.line(entry, "loud", &format!("the {who} ends TCP{first}"));
            }
            Kind::Reset => self.line(entry, "wrong", &format!("the {who} resets TCP")),
            _ => {
                let class = match kind {
                    Kind::Gap(_) | Kind::Differs | Kind::AfterFin(_) => "wrong",
                    _ => "quiet",
                };
                if let Some(line) = self.words.tcp(talk, entry, kind) {
                    self.line(entry, class, &line);
                }
            }
        }
    }

    fn change(&mut self, states: [State; 2]) {
        self.row();
        for (end, new) in states.into_iter().enumerate() {
            let (old, from) = self.states[end];
            if new != old && !self.full() {
                // A second change by one packet stands below the first one.
                let at = self.arrow.max(from + LINE);
                self.column(end, at);
                self.states[end] = (new, at);
                self.y = self.y.max(at);
            }
        }
    }

    /// The state of an end, which has lasted so long.
    fn column(&mut self, end: usize, to: u32) {
        let (old, from) = self.states[end];
        let (class, x) = if end == 0 {
            ("end", ENDS[0] - 10)
        } else {
            ("", ENDS[1] + 10)
        };
        self.picture.column(state(old), ENDS[end], [from, to]);
        self.picture.text(class, [x, from + 5], state(old));
    }

    fn note(&mut self, class: &str, note: &str) {
        for line in wrapped(note, (WIDTH / 8) as usize) {
            self.y += LINE + 2;
            self.picture.text(class, [NUMBER, self.y], &line);
        }
    }
}

impl View for Svg {
    fn segment(
        &mut self,
        talk: &Talk,
        from: Sender,
        segment: &Segment<'_>,
        start: Duration,
    ) -> io::Result<()> {
        if self.drawn != Some(talk.number) {
            return Ok(());
        }
        if !self.brief {
            self.row();
        }
        self.row = Some(Row {
            packet: segment.packet,
            time: time(segment, start),
            from,
            label: label(segment),
            plain: only_acknowledges(segment),
        });
        self.packet = segment.packet;
        Ok(())
    }

    fn entry(&mut self, talk: &Talk, entry: &Entry<'_>, _start: Duration) -> io::Result<()> {
        let begins = matches!(entry.what, What::Tcp(Kind::Begin { .. }));
        if self.drawn != Some(talk.number) && !begins {
            return Ok(());
        }
        match &entry.what {
            What::Tcp(kind) => self.tcp(talk, entry, *kind),
            What::Tls(told) => {
                let class = match told {
                    Told::Gap(_) => "wrong",
                    Told::Unreadable(_) => "",
                    _ => "quiet",
                };
                if let Some(line) = self.words.tls(*told) {
                    self.line(entry, class, &line);
                }
            }
            What::Seen(seen) => self.seen(entry, seen),
            What::GivenUp => {
                let line = self.words.given_up();
                self.line(entry, "wrong", &line);
            }
            What::States(states) => self.change(*states),
            What::Report(report) => self.verdict = Some(verdict(report)),
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        if !self.brief {
            self.row();
        }
        let title = mem::take(&mut self.title);
        self.picture.text("loud", [NUMBER, 28], &title);
        if self.drawn.is_some() {
            self.y += LINE * 2;
            for end in 0..2 {
                self.column(end, self.y);
            }
            self.y += LINE;
        }
        if let Some(verdict) = self.verdict.take() {
            self.note("loud", &verdict);
        }
        let mut notes = summary.notes();
        if self.others != 0 {
            notes.push(count(self.others, "other conversation"));
        }
        if self.undrawn != 0 {
            notes.push(count(self.undrawn, "more line"));
        }
        for note in notes {
            self.note("quiet", &format!("not shown: {note}"));
        }
        self.picture.write(&mut self.out, self.y + 24, &title)?;
        self.out.flush()
    }
}

/// A frame in a line.
fn summary(frame: &Frame) -> String {
    let mut line = format!("{} frame", opcode(frame.opcode_number()));
    if frame.fin() {
        line += ", FIN";
    }
    if frame.reserved_bits() != 0 {
        line += &format!(", RSV {:03b}", frame.reserved_bits());
    }
    if frame.masking_key().is_some() {
        line += ", masked";
    }
    line + &format!(", {}", count(frame.payload_len(), "byte"))
}
