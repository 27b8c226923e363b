//! What all of it sums up to.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use crate::tls::Told;
use sansocket::observer::Seen;
use sansocket_tcp_streams::{Kind, Sender};

use super::{Summary, View, missing, sender, violations};
use crate::follow::{Entry, Talk, What};
use crate::text::{count, seconds};

#[derive(Default)]
pub(crate) struct Totals {
    conversations: u64,
    opened: u64,
    clean: u64,
    skipped: u64,
    given_up: u64,
    tls: u64,
    unread: BTreeMap<String, u64>,
    bytes: u64,
    missing: u64,
    again: u64,
    resets: u64,
    sides: [Side; 2],
    compressed: [u64; 2],
    round_trips: Option<RoundTrips>,
    closes: BTreeMap<Option<u16>, u64>,
    /// By the rule, who broke it and how often: there are only so many rules.
    rules: BTreeMap<String, [u64; 2]>,
}

#[derive(Default)]
struct Side {
    messages: u64,
    bytes: u64,
    longest: u64,
    incomplete: u64,
    pings: u64,
    pongs: u64,
}

struct RoundTrips {
    least: Duration,
    most: Duration,
    sum: Duration,
    count: u32,
}

pub(crate) struct Stats {
    out: Box<dyn Write>,
    totals: Totals,
}

impl Stats {
    pub(crate) fn new(out: Box<dyn Write>) -> Self {
        Self {
            out,
            totals: Totals::default(),
        }
    }
}

impl Totals {
    fn tcp(&mut self, kind: Kind<'_>) {
        match kind {
            Kind::Begin { .. } => self.conversations += 1,
            Kind::Data(bytes) => self.bytes += bytes.len() as u64,
            Kind::Gap(n) => self.missing += n,
            Kind::Again(n) => self.again += n,
            Kind::Reset => self.resets += 1,
            _ => {}
        }
    }

    fn seen(&mut self, from: Sender, seen: &Seen<'_>) {
        let side = usize::from(from == Sender::Server);
        for violation in violations(seen) {
            self.rules.entry(violation.rule().to_string()).or_default()[side] += 1;
        }
        let own = &mut self.sides[side];
        match seen {
            Seen::Message(message) => {
                own.messages += 1;
                own.bytes += message.len;
                own.longest = own.longest.max(message.len);
                own.incomplete += u64::from(missing(message).is_some());
                if message.encoded {
                    self.compressed[0] += message.len;
                    self.compressed[1] += message.wire_len;
                }
            }
            Seen::Ping { .. } => own.pings += 1,
            Seen::Pong { round_trip, .. } => {
                own.pongs += 1;
                if let Some(time) = round_trip {
                    self.round_trip(*time);
                }
            }
            Seen::Close { code, .. } => *self.closes.entry(*code).or_default() += 1,
            _ => {}
        }
    }

    fn tls(&mut self, told: Told<'_>) {
        match told {
            Told::Agreed { .. } => self.tls += 1,
            Told::Unreadable(why) => *self.unread.entry(why.to_string()).or_default() += 1,
            _ => {}
        }
    }

    fn round_trip(&mut self, time: Duration) {
        let none = RoundTrips {
            least: time,
            most: time,
            sum: Duration::ZERO,
            count: 0,
        };
        let all = self.round_trips.get_or_insert(none);
        all.least = all.least.min(time);
        all.most = all.most.max(time);
        all.sum = all.sum.saturating_add(time);
        all.count = all.count.saturating_add(1);
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "TCP            {}",
            count(self.conversations, "conversation")
        )?;
        writeln!(out, "  bytes        {}", self.bytes)?;
        writeln!(out, "  missing      {}", self.missing)?;
        writeln!(out, "  repeated     {}", self.again)?;
        writeln!(out, "  resets       {}", self.resets)?;
        writeln!(out, "WebSocket      {}", count(self.opened, "connection"))?;
        writeln!(out, "  closed       {} cleanly", self.clean)?;
        if self.skipped != 0 {
            writeln!(
                out,
                "  not read     {} before frames that were found",
                count(self.skipped, "byte")
            )?;
        }
        for (code, n) in &self.closes {
            let code = code.map_or("none".to_owned(), |code| code.to_string());
            writeln!(out, "  code {code:<8}{n}")?;
        }
        self.write_sides(out)?;
        self.write_rest(out)?;
        for (rule, [client, server]) in &self.rules {
            writeln!(
                out,
                "broken         {rule}: client {client}, server {server}"
            )?;
        }
        Ok(())
    }

    fn write_sides(&self, out: &mut dyn Write) -> io::Result<()> {
        for (from, side) in [Sender::Client, Sender::Server]
            .into_iter()
            .zip(&self.sides)
        {
            writeln!(
                out,
                "{:<15}{}",
                sender(from),
                count(side.messages, "message")
            )?;
            writeln!(
                out,
                "  bytes        {}, the longest {}",
                side.bytes, side.longest
            )?;
            if side.incomplete != 0 {
                writeln!(out, "  incomplete   {}", side.incomplete)?;
            }
            writeln!(out, "  pings, pongs {}, {}", side.pings, side.pongs)?;
        }
        Ok(())
    }

    /// What there is not always.
    fn write_rest(&self, out: &mut dyn Write) -> io::Result<()> {
        let [plain, wire] = self.compressed;
        if plain != 0 {
            writeln!(
                out,
                "compressed     {plain} bytes to {wire}, {:.1} %",
                wire as f64 * 100.0 / plain as f64
            )?;
        }
        if self.given_up != 0 {
            writeln!(
                out,
                "  given up     {}: what later messages copied from was too much for --memory",
                count(self.given_up, "time")
            )?;
        }
        if let Some(all) = &self.round_trips {
            let mean = seconds(all.sum / all.count);
            writeln!(
                out,
                "round trips    {} to {} s, {mean} on average",
                seconds(all.least),
                seconds(all.most)
            )?;
        }
        if self.tls != 0 || !self.unread.is_empty() {
            writeln!(out, "TLS            {}", count(self.tls, "session"))?;
        }
        for (why, n) in &self.unread {
            writeln!(out, "  not read     {n}: {why}")?;
        }
        Ok(())
    }
}

impl View for Stats {
    fn entry(&mut self, _talk: &Talk, entry: &Entry<'_>, _start: Duration) -> io::Result<()> {
        match &entry.what {
            What::Tcp(kind) => self.totals.tcp(*kind),
            What::Tls(told) => self.totals.tls(*told),
            What::Seen(seen) => self.totals.seen(entry.sender, seen),
            What::Report(report) => {
                self.totals.opened += u64::from(report.opened);
                self.totals.clean += u64::from(report.is_clean());
                self.totals.skipped += report.client_skipped + report.server_skipped;
            }
            What::GivenUp => self.totals.given_up += 1,
            What::States(_) => {}
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        let (packets, segments) = (summary.packets, summary.segments);
        writeln!(self.out, "packets        {packets}, {segments} of them TCP")?;
        for note in summary.notes() {
            writeln!(self.out, "  left out     {note}")?;
        }
        self.totals.write(&mut *self.out)?;
        self.out.flush()
    }
}
