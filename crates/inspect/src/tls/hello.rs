//! The messages with which TLS begins (RFC 8446 §4.1, RFC 5246 §7.4.1), as much of them as decides what follows.

use super::Why;

/// The random of a server that asks the client to begin again (RFC 8446 §4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const SERVER_NAME: u16 = 0;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;

/// What a client asks for.
pub(super) struct ClientHello<'a> {
    pub(super) random: [u8; 32],
    pub(super) server_name: Option<&'a str>,
    /// It sends something before the server has answered.
    pub(super) early: bool,
}

/// What a server has chosen.
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    pub(super) version: u16,
    pub(super) suite: u16,
    /// The client is to begin again.
    pub(super) retry: bool,
}

/// A message of the handshake.
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
}

/// The message at the front, if it is there whole.
pub(super) fn message(bytes: &[u8]) -> Option<Message<'_>> {
    let mut reader = Reader(bytes);
    let kind = reader.byte()?;
    let length = usize::from(reader.byte()?) << 16 | usize::from(reader.half()?);
    let body = reader.take(length)?;
    Some(Message { kind, body })
}

impl<'a> ClientHello<'a> {
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        reader.half()?;
        let random = *reader.take(32)?.first_chunk()?;
        let session = reader.byte()?;
        reader.take(session.into())?;
        let suites = reader.half()?;
        reader.take(suites.into())?;
        let compressions = reader.byte()?;
        reader.take(compressions.into())?;
        let mut hello = Self {
            random,
            server_name: None,
            early: false,
        };
        for (kind, body) in extensions(&mut reader) {
            match kind {
                SERVER_NAME => hello.server_name = server_name(body),
                EARLY_DATA => hello.early = true,
                _ => {}
            }
        }
        Some(hello)
    }
}

impl ServerHello {
    pub(super) fn read(body: &[u8]) -> Result<Self, Why> {
        let hello = Self::parse(body).ok_or(Why::Damaged)?;
        match hello.version {
            0x0303 | 0x0304 => Ok(hello),
            other => Err(Why::Version(other)),
        }
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let mut version = reader.half()?;
        let random = *reader.take(32)?.first_chunk()?;
        let session = reader.byte()?;
        reader.take(session.into())?;
        let suite = reader.half()?;
        reader.byte()?;
        for (kind, body) in extensions(&mut reader) {
            if kind == SUPPORTED_VERSIONS {
                version = Reader(body).half()?;
            }
        }
        Some(Self {
            random,
            version,
            suite,
            retry: random == RETRY,
        })
    }
}

/// Whether the extensions that a server has encrypted take the client's early data (RFC 8446 §4.3.1).
pub(super) fn takes_early_data(body: &[u8]) -> bool {
    extensions(&mut Reader(body)).any(|(kind, _)| kind == EARLY_DATA)
}

/// None after the first that is not whole.
fn extensions<'a>(reader: &mut Reader<'a>) -> impl Iterator<Item = (u16, &'a [u8])> {
    let length = reader.half().unwrap_or(0);
    let mut list = Reader(reader.take(length.into()).unwrap_or_default());
    std::iter::from_fn(move || {
        let kind = list.half()?;
        let length = list.half()?;
        Some((kind, list.take(length.into())?))
    })
}

/// RFC 6066 §3. It is shown to people, so that it is one that a host can have.
fn server_name(body: &[u8]) -> Option<&str> {
    let mut reader = Reader(body);
    reader.half()?;
    if reader.byte()? != 0 {
        return None;
    }
    let length = reader.half()?;
    let name = std::str::from_utf8(reader.take(length.into())?).ok()?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    name.chars().all(is_host).then_some(name)
}

/// Takes numbers and bytes off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn half(&mut self) -> Option<u16> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*first))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}
