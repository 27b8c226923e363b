//! Deadlines, and how they are added up (see `Timeouts`). The time is an input, so all of it is a function of calls.
//!
//! A deadline is the least of some sums of a time and a wait, over the later one of some times. Such a function changes
//! its form only where two times or two sums are equal: so ticks in which each order and each tie of them occurs are all
//! cases, beside the ends of what a clock can hold, which are gone through by themselves.

use std::time::Duration;

use sansocket::config::Timeouts;
use sansocket::{Connection, Event};

use crate::support::{Frame, KEY, decode, pass, server, server_config, take_output};
use crate::{sampled, thinned};

/// What is left of a time in nanoseconds of 63 bits; the largest one is none.
const NEVER: u128 = i64::MAX as u128;

const MILLI: u128 = 1_000_000;

/// Small times, powers of two, and the ends of 63 and 64 bits and of a `Duration`.
fn times() -> Vec<Duration> {
    let nanos = |nanos: u128| {
        Duration::new(
            (nanos / 1_000_000_000) as u64,
            (nanos % 1_000_000_000) as u32,
        )
    };
    let small = (0..8).chain([999_999, MILLI, MILLI + 1]);
    let powers = [30, 32, 53, 61, 62].map(|bit| 1 << bit);
    let ends = [NEVER, u64::MAX.into(), NEVER / 2].map(|end| end - 2..end + 3);
    let all = small
        .chain(powers)
        .chain(ends.into_iter().flatten())
        .map(nanos);
    let all = all.chain([Duration::from_secs(u64::MAX), Duration::MAX]);
    sampled(all, 13).collect()
}

/// A time told, and when a wait from then on is over.
fn sum(now: Duration, wait: Duration) -> Option<Duration> {
    let now = now.as_nanos().min(NEVER - 1);
    let due = now.saturating_add(wait.as_nanos());
    (due < NEVER).then(|| Duration::from_nanos(due as u64))
}

fn none() -> Timeouts {
    let mut timeouts = Timeouts::default();
    (timeouts.ping, timeouts.pong) = (None, None);
    timeouts
}

fn told(timeouts: Timeouts, now: Duration) -> Connection {
    let mut ws = server(&server_config().timeouts(timeouts));
    ws.advance_time(now);
    ws
}

/// Decision D-25. Domain: each kind of wait by itself, from each time of a list that has small ones and the ends of what a
/// clock can hold, for each wait of that list: a sum that does not fit is no deadline.
#[test]
fn each_wait_from_each_time() {
    for now in times() {
        for wait in times() {
            let due = sum(now, wait);
            let mut timeouts = none();
            timeouts.handshake = wait;
            let mut ws = Connection::server(&server_config().timeouts(timeouts));
            assert_eq!(ws.next_deadline(), None);
            ws.advance_time(now);
            assert_eq!(ws.next_deadline(), due, "{now:?} and {wait:?}");

            let mut timeouts = none();
            timeouts.close = wait;
            let mut ws = told(timeouts, now);
            assert_eq!(ws.next_deadline(), None);
            ws.close(None, "").unwrap();
            assert_eq!(take_output(&mut ws), [0x88, 0]);
            assert_eq!(ws.next_deadline(), due);

            let mut timeouts = none();
            timeouts.idle = Some(wait);
            let ws = told(timeouts, now);
            assert_eq!(ws.next_deadline(), due);

            let mut timeouts = none();
            timeouts.message = Some(wait);
            let mut ws = told(timeouts, now);
            assert_eq!(ws.next_deadline(), None);
            assert!(ws.receive(&mut &mut [0x82][..]).is_none());
            assert_eq!(ws.next_deadline(), due);

            let mut timeouts = none();
            timeouts.ping = Some(wait);
            let mut ws = told(timeouts, now);
            // A wait of nothing is over at once, and a ping is sent each time that is asked.
            let pinged = !take_output(&mut ws).is_empty();
            assert_eq!(pinged, wait.is_zero());
            assert_eq!(ws.next_deadline(), due);
        }
    }
}

/// Time that goes backwards is ignored. Domain: each pair of times of that list, with each wait: a deadline has passed if it is
/// not after the later one of the two.
#[test]
fn each_pair_of_times() {
    for first in times() {
        for second in times() {
            for wait in sampled(times().into_iter(), 2) {
                let mut timeouts = none();
                timeouts.handshake = wait;
                let mut ws = Connection::server(&server_config().timeouts(timeouts));
                ws.advance_time(first);
                pass(&mut ws, second);
                let now = first
                    .max(second)
                    .min(Duration::from_nanos(NEVER as u64 - 1));
                let over = sum(first, wait).is_some_and(|due| due <= now);
                let answered = !take_output(&mut ws).is_empty();
                assert_eq!(answered, over, "{first:?}, {second:?}, {wait:?}");
            }
        }
    }
}

/// The latest byte of an unfinished frame is known to a millisecond, later rather than sooner, within 2^29 of them. Domain: how
/// long after the last frame it came: around each of the first milliseconds, each power of two and the last one.
#[test]
fn when_the_latest_byte_came() {
    let last = ((1 << 29) - 1) * MILLI;
    let around = |at: u128| [at.saturating_sub(1), at, at + 1];
    let places = (0..20)
        .chain((0..34).map(|bit| 1 << bit))
        .map(|millis: u128| millis * MILLI);
    let places = places.chain([last, last + MILLI]).flat_map(around);
    for passed in sampled(places, 23) {
        let mut timeouts = none();
        timeouts.idle = Some(Duration::from_secs(1 << 31));
        let at = |nanos: u128| Duration::from_nanos(nanos as u64);
        let start = at(77);
        let mut ws = told(timeouts, start);
        ws.advance_time(start + at(passed));
        assert!(ws.receive(&mut &mut [0x82][..]).is_none());
        let late = passed.div_ceil(MILLI).min((1 << 29) - 1) * MILLI;
        let due = start + at(late) + Duration::from_secs(1 << 31);
        assert_eq!(ws.next_deadline(), Some(due), "{passed}");
    }
}

/// The round trip of a ping in microseconds, up to 2^32 - 2. Domain: around each power of two of them, and beyond the last.
#[test]
fn round_trips() {
    let most = u32::MAX - 1;
    let micros = (0..40).map(|bit| 1u64 << bit);
    let micros = micros.chain([most.into(), u32::MAX.into(), i64::MAX as u64 / 2000]);
    let around = |micros: u64| [micros * 1000 - 1, micros * 1000, micros * 1000 + 999];
    for nanos in sampled(micros.flat_map(around), 17) {
        let mut ws = told(none(), Duration::from_nanos(5));
        ws.ping(b"?").unwrap();
        take_output(&mut ws);
        ws.advance_time(Duration::from_nanos(5 + nanos));
        let mut pong = Frame::new(10, "?").masked(KEY).encode();
        let Some(Event::Pong(pong)) = ws.receive(&mut &mut pong[..]) else {
            panic!("no Pong");
        };
        let expected = Duration::from_micros((nanos / 1000).min(most.into()));
        assert_eq!(pong.round_trip(), Some(expected), "{nanos}");
    }
}

/// What an open connection waits for, in ticks: the table of `Timeouts` as sums.
struct Model {
    timeouts: [Option<i32>; 4],
    heard: i32,
    latest: i32,
    pinged: i32,
    asked: bool,
    message: Option<i32>,
}

impl Model {
    /// The next ping, and what ends the connection.
    fn deadlines(&self) -> (Option<i32>, Option<i32>) {
        let [ping, pong, idle, message] = self.timeouts;
        let awaited = pong.filter(|_| self.asked);
        let ping = ping.filter(|_| awaited.is_none());
        let ping = ping.map(|ping| self.heard.max(self.pinged) + ping);
        let pong =
            awaited.map(|pong| (self.pinged.max(self.latest) + pong).min(self.pinged + 2 * pong));
        let idle = idle.map(|idle| self.latest + idle);
        let message = message.zip(self.message).map(|(wait, since)| since + wait);
        (ping, [pong, idle, message].into_iter().flatten().min())
    }
}

/// The connection and the model go on until something ends it: in each tick the time is told, and nothing, one byte of a
/// frame or the end of one comes.
fn goes_on(timeouts: [Option<i32>; 4], acts: [u8; 5]) {
    let tick = |at: i32| Duration::from_millis(50 + at as u64);
    let mut model = Model {
        timeouts,
        heard: 0,
        latest: 0,
        pinged: i32::MIN / 2,
        asked: false,
        message: None,
    };
    let waits = timeouts.map(|wait| wait.map(|wait| Duration::from_millis(wait as u64)));
    let mut given = Timeouts::default();
    [given.ping, given.pong, given.idle, given.message] = waits;
    let mut ws = told(given, tick(0));
    let frame = Frame::new(2, [7; 100]).masked(KEY).encode();
    let mut begun = 0;
    for (now, act) in (0..).zip(acts) {
        ws.advance_time(tick(now));
        let (ping, end) = model.deadlines();
        let pings = ping.is_some_and(|ping| ping <= now)
            && end.is_none_or(|end| end > now || ping <= Some(end));
        let sent = decode(&take_output(&mut ws));
        assert_eq!(
            sent.len(),
            usize::from(pings),
            "{timeouts:?} {acts:?} at {now}"
        );
        if pings {
            (model.pinged, model.asked) = (now, true);
        }
        let (ping, end) = model.deadlines();
        let due = ping.into_iter().chain(end).min().map(tick);
        assert_eq!(ws.next_deadline(), due, "{timeouts:?} {acts:?} at {now}");
        if end.is_some_and(|end| end <= now) {
            return;
        }
        let mut bytes = match act {
            0 => continue,
            1 => frame[begun..=begun].to_vec(),
            _ if begun > 0 => frame[begun..].to_vec(),
            _ => Frame::new(10, "").masked(KEY).encode(),
        };
        let mut input = &mut bytes[..];
        while ws.receive(&mut input).is_some() {}
        model.latest = now;
        if act == 1 {
            begun += 1;
            model.message.get_or_insert(now);
        } else {
            begun = 0;
            (model.heard, model.asked, model.message) = (now, false, None);
        }
        let (ping, end) = model.deadlines();
        let due = ping.into_iter().chain(end).min().map(tick);
        assert_eq!(ws.next_deadline(), due, "{timeouts:?} {acts:?} after {now}");
    }
}

/// Decision D-25, RFC 6455 §5.5.2. Domain: ping, pong, idle and message each off or after 1, 2 or 4 ticks, and in each of five
/// ticks nothing, a byte of a frame or the end of one: 62,208 cases, of which one of 5 are tried, with `DOMAINS=whole` all.
#[test]
fn each_order_of_what_is_waited_for() {
    let waits = [None, Some(1), Some(2), Some(4)];
    for case in thinned(0..256 * 243usize, 5) {
        let timeouts = [0, 2, 4, 6].map(|shift| waits[case >> shift & 3]);
        let acts = [1, 3, 9, 27, 81].map(|power| (case / 256 / power % 3) as u8);
        goes_on(timeouts, acts);
    }
}
