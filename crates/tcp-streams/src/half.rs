//! One direction of a conversation.

use alloc::boxed::Box;
use core::time::Duration;

use crate::early::{Early, Part};
use crate::event::{Conversation, Event, Kind, Sender};

/// No window is larger than this (RFC 7323 §2.3), so nothing that is further away is from this conversation.
const WINDOW: u32 = 1 << 30;

/// What is known of one direction.
#[derive(Default)]
pub(crate) struct Half {
    /// How many bytes were told, gaps counted.
    offset: u64,
    /// What came before its turn.
    early: Option<Box<Early>>,
    /// The sequence number that is told next.
    next: u32,
    /// The highest one that the receiver has acknowledged, if that is more.
    acked: u32,
    position: Position,
    syn: bool,
    fin: bool,
    /// The receiver has acknowledged what was not told.
    lost: bool,
    /// So many packets of the conversation may still bring it.
    patience: u8,
}

/// Whether `next` is known.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Position {
    #[default]
    Unknown,
    /// From a segment without data, which may be a probe: it can be less by one.
    Guessed,
    Known,
}

/// Tells the events of one end.
pub(crate) struct Voice<'f, F> {
    pub(crate) conversation: Conversation,
    pub(crate) sender: Sender,
    /// The packet that is read.
    pub(crate) packet: u64,
    pub(crate) time: Duration,
    pub(crate) tell: &'f mut F,
}

impl<F: FnMut(Event<'_>)> Voice<'_, F> {
    pub(crate) fn say(&mut self, offset: u64, kind: Kind<'_>) {
        self.say_of((self.packet, self.time), offset, kind);
    }

    /// Of a packet that was read before.
    fn say_of(&mut self, (packet, time): (u64, Duration), offset: u64, kind: Kind<'_>) {
        let (conversation, sender) = (self.conversation, self.sender);
        (self.tell)(Event {
            conversation,
            sender,
            offset,
            packet,
            time,
            kind,
        });
    }
}

impl Half {
    /// A SYN, which takes one sequence number before the first byte.
    pub(crate) fn syn<F: FnMut(Event<'_>)>(&mut self, seq: u32, voice: &mut Voice<'_, F>) {
        if !self.is_begun() {
            self.set_position(seq.wrapping_add(1));
        }
        if self.syn {
            voice.say(0, Kind::Again(0));
        } else {
            self.syn = true;
            voice.say(0, Kind::Syn);
        }
    }

    /// Whether a SYN with this sequence number can be that of this direction.
    pub(crate) fn can_begin(&self, seq: u32) -> bool {
        // What was told, and the end, take sequence numbers.
        #[allow(
            clippy::cast_possible_truncation,
            reason = "of a large offset the lower half counts"
        )]
        let told = self.offset as u32;
        let first = self
            .next
            .wrapping_sub(told)
            .wrapping_sub(u32::from(self.fin));
        self.position == Position::Unknown || first == seq.wrapping_add(1)
    }

    /// Whether something of it was told or kept.
    pub(crate) fn is_begun(&self) -> bool {
        self.syn || self.fin || self.offset != 0 || self.early.is_some()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.fin
    }

    /// Bytes of memory for what came too early.
    pub(crate) fn cost(&self) -> usize {
        self.early.as_ref().map_or(0, |early| early.cost())
    }

    /// What a segment says beside its SYN. `seq` is the number of its first byte of payload.
    pub(crate) fn receive<F: FnMut(Event<'_>)>(
        &mut self,
        seq: u32,
        mut part: Part<'_>,
        voice: &mut Voice<'_, F>,
    ) {
        let length = part.len();
        if length == 0 && !part.fin {
            return self.receive_bare(seq, voice);
        }
        if self.position == Position::Unknown
            || self.position == Position::Guessed && seq == self.next.wrapping_add(1)
        {
            self.next = seq;
        }
        self.position = Position::Known;
        let old = self.next.wrapping_sub(seq);
        if old != 0 && old <= WINDOW {
            if old == 1 && length <= 1 && !part.fin && !self.fin {
                return voice.say(self.offset, Kind::KeepAlive);
            }
            let again = length.min(old.into());
            let offset = self.offset + u64::from(self.fin);
            voice.say(offset.saturating_sub(old.into()), Kind::Again(again));
            // The end was told, or it is not where the bytes end.
            if length < old.into() {
                return;
            }
            part = part.skip(again);
        }
        if self.fin {
            if part.len() != 0 {
                voice.say(self.offset, Kind::AfterFin(part.len()));
            }
            return;
        }
        let ahead = if old <= WINDOW {
            0
        } else {
            seq.wrapping_sub(self.next)
        };
        if ahead == 0 && self.early.is_none() {
            self.tell(part, voice);
        } else if part.len() != 0 || part.fin {
            self.keep(self.offset + u64::from(ahead), part, voice);
        }
    }

    /// A segment that takes no sequence number.
    fn receive_bare<F: FnMut(Event<'_>)>(&mut self, seq: u32, voice: &mut Voice<'_, F>) {
        if self.position == Position::Unknown {
            self.next = seq;
            self.position = Position::Guessed;
        } else if seq.wrapping_add(1) == self.next && self.is_begun() && !self.fin {
            voice.say(self.offset, Kind::KeepAlive);
        }
    }

    /// Tells what is in order.
    fn tell<F: FnMut(Event<'_>)>(&mut self, part: Part<'_>, voice: &mut Voice<'_, F>) {
        let of = (part.packet, part.time);
        if !part.bytes.is_empty() {
            voice.say_of(of, self.offset, Kind::Data(part.bytes));
            self.advance(part.bytes.len() as u64);
        }
        if part.cut != 0 {
            voice.say_of(of, self.offset, Kind::Gap(part.cut));
            self.advance(part.cut);
        }
        if part.fin {
            voice.say_of(of, self.offset, Kind::Fin);
            self.next = self.next.wrapping_add(1);
            self.fin = true;
        }
    }

    /// Keeps what came too early, and tells what that completes.
    fn keep<F: FnMut(Event<'_>)>(&mut self, at: u64, part: Part<'_>, voice: &mut Voice<'_, F>) {
        let overlap = self.early.get_or_insert_default().insert(at, part);
        if overlap.bytes != 0 {
            voice.say(at, Kind::Again(overlap.bytes));
        }
        if let Some(offset) = overlap.differs {
            voice.say(offset, Kind::Differs);
        }
        self.drain(voice);
    }

    /// Tells what was kept and is in order now.
    fn drain<F: FnMut(Event<'_>)>(&mut self, voice: &mut Voice<'_, F>) {
        let Some(mut early) = self.early.take() else {
            return;
        };
        while !self.fin
            && let Some(piece) = early.take(self.offset)
        {
            let (cut, fin, packet, time) = (piece.cut, piece.fin, piece.packet, piece.time);
            self.tell(
                Part {
                    bytes: &piece.bytes,
                    cut,
                    fin,
                    packet,
                    time,
                },
                voice,
            );
        }
        if self.fin {
            let beyond = early.len();
            if beyond != 0 {
                voice.say(self.offset, Kind::AfterFin(beyond));
            }
        } else if !early.is_empty() {
            self.early = Some(early);
        }
    }

    /// The receiver says that it has everything before `ack`.
    pub(crate) fn acknowledged<F: FnMut(Event<'_>)>(
        &mut self,
        ack: u32,
        patience: u8,
        voice: &mut Voice<'_, F>,
    ) {
        if self.position != Position::Known {
            if self.position == Position::Unknown || ack == self.next.wrapping_add(1) {
                self.next = ack;
            }
            self.position = Position::Known;
        }
        let ahead = ack.wrapping_sub(self.next);
        if ahead == 0 || ahead > WINDOW {
            return;
        }
        if !self.lost {
            (self.lost, self.patience, self.acked) = (true, patience, ack);
        } else if ack.wrapping_sub(self.acked) <= WINDOW {
            self.acked = ack;
        }
        if self.patience == 0 {
            self.settle(voice);
        }
    }

    /// Another packet of the conversation was read.
    pub(crate) fn tick<F: FnMut(Event<'_>)>(&mut self, voice: &mut Voice<'_, F>) {
        if self.lost {
            self.patience = self.patience.saturating_sub(1);
            if self.patience == 0 {
                self.settle(voice);
            }
        }
    }

    /// Waits no longer for what the receiver has.
    pub(crate) fn settle<F: FnMut(Event<'_>)>(&mut self, voice: &mut Voice<'_, F>) {
        while self.lost && !self.fin {
            let ahead = self.acked.wrapping_sub(self.next);
            if ahead == 0 || ahead > WINDOW {
                break;
            }
            self.give_up(self.offset + u64::from(ahead), voice);
        }
        self.lost = false;
    }

    /// Waits no longer for the first hole, if something was kept after it.
    pub(crate) fn give_up_first<F: FnMut(Event<'_>)>(&mut self, voice: &mut Voice<'_, F>) {
        self.give_up(u64::MAX, voice);
    }

    /// Takes the first hole for lost, up to this offset at most.
    fn give_up<F: FnMut(Event<'_>)>(&mut self, end: u64, voice: &mut Voice<'_, F>) {
        let start = self.early.as_ref().and_then(|early| early.start());
        let end = start.map_or(end, |start| start.min(end));
        if end == u64::MAX {
            return;
        }
        if end > self.offset {
            voice.say(self.offset, Kind::Gap(end - self.offset));
            self.advance(end - self.offset);
        }
        self.drain(voice);
    }

    fn advance(&mut self, bytes: u64) {
        self.offset += bytes;
        #[allow(
            clippy::cast_possible_truncation,
            reason = "sequence numbers count modulo 2^32"
        )]
        let bytes = bytes as u32;
        self.next = self.next.wrapping_add(bytes);
    }

    fn set_position(&mut self, next: u32) {
        self.next = next;
        self.position = Position::Known;
    }

    /// Whether a reset with this number can be meant (RFC 5961 §3, wider, as a capture may have gaps).
    pub(crate) fn is_near(&self, seq: u32) -> bool {
        let ahead = seq.wrapping_sub(self.next);
        self.position == Position::Unknown || ahead <= WINDOW || ahead.wrapping_neg() <= WINDOW
    }
}
