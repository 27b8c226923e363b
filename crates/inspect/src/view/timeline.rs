//! Packet after packet, as a teacher would draw it.

use std::io::{self, Write};
use std::time::Duration;

use sansocket_tcp_streams::{Kind, Segment, Sender};

use super::words::{Words, brought_by, label, only_acknowledges, state, time, verdict};
use super::{Summary, View, violations};
use crate::args::Args;
use crate::follow::{Entry, Talk, What};
use crate::text::Paint;

/// Where what a packet brings begins.
const INDENT: &str = "                        ";

pub(crate) struct Timeline {
    out: Box<dyn Write>,
    words: Words,
    brief: bool,
    /// The line of the packet that is read, until something is shown below it.
    line: Option<String>,
    packet: u64,
}

impl Timeline {
    pub(crate) fn new(args: &Args, out: Box<dyn Write>) -> Self {
        Self {
            out,
            words: Words::new(args, Paint(args.color)),
            brief: args.brief || args.filter.is_of_things(),
            line: None,
            packet: 0,
        }
    }

    fn show(&mut self, entry: &Entry<'_>, line: &str) -> io::Result<()> {
        if let Some(line) = self.line.take() {
            writeln!(self.out, "{line}")?;
        }
        let of = brought_by(entry, self.packet);
        writeln!(self.out, "{INDENT}{line}{}", self.words.paint.quiet(of))
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
        let time = time(segment, start);
        let arrow = match from {
            Sender::Client => self.words.paint.client("C→S"),
            Sender::Server => self.words.paint.server("C←S"),
        };
        let label = label(segment);
        let (packet, number) = (segment.packet, talk.number);
        let label = if only_acknowledges(segment) {
            self.words.paint.quiet(label)
        } else {
            label
        };
        self.line = Some(format!("{packet:>6} {time:>11} #{number} {arrow} {label}"));
        self.packet = segment.packet;
        Ok(())
    }

    fn entry(&mut self, talk: &Talk, entry: &Entry<'_>, _start: Duration) -> io::Result<()> {
        match &entry.what {
            What::Tcp(kind) => {
                let Some(line) = self.words.tcp(talk, entry, *kind) else {
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
                for line in self.words.seen(seen) {
                    self.show(entry, &line)?;
                }
                for violation in violations(seen) {
                    self.show(entry, &self.words.violation(&violation))?;
                }
                Ok(())
            }
            What::Tls(told) => {
                let Some(line) = self.words.tls(*told) else {
                    return Ok(());
                };
                self.show(entry, &line)
            }
            What::GivenUp => {
                let line = format!("#{} {}", talk.number, self.words.given_up());
                self.show(entry, &line)
            }
            What::States([client, server]) => {
                let line = format!("client {}, server {}", state(*client), state(*server));
                self.show(entry, &self.words.paint.quiet(line))
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
                    self.words.paint.loud(verdict(report))
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
                self.words.paint.quiet(format!("not shown: {note}"))
            )?;
        }
        self.out.flush()
    }
}
