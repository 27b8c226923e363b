//! A script in place of the IO.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::client::backoff::Ended;
use crate::client::proxy::ConnectError;

use super::*;

#[cfg(feature = "digest")]
mod digest;

const RANDOM: [u8; 16] = [0; 16];
const OPEN: &str = "HTTP/1.1 200 ok\r\n\r\n";

/// What a server answers to one handshake: it opens, or refuses with these fields.
type Answer<'a> = (u16, &'a [(&'a str, &'a str)]);

fn refusal((status, fields): Answer<'_>) -> Refusal {
    let fields = fields.iter();
    Refusal {
        status,
        version: None,
        reason: String::new(),
        fields: fields
            .map(|(name, value)| ((*name).into(), value.as_bytes().to_vec()))
            .collect(),
        body: vec![],
        truncated: false,
        reusable: true,
    }
}

fn request(uri: &str) -> ClientRequest {
    ClientRequest::new(Uri::parse(uri).unwrap())
}

/// What a driver does until the connection is open or there is none, a line for each thing, while proxies and servers
/// give these answers. The first line of a request to a proxy, the credentials in each, and what is offered.
fn run(
    mut connecting: Connecting,
    mut proxies: Vec<&str>,
    mut servers: Vec<Answer<'_>>,
) -> Vec<String> {
    let mut log = Vec::new();
    'attempts: loop {
        let dial = match connecting.dial() {
            Ok(dial) => dial,
            Err(error) => return end(log, &error),
        };
        let place = if dial.place.is_some() { " in turn" } else { "" };
        log.push(format!("dial {}:{}{place}", dial.host, dial.port));
        while let Some(step) = connecting.step() {
            match step {
                Step::Tls(name) => log.push(format!("tls {name}")),
                Step::Tunnel(tunnel) => {
                    let outcome = exchange(tunnel, proxies.remove(0), &mut log);
                    match connecting.tunnelled(outcome, &RANDOM) {
                        Ok(_) => {}
                        Err(error) => return end(log, &error),
                    }
                }
                Step::Handshake(request) => {
                    log.push(format!("handshake {}", request.uri()));
                    let fields = request.headers();
                    log.extend(fields.map(|(name, value)| shown(name, value)));
                    log.extend(
                        request
                            .subprotocols()
                            .map(|name| format!("  offers {name}")),
                    );
                    let answer = servers.remove(0);
                    if answer.0 == 101 {
                        assert!(proxies.is_empty() && servers.is_empty());
                        return log;
                    }
                    match connecting.refused(&refusal(answer), &RANDOM) {
                        Ok(true) => continue 'attempts,
                        Ok(false) => return end(log, &answer.0),
                        Err(error) => return end(log, &error),
                    }
                }
            }
        }
    }
}

fn end(mut log: Vec<String>, why: &dyn ToString) -> Vec<String> {
    log.push(format!("no: {}", why.to_string()));
    log
}

/// Credentials by their scheme.
fn shown(name: &str, value: &[u8]) -> String {
    let value = String::from_utf8(value.to_vec()).unwrap();
    let value = match name {
        "Authorization" => value.split(' ').next().unwrap(),
        _ => &value,
    };
    format!("  {name}: {value}")
}

fn exchange(mut tunnel: Tunnel, answer: &str, log: &mut Vec<String>) -> Result<(), ProxyError> {
    let output = String::from_utf8(tunnel.output().to_vec()).unwrap();
    let mut lines = output.lines();
    log.push(lines.next().unwrap().to_owned());
    for line in lines.filter(|line| line.starts_with("Proxy-A")) {
        log.push(format!("  {}", line.split(' ').nth(1).unwrap()));
    }
    tunnel.consume_output(output.len());
    let mut answer = answer.as_bytes().to_vec();
    tunnel.receive(&mut answer).unwrap_or_else(|| {
        tunnel.receive_eof();
        tunnel.receive(&mut []).unwrap()
    })
}

fn direct() -> Options {
    Options::new().no_proxy()
}

fn connecting(uri: &str, options: &Options) -> Connecting {
    Connecting::new(request(uri), options, |_| None)
}

fn through(uri: &str, proxy: &str) -> Connecting {
    let proxy = Proxy::parse(proxy).unwrap();
    connecting(uri, &Options::new().proxy(proxy))
}

/// RFC 6455 §4.1: TCP, TLS, the handshake.
#[test]
fn to_the_server() {
    for uri in ["ws://h/", "wss://h:444/"] {
        let log = run(connecting(uri, &direct()), vec![], vec![(101, &[])]);
        let expected: &[&str] = match uri {
            "ws://h/" => &["dial h:80", "handshake ws://h/"],
            _ => &["dial h:444", "tls h", "handshake wss://h:444/"],
        };
        assert_eq!(log, expected);
    }
    let log = run(connecting("ws://h/", &direct()), vec![], vec![(503, &[])]);
    assert_eq!(log, ["dial h:80", "handshake ws://h/", "no: 503"]);
}

/// RFC 6455 §4.1 (3), (5): the tunnel, with TLS to the proxy or not, and TLS to the server inside it.
#[test]
fn through_a_proxy() {
    for (uri, proxy, expected) in [
        (
            "wss://h/",
            "http://p",
            &[
                "dial p:1080 in turn",
                "CONNECT h:443 HTTP/1.1",
                "tls h",
                "handshake wss://h/",
            ][..],
        ),
        (
            "wss://h/",
            "https://p",
            &[
                "dial p:443 in turn",
                "tls p",
                "CONNECT h:443 HTTP/1.1",
                "tls h",
                "handshake wss://h/",
            ],
        ),
        (
            "ws://h/",
            "http://u:p@[::1]:80",
            &[
                "dial ::1:80 in turn",
                "CONNECT h:80 HTTP/1.1",
                "  Basic",
                "handshake ws://h/",
            ],
        ),
    ] {
        let log = run(through(uri, proxy), vec![OPEN], vec![(101, &[])]);
        assert_eq!(log, expected);
    }
    // RFC 6455 §4.1 (2): without its address the server's name is the place.
    let dial = through("ws://h/", "p").dial().unwrap();
    assert_eq!(dial.place, Some(Destination::name("h", 80)));
}

#[test]
fn a_proxy_that_does_not_let_us_through() {
    let asks = "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n";
    for (proxy, answer, error) in [
        (
            "p",
            "HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n",
            "no: the proxy answered with 403",
        ),
        ("p", asks, "no: the proxy answered with 407"),
        // It was told already.
        ("u:p@p", asks, "no: the proxy answered with 407"),
        (
            "p",
            "",
            "no: the proxy closed the connection without an answer",
        ),
    ] {
        let log = run(through("ws://h/", proxy), vec![answer], vec![]);
        assert_eq!(log.last().unwrap(), error);
    }
    let environment = |name: &str| (name == "all_proxy").then(|| "socks4://p".to_owned());
    let bad = Connecting::new(request("ws://h/"), &Options::new(), environment);
    let error = run(bad, vec![], vec![]).remove(0);
    assert!(error.starts_with("no: in the environment: "), "{error}");
    let mut without = Connecting::new(request("ws://h/"), &direct(), environment);
    assert_eq!(without.dial().unwrap().host, "h");
    let lost = ProxyError::Http(ConnectError::Closed);
    assert_eq!(Ended::at_proxy(&lost, None), Ended::Unreachable);
}

/// They are told when they are asked for, if other fields are sent.
#[test]
fn a_proxy_that_is_told_when_it_asks() {
    let asks = "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n";
    let proxy = Proxy::parse("u:p@p").unwrap();
    let proxy = proxy.with_options(crate::client::proxy::ConnectOptions::new());
    let connecting = connecting("ws://h/", &Options::new().proxy(proxy));
    let log = run(connecting, vec![asks, OPEN], vec![(101, &[])]);
    let connect = ["dial p:1080 in turn", "CONNECT h:80 HTTP/1.1"];
    let rest = ["  Basic", "handshake ws://h/"];
    assert_eq!(log, [&connect[..], &connect, &rest].concat());
}

/// RFC 9110 §11.6: asked, and once.
#[test]
fn a_server_that_asks_for_credentials() {
    let options = direct().credentials("u", "p").unwrap();
    let basic: Answer<'_> = (401, &[("WWW-Authenticate", "Basic realm=x")]);
    let attempt = ["dial h:80", "handshake ws://h/"];
    let told = ["dial h:80", "handshake ws://h/", "  Authorization: Basic"];
    for (answers, log) in [
        (vec![basic, (101, &[])], [&attempt[..], &told].concat()),
        (
            vec![basic, basic],
            [&attempt[..], &told, &["no: 401"]].concat(),
        ),
        (vec![(401, &[])], [&attempt[..], &["no: 401"]].concat()),
    ] {
        let connecting = connecting("ws://h/", &options);
        assert_eq!(run(connecting, vec![], answers), log);
    }
    let log = run(connecting("ws://h/", &direct()), vec![], vec![basic]);
    assert_eq!(log, [&attempt[..], &["no: 401"]].concat());
    assert!(Options::new().credentials("a:b", "p").is_err());
    assert!(Options::new().credentials("a", "\n").is_err());
}

/// RFC 9110 §15.4: followed if that is wanted, never from wss to ws, and what is secret stays.
#[test]
fn redirections() {
    let to = |location| [("Location", location)];
    let (same, other, plain) = (to("/b"), to("wss://other/"), to("ws://h/"));
    let with = |hops| direct().redirects(hops).credentials("u", "p").unwrap();
    let asks: &[(&str, &str)] = &[("WWW-Authenticate", "Basic realm=x")];
    for (hops, answers, log) in [
        (0, vec![(302, &same[..])], &["no: 302"][..]),
        (
            1,
            vec![(302, &same), (101, &[])],
            &["dial h:443", "tls h", "handshake wss://h/b"],
        ),
        (
            1,
            vec![(302, &same), (302, &other)],
            &[
                "dial h:443",
                "tls h",
                "handshake wss://h/b",
                "no: more than 1 redirections (RFC 9110 §15.4)",
            ],
        ),
        (1, vec![(302, &plain)], &["no: 302"]),
        (
            1,
            vec![(307, &[])],
            &["no: a redirection needs one Location (RFC 9110 §10.2.2)"],
        ),
        // To the same origin the answer to its challenge may go, to another one not.
        (
            9,
            vec![(302, &same), (401, asks), (302, &other), (401, asks)],
            &[
                "dial h:443",
                "tls h",
                "handshake wss://h/b",
                "dial h:443",
                "tls h",
                "handshake wss://h/b",
                "  Authorization: Basic",
                "dial other:443",
                "tls other",
                "handshake wss://other/",
                "no: 401",
            ],
        ),
    ] {
        let done = run(connecting("wss://h/", &with(hops)), vec![], answers);
        let first = ["dial h:443", "tls h", "handshake wss://h/"];
        assert_eq!(done, [&first[..], log].concat());
    }
}

/// Cookies and subprotocols, some of which are tokens, go to the same origin and to no other (RFC 9110 §15.4).
#[test]
fn redirections_to_another_origin() {
    let mut request = request("wss://h/").subprotocol("token").unwrap();
    for (name, value) in [("Cookie", "a=b"), ("X-Key", "k"), ("User-Agent", "u")] {
        request = request.header(name, value.as_bytes()).unwrap();
    }
    let connecting = Connecting::new(request, &direct().redirects(2), |_| None);
    let to = |location| [("Location", location)];
    let (same, other) = (to("/b"), to("wss://other/"));
    let log = run(
        connecting,
        vec![],
        vec![(302, &same), (302, &other), (101, &[])],
    );
    let all = "  Cookie: a=b/  X-Key: k/  User-Agent: u/  offers token";
    let all: Vec<_> = all.split('/').collect();
    let expected = [
        vec!["dial h:443", "tls h", "handshake wss://h/"],
        all.clone(),
        vec!["dial h:443", "tls h", "handshake wss://h/b"],
        all,
        vec!["dial other:443", "tls other", "handshake wss://other/"],
        vec!["  User-Agent: u"],
    ];
    assert_eq!(log, expected.concat());
}

/// Each hop has the proxy that the environment names for it.
#[test]
fn redirections_and_proxies() {
    let environment = |name: &str| {
        let value = match name {
            "https_proxy" => "secure.example:3128",
            "no_proxy" => "direct.example",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let options = Options::new().redirects(9);
    let connecting = Connecting::new(request("ws://h/"), &options, environment);
    let secure = [("Location", "wss://h/")];
    let direct = [("Location", "wss://direct.example/")];
    let answers: Vec<Answer<'_>> = vec![(302, &secure), (302, &direct), (101, &[])];
    assert_eq!(
        run(connecting, vec![OPEN], answers),
        [
            "dial h:80",
            "handshake ws://h/",
            "dial secure.example:3128 in turn",
            "CONNECT h:443 HTTP/1.1",
            "tls h",
            "handshake wss://h/",
            "dial direct.example:443",
            "tls direct.example",
            "handshake wss://direct.example/",
        ]
    );
}

#[test]
fn secrets_stay_out_of_logs() {
    let proxy = Proxy::parse("u:secret@p").unwrap();
    let options = Options::new().proxy(proxy);
    let options = options.credentials("u", "secret").unwrap();
    let shown = format!("{options:?}");
    assert!(
        shown.ends_with("redirects: 0, credentials: true }"),
        "{shown}"
    );
    let mut connecting = connecting("ws://h/?secret", &options);
    assert!(connecting.dial().is_ok());
    let shown = format!("{shown} {connecting:?}");
    assert!(shown.ends_with("steps: 2, .. }"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

/// The variables are a caller's to give out: they are asked for only if they are to choose the proxy.
#[test]
fn variables_are_looked_up_where_they_count() {
    for (options, looks) in [(Options::new(), true), (Options::new().no_proxy(), false)] {
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let mut asked = 0;
        let _ = Connecting::new(request, &options, |_| {
            asked += 1;
            None
        });
        assert_eq!(asked > 0, looks);
    }
}
