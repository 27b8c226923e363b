//! Decimal numbers in URIs and fields.

#[cfg(feature = "client")]
use std::time::Duration;

use sansocket::Uri;

use crate::{sampled, thinned};

fn port(text: &str) -> Option<u16> {
    Uri::parse(&format!("ws://h:{text}/"))
        .ok()
        .map(|uri| uri.port())
}

/// RFC 3986 §3.2.3. Domain: every number of up to five digits as a port, one of 7, with `DOMAINS=whole` all, and all around
/// 65,536; with up to three zeros before it.
///
/// A larger one is out of range: `around_the_largest_number` goes through where it would begin anew.
#[test]
fn ports() {
    let around = || sampled(65_500..65_600u32, 17);
    for number in thinned(0..100_000usize, 7)
        .map(|n| n as u32)
        .chain(around())
    {
        let expected = u16::try_from(number).ok();
        assert_eq!(port(&number.to_string()), expected, "{number}");
        if number % 16 == 0 {
            for zeros in ["0", "00", "000"] {
                assert_eq!(port(&format!("{zeros}{number}")), expected, "{number}");
            }
        }
    }
}

/// RFC 3986 §3.2.3. Domain: each ASCII character in each place of a number of three digits, and alone: digits and nothing
/// else, where `str::parse` would take a sign.
#[test]
fn what_is_no_digit() {
    for character in sampled('\0'..='\u{7f}', 11) {
        for (before, after) in [("", ""), ("", "12"), ("1", "2"), ("12", "")] {
            let text = format!("{before}{character}{after}");
            // These end the number, and a path or a query begins; what is in it is another part's.
            if "/?#@".contains(character) {
                continue;
            }
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            assert_eq!(port(&text).is_some(), digits, "{text:?}");
        }
    }
}

/// RFC 9110 §10.2.3: seconds of 64 bits; more count as the largest number. Domain: numbers within 1,000 of the largest, within
/// 1,000 of ten times a 64-bit number that no longer fits, and each power of ten and of two to 2^127 with its neighbors.
///
/// Why that is all: each digit multiplies by ten and adds, and both are checked; a step fails within one digit of the
/// largest number or beyond it, which is where these are dense, and never succeeds again after that.
#[cfg(feature = "client")]
#[test]
fn around_the_largest_number() {
    let largest = u128::from(u64::MAX);
    let mut numbers: Vec<u128> = (0..1000)
        .flat_map(|n| [largest - n, largest + n, largest * 10 - n, largest / 10 + n])
        .collect();
    numbers.extend((0..127).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
    numbers.extend(
        (0..38)
            .map(|digits| 10u128.pow(digits))
            .flat_map(|n| [n - 1, n, n + 1]),
    );
    for number in sampled(numbers.into_iter(), 23) {
        let text = number.to_string();
        let seconds = u64::try_from(number).unwrap_or(u64::MAX);
        for text in [text.clone(), format!("00{text}")] {
            let read = sansocket::client::backoff::retry_after(text.as_bytes(), None);
            assert_eq!(read, Some(Duration::from_secs(seconds)), "{text}");
        }
    }
}

/// RFC 7692 §7.1.2.1: a window is from 8 to 15 without a leading zero. Domain: every text of one to three digits, and each
/// other character of a token beside a digit, in an offer to a server, which leaves out an element that is none.
#[cfg(feature = "deflate")]
#[test]
fn window_bits() {
    use sansocket::extension::PermessageDeflate;
    use sansocket::handshake::{HttpVersion, Upgrade};
    use sansocket::{Accept, OriginPolicy, ServerConfig};

    let config = ServerConfig::new(OriginPolicy::Application).deflate(PermessageDeflate::server());
    let agreed = |value: &str| {
        let offer = format!("permessage-deflate; server_max_window_bits={value}");
        let fields = [
            ("host", &b"h"[..]),
            ("upgrade", b"websocket"),
            ("connection", b"Upgrade"),
            ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", b"13"),
            ("sec-websocket-extensions", offer.as_bytes()),
        ];
        let upgrade = Upgrade::check(&config, "GET", "/", HttpVersion::Http11, fields).unwrap();
        let (_, ws) = upgrade.accept(Accept::new()).unwrap();
        ws.agreed_deflate()
            .map(|agreed| agreed.server_max_window_bits)
    };
    let digits = (0..1000).flat_map(|n| [format!("{n}"), format!("{n:02}"), format!("{n:03}")]);
    let others = "!#$%&'*+-.^_`|~aZ".chars();
    let others =
        others.flat_map(|other| [format!("{other}"), format!("{other}9"), format!("9{other}")]);
    for text in sampled(digits.chain(others), 1009) {
        let expected = (8..=15).find(|bits| text == bits.to_string());
        assert_eq!(agreed(&text), expected, "{text:?}");
    }
}
