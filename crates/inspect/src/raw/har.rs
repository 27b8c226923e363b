//! HAR with the messages of WebSocket connections, as browsers' developer tools and `--har` write it.
//!
//! It has messages, not frames: each is given as the one frame that it could have been.

use std::io::Read;
use std::mem;
use std::time::Duration;
use std::vec::IntoIter;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sansocket::frame::{FrameHeader, Opcode};
use sansocket_tcp_streams::Sender;
use serde::Deserialize;

use super::{Fault, Piece, Pieces};

#[derive(Deserialize)]
struct File {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
    response: Response,
    #[serde(rename = "_webSocketMessages")]
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize)]
struct Request {
    url: String,
    #[serde(default)]
    headers: Vec<Field>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Response {
    status: u16,
    status_text: String,
    headers: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    way: String,
    time: f64,
    opcode: i8,
    data: String,
}

/// A piece and its bytes.
type Given = (Piece, Vec<u8>);

pub(crate) struct Har {
    entries: IntoIter<Entry>,
    conversation: u64,
    pieces: IntoIter<Given>,
}

impl Har {
    pub(crate) fn new(input: impl Read) -> Result<Self, Fault> {
        let file: File =
            serde_json::from_reader(input).map_err(|error| Fault::Har(error.to_string()))?;
        Ok(Self {
            entries: file.log.entries.into_iter(),
            conversation: 0,
            pieces: Vec::new().into_iter(),
        })
    }
}

impl Pieces for Har {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, Fault> {
        loop {
            if let Some((piece, given)) = self.pieces.next() {
                *bytes = given;
                return Ok(Some(piece));
            }
            let Some(mut entry) = self.entries.next() else {
                return Ok(None);
            };
            // What is not of WebSocket has none.
            if let Some(messages) = mem::take(&mut entry.messages) {
                self.conversation += 1;
                self.pieces = pieces(self.conversation, &entry, &messages)?.into_iter();
            }
        }
    }
}

fn pieces(conversation: u64, entry: &Entry, messages: &[Message]) -> Result<Vec<Given>, Fault> {
    let piece = |from, time: f64| Piece {
        conversation,
        from,
        // To a microsecond: that is what the number has room for.
        time: (time > 0.0).then(|| Duration::from_micros((time * 1e6).round() as u64)),
    };
    let begin = messages.first().map_or(0.0, |message| message.time);
    let mut pieces = Vec::new();
    let fields = &entry.request.headers;
    if fields
        .iter()
        .any(|field| field.name.eq_ignore_ascii_case("sec-websocket-key"))
    {
        let line = format!("GET {} HTTP/1.1", target(&entry.request.url));
        pieces.push((piece(Sender::Client, begin), head(&line, fields)));
        let Response {
            status,
            status_text,
            headers,
        } = &entry.response;
        if *status != 0 {
            let line = format!("HTTP/1.1 {status} {status_text}");
            pieces.push((piece(Sender::Server, begin), head(&line, headers)));
        }
    }
    for message in messages {
        let from = match &*message.way {
            "send" => Sender::Client,
            "receive" => Sender::Server,
            // Chromium tells its own errors here.
            _ => continue,
        };
        if let Some(frame) = frame(from, message)? {
            pieces.push((piece(from, message.time), frame));
        }
    }
    Ok(pieces)
}

/// What of a URI stands in a request.
fn target(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
    target.split('#').next().unwrap_or("/")
}

fn head(line: &str, fields: &[Field]) -> Vec<u8> {
    let mut head = line.replace(['\r', '\n'], " ");
    for Field { name, value } in fields {
        // Those of HTTP/2 that begin with a colon are its own.
        if !name.starts_with(':') {
            head += "\r\n";
            head += &format!("{name}: {value}").replace(['\r', '\n'], " ");
        }
    }
    head += "\r\n\r\n";
    head.into_bytes()
}

/// A frame (RFC 6455 §5.2); the client's masking key is 0.
fn frame(from: Sender, message: &Message) -> Result<Option<Vec<u8>>, Fault> {
    let data = &message.data;
    let (opcode, payload) = match message.opcode {
        1 => (Opcode::Text, data.clone().into_bytes()),
        9 => (Opcode::Ping, data.clone().into_bytes()),
        10 => (Opcode::Pong, data.clone().into_bytes()),
        2 => {
            let payload = STANDARD
                .decode(data)
                .map_err(|error| Fault::Har(format!("a binary message: {error}")))?;
            (Opcode::Binary, payload)
        }
        8 => {
            let (code, reason) = data.split_once(' ').unwrap_or((data, ""));
            let code = code.parse::<u16>().map(u16::to_be_bytes);
            let payload = code.map_or(Vec::new(), |code| [&code, reason.as_bytes()].concat());
            (Opcode::Close, payload)
        }
        _ => return Ok(None),
    };
    let mut header = FrameHeader::new(opcode, payload.len() as u64);
    header.masking_key = (from == Sender::Client).then_some([0; 4]);
    let mut frame = [0; FrameHeader::MAX_LEN];
    let len = header.encode(&mut frame);
    Ok(Some([&frame[..len], &payload].concat()))
}
