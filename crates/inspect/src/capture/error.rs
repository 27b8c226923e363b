//! What is wrong with a file, and where.

use std::{fmt, io};

use super::LONGEST;

/// Why no further packet can be read.
#[derive(Debug)]
pub struct Error {
    /// What is wrong.
    pub problem: Problem,
    /// Where the part begins that is wrong, in bytes from the beginning of the file, unpacked.
    pub offset: u64,
    /// How many packets were read before.
    pub packets: u64,
}

/// What can be wrong with a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// It could not be read.
    Io(io::Error),
    /// There is nothing in it.
    Empty,
    /// It begins with these bytes.
    NoCapture(Vec<u8>),
    /// It has a version of its format that nobody has used.
    Version(u16, u16),
    /// A packet says that it has so many bytes.
    TooLong(u32),
    /// A section does not say its byte order.
    ByteOrder(u32),
    /// A block says that it has so many bytes.
    BlockLength(u32),
    /// A block has one length at its beginning and another one at its end.
    Trailer(u32, u32),
    /// A packet of an interface that there is not, and how many there are.
    NoInterface(u32, usize),
    /// A packet with more bytes than its block has.
    PacketInBlock(u32, usize),
    /// Secrets with more bytes than their block has.
    SecretsInBlock(u32, usize),
    /// More interfaces than this.
    Interfaces(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Io(_) | Problem::Empty | Problem::NoCapture(_) => {}
            _ if self.packets == 0 => write!(f, "at byte {}: ", self.offset)?,
            _ => write!(
                f,
                "at byte {}, after packet {}: ",
                self.offset, self.packets
            )?,
        }
        self.problem.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "reading failed: {error}"),
            Self::Empty => f.write_str("the file is empty"),
            Self::NoCapture(first) => {
                f.write_str("this is no capture: pcap and pcapng do not begin with")?;
                first.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
            }
            Self::Version(major, minor) => {
                write!(f, "version {major}.{minor} of the format is not known")
            }
            Self::TooLong(length) => {
                write!(
                    f,
                    "a packet that says it has {length} bytes, above {LONGEST}: the file is damaged here"
                )
            }
            Self::ByteOrder(word) => write!(
                f,
                "a section with the byte order {word:08x}: the file is damaged here"
            ),
            Self::BlockLength(length) => write!(
                f,
                "a block that cannot have {length} bytes: the file is damaged here"
            ),
            Self::Trailer(first, last) => {
                write!(
                    f,
                    "a block of {first} bytes that ends with the length {last}: the file is damaged here"
                )
            }
            Self::NoInterface(number, all) => {
                write!(
                    f,
                    "a packet of interface {number}, of which the file has {all}"
                )
            }
            Self::PacketInBlock(length, room) => {
                write!(
                    f,
                    "a packet of {length} bytes in a block that has room for {room}: the file is damaged here"
                )
            }
            Self::SecretsInBlock(length, room) => {
                write!(
                    f,
                    "secrets of {length} bytes in a block that has room for {room}: the file is damaged here"
                )
            }
            Self::Interfaces(most) => write!(f, "more than {most} interfaces"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
