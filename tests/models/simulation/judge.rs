//! What an end sends is always the beginning of a legal conversation.

/// Follows the output of one end, a byte at a time over headers and in one go over payloads.
pub(crate) struct Judge {
    masks: bool,
    compresses: bool,
    /// The head of the opening handshake has ended.
    head_over: bool,
    seen: Vec<u8>,
    payload_left: u64,
    in_message: bool,
    closed: bool,
    /// The server answered otherwise: what follows is a body.
    refused: bool,
}

impl Judge {
    pub(crate) fn new(masks: bool, compresses: bool) -> Self {
        Self {
            masks,
            compresses,
            head_over: false,
            seen: Vec::new(),
            payload_left: 0,
            in_message: false,
            closed: false,
            refused: false,
        }
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.refused {
                return;
            }
            if self.payload_left > 0 {
                let n = bytes.len().min(self.payload_left as usize);
                self.payload_left -= n as u64;
                bytes = &bytes[n..];
                continue;
            }
            bytes = rest;
            self.seen.push(byte);
            if !self.head_over {
                if self.seen.ends_with(b"\r\n\r\n") {
                    // Of the answers only 101 goes on (100 comes before it).
                    self.head_over = self.masks || !self.seen.starts_with(b"HTTP/1.1 100");
                    let goes_on = [&b"HTTP/1.1 101"[..], b"HTTP/1.1 100"];
                    self.refused =
                        !self.masks && !goes_on.iter().any(|line| self.seen.starts_with(line));
                    self.seen.clear();
                }
                continue;
            }
            self.header();
        }
    }

    /// RFC 6455 §5.2, §5.4, §5.5 for the header so far.
    fn header(&mut self) {
        let [first, second, ..] = self.seen[..] else {
            return;
        };
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let key = if self.masks { 4 } else { 0 };
        if self.seen.len() < 2 + extended + key {
            return;
        }
        let (fin, bits, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
        let mut len = u64::from(second & 0x7f);
        if extended > 0 {
            let bytes = &self.seen[2..2 + extended];
            len = bytes
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte));
        }
        assert_eq!(second & 0x80 != 0, self.masks, "the mask bit");
        let least = [0, 0, 126, 0, 0, 0, 0, 0, 0x1_0000][extended];
        assert!(len >= least && len >> 63 == 0, "the form of the length");
        if opcode & 8 != 0 {
            assert!(
                matches!(opcode, 8..=10) && fin && bits == 0 && len <= 125,
                "a control frame"
            );
            assert!(!self.closed || opcode != 8, "a second Close");
            self.closed |= opcode == 8;
        } else {
            assert!(!self.closed, "data after Close");
            assert!(matches!(opcode, 0..=2), "the opcode");
            assert_eq!(opcode == 0, self.in_message, "the sequence of fragments");
            let may_mark = self.compresses && opcode != 0;
            assert!(bits == 0 || bits == 4 && may_mark, "reserved bits");
            self.in_message = !fin;
        }
        self.payload_left = len;
        self.seen.clear();
    }
}
