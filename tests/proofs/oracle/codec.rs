//! The parts that need no connection: headers, masks, UTF-8, URIs, the extension grammar.

use super::Taker;
use sansocket::Uri;
use sansocket::extension::Extensions;
use sansocket::frame::FrameHeader;
use sansocket::mask::apply_mask;
use sansocket::utf8::Validator;

/// What is decoded encodes to the same bytes, and a shorter input never says something else.
pub fn frame_header(data: &[u8]) {
    let whole = FrameHeader::decode(data);
    for cut in 0..data.len().min(FrameHeader::MAX_LEN + 1) {
        match (FrameHeader::decode(&data[..cut]), &whole) {
            (Ok(None), _) => {}
            (shorter, whole) => assert_eq!(shorter, *whole),
        }
    }
    let Ok(Some((header, len))) = whole else {
        return;
    };
    let mut bytes = [0; FrameHeader::MAX_LEN];
    assert_eq!(header.encode(&mut bytes), len);
    assert_eq!(bytes[..len], data[..len]);
    assert!(header.payload_len >> 63 == 0);
    assert!(!header.opcode.is_control() || header.fin && header.payload_len <= 125);
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

/// What is read is written as itself, and nothing in it breaks a request line.
pub fn uri(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let (strict, lenient) = (Uri::parse(text), Uri::parse_allowing_http(text));
    if let Err(error) = strict {
        assert!(error.at() <= text.len() && text.is_char_boundary(error.at()));
    }
    if let Ok(uri) = &strict {
        assert_eq!(lenient.as_ref(), Ok(uri));
    }
    let Ok(uri) = lenient else { return };
    let printed = uri.to_string();
    assert_eq!(Uri::parse(&printed).as_ref(), Ok(&uri));
    assert_eq!(
        Uri::parse(&printed).map(|again| again.to_string()),
        Ok(printed)
    );
    assert!(uri.resource_name().starts_with('/'));
    assert!(!uri.host().is_empty());
    for part in [uri.resource_name(), uri.host()] {
        assert!(
            part.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'#')
        );
    }
    assert!(uri.authority().starts_with(uri.host()));
}

/// What is taken is made of tokens, and written again it is taken again and says the same.
pub fn extension_grammar(data: &[u8]) {
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let Ok(extensions) = Extensions::parse(values.iter().copied()) else {
        return;
    };
    let token = |name: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert!(
            !name.is_empty() && name.bytes().all(legal),
            "no token: {name:?}"
        );
    };
    let mut written = String::new();
    let mut read = Vec::new();
    for extension in extensions {
        token(extension.name());
        written.push_str(extension.name());
        let mut params = Vec::new();
        for param in extension.params() {
            token(param.name());
            written = written + ";" + param.name();
            if let Some(value) = param.value() {
                token(value);
                written = written + "=" + value;
            }
            params.push((param.name().to_owned(), param.value().map(str::to_owned)));
        }
        written.push(',');
        read.push((extension.name().to_owned(), params));
    }
    assert!(!read.is_empty());
    let again: Vec<_> = Extensions::parse([written.as_bytes()])
        .expect("what was written")
        .map(|extension| {
            let params = extension.params();
            let params =
                params.map(|param| (param.name().to_owned(), param.value().map(str::to_owned)));
            (extension.name().to_owned(), params.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(again, read);
}
