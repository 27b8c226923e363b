//! What can happen to a connection: frames of the peer, its end, the time, and the caller's calls.

use super::machine::Setup;
use super::reference::frame::{self, BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};

/// An input, and what to call it.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) does: Does,
}

#[derive(Debug)]
pub(crate) enum Does {
    /// A read, and where it is cut.
    Read(Vec<u8>, usize),
    Eof,
    /// The same, and so much output leaves before the connection is asked for events.
    EofUnseen(usize),
    WriteLost,
    Lost,
    TlsFailed,
    /// A buffer is taken back and another one lent.
    Reclaim,
    /// So many seconds pass.
    Pass(u64),
    /// A read, which the application holds back for so many seconds.
    Held(Vec<u8>, u64),
    /// Messages may have so many bytes from now on.
    LimitMessages(u64),
    Consume(usize),
    /// By value, if it is binary.
    Send(bool, Vec<u8>),
    SendPrepared(bool, Vec<u8>),
    Part(bool, Vec<u8>, bool),
    Begin(bool, u64),
    Write(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    CloseLossy(Option<u16>, String),
    Fail,
}

fn input(name: impl Into<String>, does: Does) -> Input {
    let name = name.into();
    Input { name, does }
}

/// The peer's frames, masked as it has to.
struct Peer {
    key: Option<[u8; 4]>,
    inputs: Vec<Input>,
}

impl Peer {
    fn bytes(&self, fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = frame::header(fin, opcode, payload.len() as u64, self.key);
        bytes.extend(frame::mask(payload, 0, self.key));
        bytes
    }

    /// Cut `back` bytes before its end.
    fn frame(&mut self, name: &str, fin: bool, opcode: u8, payload: &[u8], back: usize) {
        let bytes = self.bytes(fin, opcode, payload);
        self.raw(name, bytes, back);
    }

    fn raw(&mut self, name: &str, bytes: Vec<u8>, back: usize) {
        let cut = bytes.len().saturating_sub(back);
        self.inputs.push(input(name, Does::Read(bytes, cut)));
    }

    /// A header that says so, and nothing after it; `short` is the 7-bit length.
    fn header(&mut self, name: &str, first: u8, short: u8, extended: &[u8]) {
        let mask_bit = if self.key.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![first, mask_bit | short];
        bytes.extend(extended);
        self.raw(name, bytes, 1);
    }
}

const MORE: bool = false;
const FIN: bool = true;

/// What conversations of any length are made of: each kind of frame, each rule broken, each call.
/// The limits are low, so that frames of some 200 bytes pass them.
pub(crate) fn narrow(setup: &Setup) -> Vec<Input> {
    let key = setup.peer_key();
    let mut peer = Peer {
        key,
        inputs: Vec::new(),
    };
    let p = &mut peer;
    // Legal, where they may stand.
    p.frame("text of 0", FIN, TEXT, b"", 1);
    p.frame("text é", FIN, TEXT, "é".as_bytes(), 1);
    p.frame("text of 126", FIN, TEXT, &[b'a'; 126], 129);
    p.frame("text a½é, more", MORE, TEXT, b"a\xc3", 1);
    p.frame("text of 0, more", MORE, TEXT, b"", 1);
    p.frame("text f4 90, more", MORE, TEXT, b"\xf4\x90", 1);
    p.frame("binary of 125", FIN, BINARY, &[0x80; 125], 60);
    p.frame("binary of 127", FIN, BINARY, &[0x81; 127], 1);
    p.frame("text of 200", FIN, TEXT, &[b't'; 200], 100);
    p.frame("binary of 101, more", MORE, BINARY, &[b'b'; 101], 1);
    p.frame("binary of 1, more", MORE, BINARY, b"\xff", 2);
    p.frame("continuation of 0", FIN, CONTINUATION, b"", 1);
    p.frame("continuation ½é", FIN, CONTINUATION, b"\xa9", 1);
    p.frame("continuation ½é, more", MORE, CONTINUATION, b"\xa9", 1);
    p.frame(
        "continuation of 200, more",
        MORE,
        CONTINUATION,
        &[b'c'; 200],
        100,
    );
    p.frame("ping of 0", FIN, PING, b"", 1);
    p.frame("ping of 125", FIN, PING, &[b'p'; 125], 125);
    p.frame("pong of 1", FIN, PONG, b"x", 1);
    p.frame("pong to the keepalive", FIN, PONG, &[0, 1], 1);
    p.frame("close of 0", FIN, CLOSE, b"", 1);
    p.frame("close 1000", FIN, CLOSE, &[3, 232], 1);
    let reason = [&[0x13, 0x87][..], "é".repeat(61).as_bytes(), b"!"].concat();
    p.frame("close 4999 with 123 bytes", FIN, CLOSE, &reason, 2);
    let flood = (0..18).flat_map(|i| p.bytes(FIN, PING, &[i])).collect();
    p.raw("18 pings", flood, 1);
    // Begun and not finished: what follows is read as the rest.
    p.raw("a first byte", vec![0x82], 1);
    let mut unfinished = p.bytes(FIN, TEXT, "é€".as_bytes());
    unfinished.truncate(unfinished.len() - 3);
    p.raw("3 bytes missing of a text", unfinished, 1);
    let mut bad = p.bytes(FIN, TEXT, b"\xff..");
    bad.truncate(bad.len() - 2);
    p.raw("2 bytes missing of no text", bad, 1);
    // Illegal anywhere.
    p.frame("text ff", FIN, TEXT, b"\xff", 1);
    p.frame("text ½€", FIN, TEXT, b"\xe2\x82", 1);
    p.header("rsv1 text", 0xc1, 0, b"");
    p.header("rsv2 ping", 0xa9, 0, b"");
    p.header("rsv3 continuation", 0x90, 0, b"");
    p.header("opcode 3", 0x83, 0, b"");
    p.header("opcode 11, more", 0x0b, 0, b"");
    p.header("the wrong mask", 0x82, 0x80 ^ 1, b"");
    p.inputs.pop();
    let mut wrong = frame::header(
        FIN,
        BINARY,
        1,
        if key.is_some() { None } else { Some([1; 4]) },
    );
    wrong.push(0);
    p.raw("the wrong mask", wrong, 2);
    p.header("125 in 16 bits", 0x82, 126, &[0, 125]);
    p.header(
        "65535 in 64 bits",
        0x81,
        127,
        &[0, 0, 0, 0, 0, 0, 0xff, 0xff],
    );
    p.header("2^63 bytes", 0x82, 127, &[0x80, 0, 0, 0, 0, 0, 0, 0]);
    p.header("text of 201", 0x81, 126, &[0, 201]);
    p.header("ping of 126", 0x89, 126, b"");
    p.header("ping, more", 0x09, 0, b"");
    p.frame("close of 1", FIN, CLOSE, &[3], 1);
    p.frame("close 1005", FIN, CLOSE, &[3, 237], 1);
    p.frame("close with no text", FIN, CLOSE, &[3, 232, 0xc3], 1);
    let held =
        |fin, opcode, payload: &[u8], seconds| Does::Held(p.bytes(fin, opcode, payload), seconds);
    let held = [
        input("text é, held for 4 s", held(FIN, TEXT, "é".as_bytes(), 4)),
        input("ping of 0, held for an hour", held(FIN, PING, b"", 3600)),
        input("text of 0, more, held for 10 s", held(MORE, TEXT, b"", 10)),
    ];
    let mut inputs = peer.inputs;
    inputs.extend(held);
    inputs.extend([
        input("eof", Does::Eof),
        input("eof, 1 leaves unseen", Does::EofUnseen(1)),
        input("write lost", Does::WriteLost),
        input("lost", Does::Lost),
        input("TLS failed", Does::TlsFailed),
        input("4 s", Does::Pass(4)),
        input("10 s", Does::Pass(10)),
        input("an hour", Does::Pass(3600)),
        input("consume 1", Does::Consume(1)),
        input("consume 5", Does::Consume(5)),
        input("consume all", Does::Consume(usize::MAX)),
        input("reclaim", Does::Reclaim),
        input("send é", Does::Send(true, "é".into())),
        input("send 126", Does::Send(false, vec![7; 126])),
        input("send prepared", Does::SendPrepared(false, vec![9; 60])),
        input("part a½é", Does::Part(true, b"a\xc3".to_vec(), false)),
        input("last part ½é", Does::Part(true, b"\xa9".to_vec(), true)),
        input("part of binary", Does::Part(false, b"\xff".to_vec(), false)),
        input("begin binary of 2", Does::Begin(false, 2)),
        input("begin text of 2", Does::Begin(true, 2)),
        input("write 1", Does::Write(b"w".to_vec())),
        input("write ½é", Does::Write(b"\xc3".to_vec())),
        input("ping", Does::Ping(b"x".to_vec())),
        input("pong", Does::Pong(vec![b'q'; 125])),
        input("close", Does::Close(None, String::new())),
        input("close 1000 bye", Does::Close(Some(1000), "bye".into())),
        input("close 1010", Does::Close(Some(1010), String::new())),
        input(
            "close 3000 lossily",
            Does::CloseLossy(Some(3000), "é".repeat(62)),
        ),
        input("messages of 100", Does::LimitMessages(100)),
        input("fail", Does::Fail),
    ]);
    inputs
}

/// The narrow alphabet and compressed messages (RFC 7692). Parts are left out: the machine would
/// compress those of its own.
#[cfg(feature = "deflate")]
pub(crate) fn compressed(setup: &Setup) -> Vec<Input> {
    const RSV1: u8 = 0x40;
    let mut peer = Peer {
        key: setup.peer_key(),
        inputs: Vec::new(),
    };
    // Deflate blocks; §7.2.3's examples first. The second one refers to a message before it.
    for (name, opcode, payload, back) in [
        ("z Hello", TEXT, &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], 3),
        ("z Hello again", TEXT, b"\xf2\x00\x11\x00\x00", 1),
        ("z stored", TEXT, b"\x00\x05\x00\xfa\xffHello\x00", 4),
        ("z final block", TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 1),
        ("z two blocks", TEXT, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 6),
        (
            "z dynamic",
            BINARY,
            b"\x14\x8a\xc7\x11\x00\x00\x0c\x82f\xc5\xb2\xff\n\x89\xc7K\x101,\n\xa9*\x90\x03\xa6\xb6\x8a2\xc5\x87\xfc1\xfb\xfa\xe7\xccw\xf8\xd0:",
            20,
        ),
        ("z empty", BINARY, b"\x00", 1),
        ("z 300 of a", BINARY, b"\x4a\x4c\x1c\x05\xc4\x02\x00\x00", 2),
        ("z ff", TEXT, b"\x00\x01\x00\xfe\xff\xff\x00", 1),
        // Not whole, not DEFLATE, too long.
        ("z of 0", TEXT, b"", 1),
        ("z half a block", TEXT, b"\xf2\x48\xcd", 1),
        ("z no block", BINARY, b"\x07..", 2),
        ("z stored, wrong length", BINARY, b"\x00\x05\x00\xfa\xfeHello\x00", 6),
        ("z 400 of a", BINARY, b"\x4a\x4c\x1c\x05\x83\x09\x00\x00", 2),
        ("z with its end", TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", 1),
    ] {
        let mut bytes = peer.bytes(FIN, opcode, payload);
        bytes[0] |= RSV1;
        peer.raw(name, bytes, back);
    }
    // In fragments.
    for (name, opcode, payload) in [
        ("z Hel, more", TEXT, &b"\xf2\x48\xcd"[..]),
        ("z ½é, more", TEXT, b"\x00\x01\x00\xfe\xff\xc3"),
        (
            "z 200 of a, more",
            BINARY,
            b"\x4a\x4c\x1c\x1e\x00\x00\x00\xff\xff",
        ),
    ] {
        let mut bytes = peer.bytes(MORE, opcode, payload);
        bytes[0] |= RSV1;
        peer.raw(name, bytes, 2);
    }
    peer.frame("continuation lo", FIN, CONTINUATION, b"\xc9\xc9\x07\x00", 2);
    peer.frame(
        "continuation stored ½é",
        FIN,
        CONTINUATION,
        b"\x00\x01\x00\xfe\xff\xa9\x00",
        1,
    );
    peer.header("continuation, rsv1", 0xc0, 0, b"");
    peer.header("ping, rsv1", 0xc9, 0, b"");
    peer.header("z of 201", 0xc1, 126, &[0, 201]);
    let mut inputs = peer.inputs;
    let others = narrow(setup).into_iter();
    inputs.extend(others.filter(|input| !matches!(input.does, Does::Part(..))));
    inputs
}

/// Every kind of frame at every boundary of §5.2, and each call at them, beside the narrow alphabet.
pub(crate) fn wide(setup: &Setup) -> Vec<Input> {
    let mut peer = Peer {
        key: setup.peer_key(),
        inputs: Vec::new(),
    };
    let sizes = [0, 1, 125, 126, 127, 0xffff, 0x1_0000];
    for (kind, opcode) in [
        ("continuation", CONTINUATION),
        ("text", TEXT),
        ("binary", BINARY),
        ("close", CLOSE),
        ("ping", PING),
        ("pong", PONG),
    ] {
        for len in sizes {
            if frame::is_control(opcode) && len > 127 {
                continue;
            }
            // As the body of a Close frame: 1000 and a reason.
            let mut payload = vec![b'a'; len];
            if opcode == CLOSE && len > 1 {
                payload[..2].copy_from_slice(&[3, 232]);
            }
            peer.frame(
                &format!("{kind} of {len}"),
                FIN,
                opcode,
                &payload,
                len / 2 + 1,
            );
            peer.frame(
                &format!("{kind} of {len}, more"),
                MORE,
                opcode,
                &payload,
                len + 1,
            );
        }
    }
    // §5.2: each reserved bit with each opcode, each opcode that is not defined.
    for opcode in 0..16 {
        for bits in 0..8 {
            let defined = matches!(opcode, 0..=2 | 8..=10);
            if defined == (bits > 0) {
                let first = 0x80 | bits << 4 | opcode;
                peer.header(&format!("opcode {opcode}, bits {bits}"), first, 0, b"");
            }
        }
    }
    // §5.2: longer forms than are needed; the length that no payload has.
    for (name, short, extended) in [
        ("0 in 16 bits", 126, &[0, 0][..]),
        ("126 in 64 bits", 127, &[0, 0, 0, 0, 0, 0, 0, 126]),
        (
            "2^63 - 1 bytes",
            127,
            &[0x7f, 255, 255, 255, 255, 255, 255, 255],
        ),
        ("65537 bytes", 127, &[0, 0, 0, 0, 0, 1, 0, 1]),
    ] {
        for (kind, opcode) in [
            ("continuation", CONTINUATION),
            ("text", TEXT),
            ("ping", PING),
        ] {
            peer.header(&format!("{kind}, {name}"), 0x80 | opcode, short, extended);
        }
    }
    // §7.4: each range of codes at its ends.
    for code in [
        0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 4999, 5000,
        0xffff,
    ] {
        let code: u16 = code;
        peer.frame(&format!("close {code}"), FIN, CLOSE, &code.to_be_bytes(), 1);
    }
    let mut inputs = peer.inputs;
    for len in sizes {
        let text = vec![b't'; len];
        inputs.extend([
            input(
                format!("send text of {len}"),
                Does::Send(true, text.clone()),
            ),
            input(
                format!("send binary of {len}"),
                Does::Send(false, vec![7; len]),
            ),
            input(
                format!("part of {len}"),
                Does::Part(true, text.clone(), false),
            ),
            input(format!("last part of {len}"), Does::Part(true, text, true)),
            input(format!("begin {len}"), Does::Begin(false, len as u64)),
            input(format!("write {len}"), Does::Write(vec![b'w'; len])),
        ]);
        if len <= 127 {
            inputs.extend([
                input(format!("ping {len}"), Does::Ping(vec![b'x'; len])),
                input(format!("pong {len}"), Does::Pong(vec![b'q'; len])),
                input(
                    format!("close with {len}"),
                    Does::Close(Some(3000), "r".repeat(len)),
                ),
                input(
                    format!("close without {len}"),
                    Does::Close(None, "r".repeat(len)),
                ),
            ]);
        }
    }
    inputs.push(input("begin 2^63", Does::Begin(false, 1 << 63)));
    inputs.extend(narrow(setup));
    inputs
}
