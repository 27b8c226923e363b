//! The state of a connection as it is kept outside of a process (feature `handover`): each part writes its own
//! values, and what is read goes through the rules that made it.

mod clock;
mod event;
mod failure;
mod life;
mod opening;
mod rare;
mod reading;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;

use crate::clock::nanos;
use crate::config::Settings;
use crate::entropy::Randomness;
use crate::handshake::Negotiated;
use crate::life::Closes;
use crate::output::Output;
use crate::role::Role;
use crate::wire::{Bad, Reader, Saved, Writer};

use super::decoding::agreed_codec;
use super::event::Event;
use super::gathering::Gathering;
use super::parts::InParts;
use super::rare::Rare;
use super::reading::Reading;
use super::{Connection, InUse};
use clock::Base;

/// Why a connection cannot be written down at the moment, or ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsaved {
    InEncodedMessage,
    Codec,
}

/// Why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unread {
    Bad,
    /// It uses an extension that the configuration does not have, or not so.
    Extension(String),
}

impl From<Bad> for Unread {
    fn from(_: Bad) -> Self {
        Self::Bad
    }
}

impl Connection {
    /// Writes everything down but its configuration and its randomness, which stay here.
    ///
    /// # Errors
    /// An extension is in the way. What was written is of no use then.
    pub(crate) fn save(&self, now: Duration, to: &mut Writer) -> Result<(), Unsaved> {
        // Each field is named, here and in its parts, so that none is forgotten.
        let Self {
            life,
            fast: _, // worked out from the rest
            reading,
            gathering,
            output,
            clock,
            config: _,
            entropy: _,
            in_use,
            rare,
        } = self;
        if gathering.is_encoded() {
            return Err(Unsaved::InEncodedMessage);
        }
        life::save(life, to);
        clock::save(clock, nanos(now), to);
        to.flag(in_use.is_some());
        if let Some(in_use) = in_use {
            in_use.save(to)?;
        }
        reading.save(to);
        gathering.save(to);
        output.save(to);
        let none = Rare::default();
        let rare = rare.as_deref().unwrap_or(&none);
        rare::save(rare, Base::of(clock), to);
        Ok(())
    }

    /// The connection that was written down, with this configuration and randomness from now on.
    ///
    /// # Errors
    /// No connection is like this, or the configuration is not for it.
    pub(crate) fn read(
        role: Role,
        config: Option<Arc<Settings>>,
        entropy: Randomness,
        now: Duration,
        from: &mut Reader<'_>,
    ) -> Result<Self, Unread> {
        let mut read = Self::new(role, config, entropy);
        read.life = life::read(role, from)?;
        read.clock = clock::read(nanos(now), from)?;
        let base = Base::of(&read.clock);
        if from.flag()? {
            read.in_use = Some(Box::new(InUse::read(read.settings(), role, from)?));
        }
        read.reading = Reading::read(from)?;
        read.gathering = Gathering::read(from)?;
        read.output = Output::read(role, from)?;
        if read.is_bounded() {
            read.output.keep_room_for_deferred();
        }
        let limits = read.settings().limits.of_opening().into_owned();
        read.rare = rare::read(role, &limits, base, from)?;
        if !read.fits() {
            return Err(Unread::Bad);
        }
        read.settled(|_| ());
        Ok(read)
    }

    /// What its parts are to each other.
    fn fits(&self) -> bool {
        let established = self.life.is_established();
        let none = Rare::default();
        let rare = self.rare.as_deref().unwrap_or(&none);
        let (sent, received) = match self.life.closes() {
            Closes::None => (false, false),
            Closes::Ours => (true, false),
            Closes::Peers => (false, true),
            Closes::Both(_) => (true, true),
        };
        let ending = &rare.ending;
        let in_frame = self.output.frame_left() > 0;
        let encoded = matches!(
            rare.in_parts,
            Some(InParts::Fragments { encoded: true, .. })
        );
        let opening = rare.opening.as_ref();
        reading::fit(&self.reading, &self.gathering)
            && self.control_fits(rare)
            && (established
                || self.in_use.is_none() && self.reading.is_idle() && self.gathering.is_idle())
            && self.masks_fit(rare)
            && self.found_fits(rare)
            && self.queue_fits()
            && (ending.sent.is_some(), ending.received.is_some()) == (sent, received)
            && (sent || !self.output.has_close())
            && (ending.failure.is_some() || !self.life.has_failed())
            && (!in_frame || matches!(rare.in_parts, Some(InParts::Frame { .. })))
            && (established || rare.in_parts.is_none())
            && !(encoded && self.life.may_send() && self.codec().is_none())
            && opening.is_none_or(|opening| opening::fits(opening, &self.life))
            && (rare.body.is_none() || self.life.is_refused() && self.role() == Role::Server)
    }

    /// What was gathered of a control frame is what has come of its payload (RFC 6455 §5.5).
    fn control_fits(&self, rare: &Rare) -> bool {
        let reading = &self.reading;
        let came = if reading.in_payload() && !reading.in_payload_of_data() {
            reading.header().payload_len() - reading.left()
        } else {
            0
        };
        rare.control.len() as u64 == came
    }

    /// What was found has happened.
    fn found_fits(&self, rare: &Rare) -> bool {
        let life = &self.life;
        match &rare.found {
            None => true,
            // It is told by itself.
            Some(Event::Open) => false,
            // It may be answered before it is told.
            Some(Event::Request(_) | Event::Http(_)) => self.role() == Role::Server,
            Some(Event::Refused(_)) => life.is_refused(),
            Some(Event::Close(_)) => rare.ending.received.is_some(),
            Some(Event::Failed(_)) => life.is_refused() || life.has_failed(),
            Some(Event::Closed(_)) => life.is_reported(),
            Some(_) => life.is_established(),
        }
    }

    /// What cannot leave is not queued.
    fn queue_fits(&self) -> bool {
        self.output.is_empty() || !self.life.is_lost() && !self.life.is_unwritable()
    }

    /// A client masks, a server does not (RFC 6455 §5.1).
    fn masks_fit(&self, rare: &Rare) -> bool {
        let client = self.role() == Role::Client;
        let own = match rare.in_parts {
            Some(InParts::Frame { key, offset, .. }) => {
                let left = self.output.frame_left();
                key.is_some() == client && offset.checked_add(left).is_some()
            }
            _ => true,
        };
        own && !(client && self.reading.in_payload() && self.reading.header().is_masked())
    }
}

impl InUse {
    fn save(&self, to: &mut Writer) -> Result<(), Unsaved> {
        let Negotiated {
            subprotocol,
            extensions,
            reserved_bits,
        } = &self.negotiated;
        to.maybe(subprotocol.as_ref(), |to, name| to.string(name.as_bytes()));
        to.string(extensions.as_bytes());
        to.byte(*reserved_bits);
        to.flag(self.codec.is_some());
        if let Some(codec) = &self.codec {
            to.byte(codec.bit);
            to.string(&codec.messages.context().ok_or(Unsaved::Codec)?);
        }
        Ok(())
    }

    fn read(settings: &Settings, role: Role, from: &mut Reader<'_>) -> Result<Self, Unread> {
        let negotiated = Negotiated {
            subprotocol: from.maybe(Reader::owned_text)?,
            extensions: from.owned_text()?,
            reserved_bits: from.byte()?,
        };
        if negotiated == Negotiated::default() {
            return Err(Unread::Bad);
        }
        let mut codec = None;
        if from.flag()? {
            let (bit, context) = (from.byte()?, from.string()?);
            let agreed = || Unread::Extension(negotiated.extensions.clone());
            let mut own = agreed_codec(settings, role, &negotiated).ok_or_else(agreed)?;
            if own.bit != bit || !own.messages.resume(context) {
                return Err(agreed());
            }
            codec = Some(own);
        }
        Ok(Self { negotiated, codec })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]
mod tests;
