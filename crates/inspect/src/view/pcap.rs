//! The packets of one conversation, as a capture of their own.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capture::Packet;

use super::{Summary, View};
use crate::dump::Dump;
use crate::follow::{Entry, Talk};
use crate::text::{address, count};

pub(crate) struct Pcap {
    path: PathBuf,
    out: Box<dyn Write>,
    written: Option<Written>,
}

/// The conversation that is written.
struct Written {
    number: u64,
    ends: String,
    dump: Dump<BufWriter<File>>,
    link: u32,
    packets: u64,
    /// How many packets were left out, as they came from another kind of network: the format has room for one.
    others: u64,
}

impl Pcap {
    pub(crate) fn new(path: &Path, out: Box<dyn Write>) -> Self {
        Self {
            path: path.to_owned(),
            out,
            written: None,
        }
    }

    fn begin(&self, talk: &Talk, link: u32) -> io::Result<Written> {
        let path = &self.path;
        let file = File::create(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        let ends = format!(
            "client {}, server {}",
            address(talk.client),
            address(talk.server)
        );
        Ok(Written {
            number: talk.number,
            ends,
            dump: Dump::new(BufWriter::new(file), link)?,
            link,
            packets: 0,
            others: 0,
        })
    }
}

impl View for Pcap {
    fn packet(&mut self, talk: &Talk, packet: &Packet<'_>) -> io::Result<()> {
        let written = match self.written.take() {
            Some(written) => written,
            None => self.begin(talk, packet.link)?,
        };
        let written = self.written.insert(written);
        if written.number != talk.number {
            return Ok(());
        }
        if written.link != packet.link {
            written.others += 1;
            return Ok(());
        }
        written.packets += 1;
        written.dump.packet(packet.time, packet.length, packet.data)
    }

    fn entry(&mut self, _talk: &Talk, _entry: &Entry<'_>, _start: Duration) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.written.as_mut().map_or(Ok(()), |it| it.dump.flush())
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        self.flush()?;
        match &self.written {
            Some(it) => {
                let (packets, number, ends) = (count(it.packets, "packet"), it.number, &it.ends);
                writeln!(
                    self.out,
                    "{}: {packets} of conversation {number}, {ends}",
                    self.path.display()
                )?;
                if it.others != 0 {
                    let others = count(it.others, "packet");
                    writeln!(
                        self.out,
                        "not written: {others} of another kind of network, as a pcap file has one only"
                    )?;
                }
            }
            None => writeln!(
                self.out,
                "no TCP conversation in the capture: nothing is written"
            )?,
        }
        for note in summary.notes() {
            writeln!(self.out, "not written: {note}")?;
        }
        self.out.flush()
    }
}
