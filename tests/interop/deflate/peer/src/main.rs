//! `serve ADDRESS PARAMS`: an echo server, with a page at `/` for browsers.
//! `connect URI PARAMS`: a client that sends and checks what comes back.
//! `pipe PARAMS`: compresses and inflates what comes on stdin.
//!
//! `PARAMS` stand after the name in an offer, with `level` and `mem_level` beside the RFC's: `; client_no_context_takeover; level=9`.

use std::env;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use sansocket::config::Delivery;
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::{
    Accept, ClientRequest, CloseCode, Connection, Event, Message, OriginPolicy, Response, Uri,
};
use sansocket::{ClientConfig, ServerConfig};
use sansocket_deflate_peer::{Tally, agreed, drive, limits, settings};

const PAGE: &str = include_str!("page.html");

fn main() -> io::Result<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serve", address, params] => serve(address, &settings(params)),
        ["connect", uri, params] => connect(uri, &settings(params)),
        ["pipe", params] => pipe(params),
        _ => Err(io::Error::other("serve, connect or pipe")),
    }
}

// ── server

fn serve(address: &str, deflate: &PermessageDeflate) -> io::Result<()> {
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .deflate(deflate.clone())
        .limits(limits())
        .delivery(Delivery::Ask)
        .serve_http();
    let listener = TcpListener::bind(address)?;
    for stream in listener.incoming() {
        let (stream, config) = (stream?, config.clone());
        thread::spawn(move || echo(stream, &config));
    }
    Ok(())
}

/// Everything comes back, compressed. At the end a line says what was agreed on and how much came compressed.
fn echo(stream: TcpStream, config: &ServerConfig) -> io::Result<()> {
    let mut ws = Connection::server(config);
    let mut read = Tally::default();
    let mut page = false;
    drive(stream, &mut ws, |ws, event| {
        match event {
            Event::Request(_) => ws.accept(Accept::new()).map_err(io::Error::other)?,
            Event::Http(request) => {
                page = true;
                let found = request.path() == "/";
                let answer = Response::new(if found { 200 } else { 404 });
                let html = answer.header("Content-Type", b"text/html; charset=utf-8");
                let html = html.map_err(io::Error::other)?.body(PAGE);
                ws.respond(html).map_err(io::Error::other)?;
            }
            Event::Start(head) => read.note(head.compressed),
            Event::Message(Message::Text(text)) if text.starts_with("result ") => {
                say(&text)?;
            }
            Event::Message(message) => {
                ws.send_with(&message, Compress::Always)
                    .map_err(io::Error::other)?;
            }
            Event::Failed(failure) => say(&format!("failed {failure}"))?,
            _ => {}
        }
        Ok(())
    })?;
    if page {
        return Ok(());
    }
    let Tally {
        messages,
        compressed,
    } = read;
    say(&format!(
        "closed {messages} {compressed} {}",
        ws.extensions()
    ))
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

// ── client

/// Messages that refer to each other, to themselves and to nothing.
fn messages() -> Vec<Message<'static>> {
    let text = |text: &str| Message::Text(String::from(text).into());
    let line = "a line of text that comes again; grüße, 世界 🌍; ";
    let noise = (0..70_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8);
    vec![
        text("Hello"),
        text("Hello"),
        text(""),
        text("Hello"),
        text(&line.repeat(20)),
        text(&line.repeat(5000)),
        Message::Binary(noise.collect::<Vec<_>>().into()),
        text(line),
        Message::Binary(vec![0; 1 << 20].into()),
        text(line),
    ]
}

fn connect(uri: &str, deflate: &PermessageDeflate) -> io::Result<()> {
    let uri = Uri::parse(uri).map_err(io::Error::other)?;
    let stream = TcpStream::connect((uri.server_name(), uri.port()))?;
    let config = ClientConfig::new()
        .deflate(deflate.clone())
        .limits(limits())
        .delivery(Delivery::Ask);
    let mut ws = Connection::client(&config, ClientRequest::new(uri)).map_err(io::Error::other)?;
    let messages = messages();
    let mut read = Tally::default();
    let mut right = 0;
    drive(stream, &mut ws, |ws, event| {
        match event {
            Event::Start(head) => read.note(head.compressed),
            Event::Message(message) if message == messages[right] => right += 1,
            Event::Message(_) => return Err(io::Error::other(format!("message {right} differs"))),
            Event::Failed(failure) => return Err(io::Error::other(failure)),
            Event::Open => {}
            _ => return Ok(()),
        }
        // One after the other, so that each direction waits for the other.
        if read.messages == right {
            match messages.get(right) {
                Some(next) => ws.send(next).map_err(io::Error::other)?,
                None => _ = ws.close(Some(CloseCode::NORMAL_CLOSURE), ""),
            }
        }
        Ok(())
    })?;
    let Tally { compressed, .. } = read;
    say(&format!(
        "echoed {right} of {} {compressed} {}",
        messages.len(),
        ws.extensions()
    ))
}

// ── pipe

/// Records: a letter, a length of four bytes, so many bytes. `c`: a message, the answer is its payload
/// compressed by our server. `i`: a payload, the answer is what our client inflates it to. An answer is a
/// length and bytes; where inflating failed the length is the largest.
fn pipe(params: &str) -> io::Result<()> {
    let (wire, own): (Vec<_>, Vec<_>) = params
        .split(';')
        .map(str::trim)
        .filter(|param| !param.is_empty())
        .map(String::from)
        .partition(|param| !param.contains("level"));
    let join = |params: &[String]| {
        params
            .iter()
            .map(|param| format!("; {param}"))
            .collect::<String>()
    };
    let negotiated = agreed(&join(&wire));
    let deflate = settings(&join(&[wire, own].concat()));
    let server = ServerConfig::new(OriginPolicy::Application)
        .deflate(deflate.clone())
        .limits(limits());
    let client = ClientConfig::new().deflate(deflate).limits(limits());
    let mut sender = Connection::upgraded_server(&server, negotiated.clone());
    let mut receiver = Connection::upgraded_client(&client, negotiated);
    while receiver.receive(&mut &mut [][..]).is_some() {}
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut head = [0; 5];
    while input.read_exact(&mut head).is_ok() {
        let [op, a, b, c, d] = head;
        let mut bytes = vec![0; u32::from_be_bytes([a, b, c, d]) as usize];
        input.read_exact(&mut bytes)?;
        let answer = match op {
            b'c' => Some(compressed(&mut sender, &bytes)?),
            _ => inflated(&mut receiver, &bytes),
        };
        let len = answer
            .as_ref()
            .map_or(u32::MAX, |answer| answer.len() as u32);
        output.write_all(&len.to_be_bytes())?;
        output.write_all(&answer.unwrap_or_default())?;
        output.flush()?;
    }
    Ok(())
}

fn compressed(sender: &mut Connection, message: &[u8]) -> io::Result<Vec<u8>> {
    sender
        .send_with(message, Compress::Always)
        .map_err(io::Error::other)?;
    let frame = sender.output().to_vec();
    sender.consume_output(frame.len());
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    Ok(frame[header..].to_vec())
}

fn inflated(receiver: &mut Connection, payload: &[u8]) -> Option<Vec<u8>> {
    let mut frame = vec![0xc2, 127];
    match payload.len() {
        len @ 0..=125 => frame[1] = len as u8,
        len @ 126..=0xffff => {
            frame[1] = 126;
            frame.extend((len as u16).to_be_bytes());
        }
        len => frame.extend((len as u64).to_be_bytes()),
    }
    frame.extend_from_slice(payload);
    match receiver.receive(&mut &mut frame[..]) {
        Some(Event::Message(Message::Binary(bytes))) => Some(bytes.into_vec()),
        _ => None,
    }
}
