//! An object a line. The README has the members.

use std::io::{self, Write};
use std::time::Duration;

use crate::tls::{Suite, Told, alert_name, version_name};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sansocket::Kind as MessageKind;
use sansocket::observer::{Seen, SeenMessage, Stretch};
use sansocket_tcp_streams::Kind;

use super::{Summary, View, kind, missing, opcode, sender, violations};
use crate::follow::{Entry, Talk, What};
use crate::text::{Json, address, seconds};

pub(crate) struct Lines {
    out: Box<dyn Write>,
}

impl Lines {
    pub(crate) fn new(out: Box<dyn Write>) -> Self {
        Self { out }
    }
}

impl View for Lines {
    fn entry(&mut self, talk: &Talk, entry: &Entry<'_>, _start: Duration) -> io::Result<()> {
        let mut json = Json::object();
        json.raw("packet", entry.packet)
            .raw("time", seconds(entry.time))
            .raw("conversation", talk.number)
            .text("from", sender(entry.sender));
        let shown = match &entry.what {
            What::Tcp(kind) => tcp(&mut json, entry, *kind),
            What::Tls(told) => tls(&mut json, *told),
            What::Seen(seen) => message(&mut json, seen),
            What::GivenUp => {
                json.text("event", "context_given_up");
                true
            }
            What::States(states) => {
                json.text("event", "states");
                let [client, server] = states.map(|state| format!("{state:?}"));
                json.text("client", &client).text("server", &server);
                true
            }
            What::Report(report) => {
                json.text("event", "report")
                    .raw("opened", report.opened)
                    .raw("clean", report.is_clean())
                    .raw("client_skipped", report.client_skipped)
                    .raw("server_skipped", report.server_skipped);
                true
            }
        };
        if shown {
            writeln!(self.out, "{}", json.end())
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        let mut json = Json::object();
        json.text("event", "end")
            .raw("packets", summary.packets)
            .raw("segments", summary.segments);
        json.raw(
            "cut",
            summary.cut.map_or("null".to_owned(), |at| at.to_string()),
        );
        writeln!(self.out, "{}", json.end())?;
        self.out.flush()
    }
}

/// Bytes are shown by what they are; without that they would be shown twice.
fn tcp(json: &mut Json, entry: &Entry<'_>, kind: Kind<'_>) -> bool {
    let (name, bytes) = match kind {
        Kind::Begin {
            client,
            server,
            from_start,
        } => {
            json.text("event", "begin").text("client", &address(client));
            json.text("server", &address(server))
                .raw("from_start", from_start);
            return true;
        }
        Kind::End(end) => {
            json.text("event", "end_of_conversation")
                .text("why", &format!("{end:?}").to_lowercase());
            return true;
        }
        Kind::Data(_) => return false,
        Kind::Syn => ("syn", None),
        Kind::Fin => ("fin", None),
        Kind::Reset => ("reset", None),
        Kind::KeepAlive => ("keep_alive", None),
        Kind::Differs => ("differs", None),
        Kind::Gap(n) => ("gap", Some(n)),
        Kind::Again(n) => ("again", Some(n)),
        Kind::AfterFin(n) => ("after_fin", Some(n)),
        _ => return false,
    };
    json.text("event", name).raw("offset", entry.offset);
    if let Some(bytes) = bytes {
        json.raw("bytes", bytes);
    }
    true
}

/// What TLS says.
fn tls(json: &mut Json, told: Told<'_>) -> bool {
    json.text("event", "tls");
    match told {
        Told::Asked { server_name } => {
            json.text("what", "asked");
            if let Some(name) = server_name {
                json.text("server_name", name);
            }
        }
        Told::Agreed { version, suite } => {
            json.text("what", "agreed")
                .text("version", version_name(version));
            let name = Suite::of(suite).map_or(format!("{suite:04x}"), |it| it.name().to_owned());
            json.text("suite", &name);
        }
        Told::Gap(n) => {
            json.text("what", "gap").raw("bytes", n);
        }
        Told::Early { accepted } => {
            json.text("what", "early_data").raw("accepted", accepted);
        }
        Told::Alert(alert) => {
            let name = alert_name(alert).map_or(alert.to_string(), str::to_owned);
            json.text("what", "alert").text("alert", &name);
        }
        Told::KeyUpdate => {
            json.text("what", "key_update");
        }
        Told::Unreadable(why) => {
            json.text("what", "unreadable")
                .text("why", &why.to_string());
        }
        _ => return false,
    }
    true
}

fn message(json: &mut Json, seen: &Seen<'_>) -> bool {
    let told = match seen {
        Seen::Request(_) | Seen::Response(_) | Seen::Opened(_) => opening(json, seen),
        Seen::Ping { .. } | Seen::Pong { .. } | Seen::Close { .. } => control(json, seen),
        _ => data(json, seen),
    };
    if told {
        broken(json, seen);
    }
    told
}

/// The opening handshake.
fn opening(json: &mut Json, seen: &Seen<'_>) -> bool {
    match seen {
        Seen::Request(head) => {
            json.text("event", "request")
                .text("line", head.first_line());
        }
        Seen::Response(head) => {
            json.text("event", "response")
                .text("line", head.first_line());
        }
        Seen::Opened(agreed) => {
            json.text("event", if agreed.is_some() { "open" } else { "tunnel" });
            if let Some(agreed) = agreed {
                json.text("extensions", &agreed.extensions);
                if let Some(name) = &agreed.subprotocol {
                    json.text("subprotocol", name);
                }
            }
        }
        _ => return false,
    }
    true
}

fn data(json: &mut Json, seen: &Seen<'_>) -> bool {
    match seen {
        Seen::Frame(frame) => {
            json.text("event", "frame")
                .raw("offset", frame.offset())
                .raw("fin", frame.fin());
            json.raw("rsv", frame.reserved_bits())
                .text("opcode", &opcode(frame.opcode_number()));
            json.raw("masked", frame.masking_key().is_some())
                .raw("length", frame.payload_len());
            json.raw("certain", frame.is_certain());
        }
        Seen::Message(message) => {
            json.text("event", "message")
                .text("kind", kind(message.kind));
            json.raw("length", message.len)
                .raw("wire_length", message.wire_len);
            json.raw("frames", message.frames)
                .raw("compressed", message.encoded);
            if let Some(missing) = missing(message) {
                json.text("missing", missing);
            }
            if message.stretches().any(|it| matches!(it, Stretch::Hole(_))) {
                json.raw("parts", parts(message));
            } else {
                payload(json, message.payload, message.kind);
            }
        }
        Seen::Broken(_) => {
            json.text("event", "broken");
        }
        Seen::Lost { offset, .. } => {
            json.text("event", "lost").raw("offset", offset);
        }
        Seen::Found {
            offset, skipped, ..
        } => {
            json.text("event", "found")
                .raw("offset", offset)
                .raw("skipped", skipped);
        }
        Seen::Opaque { tls, .. } => {
            json.text("event", "opaque").raw("tls", tls);
        }
        _ => return false,
    }
    true
}

/// What a control frame says.
fn control(json: &mut Json, seen: &Seen<'_>) -> bool {
    match seen {
        Seen::Ping { payload, .. } => {
            json.text("event", "ping")
                .text("data", &STANDARD.encode(payload));
        }
        Seen::Pong {
            payload,
            solicited,
            round_trip,
            ..
        } => {
            json.text("event", "pong")
                .text("data", &STANDARD.encode(payload))
                .raw("solicited", solicited);
            if let Some(time) = round_trip {
                json.raw("round_trip", seconds(*time));
            }
        }
        Seen::Close { code, reason, .. } => {
            json.text("event", "close").raw(
                "code",
                code.map_or("null".to_owned(), |code| code.to_string()),
            );
            json.text("reason", &String::from_utf8_lossy(reason));
        }
        _ => return false,
    }
    true
}

/// The rules that it breaks.
fn broken(json: &mut Json, seen: &Seen<'_>) {
    let broken = violations(seen).into_iter().map(|violation| {
        let mut json = Json::object();
        json.text("rule", &violation.rule().to_string())
            .text("section", violation.rule().section());
        json.end()
    });
    let broken: Vec<String> = broken.collect();
    if !broken.is_empty() {
        json.raw("violations", format!("[{}]", broken.join(",")));
    }
}

/// What is known of a message, and the lengths of the holes between that.
fn parts(message: &SeenMessage<'_>) -> String {
    let parts = message.stretches().map(|stretch| {
        let mut json = Json::object();
        match stretch {
            Stretch::Known(bytes) => payload(&mut json, bytes, message.kind),
            Stretch::Hole(len) => _ = json.raw("hole", len),
        }
        json.end()
    });
    format!("[{}]", parts.collect::<Vec<_>>().join(","))
}

/// Text as it is, anything else in Base64.
fn payload(json: &mut Json, payload: &[u8], kind: MessageKind) {
    match std::str::from_utf8(payload) {
        Ok(text) if kind == MessageKind::Text => json.text("text", text),
        _ => json.text("data", &STANDARD.encode(payload)),
    };
}
