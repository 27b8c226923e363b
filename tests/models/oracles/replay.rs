//! A recording of any calls plays to the same events and output; one that was changed plays to where it parts,
//! or is told to be none; and nothing in it takes memory beyond its length.

use super::{Taker, operations, wire};
use sansocket::replay::{Ended, MAGIC, Recorded, Recorder, Replay, ReplayError};

/// One of the ways to record, which changes nothing of the connection.
pub fn recorder(way: usize) -> Recorder {
    let whole = Recorder::new(1 << 24);
    match way % 4 {
        0 => whole.without_payloads().without_secrets(),
        1 => Recorder::new(way % 1000),
        _ => whole,
    }
}

/// What was recorded plays to its end.
pub fn replays(ws: &mut Recorded) {
    let recording = ws.take_recording().expect("a recording");
    match Replay::new(&recording).and_then(Replay::run) {
        Ok(replayed) => {
            let begun = replayed.steps > 0 || replayed.ended == Ended::Full;
            assert!(begun, "{replayed:?}");
        }
        Err(error) => panic!("{error}"),
    }
    assert!(!ws.is_recording() && ws.recording_held() == 0);
}

/// Any bytes as a recording, and recordings in which something was changed.
pub fn replay(data: &[u8]) {
    let mut t = Taker::new(data);
    let mut recording = if t.once_in(2) {
        [&MAGIC[..], &[1], t.rest()].concat()
    } else {
        let changes = t.bytes(12);
        let mut driven = operations::driven(t.rest());
        let recorded = driven.take_recording().expect("a recording");
        let mut changed = recorded[..recorded.len() - SEAL].to_vec();
        wire::mutate(&mut Taker::new(changes), &mut changed);
        changed
    };
    // Without its seal nobody would look any further.
    assert!(matches!(
        play(&recording),
        Err(ReplayError::Damaged | ReplayError::Malformed { .. } | ReplayError::Version { .. })
            | Err(ReplayError::Foreign)
    ));
    recording.extend_from_slice(&wire::seal(&recording).to_le_bytes());
    let _ = play(&recording);
    // Cut anywhere it is none.
    let cut = recording.len() / 2;
    assert!(play(&recording[..cut]).is_err());
}

fn play(recording: &[u8]) -> Result<u64, ReplayError> {
    let mut replay = Replay::new(recording)?.most(1 << 16);
    let (mut steps, mut shown) = (0, 0);
    while let Some(step) = replay.step()? {
        assert_eq!(step.number, steps);
        steps += 1;
        shown += step.received.len();
        // Bytes of the peer stand in the recording, or were made up within the bound.
        assert!(shown <= recording.len() + (1 << 16));
    }
    assert!(replay.ended().is_some() && replay.step()?.is_none());
    Ok(steps)
}

/// Bytes of the seal.
const SEAL: usize = 8;
