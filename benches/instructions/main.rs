//! The small-frame paths, for counting instructions: `benches/instructions/run` runs this under
//! valgrind and compares with the recorded budget. Each case is a function that is never inlined,
//! and prints how many messages it saw; by itself this program measures nothing.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench is no library, and fails by a panic"
)]

#[path = "../common/mod.rs"]
mod common;

use std::hint::black_box;

use common::floor;
use common::traffic::{Content, Count, Random, Sink, Sizes, Traffic};
use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::{
    Accept, ClientConfig, Connection, Event, Negotiated, OriginPolicy, Prepared, Role, ServerConfig,
};

/// What is counted: setting up comes before, and is not. The name keeps the compiler from making
/// one function of two alike.
macro_rules! case {
    ($name:ident($($argument:ident: $type:ty),*) -> usize $body:block) => {
        #[inline(never)]
        fn $name($($argument: $type),*) -> usize {
            black_box(stringify!($name));
            $body
        }
    };
}

fn connection(role: Role) -> Connection {
    let config = ServerConfig::new(OriginPolicy::Application);
    let mut ws = match role {
        Role::Server => Connection::upgraded_server(&config, Negotiated::default()),
        Role::Client => Connection::upgraded_client_with_entropy(
            &ClientConfig::new(),
            Negotiated::default(),
            Box::new(Fixed),
        ),
    };
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws.lend_buffer(Vec::with_capacity(64 << 10));
    ws
}

/// Not random at all: the source's time is not ours.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill(0x5a);
        Ok(())
    }
}

#[inline(always)]
fn receive_all(ws: &mut Connection, mut input: &mut [u8]) -> usize {
    let mut count = Count::default();
    while let Some(event) = ws.receive(&mut input) {
        match event {
            Event::Message(message) => count.message(message.as_bytes()),
            other => panic!("{other:?}"),
        }
    }
    count.messages
}

/// In reads of 1,500 bytes: most messages lie in two of them. Their buffer serves the next.
#[inline(always)]
fn receive_in_packets(ws: &mut Connection, input: &mut [u8]) -> usize {
    let mut count = Count::default();
    for mut input in input.chunks_mut(1500) {
        while let Some(event) = ws.receive(&mut input) {
            let Event::Message(message) = event else {
                panic!("{event:?}")
            };
            count.message(message.as_bytes());
            if let Some(buffer) = message.into_buffer() {
                ws.lend_buffer(buffer);
            }
        }
    }
    count.messages
}

#[inline(always)]
fn flush(ws: &mut Connection) {
    let n = black_box(ws.output()).len();
    ws.consume_output(n);
}

#[inline(always)]
fn send_all(ws: &mut Connection, payload: &[u8], messages: usize) -> usize {
    for _ in 0..messages / 64 {
        for _ in 0..64 {
            ws.send(black_box(payload)).unwrap();
        }
        flush(ws);
    }
    messages
}

#[inline(always)]
fn echo_all(ws: &mut Connection, mut input: &mut [u8]) -> usize {
    let mut messages = 0;
    while let Some(event) = ws.receive(&mut input) {
        let Event::Message(message) = event else {
            panic!("{event:?}")
        };
        ws.send(&message).unwrap();
        messages += 1;
        if messages % 64 == 0 {
            flush(ws);
        }
    }
    flush(ws);
    messages
}

case!(bare_masked_8(input: &mut [u8]) -> usize { bare::<true>(input) });
case!(bare_masked_125(input: &mut [u8]) -> usize { bare::<true>(input) });
case!(bare_masked_up_to_125(input: &mut [u8]) -> usize { bare::<true>(input) });
case!(receive_masked_8(ws: &mut Connection, input: &mut [u8]) -> usize { receive_all(ws, input) });
case!(receive_masked_32(ws: &mut Connection, input: &mut [u8]) -> usize { receive_all(ws, input) });
case!(receive_masked_125(ws: &mut Connection, input: &mut [u8]) -> usize { receive_all(ws, input) });
case!(receive_masked_up_to_125(ws: &mut Connection, input: &mut [u8]) -> usize { receive_all(ws, input) });
case!(receive_masked_1024(ws: &mut Connection, input: &mut [u8]) -> usize { receive_all(ws, input) });
case!(receive_unmasked_32(ws: &mut Connection, input: &mut [u8]) -> usize { receive_all(ws, input) });
case!(receive_ascii_32(ws: &mut Connection, input: &mut [u8]) -> usize { receive_all(ws, input) });
case!(receive_split_1024(ws: &mut Connection, input: &mut [u8]) -> usize { receive_in_packets(ws, input) });
case!(receive_fragments_16(ws: &mut Connection, input: &mut [u8]) -> usize { receive_all(ws, input) });
case!(send_server_8(ws: &mut Connection, payload: &[u8]) -> usize { send_all(ws, payload, 4096) });
case!(send_server_125(ws: &mut Connection, payload: &[u8]) -> usize { send_all(ws, payload, 4096) });
case!(send_client_8(ws: &mut Connection, payload: &[u8]) -> usize { send_all(ws, payload, 4096) });
case!(send_client_32(ws: &mut Connection, payload: &[u8]) -> usize { send_all(ws, payload, 4096) });
case!(send_client_1024(ws: &mut Connection, payload: &[u8]) -> usize { send_all(ws, payload, 4096) });
case!(send_prepared_32(ws: &mut Connection, prepared: &Prepared) -> usize {
    for _ in 0..64 {
        for _ in 0..64 {
            ws.send(prepared).unwrap();
        }
        flush(ws);
    }
    4096
});
case!(echo_32(ws: &mut Connection, input: &mut [u8]) -> usize { echo_all(ws, input) });
case!(accept(requests: &mut [Vec<u8>], config: &ServerConfig) -> usize {
    for request in &mut *requests {
        let mut ws = Connection::server(config);
        match ws.receive(&mut &mut request[..]) {
            Some(Event::Request(_)) => ws.accept(Accept::new()).unwrap(),
            other => panic!("{other:?}"),
        }
        flush(&mut ws);
    }
    requests.len()
});

#[inline(always)]
fn bare<const MASKED: bool>(input: &mut [u8]) -> usize {
    let mut count = Count::default();
    floor::receive::<MASKED, _>(input, &mut count);
    count.messages
}

/// As a browser sends it.
const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
Sec-WebSocket-Version: 13\r\nOrigin: https://server.example.com\r\n\
Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Connection: keep-alive, Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";

fn main() {
    let report = |name: &str, messages: usize| println!("{name} {messages}");
    let traffic = |receiver, content, sizes, fragments, len| {
        Traffic::of_len(receiver, content, sizes, fragments, len).bytes
    };
    let server = Role::Server;
    let binary = Content::Binary;

    macro_rules! bare {
        ($($case:ident: $sizes:expr;)*) => {$(
            let mut input = traffic(server, binary, $sizes, 1, 64 << 10);
            report(stringify!($case), $case(&mut input));
        )*};
    }
    bare! {
        bare_masked_8: Sizes::All(8);
        bare_masked_125: Sizes::All(125);
        bare_masked_up_to_125: Sizes::UpTo(125);
    }

    macro_rules! receive {
        ($($case:ident: $role:expr, $content:expr, $sizes:expr, $fragments:expr;)*) => {$(
            let mut input = traffic($role, $content, $sizes, $fragments, 64 << 10);
            report(stringify!($case), $case(&mut connection($role), &mut input));
        )*};
    }
    receive! {
        receive_masked_8: server, binary, Sizes::All(8), 1;
        receive_masked_32: server, binary, Sizes::All(32), 1;
        receive_masked_125: server, binary, Sizes::All(125), 1;
        receive_masked_up_to_125: server, binary, Sizes::UpTo(125), 1;
        receive_masked_1024: server, binary, Sizes::All(1024), 1;
        receive_unmasked_32: Role::Client, binary, Sizes::All(32), 1;
        receive_ascii_32: server, Content::Ascii, Sizes::All(32), 1;
        receive_split_1024: server, binary, Sizes::All(1024), 1;
        receive_fragments_16: server, binary, Sizes::All(16), 16;
        echo_32: server, binary, Sizes::All(32), 1;
    }

    let mut payload = Vec::new();
    binary.write(&mut Random(1), 1024, &mut payload);
    macro_rules! send {
        ($($case:ident: $role:expr, $len:expr;)*) => {$(
            report(stringify!($case), $case(&mut connection($role), &payload[..$len]));
        )*};
    }
    send! {
        send_server_8: server, 8;
        send_server_125: server, 125;
        send_client_8: Role::Client, 8;
        send_client_32: Role::Client, 32;
        send_client_1024: Role::Client, 1024;
    }
    report(
        "send_prepared_32",
        send_prepared_32(&mut connection(server), &Prepared::binary(&payload[..32])),
    );

    let config = ServerConfig::new(OriginPolicy::Application);
    let mut requests = vec![REQUEST.to_vec(); 256];
    report("accept", accept(&mut requests, &config));
}
