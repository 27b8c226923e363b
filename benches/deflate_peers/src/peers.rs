//! A program around each crate that has compression, as its documentation has it.

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};

use crate::compressed::Setting;
use crate::peer::{Memory, Reader, Sender, Text, now};

// ── yawc

pub struct Yawc {
    ws: yawc::WebSocket<Memory>,
    memory: Memory,
}

impl Yawc {
    pub fn new(setting: Setting, role: yawc::Role) -> Self {
        use yawc::{CompressionLevel, Options};
        let mut options = Options::default()
            .with_utf8()
            .with_compression_level(CompressionLevel::new(setting.level.into()))
            .with_compression_threshold(64);
        if setting.bits < 15 {
            options = options
                .with_client_max_window_bits(setting.bits)
                .with_server_max_window_bits(setting.bits);
        }
        let memory = Memory::default();
        let answer = setting.answer();
        let ws = yawc::WebSocket::from_stream_with_extensions(
            memory.clone(),
            role,
            Some(&answer),
            options,
        );
        Self {
            ws: ws.unwrap(),
            memory,
        }
    }
}

impl Sender for Yawc {
    fn send(&mut self, text: &Text) -> usize {
        now(self.ws.send(yawc::Frame::text(text.bytes.clone()))).unwrap();
        self.memory.written()
    }
}

impl Reader for Yawc {
    fn read(&mut self, frame: &[u8]) -> usize {
        self.memory.put(frame);
        now(self.ws.next()).unwrap().as_str().len()
    }
}

// ── sockudo-ws

pub struct Sockudo {
    protocol: sockudo_ws::protocol::CompressedProtocol,
    buf: BytesMut,
    messages: Vec<sockudo_ws::Message>,
}

impl Sockudo {
    pub fn new(setting: Setting, server: bool) -> Self {
        use sockudo_ws::deflate::{DeflateConfig, DeflateWindowBits};
        use sockudo_ws::protocol::CompressedProtocol;
        const LIMIT: usize = 16 << 20;
        let bits = DeflateWindowBits::try_from(setting.bits).unwrap();
        let config = DeflateConfig {
            server_max_window_bits: bits,
            client_max_window_bits: bits,
            server_no_context_takeover: !setting.takeover,
            client_no_context_takeover: !setting.takeover,
            compression_level: setting.level.into(),
            compression_threshold: 64,
        };
        Self {
            protocol: if server {
                CompressedProtocol::server(LIMIT, LIMIT, config)
            } else {
                CompressedProtocol::client(LIMIT, LIMIT, config)
            },
            buf: BytesMut::new(),
            messages: Vec::new(),
        }
    }
}

impl Sender for Sockudo {
    fn send(&mut self, text: &Text) -> usize {
        let message = sockudo_ws::Message::Text(text.bytes.clone());
        self.protocol
            .encode_message(&message, &mut self.buf)
            .unwrap();
        let len = std::hint::black_box(&self.buf).len();
        self.buf.clear();
        len
    }
}

impl Reader for Sockudo {
    fn read(&mut self, frame: &[u8]) -> usize {
        self.buf.extend_from_slice(frame);
        self.protocol
            .process_into(&mut self.buf, &mut self.messages)
            .unwrap();
        let [message] = &self.messages[..] else {
            panic!("{} messages", self.messages.len());
        };
        message.as_text().unwrap().len()
    }
}

// ── wtx, which never takes a context over

type WtxSocket<const CLIENT: bool> = wtx::web_socket::WebSocketOwned<
    Option<wtx::web_socket::compression::NegotiatedFlate2>,
    wtx::rng::Xorshift64,
    Memory,
    CLIENT,
>;

pub struct Wtx<const CLIENT: bool> {
    ws: WtxSocket<CLIENT>,
    memory: Memory,
    buffer: wtx::collection::Vector<u8>,
    payload: Vec<u8>,
}

impl<const CLIENT: bool> Wtx<CLIENT> {
    pub fn new(setting: Setting) -> Option<Self> {
        use wtx::web_socket::compression::Flate2;
        use wtx::web_socket::{Compression, DeflateConfig, WebSocketBuffer};
        if setting.takeover {
            return None;
        }
        let bits = setting.bits.try_into().unwrap();
        let flate2 = Flate2::from(DeflateConfig {
            client_max_window_bits: bits,
            compression_level: setting.level.try_into().unwrap(),
            server_max_window_bits: bits,
        });
        let answer = setting.answer();
        let header = [b"sec-websocket-extensions", answer.as_bytes()];
        let negotiated = Compression::<CLIENT>::negotiate(flate2, [header].iter()).unwrap();
        assert!(negotiated.is_some());
        let memory = Memory::default();
        Some(Self {
            ws: WtxSocket::new(
                negotiated,
                false,
                wtx::rng::Xorshift64::new(0x5eed),
                memory.clone(),
                WebSocketBuffer::new(),
            ),
            memory,
            buffer: wtx::collection::Vector::new(),
            payload: Vec::new(),
        })
    }
}

impl Sender for Wtx<false> {
    fn send(&mut self, text: &Text) -> usize {
        use wtx::web_socket::{Frame, OpCode};
        // It wants a payload that it may write to.
        self.payload.clear();
        self.payload.extend_from_slice(&text.bytes);
        let mut frame = Frame::<_, false>::new_fin(OpCode::Text, &mut self.payload[..]);
        now(self.ws.write_frame(&mut frame)).unwrap();
        self.memory.written()
    }
}

impl Reader for Wtx<true> {
    fn read(&mut self, frame: &[u8]) -> usize {
        use wtx::web_socket::WebSocketPayloadOrigin;
        self.memory.put(frame);
        let origin = WebSocketPayloadOrigin::Adaptive;
        let frame = now(self.ws.read_frame(&mut self.buffer, origin)).unwrap();
        frame.text_payload().unwrap().len()
    }
}
