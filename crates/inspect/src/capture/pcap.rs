//! The format of libpcap: a header, then packets.

use std::io::Read;
use std::time::Duration;

use super::source::Source;
use super::{LONGEST, Problem, Step};

/// What the first bytes of a file say.
pub(super) struct Header {
    big: bool,
    nanoseconds: bool,
    /// Bytes before each packet.
    record: usize,
    link: u32,
}

impl Header {
    /// Takes the header; none if the file ends in it.
    pub(super) fn read<R: Read>(source: &mut Source<R>) -> Result<Option<Self>, Problem> {
        let magic = source.word(0, false);
        let (big, magic) = match magic {
            0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34 => (false, magic),
            0xd4c3_b2a1 | 0x4d3c_b2a1 | 0x34cd_b2a1 => (true, magic.swap_bytes()),
            _ => return Err(Problem::NoCapture(magic.to_le_bytes().to_vec())),
        };
        if !source.have(24)? {
            return Ok(None);
        }
        let version = (source.half(4, big), source.half(6, big));
        if version.0 != 2 {
            return Err(Problem::Version(version.0, version.1));
        }
        // The upper bits are about checksums of the link.
        let link = source.word(20, big) & 0xffff;
        source.skip(24);
        let nanoseconds = magic == 0xa1b2_3c4d;
        let record = if magic == 0xa1b2_cd34 { 24 } else { 16 };
        Ok(Some(Self {
            big,
            nanoseconds,
            record,
            link,
        }))
    }

    pub(super) fn step<R: Read>(&self, source: &mut Source<R>) -> Result<Step, Problem> {
        if !source.have(self.record)? {
            return Ok(Step::End {
                whole: source.peek().is_empty(),
            });
        }
        let [seconds, part, captured, length] = source.words(self.big);
        if captured > LONGEST {
            return Err(Problem::TooLong(captured));
        }
        if !source.have(self.record + captured as usize)? {
            return Ok(Step::End { whole: false });
        }
        source.take(self.record, 0);
        let nanoseconds = u64::from(part) * if self.nanoseconds { 1 } else { 1000 };
        Ok(Step::Packet {
            time: Duration::from_secs(seconds.into()) + Duration::from_nanos(nanoseconds),
            link: self.link,
            length: length.max(captured),
            captured: captured as usize,
            after: 0,
        })
    }
}
