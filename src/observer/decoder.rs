//! What decodes the messages of one direction, also where earlier ones were not all seen.

use alloc::boxed::Box;

use crate::extension::{DecodeError, MessageCodec};

/// A codec, and a second one where messages may refer to some that were not seen.
///
/// What was not seen is one byte for the one codec and another one for its twin. So what they
/// agree on does not come from there, and what they differ in does; lengths are the same.
pub(super) struct Decoder {
    codec: Box<dyn MessageCodec>,
    /// Later messages may refer to earlier ones.
    takes_over: bool,
    /// Earlier messages were not all seen.
    lost: bool,
    twin: Option<Twin>,
}

struct Twin {
    codec: Box<dyn MessageCodec>,
    /// A message may refer to so many bytes before it.
    window: usize,
    /// So many bytes in a row came out known last.
    known: usize,
}

/// A piece that came out, and the same of the twin.
type Piece<'d> = (&'d [u8], &'d [u8]);

impl Decoder {
    pub(super) fn new(codec: Box<dyn MessageCodec>, takes_over: bool) -> Self {
        Self {
            codec,
            takes_over,
            lost: false,
            twin: None,
        }
    }

    /// Earlier messages were not all seen; `twin` is made as the codec was.
    pub(super) fn lose(&mut self, twin: Option<Box<dyn MessageCodec>>) {
        self.lost = true;
        if let Some(mut codec) = twin.filter(|_| self.takes_over)
            && let Some(window) = self.codec.assume(0x00)
            && codec.assume(0xff) == Some(window)
        {
            self.twin = Some(Twin {
                codec,
                window,
                known: 0,
            });
        }
    }

    /// A message may refer to some that were not seen.
    pub(super) fn is_lost(&self) -> bool {
        self.lost && self.takes_over
    }

    pub(super) fn frame_begins(&mut self, payload_len: u64) {
        self.codec.frame_begins(payload_len);
        if let Some(twin) = &mut self.twin {
            twin.codec.frame_begins(payload_len);
        }
    }

    pub(super) fn room(&self) -> usize {
        self.codec.room(0)
    }

    /// The next piece of a message, as [`MessageCodec::decode`].
    pub(super) fn decode<'d>(
        &'d mut self,
        input: &mut &[u8],
        last: bool,
        room: &'d mut [u8],
        limit: u64,
    ) -> Result<Option<Piece<'d>>, DecodeError> {
        // All that a message may refer to is known.
        if (self.twin.as_ref()).is_some_and(|twin| twin.known >= twin.window) {
            self.twin = None;
            self.lost = false;
        }
        let mut same = *input;
        let one = self.codec.decode(input, last, room, limit)?;
        let Some(twin) = &mut self.twin else {
            return Ok(one.map(|piece| (piece, piece)));
        };
        let other = twin.codec.decode(&mut same, last, &mut [], limit)?;
        let (one, other) = match (one, other) {
            (None, None) => return Ok(None),
            (Some(one), Some(other)) if one.len() == other.len() => (one, other),
            _ => return Err(DecodeError::Corrupt),
        };
        let known = if one == other {
            one.len()
        } else {
            let backwards = one.iter().zip(other).rev();
            backwards.take_while(|(a, b)| a == b).count()
        };
        twin.known = if known == one.len() {
            twin.known.saturating_add(known)
        } else {
            known
        };
        Ok(Some((one, other)))
    }

    /// Between messages: gives up what can be had again.
    pub(super) fn park(&mut self) {
        self.codec.shrink();
        if let Some(twin) = &mut self.twin {
            twin.codec.shrink();
        }
    }

    pub(super) fn memory_held(&self) -> usize {
        let held = |codec: &dyn MessageCodec| size_of_val(codec) + codec.memory_held();
        held(&*self.codec) + self.twin.as_ref().map_or(0, |twin| held(&*twin.codec))
    }
}
