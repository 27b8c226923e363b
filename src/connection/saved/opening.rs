//! The opening handshake in progress, and what is kept of it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::config::Limits;
use crate::error::HandshakeError;
use crate::handshake::accept::Offer;
use crate::handshake::{Asked, Expectation, HeadReader, RefusalReader};
use crate::life::Life;
use crate::role::Role;
use crate::wire::{Bad, Reader, Saved, Writer};

use super::super::opening::{Opening, Stage};

pub(super) fn save(opening: &Opening, to: &mut Writer) {
    opening.head.save(to);
    match &opening.stage {
        Stage::Request => to.byte(REQUEST),
        Stage::Deciding(Asked::Upgrade(offer)) => {
            to.byte(UPGRADE);
            offer.save(to);
        }
        Stage::Deciding(Asked::Plain(refusal)) => {
            to.byte(PLAIN);
            refusal.save(to);
        }
        Stage::Response(expectation) => {
            to.byte(RESPONSE);
            expectation.save(to);
        }
        Stage::Body(body) => {
            to.byte(BODY);
            body.save(to);
        }
        Stage::Established(head) => kept(ESTABLISHED, head, to),
        Stage::Failed(head) => kept(FAILED, head, to),
        Stage::Broken(head) => kept(BROKEN, head, to),
    }
}

/// `limits` are those of the opening handshake: of a body that is read on, so much is kept.
pub(super) fn read(role: Role, limits: &Limits, from: &mut Reader<'_>) -> Result<Opening, Bad> {
    let head = HeadReader::resumed(role, from)?;
    let stage = match from.byte()? {
        REQUEST => Stage::Request,
        UPGRADE => Stage::Deciding(Asked::Upgrade(Offer::read(from)?)),
        PLAIN => Stage::Deciding(Asked::Plain(HandshakeError::read(from)?)),
        RESPONSE => Stage::Response(Box::new(Expectation::read(from)?)),
        BODY => Stage::Body(Box::new(RefusalReader::resumed(limits, from)?)),
        ESTABLISHED => Stage::Established(Vec::from(from.string()?)),
        FAILED => Stage::Failed(Vec::from(from.string()?)),
        BROKEN => Stage::Broken(Vec::from(from.string()?)),
        _ => return Err(Bad),
    };
    Ok(Opening { head, stage })
}

/// Whether a connection with such a life can be there.
pub(super) fn fits(opening: &Opening, life: &Life) -> bool {
    match opening.stage {
        Stage::Request | Stage::Deciding(_) => life.role() == Role::Server && life.is_opening(),
        Stage::Response(_) | Stage::Body(_) => life.role() == Role::Client && life.is_opening(),
        Stage::Established(_) => life.role() == Role::Client && life.is_established(),
        Stage::Failed(_) | Stage::Broken(_) => life.is_refused(),
    }
}

fn kept(stage: u8, head: &[u8], to: &mut Writer) {
    to.byte(stage);
    to.string(head);
}

const REQUEST: u8 = 0;
const UPGRADE: u8 = 1;
const PLAIN: u8 = 2;
const RESPONSE: u8 = 3;
const BODY: u8 = 4;
const ESTABLISHED: u8 = 5;
const FAILED: u8 = 6;
const BROKEN: u8 = 7;
