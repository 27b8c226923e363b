//! A recording of one end of a connection, as the feature `replay` of `sansocket` writes it: it is played, and what
//! was received and sent comes with the times that the driver told.

use std::io::Read;
use std::vec::IntoIter;

use sansocket::Role;
use sansocket::replay::{Ended, Replay, ReplayError};
use sansocket_tcp_streams::Sender;

use super::{Fault, Piece, Pieces};

/// At most so many bytes come of payloads that were left out.
const MOST: u64 = 64 << 20;

pub(crate) struct Recording {
    pieces: IntoIter<(Piece, Vec<u8>)>,
    /// Why it played no further.
    error: Option<ReplayError>,
    cut: Option<u64>,
}

impl Recording {
    pub(crate) fn new(mut input: impl Read) -> Result<Self, Fault> {
        let mut recording = Vec::new();
        input.read_to_end(&mut recording)?;
        let mut replay = Replay::new(&recording)
            .map_err(Fault::Recording)?
            .most(MOST);
        let mut pieces = Vec::new();
        let played = play(&mut replay, &mut pieces);
        // The rest of the conversation is not in it.
        let cut = matches!(replay.ended(), Some(Ended::Full | Ended::LeftOut));
        Ok(Self {
            pieces: pieces.into_iter(),
            error: played.err(),
            cut: cut.then_some(recording.len() as u64),
        })
    }
}

fn play(replay: &mut Replay<'_>, pieces: &mut Vec<(Piece, Vec<u8>)>) -> Result<(), ReplayError> {
    let epoch = replay.epoch();
    let mut own = Sender::Server;
    while let Some(step) = replay.step()? {
        let time = step.now.map(|now| epoch.saturating_add(now));
        for (received, bytes) in [(true, step.received), (false, step.sent)] {
            if !bytes.is_empty() {
                let from = if received { own.peer() } else { own };
                let piece = Piece {
                    time,
                    ..from.into()
                };
                pieces.push((piece, bytes.to_vec()));
            }
        }
        if step.number == 0 && replay.connection().map(|ws| ws.role()) == Some(Role::Client) {
            own = Sender::Client;
        }
    }
    Ok(())
}

impl Pieces for Recording {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, Fault> {
        if let Some((piece, given)) = self.pieces.next() {
            *bytes = given;
            return Ok(Some(piece));
        }
        self.error
            .take()
            .map_or(Ok(None), |error| Err(Fault::Recording(error)))
    }

    fn cut(&self) -> Option<u64> {
        self.cut
    }
}
