//! JSON over several lines, as it was sent: numbers and the order of members are not touched.

use serde::de::IgnoredAny;

use crate::text::escape;

/// What is longer is shown as any other text.
const LONGEST: usize = 1 << 20;

/// So many levels are indented, and not more.
const DEPTH: usize = 32;

/// The lines of an object or a list that has something in it, with about `most` bytes of it; none for other texts.
pub(crate) fn indented(text: &str, most: usize) -> Option<Vec<String>> {
    let inner = text.trim_ascii();
    let begins = inner.starts_with(['{', '[']) && inner.len() > 2 && inner.len() <= LONGEST;
    if !begins || serde_json::from_str::<IgnoredAny>(inner).is_err() {
        return None;
    }
    let mut lines = Lines {
        all: Vec::new(),
        line: String::new(),
    };
    let (mut depth, mut string, mut escaped) = (0_usize, false, false);
    for (at, c) in inner.char_indices() {
        if at >= most {
            lines.line.push('…');
            break;
        }
        if string {
            escape(&mut lines.line, c);
            string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let next = inner[at + 1..].trim_ascii_start();
        let empty = c == '{' && next.starts_with('}') || c == '[' && next.starts_with(']');
        match c {
            '{' | '[' if !empty => {
                depth += 1;
                lines.line.push(c);
                lines.end(depth);
            }
            '}' | ']' if !lines.line.trim_start().ends_with(['{', '[']) => {
                depth = depth.saturating_sub(1);
                lines.end(depth);
                lines.line.push(c);
            }
            ',' => {
                lines.line.push(c);
                lines.end(depth);
            }
            ':' => lines.line.push_str(": "),
            _ => {
                string = c == '"';
                lines.line.push(c);
            }
        }
    }
    lines.all.push(lines.line);
    Some(lines.all)
}

struct Lines {
    all: Vec<String>,
    line: String,
}

impl Lines {
    /// The next one stands so deep.
    fn end(&mut self, depth: usize) {
        let next = "  ".repeat(depth.min(DEPTH));
        let line = std::mem::replace(&mut self.line, next);
        if !line.trim_start().is_empty() {
            self.all.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
    use super::*;

    fn shown(text: &str, most: usize) -> String {
        indented(text, most).unwrap().join("\n")
    }

    #[test]
    fn json_is_indented_as_it_was_sent() {
        let text = " {\"b\":1e400, \"a\":[], \"b\":{ },\"c\":[1 ,{\"x, [\\\"\":\"}\\\\\"},null]}\n";
        let expected = "{\n  \"b\": 1e400,\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"x, [\\\"\": \"}\\\\\"\n    },\n    null\n  ]\n}";
        assert_eq!(shown(text, 1000), expected);
        assert_eq!(
            shown("[[[1]]]", 1000),
            "[\n  [\n    [\n      1\n    ]\n  ]\n]"
        );
        assert_eq!(shown("[{},[]]", 1000), "[\n  {},\n  []\n]");
        assert_eq!(
            shown("[\"\u{202e}\u{7f}\u{9b}ä\"]", 1000),
            "[\n  \"\\u202e\\u007f\\u009bä\"\n]"
        );
        assert_eq!(shown("[1,2,3,4]", 4), "[\n  1,\n  2…");
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "", "{}", "[]", "1", "\"a\"", "{a:1}", "[1] 2", "[1,]", "hello",
        ] {
            assert_eq!(indented(text, 100), None, "{text}");
        }
    }

    #[test]
    fn what_is_deep_stays_narrow() {
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        let longest = indented(&deep, 1000).unwrap().iter().map(String::len).max();
        assert!(longest <= Some(2 * DEPTH + 4), "{longest:?}");
        let long = format!("[{}]", " ".repeat(LONGEST));
        assert_eq!(indented(&long, 100), None);
    }
}
