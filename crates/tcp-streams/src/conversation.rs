//! Both directions of a conversation.

use core::mem;
use core::time::Duration;

use crate::early::Part;
use crate::event::{Conversation, Event, Kind, Sender};
use crate::half::{Half, Voice};
use crate::key::Key;
use crate::segment::{Flags, Segment};

/// What is known of a conversation.
pub(crate) struct State {
    pub(crate) key: Key,
    /// Unique.
    pub(crate) number: u64,
    halves: [Half; 2],
    /// Which end of the key is the client.
    pub(crate) client: bool,
    /// It is over, and remembered for packets that come late.
    pub(crate) over: bool,
    /// Read since somebody last looked for quiet ones.
    pub(crate) touched: bool,
    reset: bool,
}

/// What the events of a packet have in common.
pub(crate) struct Stage<'f, F> {
    pub(crate) slot: u32,
    pub(crate) packet: u64,
    pub(crate) time: Duration,
    pub(crate) tell: &'f mut F,
}

impl State {
    pub(crate) fn new(key: Key, number: u64, client: bool) -> Self {
        let halves = Default::default();
        Self {
            key,
            number,
            halves,
            client,
            over: false,
            touched: true,
            reset: false,
        }
    }

    /// Whether a segment of this end with a SYN begins another conversation.
    pub(crate) fn is_other(&self, end: bool, segment: &Segment<'_>) -> bool {
        let half = &self.halves[usize::from(end)];
        if !segment.flags.has(Flags::SYN) || segment.flags.has(Flags::RST) {
            return false;
        }
        // A server that answers once more may have chosen another number.
        let anew = segment.flags.has(Flags::ACK) && !half.is_begun();
        self.reset || !half.can_begin(segment.seq) && !anew
    }

    /// What a segment of this end says.
    pub(crate) fn receive<F: FnMut(Event<'_>)>(
        &mut self,
        end: bool,
        segment: &Segment<'_>,
        patience: u8,
        stage: &mut Stage<'_, F>,
    ) {
        let (own, other) = (usize::from(end), usize::from(!end));
        let flags = segment.flags;
        if flags.has(Flags::RST) {
            return self.reset(end, segment.seq, stage);
        }
        for end in [false, true] {
            let mut voice = self.voice(end, stage);
            self.halves[usize::from(end)].tick(&mut voice);
        }
        // What is acknowledged was sent before what this segment carries.
        if flags.has(Flags::ACK) {
            let mut voice = self.voice(!end, stage);
            self.halves[other].acknowledged(segment.ack, patience, &mut voice);
        }
        let mut voice = self.voice(end, stage);
        let mut seq = segment.seq;
        if flags.has(Flags::SYN) {
            self.halves[own].syn(seq, &mut voice);
            seq = seq.wrapping_add(1);
        }
        let bytes = segment.payload();
        let part = Part {
            bytes,
            cut: u64::from(segment.length).saturating_sub(bytes.len() as u64),
            fin: flags.has(Flags::FIN),
            packet: segment.packet,
            time: segment.time,
        };
        self.halves[own].receive(seq, part, &mut voice);
        self.over |= self.halves.iter().all(Half::is_finished);
    }

    fn reset<F: FnMut(Event<'_>)>(&mut self, end: bool, seq: u32, stage: &mut Stage<'_, F>) {
        if !self.halves[usize::from(end)].is_near(seq) {
            return; // nobody would believe it
        }
        self.give_up(stage);
        if !mem::replace(&mut self.reset, true) {
            self.voice(end, stage).say(0, Kind::Reset);
        }
        self.over = true;
    }

    /// Waits for nothing any longer.
    pub(crate) fn give_up<F: FnMut(Event<'_>)>(&mut self, stage: &mut Stage<'_, F>) {
        for end in [false, true] {
            let mut voice = self.voice(end, stage);
            let half = &mut self.halves[usize::from(end)];
            while half.cost() != 0 {
                half.give_up_first(&mut voice);
            }
            half.settle(&mut voice);
        }
    }

    /// Waits for nothing any longer that the receiver has.
    pub(crate) fn settle<F: FnMut(Event<'_>)>(&mut self, stage: &mut Stage<'_, F>) {
        for end in [false, true] {
            let mut voice = self.voice(end, stage);
            self.halves[usize::from(end)].settle(&mut voice);
        }
    }

    /// Gives up holes of this end's direction until it keeps no more than so many bytes.
    pub(crate) fn shrink<F: FnMut(Event<'_>)>(
        &mut self,
        end: bool,
        most: usize,
        stage: &mut Stage<'_, F>,
    ) {
        let mut voice = self.voice(end, stage);
        let half = &mut self.halves[usize::from(end)];
        while half.cost() > most {
            half.give_up_first(&mut voice);
        }
    }

    /// Bytes of memory for what came too early.
    pub(crate) fn cost(&self) -> usize {
        self.halves.iter().map(Half::cost).sum()
    }

    pub(crate) fn voice<'s, F>(&self, end: bool, stage: &'s mut Stage<'_, F>) -> Voice<'s, F> {
        Voice {
            conversation: Conversation {
                number: self.number,
                slot: stage.slot,
            },
            sender: if end == self.client {
                Sender::Client
            } else {
                Sender::Server
            },
            packet: stage.packet,
            time: stage.time,
            tell: stage.tell,
        }
    }
}
