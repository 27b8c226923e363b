//! What idle connections cost: a million of them, open, in one process, in less than 300 MB.
//!
//! `cargo run --release --example idle [COUNT] [client]`
//!
//! Each goes through the opening handshake, receives a message and sends one. Then its output is
//! written, `take_buffer` is called, and it waits. There are no sockets: what the kernel keeps for one
//! is not part of this. The other end of each handshake is a connection as well, which is dropped
//! when the messages have been exchanged. Linux only, which tells the resident memory.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, Message, OriginPolicy, ServerConfig,
    State, Uri,
};

/// Bytes of resident memory for each connection, everything that the process has counted.
const ALLOWED: u64 = 300;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let count = arguments
        .next()
        .map_or(Ok(1_000_000), |count| count.parse())?;
    let clients = arguments.next().is_some_and(|role| role == "client");

    let server_config = ServerConfig::new(OriginPolicy::SameHost);
    let client_config = ClientConfig::new();
    let request = ClientRequest::new(Uri::parse("ws://example.com/chat")?);
    let mut spare = Vec::with_capacity(4096);
    let mut idle = Vec::with_capacity(count);
    for _ in 0..count {
        let mut server = Connection::server(&server_config);
        let mut client = Connection::client(&client_config, request.clone())?;
        for ws in [&mut server, &mut client] {
            ws.advance_time(Duration::ZERO);
        }
        server.lend_buffer(spare);
        deliver(&mut client, &mut server)?; // the request
        deliver(&mut server, &mut client)?; // its answer
        client.send("a message")?;
        deliver(&mut client, &mut server)?; // which the server sends back
        deliver(&mut server, &mut client)?;

        let mut ws = if clients { client } else { server };
        spare = ws.take_buffer().unwrap_or_default();
        idle.push(ws);
    }

    let resident = resident()?;
    let each = resident as f64 / count as f64;
    assert!(idle.iter().all(|ws| ws.state() == State::Open));
    assert!(idle.iter().all(|ws| ws.memory_held() == 0));
    println!(
        "{count} idle {} connections: {:.1} MB resident, {each:.1} bytes each, {} of them the connection itself",
        if clients { "client" } else { "server" },
        resident as f64 / 1e6,
        size_of::<Connection>(),
    );
    let allowed = ALLOWED * count as u64;
    if resident >= allowed {
        println!("too much: {} MB are allowed", allowed as f64 / 1e6);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes what one end has queued to the other, which echoes messages if it is the server.
fn deliver(from: &mut Connection, to: &mut Connection) -> Result<(), Box<dyn Error>> {
    let mut wire = [0; 1024];
    let bytes = wire
        .get_mut(..from.output().len())
        .ok_or("more than a read takes")?;
    bytes.copy_from_slice(from.output());
    from.consume_output(bytes.len());
    let mut input = &mut bytes[..];
    let mut seen = 0;
    while let Some(event) = to.receive(&mut input) {
        seen += 1;
        match event {
            Event::Request(_) => to.accept(Accept::new())?,
            Event::Open => {}
            Event::Message(Message::Text(text)) if &*text == "a message" => {
                if to.role() == sansocket::Role::Server {
                    to.send(&*text)?;
                }
            }
            other => return Err(format!("unexpected: {other:?}").into()),
        }
    }
    if seen == 0 {
        return Err("nothing came".into());
    }
    Ok(())
}

/// Bytes of memory that the process has in use.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(1024 * kilobytes.ok_or("no VmRSS")?.parse::<u64>()?)
}
