//! Conversations that are joined in the middle, and messages that were missed.

use super::*;

/// A small generator: the joins are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        [a, b, c, d]
    }
}

/// What the payload of a join is.
#[derive(Debug, Clone, Copy)]
enum Made {
    Random,
    Json,
    Utf8,
    Constant,
    #[cfg(feature = "deflate")]
    Compressed,
}

const MADE: &[Made] = &[
    Made::Random,
    Made::Json,
    Made::Utf8,
    Made::Constant,
    #[cfg(feature = "deflate")]
    Made::Compressed,
];

fn payload(made: Made, len: usize, numbers: &mut Numbers) -> (u8, Vec<u8>) {
    let bytes: Vec<u8> = match made {
        Made::Random => (0..len).map(|_| numbers.next() as u8).collect(),
        Made::Constant => vec![numbers.next() as u8; len],
        Made::Json => {
            let one = format!(
                "{{\"id\":{},\"price\":{}}},",
                numbers.below(9999),
                numbers.below(99)
            );
            let text = one.bytes().cycle().take(len).collect();
            return (1, text);
        }
        Made::Utf8 => {
            let mut text = String::new();
            while text.len() < len {
                text.push(char::from_u32(0x20 + numbers.below(0x2000) as u32).unwrap_or('x'));
            }
            return (1, text.into_bytes());
        }
        #[cfg(feature = "deflate")]
        Made::Compressed => {
            let text: String = (0..len / 4)
                .map(|_| format!("{},", numbers.below(5000)))
                .collect();
            let packed =
                crate::extension::PermessageDeflate::client().compress(15, text.as_bytes());
            return (0x42, packed);
        }
    };
    (2, bytes)
}

/// One to 64 KiB, short ones more often.
fn len(numbers: &mut Numbers) -> usize {
    let bits = numbers.below(17);
    1 + numbers.below(1 << bits)
}

/// How a join went.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    joins: u32,
    /// A certain boundary among the first eight frames.
    soon: u32,
    /// A frame that is none, called certain.
    wrong: u32,
}

fn join(made: Made, from: Role, numbers: &mut Numbers, tally: &mut Tally) {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    // Enough that the last of the first eight is followed by a chain.
    while starts.len() < 24 {
        let len = len(numbers);
        let (opcode, payload) = payload(made, len, numbers);
        starts.push(bytes.len() as u64);
        let key = (from == Role::Client).then(|| numbers.key());
        let mut one = frame(opcode & 15, true, key, &payload);
        one[0] |= opcode & 0x40;
        bytes.extend(one);
    }
    // Somewhere in the first frame.
    let cut = 1 + numbers.below(starts[1] as usize - 1);
    let negotiated = match made {
        #[cfg(feature = "deflate")]
        Made::Compressed => Negotiated::new().extensions("permessage-deflate"),
        _ => Negotiated::new(),
    };
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

/// `JOINS`: how many of each kind; few unless it is said.
fn joins(default: u32) -> u32 {
    #[cfg(feature = "std")]
    if let Ok(joins) = std::env::var("JOINS") {
        return joins.parse().unwrap();
    }
    default
}

/// Masked: a certain boundary within eight frames in 999 of 1,000 joins, and a false one in one of 1,000
/// at most.
#[test]
fn masked_frames_are_found() {
    for &made in MADE {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ made as u64);
        let mut tally = Tally::default();
        for _ in 0..joins(12) {
            join(made, Role::Client, &mut numbers, &mut tally);
        }
        #[cfg(feature = "std")]
        std::eprintln!("masked {made:?}: {tally:?}");
        assert!(tally.soon * 1000 >= tally.joins * 999, "{made:?} {tally:?}");
        assert!(tally.wrong * 1000 <= tally.joins, "{made:?} {tally:?}");
    }
}

/// Not masked: text as well; where the payload may read as frames it is recorded.
#[test]
fn text_of_a_server_is_found() {
    for &made in MADE {
        let mut numbers = Numbers(0x2545_f491_4f6c_dd1d ^ made as u64);
        let mut tally = Tally::default();
        for _ in 0..joins(12) {
            join(made, Role::Server, &mut numbers, &mut tally);
        }
        #[cfg(feature = "std")]
        std::eprintln!("not masked {made:?}: {tally:?}");
        if matches!(made, Made::Json | Made::Utf8) {
            assert!(tally.soon * 1000 >= tally.joins * 999, "{made:?} {tally:?}");
            assert!(tally.wrong * 1000 <= tally.joins, "{made:?} {tally:?}");
        }
    }
}

/// RFC 7692 §7.2.2: after a message that was missed another one may refer to it: what is told is
/// right, or nothing is.
#[cfg(feature = "deflate")]
#[test]
fn never_a_wrong_text() {
    use crate::extension::PermessageDeflate;
    use crate::{Connection, ServerConfig};

    let agreed = Negotiated::new().extensions("permessage-deflate");
    let config = ServerConfig::upgraded().deflate(PermessageDeflate::client());
    let mut ws = Connection::upgraded_server(&config, agreed.clone());
    let texts = [
        "bobby says hello to everyone in the room",
        "alice says hello to everyone in the room",
        "alice says hello again",
        "0123456789 nothing of it was said before",
        "nothing of it was said before: 0123456789",
    ];
    let frames: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| {
            ws.send_with(*text, crate::extension::Compress::Always)
                .unwrap();
            let frame = ws.output().to_vec();
            ws.consume_output(frame.len());
            frame
        })
        .collect();
    for missed in 0..texts.len() {
        for whole in [true, false] {
            let mut observer = Observer::upgraded(&ObserverConfig::new(), agreed.clone());
            for (n, frame) in frames.iter().enumerate() {
                if n == missed {
                    // All of it, or all but its header: the next frame is known then.
                    let kept = if whole { 0 } else { 2 };
                    see(&mut observer, Role::Server, &frame[..kept]);
                    observer.gap(Role::Server, (frame.len() - kept) as u64);
                    continue;
                }
                for told in see(&mut observer, Role::Server, frame) {
                    if let Told::Message(_, _, payload, content, violation) = told {
                        assert!(!violation, "nobody broke a rule");
                        match content {
                            Content::Whole => assert_eq!(payload, texts[n].as_bytes()),
                            Content::Unknown => assert!(texts[n].as_bytes().starts_with(&payload)),
                            content => panic!("{content:?}"),
                        }
                    }
                }
            }
        }
    }
}

/// Frames of a client under keys that differ, as a search wants them.
fn masked(texts: core::ops::Range<u8>) -> Vec<u8> {
    texts
        .flat_map(|n| frame(1, true, Some([n, 7, n ^ 9, 3]), b"some text"))
        .collect()
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

/// RFC 7692 §7.1.1.1: without a context a message says all by itself, whatever was missed before it.
#[cfg(feature = "deflate")]
#[test]
fn without_a_context_nothing_is_unknown() {
    use crate::extension::{Compress, PermessageDeflate};
    use crate::{Connection, ServerConfig};

    let agreed = Negotiated::new()
        .extensions("permessage-deflate; server_no_context_takeover; server_max_window_bits=9");
    let config = ServerConfig::upgraded().deflate(PermessageDeflate::client());
    let mut ws = Connection::upgraded_server(&config, agreed.clone());
    let mut observer = Observer::upgraded(&ObserverConfig::new(), agreed);
    let mut whole = 0;
    for n in 0..5 {
        ws.send_with("said again and again", Compress::Always)
            .unwrap();
        let frame = ws.output().to_vec();
        ws.consume_output(frame.len());
        if n == 1 {
            see(&mut observer, Role::Server, &frame[..2]);
            observer.gap(Role::Server, frame.len() as u64 - 2);
            continue;
        }
        whole += see(&mut observer, Role::Server, &frame)
            .iter()
            .filter(|told| matches!(told, Told::Message(_, _, _, Content::Whole, false)))
            .count();
    }
    assert_eq!(whole, 4);
}

/// More waits for an answer than may, so that messages are missed: those after them may refer to them.
#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_after_what_was_dropped() {
    use crate::Connection;
    use crate::config::ClientConfig;
    use crate::entropy::Entropy;
    use crate::error::NoEntropy;
    use crate::extension::{Compress, PermessageDeflate};
    use alloc::boxed::Box;

    struct Keys(u8);

    impl Entropy for Keys {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
            self.0 = self.0.wrapping_add(17);
            out.fill(self.0);
            Ok(())
        }
    }

    let agreed = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let request = REQUEST.replace("\r\n\r\n", &format!("\r\n{agreed}"));
    let answer = ANSWER.replace("\r\n\r\n", &format!("\r\n{agreed}"));
    let config = ClientConfig::new().deflate(PermessageDeflate::client());
    let negotiated = Negotiated::new().extensions("permessage-deflate");
    let mut ws = Connection::upgraded_client_with_entropy(&config, negotiated, Box::new(Keys(0)));
    let mut say = |n: usize| {
        let text = format!("message {n}, which says nothing that was not said before");
        ws.send_with(&*text, Compress::Always).unwrap();
        let bytes = ws.output().to_vec();
        ws.consume_output(bytes.len());
        (text, bytes)
    };
    let mut limits = Limits::server();
    limits.held = 20;
    let mut observer = Observer::new(&ObserverConfig::new().limits(limits));
    see(&mut observer, Role::Client, request.as_bytes());
    let told = see(&mut observer, Role::Client, &say(0).1);
    assert_eq!(told, [Told::Opaque(false)]);
    see(&mut observer, Role::Server, answer.as_bytes());
    let (mut found, mut texts) = (0, Vec::new());
    for n in 1..30 {
        let (text, bytes) = say(n);
        texts.push(text);
        for told in see(&mut observer, Role::Client, &bytes) {
            if let Told::Message(_, _, payload, content, violation) = told {
                found += 1;
                assert!(!violation && content != Content::Corrupt, "message {n}");
                let whole = texts.iter().any(|text| text.as_bytes() == payload);
                assert!(content != Content::Whole || whole);
            }
        }
    }
    assert!(found > 20, "{found}");
    assert_eq!(observer.report().client_violations, 0);
}
