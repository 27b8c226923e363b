//! However the bytes come: the same events, the same failure, at the same byte (no cut makes a
//! difference; D-21), also where several things are wrong at once.

use proptest::prelude::*;
use proptest::sample::select;
use sansocket::config::{Delivery, Limits};
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::{Connection, Event, Role};

use super::{End, NO_TAKEOVER, TAKEOVER, answer, open};
use crate::support::*;

/// The payload of a compressed message, in a context of its own.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut sender = open(Role::Server, NO_TAKEOVER);
    sender.send_with(message, Compress::Always).unwrap();
    let frame = take_frames(&mut sender).remove(0);
    assert_eq!((frame.rsv, frame.fin), (4, true));
    frame.payload
}

/// In chunks each frame ends with an empty one, after all that had come inflates to: those without payload,
/// and those whose end cuts a code, too.
#[test]
fn the_ends_of_compressed_frames() {
    let content = "the same, and the same again; ".repeat(2000);
    let payload = compressed(content.as_bytes());
    for role in ROLES {
        for at in [0, 1, payload.len() / 2, payload.len() - 1] {
            let (first, second) = payload.split_at(at);
            let frames = [
                Frame {
                    rsv: 4,
                    ..Frame::new(TEXT, first).more()
                },
                Frame::new(CONTINUATION, "").more(),
                Frame::new(CONTINUATION, second),
            ];
            let mut ws = super::delivering(Delivery::Chunks, role, TAKEOVER);
            let mut bytes = encode_for(role, &frames);
            let mut input = &mut bytes[..];
            let (mut came, mut ends) = (0, Vec::new());
            while let Some(event) = ws.receive(&mut input) {
                let Event::Chunk(chunk) = event else {
                    panic!("{event:?}")
                };
                came += chunk.payload.len();
                assert_eq!(chunk.ends_frame, chunk.payload.is_empty());
                if chunk.ends_frame {
                    ends.push((came, chunk.last));
                }
            }
            let all = content.len();
            let early = ends.first().map_or(0, |(came, _)| *came);
            assert_eq!(ends, [(early, false), (early, false), (all, true)]);
            assert!((early == 0) == (at < 2) && early <= all, "{at}: {early}");
        }
    }
}

#[derive(Debug, Clone)]
enum Damage {
    None,
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => Just(Damage::None),
        4 => (any::<prop::sample::Index>(), 1u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..4).prop_map(Damage::Append),
    ]
}

fn damaged(mut payload: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let len = payload.len();
    match damage {
        Damage::None => {}
        Damage::Flip(at, bits) => payload[at.index(len)] ^= bits,
        Damage::Cut(at) => payload.truncate(at.index(len)),
        Damage::Append(bytes) => payload.extend(bytes),
    }
    payload
}

/// Mostly text, mostly valid, and some of it long.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => "[a-c ]{0,12}".prop_map(String::into_bytes),
        3 => select(vec!["ü", "世", "🌍", "Hello"]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => (any::<u8>(), 0usize..40_000).prop_map(|(byte, n)| vec![byte & 0x7f; n]),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

#[derive(Debug, Clone)]
struct Sent {
    opcode: u8,
    content: Vec<u8>,
    damage: Damage,
    /// Where the payload is cut into frames.
    cuts: Vec<prop::sample::Index>,
    /// A Ping stands between two of them.
    ping: bool,
}

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (
        select(vec![TEXT, BINARY]),
        content(),
        damage(),
        cuts,
        any::<bool>(),
    )
        .prop_map(|(opcode, content, damage, cuts, ping)| Sent {
            opcode,
            content,
            damage,
            cuts,
            ping,
        })
}

impl Sent {
    fn frames(&self) -> Vec<Frame> {
        let payload = damaged(compressed(&self.content), &self.damage);
        let mut ends: Vec<_> = self
            .cuts
            .iter()
            .map(|at| at.index(payload.len() + 1))
            .collect();
        ends.sort_unstable();
        ends.push(payload.len());
        let mut frames = Vec::new();
        let mut from = 0;
        for (i, &end) in ends.iter().enumerate() {
            let opcode = if i == 0 { self.opcode } else { CONTINUATION };
            frames.push(Frame {
                fin: i + 1 == ends.len(),
                rsv: if i == 0 { 4 } else { 0 },
                ..Frame::new(opcode, &payload[from..end])
            });
            if self.ping && i + 1 < ends.len() {
                frames.push(Frame::new(PING, "between"));
            }
            from = end;
        }
        frames
    }
}

#[derive(Debug, Clone)]
struct Setup {
    role: Role,
    takeover: bool,
    limit: u64,
    ratio: u32,
}

fn setup() -> impl Strategy<Value = Setup> {
    let limit = prop_oneof![Just(u64::MAX), 0u64..60, 30_000u64..90_000];
    (
        select(ROLES.to_vec()),
        any::<bool>(),
        limit,
        select(vec![0, 1, 20]),
    )
        .prop_map(|(role, takeover, limit, ratio)| Setup {
            role,
            takeover,
            limit,
            ratio,
        })
}

fn connect(setup: &Setup, delivery: Delivery) -> Connection {
    let mut limits = Limits::client();
    limits.message = setup.limit;
    let params = if setup.takeover {
        TAKEOVER
    } else {
        NO_TAKEOVER
    };
    End {
        deflate: PermessageDeflate::client().ratio(setup.ratio),
        delivery,
        limits,
        ..End::default()
    }
    .open(setup.role, answer(params))
}

/// The events of the reads, chunks joined, and how much had come when it failed.
fn play(
    setup: &Setup,
    delivery: Delivery,
    stream: bool,
    way: Way,
    reads: &[&[u8]],
) -> (Vec<Seen>, Option<usize>) {
    let mut driver = Driver::new(connect(setup, delivery), way);
    let (mut at, mut failed_at) = (0, None);
    for read in reads {
        driver.read_with(read, |ws, event| {
            if stream && matches!(event, Seen::Start { .. }) {
                ws.stream_message();
            }
        });
        at += read.len();
        if failed_at.is_none() && driver.failure().is_some() {
            failed_at = Some(at);
        }
    }
    (joined(&driver.finish().0), failed_at)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_cut_makes_a_difference(
        setup in setup(),
        sent in prop::collection::vec(sent(), 1..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        size in select(vec![1usize, 2, 7, 100]),
        way in select(WAYS.to_vec()),
    ) {
        let frames: Vec<_> = sent.iter().flat_map(Sent::frames).collect();
        let input = encode_for(setup.role, &frames);
        let each: Vec<_> = input.chunks(1).collect();
        let (events, failed_at) = play(&setup, Delivery::Whole, false, Way::Lent, &each);
        let mut ends: Vec<_> = cuts.iter().map(|at| at.index(input.len() + 1)).collect();
        ends.extend([0, input.len()]);
        ends.sort_unstable();
        let cut: Vec<_> = ends.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect();
        let sized: Vec<_> = input.chunks(size).collect();
        for reads in [&[&input[..]][..], &cut, &sized] {
            for (delivery, stream) in [
                (Delivery::Whole, false),
                (Delivery::Chunks, false),
                (Delivery::Ask, false),
                (Delivery::Ask, true),
            ] {
                if stream && way == Way::Target {
                    continue;
                }
                let (seen, at) = play(&setup, delivery, stream, way, reads);
                prop_assert_eq!(&seen, &events, "{:?} {:?} {}", way, delivery, stream);
                // With the read that has the byte which decides it.
                let mut end = 0;
                let reads_to = reads.iter().map(|read| { end += read.len(); end });
                let expected = failed_at.and_then(|at| reads_to.into_iter().find(|end| *end >= at));
                prop_assert_eq!(at, expected, "{:?} {:?} {}", way, delivery, stream);
            }
        }
    }
}

/// Long messages of many pieces, in every way: what the codec has not taken is masked again, kept, and
/// taken later.
#[test]
fn many_pieces() {
    let zeros = vec![0; 300_000];
    let text = "a line of text, then another one; "
        .repeat(8_000)
        .into_bytes();
    for role in ROLES {
        for (opcode, content) in [(BINARY, &zeros), (TEXT, &zeros), (TEXT, &text)] {
            let frames = Sent {
                opcode,
                content: content.clone(),
                damage: Damage::None,
                cuts: Vec::new(),
                ping: false,
            }
            .frames();
            let frames = [&frames[..], &[Frame::new(PING, "behind")], &frames].concat();
            let input = encode_for(role, &frames);
            let message = match opcode {
                TEXT => Seen::Text(String::from_utf8(content.clone()).unwrap()),
                _ => Seen::binary(content),
            };
            let setup = Setup {
                role,
                takeover: true,
                limit: content.len() as u64,
                ratio: 0,
            };
            for way in WAYS {
                for (delivery, stream) in [
                    (Delivery::Whole, false),
                    (Delivery::Chunks, false),
                    (Delivery::Ask, true),
                ] {
                    if stream && *way == Way::Target {
                        continue;
                    }
                    for size in [1, 50, 333, input.len()] {
                        let reads: Vec<_> = input.chunks(size).collect();
                        let (mut events, _) = play(&setup, delivery, stream, *way, &reads);
                        events.pop();
                        let expected = [message.clone(), Seen::ping("behind"), message.clone()];
                        assert!(events == expected, "{role:?} {way:?} {delivery:?} {size}");
                    }
                }
            }
        }
    }
}
