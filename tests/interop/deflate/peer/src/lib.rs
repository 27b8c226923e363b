//! What the programs and tests of this crate share: settings from text, and a connection on a socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use sansocket::config::Limits;
use sansocket::extension::{Extensions, PermessageDeflate};
use sansocket::{Connection, Event, Negotiated, Transport};

/// Settings from the parameters as they stand in an offer: what is named is wished for. Every message
/// is compressed, and read whatever its length.
pub fn settings(params: &str) -> PermessageDeflate {
    let text = format!("permessage-deflate{params}");
    let mut list = Extensions::parse([text.as_bytes()]).expect("parameters");
    let mut settings = PermessageDeflate::client().threshold(0);
    for param in list.next().expect("one").params() {
        let bits = || param.value().expect("a value").parse().expect("a number");
        settings = match param.name() {
            "server_no_context_takeover" => settings.server_no_context_takeover(true),
            "client_no_context_takeover" => settings.client_no_context_takeover(true),
            "server_max_window_bits" => settings.server_max_window_bits(bits()),
            "client_max_window_bits" => settings.client_max_window_bits(bits()),
            "level" => settings.level(bits()),
            "mem_level" => settings.mem_level(bits()),
            other => panic!("{other}"),
        };
    }
    settings
}

/// 64 MiB of everything.
pub fn limits() -> Limits {
    let mut limits = Limits::trusted();
    limits.frame = 64 << 20;
    limits.message = 64 << 20;
    limits
}

/// What an answer with these parameters agrees on.
pub fn agreed(params: &str) -> Negotiated {
    Negotiated::new().extensions(format!("permessage-deflate{params}"))
}

/// How many data frames that begin a compressed message are in whole frames of output, and how many begin one.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub messages: usize,
    pub compressed: usize,
}

impl Tally {
    pub fn note(&mut self, compressed: bool) {
        self.messages += 1;
        self.compressed += usize::from(compressed);
    }
}

/// One connection to its end: deliver, write, ask, read.
pub fn drive(
    mut stream: TcpStream,
    ws: &mut Connection,
    mut on: impl FnMut(&mut Connection, Event<'_>) -> io::Result<()>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = vec![0; 64 << 10];
    let mut input: &mut [u8] = &mut [];
    loop {
        while let Some(event) = ws.receive(&mut input) {
            on(ws, event)?;
        }
        if !ws.output().is_empty() {
            match stream.write(ws.output()) {
                Ok(n) => ws.consume_output(n),
                Err(_) => ws.write_lost(),
            }
            continue;
        }
        if ws.transport() == Transport::Close {
            return Ok(());
        }
        let n = match stream.read(&mut buf) {
            Ok(0) => {
                ws.receive_eof();
                0
            }
            Ok(n) => n,
            Err(_) => {
                ws.transport_lost();
                0
            }
        };
        input = &mut buf[..n];
    }
}
