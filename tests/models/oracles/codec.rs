//! The parts that need no connection: headers, masks, UTF-8, URIs, the extension grammar.

use std::borrow::Cow;

use super::Taker;
use sansocket::Uri;
use sansocket::error::ProtocolError;
use sansocket::extension::{Extension, Extensions, Param};
use sansocket::frame::{FrameHeader, Opcode};
use sansocket::mask::apply_mask;
use sansocket::utf8::Validator;

/// As RFC 6455 §5.2 draws it, for any cut; what is decoded encodes to the same bytes.
pub fn frame_header(data: &[u8]) {
    for cut in 0..=data.len().min(FrameHeader::MAX_LEN + 1) {
        assert_eq!(FrameHeader::decode(&data[..cut]), drawn(&data[..cut]));
    }
    let Ok(Some((header, len))) = FrameHeader::decode(data) else {
        return;
    };
    let mut bytes = [0; FrameHeader::MAX_LEN];
    assert_eq!(header.encode(&mut bytes), len);
    assert_eq!(bytes[..len], data[..len]);
}

/// The drawing of RFC 6455 §5.2, bit by bit; what is wrong is said with the byte that shows it.
fn drawn(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
    const DEFINED: [(u8, Opcode); 6] = [
        (0x0, Opcode::Continuation),
        (0x1, Opcode::Text),
        (0x2, Opcode::Binary),
        (0x8, Opcode::Close),
        (0x9, Opcode::Ping),
        (0xa, Opcode::Pong),
    ];
    let bits = |from: usize, n: usize| {
        (from..from + n).try_fold(0u64, |value, at| {
            let byte = bytes.get(at / 8)?;
            Some(value << 1 | u64::from(byte >> (7 - at % 8) & 1))
        })
    };
    let (Some(fin), Some(rsv), Some(opcode)) = (bits(0, 1), bits(1, 3), bits(4, 4)) else {
        return Ok(None);
    };
    let (rsv, opcode) = (rsv as u8, opcode as u8);
    let Some((_, name)) = DEFINED.iter().find(|(own, _)| *own == opcode) else {
        return Err(ProtocolError::ReservedOpcode { opcode });
    };
    if opcode >= 8 && fin == 0 {
        return Err(ProtocolError::ControlFragmented);
    }
    let (Some(mask), Some(short)) = (bits(8, 1), bits(9, 7)) else {
        return Ok(None);
    };
    let (least, extended) = match short {
        126 => (126, 16),
        127 => (0x1_0000, 64),
        _ => (0, 0),
    };
    let Some(long) = bits(16, extended) else {
        return Ok(None);
    };
    let payload_len = if extended == 0 { short } else { long };
    if payload_len < least {
        return Err(ProtocolError::LengthNotMinimal);
    }
    if payload_len >> 63 == 1 {
        return Err(ProtocolError::LengthTopBit);
    }
    if opcode >= 8 && payload_len > 125 {
        return Err(ProtocolError::ControlTooLong);
    }
    let at = 16 + extended;
    let masking_key = match mask {
        0 => None,
        _ => match bits(at, 32) {
            Some(key) => Some((key as u32).to_be_bytes()),
            None => return Ok(None),
        },
    };
    let header = FrameHeader {
        fin: fin == 1,
        rsv,
        opcode: *name,
        masking_key,
        payload_len,
    };
    Ok(Some((header, at / 8 + 4 * mask as usize)))
}

/// As the formula of RFC 6455 §5.3 does it, from any offset and in any pieces; twice is nothing.
pub fn mask(data: &[u8]) {
    let mut t = Taker::new(data);
    let (key, offset, cut) = (t.key(), u64::from(t.u16()) << t.below(48), t.u8());
    let payload = t.rest();
    let expected: Vec<u8> = payload
        .iter()
        .zip(offset..)
        .map(|(byte, at)| byte ^ key[(at % 4) as usize])
        .collect();
    let mut masked = payload.to_vec();
    apply_mask(&mut masked, key, offset);
    assert_eq!(masked, expected);
    let cut = usize::from(cut).min(payload.len());
    let (front, rest) = masked.split_at_mut(cut);
    apply_mask(rest, key, offset + cut as u64);
    apply_mask(front, key, offset);
    assert_eq!(masked, payload);
}

/// As the standard library judges the whole, for any cut, and failing at the same byte.
pub fn utf8(data: &[u8]) {
    let mut t = Taker::new(data);
    let sizes = t.bytes(8);
    let text = t.rest();
    let impossible = |end: usize| {
        let prefix = core::str::from_utf8(&text[..end]);
        prefix.is_err_and(|error| error.error_len().is_some())
    };
    let mut sizes = sizes.iter().map(|size| usize::from(*size % 9)).cycle();
    let (mut validator, mut valid, mut at) = (Validator::new(), String::new(), 0);
    while at < text.len() {
        // A size of 0 is an empty piece; without any sizes, or with zeros only, byte by byte.
        let size = sizes.next().unwrap_or(1);
        let size = if size == 0 && validator.push(b"").is_ok() {
            1
        } else {
            size
        };
        let end = (at + size).min(text.len());
        match validator.push(&text[at..end]) {
            Ok((finished, piece)) => {
                assert!(!impossible(end));
                valid.extend(finished);
                valid.push_str(piece);
                assert!(valid.as_bytes() == &text[..valid.len()] && end - valid.len() < 4);
                assert_eq!(validator.is_complete(), valid.len() == end);
            }
            Err(_) => {
                assert!(impossible(end) && !impossible(at));
                return;
            }
        }
        at = end;
    }
    assert_eq!(validator.is_complete(), core::str::from_utf8(text).is_ok());
}

/// Taken and refused as RFC 3986 and RFC 6455 §3 say; what is read is written as itself, and nothing
/// in it breaks a request line.
pub fn uri(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let schemes = [
        ("ws", false),
        ("wss", true),
        ("http", false),
        ("https", true),
    ];
    for (allowed, read) in [
        (&schemes[..2], Uri::parse(text)),
        (&schemes[..], Uri::parse_allowing_http(text)),
    ] {
        match (read, components(text, allowed)) {
            (Ok(uri), Some(parts)) => {
                let own = (uri.secure(), uri.host(), uri.port(), uri.resource_name());
                assert_eq!(own, (parts.0, &*parts.1, parts.2, &*parts.3));
                same_again(&uri);
            }
            (Err(error), None) => {
                assert!(error.at() <= text.len() && text.is_char_boundary(error.at()));
            }
            (read, parts) => panic!("{text:?}: {read:?}, but {parts:?}"),
        }
    }
}

/// Secure, host, port and resource name.
pub type Components = (bool, String, u16, String);

/// The grammar of RFC 3986 §3 with what RFC 6455 §3 leaves of it.
pub fn components(text: &str, schemes: &[(&str, bool)]) -> Option<Components> {
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let sub_delim = |c: char| "!$&'()*+,;=".contains(c);
    // Every piece after a "%" begins with two digits, which are then no characters of their own.
    let made_of = |part: &str, other: &str| {
        let mut pieces = part.split('%');
        let first = pieces.next().unwrap_or_default();
        let legal = |text: &str| {
            text.chars()
                .all(|c| unreserved(c) || sub_delim(c) || other.contains(c))
        };
        legal(first)
            && pieces.all(|piece| {
                let digits = piece
                    .get(..2)
                    .filter(|two| two.chars().all(|c| c.is_ascii_hexdigit()));
                digits.is_some() && legal(&piece[2..])
            })
    };
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_lowercase();
    let (_, secure) = *schemes.iter().find(|(name, _)| *name == scheme)?;
    // No fragment, not even an empty one.
    if rest.contains('#') {
        return None;
    }
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = before.split_at(before.find('/').unwrap_or(before.len()));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_is_legal = match literal {
        Some(address) if address.starts_with(['v', 'V']) => {
            address[1..].split_once('.').is_some_and(|(version, rest)| {
                !version.is_empty()
                    && version.chars().all(|c| c.is_ascii_hexdigit())
                    && !rest.is_empty()
                    && rest
                        .chars()
                        .all(|c| unreserved(c) || sub_delim(c) || c == ':')
            })
        }
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && made_of(host, ""),
    };
    let port = match port.trim_start_matches('0') {
        _ if !port.chars().all(|c| c.is_ascii_digit()) => return None,
        "" if port.is_empty() => [80, 443][usize::from(secure)],
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let legal = host_is_legal && made_of(path, ":@/") && made_of(query, ":@/?");
    let path = if path.is_empty() { "/" } else { path };
    let resource_name = match query {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    legal.then(|| (secure, host.to_ascii_lowercase(), port, resource_name))
}

fn same_again(uri: &Uri) {
    let printed = uri.to_string();
    assert_eq!(Uri::parse(&printed).as_ref(), Ok(uri));
    assert_eq!(
        Uri::parse(&printed).map(|again| again.to_string()),
        Ok(printed)
    );
    assert!(uri.resource_name().starts_with('/'));
    for part in [uri.resource_name(), uri.host()] {
        assert!(
            part.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'#')
        );
    }
    assert!(uri.authority().starts_with(uri.host()));
}

/// Names and values of an extension's parameters after its name.
pub type Read = Vec<(String, Vec<(String, Option<String>)>)>;

/// Taken and refused as the grammar of RFC 6455 §9.1 says, with the same meaning; written again it
/// is taken again and says the same.
pub fn extension_grammar(data: &[u8]) {
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let read = extensions(&values);
    assert_eq!(read, split(&values));
    let Some(read) = read else { return };
    let mut written = String::new();
    for (name, params) in &read {
        written += name;
        for (name, value) in params {
            written = written + ";" + name;
            if let Some(value) = value {
                written = written + "=" + value;
            }
        }
        written.push(',');
    }
    assert_eq!(extensions(&[written.as_bytes()]), Some(read));
}

fn extensions(values: &[&[u8]]) -> Option<Read> {
    let extensions = Extensions::parse(values.iter().copied()).ok()?;
    let param = |param: Param<'_>| (param.name().to_owned(), param.value().map(Cow::into_owned));
    let extension = |extension: Extension<'_>| {
        let params = extension.params().map(param).collect();
        (extension.name().to_owned(), params)
    };
    Some(extensions.map(extension).collect())
}

/// The grammar by splitting: what is quoted has to be a token, so no separator is ever in quotes.
pub fn split(values: &[&[u8]]) -> Option<Read> {
    let token = |text: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        (!text.is_empty() && text.chars().all(legal)).then(|| text.to_owned())
    };
    let unquoted = |text: &str| {
        let mut plain = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            plain.push(if c == '\\' { chars.next()? } else { c });
        }
        token(&plain)
    };
    let blank = [' ', '\t'];
    let mut read = Vec::new();
    for value in values {
        // No byte above ASCII is in the grammar, and a character stands for each.
        let value: String = value.iter().copied().map(char::from).collect();
        for element in value.split(',') {
            let element = element.trim_matches(blank);
            if element.is_empty() {
                continue;
            }
            let mut parts = element.split(';').map(|part| part.trim_matches(blank));
            let name = token(parts.next()?)?;
            let mut params = Vec::new();
            for part in parts {
                let (name, value) = match part.split_once('=') {
                    None => (part, None),
                    Some((name, value)) => {
                        let value = value.trim_start_matches(blank);
                        let quoted = value.strip_prefix('"').map(|rest| rest.strip_suffix('"'));
                        let value = match quoted {
                            Some(quoted) => unquoted(quoted?)?,
                            None => token(value)?,
                        };
                        (name.trim_end_matches(blank), Some(value))
                    }
                };
                params.push((token(name)?, value));
            }
            read.push((name, params));
        }
    }
    (!read.is_empty()).then_some(read)
}
