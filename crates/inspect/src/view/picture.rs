//! Elements of an SVG picture. Whatever a peer has sent is text in it, never an element.

use std::fmt::Write as _;
use std::io::{self, Write};

/// How wide a picture is.
pub(crate) const WIDTH: u32 = 1000;

/// For light and for dark screens. The rules hold inside of this picture only, wherever it is put.
const STYLE: &str = "\
.wsinspect{max-width:100%;height:auto}
.wsinspect text{font:12px ui-monospace,monospace;fill:#1f2328}
.wsinspect .back{fill:#fff}
.wsinspect .quiet{fill:#656d76}
.wsinspect .loud{font-weight:bold}
.wsinspect .wrong{fill:#c01020}
.wsinspect .middle{text-anchor:middle}
.wsinspect .end{text-anchor:end}
.wsinspect .client{stroke:#0969a0;fill:#0969a0}
.wsinspect .server{stroke:#8b2fa0;fill:#8b2fa0}
.wsinspect .Initial{fill:#c8ccd0}
.wsinspect .Connecting{fill:#d4a017}
.wsinspect .Open{fill:#2da44e}
.wsinspect .Closing{fill:#e16f24}
.wsinspect .Closed{fill:#57606a}
@media(prefers-color-scheme:dark){
.wsinspect text{fill:#e6edf3}
.wsinspect .back{fill:#0d1117}
.wsinspect .quiet{fill:#9da7b1}
.wsinspect .wrong{fill:#ff8080}
.wsinspect .client{stroke:#58b6f0;fill:#58b6f0}
.wsinspect .server{stroke:#d68cf0;fill:#d68cf0}
.wsinspect .Initial{fill:#484f58}
.wsinspect .Closed{fill:#8b949e}
}";

#[derive(Default)]
pub(crate) struct Picture(String);

impl Picture {
    pub(crate) fn text(&mut self, class: &str, [x, y]: [u32; 2], text: &str) {
        let text = escaped(text);
        let _ = writeln!(
            self.0,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        );
    }

    /// From one end to the other one.
    pub(crate) fn arrow(&mut self, class: &str, [from, to]: [u32; 2], y: u32) {
        let back = if from < to { -9 } else { 9 };
        let _ = writeln!(
            self.0,
            "<path class=\"{class}\" d=\"M{from} {y}H{to}M{to} {y}l{back} -4v8z\"/>"
        );
    }

    /// A column from one height to another.
    pub(crate) fn column(&mut self, class: &str, x: u32, [from, to]: [u32; 2]) {
        let (x, height) = (x - 4, to.saturating_sub(from));
        let _ = writeln!(
            self.0,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{from}\" width=\"8\" height=\"{height}\"/>"
        );
    }

    pub(crate) fn write(&self, out: &mut dyn Write, height: u32, title: &str) -> io::Result<()> {
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"wsinspect\" role=\"img\" \
             viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" xml:space=\"preserve\">"
        )?;
        writeln!(out, "<title>{}</title>", escaped(title))?;
        writeln!(out, "<style>\n{STYLE}\n</style>")?;
        writeln!(
            out,
            "<rect class=\"back\" width=\"{WIDTH}\" height=\"{height}\"/>"
        )?;
        writeln!(out, "{}</svg>", self.0)
    }
}

/// Text without markup, and without what XML has no place for (XML 1.0 §2.2).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Lines of at most so many columns, parted after spaces where there are any.
pub(crate) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut columns = 0;
    for word in text.split_inclusive(' ') {
        let wide: usize = word.chars().map(width).sum();
        if columns != 0 && columns + wide > most {
            lines.push(String::new());
            columns = 0;
        }
        for c in word.chars() {
            if columns + width(c) > most {
                lines.push(String::new());
                columns = 0;
            }
            columns += width(c);
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

/// About how many columns a character takes: those of East Asia and pictures take two.
fn width(c: char) -> usize {
    if c >= '\u{1100}' && !('\u{2010}'..='\u{27ff}').contains(&c) {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text() {
        assert_eq!(
            escaped("</text>&\"\u{0}\u{1b}\u{ffff}é"),
            "&lt;/text&gt;&amp;&quot;\u{fffd}\u{fffd}\u{fffd}é"
        );
    }

    #[test]
    fn lines_are_parted_after_spaces_and_lose_nothing() {
        assert_eq!(
            wrapped("one two three", 8),
            ["one two ", "three"].map(str::to_owned)
        );
        assert_eq!(
            wrapped("abcdefgh日本", 4),
            ["abcd", "efgh", "日本"].map(str::to_owned)
        );
        assert_eq!(wrapped("", 4), [""]);
    }
}
