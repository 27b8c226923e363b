//! A judge of output: is what an end sends the beginning of a legal WebSocket conversation?

use sansocket::Role;

#[derive(Clone)]
pub struct Judge {
    role: Role,
    stage: Stage,
    /// A head, header or control payload that is not whole yet.
    pending: Vec<u8>,
    /// The message in progress is text.
    message: Option<bool>,
    /// The start of a character.
    carry: Vec<u8>,
    closed: bool,
    /// Compression was agreed on; the message in progress is compressed.
    deflate: bool,
    compressed: bool,
    /// Reserved bits of other extensions.
    reserved: u8,
    /// Bytes of data payload so far.
    pub data: u64,
    /// Control frames so far: opcode and payload.
    pub controls: Vec<(u8, Vec<u8>)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    Head,
    /// The body of a refusal: so much of it, or up to its last chunk, or to the end.
    Body(u64),
    Chunks,
    ToEnd,
    Frames,
    Data {
        left: u64,
        key: Option<[u8; 4]>,
        offset: usize,
        fin: bool,
    },
}

impl Judge {
    /// Of a connection that begins with its opening handshake.
    pub fn new(role: Role) -> Self {
        Self {
            stage: Stage::Head,
            ..Self::upgraded(role)
        }
    }

    /// Of a connection that was upgraded elsewhere.
    pub fn upgraded(role: Role) -> Self {
        Self {
            role,
            stage: Stage::Frames,
            pending: Vec::new(),
            message: None,
            carry: Vec::new(),
            closed: false,
            deflate: false,
            compressed: false,
            reserved: 0,
            data: 0,
            controls: Vec::new(),
        }
    }

    /// Some reserved bits have a meaning.
    pub fn with_extensions(self, deflate: bool, reserved: u8) -> Self {
        Self {
            deflate,
            reserved,
            ..self
        }
    }

    /// Nothing is cut off so far.
    pub fn at_boundary(&self) -> bool {
        self.pending.is_empty() && self.stage == Stage::Frames
    }

    pub fn feed(&mut self, mut bytes: &[u8]) {
        loop {
            let used = match &mut self.stage {
                Stage::Data {
                    left,
                    key,
                    offset,
                    fin,
                } => {
                    let n = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    let payload: Vec<u8> = bytes[..n]
                        .iter()
                        .zip(*offset..)
                        .map(|(byte, at)| byte ^ key.map_or(0, |key| key[at % 4]))
                        .collect();
                    *left -= n as u64;
                    *offset += n;
                    let (whole, fin) = (*left == 0, *fin);
                    self.data(&payload, whole && fin);
                    if whole {
                        self.stage = Stage::Frames;
                    }
                    n
                }
                Stage::Body(left) => {
                    let more = bytes.len() as u64;
                    assert!(more <= *left, "bytes after a refusal");
                    *left -= more;
                    bytes.len()
                }
                Stage::ToEnd => bytes.len(),
                Stage::Head | Stage::Frames | Stage::Chunks => {
                    let Some((&byte, _)) = bytes.split_first() else {
                        return;
                    };
                    self.pending.push(byte);
                    match self.stage {
                        Stage::Head => self.head(),
                        Stage::Chunks => self.chunk(),
                        _ => self.header(),
                    }
                    1
                }
            };
            bytes = &bytes[used..];
            if bytes.is_empty() {
                // A frame without payload ends at once.
                if !matches!(self.stage, Stage::Data { left: 0, .. }) {
                    return;
                }
            }
        }
    }

    fn head(&mut self) {
        if !self.pending.ends_with(b"\r\n\r\n") {
            return;
        }
        let head = String::from_utf8(core::mem::take(&mut self.pending)).expect("a head of text");
        let lines: Vec<_> = head.trim_end_matches("\r\n").split("\r\n").collect();
        for line in &lines {
            assert!(!line.contains(['\r', '\n', '\0']), "a line was injected");
        }
        let first = lines[0];
        let value = |name: &str| {
            let mut values = lines[1..].iter().filter_map(|line| {
                let (own, value) = line.split_once(':').expect("a field");
                own.eq_ignore_ascii_case(name).then(|| value.trim())
            });
            let value = values.next();
            assert!(values.next().is_none(), "{name} twice");
            value
        };
        if self.role == Role::Client {
            assert!(first.starts_with("GET /") && first.ends_with(" HTTP/1.1"));
            assert_eq!(first.split(' ').count(), 3);
            assert!(value("Host").is_some());
            assert!(value("Upgrade").is_some_and(|v| v.eq_ignore_ascii_case("websocket")));
            assert_eq!(value("Connection"), Some("Upgrade"));
            assert_eq!(value("Sec-WebSocket-Version"), Some("13"));
            assert_eq!(value("Sec-WebSocket-Key").map(str::len), Some(24));
            self.stage = Stage::Frames;
            return;
        }
        let status = first.strip_prefix("HTTP/1.1 ").expect("a status line");
        match &status[..4] {
            "100 " => {}
            "101 " => {
                assert_eq!(value("Upgrade"), Some("websocket"));
                assert_eq!(value("Connection"), Some("Upgrade"));
                assert_eq!(value("Sec-WebSocket-Accept").map(str::len), Some(28));
                self.stage = Stage::Frames;
            }
            _ => {
                assert!(value("Connection").is_some_and(|value| value.ends_with("close")));
                let empty = matches!(&status[..3], "204" | "304");
                self.stage = match (value("Content-Length"), value("Transfer-Encoding")) {
                    (Some(len), None) if !empty => Stage::Body(len.parse().expect("a length")),
                    (None, Some("chunked")) if !empty => Stage::Chunks,
                    (None, None) if empty => Stage::Body(0),
                    (None, None) => Stage::ToEnd,
                    other => panic!("{status}: {other:?}"),
                };
            }
        }
    }

    /// RFC 9112 §7.1: a whole chunk, and no more after the last one.
    fn chunk(&mut self) {
        let Some(end) = self.pending.windows(2).position(|two| two == b"\r\n") else {
            return;
        };
        let size = core::str::from_utf8(&self.pending[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if self.pending.len() < end + 2 + size + 2 {
            return;
        }
        assert!(self.pending.ends_with(b"\r\n"));
        self.pending.clear();
        if size == 0 {
            self.stage = Stage::Body(0);
        }
    }

    fn header(&mut self) {
        let bytes = &self.pending;
        let first = bytes[0];
        let (fin, opcode) = (first & 0x80 != 0, first & 15);
        let compression = self.deflate && matches!(opcode, 1 | 2);
        let defined = if compression { 4 } else { 0 } | if opcode < 8 { self.reserved } else { 0 };
        assert_eq!(first >> 4 & 7 & !defined, 0, "reserved bits");
        assert!(matches!(opcode, 0..=2 | 8..=10), "opcode {opcode}");
        if self.closed {
            assert!(matches!(opcode, 9 | 10), "{opcode} after a Close frame");
        }
        let Some(&second) = bytes.get(1) else { return };
        assert_eq!(
            second & 0x80 != 0,
            self.role == Role::Client,
            "the mask bit"
        );
        let (form, least) = match second & 0x7f {
            126 => (2, 126),
            127 => (8, 0x1_0000),
            _ => (0, 0),
        };
        let key = if self.role == Role::Client { 4 } else { 0 };
        if bytes.len() < 2 + form + key {
            return;
        }
        let len = match form {
            0 => u64::from(second & 0x7f),
            _ => bytes[2..2 + form]
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte)),
        };
        assert!(
            len >= least && len >> 63 == 0,
            "length {len} in {form} bytes"
        );
        let key = bytes[2 + form..2 + form + key].first_chunk().copied();
        if opcode >= 8 {
            assert!(fin && len <= 125, "a control frame of {len} bytes");
            let start = 2 + form + key.map_or(0, |_| 4);
            if bytes.len() < start + len as usize {
                return;
            }
            let payload: Vec<u8> = bytes[start..]
                .iter()
                .enumerate()
                .map(|(i, byte)| byte ^ key.map_or(0, |key: [u8; 4]| key[i % 4]))
                .collect();
            self.pending.clear();
            if opcode == 8 {
                close_body(&payload);
                self.closed = true;
            }
            self.controls.push((opcode, payload));
            return;
        }
        match (opcode, self.message) {
            (0, None) => panic!("a continuation of nothing"),
            (1 | 2, Some(_)) => panic!("a message inside a message"),
            (1 | 2, None) => {
                self.message = Some(opcode == 1);
                self.compressed = compression && first & 0x40 != 0;
            }
            _ => {}
        }
        self.pending.clear();
        self.stage = Stage::Data {
            left: len,
            key,
            offset: 0,
            fin,
        };
    }

    fn data(&mut self, payload: &[u8], end: bool) {
        self.data += payload.len() as u64;
        if self.message == Some(true) && !self.compressed {
            self.carry.extend_from_slice(payload);
            let valid = match core::str::from_utf8(&self.carry) {
                Ok(text) => text.len(),
                Err(error) => {
                    assert_eq!(error.error_len(), None, "not UTF-8");
                    error.valid_up_to()
                }
            };
            self.carry.drain(..valid);
            assert!(
                !end || self.carry.is_empty(),
                "text ends inside a character"
            );
        }
        if end {
            self.message = None;
        }
    }
}

/// RFC 6455 §5.5.1, §7.4.
fn close_body(payload: &[u8]) {
    match payload {
        [] => {}
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            assert!(
                matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
                "close code {code}"
            );
            assert!(core::str::from_utf8(reason).is_ok());
        }
        _ => panic!("half a close code"),
    }
}
