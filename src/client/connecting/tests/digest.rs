//! Challenges that ask for Digest.

use super::*;

/// RFC 9110 §11.7, RFC 7616: Digest in a second attempt, and in a third one if the nonce was old; Basic only if it was
/// not sent at once.
#[test]
fn a_proxy_that_asks_for_other_credentials() {
    let digest = "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\
                  Content-Length: 0\r\n\r\n";
    let stale = digest.replace("qop", "stale=true, qop");
    let attempt = |scheme: &str| {
        ["dial p:1080 in turn", "CONNECT h:80 HTTP/1.1"]
            .map(String::from)
            .into_iter()
            .chain([format!("  {scheme}")])
            .collect::<Vec<_>>()
    };
    let opened = vec!["handshake ws://h/".to_owned()];
    let refused = vec!["no: the proxy answered with 407".to_owned()];
    for (answers, log) in [
        (
            vec![digest, OPEN],
            [attempt("Basic"), attempt("Digest"), opened.clone()].concat(),
        ),
        (
            vec![digest, &stale, OPEN],
            [
                attempt("Basic"),
                attempt("Digest"),
                attempt("Digest"),
                opened,
            ]
            .concat(),
        ),
        (
            vec![digest, digest],
            [attempt("Basic"), attempt("Digest"), refused.clone()].concat(),
        ),
        (
            vec![&stale, &stale, &stale],
            [
                attempt("Basic"),
                attempt("Digest"),
                attempt("Digest"),
                refused,
            ]
            .concat(),
        ),
    ] {
        let open = answers.last() == Some(&OPEN);
        let servers: Vec<Answer<'_>> = if open { vec![(101, &[])] } else { vec![] };
        assert_eq!(run(through("ws://h/", "u:p@p"), answers, servers), log);
    }
}

#[test]
fn a_server_that_asks_for_a_digest() {
    let options = direct().credentials("u", "p").unwrap();
    let both: Answer<'_> = (
        401,
        &[
            ("WWW-Authenticate", "Basic realm=x"),
            ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"n\""),
        ],
    );
    let own = request("ws://h/").header("Authorization", b"old").unwrap();
    let connecting = Connecting::new(own, &options, |_| None);
    let log = run(connecting, vec![], vec![both, (101, &[])]);
    let attempt = ["dial h:80", "handshake ws://h/"];
    let (old, new) = (["  Authorization: old"], ["  Authorization: Digest"]);
    assert_eq!(log, [&attempt[..], &old, &attempt, &new].concat());
}
