//! Conversations that are joined in the middle, and messages that were missed.

use super::*;

/// A small generator: the joins are the same in each run.
pub(super) struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        [a, b, c, d]
    }
}

/// How the payloads of a join are made: their opcode with RSV1, and bytes.
pub(super) struct Made {
    pub(super) name: &'static str,
    pub(super) payload: fn(usize, &mut Numbers) -> (u8, Vec<u8>),
    pub(super) negotiated: fn() -> Negotiated,
}

const MADE: [Made; 4] = [
    Made {
        name: "random",
        payload: |len, numbers| (2, (0..len).map(|_| numbers.next() as u8).collect()),
        negotiated: Negotiated::new,
    },
    Made {
        name: "JSON",
        payload: |len, numbers| {
            let (id, price) = (numbers.below(9999), numbers.below(99));
            let one = format!("{{\"id\":{id},\"price\":{price}}},");
            (1, one.bytes().cycle().take(len).collect())
        },
        negotiated: Negotiated::new,
    },
    Made {
        name: "UTF-8",
        payload: |len, numbers| {
            let mut text = String::new();
            while text.len() < len {
                text.push(char::from_u32(0x20 + numbers.below(0x2000) as u32).unwrap_or('x'));
            }
            (1, text.into_bytes())
        },
        negotiated: Negotiated::new,
    },
    Made {
        name: "constant",
        payload: |len, numbers| (2, vec![numbers.next() as u8; len]),
        negotiated: Negotiated::new,
    },
];

/// One to 64 KiB, short ones more often.
fn len(numbers: &mut Numbers) -> usize {
    let bits = numbers.below(17);
    1 + numbers.below(1 << bits)
}

/// How a join went.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    joins: u32,
    /// A certain boundary among the first eight frames.
    soon: u32,
    /// A frame that is none, called certain.
    wrong: u32,
}

fn join(made: &Made, from: Role, numbers: &mut Numbers, tally: &mut Tally) {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    // Enough that the last of the first eight is followed by a chain.
    while starts.len() < 24 {
        let len = len(numbers);
        let (opcode, payload) = (made.payload)(len, numbers);
        starts.push(bytes.len() as u64);
        let key = (from == Role::Client).then(|| numbers.key());
        let mut one = frame(opcode & 15, true, key, &payload);
        one[0] |= opcode & 0x40;
        bytes.extend(one);
    }
    // Somewhere in the first frame.
    let cut = 1 + numbers.below(starts[1] as usize - 1);
    let negotiated = (made.negotiated)();
    let mut observer = Observer::midway(&ObserverConfig::new(), negotiated);
    let mut certain = None;
    let mut wrong = false;
    let mut input = &bytes[cut..];
    let mut ended = false;
    loop {
        let Some(seen) = observer.see(from, &mut input) else {
            if core::mem::replace(&mut ended, true) {
                break;
            }
            observer.end(from);
            continue;
        };
        if let Seen::Frame(frame) = seen
            && frame.is_certain()
        {
            let at = frame.offset() + cut as u64;
            match starts.binary_search(&at) {
                Ok(n) => _ = certain.get_or_insert(n),
                Err(_) => wrong = true,
            }
        }
    }
    tally.joins += 1;
    tally.soon += u32::from(certain.is_some_and(|n| n <= 8));
    tally.wrong += u32::from(wrong);
}

/// How joins went. `JOINS`: how many; few unless it is said.
pub(super) fn joins(made: &Made, from: Role, seed: u64) -> Tally {
    extern crate std;

    let mut numbers = Numbers(seed);
    let mut tally = Tally::default();
    let count = std::env::var("JOINS").map_or(12, |count| count.parse().unwrap());
    for _ in 0..count {
        join(made, from, &mut numbers, &mut tally);
    }
    std::eprintln!("{from:?} {}: {tally:?}", made.name);
    tally
}

impl Tally {
    /// A certain boundary within eight frames in 999 of 1,000 joins, and a false one in one of 1,000 at most.
    pub(super) fn is_good(&self) -> bool {
        self.soon * 1000 >= self.joins * 999 && self.wrong * 1000 <= self.joins
    }
}

/// What is masked is found, whatever it is.
#[test]
fn masked_frames_are_found() {
    for (made, n) in MADE.iter().zip(0..) {
        let tally = joins(made, Role::Client, 0x9e37_79b9_7f4a_7c15 ^ n);
        assert!(tally.is_good(), "{} {tally:?}", made.name);
    }
}

/// Not masked: text as well; where the payload may read as frames it is recorded.
#[test]
fn text_of_a_server_is_found() {
    for (made, n) in MADE.iter().zip(0..) {
        let tally = joins(made, Role::Server, 0x2545_f491_4f6c_dd1d ^ n);
        if matches!(made.name, "JSON" | "UTF-8") {
            assert!(tally.is_good(), "{} {tally:?}", made.name);
        }
    }
}

/// Frames of a client under keys that differ, as a search wants them.
fn masked(texts: core::ops::Range<u8>) -> Vec<u8> {
    texts
        .flat_map(|n| frame(1, true, Some([n, 7, n ^ 9, 3]), b"some text"))
        .collect()
}

/// What was found, and how many bytes were passed over; and where it was lost.
fn searched(observer: &mut Observer, from: Role, mut input: &[u8]) -> Vec<(u64, Option<u64>)> {
    let mut told = Vec::new();
    while let Some(seen) = observer.see(from, &mut input) {
        match seen {
            Seen::Lost { offset, .. } => told.push((offset, None)),
            Seen::Found {
                offset, skipped, ..
            } => told.push((offset, Some(skipped))),
            _ => {}
        }
    }
    told
}

/// A join is told as other gaps are, for each direction that has bytes, with how many were passed over.
#[test]
fn a_join_is_told() {
    for from in [Role::Client, Role::Server] {
        let mut observer = Observer::midway(&ObserverConfig::new(), Negotiated::new());
        // Nothing before there are bytes.
        assert_eq!(see(&mut observer, from, b""), []);
        assert_eq!(searched(&mut observer, from, b"x"), [(0, None)]);
        assert_eq!(searched(&mut observer, from, b"yz"), []);
        observer.gap(from, 10);
        let other = [0xff; 4];
        assert_eq!(searched(&mut observer, from, &other), []);
        let frames: Vec<u8> = (1..12)
            .flat_map(|n| {
                frame(
                    1,
                    true,
                    (from == Role::Client).then_some([n, 7, n ^ 9, 3]),
                    b"some text",
                )
            })
            .collect();
        // Seen before it: seven bytes, and ten that are missing.
        assert_eq!(searched(&mut observer, from, &frames), [(17, Some(7))]);
        let report = observer.report();
        let skipped = (report.client_skipped, report.server_skipped);
        assert_eq!(skipped, if from == Role::Client { (7, 0) } else { (0, 7) });
        // Lost once more, and nothing found: what is passed over counts.
        observer.gap(from, 5);
        let at = 17 + frames.len() as u64;
        assert_eq!(searched(&mut observer, from, b"\xff\xff\xff"), [(at, None)]);
        observer.end(from);
        assert_eq!(searched(&mut observer, from, b""), []);
        let report = observer.report();
        assert_eq!(
            report.client_skipped + report.server_skipped,
            10,
            "{from:?}"
        );
    }
}

/// More is passed over than one search looks at.
#[test]
fn a_long_search_counts_what_it_passes() {
    let mut observer = Observer::midway(&ObserverConfig::new(), Negotiated::new());
    let other = vec![0xff; 3 << 20];
    assert_eq!(searched(&mut observer, Role::Client, &other), [(0, None)]);
    let told = searched(&mut observer, Role::Client, &masked(1..12));
    observer.end(Role::Client);
    let rest = searched(&mut observer, Role::Client, b"");
    let at = other.len() as u64;
    assert_eq!([told, rest].concat(), [(at, Some(at))]);
    assert_eq!(observer.report().client_skipped, at);
}

/// The request was seen in part: what came before the answer is searched for frames, and nobody broke a rule.
#[test]
fn a_join_in_the_request() {
    let mut observer = Observer::new(&ObserverConfig::new());
    let rest = &REQUEST.as_bytes()[REQUEST.find("ost: h").unwrap()..];
    assert_eq!(see(&mut observer, Role::Client, rest), [Told::Lost(0)]);
    let told = see(&mut observer, Role::Server, ANSWER.as_bytes());
    assert_eq!(told, [Told::Response(101, false), Told::Opened(true)]);
    let told = see(&mut observer, Role::Client, &masked(1..12));
    assert_eq!(told[0], Told::Found(rest.len() as u64), "{told:?}");
    assert_eq!(told.len(), 1 + 2 * 11);
    assert_eq!(observer.report().client_violations, 0);
}

/// Nothing of the request was seen: what comes after the answer is frames.
#[test]
fn a_join_after_the_request() {
    let mut observer = Observer::new(&ObserverConfig::new());
    observer.gap(Role::Client, 200);
    see(&mut observer, Role::Server, ANSWER.as_bytes());
    let told = see(&mut observer, Role::Client, &masked(1..2));
    assert_eq!(told.len(), 3);
    assert_eq!(told[..2], [Told::Lost(0), Told::Frame(0x81, vec![], false)]);
}

/// More is missing while it searches: that is told once.
#[test]
fn a_gap_while_it_searches() {
    let mut observer = Observer::upgraded(&ObserverConfig::new(), Negotiated::new());
    observer.gap(Role::Client, 100);
    assert_eq!(see(&mut observer, Role::Client, b"\x81"), [Told::Lost(0)]);
    observer.gap(Role::Client, 99);
    let told = see(&mut observer, Role::Client, &masked(1..12));
    assert_eq!(told[0], Told::Found(200), "{told:?}");
    assert_eq!(told.len(), 1 + 2 * 11);
}

/// It is told at once, before more bytes come.
#[test]
fn a_gap_without_more_bytes() {
    for from in [Role::Client, Role::Server] {
        let mut observer = Observer::upgraded(&ObserverConfig::new(), Negotiated::new());
        observer.gap(from, 100);
        assert_eq!(see(&mut observer, from, b""), [Told::Lost(0)]);
        assert_eq!(see(&mut observer, from, b"\x81"), []);
    }
}

/// What waits when bytes are missing is given up with them, and counts.
#[test]
fn a_gap_after_what_waits() {
    let mut observer = Observer::new(&ObserverConfig::new());
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    let early = masked(1..4);
    assert_eq!(see(&mut observer, Role::Client, &early), []);
    see(&mut observer, Role::Server, ANSWER.as_bytes());
    // The header of the first frame is told, and the rest of it is not asked for.
    let mut none = &b""[..];
    let told = observer.see(Role::Client, &mut none);
    assert!(matches!(told, Some(Seen::Frame(_))));
    let at = REQUEST.len() as u64 + 6;
    assert_eq!(observer.offset(Role::Client), at);
    let (waits, len) = (early.len() as u64 - 6, 50);
    observer.gap(Role::Client, len);
    assert_eq!(observer.offset(Role::Client), at + waits + len);
    let told = see(&mut observer, Role::Client, &masked(5..16));
    let found = Told::Found(at + waits + len);
    assert_eq!(told[..2], [Told::Lost(at), found], "{told:?}");
    // Within the payload that was announced nothing is lost but those bytes.
    let mut observer = Observer::new(&ObserverConfig::new());
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    let long = frame(2, true, KEY, b"0123456789");
    see(&mut observer, Role::Client, &long[..9]);
    see(&mut observer, Role::Server, ANSWER.as_bytes());
    let mut none = &b""[..];
    observer.see(Role::Client, &mut none);
    observer.gap(Role::Client, 4);
    let told = see(&mut observer, Role::Client, &long[13..]);
    let (from, content) = (Role::Client, Content::Holes);
    let message = Told::Message(from, Kind::Binary, b"789".to_vec(), content, false);
    assert_eq!(told, [message]);
}
