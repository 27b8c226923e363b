//! Compressed messages by this crate and by plain zlib-rs: the same bytes, settings and resets.

use std::fmt::Write;
use std::hint::black_box;

use sansocket::config::Limits;
use sansocket::extension::PermessageDeflate;
use sansocket::utf8::Validator;
use sansocket::{ClientConfig, ServerConfig};
use sansocket::{Connection, Event, Message, Negotiated, OriginPolicy};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

/// What applications send: JSON with keys that come again, numbers and words that differ. 64
/// messages of `len` bytes or a little less, 8 where they are long.
pub fn messages(len: usize) -> Vec<String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % below
    };
    let words = [
        "alpha",
        "grüße",
        "temperature",
        "pending",
        "Zürich",
        "open",
        "closed",
        "x",
    ];
    let count = if len < 10_000 { 64 } else { 8 };
    let message = |_| {
        let mut text = String::from("{\"items\":[");
        while text.len() + 110 < len {
            let word = words[random(8) as usize];
            let (id, price) = (random(1_000_000), random(100_000));
            let (flag, at) = (random(2) == 0, random(1 << 40));
            let _ = write!(
                text,
                "{{\"id\":{id},\"name\":\"{word}\",\"price\":{}.{:02},\"active\":{flag},\"at\":{at}}},",
                price / 100,
                price % 100
            );
        }
        text.pop();
        text + "]}"
    };
    (0..count).map(message).collect()
}

/// What was agreed on, the same for both directions, and how hard to compress.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    pub level: u8,
    pub takeover: bool,
    pub bits: u8,
}

impl Setting {
    pub const fn new(level: u8, takeover: bool, bits: u8) -> Self {
        Self {
            level,
            takeover,
            bits,
        }
    }

    pub fn name(self) -> String {
        let takeover = if self.takeover { "kept" } else { "dropped" };
        format!("level {}, 2^{}, {takeover}", self.level, self.bits)
    }

    /// The element of an answer.
    pub fn answer(self) -> String {
        let mut text = String::from("permessage-deflate");
        if !self.takeover {
            text += "; server_no_context_takeover; client_no_context_takeover";
        }
        if self.bits < 15 {
            let bits = self.bits;
            text += &format!("; server_max_window_bits={bits}; client_max_window_bits={bits}");
        }
        text
    }
}

/// The window is dropped or kept; levels that zlib-rs does by three different algorithms; smaller windows.
pub const SETTINGS: [Setting; 10] = [
    Setting::new(1, false, 15),
    Setting::new(1, true, 15),
    Setting::new(3, false, 15),
    Setting::new(3, true, 15),
    Setting::new(6, false, 15),
    Setting::new(6, true, 15),
    Setting::new(3, false, 12),
    Setting::new(3, true, 12),
    Setting::new(3, false, 9),
    Setting::new(3, true, 9),
];

// ── ours

fn deflate(setting: Setting) -> PermessageDeflate {
    PermessageDeflate::client().level(setting.level)
}

fn agreed(setting: Setting) -> Negotiated {
    Negotiated::new().extensions(setting.answer())
}

fn opened(mut ws: Connection) -> Connection {
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

/// A server's side, in the loop of the documentation.
pub struct OurSender(Connection);

impl OurSender {
    pub fn new(setting: Setting) -> Self {
        let mut limits = Limits::server();
        limits.output = u32::MAX;
        let config = ServerConfig::new(OriginPolicy::Application)
            .deflate(deflate(setting))
            .limits(limits);
        Self(opened(Connection::upgraded_server(
            &config,
            agreed(setting),
        )))
    }
}

impl OurSender {
    /// Says how many bytes went out.
    pub fn send(&mut self, text: &str) -> usize {
        self.0.send(text).unwrap();
        let len = black_box(self.0.output()).len();
        self.0.consume_output(len);
        len
    }

    /// What goes out.
    pub fn frame(&mut self, text: &str) -> Vec<u8> {
        self.0.send(text).unwrap();
        let frame = self.0.output().to_vec();
        self.0.consume_output(frame.len());
        frame
    }
}

/// A client's side: frames of servers are not masked.
pub struct OurReader {
    ws: Connection,
    buf: Vec<u8>,
}

impl OurReader {
    pub fn new(setting: Setting) -> Self {
        let config = ClientConfig::new().deflate(deflate(setting));
        Self {
            ws: opened(Connection::upgraded_client(&config, agreed(setting))),
            buf: vec![0; 1 << 20],
        }
    }
}

impl OurReader {
    /// Says how long the message is.
    pub fn read(&mut self, frame: &[u8]) -> usize {
        let mut input = &mut self.buf[..frame.len()];
        input.copy_from_slice(frame);
        match self.ws.receive(&mut input) {
            Some(Event::Message(Message::Text(text))) => {
                let len = black_box(&*text).len();
                self.ws.lend_buffer(text.into_string().into_bytes());
                len
            }
            event => panic!("{event:?}"),
        }
    }
}

// ── the floor

/// What stands after the header of a server's frame.
fn payload(frame: &[u8]) -> &[u8] {
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    &frame[header..]
}

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// zlib-rs alone, into a buffer that is there already.
pub struct PlainSender {
    zlib: Deflate,
    takeover: bool,
    out: Vec<u8>,
}

impl PlainSender {
    pub fn new(setting: Setting) -> Self {
        Self {
            zlib: Deflate::new_with_config(DeflateConfig {
                level: setting.level.into(),
                window_bits: -i32::from(setting.bits),
                ..DeflateConfig::default()
            }),
            takeover: setting.takeover,
            out: vec![0; 1 << 20],
        }
    }
}

impl PlainSender {
    /// Says how many bytes came out.
    pub fn send(&mut self, text: &str) -> usize {
        let before = self.zlib.total_out();
        let flush = DeflateFlush::SyncFlush;
        self.zlib
            .compress(text.as_bytes(), &mut self.out, flush)
            .unwrap();
        let len = (self.zlib.total_out() - before) as usize - TAIL.len();
        black_box(&self.out[..len]);
        if !self.takeover {
            self.zlib.reset();
        }
        len
    }
}

/// zlib-rs alone; what it inflates is validated as text.
pub struct PlainReader {
    zlib: Inflate,
    takeover: bool,
    buf: Vec<u8>,
    out: Vec<u8>,
}

impl PlainReader {
    pub fn new(setting: Setting) -> Self {
        Self {
            zlib: Inflate::new(false, 15),
            takeover: setting.takeover,
            buf: vec![0; 1 << 20],
            out: vec![0; 1 << 20],
        }
    }
}

impl PlainReader {
    /// Says how long the message is.
    pub fn read(&mut self, frame: &[u8]) -> usize {
        let payload = payload(frame);
        let end = payload.len() + TAIL.len();
        self.buf[..payload.len()].copy_from_slice(payload);
        self.buf[payload.len()..end].copy_from_slice(&TAIL);
        let before = self.zlib.total_out();
        let flush = InflateFlush::SyncFlush;
        self.zlib
            .decompress(&self.buf[..end], &mut self.out, flush)
            .unwrap();
        let len = (self.zlib.total_out() - before) as usize;
        let mut utf8 = Validator::new();
        black_box(utf8.push(&self.out[..len]).unwrap());
        if !self.takeover {
            self.zlib.reset(false);
        }
        len
    }
}
