//! The queue as it is kept outside of a process. Bytes that were shared are its own when it is read.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::frame::{FrameHeader, Opcode};
use crate::payload::OwnedBytes;
use crate::role::Role;
use crate::wire::{Bad, Reader, Saved, Writer};

use super::counting::{CloseProgress, EncodedFrames};
use super::room::DEFERRED;
use super::{Output, Segment, Segments};

impl Output {
    pub(crate) fn save(&self, to: &mut Writer) {
        let Self {
            tail,
            at,
            segments,
            skip,
            counted,
            buffered,
            pongs,
            close,
            codec_bit,
            lent: _, // it is of this process
        } = self;
        to.byte(match close {
            CloseProgress::None => 0,
            CloseProgress::Queued => 1,
            CloseProgress::AtFront => 2,
            CloseProgress::Left => 3,
        });
        to.number((*skip).into());
        to.number(*counted);
        to.number(*buffered);
        to.byte(*pongs);
        to.byte(*codec_bit);
        let queue = segments.as_ref().map(|segments| &segments.queue);
        let taken = if queue.is_none_or(VecDeque::is_empty) {
            *at
        } else {
            0
        };
        to.maybe(segments.as_ref(), |to, segments| segments.save(*at, to));
        to.string(tail.get(taken..).unwrap_or_default());
    }

    /// Every number in it is judged by the frames that are there.
    ///
    /// # Errors
    /// No queue of a connection in this role is like this.
    pub(crate) fn read(role: Role, from: &mut Reader<'_>) -> Result<Self, Bad> {
        let close = match from.byte()? {
            0 => CloseProgress::None,
            1 => CloseProgress::Queued,
            2 => CloseProgress::AtFront,
            3 => CloseProgress::Left,
            _ => return Err(Bad),
        };
        let output = Self {
            close,
            skip: from.small()?,
            counted: from.number()?,
            buffered: from.number()?,
            pongs: from.byte()?,
            codec_bit: from.byte()?,
            segments: from.maybe(Segments::read)?.map(Box::new),
            tail: Vec::from(from.string()?),
            at: 0,
            lent: false,
        };
        if output.fits(role) {
            Ok(output)
        } else {
            Err(Bad)
        }
    }

    /// A Close frame was queued.
    pub(crate) fn has_close(&self) -> bool {
        self.close != CloseProgress::None
    }

    /// Under a ceiling there is room for the control frames that wait for the end of a frame in pieces.
    pub(crate) fn keep_room_for_deferred(&mut self) {
        if let Some(segments) = &mut self.segments
            && segments.frame_left > 0
        {
            let spare = DEFERRED.saturating_sub(segments.deferred.len());
            segments.deferred.reserve_exact(spare);
        }
    }

    /// Goes over all that is queued as it would leave.
    fn fits(&self, role: Role) -> bool {
        if self.skip == u32::MAX {
            // Nothing counts until all has left.
            return true;
        }
        let mut seen = Seen::new(self, role);
        let queue = self.segments.iter().flat_map(|segments| &segments.queue);
        let whole = queue
            .map(|segment| &*segment.bytes)
            .chain([&self.tail[..]])
            .all(|bytes| seen.takes(bytes));
        let deferred = self.segments.as_ref();
        let deferred = deferred.map_or(&[][..], |segments| &segments.deferred);
        whole
            && seen.ends(self)
            && seen.takes_deferred(deferred, self.frame_left())
            && seen.counts(self)
    }
}

impl Segments {
    /// `at` bytes of the first segment have left.
    fn save(&self, at: usize, to: &mut Writer) {
        let Self {
            queue,
            len: _, // of the queue, as it is read
            held: _,
            frame_left,
            deferred,
            deferred_pongs,
            encoded,
        } = self;
        to.number(queue.len() as u64);
        let mut taken = at;
        for Segment { bytes, gap } in queue {
            // Nothing goes before what has begun to leave.
            to.flag(*gap && taken == 0);
            to.string(bytes.get(taken..).unwrap_or_default());
            taken = 0;
        }
        to.number(*frame_left);
        to.string(deferred);
        to.byte(*deferred_pongs);
        encoded.save(to);
    }
}

impl Segments {
    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let mut segments = Self::default();
        for _ in 0..from.number()? {
            let (gap, bytes) = (from.flag()?, from.string()?);
            if bytes.is_empty() {
                return Err(Bad);
            }
            let bytes = OwnedBytes::Vec(Vec::from(bytes));
            segments.len = segments.len.checked_add(bytes.len()).ok_or(Bad)?;
            segments.held += bytes.held();
            segments.queue.push_back(Segment { bytes, gap });
        }
        segments.frame_left = from.number()?;
        segments.deferred = Vec::from(from.string()?);
        segments.deferred_pongs = from.byte()?;
        segments.encoded = EncodedFrames::read(from)?;
        Ok(segments)
    }
}

impl Saved for EncodedFrames {
    fn save(&self, to: &mut Writer) {
        to.byte(
            u8::from(self.front)
                | u8::from(self.front_continues) << 1
                | u8::from(self.end_continues) << 2,
        );
        to.number(self.counts.len() as u64);
        for count in &self.counts {
            to.number(*count);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let facts = from.byte()?;
        if facts > 7 {
            return Err(Bad);
        }
        let mut counts = VecDeque::new();
        for _ in 0..from.number()? {
            counts.push_back(from.number()?);
        }
        Ok(Self {
            counts,
            front: facts & 1 != 0,
            front_continues: facts & 2 != 0,
            end_continues: facts & 4 != 0,
        })
    }
}

/// What a walk over the queue comes by.
struct Seen {
    masked: bool,
    codec_bit: u8,
    /// What comes before the next header: bytes that do not count, and payload.
    skip: u64,
    counted: u64,
    /// That payload is encoded.
    encoded: bool,
    continues: bool,
    /// Payload that counts by itself, and frames that count by their list.
    plain: u64,
    frames: u64,
    pongs: u64,
    closes: u64,
}

impl Seen {
    fn new(output: &Output, role: Role) -> Self {
        let encoded = output.segments.as_ref().map(|segments| &segments.encoded);
        let front = encoded.is_some_and(|encoded| encoded.front);
        Self {
            masked: role == Role::Client,
            codec_bit: output.codec_bit,
            skip: output.skip.into(),
            counted: output.counted,
            encoded: front,
            continues: encoded.is_some_and(|encoded| encoded.front_continues),
            plain: 0,
            frames: front.into(),
            pongs: 0,
            closes: 0,
        }
    }

    /// The bytes of a segment: whole headers, and payload that may go on in the next one.
    fn takes(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.skip == 0 && self.counted == 0 && !self.begins(rest) {
                return false;
            }
            let skipped = self.skip.min(rest.len() as u64);
            let counted = self.counted.min(rest.len() as u64 - skipped);
            self.skip -= skipped;
            self.counted -= counted;
            if !self.encoded {
                self.plain += counted;
            }
            // `as`: it is in memory.
            rest = &rest[(skipped + counted) as usize..];
        }
        true
    }

    /// A frame begins here.
    fn begins(&mut self, bytes: &[u8]) -> bool {
        let Ok(Some((header, len))) = FrameHeader::decode(bytes) else {
            return false;
        };
        self.skip = len as u64;
        if header.opcode.is_control() {
            self.skip += header.payload_len;
            self.pongs += u64::from(header.opcode == Opcode::Pong);
            self.closes += u64::from(header.opcode == Opcode::Close);
        } else {
            let continued = header.opcode == Opcode::Continuation && self.continues;
            self.encoded = self.codec_bit != 0 && (header.rsv & self.codec_bit != 0 || continued);
            self.continues = self.encoded && !header.fin;
            self.frames += u64::from(self.encoded);
            self.counted = header.payload_len;
        }
        header.masking_key.is_some() == self.masked
    }

    /// The last frame is whole, or lacks what is still to be given of it.
    fn ends(&self, output: &Output) -> bool {
        self.skip == 0 && self.counted == output.frame_left()
    }

    /// Control frames, which wait for the end of that frame.
    fn takes_deferred(&mut self, deferred: &[u8], frame_left: u64) -> bool {
        if deferred.is_empty() {
            return true;
        }
        let (mut rest, before) = (deferred, self.frames);
        self.counted = 0;
        while !rest.is_empty() {
            let control = rest[0] & 8 != 0;
            // `as`: a control frame is short.
            if !control || !self.begins(rest) || self.skip > rest.len() as u64 {
                return false;
            }
            rest = &rest[self.skip as usize..];
            self.skip = 0;
        }
        frame_left > 0 && self.frames == before
    }

    /// The numbers are those of the frames.
    fn counts(&self, output: &Output) -> bool {
        let counts = output.segments.as_ref().map(|all| &all.encoded.counts);
        let listed = counts.map_or(0, VecDeque::len) as u64;
        let sum = counts.into_iter().flatten();
        let sum = sum.fold(self.plain, |sum, count| sum.saturating_add(*count));
        let buffered = if output.is_empty() {
            // What was dropped stays counted.
            output.buffered >= sum
        } else {
            output.buffered == sum
        };
        let close = match output.close {
            CloseProgress::Queued => self.closes == 1,
            CloseProgress::AtFront => self.closes == 0 && output.skip > 0,
            CloseProgress::None | CloseProgress::Left => self.closes == 0,
        };
        let pongs = u64::from(output.pongs);
        let deferred_pongs = u64::from(output.deferred_pongs());
        buffered && close && listed == self.frames && deferred_pongs <= pongs && pongs <= self.pongs
    }
}
