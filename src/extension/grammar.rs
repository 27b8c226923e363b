//! The value of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
//!
//! ```text
//! extension-list  = 1#extension
//! extension       = token *( ";" extension-param )
//! extension-param = token [ "=" ( token | quoted-string ) ]   ; a token once unquoted
//! ```

#[cfg(any(test, feature = "alloc"))]
use alloc::borrow::Cow;
use core::fmt;

use crate::error::identified;
use crate::token::is_token_byte;

/// A value outside the grammar. A server answers 400, a client drops the transport (RFC 6455 §9.1).
///
/// ```
/// use sansocket::extension::{Extensions, Malformed};
/// assert_eq!(Extensions::parse([&b"foo;"[..]]).err(), Some(Malformed));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Malformed;

identified! { Malformed:
    Self = 1401, "extensions_malformed";
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("extensions outside the grammar (RFC 6455 §9.1)")
    }
}

impl core::error::Error for Malformed {}

/// The extensions of an offer or an answer, in order, from the values of one or several
/// `Sec-WebSocket-Extensions` fields (RFC 6455 §9.1).
///
/// [`parse`](Self::parse) checks all of them; the iterator walks the same bytes again, in linear time,
/// and stores nothing.
///
/// ```
/// use sansocket::extension::Extensions;
/// let fields = [&b"foo; a; b=1"[..], b"bar; baz=\"2\""];
/// let mut extensions = Extensions::parse(fields)?;
/// let foo = extensions.next().unwrap();
/// assert_eq!((foo.name(), foo.params().count()), ("foo", 2));
/// let bar = extensions.next().unwrap();
/// assert_eq!(bar.params().next().unwrap().value().as_deref(), Some("2"));
/// assert!(extensions.next().is_none());
/// # Ok::<(), sansocket::extension::Malformed>(())
/// ```
#[derive(Clone)]
pub struct Extensions<'h, I> {
    values: I,
    reader: ValueReader<'h>,
}

impl<'h, I> Extensions<'h, I>
where
    I: Iterator<Item = &'h [u8]> + Clone,
{
    /// Checks the values, which together are one list (RFC 6455 §9.1, §11.3.2), and returns its iterator.
    /// No value at all is an empty list: nothing was offered or accepted.
    ///
    /// # Errors
    /// [`Malformed`] if one byte is outside the grammar, or if there are values but no extension in them.
    pub fn parse(values: impl IntoIterator<IntoIter = I>) -> Result<Self, Malformed> {
        let mut walker = Self {
            values: values.into_iter(),
            reader: ValueReader { rest: &[] },
        };
        let checked = walker.clone();
        let no_value = walker.values.clone().next().is_none();
        let mut empty = true;
        while walker.step()?.is_some() {
            empty = false;
        }
        // RFC 9110 §5.6.1: `1#` needs one element that is not empty; empty ones are skipped.
        if empty && !no_value {
            return Err(Malformed);
        }
        Ok(checked)
    }

    fn step(&mut self) -> Result<Option<Extension<'h>>, Malformed> {
        loop {
            while self.reader.blank() || self.reader.eat(b',') {}
            if !self.reader.rest.is_empty() {
                return self.reader.extension().map(Some);
            }
            match self.values.next() {
                Some(value) => self.reader.rest = value,
                None => return Ok(None),
            }
        }
    }
}

impl<'h, I> Iterator for Extensions<'h, I>
where
    I: Iterator<Item = &'h [u8]> + Clone,
{
    type Item = Extension<'h>;

    fn next(&mut self) -> Option<Extension<'h>> {
        self.step().ok().flatten()
    }
}

/// How many bytes are left of the current value, never which.
impl<I> fmt::Debug for Extensions<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions")
            .field("rest", &self.reader.rest.len())
            .finish_non_exhaustive()
    }
}

/// One extension of the list, with its parameters.
///
/// ```
/// use sansocket::extension::Extensions;
/// let extension = Extensions::parse([&b"permessage-deflate; x"[..]])?.next().unwrap();
/// assert_eq!(extension.name(), "permessage-deflate");
/// assert_eq!(extension.params().next().unwrap().name(), "x");
/// # Ok::<(), sansocket::extension::Malformed>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extension<'h> {
    /// A token.
    name: &'h [u8],
    params: &'h [u8],
}

impl<'h> Extension<'h> {
    /// The name, a token. Names are compared byte for byte.
    #[must_use]
    pub fn name(&self) -> &'h str {
        text(self.name)
    }

    /// The parameters, in order, with repetitions.
    #[must_use]
    pub fn params(&self) -> Params<'h> {
        Params {
            reader: ValueReader { rest: self.params },
        }
    }
}

/// Lengths only.
impl fmt::Debug for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("name", &self.name.len())
            .field("params", &self.params.len())
            .finish()
    }
}

/// Walks the parameters of one [`Extension`].
///
/// ```
/// use sansocket::extension::Extensions;
/// let extension = Extensions::parse([&b"foo; a=1; b; a"[..]])?.next().unwrap();
/// let names: Vec<&str> = extension.params().map(|param| param.name()).collect();
/// assert_eq!(names, ["a", "b", "a"]);
/// # Ok::<(), sansocket::extension::Malformed>(())
/// ```
#[derive(Clone)]
pub struct Params<'h> {
    reader: ValueReader<'h>,
}

impl<'h> Iterator for Params<'h> {
    type Item = Param<'h>;

    fn next(&mut self) -> Option<Param<'h>> {
        self.reader.param().ok().flatten()
    }
}

/// How many bytes are left, never which.
impl fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params")
            .field("rest", &self.reader.rest.len())
            .finish()
    }
}

/// One parameter of an [`Extension`]: a name, and a value if there is one.
///
/// ```
/// use sansocket::extension::Extensions;
/// let extension = Extensions::parse([&br#"foo; a="x\y"; b"#[..]])?.next().unwrap();
/// let mut params = extension.params();
/// assert_eq!(params.next().unwrap().value().as_deref(), Some("xy"));
/// assert_eq!(params.next().unwrap().value(), None);
/// # Ok::<(), sansocket::extension::Malformed>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Param<'h> {
    /// A token.
    name: &'h [u8],
    /// A token, or one in quotes.
    value: Option<&'h [u8]>,
}

impl<'h> Param<'h> {
    /// The name, a token.
    #[must_use]
    pub fn name(&self) -> &'h str {
        text(self.name)
    }

    /// The value, a token, without its quotes if it had any (RFC 6455 §9.1). Borrowed, unless a character in
    /// them is escaped.
    #[cfg(any(test, feature = "alloc"))]
    #[must_use]
    pub fn value(&self) -> Option<Cow<'h, str>> {
        let value = text(self.value?);
        let quoted = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        Some(match quoted {
            // A token has no backslash of its own.
            Some(quoted) if quoted.contains('\\') => {
                quoted.chars().filter(|&char| char != '\\').collect()
            }
            quoted => quoted.unwrap_or(value).into(),
        })
    }
}

/// Lengths only.
impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Param")
            .field("name", &self.name.len())
            .field("value", &self.value.as_ref().map(|value| value.len()))
            .finish()
    }
}

/// A token as text.
fn text(token: &[u8]) -> &str {
    core::str::from_utf8(token).unwrap_or_default()
}

/// Reads one value.
#[derive(Clone, Copy)]
struct ValueReader<'h> {
    rest: &'h [u8],
}

impl<'h> ValueReader<'h> {
    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Skips one space or tab.
    fn blank(&mut self) -> bool {
        self.eat(b' ') || self.eat(b'\t')
    }

    fn blanks(&mut self) {
        while self.blank() {}
    }

    fn token(&mut self) -> Result<&'h [u8], Malformed> {
        let len = self.rest.iter().take_while(|&&b| is_token_byte(b)).count();
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        match token {
            [] => Err(Malformed),
            token => Ok(token),
        }
    }

    /// One element of the list, up to its comma or the end of the value.
    fn extension(&mut self) -> Result<Extension<'h>, Malformed> {
        let name = self.token()?;
        let from = self.rest;
        while self.param()?.is_some() {}
        let params = &from[..from.len() - self.rest.len()];
        match self.rest.first() {
            None | Some(b',') => Ok(Extension { name, params }),
            Some(_) => Err(Malformed),
        }
    }

    /// `; name` or `; name=value`, with the blanks after it; nothing if there is no semicolon.
    fn param(&mut self) -> Result<Option<Param<'h>>, Malformed> {
        self.blanks();
        if !self.eat(b';') {
            return Ok(None);
        }
        self.blanks();
        let name = self.token()?;
        // Blanks around "=" are allowed as in RFC 2616 (implied LWS), and never written.
        self.blanks();
        let mut value = None;
        if self.eat(b'=') {
            self.blanks();
            value = Some(self.value()?);
            self.blanks();
        }
        Ok(Some(Param { name, value }))
    }

    /// A value as it stands: a token, or one in quotes.
    fn value(&mut self) -> Result<&'h [u8], Malformed> {
        let from = self.rest;
        if self.eat(b'"') {
            self.quoted()?;
        } else {
            self.token()?;
        }
        Ok(&from[..from.len() - self.rest.len()])
    }

    /// RFC 6455 §9.1: the unquoted value has to be a token, so each character is checked when its pair
    /// (RFC 9110 §5.6.4) is undone.
    fn quoted(&mut self) -> Result<(), Malformed> {
        let mut empty = true;
        loop {
            let byte = match *self.rest {
                [b'"', ref rest @ ..] => {
                    self.rest = rest;
                    return if empty { Err(Malformed) } else { Ok(()) };
                }
                [b'\\', byte, ref rest @ ..] | [byte, ref rest @ ..] => {
                    self.rest = rest;
                    byte
                }
                [] => return Err(Malformed),
            };
            if !is_token_byte(byte) {
                return Err(Malformed);
            }
            empty = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{Extensions, Malformed};

    /// The list written out again in one plain form.
    fn read(values: &[&str]) -> Result<String, Malformed> {
        let walker = Extensions::parse(values.iter().map(|value| value.as_bytes()))?;
        let list: Vec<String> = walker
            .map(|extension| {
                let mut text = extension.name().to_string();
                for param in extension.params() {
                    text += ";";
                    text += param.name();
                    if let Some(value) = param.value() {
                        text += "=";
                        text += &value;
                    }
                }
                text
            })
            .collect();
        Ok(list.join(","))
    }

    #[test]
    fn names_and_parameters() {
        assert_eq!(read(&["a; b; c=1; d=\"2\", e"]).unwrap(), "a;b;c=1;d=2,e");
        assert_eq!(read(&["foo"]).unwrap(), "foo");
        assert_eq!(read(&[]).unwrap(), "");
    }

    #[test]
    fn values_outside_the_grammar() {
        for value in [
            "",
            " ",
            ",",
            ", ,",
            "a;",
            "a; ",
            "a;;b",
            "a; ;b",
            "a; =1",
            "a; b=",
            "a; b= ",
            "a b",
            ";a",
            "=a",
            "a=1",
            "a; b=\"x",
            "a; b=\"x\\",
            "a; b=\"x\\\"",
            "a; b c",
            "a; b=1 c",
            "a; b=1=2",
            "a; b=\"1\"2",
            "a, b;",
            "a; b=\"\"x",
            "a/b",
            "a; b=c/d",
            "a\r\n",
            "a\0",
            "é",
            "a; b=é",
            "a; b=\"é\"",
            "a; \"b\"",
            "\"a\"",
        ] {
            assert_eq!(read(&[value]), Err(Malformed), "{value:?}");
            assert_eq!(
                read(&["x", value, "y"]).is_err(),
                value.contains(|c| !" ,".contains(c))
            );
        }
    }

    #[test]
    fn a_quoted_value_is_a_token_once_unquoted() {
        assert_eq!(read(&["a; b=\"10\""]), read(&["a; b=10"]));
        assert_eq!(read(&[r#"a; b="x\y""#]).unwrap(), "a;b=xy");
        assert_eq!(read(&[r#"a; b="\x\yz""#]).unwrap(), "a;b=xyz");
        for value in [
            r#"a; b="c,d""#,
            r#"a; b="""#,
            r#"a; b="c d""#,
            r#"a; b="c;d""#,
            r#"a; b="\"""#,
            r#"a; b="\\""#,
            r#"a; b=" c""#,
            r#"a; b="c\,d""#,
        ] {
            assert_eq!(read(&[value]), Err(Malformed), "{value:?}");
        }
    }

    /// Several fields are one list.
    #[test]
    fn several_fields_are_one_list() {
        assert_eq!(read(&["foo", "bar; baz=2"]), read(&["foo, bar; baz=2"]));
        assert_eq!(read(&["", "foo", " , "]).unwrap(), "foo");
        assert_eq!(read(&["", ","]), Err(Malformed));
        // A quoted string does not go on in the next field: a comma would stand in it.
        assert_eq!(read(&["a; b=\"x", "y\""]), Err(Malformed));
    }

    #[test]
    fn blanks_and_empty_elements() {
        assert_eq!(read(&["a ;b , c"]).unwrap(), "a;b,c");
        assert_eq!(read(&["\ta\t;\tb\t,\tc\t"]).unwrap(), "a;b,c");
        assert_eq!(read(&["a; b = 1 ; c= \"2\" "]).unwrap(), "a;b=1;c=2");
        assert_eq!(read(&["foo ,bar,"]).unwrap(), "foo,bar");
        assert_eq!(read(&[",, foo , ,bar"]).unwrap(), "foo,bar");
    }

    /// Names that mean something elsewhere are tokens like any other.
    #[test]
    fn names_are_only_names() {
        let list = "constructor,__proto__;__proto__=constructor,toString;hasOwnProperty";
        assert_eq!(read(&[list]).unwrap(), list);
    }

    /// Each of these is walked in linear time.
    #[test]
    fn long_values() {
        let spaces = " ".repeat(32 << 10);
        assert_eq!(read(&[&spaces]), Err(Malformed));
        assert_eq!(
            read(&[&format!("a{spaces};{spaces}b{spaces}={spaces}c")]).unwrap(),
            "a;b=c"
        );
        assert_eq!(read(&[&",".repeat(64 << 10)]), Err(Malformed));
        assert_eq!(read(&[&vec!["a"; 30_000].join(",")]).unwrap().len(), 59_999);
        let pairs = "\\c".repeat(20_000);
        assert_eq!(read(&[&format!("a; b=\"{pairs}")]), Err(Malformed));
        assert_eq!(
            read(&[&format!("a; b=\"{pairs}\"")]).unwrap().len(),
            4 + 20_000
        );
        assert_eq!(read(&[&"a;b=\"".repeat(10_000)]), Err(Malformed));
    }

    #[test]
    fn debug_shows_lengths_only() {
        let walker = Extensions::parse([&b"secret; token=value"[..]]).unwrap();
        let extension = walker.clone().next().unwrap();
        let text = format!(
            "{walker:?} {extension:?} {:?} {:?}",
            extension.params(),
            extension.params().next()
        );
        for word in ["secret", "token", "value\""] {
            assert!(!text.contains(word), "{text}");
        }
        for name in ["Extensions {", "Extension {", "Params {", "Param {"] {
            assert!(text.contains(name), "{text}");
        }
        let malformed = Extensions::parse([&b"secret;"[..]]).unwrap_err();
        assert_eq!(
            malformed.to_string(),
            "extensions outside the grammar (RFC 6455 §9.1)"
        );
    }

    mod properties {
        use alloc::vec::Vec;

        use proptest::prelude::*;

        use crate::extension::Extensions;

        use super::read;

        proptest! {
            #[test]
            fn any_bytes_and_any_split(bytes in prop::collection::vec(prop::sample::select(&b"ab;,=\"\\ \t\xff"[..]), 0..40)) {
                // Whatever the bytes: no panic, and what was accepted once is read the same again.
                if let Ok(walker) = Extensions::parse([&bytes[..]]) {
                    let text = read(&[core::str::from_utf8(&bytes).unwrap()]).unwrap();
                    prop_assert_eq!(read(&[&text]).unwrap(), text.clone());
                    prop_assert_eq!(walker.count(), text.split(',').count());
                    // One field for each element is the same list.
                    let fields: Vec<&str> = text.split(',').collect();
                    prop_assert_eq!(read(&fields).unwrap(), text);
                }
            }
        }
    }
}
