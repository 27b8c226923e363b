//! What people read.

use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// For a value that is none of those there are.
pub(crate) fn one_of(option: &str, value: &str, values: &str) -> String {
    format!("{option} {value:?}: it is {values}")
}

/// Text of a peer's: nothing in it reaches the terminal as a command.
pub(crate) fn quoted(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::from("\"");
    let mut rest = text.char_indices();
    for (_, c) in rest.by_ref().take_while(|(at, _)| *at < most) {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    if text.len() > most {
        out.push('…');
    }
    out
}

/// Turns the direction of what follows, or has no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8], most: usize) -> String {
    let mut out = String::new();
    for (n, byte) in bytes.iter().take(most).enumerate() {
        let _ = write!(out, "{}{byte:02x}", if n == 0 { "" } else { " " });
    }
    if bytes.len() > most {
        out.push_str(" …");
    }
    out
}

/// `1 byte`, `2 bytes`.
pub(crate) fn count(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// An end, if there were packets that name it.
pub(crate) fn address(end: SocketAddr) -> String {
    if end.ip().is_unspecified() {
        "unknown".to_owned()
    } else {
        end.to_string()
    }
}

/// Seconds with six places.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// A JSON text, built from left to right.
#[derive(Default)]
pub(crate) struct Json(String);

impl Json {
    pub(crate) fn object() -> Self {
        Self("{".to_owned())
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        string(&mut self.0, value);
        self
    }

    /// A number, a boolean or JSON.
    pub(crate) fn raw(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.name(name);
        let _ = write!(self.0, "{value}");
        self
    }

    pub(crate) fn end(&mut self) -> String {
        self.0.push('}');
        std::mem::take(&mut self.0)
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        string(&mut self.0, name);
        self.0.push(':');
    }
}

fn string(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c => escape(out, c),
        }
    }
    out.push('"');
}

/// A character of a string of JSON, as it is unless a terminal would obey it or nobody would see it.
pub(crate) fn escape(out: &mut String, c: char) {
    if c.is_control() || is_invisible(c) {
        let _ = write!(out, "\\u{:04x}", u32::from(c));
    } else {
        out.push(c);
    }
}

/// Colours, if there are any.
#[derive(Clone, Copy)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    pub(crate) fn client(self, text: impl Display) -> String {
        self.paint("36", &text)
    }

    pub(crate) fn server(self, text: impl Display) -> String {
        self.paint("35", &text)
    }

    pub(crate) fn wrong(self, text: impl Display) -> String {
        self.paint("1;31", &text)
    }

    pub(crate) fn quiet(self, text: impl Display) -> String {
        self.paint("2", &text)
    }

    pub(crate) fn loud(self, text: impl Display) -> String {
        self.paint("1", &text)
    }

    fn paint(self, code: &str, text: &dyn Display) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}
