//! The life of a connection as the transitions that led to it: no other one can be read back.

use crate::life::Side;
use crate::life::{Closes, Failing, Life, Progress};
use crate::role::Role;
use crate::wire::{Bad, Reader, Writer};

pub(super) fn save(life: &Life, to: &mut Writer) {
    let phase = match (life.is_opening(), life.is_refused()) {
        (true, _) => OPENING,
        (_, true) => REFUSED,
        _ => ESTABLISHED,
    };
    let stream =
        u8::from(life.has_eof()) + u8::from(life.is_lost()) + u8::from(life.is_tls_failed());
    to.byte(
        phase
            | stream << 2
            | u8::from(life.is_unwritable()) << 4
            | u8::from(life.is_given_up()) << 5
            | u8::from(life.is_reported()) << 6
            | u8::from(life.has_sent) << 7,
    );
    if phase == ESTABLISHED {
        let closes = match life.closes() {
            Closes::None => 0,
            Closes::Ours => 1,
            Closes::Peers => 2,
            Closes::Both(Side::Us) => 3,
            Closes::Both(Side::Peer) => 4,
            Closes::Both(Side::Both) => 5,
        };
        let failure = match life.failure() {
            Failing::No => 0,
            Failing::Due => 1,
            Failing::Yes => 2,
        };
        to.byte(u8::from(life.open_is_due()) | closes << 1 | failure << 4);
    }
}

pub(super) fn read(role: Role, from: &mut Reader<'_>) -> Result<Life, Bad> {
    let mut life = Life::new(role);
    let facts = from.byte()?;
    match facts & 3 {
        OPENING => {}
        REFUSED => life.refused(),
        ESTABLISHED => {
            life.established();
            read_closing(&mut life, from.byte()?)?;
        }
        _ => return Err(Bad),
    }
    match facts >> 2 & 3 {
        0 => {}
        1 => _ = life.eof(),
        2 => _ = life.lost(),
        _ => life.tls_failed(),
    }
    let has = |bit: u8| facts >> bit & 1 != 0;
    if has(4) {
        life.write_lost();
    }
    if has(5) {
        life.gave_up();
    }
    if has(6) {
        life.reported();
    }
    life.output_left(has(7).into());
    Ok(life)
}

/// What happened once it was established.
fn read_closing(life: &mut Life, facts: u8) -> Result<(), Bad> {
    if facts & 1 == 0 {
        life.take_open();
    }
    match facts >> 1 & 7 {
        0 => {}
        1 => life.close_queued(),
        2 => life.close_received(AS_FIRST),
        3 => {
            life.close_queued();
            life.close_received(AS_ANSWER);
        }
        4 => {
            life.close_received(AS_FIRST);
            life.close_queued();
        }
        5 => {
            life.close_queued();
            life.close_received(AS_FIRST);
        }
        _ => return Err(Bad),
    }
    match facts >> 4 {
        0 => {}
        1 => life.failure_is_due(),
        2 => life.failed(),
        _ => return Err(Bad),
    }
    Ok(())
}

const OPENING: u8 = 0;
const REFUSED: u8 = 1;
const ESTABLISHED: u8 = 2;

/// The peer's Close frame, when ours had not left.
const AS_FIRST: Progress = Progress {
    unread: false,
    drained: false,
    can_leave: false,
    close_has_left: false,
    in_frame: false,
    bounded: false,
};

/// The peer's Close frame, when ours had left.
const AS_ANSWER: Progress = Progress {
    close_has_left: true,
    ..AS_FIRST
};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::{Reader, Role, Writer, read, save};

    /// Whatever two bytes say of a life is read as one that is written alike, or is none.
    #[test]
    fn every_life_both_ways() {
        let mut lives = 0;
        for role in [Role::Server, Role::Client] {
            for bytes in 0..=u16::MAX {
                let bytes = bytes.to_le_bytes();
                let mut from = Reader::new(&bytes, 0);
                let Ok(life) = read(role, &mut from) else {
                    continue;
                };
                let mut to = Writer::new(2);
                save(&life, &mut to);
                assert_eq!(to.written(), &bytes[..from.at()]);
                assert_eq!(read(role, &mut Reader::new(to.written(), 0)).unwrap(), life);
                lives += 1;
            }
        }
        assert!(lives > 1000, "{lives}");
    }
}
