//! Lists of entries: each is its number ([`entry`](crate::numbers::entry)), its length and so many bytes, the two
//! numbers as 32 bits with the lowest byte first. What counts is a float of 64 bits in the same order.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Refused;

/// The entries of a list.
pub(crate) struct Entries<'a>(pub(crate) &'a [u8]);

/// One of them.
pub(crate) struct Entry<'a> {
    pub(crate) what: u32,
    bytes: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let entry = self.take();
        if entry.is_none() {
            self.0 = &[];
        }
        Some(entry.ok_or_else(|| Refused::argument("a list that ends within an entry")))
    }
}

impl<'a> Entries<'a> {
    fn take(&mut self) -> Option<Entry<'a>> {
        let (what, rest) = self.0.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.0 = rest;
        Some(Entry {
            what: u32::from_le_bytes(*what),
            bytes,
        })
    }
}

impl<'a> Entry<'a> {
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn text(&self) -> Result<&'a str, Refused> {
        core::str::from_utf8(self.bytes).map_err(|_| Refused::argument("text that is not UTF-8"))
    }

    pub(crate) fn string(&self) -> Result<String, Refused> {
        self.text().map(String::from)
    }

    pub(crate) fn number(&self) -> Result<f64, Refused> {
        let bytes = self.bytes.try_into();
        bytes
            .map(f64::from_le_bytes)
            .map_err(|_| Refused::argument("a number that is not one of 64 bits"))
    }

    /// A whole number from 0 to `most`.
    pub(crate) fn count(&self, most: u64) -> Result<u64, Refused> {
        let number = self.number()?;
        // Infinity is the most that there can be.
        if number == f64::INFINITY {
            return Ok(most);
        }
        let whole = number as u64;
        if whole as f64 != number || whole > most {
            return Err(Refused::argument(
                "a number that is not whole, or out of range",
            ));
        }
        Ok(whole)
    }

    pub(crate) fn count32(&self) -> Result<u32, Refused> {
        self.count(u32::MAX.into()).map(|count| count as u32)
    }
}

/// Adds an entry to a list.
pub(crate) fn push(list: &mut Vec<u8>, what: u32, bytes: &[u8]) {
    list.extend_from_slice(&what.to_le_bytes());
    list.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    list.extend_from_slice(bytes);
}

/// The header fields of a list, which has names and values in turn.
#[derive(Default)]
pub(crate) struct Field<'a>(Option<&'a str>);

impl<'a> Field<'a> {
    pub(crate) fn name(&mut self, entry: &Entry<'a>) -> Result<(), Refused> {
        self.0 = Some(entry.text()?);
        Ok(())
    }

    pub(crate) fn value(&mut self, entry: &Entry<'a>) -> Result<(&'a str, &'a [u8]), Refused> {
        let name = self.0.take();
        let name = name.ok_or_else(|| Refused::argument("a value without a name"))?;
        Ok((name, entry.bytes()))
    }
}
