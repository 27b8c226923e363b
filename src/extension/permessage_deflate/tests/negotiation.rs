//! What is offered, answered and agreed on.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Agreed, Extensions, PermessageDeflate, Role, ToString};

fn plain() -> PermessageDeflate {
    PermessageDeflate::client()
}

fn choose(settings: &PermessageDeflate, offers: &str) -> Option<String> {
    let offers = Extensions::parse([offers.as_bytes()]).unwrap();
    settings.choose(offers).map(|agreed| agreed.to_string())
}

fn check(settings: &PermessageDeflate, answer: &str) -> Result<Option<Agreed>, ()> {
    let answers = Extensions::parse([answer.as_bytes()]).map_err(drop)?;
    settings.check(answers).map_err(drop)
}

/// Offers to who has set nothing, and the answers.
const PLAIN: &[(&str, &str)] = &[
    ("", ""),
    (
        "; server_no_context_takeover",
        "; server_no_context_takeover",
    ),
    (
        "; client_no_context_takeover",
        "; client_no_context_takeover",
    ),
    ("; client_max_window_bits", ""),
    ("; client_max_window_bits=12", "; client_max_window_bits=12"),
    ("; client_max_window_bits=15", ""),
    ("; server_max_window_bits=8", "; server_max_window_bits=8"),
    ("; server_max_window_bits=10", "; server_max_window_bits=10"),
    ("; server_max_window_bits=15", "; server_max_window_bits=15"),
    (
        "; server_max_window_bits=\"10\"",
        "; server_max_window_bits=10",
    ),
];

/// Offers to a server that wants windows of 10 bits, and of 11 from clients.
const SMALL: &[(&str, &str)] = &[
    ("", "; server_max_window_bits=10"),
    ("; server_max_window_bits=12", "; server_max_window_bits=10"),
    ("; server_max_window_bits=9", "; server_max_window_bits=9"),
    (
        "; client_max_window_bits",
        "; server_max_window_bits=10; client_max_window_bits=11",
    ),
    (
        "; client_max_window_bits=9",
        "; server_max_window_bits=10; client_max_window_bits=9",
    ),
    (
        "; client_max_window_bits=14",
        "; server_max_window_bits=10; client_max_window_bits=11",
    ),
];

/// Offer, settings, answer (RFC 7692 §7.1).
#[test]
fn answers() {
    let strict = PermessageDeflate::server();
    let small = plain()
        .server_max_window_bits(10)
        .client_max_window_bits(11);
    let both = [(
        "",
        "; server_no_context_takeover; client_no_context_takeover",
    )];
    for (settings, rows) in [(plain(), PLAIN), (strict, &both), (small, SMALL)] {
        for (offer, answer) in rows {
            let offer = String::from("permessage-deflate") + offer;
            let answer = String::from("permessage-deflate") + answer;
            assert_eq!(choose(&settings, &offer), Some(answer), "{offer}");
        }
    }
}

/// Parameters that no offer may have.
const BAD_PARAMS: &[&str] = &[
    "x",
    "x=1",
    "client_max_window_bits; client_max_window_bits",
    "client_max_window_bits=10; client_max_window_bits",
    "server_max_window_bits=10; server_max_window_bits=10",
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; client_no_context_takeover",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "server_max_window_bits",
    "Server_No_Context_Takeover",
    "constructor",
    "__proto__",
];

/// What is no number of bits of a window.
const BAD_WINDOWS: &[&str] = &[
    "0",
    "7",
    "08",
    "015",
    "16",
    "+9",
    "1e1",
    "x",
    "-8",
    "8.0",
    "115",
    "99999999999999999999",
];

/// RFC 7692 §7: what is declined, and that the next offer counts then.
#[test]
fn declined_offers() {
    for params in BAD_PARAMS {
        let offer = String::from("permessage-deflate; ") + params;
        assert_eq!(choose(&plain(), &offer), None, "{offer}");
        let fallback = offer + ", permessage-deflate";
        assert_eq!(
            choose(&plain(), &fallback).as_deref(),
            Some("permessage-deflate")
        );
    }
    for name in ["server", "client"] {
        for value in BAD_WINDOWS {
            let offer = String::from("permessage-deflate; ") + name + "_max_window_bits=" + value;
            assert_eq!(choose(&plain(), &offer), None, "{offer}");
        }
        let good: Vec<bool> = (0..=20)
            .map(|bits| {
                String::from("permessage-deflate; ")
                    + name
                    + "_max_window_bits="
                    + &bits.to_string()
            })
            .map(|offer| choose(&plain(), &offer).is_some())
            .collect();
        assert!(
            good.iter()
                .enumerate()
                .all(|(bits, &good)| good == (8..=15).contains(&bits))
        );
    }
    for other in [
        "foo",
        "Permessage-Deflate",
        "permessage-deflate2",
        "x-webkit-deflate-frame",
    ] {
        assert_eq!(choose(&plain(), other), None);
    }
    assert_eq!(
        choose(
            &plain(),
            "foo, permessage-deflate; x, permessage-deflate; server_max_window_bits=9, permessage-deflate"
        ),
        Some("permessage-deflate; server_max_window_bits=9".into())
    );
}

/// What a client offers of its settings (RFC 7692 §7.1).
#[test]
fn offers() {
    assert_eq!(
        plain().offers(),
        "permessage-deflate; client_max_window_bits"
    );
    assert_eq!(plain().fallback().offers(), plain().offers());
    let demanding = plain()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true)
        .server_max_window_bits(10)
        .client_max_window_bits(12);
    let first = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10; client_max_window_bits=12";
    assert_eq!(demanding.offers(), first);
    assert_eq!(
        demanding.fallback().offers(),
        String::from(first)
            + ", permessage-deflate; client_no_context_takeover; client_max_window_bits=12"
    );
}

/// Which answers a client takes for its offers (RFC 7692 §5, §7.1).
#[test]
fn checked_answers() {
    for answer in [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=9",
        "permessage-deflate; client_max_window_bits=12",
        "foo, permessage-deflate",
    ] {
        assert!(matches!(check(&plain(), answer), Ok(Some(_))), "{answer}");
    }
    assert_eq!(check(&plain(), "foo"), Ok(None));
    for answer in [
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; x",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; client_max_window_bits=\"\"",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
    ] {
        assert_eq!(check(&plain(), answer), Err(()), "{answer}");
    }
    let fresh = plain().server_no_context_takeover(true);
    let small = plain().server_max_window_bits(10);
    let hint = plain().client_no_context_takeover(true);
    for (settings, answer, good) in [
        (&fresh, "", false),
        (&fresh, "; server_no_context_takeover", true),
        (&small, "", false),
        (&small, "; server_max_window_bits=11", false),
        (&small, "; server_max_window_bits=10", true),
        (&small, "; server_max_window_bits=8", true),
        (&hint, "", true),
        (&hint, "; client_no_context_takeover", true),
    ] {
        let answer = String::from("permessage-deflate") + answer;
        assert_eq!(check(settings, &answer).is_ok(), good, "{answer}");
        assert!(check(&settings.clone().fallback(), &answer).is_ok());
    }
}

/// What was agreed is what is done, on both ends.
#[test]
fn agreed_is_done() {
    let server = plain().client_max_window_bits(9);
    let client = plain()
        .client_no_context_takeover(true)
        .client_max_window_bits(12);
    for (offer, server_takeover, client_takeover, server_bits, client_bits) in [
        ("permessage-deflate", true, true, 15, 15),
        (
            "permessage-deflate; server_no_context_takeover",
            false,
            true,
            15,
            15,
        ),
        (
            "permessage-deflate; client_no_context_takeover; client_max_window_bits",
            true,
            false,
            15,
            9,
        ),
        (
            "permessage-deflate; server_max_window_bits=8",
            true,
            true,
            8,
            15,
        ),
    ] {
        let offers = Extensions::parse([offer.as_bytes()]).unwrap();
        let agreed = server.choose(offers).unwrap();
        let s = agreed.codec(Role::Server, &server).deflater;
        assert_eq!(
            (s.takeover(), s.window_bits()),
            (server_takeover, server_bits)
        );
        let c = agreed.codec(Role::Client, &plain()).deflater;
        assert_eq!(
            (c.takeover(), c.window_bits()),
            (client_takeover, client_bits)
        );
        // A client keeps to its own hints, answered or not (RFC 7692 §7.1.1.2, §7.1.2.2).
        let c = agreed.codec(Role::Client, &client).deflater;
        assert_eq!(
            (c.takeover(), c.window_bits()),
            (false, client_bits.min(12))
        );
        assert!(!c.wants(63) && c.wants(64));
    }
}
