#![allow(clippy::unwrap_used, reason = "tests")]

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use crate::handshake::uri::Uri;

use super::{Socks5, Socks5Error, Socks5Options, Socks5Outcome};

fn to(uri: &str, options: &Socks5Options) -> Socks5 {
    Socks5::new(&Uri::parse(uri).unwrap(), options).unwrap()
}

fn with_password() -> Socks5Options {
    Socks5Options::new().password("me", "secret").unwrap()
}

/// Takes all that is to be written.
fn written(socks: &mut Socks5) -> Vec<u8> {
    let bytes = socks.output().to_vec();
    socks.consume_output(bytes.len());
    bytes
}

/// Answers in pieces of this size: all that was written, how it ended, and what was left.
fn run(mut socks: Socks5, answer: &[u8], size: usize) -> (Vec<u8>, Option<Socks5Outcome>, Vec<u8>) {
    let mut output = written(&mut socks);
    let mut outcome = None;
    let mut left = Vec::new();
    for piece in answer.chunks(size) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        if outcome.is_none() {
            outcome = socks.receive(&mut input);
        }
        left.extend_from_slice(input);
        output.extend(written(&mut socks));
    }
    if outcome.is_some() {
        assert_eq!(socks.receive(&mut &mut b"more".to_vec()[..]), None);
        assert_eq!(socks.next_deadline(), None);
    }
    (output, outcome, left)
}

const REPLY: &[u8] = b"\x05\0\0\x01\x7f\0\0\x01\0\x50";

/// RFC 1928 §4, §5: addresses as addresses, names as names, and the port.
#[test]
fn requests() {
    for (uri, request) in [
        ("wss://h/secret?x", &b"\x05\x01\0\x03\x01h\x01\xbb"[..]),
        (
            "ws://192.0.2.1:8080/",
            b"\x05\x01\0\x01\xc0\0\x02\x01\x1f\x90",
        ),
        (
            "ws://[::1]/",
            b"\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50",
        ),
    ] {
        let (output, outcome, _) = run(to(uri, &Socks5Options::new()), b"\x05\0", 9);
        assert_eq!(output, [b"\x05\x01\0", request].concat(), "{uri}");
        assert_eq!(outcome, None);
    }
    let long = Uri::parse(&format!("ws://{}/", "a".repeat(256))).unwrap();
    let error = Socks5::new(&long, &Socks5Options::new()).err();
    assert_eq!(error, Some(Socks5Error::TooLong(256)));
}

/// RFC 1928 §6: whatever address the proxy tells, what follows its reply is the server's.
#[test]
fn replies() {
    let name = b"\x05\0\0\x03\x02ab\0\x50";
    let long = [&b"\x05\0\0\x04"[..], &[0; 18]].concat();
    for reply in [REPLY, name, &long, b"\x05\0\xff\x03\0\0\0"] {
        let answer = [b"\x05\0", reply, b"server"].concat();
        for size in 1..=answer.len() {
            let (_, outcome, left) = run(to("ws://h/", &Socks5Options::new()), &answer, size);
            assert_eq!(outcome, Some(Socks5Outcome::Open), "{reply:?} by {size}");
            assert_eq!(left, b"server");
        }
    }
}

/// RFC 1929 §2: only if the proxy asks.
#[test]
fn passwords() {
    let answer = [b"\x05\x02\x01\0", REPLY].concat();
    for size in [1, 2] {
        let (output, outcome, left) = run(to("ws://h/", &with_password()), &answer, size);
        assert_eq!(
            output,
            b"\x05\x02\0\x02\x01\x02me\x06secret\x05\x01\0\x03\x01h\0\x50"
        );
        assert_eq!((outcome, left.len()), (Some(Socks5Outcome::Open), 0));
    }
    let (output, ..) = run(to("ws://h/", &with_password()), b"\x05\0", 1);
    assert!(!output.windows(6).any(|six| six == b"secret"));
    let long = "a".repeat(256);
    for (user, password) in [("a", &*long), (&*long, "a")] {
        let error = Socks5Options::new().password(user, password).err();
        assert_eq!(error, Some(Socks5Error::TooLong(256)));
    }
}

/// Each answer that ends it, at the byte that decides.
#[test]
fn failures() {
    for (answer, error) in [
        (&b"\x04"[..], Socks5Error::NotSocks5),
        (b"H", Socks5Error::NotSocks5),
        (b"\x05\xff", Socks5Error::NoMethod),
        (b"\x05\x01", Socks5Error::NoMethod),
        (b"\x05\x02\x01\x01", Socks5Error::Credentials),
        (b"\x05\0\x04", Socks5Error::NotSocks5),
        (b"\x05\0\x05\x02", Socks5Error::Refused(2)),
        (b"\x05\0\x05\0\0\x02", Socks5Error::NotSocks5),
    ] {
        for size in [1, answer.len()] {
            let (_, outcome, _) = run(to("ws://h/", &with_password()), answer, size);
            assert_eq!(outcome, Some(Socks5Outcome::Failed(error)), "{answer:?}");
            let (_, outcome, _) = run(
                to("ws://h/", &with_password()),
                &answer[..answer.len() - 1],
                size,
            );
            assert_eq!(outcome, None);
        }
    }
    // A method that was not offered.
    let (_, outcome, _) = run(to("ws://h/", &Socks5Options::new()), b"\x05\x02", 1);
    assert_eq!(outcome, Some(Socks5Outcome::Failed(Socks5Error::NoMethod)));
}

/// RFC 1928 §6: what each code of a refusal means; and the other reasons in words.
#[test]
fn reasons() {
    for (code, why) in [
        (1, "failure"),
        (2, "not allowed by its rules"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "connection refused"),
        (6, "TTL expired"),
        (7, "command not supported"),
        (8, "type of address not supported"),
        (9, "failure"),
    ] {
        assert_eq!(
            Socks5Error::Refused(code).to_string(),
            format!("the proxy: {why} ({code}, RFC 1928 §6)")
        );
    }
    for (error, text) in [
        (
            Socks5Error::TooLong(256),
            "256 bytes, and SOCKS5 has room for 255 (RFC 1928 §5)",
        ),
        (
            Socks5Error::NotSocks5,
            "the proxy's answer is not SOCKS5 (RFC 1928 §3)",
        ),
        (
            Socks5Error::NoMethod,
            "the proxy wants another way to authenticate (RFC 1928 §3)",
        ),
        (
            Socks5Error::Credentials,
            "the proxy does not take the name and the password (RFC 1929 §2)",
        ),
        (
            Socks5Error::Closed,
            "the proxy closed the connection without an answer",
        ),
        (Socks5Error::Timeout, "the proxy took too long to answer"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

/// The end and the deadline; what came in time counts.
#[test]
fn ends() {
    let at = Duration::from_secs;
    for end in [Socks5::receive_eof, Socks5::transport_lost] {
        let mut socks = to("ws://h/", &Socks5Options::new());
        end(&mut socks);
        let outcome = socks.receive(&mut &mut [][..]);
        assert_eq!(outcome, Some(Socks5Outcome::Failed(Socks5Error::Closed)));
        assert!(socks.output().is_empty());
    }
    let mut socks = to("ws://h/", &Socks5Options::new().timeout(at(3)));
    assert_eq!(socks.next_deadline(), None);
    socks.advance_time(at(100));
    assert_eq!(socks.next_deadline(), Some(at(103)));
    socks.advance_time(at(103));
    let mut answer = [b"\x05\0", REPLY].concat();
    let outcome = socks.receive(&mut &mut answer[..]);
    assert_eq!(outcome, Some(Socks5Outcome::Open));
    // Nothing came: at the deadline, and not before. It is 10 s unless set.
    let mut socks = to("ws://h/", &Socks5Options::default());
    for (now, outcome) in [
        (0, None),
        (9, None),
        (10, Some(Socks5Outcome::Failed(Socks5Error::Timeout))),
        (11, None),
    ] {
        socks.advance_time(at(now));
        assert_eq!(socks.receive(&mut &mut [][..]), outcome, "{now} s");
    }
    assert_eq!(socks.next_deadline(), None);
}

#[test]
fn secrets_stay_out_of_logs() {
    let options = with_password();
    let socks = to("ws://h/", &options);
    let text = format!("{options:?} {socks:?}");
    assert!(!text.contains("secret") && !text.contains("115"), "{text}");
    assert!(text.starts_with("Socks5Options { credentials: true, timeout: 10s } "));
    assert!(text.contains("Socks5 { exchange: ") && text.contains("awaited: Method"));
}

proptest! {
    /// Bytes of a proxy never panic, any cut gives the same, and memory is bounded.
    #[test]
    fn any_answer(answer in prop::collection::vec(prop_oneof![0..6u8, any::<u8>()], 0..300), size in 1..40usize) {
        let (_, whole, left) = run(to("ws://h/", &with_password()), &answer, answer.len().max(1));
        let (_, cut, cut_left) = run(to("ws://h/", &with_password()), &answer, size);
        prop_assert_eq!((cut, cut_left), (whole, left));
    }
}
