//! Heads of HTTP/1 in the types of the `http` crate.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use httparse::Status;

use super::machine::TryParse;
use crate::error::Result;

/// The most fields that a head has.
pub const MAX_HEADERS: usize = 124;

pub(super) fn fields(raw: &[httparse::Header<'_>]) -> Result<HeaderMap> {
    let mut fields = HeaderMap::with_capacity(raw.len());
    for field in raw {
        let name = HeaderName::from_bytes(field.name.as_bytes())?;
        fields.append(name, HeaderValue::from_bytes(field.value)?);
    }
    Ok(fields)
}

impl TryParse for HeaderMap {
    fn try_parse(data: &[u8]) -> Result<Option<(usize, Self)>> {
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        match httparse::parse_headers(data, &mut room)? {
            Status::Complete((len, raw)) => Ok(Some((len, fields(raw)?))),
            Status::Partial => Ok(None),
        }
    }
}
