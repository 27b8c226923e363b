//! `buffered_amount` with compressed messages in the queue: payload as it was handed in, gone when the last
//! byte of its frame is.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::sample::select;
use sansocket::extension::Compress;
use sansocket::{Connection, Kind, Negotiated, Part, Prepared, Role};

use super::{End, NO_TAKEOVER, TAKEOVER, answer};
use crate::support::*;

#[derive(Debug, Clone)]
enum Act {
    Send(usize, Compress),
    Give(usize),
    Part(usize, bool),
    Prepared(usize),
    InPieces(usize),
    Ping,
    Take(usize),
    TakeAll,
}

fn act() -> impl Strategy<Value = Act> {
    let len = || prop_oneof![4 => 0usize..300, 1 => 4000usize..9000, 1 => 40_000usize..44_000];
    let compress = select(vec![Compress::Never, Compress::Always, Compress::Alone]);
    prop_oneof![
        4 => (len(), compress).prop_map(|(len, compress)| Act::Send(len, compress)),
        1 => len().prop_map(Act::Give),
        4 => (len(), any::<bool>()).prop_map(|(len, last)| Act::Part(len, last)),
        1 => len().prop_map(Act::Prepared),
        1 => len().prop_map(Act::InPieces),
        2 => Just(Act::Ping),
        6 => prop_oneof![1usize..6, 1usize..200, 1usize..20_000].prop_map(Act::Take),
        1 => Just(Act::TakeAll),
    ]
}

/// What the frames in the queue count, in order, and what of the first one is gone.
#[derive(Default)]
struct Model {
    /// Per data frame: payload as handed in, and whether it counts as a whole only.
    frames: VecDeque<(u64, bool)>,
    taken: usize,
}

impl Model {
    /// What is buffered, by a look at the frames in the queue.
    fn buffered(&self, queue: &[u8]) -> u64 {
        let mut counts = self.frames.iter();
        let mut sum = 0;
        let mut gone = self.taken;
        for frame in decode(queue) {
            let len = frame.encode().len();
            if frame.opcode < 8 {
                let &(count, whole) = counts.next().expect("a frame that was queued");
                let header = len - frame.payload.len();
                let gone = (gone.max(header) - header) as u64;
                sum += if whole {
                    count
                } else {
                    count - gone.min(count)
                };
            }
            gone = 0;
        }
        assert!(counts.next().is_none());
        sum
    }
}

fn queue_of(ws: &Connection, consumed: &[u8]) -> Vec<u8> {
    let mut slices = vec![&[][..]; 8192];
    let filled = ws.output_slices(&mut slices);
    assert!(filled < slices.len());
    [consumed, &slices[..filled].concat()].concat()
}

/// Any acts, one after the other: what is buffered is what the model says, after each.
fn counts(role: Role, takeover: bool, compression: bool, fragment: u32, acts: Vec<Act>) {
    let params = if takeover { TAKEOVER } else { NO_TAKEOVER };
    let negotiated = if compression {
        answer(params)
    } else {
        Negotiated::new()
    };
    let mut limits = sansocket::config::Limits::trusted();
    limits.output = u32::MAX;
    let mut ws = End {
        fragment,
        limits,
        ..End::default()
    }
    .open(role, negotiated);
    let mut model = Model::default();
    // Bytes of the frame at the front that were consumed.
    let mut front: Vec<u8> = Vec::new();
    let mut in_parts = false;
    let text = |len: usize| {
        "some text and "
            .bytes()
            .cycle()
            .take(len)
            .collect::<Vec<u8>>()
    };
    for act in acts {
        // Frames before the act, to see which ones it adds.
        let before = data_frames(&queue_of(&ws, &front));
        let plain = matches!(act, Act::Send(_, Compress::Never) | Act::InPieces(_));
        let compressed = compression && !plain;
        let mut counted = None;
        match act {
            Act::Send(..) | Act::Give(_) | Act::Prepared(_) | Act::InPieces(_) if in_parts => {
                continue;
            }
            Act::Send(len, compress) => {
                ws.send_with(&text(len), compress).unwrap();
                counted = Some(len);
            }
            Act::Give(len) => {
                ws.send(text(len)).unwrap();
                counted = Some(len);
            }
            Act::Prepared(len) => {
                let prepared = Prepared::binary(&text(len)).with_deflate(3, &[15]);
                ws.send(&prepared).unwrap();
                counted = Some(len);
            }
            Act::InPieces(len) => {
                ws.begin_message(Kind::Binary, len as u64).unwrap();
                ws.ping(b"waits").unwrap();
                let text = text(len);
                let (a, b) = text.split_at(len / 3);
                if len > 0 {
                    ws.write_message(a).unwrap();
                    ws.write_message(b).unwrap();
                }
                counted = Some(len);
            }
            Act::Part(len, last) => {
                ws.send_part(Part::binary(&text(len)).last_if(last))
                    .unwrap();
                in_parts = !last;
                counted = Some(len);
            }
            Act::Ping => ws.ping(b"control").unwrap(),
            Act::Take(n) => {
                let queue = queue_of(&ws, &front);
                let n = n.min(ws.output_len());
                ws.consume_output(n);
                let gone = &queue[..front.len() + n];
                let (frames, rest) = decode_prefix(gone);
                let whole = frames.iter().filter(|frame| frame.opcode < 8).count();
                model.frames.drain(..whole);
                front = rest.to_vec();
            }
            Act::TakeAll => {
                ws.consume_output(usize::MAX);
                model.frames.clear();
                front.clear();
            }
        }
        if let Some(len) = counted {
            let new = data_frames(&queue_of(&ws, &front)) - before;
            for i in 0..new {
                let last = i + 1 == new;
                model.frames.push_back(match compressed {
                    // A message that is split counts with its last frame.
                    true => (if last { len as u64 } else { 0 }, true),
                    false => {
                        let size = fragment as usize;
                        let piece = if new == 1 {
                            len
                        } else if last {
                            len - i * size
                        } else {
                            size
                        };
                        (piece as u64, false)
                    }
                });
            }
        }
        model.taken = front.len();
        let queue = queue_of(&ws, &front);
        assert_eq!(ws.buffered_amount(), model.buffered(&queue));
    }
    ws.consume_output(usize::MAX);
    assert_eq!(ws.buffered_amount(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn payload_counts_until_its_frame_has_left(
        role in select(ROLES.to_vec()),
        takeover in any::<bool>(),
        compression in any::<bool>(),
        fragment in select(vec![0u32, 50, 3000]),
        acts in prop::collection::vec(act(), 1..30),
    ) {
        counts(role, takeover, compression, fragment, acts);
    }
}

/// Found by the test above: a payload of about the size from which it is queued by reference.
#[test]
fn a_prepared_message_of_which_one_byte_has_left() {
    let acts = vec![Act::Prepared(4092), Act::Take(1)];
    counts(Role::Server, false, false, 0, acts);
}

fn data_frames(queue: &[u8]) -> usize {
    let frames = decode(queue);
    frames.iter().filter(|frame| frame.opcode < 8).count()
}

/// WHATWG, `bufferedAmount`: it stays when the transport is lost.
#[test]
fn it_stays_when_the_transport_is_lost() {
    for role in ROLES {
        let mut ws = End::default().open(role, answer(TAKEOVER));
        ws.send("Hello").unwrap();
        ws.send_part(Part::text(b"and more")).unwrap();
        assert_eq!(ws.buffered_amount(), 13);
        ws.transport_lost();
        assert_eq!((ws.buffered_amount(), ws.output_len()), (13, 0));
    }
}

/// `take_buffer` takes nothing of what is needed: neither what waits in the queue nor the message in parts.
#[test]
fn reclaim_changes_no_count() {
    for role in ROLES {
        for step in [1, 2, 5, 1000] {
            let queued = || {
                let mut ws = End::default().open(role, answer(TAKEOVER));
                ws.send("Hello").unwrap();
                ws.send_part(Part::text(b"and ")).unwrap();
                ws
            };
            let (mut plain, mut reclaimed) = (queued(), queued());
            for _ in 0..2 {
                while plain.output_len() > 0 {
                    reclaimed.take_buffer();
                    plain.consume_output(step);
                    reclaimed.consume_output(step);
                    assert_eq!(reclaimed.buffered_amount(), plain.buffered_amount());
                }
                reclaimed.take_buffer();
                for ws in [&mut plain, &mut reclaimed] {
                    ws.send_part(Part::text(b"more")).unwrap();
                }
            }
        }
    }
}

/// Each message in parts may refer to the one before it (RFC 7692 §7.2.2), unless its first part says
/// otherwise; what is said with a later part does not count.
#[test]
fn the_first_part_says_whether_it_stands_alone() {
    let text = super::noise(1000);
    let len_of = |last: &[(&[u8], Compress)]| {
        let mut ws = End::default().open(Role::Server, answer(TAKEOVER));
        ws.send_part(Part::binary(&text).last()).unwrap();
        take_output(&mut ws);
        for (i, (part, compress)) in last.iter().enumerate() {
            let last = i + 1 == last.len();
            ws.send_part(Part::binary(part).last_if(last).compress(*compress))
                .unwrap();
        }
        take_output(&mut ws).len()
    };
    assert!(len_of(&[(&text, Compress::Always)]) < 200);
    assert!(len_of(&[(&text, Compress::Alone)]) > 900);
    let parts = |second| len_of(&[(b"a", Compress::Always), (&text, second)]);
    assert!(parts(Compress::Always) < 200);
    assert!(parts(Compress::Alone) < 200);
}

/// A part of a message and the frame of another connection's size: the sums of both ends of the queue.
#[test]
fn frame_by_frame() {
    let mut ws = End::default().open(Role::Server, answer(TAKEOVER));
    ws.send("Hello").unwrap();
    ws.ping(b"p").unwrap();
    ws.send_with("plain", Compress::Never).unwrap();
    ws.send("Hello").unwrap();
    // c1 07 …, 89 01 70, 81 05 plain, c1 05 …
    for (take, left) in [
        (8, 15),
        (1, 10),
        (3, 10),
        (2, 10),
        (2, 8),
        (3, 5),
        (6, 5),
        (1, 0),
    ] {
        ws.consume_output(take);
        assert_eq!(ws.buffered_amount(), left);
    }
    assert_eq!(ws.output_len(), 0);
}
