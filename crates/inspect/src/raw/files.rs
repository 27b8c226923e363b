//! Two files, one for what each end has sent. Which of two bytes came first is not known: the ends take turns.

use std::io::Read;

use sansocket_tcp_streams::Sender;

use super::{Fault, PIECE, Piece, Pieces};
use crate::follow::is_http;

pub(crate) struct Files<R> {
    files: [Direction<R>; 2],
    turn: Sender,
}

struct Direction<R> {
    input: R,
    /// A block, and what of it was given.
    block: Vec<u8>,
    given: usize,
}

impl<R: Read> Files<R> {
    pub(crate) fn new(client: R, server: R) -> Self {
        let files = [client, server].map(|input| Direction {
            input,
            block: Vec::new(),
            given: 0,
        });
        Self {
            files,
            turn: Sender::Client,
        }
    }
}

impl<R: Read> Pieces for Files<R> {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, Fault> {
        for _ in 0..2 {
            let from = self.turn;
            self.turn = from.peer();
            self.files[usize::from(from == Sender::Server)].take(bytes)?;
            if !bytes.is_empty() {
                return Ok(Some(from.into()));
            }
        }
        Ok(None)
    }
}

impl<R: Read> Direction<R> {
    /// The head of a request or an answer alone, as the other end has waited for it; else as much as there is.
    fn take(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.given == self.block.len() {
            self.block.clear();
            self.given = 0;
            let input = self.input.by_ref();
            input.take(PIECE as u64).read_to_end(&mut self.block)?;
        }
        let rest = &self.block[self.given..];
        let mut ends = rest.windows(4);
        let end = if is_http(rest) {
            ends.position(|at| at == b"\r\n\r\n")
        } else {
            None
        };
        let n = end.map_or(rest.len(), |end| end + 4);
        out.extend(&rest[..n]);
        self.given += n;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heads_come_alone_and_then_the_ends_take_turns() {
        let client = [
            &b"CONNECT h:1 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"[..],
            &[1; PIECE + 1],
        ]
        .concat();
        let server = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 \r\n\r\nabc";
        let mut files = Files::new(&client[..], &server[..]);
        let mut told = Vec::new();
        let mut bytes = Vec::new();
        while let Ok(Some(piece)) = files.next(&mut bytes) {
            told.push((piece.from == Sender::Client, bytes.len()));
            bytes.clear();
        }
        let expected = [
            (true, 24),
            (false, 19),
            (true, 18),
            (false, 17),
            (true, PIECE - 42),
            (false, 3),
            (true, 43),
        ];
        assert_eq!(told, expected);
    }
}
