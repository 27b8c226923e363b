//! A hex dump, as `xxd`, `hexdump -C`, `od -A x -t x1` and Wireshark's "Follow TCP stream" write it.
//!
//! Lines that are indented by four spaces or a tab are the server's, as Wireshark has them.

use std::io::{BufRead, Read};
use std::mem;

use sansocket_tcp_streams::Sender;

use super::{Fault, PIECE, Piece, Pieces};

/// A line longer than this is no line of a dump.
const LINE: u64 = 1 << 20;
/// So many bytes stand in a line that begins with an offset: what follows is the same as text.
const ROW: usize = 16;

pub(crate) struct Hex<R> {
    input: R,
    line: Vec<u8>,
    lines: u64,
    /// How many bytes the dump of each end has so far.
    so_far: [u64; 2],
    /// The next line, which was read to see whose it is, or what is wrong with it.
    next: Option<Result<(Sender, Vec<u8>), Fault>>,
}

impl<R: BufRead> Hex<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            lines: 0,
            so_far: [0; 2],
            next: None,
        }
    }

    /// The next line with bytes.
    fn row(&mut self) -> Result<Option<(Sender, Vec<u8>)>, Fault> {
        loop {
            self.line.clear();
            self.input
                .by_ref()
                .take(LINE)
                .read_until(b'\n', &mut self.line)?;
            self.lines += 1;
            if self.line.is_empty() {
                return Ok(None);
            }
            let line = mem::take(&mut self.line);
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            let from = if text.starts_with("    ") || text.starts_with('\t') {
                Sender::Server
            } else {
                Sender::Client
            };
            let so_far = &mut self.so_far[usize::from(from == Sender::Server)];
            let fault = |problem| Fault::Line(self.lines, problem);
            let bytes = row(text.trim_start(), so_far).map_err(fault)?;
            self.line = line;
            if !bytes.is_empty() {
                return Ok(Some((from, bytes)));
            }
        }
    }
}

impl<R: BufRead> Pieces for Hex<R> {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, Fault> {
        let first = self.next.take().or_else(|| self.row().transpose());
        let Some((from, first)) = first.transpose()? else {
            return Ok(None);
        };
        bytes.extend(first);
        while bytes.len() < PIECE {
            match self.row().transpose() {
                Some(Ok((other, more))) if other == from => bytes.extend(more),
                next => {
                    self.next = next;
                    break;
                }
            }
        }
        Ok(Some(from.into()))
    }
}

/// The bytes of a line, and what has come before them in its dump.
fn row(line: &str, so_far: &mut u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let said = ["#", "=", "Follow:", "Filter:", "Node "];
    if said.iter().any(|said| line.starts_with(said)) {
        return Ok(bytes);
    }
    if line == "*" {
        return Err("* stands for lines that are left out; hexdump -v writes them".to_owned());
    }
    let mut rest = line;
    let offset = offset(line, *so_far);
    if let Some((at, after)) = offset {
        if at != 0 && at != *so_far {
            return Err(format!(
                "the offset {at:x} after {so_far:x} bytes: offsets are hexadecimal, and a line has at most {ROW} bytes"
            ));
        }
        (*so_far, rest) = (at, after);
    }
    loop {
        let token = rest.trim_start();
        let gap = rest.len() - token.len();
        // What comes after the bytes is the same as text.
        let text = token.starts_with(['|', '>']) || gap > 2 && !bytes.is_empty();
        if token.is_empty() || offset.is_some() && (text || bytes.len() >= ROW) {
            break;
        }
        let (token, after) = token.split_at(token.find(char::is_whitespace).unwrap_or(token.len()));
        rest = after;
        bytes.extend(pairs(token).ok_or_else(|| format!("{token:?} is no bytes in hexadecimal"))?);
    }
    *so_far += bytes.len() as u64;
    Ok(bytes)
}

/// What a line says about where it is, and the rest of it.
fn offset(line: &str, so_far: u64) -> Option<(u64, &str)> {
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let digits = first.strip_suffix(':');
    let at = u64::from_str_radix(digits.unwrap_or(first), 16).ok()?;
    let next = rest.split_whitespace().next();
    let is_offset = match next {
        _ if digits.is_some() => true,
        // hexdump ends with how many bytes there were.
        None => at == so_far && at != 0,
        Some(next) => first.len() >= 4 && next.len() == 2,
    };
    is_offset.then_some((at, rest))
}

/// `4745`, `47`, or `0x47,` as in a program.
fn pairs(token: &str) -> Option<Vec<u8>> {
    let digits = token.strip_suffix(',').unwrap_or(token);
    let digits = digits.strip_prefix("0x").unwrap_or(digits).as_bytes();
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let byte = |[high, low]: &[u8; 2]| Some((digit(high)? << 4 | digit(low)?) as u8);
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose bytes they are (C or S), or what is wrong.
    fn read(dump: &str) -> (Vec<(char, Vec<u8>)>, Option<String>) {
        let mut hex = Hex::new(dump.as_bytes());
        let mut told = Vec::new();
        loop {
            let mut bytes = Vec::new();
            match hex.next(&mut bytes) {
                Ok(None) => return (told, None),
                Ok(Some(piece)) => {
                    let client = piece.from == Sender::Client;
                    told.push((if client { 'C' } else { 'S' }, bytes));
                }
                Err(fault) => return (told, Some(fault.to_string())),
            }
        }
    }

    #[test]
    fn dumps_of_each_program() {
        let bytes = [&b"GET / HTTP/1.1\r\n"[..], b"ab |"].concat();
        for dump in [
            // xxd
            "00000000: 4745 5420 2f20 4854 5450 2f31 2e31 0d0a  GET / HTTP/1.1..\n\
             00000010: 6162 207c                                ab |\n",
            // hexdump -C
            "00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  |GET / HTTP/1.1..|\n\
             00000010  61 62 20 7c                                       |ab ||\n00000014\n",
            // od -A x -t x1
            "000000 47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a\n000010 61 62 20 7c\n000014\n",
            // Wireshark
            "00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a   GET / HT TP/1.1..\r\n\
             00000010  61 62 20 7c                                       ab |\r\n",
            // xxd -p, and by hand
            "474554202f20485454502f312e310d0a6162207c",
            "47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a 61 62 20 7c \n",
        ] {
            let (told, fault) = read(dump);
            assert_eq!(fault, None, "{dump}");
            assert_eq!(told, [('C', bytes.clone())], "{dump}");
        }
        let (told, _) = read("0x81, 0x02,\t0x68, 0x69\n# a remark\n");
        assert_eq!(told, [('C', vec![0x81, 2, b'h', b'i'])]);
    }

    #[test]
    fn what_is_indented_is_the_servers() {
        let dump = "===\nFollow: tcp,hex\nNode 0: h:1\n00000000  61   a\n    00000000  62   b\n\t00000001  63\n00000001  64\n";
        let (told, fault) = read(dump);
        let expected = [
            ('C', b"a".to_vec()),
            ('S', b"bc".to_vec()),
            ('C', b"d".to_vec()),
        ];
        assert_eq!((told, fault), (expected.to_vec(), None));
    }

    #[test]
    fn faults_name_the_line_after_what_comes_before() {
        for (line, problem) in [
            ("0000020 48 49", "the offset 20 after 1 bytes"),
            ("*", "* stands for lines"),
            ("0000001 hello", "\"0000001\" is no bytes"),
            ("xyz", "\"xyz\" is no bytes"),
            ("123", "\"123\" is no bytes"),
        ] {
            let (told, fault) = read(&format!("00000000  47\n{line}\n"));
            assert_eq!(told, [('C', vec![0x47])]);
            let fault = fault.unwrap_or_default();
            assert!(fault.starts_with(&format!("line 2: {problem}")), "{fault}");
        }
    }
}
