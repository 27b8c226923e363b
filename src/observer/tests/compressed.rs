//! Conversations with permessage-deflate (RFC 7692).

use alloc::boxed::Box;

use proptest::prelude::*;

use crate::config::ClientConfig;
use crate::entropy::Entropy;
use crate::error::NoEntropy;
use crate::extension::{Compress, PermessageDeflate};
use crate::{Connection, OriginPolicy, ServerConfig};

use super::conversations::{converse, cuts, sayings};
use super::joins::{Made, joins};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// An observer tells exactly what both ends saw, however the bytes are cut.
    #[test]
    fn it_tells_what_both_ends_saw(said in sayings(), cut in cuts()) {
        let deflate = PermessageDeflate::client();
        let server = ServerConfig::new(OriginPolicy::Application).deflate(deflate.clone());
        converse(said, cut, &ClientConfig::new().deflate(deflate), &server);
    }
}

/// Compressed frames that are masked are found as others are; those that are not are recorded.
#[test]
fn compressed_frames_are_found() {
    let made = Made {
        name: "compressed",
        payload: |len, numbers| {
            let mut text = String::new();
            for _ in 0..len / 4 {
                text = text + &format!("{},", numbers.below(5000));
            }
            let packed = PermessageDeflate::client().compress(15, text.as_bytes());
            (0x42, packed)
        },
        negotiated: || Negotiated::new().extensions("permessage-deflate"),
    };
    let tally = joins(&made, Role::Client, 0x9e37_79b9_7f4a_7c15 ^ 4);
    assert!(tally.is_good(), "{tally:?}");
    joins(&made, Role::Server, 0x2545_f491_4f6c_dd1d ^ 4);
}

/// RFC 7692 §7.2.2: after a message that was missed another one may refer to it: what is told is
/// right, or nothing is.
#[test]
fn never_a_wrong_text() {
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
            ws.send_with(*text, Compress::Always).unwrap();
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
                            Content::Unknown => assert!(payload.is_empty(), "the missed one"),
                            // Which of it is known: `what_is_known_was_sent`.
                            Content::Holes => assert!(payload.len() < texts[n].len()),
                            content => panic!("{content:?}"),
                        }
                    }
                }
            }
        }
    }
}

/// RFC 7692 §7.1.1.1: without a context a message says all by itself, whatever was missed before it.
#[test]
fn without_a_context_nothing_is_unknown() {
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
            miss(&mut observer, &frame);
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
#[test]
fn compressed_messages_after_what_was_dropped() {
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

/// A message that inflates to more than the limit is cut there.
#[test]
fn a_bomb_is_cut() {
    let mut limits = Limits::server();
    limits.message = 1000;
    let config = ObserverConfig::new()
        .extension(PermessageDeflate::client())
        .limits(limits);
    let agreed = Negotiated::new().extensions("permessage-deflate");
    let mut observer = Observer::upgraded(&config, agreed);
    let mut bomb = frame(
        2,
        true,
        None,
        &PermessageDeflate::client().compress(15, &[0; 100_000]),
    );
    bomb[0] |= 0x40;
    let told = see(&mut observer, Role::Server, &bomb);
    let Told::Message(_, _, payload, Content::Cut, false) = &told[1] else {
        panic!("{told:?}");
    };
    assert!(payload.len() <= 1000);
}

/// RFC 7692 §7.2.3.4: a message that ends with a final block is whole; lengths as they were sent and as they came
/// out; the codec counts as memory.
#[test]
fn lengths_of_messages() {
    let agreed = Negotiated::new().extensions("permessage-deflate");
    let mut observer = Observer::upgraded(&ObserverConfig::new(), agreed);
    let plain = frame(1, false, None, b"He");
    let rest = frame(0, true, None, b"llo");
    let mut hello = frame(1, true, None, b"\xf3\x48\xcd\xc9\xc9\x07\x00");
    hello[0] |= 0x40;
    let bytes = [plain, rest, hello].concat();
    let (mut input, mut told) = (&bytes[..], Vec::new());
    while let Some(seen) = observer.see(Role::Server, &mut input) {
        if let Seen::Message(own) = seen {
            assert_eq!((own.payload, own.content), (&b"Hello"[..], Content::Whole));
            told.push((own.len, own.wire_len, own.frames, own.encoded));
        }
    }
    assert_eq!(told, [(5, 5, 2, false), (5, 7, 1, true)]);
    assert!(
        observer.memory_held() > 32 << 10,
        "{}",
        observer.memory_held()
    );
}

/// What a server says in turn, each a frame that may refer to those before it.
fn frames(texts: &[String], agreed: &Negotiated) -> Vec<Vec<u8>> {
    let config = ServerConfig::upgraded().deflate(PermessageDeflate::client());
    let mut ws = Connection::upgraded_server(&config, agreed.clone());
    let frame = |text: &String| {
        ws.send_with(&**text, Compress::Always).unwrap();
        let frame = ws.output().to_vec();
        ws.consume_output(frame.len());
        frame
    };
    texts.iter().map(frame).collect()
}

/// Texts that come again in the next ones.
const HELLOS: [&str; 3] = [
    "so: alice says hello",
    "alice says hello again",
    "alice says hello",
];

/// Bytes that are known, and `None` for those that are not.
fn known(message: &SeenMessage<'_>) -> Vec<Option<u8>> {
    let mut bytes = Vec::new();
    for stretch in message.stretches() {
        match stretch {
            Stretch::Known(known) => bytes.extend(known.iter().map(|&byte| Some(byte))),
            Stretch::Hole(len) => bytes.resize(bytes.len() + usize::try_from(len).unwrap(), None),
        }
    }
    bytes
}

/// Each message with what is known of it, after the first `lost` frames and without frame `also`.
fn joined(
    frames: &[Vec<u8>],
    agreed: &Negotiated,
    (lost, also, cut): (usize, usize, usize),
) -> Vec<(usize, Content, Vec<Option<u8>>)> {
    let mut observer = Observer::upgraded(&ObserverConfig::new(), agreed.clone());
    let mut told = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        if n < lost || n == also {
            miss(&mut observer, frame);
            see(&mut observer, Role::Server, b"");
            continue;
        }
        for mut piece in frame.chunks(cut) {
            while let Some(seen) = observer.see(Role::Server, &mut piece) {
                if let Seen::Message(message) = seen {
                    assert_eq!(message.violation, None);
                    told.push((n, message.content, known(&message)));
                }
            }
        }
    }
    told
}

/// Short texts in which one name, and some words, come again.
fn talk() -> impl Strategy<Value = Vec<String>> {
    let name = prop_oneof![Just("alice"), Just("bobby"), Just("zoë ☃")];
    let rest = prop_oneof![
        Just(" says hello to everyone in the room".to_owned()),
        Just(" says hello again".to_owned()),
        "[a-z ]{0,12}",
    ];
    let one = (name, rest).prop_map(|(name, rest)| format!("{name}{rest}"));
    prop::collection::vec(one, 2..14)
        .prop_map(|texts| texts.into_iter().filter(|text| text.len() < 90).collect())
}

/// RFC 7692 §7.2.2: one message was not seen, and the next ones copy from it.
#[test]
fn holes_have_their_length() {
    let agreed = Negotiated::new().extensions("permessage-deflate");
    let texts = [
        "so: alice says hello",
        "alice says hello again",
        "bobby: alice says hello",
    ];
    let frames = frames(&texts.map(str::to_owned), &agreed);
    let told = joined(&frames, &agreed, (1, 9, 99));
    let [(1, Content::Holes, again), (2, Content::Holes, bobby)] = &told[..] else {
        panic!("{told:?}");
    };
    // All of what comes again is a hole; the rest is known.
    let holes = |n| core::iter::repeat_n(None, n);
    let bytes = |text: &'static str| text.bytes().map(Some);
    assert_eq!(*again, holes(16).chain(bytes(" again")).collect::<Vec<_>>());
    assert_eq!(*bobby, bytes("bobby").chain(holes(18)).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What is told as known is what was sent, holes have their exact length, and only a message that is known as
    /// a whole is called whole, however the bytes are cut and whichever messages are missing.
    #[test]
    fn what_is_known_was_sent(
        texts in talk(), lost in 0_usize..4, also in 0_usize..14, cut in 1_usize..40, bits in 9..=15,
    ) {
        let agreed = format!("permessage-deflate; server_max_window_bits={bits}");
        let agreed = Negotiated::new().extensions(agreed);
        let frames = frames(&texts, &agreed);
        for (n, content, bytes) in joined(&frames, &agreed, (lost, also, cut)) {
            let text = texts[n].as_bytes();
            prop_assert_eq!(bytes.len(), text.len(), "{}", n);
            for (own, sent) in bytes.iter().zip(text) {
                prop_assert!(own.is_none_or(|own| own == *sent), "{}", n);
            }
            let whole = bytes.iter().all(Option::is_some);
            prop_assert_eq!(content, if whole { Content::Whole } else { Content::Holes });
            prop_assert!(whole || n >= lost.min(also));
        }
    }
}

/// After as many known bytes as the window has, nothing that was missed can be referred to: one codec is enough.
#[test]
fn what_was_missed_leaves_the_window() {
    let agreed = Negotiated::new().extensions("permessage-deflate; server_max_window_bits=9");
    let texts: Vec<String> = (0..200).map(|n| format!("{n}: {}", n * n % 977)).collect();
    let frames = frames(&texts, &agreed);
    let mut observer = Observer::upgraded(&ObserverConfig::new(), agreed);
    miss(&mut observer, &frames[0]);
    let mut held = Vec::new();
    for frame in &frames[1..] {
        let told = see(&mut observer, Role::Server, frame);
        let content = told.iter().find_map(|told| match told {
            Told::Message(_, _, _, content, _) => Some(*content),
            _ => None,
        });
        held.push((content.unwrap(), observer.memory_held()));
    }
    let [first, .., last] = &held[..] else {
        panic!()
    };
    assert_eq!(last.0, Content::Whole);
    assert!(first.1 > last.1 * 3 / 2, "{first:?} {last:?}");
}

/// What is unknown and said again is as unknown, however often: it never leaves the window.
#[test]
fn what_is_unknown_stays_so() {
    let agreed = Negotiated::new().extensions("permessage-deflate; server_max_window_bits=9");
    let text = "alice says hello";
    let mut texts = vec![text.to_owned(); 100];
    texts.insert(0, HELLOS[0].to_owned());
    let frames = frames(&texts, &agreed);
    let told = joined(&frames, &agreed, (1, texts.len(), 99));
    assert_eq!(told.len(), 100);
    for (n, content, bytes) in told {
        assert_eq!(content, Content::Holes, "{n}");
        assert_eq!(bytes, vec![None; text.len()], "{n}");
    }
}

/// A message that is cut at the limit leaves the window unknown, and holes count for the limit.
#[test]
fn the_limit_holds_with_holes() {
    let mut limits = Limits::server();
    limits.message = 20;
    let config = ObserverConfig::new().limits(limits);
    let agreed = Negotiated::new().extensions("permessage-deflate");
    let frames = frames(&HELLOS.map(str::to_owned), &agreed);
    let mut observer = Observer::upgraded(&config, agreed);
    miss(&mut observer, &frames[0]);
    see(&mut observer, Role::Server, b"");
    let mut told = Vec::new();
    for frame in &frames[1..] {
        let mut input = &frame[..];
        while let Some(seen) = observer.see(Role::Server, &mut input) {
            if let Seen::Message(message) = seen {
                told.push((message.content, known(&message)));
            }
        }
    }
    let mut cut = vec![None; 16];
    cut.extend(b" aga".map(Some));
    assert_eq!(
        told,
        [(Content::Cut, cut), (Content::Holes, vec![None; 16])]
    );
}

/// Parked between messages it takes the window alone, and what comes then is decoded as before; in one it stays.
#[test]
fn parked_between_messages() {
    let agreed = Negotiated::new().extensions("permessage-deflate");
    let frames = frames(&HELLOS.map(str::to_owned), &agreed);
    for lost in [false, true] {
        let mut observer = Observer::upgraded(&ObserverConfig::new(), agreed.clone());
        let mut other = Observer::upgraded(&ObserverConfig::new(), agreed.clone());
        for (n, frame) in frames.iter().enumerate() {
            if lost && n == 0 {
                for observer in [&mut observer, &mut other] {
                    miss(observer, frame);
                    see(observer, Role::Server, b"");
                }
                continue;
            }
            for piece in frame.chunks(5) {
                let told = see(&mut observer, Role::Server, piece);
                assert_eq!(told, see(&mut other, Role::Server, piece));
                observer.park();
            }
            // Two windows where it is not known what they had.
            let (held, other) = (observer.memory_held(), other.memory_held());
            let window = if lost { 68_000 } else { 3000 };
            assert!(held < window && held + 40_000 < other, "{held} {other}");
        }
    }
}

/// Given up, the window is unknown, and so is the rest of a message that has begun; its memory is free.
#[test]
fn a_context_that_is_given_up() {
    let agreed = Negotiated::new().extensions("permessage-deflate");
    let frames = frames(&HELLOS.map(str::to_owned), &agreed);
    let contents = |told: Vec<Told>| -> Vec<Content> {
        let content = |told: &Told| match told {
            Told::Message(_, _, _, content, _) => Some(*content),
            _ => None,
        };
        told.iter().filter_map(content).collect()
    };
    let mut observer = Observer::upgraded(&ObserverConfig::new(), agreed);
    let told = see(&mut observer, Role::Server, &frames[0]);
    assert_eq!(contents(told), [Content::Whole]);
    observer.forget_context();
    assert!(observer.memory_held() < 1000, "{}", observer.memory_held());
    let told = see(&mut observer, Role::Server, &frames[1]);
    assert_eq!(contents(told), [Content::Holes]);
    see(&mut observer, Role::Server, &frames[2][..3]);
    observer.forget_context();
    let told = see(&mut observer, Role::Server, &frames[2][3..]);
    assert_eq!(contents(told), [Content::Unknown]);
    // What is not compressed needs no context.
    see(&mut observer, Role::Server, b"\x01\x01a");
    observer.forget_context();
    let told = see(&mut observer, Role::Server, b"\x80\x01b");
    assert_eq!(contents(told), [Content::Whole]);
}
