//! Files of captured packets: pcap and pcapng, as they are or packed with gzip.
//!
//! They are read in blocks, from anything that can be read: a file that is larger than the memory, a pipe, a file that
//! still grows.

mod error;
mod pcap;
mod pcapng;
mod source;

use std::io::{self, Cursor, Read};
use std::time::Duration;

use flate2::read::MultiGzDecoder;

pub use error::{Error, Problem};

use source::Source;

/// The most that a packet may say that it has. What captures is content with 256 KiB.
pub const LONGEST: u32 = 16 << 20;

/// A packet as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Counts from 1, as other programs do.
    pub number: u64,
    /// Since the beginning of 1970, if the file says when.
    pub time: Duration,
    /// What its first header is: a [number of tcpdump's list](https://www.tcpdump.org/linktypes.html).
    pub link: u32,
    /// How long it was, in bytes.
    pub length: u32,
    /// What of it was captured.
    pub data: &'a [u8],
}

/// Reads packets one after the other.
pub struct Reader<R> {
    source: Source<R>,
    format: Option<Format>,
    packets: u64,
    /// Where a packet begins that the file does not have whole.
    cut: Option<u64>,
}

enum Format {
    Pcap(pcap::Header),
    PcapNg(pcapng::Section),
}

/// What a step of a format has found.
enum Step {
    /// So many bytes of a packet come next, and then so many of something else.
    Packet {
        time: Duration,
        link: u32,
        length: u32,
        captured: usize,
        after: usize,
    },
    /// So many bytes of a key log of TLS come next, and then so many of something else.
    Secrets { length: usize, after: usize },
    /// Something else, which is done with.
    Other,
    /// The file ends, here or before what it says would come.
    End { whole: bool },
}

impl<R: Read> Reader<R> {
    /// Reads from the beginning of a file.
    pub fn new(input: R) -> Self {
        Self {
            source: Source::new(input),
            format: None,
            packets: 0,
            cut: None,
        }
    }

    /// The next packet, or none at the end of the file. If the file has grown, it can be asked again.
    ///
    /// # Errors
    ///
    /// If the input fails, is no capture, or is damaged, so that what follows cannot be found.
    pub fn read(&mut self) -> Result<Option<Packet<'_>>, Error> {
        self.read_with(&mut |_| {})
    }

    /// The same, and tells the secrets that stand before the packet: lines of a key log of TLS, for
    /// [`KeyLog`](crate::tls::KeyLog).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_with(
        &mut self,
        secrets: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Packet<'_>>, Error> {
        loop {
            let begin = self.source.offset();
            match self.step() {
                Ok(Step::Packet {
                    time,
                    link,
                    length,
                    captured,
                    after,
                }) => {
                    self.packets += 1;
                    let number = self.packets;
                    let data = self.source.take(captured, after);
                    return Ok(Some(Packet {
                        number,
                        time,
                        link,
                        length,
                        data,
                    }));
                }
                Ok(Step::Secrets { length, after }) => secrets(self.source.take(length, after)),
                Ok(Step::Other) => {}
                Ok(Step::End { whole }) => {
                    self.cut = (!whole).then_some(begin);
                    return Ok(None);
                }
                Err(problem) => {
                    return Err(Error {
                        problem,
                        offset: begin,
                        packets: self.packets,
                    });
                }
            }
        }
    }

    /// Where the file was cut off, if it ended in the middle of something, in bytes from its beginning, unpacked.
    pub fn cut(&self) -> Option<u64> {
        self.cut
    }

    /// How many bytes were read, unpacked.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    fn step(&mut self) -> Result<Step, Problem> {
        match &mut self.format {
            Some(Format::Pcap(header)) => header.step(&mut self.source),
            Some(Format::PcapNg(section)) => section.step(&mut self.source),
            None => self.begin(),
        }
    }

    /// Tells the formats apart.
    fn begin(&mut self) -> Result<Step, Problem> {
        if !self.source.have(4)? {
            return match self.source.peek() {
                [] => Err(Problem::Empty),
                first => Err(Problem::NoCapture(first.to_vec())),
            };
        }
        let magic = self.source.word(0, false);
        self.format = if magic == pcapng::SECTION {
            Some(Format::PcapNg(pcapng::Section::default()))
        } else {
            let Some(header) = pcap::Header::read(&mut self.source)? else {
                return Ok(Step::End { whole: false });
            };
            Some(Format::Pcap(header))
        };
        Ok(Step::Other)
    }
}

/// Reads a capture that may be packed with gzip.
///
/// # Errors
///
/// If the input fails.
pub fn open(mut input: Box<dyn Read>) -> io::Result<Reader<Box<dyn Read>>> {
    let mut first = [0; 2];
    let mut n = 0;
    while n < first.len() {
        match input.read(&mut first[n..]) {
            Ok(0) => break,
            Ok(read) => n += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let whole = Cursor::new(first).take(n as u64).chain(input);
    Ok(if first == [0x1f, 0x8b] {
        Reader::new(Box::new(MultiGzDecoder::new(whole)))
    } else {
        Reader::new(Box::new(whole))
    })
}
