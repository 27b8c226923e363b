//! What a peer says, made safe to look at: a terminal obeys escape sequences, and so may whatever reads a pipe.

use std::borrow::Cow;
use std::fmt::Write;

/// The text of these bytes. Control characters other than line breaks and tabs become `\u{1b}`, as do those
/// that show a text in another order than it has; bytes that are no UTF-8 become `\xff`.
pub fn printable(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if !text.contains(is_harmful) => text.into(),
        _ => escape(bytes).into(),
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_harmful(c) {
                out.extend(c.escape_unicode());
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// The same for JSON, which escapes some of them by itself: the others stand only in its strings.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_harmful) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_harmful(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.into()
}

fn is_harmful(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Embeddings, overrides and isolates (Unicode Standard Annex #9).
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_lent() {
        for text in [
            "",
            "grüße, 世界 🌍",
            "a\tb\nc",
            "back\\slash",
            "שלום\u{200f}",
        ] {
            let printed = printable(text.as_bytes());
            assert!(
                matches!(printed, Cow::Borrowed(same) if same == text),
                "{text:?}"
            );
        }
    }

    #[test]
    fn others_are_escaped() {
        for (bytes, printed) in [
            (&b"\x1b]0;title\x07"[..], "\\u{1b}]0;title\\u{7}"),
            (
                b"over\rwritten\x08\x7f\0",
                "over\\u{d}written\\u{8}\\u{7f}\\u{0}",
            ),
            ("\u{9b}31m ü".as_bytes(), "\\u{9b}31m ü"),
            ("a\u{202e}b\u{2066}c".as_bytes(), "a\\u{202e}b\\u{2066}c"),
            (b"a\xff\xc3", "a\\xff\\xc3"),
        ] {
            assert_eq!(printable(bytes), printed);
        }
    }

    #[test]
    fn json_stays_json() {
        let json = serde_json::json!({"text": "\u{9b}1m\u{7f}\u{202e}\x1b"}).to_string();
        let printed = printable_json(&json);
        assert_eq!(printed, r#"{"text":"\u009b1m\u007f\u202e\u001b"}"#);
        let back: serde_json::Value = serde_json::from_str(&printed).unwrap_or_default();
        assert_eq!(back["text"], "\u{9b}1m\u{7f}\u{202e}\x1b");
    }
}
