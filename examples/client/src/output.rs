//! What is printed: messages on standard output, one line on what happened on standard error; with
//! `--json` every event as an object on standard output too. Nothing that a peer says gets there as it is,
//! unless `--binary` asks for it.

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sansocket::client::backoff::Reason;
use sansocket::event::{CloseReport, Pong};
use sansocket::handshake::Refusal;
use sansocket::{Connection, Message};
use serde_json::{Value, json};

use crate::printable::{printable, printable_json};

pub struct Output {
    json: bool,
    binary: bool,
}

impl Output {
    pub const fn new(json: bool, binary: bool) -> Self {
        Self { json, binary }
    }

    /// Something a person may want to know.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(io::stderr(), "{}", printable(text.as_bytes()));
    }

    pub fn open(&mut self, uri: &str, ws: &Connection) {
        self.event(|| {
            json!({"event": "open", "uri": uri, "subprotocol": ws.subprotocol(), "extensions": ws.extensions()})
        });
    }

    pub fn message(&mut self, message: &Message<'_>) {
        if self.json {
            return self.event(|| match message {
                Message::Text(text) => json!({"event": "message", "text": &**text}),
                Message::Binary(bytes) => {
                    json!({"event": "message", "base64": STANDARD.encode(&**bytes)})
                }
            });
        }
        let bytes = message.as_bytes();
        match message {
            Message::Binary(_) if self.binary => self.print(&[bytes]),
            Message::Text(_) if self.binary => self.print(&[bytes, b"\n"]),
            _ => self.print(&[printable(bytes).as_bytes(), b"\n"]),
        }
    }

    pub fn pong(&mut self, pong: &Pong<'_>) {
        let millis = pong.round_trip().map(|time| time.as_secs_f64() * 1e3);
        self.event(|| json!({"event": "pong", "round_trip_ms": millis}));
    }

    pub fn closed(&mut self, report: &CloseReport, unsent: u64) {
        let reason = report.received.as_ref().map_or("", |frame| frame.reason());
        self.event(|| {
            json!({
                "event": "closed", "clean": report.clean, "code": report.code, "reason": reason,
                "failure": report.failure.map(|failure| failure.to_string()), "unsent": unsent,
            })
        });
        let mut line = report.to_string();
        if !reason.is_empty() {
            line += &format!(", reason {reason:?}");
        }
        if unsent > 0 {
            line += &format!("; {unsent} bytes of messages were not sent");
        }
        self.note(&line);
    }

    pub fn refused(&mut self, who: &str, refusal: &Refusal, asked: &str) {
        self.event(|| {
            let body = String::from_utf8_lossy(&refusal.body);
            json!({"event": "refused", "by": who, "status": refusal.status, "body": body})
        });
        let location = refusal.header("Location").filter(|_| asked.is_empty());
        let location = location.map_or(String::new(), |place| {
            format!(", which points to {}", place.escape_ascii())
        });
        let status = refusal.status;
        self.note(&format!(
            "refused by the {who} with status {status}{asked}{location}"
        ));
    }

    pub fn failed(&mut self, why: &str) {
        self.event(|| json!({"event": "failed", "why": why}));
        self.note(why);
    }

    pub fn retry(&mut self, delay: Option<Duration>, reason: &Reason) {
        let seconds = delay.unwrap_or_default().as_secs_f64();
        let why = reason.to_string();
        self.event(|| json!({"event": "retry", "seconds": seconds, "why": why}));
        self.note(&format!("retry in {seconds:.1} s: {why}"));
    }

    fn event(&mut self, event: impl FnOnce() -> Value) {
        if self.json {
            let json = event().to_string();
            self.print(&[printable_json(&json).as_bytes(), b"\n"]);
        }
    }

    fn print(&mut self, parts: &[&[u8]]) {
        let mut out = io::stdout().lock();
        let printed = parts.iter().try_for_each(|part| out.write_all(part));
        if printed.and_then(|()| out.flush()).is_err() {
            // Nobody reads any more, as after `| head`.
            std::process::exit(0);
        }
    }
}
