//! permessage-deflate (RFC 7692) against DEFLATE read bit by bit: what is received, of any payload
//! with any parameters and in any cut, and what is sent.

use super::cut::{Setup, any_cut_as_expected};
use super::{Taker, inflate, wire};
use sansocket::config::Limits;
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::{Kind, Part, Prepared, Role};

/// What may be agreed on; the last four have a parameter for one side only.
const AGREED: [&str; 12] = [
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=15",
    "permessage-deflate; server_max_window_bits=12; client_max_window_bits=11",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
    "permessage-deflate; client_no_context_takeover; client_max_window_bits=9",
    "permessage-deflate; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=14",
    "permessage-deflate; client_max_window_bits=13",
];

pub fn permessage_deflate(data: &[u8]) {
    let mut t = Taker::new(data);
    let mut setup = Setup::draw(&mut t, false);
    setup.deflate = Some(t.pick(&AGREED));
    // RSV1 is the compression's.
    setup.reserved &= 3;
    setup.ratio = t.pick(&[0, 0, 1, 2, 100]);
    let cuts = t.bytes(40);
    if t.once_in(3) {
        sent(&mut t, &setup);
    } else {
        let stream = stream(&mut t, setup.role.peer());
        any_cut_as_expected(&mut Taker::new(cuts), &setup, &stream);
    }
}

// ── what is received

/// Messages whose payload is DEFLATE, or nearly, or not at all.
fn stream(t: &mut Taker<'_>, from: Role) -> Vec<u8> {
    let mut out = Vec::new();
    // What many messages refer to: only a window that was kept has it.
    let mut said = Vec::new();
    for _ in 0..8 {
        if t.is_empty() {
            break;
        }
        let opcode = t.pick(&[1, 2, 2]);
        let payload = match t.below(8) {
            0 => {
                wire::item(t, from, &mut out);
                continue;
            }
            // The rest of the input, for a fuzzer to shape.
            1 => t.rest().to_vec(),
            2 => {
                let n = t.below(60);
                t.bytes(n).to_vec()
            }
            3 => blocks(t),
            4 => bomb(t),
            _ => {
                let text = match t.below(4) {
                    0 => wire::binary(t),
                    1 => [said.clone(), wire::text(t).into_bytes()].concat(),
                    _ => wire::text(t).into_bytes(),
                };
                said.extend_from_slice(&text);
                said.truncate(2000);
                let mut payload = packed(t, &text);
                wire::mutate(t, &mut payload);
                payload
            }
        };
        let mut rest = &payload[..];
        let parts = t.below(4);
        for part in 0..=parts {
            let last = part == parts;
            let n = if last {
                rest.len()
            } else {
                t.below((rest.len() + 1).min(65_536))
            };
            let (front, behind) = rest.split_at(n);
            rest = behind;
            let first = u8::from(last) << 7 | if part == 0 { 0x40 | opcode } else { 0 };
            let key = from.masks().then(|| t.key());
            wire::frame(&mut out, first, key, front);
        }
    }
    wire::mutate(t, &mut out);
    out
}

/// A message of its own, as any sender may compress it.
fn packed(t: &mut Taker<'_>, message: &[u8]) -> Vec<u8> {
    let prepared = PermessageDeflate::server().level(t.below(10) as u8);
    let bits = [8, 9, 10, 12, 15][t.below(5)];
    let form = compressed_form(prepared, bits, message);
    form.unwrap_or_default()
}

/// A server's message in one frame, without its header.
fn compressed_form(settings: PermessageDeflate, bits: u8, message: &[u8]) -> Option<Vec<u8>> {
    use sansocket::{Connection, Negotiated, OriginPolicy, ServerConfig};
    let config = ServerConfig::new(OriginPolicy::Any)
        .limits(Limits::trusted())
        .deflate(settings);
    let agreed = format!("permessage-deflate; server_max_window_bits={bits}");
    let negotiated = Negotiated::new().extensions(&*agreed);
    let mut ws = Connection::upgraded_server(&config, negotiated);
    ws.send_with(message, Compress::Always).ok()?;
    let mut slices = [&[][..]; 8];
    let n = ws.output_slices(&mut slices);
    let mut frames = Frames::new(None);
    frames.feed(&slices[..n].concat());
    frames.messages.pop().map(|message| message.payload)
}

/// Stored blocks and fixed ones, final ones among them, each written down as RFC 1951 §3.2 has it.
fn blocks(t: &mut Taker<'_>) -> Vec<u8> {
    let mut bits = Bits::default();
    // The first thing that is said refers to nothing.
    let mut said = t.once_in(20);
    for _ in 0..1 + t.below(4) {
        let last = u16::from(t.once_in(3));
        bits.put(last, 1);
        if t.once_in(2) {
            bits.put(0, 2);
            bits.align();
            let n = t.below(20);
            let bytes = t.bytes(n);
            let len = bytes.len() as u16 ^ if t.once_in(20) { 1 } else { 0 };
            bits.put(len, 16);
            bits.put(!(bytes.len() as u16), 16);
            bytes.iter().for_each(|byte| bits.put((*byte).into(), 8));
        } else {
            bits.put(1, 2);
            for _ in 0..t.below(12) {
                if said && t.once_in(3) {
                    // A length of 3 to 10, and a distance of 1 to 4.
                    bits.code(1 + t.below(8) as u16, 7);
                    bits.code(t.below(4) as u16, 5);
                } else {
                    said = true;
                    bits.code(0x30 + t.below(128) as u16, 8);
                }
            }
            bits.code(0, 7);
        }
        if last == 1 {
            bits.align();
        }
    }
    // An empty stored block without its four bytes, unless the stream was finished instead.
    if t.once_in(4) {
        bits.put(3, 3);
        bits.code(0, 7);
    } else {
        bits.put(0, 3);
    }
    bits.align();
    bits.bytes
}

/// Much out of little: the longest match, again and again (RFC 1951 §3.2.5).
fn bomb(t: &mut Taker<'_>) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0, 1);
    bits.put(1, 2);
    bits.code(0x30 + u16::from(t.u8() % 100), 8);
    for _ in 0..t.pick(&[1, 10, 253, 254, 255, 300]) {
        // 258 bytes from one byte back.
        bits.code(0xc5, 8);
        bits.code(0, 5);
    }
    bits.code(0, 7);
    bits.put(0, 3);
    bits.align();
    bits.bytes
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    /// The lowest bit first (RFC 1951 §3.1.1).
    fn put(&mut self, value: u16, n: usize) {
        for i in 0..n {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> i & 1) as u8;
            *self.bytes.last_mut().expect("a byte") |= bit << (self.used % 8);
            self.used += 1;
        }
    }

    /// A word of a code: the highest bit first.
    fn code(&mut self, word: u16, n: usize) {
        (0..n).rev().for_each(|i| self.put(word >> i & 1, 1));
    }

    fn align(&mut self) {
        self.used = self.bytes.len() * 8;
    }
}

// ── what is sent

/// What was handed in, and what has to hold of how it went out.
struct Sent {
    kind: Kind,
    bytes: Vec<u8>,
    compress: Compress,
}

/// What is sent inflates to what was handed in, refers no further back than was agreed on and to
/// nothing that it may not refer to, and the peer takes it.
fn sent(t: &mut Taker<'_>, setup: &Setup) {
    let mut setup = setup.clone();
    setup.limits = Limits::trusted();
    let mut ws = setup.connection();
    assert!(ws.receive(&mut &mut [][..]).is_some(), "Open");
    let mut sent: Vec<Sent> = Vec::new();
    let mut parts: Option<Sent> = None;
    // Where the window was given up.
    let mut parked = Vec::new();
    let mut frames = Frames::new(setup.role.masks().then_some(()));
    let mut wire = Vec::new();
    while !t.is_empty() || parts.is_some() {
        let all = [
            Compress::Auto,
            Compress::Always,
            Compress::Alone,
            Compress::Never,
        ];
        let compress = t.pick(&all);
        let kind = t.pick(&[Kind::Text, Kind::Binary]);
        let bytes = match (kind, t.below(3)) {
            (Kind::Text, _) => wire::text(t).into_bytes(),
            (_, 0) => wire::binary(t),
            // Something again, so that there is something to refer to.
            (_, at) => {
                let earlier = sent.iter().rev().nth(at - 1);
                earlier.map(|sent| sent.bytes.clone()).unwrap_or_default()
            }
        };
        if let Some(begun) = &mut parts {
            let last = t.is_empty() || t.once_in(2);
            let bytes = if begun.kind == Kind::Text {
                wire::text(t).into_bytes()
            } else {
                bytes
            };
            ws.send_part(
                Part::new(begun.kind, &bytes)
                    .last_if(last)
                    .compress(compress),
            )
            .expect("room");
            begun.bytes.extend(bytes);
            if last {
                sent.extend(parts.take());
            }
        } else {
            match t.below(6) {
                0 => {
                    ws.send_part(Part::new(kind, &bytes).compress(compress))
                        .expect("room");
                    parts = Some(Sent {
                        kind,
                        bytes,
                        compress,
                    });
                }
                1 => {
                    let prepared = match kind {
                        Kind::Text => Prepared::text(core::str::from_utf8(&bytes).expect("text")),
                        Kind::Binary => Prepared::binary(&bytes),
                    };
                    let forms = t.pick(&[&[8u8][..], &[15], &[8, 12, 15], &[]]);
                    let prepared = prepared.with_deflate(6, forms);
                    ws.send_with(&prepared, compress).expect("room");
                    sent.push(Sent {
                        kind,
                        bytes,
                        compress,
                    });
                }
                2 => {
                    ws.park();
                    parked.push(sent.len());
                }
                _ => {
                    match kind {
                        Kind::Text => {
                            ws.send_with(core::str::from_utf8(&bytes).expect("text"), compress)
                        }
                        Kind::Binary => ws.send_with(&bytes[..], compress),
                    }
                    .expect("room");
                    sent.push(Sent {
                        kind,
                        bytes,
                        compress,
                    });
                }
            }
        }
        while !ws.output().is_empty() {
            frames.feed(ws.output());
            wire.extend_from_slice(ws.output());
            ws.consume_output(ws.output().len());
        }
    }
    assert_eq!(frames.messages.len(), sent.len());
    let agreed = setup.deflate.unwrap_or_default();
    let bits = match setup.role {
        Role::Server => "server_max_window_bits=",
        Role::Client => "client_max_window_bits=",
    };
    let bits = agreed.split_once(bits).map_or(15, |(_, rest)| {
        let digits = rest.split(';').next().unwrap_or_default();
        digits.parse().expect("a number")
    });
    let mut history = Vec::new();
    for (i, (message, sent)) in frames.messages.iter().zip(&sent).enumerate() {
        assert_eq!(message.kind, sent.kind);
        if parked.contains(&i) {
            history.clear();
        }
        match sent.compress {
            Compress::Never => assert!(!message.compressed),
            Compress::Always | Compress::Alone => assert!(message.compressed),
            _ => {}
        }
        if !message.compressed {
            assert!(message.payload == sent.bytes);
            continue;
        }
        if sent.compress == Compress::Alone || !setup.takes_over(setup.role) {
            history.clear();
        }
        let read = inflate::inflate(&history, inflate::WINDOW, &message.payload)
            .expect("DEFLATE with its end");
        assert!(read.out[history.len()..] == sent.bytes, "another message");
        assert!(
            read.farthest <= 1 << bits,
            "{} bytes back, {bits} bits agreed",
            read.farthest
        );
        history = read.out;
        if sent.compress == Compress::Alone {
            history.clear();
        }
    }
    // The other end, made of the same agreement.
    let peer = Setup {
        role: setup.role.peer(),
        ratio: 0,
        ..setup
    };
    any_cut_as_expected(&mut Taker::new(&[]), &peer, &wire);
}

/// Messages out of legal frames, as they stand there (the judge and the model look at the rules).
struct Frames {
    masked: Option<()>,
    pending: Vec<u8>,
    messages: Vec<Framed>,
    whole: bool,
}

struct Framed {
    kind: Kind,
    compressed: bool,
    payload: Vec<u8>,
}

impl Frames {
    fn new(masked: Option<()>) -> Self {
        Self {
            masked,
            pending: Vec::new(),
            messages: Vec::new(),
            whole: true,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while let Some(used) = self.frame() {
            self.pending.drain(..used);
        }
    }

    fn frame(&mut self) -> Option<usize> {
        let bytes = &self.pending;
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let form = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let start = 2 + form + self.masked.map_or(0, |()| 4);
        let key = bytes.get(2 + form..start)?;
        let len = match form {
            0 => usize::from(second & 0x7f),
            _ => bytes[2..2 + form]
                .iter()
                .fold(0, |len, byte| len << 8 | usize::from(*byte)),
        };
        let payload = bytes.get(start..start + len)?.iter().enumerate();
        let payload = payload.map(|(i, byte)| byte ^ key.get(i % 4).copied().unwrap_or(0));
        let payload: Vec<u8> = payload.collect();
        match first & 15 {
            0 => self.messages.last_mut()?.payload.extend(payload),
            opcode => {
                assert!(self.whole, "a message inside a message");
                self.messages.push(Framed {
                    kind: if opcode == 1 {
                        Kind::Text
                    } else {
                        Kind::Binary
                    },
                    compressed: first & 0x40 != 0,
                    payload,
                });
            }
        }
        self.whole = first & 0x80 != 0;
        Some(start + len)
    }
}
