//! What comes next of the bytes of one end: those that wait first, then the input.

use alloc::vec::Vec;
use core::ops::Range;

use crate::config::Settings;
use crate::error::HandshakeError;
use crate::frame::Opcode;
use crate::handshake::Negotiated;
use crate::mask::MaskingKey;
use crate::role::Role;

use super::Observer;
use super::half::{FrameStage, Half, HalfStep, NextByte, WINDOW};
use super::heartbeat::Unanswered;
use super::seen::{Rule, Violation};

/// One end: what it sends, and what of it waits.
pub(super) struct Direction {
    pub(super) half: Half,
    pub(super) held: Vec<u8>,
    /// So much of `held` is done with.
    pub(super) held_at: usize,
    /// To be told next.
    pub(super) lost: Option<u64>,
    pub(super) pings: Unanswered,
    pub(super) ended: bool,
}

impl Direction {
    pub(super) fn new(from: Role) -> Self {
        Self {
            half: Half::new(from),
            held: Vec::new(),
            held_at: 0,
            lost: None,
            pings: Unanswered::default(),
            ended: false,
        }
    }

    /// Where it was lost, to be told. Where the conversation is joined that is with the first bytes that come.
    fn take_lost(&mut self, input: &[u8]) -> Option<u64> {
        let at = self.half.offset;
        self.lost.take_if(|lost| *lost < at || !input.is_empty())
    }

    /// Between frames, with nothing that waits: only more bytes or the end bring something.
    fn is_idle(&self) -> bool {
        !self.ended
            && self.held.capacity() == 0
            && matches!(self.half.phase, NextByte::Frames(FrameStage::Header))
    }

    /// Bytes that were read stand before those to come again.
    fn put_back(&mut self, bytes: Vec<u8>, from: u64) {
        let rest = self.held.split_off(self.held_at);
        self.held = bytes;
        self.held.extend_from_slice(&rest);
        self.held_at = 0;
        self.half.offset = from;
    }

    pub(super) fn memory_held(&self) -> usize {
        self.half.memory_held() + self.held.capacity() + self.pings.memory_held()
    }
}

/// What is to be told next, before it is made to borrow from the observer.
pub(super) enum Next<'i> {
    Opened(Option<Negotiated>),
    Head,
    Broken(Violation),
    Frame,
    Payload {
        bytes: PieceAt<'i>,
        offset: u64,
        key: Option<MaskingKey>,
    },
    Message,
    Control(Opcode),
    Lost(u64),
    Found(u64, u64),
    Opaque {
        tls: bool,
    },
}

/// Where a piece of payload lies.
pub(super) enum PieceAt<'i> {
    Input(&'i [u8]),
    Held(Range<usize>),
}

// ── what comes next

impl Observer {
    pub(super) fn next<'i>(&mut self, from: Role, input: &mut &'i [u8]) -> Option<Next<'i>> {
        if from == Role::Server
            && let Some(negotiated) = self.opened.take()
        {
            return Some(Next::Opened(negotiated));
        }
        if let Some(offset) = self.side(from).take_lost(input) {
            return Some(Next::Lost(offset));
        }
        // As often as there is something to tell.
        if input.is_empty() && self.side_ref(from).is_idle() {
            return None;
        }
        loop {
            self.make_decoder(from);
            let after_close = self.ends.has_closed(from);
            let settings = self.config.settings();
            let side = match from {
                Role::Client => &mut self.client,
                Role::Server => &mut self.server,
            };
            hold(side, input, settings);
            let waits = side.held.len() > side.held_at;
            let start = side.held_at;
            let bytes = if waits { &side.held[start..] } else { *input };
            // Bytes that wait are the last ones only if none are left in the input.
            let ended = side.ended && (!waits || input.is_empty());
            let (taken, step) = side.half.step(bytes, ended, after_close, settings);
            let piece = *input;
            if waits {
                side.held_at += taken;
            } else {
                *input = &input[taken..];
            }
            return Some(match step {
                // Nothing more comes of the bytes that are there.
                HalfStep::Nothing if taken == 0 => {
                    self.tidy(from);
                    return self.overfull(from);
                }
                HalfStep::On | HalfStep::Nothing => continue,
                HalfStep::Payload { .. } if taken == 0 => continue,
                HalfStep::Payload { offset, key } => {
                    let bytes = if waits {
                        PieceAt::Held(start..start + taken)
                    } else {
                        PieceAt::Input(&piece[..taken])
                    };
                    Next::Payload { bytes, offset, key }
                }
                HalfStep::Head => Next::Head,
                HalfStep::BadHead(error) => self.bad_head(from, error),
                HalfStep::Frame => Next::Frame,
                HalfStep::Message => Next::Message,
                HalfStep::Control(opcode) => Next::Control(opcode),
                HalfStep::Found(offset, skipped) => Next::Found(offset, skipped),
            });
        }
    }

    /// Puts a new codec in place of one that stopped inside a message or missed some.
    fn make_decoder(&mut self, from: Role) {
        let half = &self.side_ref(from).half;
        if matches!(half.phase, NextByte::Frames(FrameStage::Header)) && half.needs_decoder() {
            let decoder = self.decoder(from, true).map(|(decoder, _)| decoder);
            self.side(from).half.set_decoder(decoder);
        }
    }

    /// What stands there is no head.
    fn bad_head(&mut self, from: Role, error: HandshakeError) -> Next<'static> {
        let side = self.side(from);
        let (read, at) = side.half.take_head();
        let tls = matches!(read[..], [0x14..=0x17, 3, ..]);
        let http = match from {
            Role::Client => read.first().is_some_and(u8::is_ascii_uppercase),
            Role::Server => read.starts_with(b"HTTP/"),
        };
        if !http && !tls && at == 0 {
            // The beginning is missing.
            side.put_back(read, at);
            side.half.lose();
            self.ends.opened = true;
            return Next::Lost(at);
        }
        side.half.phase = NextByte::Opaque;
        if tls {
            return Next::Opaque { tls };
        }
        Next::Broken(Violation {
            by: from,
            rule: Rule::Handshake(error),
            offset: at,
        })
    }

    /// Gives up the memory of bytes that are done with.
    fn tidy(&mut self, from: Role) {
        let side = self.side(from);
        if side.held_at == side.held.len() {
            side.held = Vec::new();
            side.held_at = 0;
        }
    }

    /// More waits for an answer than may: this end is not followed any more.
    fn overfull(&mut self, from: Role) -> Option<Next<'static>> {
        let most = self.config.settings().limits.held as usize;
        let side = self.side(from);
        if side.held.len() < most || !matches!(side.half.phase, NextByte::Waiting) {
            return None;
        }
        side.half.phase = NextByte::Opaque;
        side.held = Vec::new();
        side.held_at = 0;
        Some(Next::Opaque { tls: false })
    }
}

/// Moves input to where it waits if nothing can be said of it yet.
fn hold(side: &mut Direction, input: &mut &[u8], settings: &Settings) {
    let most = match side.half.phase {
        NextByte::Searching => WINDOW,
        NextByte::Waiting => settings.limits.held as usize,
        // Two bytes tell TLS from what begins in the middle.
        NextByte::Head(_, at) if at == side.half.offset => {
            if input.len() > 1 && side.held.len() == side.held_at {
                return;
            }
            2
        }
        _ => return,
    };
    side.held.drain(..core::mem::take(&mut side.held_at));
    let room = most.saturating_sub(side.held.len());
    let (now, rest) = input.split_at(input.len().min(room));
    side.held.extend_from_slice(now);
    *input = rest;
}
