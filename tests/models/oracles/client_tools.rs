//! The tools around a client, with answers of servers and proxies that are long, cut and crooked.

use core::time::Duration;

use sansocket::client::backoff::Ended;
use sansocket::client::challenge::Challenge;
#[cfg(feature = "digest")]
use sansocket::client::digest::Digest;
use sansocket::client::proxy::{Connect, ConnectOptions, ConnectOutcome, Environment, Proxy};
use sansocket::client::redirect::{Redirect, Redirects};
use sansocket::client::socks5::{self, Socks5, Socks5Outcome};
use sansocket::handshake::Refusal;
use sansocket::{ClientRequest, Uri};

use super::{Taker, heads};
use sansocket::Role;

/// One tool, with an input that may be much longer than the bytes it is drawn from: what takes the square of
/// its length does not end.
pub fn client_tools(data: &[u8]) {
    let mut t = Taker::new(data);
    match t.below(5) {
        0 => redirections(&mut t),
        1 => challenges(&mut t),
        2 => tunnels(&mut t),
        3 => socks(&mut t),
        _ => environments(&mut t),
    }
}

/// Pieces, each up to thousands of times.
fn long(t: &mut Taker<'_>, pieces: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..t.below(6) {
        let piece = match t.below(4) {
            0 => t.bytes(3).to_vec(),
            _ => t.pick(pieces).as_bytes().to_vec(),
        };
        let times = if t.once_in(8) {
            t.below(20_000)
        } else {
            t.below(4)
        };
        text.extend(piece.repeat(times));
    }
    text.truncate(60_000);
    text
}

fn target() -> Uri {
    Uri::parse("wss://a.example:444/b/c?d").expect("a URI")
}

/// An answer of a proxy, in one piece or several; the outcome, and what is left after it.
fn connect(answer: &[u8], size: usize) -> (Option<ConnectOutcome>, Vec<u8>) {
    let mut connect = Connect::new(&target(), &ConnectOptions::new());
    let (mut outcome, mut left) = (None, Vec::new());
    for piece in answer.chunks(size) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        if outcome.is_none() {
            outcome = connect.receive(&mut input);
        }
        left.extend_from_slice(input);
    }
    if outcome.is_none() {
        connect.receive_eof();
        outcome = connect.receive(&mut &mut [][..]);
        assert!(outcome.is_some(), "the end of the stream is an outcome");
    }
    assert!(connect.output().is_empty() && connect.next_deadline().is_none());
    (outcome, left)
}

/// A refusal with these fields.
fn refusal(status: u16, fields: &[(&str, &[u8])]) -> Option<Box<Refusal>> {
    let mut answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n").into_bytes();
    for (name, value) in fields {
        answer.extend_from_slice(name.as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    match connect(&answer, answer.len()).0 {
        Some(ConnectOutcome::Refused(refusal)) => Some(refusal),
        _ => None,
    }
}

/// What goes on is a URL that stands for itself, and no secret leaves the first origin.
fn redirections(t: &mut Taker<'_>) {
    let pieces = [
        "/",
        "a/",
        "../",
        "./",
        "https://",
        "wss://b.example",
        "//",
        ":444",
        "?q[]=|",
        "%2e",
        " ",
        "\u{e9}",
        "\\",
        "xn--",
        "a.",
        "u:p@",
        "#f",
        "ws:",
        "[::1]",
        "%zz",
        "\t",
    ];
    let mut redirects = Redirects::new(target()).limit(t.u8() % 12);
    let mut request = ClientRequest::new(target())
        .header("Cookie", b"SECRET")
        .and_then(|request| request.subprotocol("SECRET"))
        .expect("a request");
    let mut stayed = true;
    for hop in 0..12 {
        let location = long(t, &pieces);
        let status = t.pick(&[301, 302, 303, 307, 308, 304, 404]);
        let Some(refusal) = refusal(status, &[("Location", &location)]) else {
            return;
        };
        let before = redirects.uri().clone();
        let Ok(redirect) = redirects.next(&refusal) else {
            assert_eq!(redirects.uri(), &before, "an error changes nothing");
            return;
        };
        let Redirect {
            uri, same_origin, ..
        } = &redirect;
        let home = target();
        stayed &=
            uri.secure() == home.secure() && uri.host() == home.host() && uri.port() == home.port();
        assert_eq!(*same_origin, stayed, "hop {hop} to {uri}");
        assert_eq!(redirects.uri(), uri);
        let text = uri.to_string();
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'#')
        );
        assert!(uri.resource_name().starts_with('/'));
        assert_eq!(Uri::parse_url(&text).as_ref(), Ok(uri));
        request = redirect.request(request);
        let secrets = request.headers().count() + request.subprotocols().count();
        assert_eq!(secrets, if stayed { 2 } else { 0 });
    }
}

/// Any value of a challenge, and an answer that can stand in a field.
fn challenges(t: &mut Taker<'_>) {
    let pieces = [
        "Digest ",
        "Basic ",
        "realm=",
        "\"",
        "\\",
        ",",
        "nonce=n",
        "a=b,",
        "algorithm=SHA-256-sess",
        "qop=auth",
        "=",
        " ",
        "userhash=true",
        "Digest realm=r, nonce=n,",
        "YWJj==",
    ];
    let value = long(t, &pieces);
    let challenges = Challenge::parse(&value);
    for challenge in &challenges {
        assert!(!challenge.scheme().is_empty());
        assert!(challenge.token68().is_none() || challenge.parameters().count() == 0);
    }
    #[cfg(feature = "digest")]
    if let Ok(mut digest) = Digest::choose(&challenges, "us\u{e9}r", "SECRET") {
        let answer = digest.answer("GET", "/", &[7; 16]);
        let request = ClientRequest::new(target()).header("Authorization", answer.as_bytes());
        assert!(request.is_ok_and(|_| !answer.contains("SECRET")));
    }
    // Long pauses are pauses.
    if let Some(refusal) = refusal(503, &[("Retry-After", &value)]) {
        let _ = Ended::refused(&refusal, Some(Duration::from_secs(1 << 30)));
    }
}

/// Any cut of a proxy's answer gives the same.
fn tunnels(t: &mut Taker<'_>) {
    let size = 1 + t.below(40);
    let mut answer = if t.once_in(2) {
        heads::head(t, Role::Server)
    } else {
        long(
            t,
            &[
                "HTTP/1.1 ",
                "200",
                "407 x",
                "\r\n",
                "A: b\r\n",
                "Content-Length: 3\r\n",
                "\r\n\r\n",
                "2\r\nab\r\n",
            ],
        )
    };
    answer.extend_from_slice(t.rest());
    let (whole, rest) = connect(&answer, answer.len().max(1));
    let (cut, cut_rest) = connect(&answer, size);
    match (&whole, &cut) {
        (Some(ConnectOutcome::Open), Some(ConnectOutcome::Open)) => assert_eq!(rest, cut_rest),
        (Some(ConnectOutcome::Refused(one)), Some(ConnectOutcome::Refused(other))) => {
            assert_eq!(one, other);
            assert!(!one.reusable || !one.truncated);
        }
        (Some(ConnectOutcome::Failed(one)), Some(ConnectOutcome::Failed(other))) => {
            assert_eq!(one, other);
        }
        _ => panic!("{whole:?}, but cut {cut:?}"),
    }
}

/// Any cut of a SOCKS5 proxy's answers gives the same.
fn socks(t: &mut Taker<'_>) {
    let options = socks5::Socks5Options::new()
        .password("user", "SECRET")
        .expect("short");
    let size = 1 + t.below(40);
    let mut answers = t.pick(&[&b"\x05\0"[..], b"\x05\x02\x01\0", b""]).to_vec();
    answers.extend_from_slice(t.pick(&[&b"\x05\0\0\x01\0\0\0\0\0\0"[..], b"\x05\0\0\x03", b""]));
    answers.extend_from_slice(t.rest());
    let run = |size: usize| {
        let mut socks = Socks5::new(&target(), &options).expect("a short host");
        let (mut outcome, mut left) = (None, Vec::new());
        for piece in answers.chunks(size) {
            let mut piece = piece.to_vec();
            let mut input = &mut piece[..];
            if outcome.is_none() {
                outcome = socks.receive(&mut input);
            }
            left.extend_from_slice(input);
        }
        let opens = outcome == Some(Socks5Outcome::Open);
        (outcome, left, opens)
    };
    let (whole, rest, opens) = run(answers.len().max(1));
    assert_eq!((&whole, &rest), (&run(size).0, &run(size).1));
    // Open means that the proxy chose a method and connected.
    assert!(
        !opens
            || answers.starts_with(b"\x05") && answers.windows(3).any(|w| w.starts_with(b"\x05\0"))
    );
}

/// A proxy has a host, and an exception is one for whatever stands below it too.
fn environments(t: &mut Taker<'_>) {
    let pieces = [
        "a.example",
        ".",
        ",",
        " ",
        "10.0.0.0/8",
        "*",
        "::1",
        "[",
        "]",
        "/",
        "http://",
        "socks5://",
        "u:p@",
        ":1",
        "%40",
    ];
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (proxy, list) = (text(long(t, &pieces)), text(long(t, &pieces)));
    if let Ok(parsed) = Proxy::parse(&proxy) {
        assert!(!parsed.host().is_empty() && !parsed.host().starts_with('['));
    }
    let with = |list: &str| {
        let list = list.to_owned();
        Environment::new(|name| match name {
            "all_proxy" => Some("http://proxy".to_owned()),
            "no_proxy" => Some(list.clone()),
            _ => None,
        })
    };
    let goes_direct = |list: &str, uri: &str| {
        let uri = Uri::parse(uri).expect("a URI");
        with(list).proxy(&uri).is_ok_and(|proxy| proxy.is_none())
    };
    if goes_direct(&list, "ws://a.example/") {
        assert!(goes_direct(&list, "ws://x.a.example/"));
    }
    let more = format!("a.example,{list}");
    assert!(goes_direct(&more, "ws://a.example/"));
}
