//! The head of an HTTP message out of the input, gathered where it comes in several reads (RFC 9112 §2).

use alloc::vec::Vec;
use core::mem;

use crate::config::Limits;
use crate::error::HandshakeError;
use crate::payload::{Payload, extend_within};

use super::scanner::{Scan, Scanner};

/// Reads a head, which may come in several reads.
pub(crate) struct HeadReader {
    pub(super) scanner: Scanner,
    /// The start of a head that came in several reads.
    pub(super) gathered: Vec<u8>,
}

impl HeadReader {
    pub(crate) const fn request() -> Self {
        Self {
            scanner: Scanner::request(),
            gathered: Vec::new(),
        }
    }

    pub(crate) const fn response() -> Self {
        Self {
            scanner: Scanner::response(),
            gathered: Vec::new(),
        }
    }

    /// Reads on, and gives the head when it is complete: lent from the input if it came in one piece.
    #[inline]
    pub(crate) fn read<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        limits: &Limits,
    ) -> Result<Option<Payload<'a>>, HandshakeError> {
        let gathered = self.gathered.len();
        let scan = if gathered == 0 {
            self.scanner.scan(input, limits)
        } else {
            // One byte over the limit is enough to see that it is passed.
            let max = (limits.head as usize).saturating_add(1);
            let more = &input[..max.saturating_sub(gathered).min(input.len())];
            extend_within(&mut self.gathered, more, max);
            self.scanner.scan(&self.gathered, limits)
        };
        match scan {
            Scan::More => {
                let rest = mem::take(input);
                if gathered == 0 {
                    self.gathered.extend_from_slice(rest);
                }
                Ok(None)
            }
            Scan::Bad(error) => {
                let read = mem::take(input);
                let max = limits.head as usize;
                if gathered == 0 {
                    self.gathered
                        .extend_from_slice(&read[..read.len().min(max)]);
                }
                self.gathered.truncate(max);
                Err(error)
            }
            Scan::Head(len) => {
                let (last, rest) = mem::take(input).split_at_mut(len - gathered);
                *input = rest;
                if gathered == 0 {
                    self.scanner.lower_minor(last);
                    return Ok(Some(Payload::from(last)));
                }
                let mut head = mem::take(&mut self.gathered);
                head.truncate(len);
                self.scanner.lower_minor(&mut head);
                Ok(Some(Payload::from(head)))
            }
        }
    }

    /// The request is HEAD, whose response has no content (RFC 9110 §9.3.2).
    pub(crate) const fn asks_head(&self) -> bool {
        self.scanner.start_line.is_head()
    }

    /// What was read of a head that was not handed out.
    pub(crate) fn take_read(&mut self) -> Vec<u8> {
        mem::take(&mut self.gathered)
    }

    /// Starts over for the head after one of `len` bytes, on the same limit of bytes.
    pub(crate) fn next(&mut self, len: usize) {
        self.scanner.next_head(len);
    }

    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        self.gathered.capacity()
    }
}
