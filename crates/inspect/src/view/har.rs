//! HAR 1.2 with the messages of WebSocket connections, as Chromium's developer tools write and read it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sansocket::Kind as MessageKind;
use sansocket::observer::{Head, Seen, SeenMessage, Stretch};
use sansocket_tcp_streams::{Kind, Sender};

use super::{Summary, View, missing};
use crate::follow::{Entry, Talk, What};
use crate::text::{Json, address, seconds};

pub(crate) struct Har {
    out: Box<dyn Write>,
    /// Connections that have not ended: all of their messages belong to one entry.
    open: BTreeMap<u64, Connection>,
    /// Something was written.
    begun: bool,
}

#[derive(Default)]
struct Connection {
    time: Duration,
    end: Duration,
    url: String,
    request: String,
    response: String,
    messages: Vec<String>,
}

impl Har {
    pub(crate) fn new(out: Box<dyn Write>) -> Self {
        Self {
            out,
            open: BTreeMap::new(),
            begun: false,
        }
    }

    fn write(&mut self, connection: &Connection) -> io::Result<()> {
        if connection.messages.is_empty() && connection.response.is_empty() {
            return Ok(());
        }
        let head = if mem::replace(&mut self.begun, true) {
            ",\n"
        } else {
            HEAD
        };
        let milliseconds = connection.end.saturating_sub(connection.time).as_secs_f64() * 1e3;
        let mut json = Json::object();
        json.text("_resourceType", "websocket")
            .text("startedDateTime", &date(connection.time))
            .raw("time", milliseconds)
            .raw("request", request(connection))
            .raw(
                "response",
                if connection.response.is_empty() {
                    EMPTY
                } else {
                    &connection.response
                },
            )
            .raw("cache", "{}")
            .raw(
                "timings",
                format!("{{\"send\":0,\"wait\":{milliseconds},\"receive\":0}}"),
            )
            .raw(
                "_webSocketMessages",
                format!("[{}]", connection.messages.join(",\n")),
            );
        write!(self.out, "{head}{}", json.end())
    }
}

impl View for Har {
    fn entry(&mut self, talk: &Talk, entry: &Entry<'_>, _start: Duration) -> io::Result<()> {
        let seen = match &entry.what {
            What::Tcp(Kind::End(_)) => {
                return self
                    .open
                    .remove(&talk.number)
                    .map_or(Ok(()), |it| self.write(&it));
            }
            What::Seen(seen) => seen,
            _ => return Ok(()),
        };
        let connection = self.open.entry(talk.number).or_insert_with(|| Connection {
            time: entry.time,
            url: format!("{}://{}/", scheme(talk), address(talk.server)),
            ..Connection::default()
        });
        connection.end = entry.time;
        match seen {
            Seen::Request(head) if connection.messages.is_empty() => {
                let host = head
                    .headers()
                    .find(|(name, _)| name.eq_ignore_ascii_case("host"));
                let host = host.map_or_else(|| address(talk.server), |(_, host)| text(host));
                connection.url = format!("{}://{host}{}", scheme(talk), head.target());
                connection.request = headers(head);
            }
            Seen::Response(head) => connection.response = response(head),
            Seen::Message(message) => {
                let (opcode, data) = match message.kind {
                    MessageKind::Text => (1, known(message)),
                    MessageKind::Binary => (2, STANDARD.encode(message.payload)),
                };
                let mut json = begun(entry, opcode, &data);
                if let Some(missing) = missing(message) {
                    json.text("_missing", missing);
                }
                connection.messages.push(json.end());
            }
            Seen::Ping { payload, .. } => connection.messages.push(line(entry, 9, &text(payload))),
            Seen::Pong { payload, .. } => connection.messages.push(line(entry, 10, &text(payload))),
            Seen::Close { code, reason, .. } => {
                let code = code.map_or(String::new(), |code| code.to_string());
                let data = format!("{code} {}", text(reason));
                connection.messages.push(line(entry, 8, data.trim()));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, _summary: &Summary) -> io::Result<()> {
        for connection in mem::take(&mut self.open).into_values() {
            self.write(&connection)?;
        }
        let head = if self.begun { "" } else { HEAD };
        writeln!(self.out, "{head}]}}}}")?;
        self.out.flush()
    }
}

const HEAD: &str = concat!(
    "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"wsinspect\",\"version\":\"",
    env!("CARGO_PKG_VERSION"),
    "\"},\"pages\":[],\"entries\":[\n"
);

/// For a connection whose opening handshake was not captured.
const EMPTY: &str = "{\"status\":0,\"statusText\":\"\",\"httpVersion\":\"HTTP/1.1\",\"headers\":[],\"cookies\":[],\
    \"content\":{\"size\":0,\"mimeType\":\"x-unknown\"},\"redirectURL\":\"\",\"headersSize\":-1,\"bodySize\":-1}";

fn scheme(talk: &Talk) -> &'static str {
    if talk.secure { "wss" } else { "ws" }
}

/// What is known of a text, with a U+FFFD for each hole.
fn known(message: &SeenMessage<'_>) -> String {
    let stretches = message.stretches().map(|stretch| match stretch {
        Stretch::Known(bytes) => text(bytes),
        Stretch::Hole(_) => char::REPLACEMENT_CHARACTER.to_string(),
    });
    stretches.collect()
}

fn line(entry: &Entry<'_>, opcode: u8, data: &str) -> String {
    begun(entry, opcode, data).end()
}

fn begun(entry: &Entry<'_>, opcode: u8, data: &str) -> Json {
    let kind = if entry.sender == Sender::Client {
        "send"
    } else {
        "receive"
    };
    let mut json = Json::object();
    json.text("type", kind)
        .raw("time", seconds(entry.time))
        .raw("opcode", opcode)
        .text("data", data);
    json
}

fn request(connection: &Connection) -> String {
    let headers = if connection.request.is_empty() {
        "[]"
    } else {
        &connection.request
    };
    let mut json = Json::object();
    json.text("method", "GET")
        .text("url", &connection.url)
        .text("httpVersion", "HTTP/1.1")
        .raw("headers", headers)
        .raw("queryString", "[]")
        .raw("cookies", "[]")
        .raw("headersSize", -1)
        .raw("bodySize", 0);
    json.end()
}

fn response(head: &Head<'_>) -> String {
    let reason = head.first_line().splitn(3, ' ').nth(2).unwrap_or_default();
    let mut json = Json::object();
    json.raw("status", head.status().unwrap_or(0))
        .text("statusText", reason)
        .text("httpVersion", "HTTP/1.1")
        .raw("headers", headers(head))
        .raw("cookies", "[]")
        .raw("content", "{\"size\":0,\"mimeType\":\"x-unknown\"}")
        .text("redirectURL", "")
        .raw("headersSize", -1)
        .raw("bodySize", -1);
    json.end()
}

fn headers(head: &Head<'_>) -> String {
    let fields = head.headers().map(|(name, value)| {
        let mut json = Json::object();
        json.text("name", name).text("value", &text(value));
        json.end()
    });
    format!("[{}]", fields.collect::<Vec<_>>().join(","))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A date of RFC 3339, from the days since 1970.
fn date(time: Duration) -> String {
    let (days, second) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    // Years begin in March, so that the day that some have more is the last.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 {
        (month + 3, year)
    } else {
        (month - 9, year + 1)
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let milliseconds = time.subsec_millis();
    let year = year + era * 400;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_767_225_600, "2026-01-01T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(date(Duration::from_secs(seconds)), text);
        }
    }
}
