#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use crate::client::proxy::{
    BadProxy, Connect, ConnectError, ConnectOptions, ConnectOutcome, ProxyError,
};
use crate::client::socks5::Socks5Error;
use crate::entropy::Entropy;
use crate::error::NoEntropy;
use crate::error::{Failure, HandshakeError, ProtocolError, Timeout};
use crate::handshake::Refusal;
use crate::handshake::uri::Uri;
use crate::{ClientConfig, CloseCode, Connection, Event, Negotiated};

use super::{Advice, Backoff, Ended, Policy, Reason};

const LOST: Ended = Ended::Closed(1006);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn refused(status: u16) -> Ended {
    Ended::Refused {
        status,
        retry_after: None,
    }
}

/// One advice, from a fresh schedule.
fn first(ended: Ended) -> Advice {
    Backoff::new(Policy::default()).next(ended, Duration::ZERO, 0)
}

fn delay(advice: Advice) -> Duration {
    match advice {
        Advice::RetryAfter(delay, _) => delay,
        other => panic!("not a delay: {other}"),
    }
}

/// RFC 6455 §7.2.3: the first delay after an abnormal closure is random, 0 to 5 s.
#[test]
fn the_first_delay_is_random_from_0_to_5_s() {
    let one = |random| {
        let mut backoff = Backoff::new(Policy::default());
        backoff.opened(Duration::ZERO);
        delay(backoff.next(LOST, seconds(9), random))
    };
    assert_eq!(one(0), Duration::ZERO);
    assert_eq!(one(1 << 63), Duration::from_millis(2500));
    assert!(one(u64::MAX) <= seconds(5) && one(u64::MAX) > Duration::from_millis(4999));
    assert_ne!(one(1 << 60), one(1 << 61));
}

/// RFC 6455 §7.2.3: the bound doubles up to the cap, and never overflows.
#[test]
fn later_delays_grow_up_to_the_cap() {
    let mut backoff = Backoff::new(Policy::default());
    let bounds: Vec<_> = (0..1000)
        .map(|_| delay(backoff.next(Ended::Unreachable, Duration::ZERO, u64::MAX)))
        .map(|delay| delay.as_secs() + 1)
        .collect();
    assert_eq!(bounds[..7], [5, 10, 20, 40, 80, 120, 120]);
    assert!(bounds[7..].iter().all(|&bound| bound == 120));
    assert_eq!(backoff.attempts(), 1000);

    let mut backoff = Backoff::new(Policy {
        first: Duration::MAX,
        cap: Duration::MAX,
        ..Policy::default()
    });
    for _ in 0..100 {
        assert!(delay(backoff.next(LOST, Duration::MAX, u64::MAX)) > seconds(1 << 34));
    }
}

/// A success, which is a connection that was open for a while, starts the schedule anew; one
/// that is lost at once does not.
#[test]
fn a_healthy_connection_resets() {
    let mut backoff = Backoff::new(Policy::default());
    let mut now = seconds(1000);
    let mut lost_after = |backoff: &mut Backoff, open| {
        backoff.opened(now);
        now += seconds(open);
        delay(backoff.next(LOST, now, u64::MAX)).as_secs() + 1
    };
    assert_eq!(lost_after(&mut backoff, 1), 5);
    assert_eq!(lost_after(&mut backoff, 59), 10);
    assert_eq!(lost_after(&mut backoff, 0), 20);
    assert_eq!(lost_after(&mut backoff, 60), 5);
    assert_eq!(lost_after(&mut backoff, 3), 10);
    // An attempt that was never open does not count from an opening before it.
    assert_eq!(
        delay(backoff.next(Ended::Unreachable, seconds(1 << 20), u64::MAX)).as_secs() + 1,
        20
    );
    backoff.reset();
    assert_eq!(backoff.attempts(), 0);
}

/// RFC 6455 §7.4.1 and the IANA registry: what each close code asks for.
#[test]
fn close_codes() {
    for code in 1000..5000 {
        let advice = first(Ended::Closed(code));
        let expected = match code {
            1001 | 1006 | 1011 | 1012 | 1013 | 1014 | 3008 => "retry in",
            3000 => "authorize",
            _ => "give up",
        };
        assert!(advice.to_string().starts_with(expected), "{code}: {advice}");
    }
}

/// RFC 6455 §11.7 and the IANA registry: what each close code means.
#[test]
fn meanings() {
    for (code, meaning) in [
        (1000, "normal closure"),
        (1001, "going away"),
        (1002, "protocol error"),
        (1003, "unsupported data"),
        (1005, "no status received"),
        (1006, "lost without a Close frame"),
        (1007, "invalid frame payload data"),
        (1008, "policy violation"),
        (1009, "message too big"),
        (1010, "mandatory extension"),
        (1011, "internal error"),
        (1012, "service restart"),
        (1013, "try again later"),
        (1014, "bad gateway"),
        (1015, "TLS handshake"),
        (3000, "unauthorized"),
        (3003, "forbidden"),
        (3008, "timeout"),
    ] {
        let text = Ended::Closed(code).to_string();
        assert_eq!(text, alloc::format!("closed with {code} ({meaning})"));
    }
    assert_eq!(Ended::Closed(4711).to_string(), "closed with 4711");
}

/// RFC 9110 §15: what each status asks for.
#[test]
fn statuses() {
    for status in 100..=599 {
        let advice = first(refused(status));
        let expected = match status {
            401 | 407 | 511 => "authorize",
            421 | 425 => "retry now",
            501 | 505 | 506 | 510 => "give up",
            408 | 429 | 500.. => "retry in",
            _ => "give up",
        };
        assert!(advice.to_string().starts_with(expected), "{advice}");
    }
}

/// RFC 6455 §7.1.7: a rule that the peer broke would be broken again; a timeout may pass.
#[test]
fn failures_and_transport() {
    let protocol = Failure::Protocol(ProtocolError::UnexpectedContinuation);
    let handshake = Failure::Handshake(HandshakeError::Malformed { line: 1 });
    for failure in [protocol, handshake] {
        let ended = Ended::Failed(failure);
        assert_eq!(first(ended), Advice::GiveUp(Reason::Ended(ended)));
    }
    for timeout in [Timeout::Handshake, Timeout::Pong, Timeout::Idle] {
        assert_eq!(delay(first(Ended::Failed(timeout.into()))), Duration::ZERO);
    }
    assert_eq!(delay(first(Ended::Unreachable)), Duration::ZERO);
    for ended in [Ended::ByUs, Ended::Tls] {
        assert_eq!(first(ended), Advice::GiveUp(Reason::Ended(ended)));
    }
}

/// What a SOCKS5 proxy says: the network's fault may pass, its own will stands.
#[test]
fn socks5_proxies() {
    for code in 1..=9 {
        let advice = first(Socks5Error::Refused(code).into());
        let passes = matches!(code, 1 | 3..=6);
        assert_eq!(matches!(advice, Advice::RetryAfter(..)), passes, "{code}");
    }
    for error in [Socks5Error::Closed, Socks5Error::Timeout] {
        assert_eq!(delay(first(error.into())), Duration::ZERO);
    }
    for error in [
        Socks5Error::NoMethod,
        Socks5Error::Credentials,
        Socks5Error::NotSocks5,
    ] {
        assert!(matches!(first(error.into()), Advice::GiveUp(_)));
    }
}

/// RFC 9110 §10.2.3: the pause comes first, the jitter on top, and a pause without measure is told.
#[test]
fn retry_after_is_honored() {
    let busy = |status, pause| Ended::Refused {
        status,
        retry_after: Some(seconds(pause)),
    };
    let mut backoff = Backoff::new(Policy::default());
    assert_eq!(
        delay(backoff.next(busy(503, 30), seconds(0), 0)),
        seconds(30)
    );
    let second = delay(backoff.next(busy(429, 30), seconds(0), u64::MAX));
    assert!(second > seconds(39) && second < seconds(40));
    // Whatever the 4xx: the server asks to come back (§15.5.14 for 413).
    assert_eq!(delay(first(busy(413, 7))), seconds(7));
    assert_eq!(delay(first(busy(425, 7))), seconds(7));
    assert_eq!(
        first(busy(503, 3600)),
        Advice::RetryAfter(seconds(3600), Reason::Ended(busy(503, 3600)))
    );
    let endless = busy(503, u64::MAX);
    let advice = first(endless);
    assert_eq!(
        advice,
        Advice::GiveUp(Reason::Patience(seconds(u64::MAX), endless))
    );
    assert_eq!(
        first(busy(503, 3601)).to_string(),
        "give up: refused with status 503, to be tried again no sooner than in 3601s"
    );
    // It makes no way around a challenge or a redirection.
    assert_eq!(
        first(busy(401, 7)),
        Advice::Authorize(Reason::Ended(busy(401, 7)))
    );
    assert_eq!(
        first(busy(302, 7)),
        Advice::GiveUp(Reason::Ended(busy(302, 7)))
    );
}

fn answer(head: &str) -> Ended {
    let uri = Uri::parse("ws://h/").unwrap();
    let mut connect = Connect::new(&uri, &ConnectOptions::new());
    let mut head = head.as_bytes().to_vec();
    match connect.receive(&mut &mut head[..]).unwrap() {
        ConnectOutcome::Refused(refusal) => Ended::from(&*refusal),
        ConnectOutcome::Failed(error) => error.into(),
        ConnectOutcome::Open => panic!("open"),
    }
}

/// From what the other machines report.
#[test]
fn refusals_and_proxies() {
    let status = |status, pause: Option<u64>| Ended::Refused {
        status,
        retry_after: pause.map(seconds),
    };
    let end = "Content-Length: 0\r\n\r\n";
    for (fields, pause) in [
        ("", None),
        ("retry-after: 7\r\n", Some(7)),
        ("Retry-After: soon\r\n", None),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", None),
    ] {
        let head = format!("HTTP/1.1 503 x\r\n{fields}{end}");
        assert_eq!(answer(&head), status(503, pause), "{fields}");
    }
    assert_eq!(
        answer("SSH-2.0\r\n"),
        Ended::Failed(HandshakeError::Malformed { line: 1 }.into())
    );
    // RFC 9110 §15: a status that answers no CONNECT.
    assert_eq!(
        Ended::from(ConnectError::Status(101)),
        Ended::Failed(HandshakeError::Status.into())
    );
    for error in [ConnectError::Closed, ConnectError::Timeout] {
        assert_eq!(Ended::from(error), Ended::Unreachable);
    }
}

/// A proxy that is none is the user's mistake; one that says no is as a server that does.
#[test]
fn a_proxy_that_gave_no_tunnel() {
    let refusal = Refusal::new(503, [("Retry-After", &b"7"[..])].into_iter());
    for (error, ended) in [
        (ProxyError::Bad(BadProxy::Host), Ended::ByUs),
        (
            ProxyError::Refused(Box::new(refusal)),
            Ended::Refused {
                status: 503,
                retry_after: Some(seconds(7)),
            },
        ),
        (ProxyError::Http(ConnectError::Closed), Ended::Unreachable),
        (ProxyError::Socks5(Socks5Error::Closed), Ended::Unreachable),
        (
            ProxyError::Early,
            Ended::Failed(HandshakeError::Status.into()),
        ),
    ] {
        assert_eq!(Ended::at_proxy(&error, None), ended, "{error}");
    }
}

struct Zero;

impl Entropy for Zero {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill(0);
        Ok(())
    }
}

/// How a connection to a server ended: the server sends these bytes, then closes TCP.
fn ended(own: impl Fn(&mut Connection), server: &[u8]) -> Ended {
    let config = ClientConfig::new();
    let mut ws =
        Connection::upgraded_client_with_entropy(&config, Negotiated::new(), Box::new(Zero));
    own(&mut ws);
    let mut bytes = server.to_vec();
    let mut input = &mut bytes[..];
    ws.advance_time(seconds(0));
    for step in 0..9 {
        while let Some(event) = ws.receive(&mut input) {
            if let Event::Closed(report) = event {
                return Ended::from(&*report);
            }
        }
        ws.consume_output(ws.output().len());
        ws.advance_time(seconds(step));
        if step == 7 {
            ws.receive_eof();
        }
    }
    panic!("not closed");
}

/// RFC 6455 §7.1.5, §7.1.7: the peer's word, our failure, or our wish.
#[test]
fn close_reports() {
    let nothing = |_: &mut Connection| {};
    let close = |ws: &mut Connection| ws.close(Some(CloseCode::NORMAL_CLOSURE), "").unwrap();
    assert_eq!(ended(nothing, b"\x88\x02\x03\xe9"), Ended::Closed(1001));
    assert_eq!(ended(nothing, b"\x88\x00"), Ended::Closed(1005));
    assert_eq!(ended(nothing, b""), Ended::Closed(1006));
    let failure = Failure::Protocol(ProtocolError::UnexpectedContinuation);
    assert_eq!(ended(nothing, b"\x80\x00"), Ended::Failed(failure));
    // We wanted to close: answered, not answered (timeout), and answered with nonsense.
    assert_eq!(ended(close, b"\x88\x02\x03\xe8"), Ended::ByUs);
    assert_eq!(ended(close, b"\x88\x02\x03\xe9"), Ended::ByUs);
    let late = |ws: &mut Connection| {
        close(ws);
        ws.consume_output(ws.output().len());
    };
    assert_eq!(ended(late, b"\x88\x02\x03\xe9"), Ended::ByUs);
    assert_eq!(ended(close, b""), Ended::ByUs);
    assert_eq!(ended(close, b"\x80\x00"), Ended::ByUs);
    let lost = |ws: &mut Connection| ws.transport_lost();
    assert_eq!(ended(lost, b""), Ended::Closed(1006));
    // The peer said why it leaves; that nobody took our answer says nothing more.
    let unread = |ws: &mut Connection| {
        ws.advance_time(seconds(0));
        let mut close = *b"\x88\x02\x03\xe9";
        let mut input = &mut close[..];
        while ws.receive(&mut input).is_some() {}
        ws.advance_time(seconds(60));
    };
    assert_eq!(ended(unread, b""), Ended::Closed(1001));
    let tls = |ws: &mut Connection| ws.tls_failed();
    assert_eq!(ended(tls, b""), Ended::Tls);
}

#[test]
fn attempts_are_bounded() {
    let mut backoff = Backoff::new(Policy {
        attempts: Some(2),
        ..Policy::default()
    });
    assert_eq!(delay(backoff.next(LOST, seconds(0), 0)), seconds(0));
    assert_eq!(
        backoff.next(refused(421), seconds(1), 0),
        Advice::RetryNow(Reason::Ended(refused(421)))
    );
    let advice = backoff.next(LOST, seconds(2), 0);
    assert_eq!(advice, Advice::GiveUp(Reason::Attempts(2, LOST)));
    assert_eq!(
        advice.to_string(),
        "give up: closed with 1006 (lost without a Close frame), after 2 new attempts"
    );
    let once = Reason::Attempts(1, Ended::Unreachable);
    assert_eq!(
        once.to_string(),
        "no connection, or it was lost, after 1 new attempt"
    );
    // What would not be tried again anyway says so.
    assert_eq!(
        backoff.next(Ended::ByUs, seconds(2), 0),
        Advice::GiveUp(Reason::Ended(Ended::ByUs))
    );
    backoff.opened(seconds(3));
    assert_eq!(delay(backoff.next(LOST, seconds(63), 0)), seconds(0));
}

/// RFC 9110 §11.7: credentials that were not taken are not asked for a second time in a row; the
/// server's challenge after the proxy's is another one.
#[test]
fn authorize_once_in_a_row() {
    let mut backoff = Backoff::new(Policy::default());
    let mut next = |ended| backoff.next(ended, seconds(0), 0);
    assert_eq!(
        next(refused(407)),
        Advice::Authorize(Reason::Ended(refused(407)))
    );
    assert_eq!(
        next(refused(401)),
        Advice::Authorize(Reason::Ended(refused(401)))
    );
    let advice = next(refused(401));
    assert_eq!(advice, Advice::GiveUp(Reason::Credentials(refused(401))));
    assert_eq!(
        advice.to_string(),
        "give up: refused with status 401 again, with new credentials"
    );
    assert_eq!(
        next(refused(401)),
        Advice::Authorize(Reason::Ended(refused(401)))
    );
    assert_eq!(delay(next(LOST)), seconds(0));
    assert_eq!(
        next(refused(401)),
        Advice::Authorize(Reason::Ended(refused(401)))
    );
}

/// 421 and 425 are answered with a new connection; if that did not help, it is a trouble like others.
#[test]
fn retry_now_once_in_a_row() {
    let mut backoff = Backoff::new(Policy::default());
    let mut next = |ended| backoff.next(ended, seconds(0), u64::MAX);
    assert_eq!(
        next(refused(421)),
        Advice::RetryNow(Reason::Ended(refused(421)))
    );
    assert_eq!(delay(next(refused(421))).as_secs(), 4);
    assert_eq!(
        next(refused(425)),
        Advice::RetryNow(Reason::Ended(refused(425)))
    );
    assert_eq!(delay(next(refused(425))).as_secs(), 9);
}

fn any_ended() -> impl Strategy<Value = Ended> {
    let pause = any::<Option<u64>>().prop_map(|pause| pause.map(Duration::from_millis));
    prop_oneof![
        Just(Ended::ByUs),
        (1000..5000u16).prop_map(Ended::Closed),
        Just(LOST),
        Just(Ended::Failed(Timeout::Pong.into())),
        (100..600u16, pause).prop_map(|(status, retry_after)| Ended::Refused {
            status,
            retry_after
        }),
        Just(Ended::Unreachable),
        Just(Ended::Tls),
    ]
}

/// How an attempt ended, whether it was open before, the time it took, and the random number.
type Step = (Ended, bool, u64, u64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any_ended(), any::<bool>(), 0..200u64, any::<u64>());
    prop::collection::vec(step, 0..60)
}

fn policy() -> impl Strategy<Value = Policy> {
    let millis = || any::<u64>().prop_map(Duration::from_millis);
    let short = || (0..600_000u64).prop_map(Duration::from_millis);
    let attempts = prop::option::of(0..8u32);
    (
        short(),
        prop_oneof![short(), millis()],
        attempts,
        short(),
        millis(),
    )
        .prop_map(|(first, cap, attempts, healthy, patience)| Policy {
            first,
            cap,
            attempts,
            healthy,
            patience,
        })
}

fn run(policy: Policy, steps: &[Step]) -> Vec<Advice> {
    let mut backoff = Backoff::new(policy);
    let mut now = Duration::ZERO;
    let each = steps.iter().map(|&(ended, opened, took, random)| {
        if opened {
            backoff.opened(now);
        }
        now += seconds(took);
        backoff.next(ended, now, random)
    });
    each.collect()
}

proptest! {
    /// For any entropy, policy and history the delay keeps its bounds: at most `first`
    /// doubled for each delay before it, at most `cap`, on top of what the server asked for; no more
    /// attempts in a row than allowed.
    #[test]
    fn bounds_hold_for_any_entropy(policy in policy(), steps in steps()) {
        let mut attempts = 0;
        let mut delays = 0u32;
        for (&(ended, opened, took, _), advice) in steps.iter().zip(run(policy, &steps)) {
            if opened && seconds(took) >= policy.healthy {
                (attempts, delays) = (0, 0);
            }
            if matches!(advice, Advice::GiveUp(_)) {
                continue;
            }
            attempts += 1;
            prop_assert!(policy.attempts.is_none_or(|max| attempts <= max));
            if let Advice::RetryAfter(delay, _) = advice {
                let pause = match ended {
                    Ended::Refused { retry_after, .. } => retry_after.unwrap_or_default(),
                    _ => Duration::ZERO,
                };
                let doubled = policy.first.as_nanos() << delays.min(64);
                let bound = doubled.min(policy.cap.as_nanos());
                let jitter = delay - pause;
                prop_assert!(jitter.as_nanos() <= bound);
                prop_assert!(pause <= policy.patience);
                delays += 1;
            }
        }
    }

    /// Same calls, same entropy, same schedule. And more entropy, more delay.
    #[test]
    fn the_schedule_is_reproducible(policy in policy(), steps in steps()) {
        let advices = run(policy, &steps);
        prop_assert_eq!(&advices, &run(policy, &steps));
        let most: Vec<_> = steps.iter().map(|&(a, b, c, _)| (a, b, c, u64::MAX)).collect();
        for (less, more) in advices.into_iter().zip(run(policy, &most)) {
            match (less, more) {
                (Advice::RetryAfter(less, _), Advice::RetryAfter(more, _)) => prop_assert!(less <= more),
                (less, more) => prop_assert_eq!(less, more),
            }
        }
    }
}
