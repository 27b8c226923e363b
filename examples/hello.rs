//! A client and a server wired together in memory: every byte, event and change of state.
//!
//! `cargo run --example hello`
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, Message, OriginPolicy,
    ServerConfig, State, Transport, Uri,
};

/// The masking key of RFC 6455 §5.7, so that the bytes below are those of the text. Never do this
/// outside a demonstration: keys have to be unpredictable (§10.3).
struct SampleKey;

impl Entropy for SampleKey {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for (byte, key) in out
            .iter_mut()
            .zip([0x37, 0xfa, 0x21, 0x3d].into_iter().cycle())
        {
            *byte = key;
        }
        Ok(())
    }
}

struct End {
    name: &'static str,
    ws: Connection,
    state: State,
}

impl End {
    fn new(name: &'static str, ws: Connection) -> Self {
        println!("{name}: {:?}", ws.state());
        Self {
            name,
            state: ws.state(),
            ws,
        }
    }

    fn show_state(&mut self) {
        if self.ws.state() != self.state {
            println!("{}: {:?} → {:?}", self.name, self.state, self.ws.state());
            self.state = self.ws.state();
        }
    }

    /// Hands over what is queued for the other end.
    fn take_output(&mut self) -> Vec<u8> {
        let bytes = self.ws.output().to_vec();
        if !bytes.is_empty() {
            println!("{} ▶ {}", self.name, readable(&bytes));
            self.ws.consume_output(bytes.len());
        }
        self.show_state();
        bytes
    }

    /// Delivers bytes and answers the events.
    fn deliver(&mut self, mut bytes: Vec<u8>) -> Result<(), Box<dyn Error>> {
        let mut input = &mut bytes[..];
        while let Some(event) = self.ws.receive(&mut input) {
            println!("{}   event: {event:?}", self.name);
            match event {
                Event::Request(request) => {
                    println!(
                        "{}   it asks for {} and offers {:?}",
                        self.name,
                        request.path(),
                        { request.subprotocols().collect::<Vec<_>>() }
                    );
                    self.ws.accept(Accept::new().subprotocol("chat"))?;
                }
                Event::Open if self.name == "client" => {
                    println!("client   subprotocol: {:?}", self.ws.subprotocol());
                    self.ws.send("Hello")?;
                    self.ws.ping(b"still there?")?;
                }
                Event::Message(Message::Text(text)) if self.name == "server" => {
                    println!("server   the text is {:?}", &*text);
                    self.ws.send(format!("{} yourself", &*text))?;
                }
                Event::Message(Message::Text(text)) => {
                    println!("client   the text is {:?}", &*text);
                    self.ws.close(Some(CloseCode::NORMAL_CLOSURE), "bye")?;
                }
                Event::Closed(report) => println!("{}   {report}", self.name),
                _ => {}
            }
            self.show_state();
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let uri = Uri::parse("ws://server.example.com/chat")?;
    let request = ClientRequest::new(uri)
        .subprotocol("chat")?
        .subprotocol("superchat")?;
    let client =
        Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(SampleKey))?;
    let server = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
    let (mut client, mut server) = (End::new("client", client), End::new("server", server));

    for tick in 0u64.. {
        // The time is an input too: a millisecond for each round.
        let now = Duration::from_millis(tick);
        client.ws.advance_time(now);
        server.ws.advance_time(now);

        let bytes = client.take_output();
        server.deliver(bytes)?;
        let bytes = server.take_output();
        client.deliver(bytes)?;

        // RFC 6455 §7.1.1: the server closes the transport first, and the client waits for it.
        if server.ws.transport() == Transport::Close {
            println!(
                "server ⏹ transport: {:?}, client: {:?}",
                server.ws.transport(),
                client.ws.transport()
            );
            server.deliver(Vec::new())?;
            client.ws.receive_eof();
            client.deliver(Vec::new())?;
            println!("client ⏹ transport: {:?}", client.ws.transport());
            break;
        }
    }
    Ok(())
}

/// Heads of the handshake as text, frames as hexadecimal.
fn readable(bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) if text.ends_with("\r\n\r\n") => text.trim_end().replace("\r\n", "\n         "),
        _ => bytes.iter().map(|byte| format!("{byte:02x} ")).collect(),
    }
}
