//! The input of calls, as it is played.

use alloc::vec::Vec;
use core::mem;

use crate::connection::{Connection, Event};

use super::act::Source;
use super::call::Call;
use super::recorder::{ANEW, ASIDE, GOES_ON};
use super::wire::{Reader, Unread};

/// What came of a call that takes input.
pub(super) enum Told {
    Event(Option<Event<'static>>),
    Found(bool),
}

/// What was read from the peer and not taken yet.
#[derive(Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    /// So much of it was taken.
    from: usize,
    /// It is left aside for this call.
    aside: bool,
    /// It is in a buffer that grows.
    #[cfg(feature = "bytes")]
    shared: Option<bytes::BytesMut>,
}

impl Input {
    /// Reads what is new in it.
    pub(super) fn read(
        &mut self,
        call: Call,
        reader: &mut Reader<'_>,
        source: &mut Source<'_>,
    ) -> Result<(), Unread> {
        self.aside = false;
        match reader.byte()? {
            ANEW => self.clear(),
            GOES_ON => {}
            ASIDE => {
                self.aside = true;
                return Ok(());
            }
            _ => return Err(Unread::Bad),
        }
        let fresh = source.payload(reader)?;
        #[cfg(feature = "bytes")]
        if call == Call::ReceiveBytes {
            let rest = &self.bytes[self.from..];
            let shared = self.shared.get_or_insert_with(|| rest.into());
            shared.extend_from_slice(&fresh);
            self.bytes.clear();
            self.from = 0;
            return Ok(());
        } else if let Some(shared) = self.shared.take() {
            self.bytes.extend_from_slice(&shared);
        }
        #[cfg(not(feature = "bytes"))]
        if call == Call::ReceiveBytes {
            return Err(Unread::Feature("bytes"));
        }
        // Not each time: what is left may be long.
        if self.from > self.bytes.len() / 2 {
            self.bytes.drain(..self.from);
            self.from = 0;
        }
        self.bytes.extend_from_slice(&fresh);
        Ok(())
    }

    fn clear(&mut self) {
        let mut bytes = mem::take(&mut self.bytes);
        bytes.clear();
        *self = Self {
            bytes,
            ..Self::default()
        };
    }

    /// Gives it to the connection; what came, and how much was taken, which is told in `received`.
    pub(super) fn give(
        &mut self,
        call: Call,
        ws: &mut Connection,
        expected: u64,
        received: &mut Vec<u8>,
    ) -> Result<(Told, usize), Unread> {
        #[cfg(feature = "bytes")]
        if call == Call::ReceiveBytes {
            let mut none = bytes::BytesMut::new();
            let input = if self.aside {
                &mut none
            } else {
                self.shared.get_or_insert_default()
            };
            let before = input.len();
            received.extend_from_slice(&input[..within(expected, before)]);
            let event = ws.receive_bytes(input);
            return Ok((Told::Event(event), before - input.len()));
        }
        let from = if self.aside {
            self.bytes.len()
        } else {
            self.from
        };
        let mut input = &mut self.bytes[from..];
        let before = input.len();
        received.extend_from_slice(&input[..within(expected, before)]);
        let (told, left) = match call {
            Call::Receive => {
                let event = ws.receive(&mut input).map(Event::into_owned);
                (Told::Event(event), input.len())
            }
            Call::ReceiveCopy => {
                let mut input = &*input;
                (Told::Event(ws.receive_copy(&mut input)), input.len())
            }
            Call::FindEvent => (Told::Found(ws.find_event(&mut input)), input.len()),
            Call::KeepInput => {
                ws.keep_input(&mut input);
                (Told::Found(true), input.len())
            }
            _ => return Err(Unread::Bad),
        };
        let taken = before - left;
        if !self.aside {
            self.from += taken;
        }
        Ok((told, taken))
    }
}

/// As many as were taken once, of those that there are.
fn within(expected: u64, there: usize) -> usize {
    usize::try_from(expected).map_or(there, |taken| taken.min(there))
}
