//! What few connections need: a number says which of it is there.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::config::Limits;
use crate::event::{CloseFrame, Kind};
use crate::frame::MAX_CONTROL_PAYLOAD;
use crate::handshake::Framing;
use crate::role::Role;
use crate::utf8::Validator;
use crate::wire::{Bad, Reader, Saved, Writer};

use super::super::budgets::Spent;
use super::super::event::Event;
use super::super::parts::InParts;
use super::super::rare::{Ending, Pings, Rare};
use super::super::responding::Body;
use super::clock::Base;
use super::event::{read_cut_off, save_cut_off};
use super::opening;

pub(super) fn save(rare: &Rare, base: Base, to: &mut Writer) {
    to.number(there(rare).into());
    let Rare {
        opening,
        held,
        found,
        control,
        unanswered,
        pings,
        late,
        taken,
        closing: _,
        message_since,
        in_parts,
        body,
        ending,
        spent,
    } = rare;
    if let Some(opening) = opening {
        opening::save(opening, to);
    }
    if !held.is_empty() {
        to.string(held.bytes.get(held.at..).unwrap_or_default());
    }
    if let Some(event) = found {
        event.save(to);
    }
    if !control.is_empty() {
        to.string(control);
    }
    if let Some(ping) = unanswered {
        to.string(ping);
    }
    if *pings != Pings::default() {
        save_pings(pings, base, to);
    }
    if let Some((due, found)) = *late {
        base.save(due, to);
        base.save_past(found, to);
    }
    for then in [taken, message_since].into_iter().flatten() {
        base.save_past(*then, to);
    }
    if let Some(in_parts) = in_parts {
        in_parts.save(to);
    }
    if let Some(body) = body {
        body.save(to);
    }
    if *ending != Ending::default() {
        ending.save(to);
    }
    if let Some(spent) = spent {
        save_spent(spent, base, to);
    }
}

/// Which of it is there, a bit for each.
fn there(rare: &Rare) -> u16 {
    let there = [
        rare.opening.is_some(),
        !rare.held.is_empty(),
        rare.found.is_some(),
        !rare.control.is_empty(),
        rare.unanswered.is_some(),
        rare.pings != Pings::default(),
        rare.late.is_some(),
        rare.taken.is_some(),
        rare.message_since.is_some(),
        rare.in_parts.is_some(),
        rare.body.is_some(),
        rare.ending != Ending::default(),
        rare.spent.is_some(),
        rare.closing,
    ];
    let bits = there.into_iter().enumerate();
    bits.fold(0, |all, (bit, there)| all | u16::from(there) << bit)
}

pub(super) fn read(
    role: Role,
    limits: &Limits,
    base: Base,
    from: &mut Reader<'_>,
) -> Result<Option<Box<Rare>>, Bad> {
    let there: u16 = from.small()?;
    if there == 0 {
        return Ok(None);
    }
    let has = |bit: u8| there >> bit & 1 != 0;
    let mut rare = Box::new(Rare::default());
    if has(0) {
        rare.opening = Some(opening::read(role, limits, from)?);
    }
    if has(1) {
        rare.held.bytes = some(from.string()?)?;
    }
    if has(2) {
        rare.found = Some(Event::read(from)?);
    }
    if has(3) {
        rare.control = some(control(from)?)?;
    }
    if has(4) {
        rare.unanswered = Some(Vec::from(control(from)?));
    }
    if has(5) {
        rare.pings = read_pings(base, from)?;
    }
    if has(6) {
        rare.late = Some((base.read(from)?, base.read_past(from)?));
    }
    if has(7) {
        rare.taken = Some(base.read_past(from)?);
    }
    if has(8) {
        rare.message_since = Some(base.read_past(from)?);
    }
    if has(9) {
        rare.in_parts = Some(InParts::read(from)?);
    }
    if has(10) {
        rare.body = Some(Body::read(from)?);
    }
    if has(11) {
        rare.ending = Ending::read(from)?;
    }
    if has(12) {
        rare.spent = Some(Box::new(read_spent(base, from)?));
    }
    rare.closing = has(13);
    // What is there is there.
    if self::there(&rare) == there {
        Ok(Some(rare))
    } else {
        Err(Bad)
    }
}

fn some(bytes: &[u8]) -> Result<Vec<u8>, Bad> {
    if bytes.is_empty() {
        return Err(Bad);
    }
    Ok(Vec::from(bytes))
}

/// The payload of a control frame (RFC 6455 §5.5).
fn control<'r>(from: &mut Reader<'r>) -> Result<&'r [u8], Bad> {
    let payload = from.string()?;
    if payload.len() > MAX_CONTROL_PAYLOAD {
        return Err(Bad);
    }
    Ok(payload)
}

fn save_pings(pings: &Pings, base: Base, to: &mut Writer) {
    let Pings {
        before,
        later,
        last,
    } = pings;
    to.number(*before);
    to.signed(*later);
    to.maybe(last.as_ref(), |to, (payload, sent)| {
        to.string(payload);
        to.maybe(*sent, |to, sent| base.save_past(sent, to));
    });
}

fn read_pings(base: Base, from: &mut Reader<'_>) -> Result<Pings, Bad> {
    Ok(Pings {
        before: from.number()?,
        later: from.signed()?,
        last: from.maybe(|from| {
            let payload = Vec::from(control(from)?);
            Ok((payload, from.maybe(|from| base.read_past(from))?))
        })?,
    })
}

fn save_spent(spent: &Spent, base: Base, to: &mut Writer) {
    for bucket in &spent.0 {
        // `as`: the low half, and the high one.
        to.number(bucket.level as u64);
        to.number((bucket.level >> 64) as u64);
        if bucket.level > 0 {
            base.save_past(bucket.at, to);
        }
    }
}

fn read_spent(base: Base, from: &mut Reader<'_>) -> Result<Spent, Bad> {
    let mut spent = Spent::default();
    for bucket in &mut spent.0 {
        let [low, high] = [from.number()?, from.number()?];
        bucket.level = u128::from(high) << 64 | u128::from(low);
        // As many as 2^32 of less than 2^94 each.
        if high >> 62 != 0 {
            return Err(Bad);
        }
        if bucket.level > 0 {
            bucket.at = base.read_past(from)?;
        }
    }
    Ok(spent)
}

impl Saved for InParts {
    fn save(&self, to: &mut Writer) {
        match self {
            Self::Fragments {
                kind,
                utf8,
                encoded,
            } => {
                to.byte(u8::from(*encoded));
                kind.save(to);
                utf8.save(to);
            }
            Self::Frame {
                kind,
                utf8,
                key,
                offset,
            } => {
                to.byte(2);
                kind.save(to);
                utf8.save(to);
                to.maybe(*key, |to, key| to.raw(&key));
                to.number(*offset);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let way = from.byte()?;
        let (kind, utf8) = (Kind::read(from)?, Validator::read(from)?);
        if kind == Kind::Binary && !utf8.is_complete() {
            return Err(Bad);
        }
        match way {
            0 | 1 => Ok(Self::Fragments {
                kind,
                utf8,
                encoded: way == 1,
            }),
            2 => Ok(Self::Frame {
                kind,
                utf8,
                key: from.maybe(Reader::array)?,
                offset: from.number()?,
            }),
            _ => Err(Bad),
        }
    }
}

impl Saved for Body {
    fn save(&self, to: &mut Writer) {
        to.number(self.status.into());
        match self.framing {
            None => to.byte(0),
            Some(Framing::Chunked) => to.byte(1),
            Some(Framing::ToEnd) => to.byte(2),
            Some(Framing::Length(left)) => {
                to.byte(3);
                to.number(left);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(Self {
            status: from.small()?,
            framing: match from.byte()? {
                0 => None,
                1 => Some(Framing::Chunked),
                2 => Some(Framing::ToEnd),
                3 => Some(Framing::Length(from.number()?)),
                _ => return Err(Bad),
            },
        })
    }
}

impl Saved for Ending {
    fn save(&self, to: &mut Writer) {
        let Self {
            sent,
            received,
            failure,
            answered,
            cut_off,
        } = self;
        to.maybe(sent.as_ref(), |to, frame| frame.save(to));
        to.maybe(received.as_ref(), |to, frame| frame.save(to));
        to.maybe(*failure, |to, failure| failure.save(to));
        to.maybe(*answered, |to, status| to.number(status.into()));
        save_cut_off(*cut_off, to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(Self {
            sent: from.maybe(CloseFrame::read)?,
            received: from.maybe(CloseFrame::read)?,
            failure: from.maybe(Saved::read)?,
            answered: from.maybe(Reader::small)?,
            cut_off: read_cut_off(from)?,
        })
    }
}
