//! Messages past the queue: `send_through` does what `send`, a write and `consume_output` do (TX-2, TX-4, M-8).

use std::borrow::Cow;

use sansocket::config::Limits;
use sansocket::error::SendError;
use sansocket::event::{Payload, Text};
use sansocket::{Connection, Message, Outgoing, Part, Prepared, Role};

use crate::support::*;

/// All that waits, and in how many pieces.
fn waiting(ws: &Connection) -> (Vec<u8>, usize) {
    let mut slices = vec![&[][..]; 100];
    let filled = ws.output_slices(&mut slices);
    (slices[..filled].concat(), filled)
}

/// The same message in both ways, of which the transport takes `taken` bytes, with `before` in the queue: what
/// was given, what waits then, and how it counts until it has left.
fn both_ways<M: Outgoing>(
    open: impl Fn() -> Connection,
    mut message: impl FnMut() -> M,
    taken: usize,
) -> Vec<usize> {
    let (mut queued, mut through) = (open(), open());
    queued.send(message()).unwrap_or_else(|_| panic!());
    let (all, pieces) = waiting(&queued);
    let mut given = Vec::new();
    let mut places = Vec::new();
    let sent = through.send_through(message(), |slices| {
        given = slices.concat();
        places = slices.iter().map(|slice| slice.as_ptr().addr()).collect();
        taken
    });
    assert!(sent.is_ok());
    if pieces <= 16 {
        assert_eq!(given, all);
    } else {
        assert_eq!(given, all[..given.len()]);
    }
    queued.consume_output(taken.min(given.len()));
    assert_eq!(through.next_deadline(), queued.next_deadline());
    // What comes after it counts as before.
    for ws in [&mut queued, &mut through] {
        ws.send("after").unwrap();
    }
    let mut left = usize::MAX;
    while left > 0 {
        assert_eq!(waiting(&through).0, waiting(&queued).0, "{taken}");
        assert_eq!(
            through.buffered_amount(),
            queued.buffered_amount(),
            "{taken}"
        );
        left = queued.output_len();
        let step = (left / 3).max(1);
        queued.consume_output(step);
        through.consume_output(step);
    }
    places
}

/// Numbers of bytes at which something ends in `len` bytes, and around them.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    let ends = [0, 2, 4, 8, 10, 14, len / 2, len].into_iter();
    ends.flat_map(|end| [end.saturating_sub(1), end, end + 1])
        .chain([usize::MAX])
}

/// TX-2: whatever is sent, whatever waits before it, and wherever the transport stops.
#[test]
fn any_message_at_any_cut() {
    for role in ROLES {
        let one_waits = || {
            let mut ws = open(role);
            ws.send("first").unwrap();
            ws.ping(b"p").unwrap();
            ws
        };
        let pieces_wait = |count: usize| {
            move || {
                let mut ws = open(role);
                for _ in 0..count {
                    ws.send(vec![1; 5000]).unwrap();
                }
                ws
            }
        };
        let part_left = || {
            let mut ws = one_waits();
            ws.consume_output(4);
            ws
        };
        let opens: [&dyn Fn() -> Connection; 6] = [
            &|| open(role),
            &one_waits,
            &part_left,
            &pieces_wait(3),
            &pieces_wait(7),
            &pieces_wait(40),
        ];
        for open in opens {
            for len in [0, 1, 125, 126, 70_000] {
                let bytes = vec![7; len];
                let text = "x".repeat(len);
                for taken in cuts(open().output_len() + len) {
                    both_ways(open, || &bytes[..], taken);
                    both_ways(open, || &*text, taken);
                }
                let prepared = Prepared::binary(&bytes);
                for taken in [0, 3, len, usize::MAX] {
                    both_ways(open, || &prepared, taken);
                    both_ways(open, || bytes.clone(), taken);
                    both_ways(open, || text.clone(), taken);
                    both_ways(open, || Cow::Borrowed(&*text), taken);
                    both_ways(open, || Message::text(&*text), taken);
                    both_ways(open, || Text::from(&*text), taken);
                    both_ways(open, || Payload::from(&bytes[..]), taken);
                    both_ways(open, || [7; 10], taken);
                    both_ways(open, || bytes.clone().into_boxed_slice(), taken);
                    both_ways(open, || Cow::<[u8]>::Owned(bytes.clone()), taken);
                    both_ways(open, || Cow::<str>::Owned(text.clone()), taken);
                }
            }
        }
    }
}

/// A server's payload goes out from where it lies, a client's if it may be changed there (§5.3).
#[test]
fn a_borrowed_payload_is_not_copied() {
    for role in ROLES {
        let bytes = [7; 300];
        let places = both_ways(|| open(role), || &bytes, usize::MAX);
        let at = bytes.as_ptr().addr();
        assert_eq!(places.contains(&at), role == Role::Server);
        // After what waits, too.
        let one_waits = || {
            let mut ws = open(role);
            ws.send("first").unwrap();
            ws
        };
        let places = both_ways(one_waits, || &bytes, 20);
        assert_eq!(places.contains(&at), role == Role::Server);
        let prepared = Prepared::binary(&bytes);
        let places = both_ways(|| open(role), || &prepared, usize::MAX);
        assert_eq!(places.len() == 2, role == Role::Server);

        let mut queued = open(role);
        queued.send(&bytes).unwrap();
        let expected = waiting(&queued).0;
        for taken in cuts(expected.len()) {
            let mut own = bytes;
            let at = own.as_ptr().addr();
            let mut ws = open(role);
            let mut given = Vec::new();
            ws.send_through(&mut own[..], |slices| {
                assert_eq!((slices.len(), slices[1].as_ptr().addr()), (2, at));
                given = slices.concat();
                taken
            })
            .unwrap();
            assert_eq!(given, expected);
            let left = &expected[taken.min(expected.len())..];
            assert_eq!(waiting(&ws).0, left);
            assert_eq!(own == bytes, role == Role::Server);
        }
        // By `send` it is copied like any other.
        let mut own = bytes;
        let mut ws = open(role);
        ws.send(&mut own[..]).unwrap();
        assert_eq!((waiting(&ws).0, own), (expected, bytes));
    }
}

/// What the transport does not take of a frame that connections share stays shared: a broadcast to slow peers takes no
/// memory for each.
#[test]
fn the_rest_of_a_prepared_message_is_shared() {
    let prepared = Prepared::binary(&[7; 1 << 16]);
    let mut queued = open(Role::Server);
    queued.send(&prepared).unwrap();
    let expected = waiting(&queued).0;
    for taken in cuts(expected.len()) {
        let mut ws = open(Role::Server);
        ws.send_through(&prepared, |_| taken).unwrap();
        let held = ws.memory_held();
        assert!(held < 1 << 10, "{held} after {taken}");
        // What has left takes nothing.
        assert_eq!(held == 0, taken >= expected.len(), "{held} after {taken}");
        let left = &expected[taken.min(expected.len())..];
        assert!(waiting(&ws).0 == left, "after {taken}");
    }
}

/// A message that was lent from the input is sent back from there.
#[test]
fn an_echo_is_not_copied() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            let mut ws = open(role);
            let mut read = encode_for(role, &[Frame::new(kind, &*"hello ".repeat(50))]);
            let range = read.as_ptr_range();
            let (from, to) = (range.start.addr(), range.end.addr());
            let mut input = &mut read[..];
            let Some(sansocket::Event::Message(message)) = ws.receive(&mut input) else {
                panic!()
            };
            let mut output = Vec::new();
            let mut in_place = false;
            ws.send_through(message, |slices| {
                let at = slices[slices.len() - 1].as_ptr().addr();
                in_place = (from..to).contains(&at);
                output = slices.concat();
                output.len()
            })
            .unwrap();
            let sent = decode(&output).remove(0);
            assert_eq!(sent.payload, "hello ".repeat(50).as_bytes());
            assert_eq!(in_place, role == Role::Server || kind == BINARY);
            assert_eq!((ws.output_len(), ws.memory_held() == 0), (0, in_place));
        }
    }
}

/// What cannot go out as it is goes through the queue: split, under a ceiling, with a ping that waits for its answer.
#[test]
fn what_is_not_one_frame_goes_through_the_queue() {
    for role in ROLES {
        let split = || match role {
            Role::Server => server(&server_config().fragment(1000)),
            Role::Client => client(&client_config().fragment(1000)),
        };
        let mut limits = Limits::server();
        limits.memory = 1 << 20;
        let bounded = || match role {
            Role::Server => server(&server_config().limits(limits)),
            Role::Client => client(&client_config().limits(limits)),
        };
        let pinged = || {
            let mut ws = open(role);
            ws.advance_time(core::time::Duration::ZERO);
            ws.ping(b"waits").unwrap();
            ws.consume_output(3);
            ws
        };
        let opens: [&dyn Fn() -> Connection; 3] = [&split, &bounded, &pinged];
        for open in opens {
            for len in [0, 10, 1000, 5000, 40_000] {
                let bytes = vec![7; len];
                for taken in cuts(len) {
                    both_ways(open, || &bytes[..], taken);
                }
            }
        }
    }
}

/// What is refused comes back as it was, and nothing is written.
#[test]
fn a_refused_message_is_not_written() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send_part(Part::text(b"begun")).unwrap();
        let mut bytes = [7; 10];
        let unsent = ws.send_through(&mut bytes[..], |_| panic!()).unwrap_err();
        assert_eq!((unsent.why, bytes), (SendError::MessageInProgress, [7; 10]));
        let unsent = ws.send_through(vec![7; 10], |_| panic!()).unwrap_err();
        assert_eq!(unsent.message, [7; 10]);
        let unsent = ws
            .send_through(Payload::from(&mut bytes[..]), |_| panic!())
            .unwrap_err();
        assert_eq!(unsent.message, [7; 10]);
        ws.close(None, "").unwrap();
        let unsent = ws.send_through("late", |_| panic!()).unwrap_err();
        assert_eq!(unsent.why, SendError::Closing);
    }
}

/// The bytes that leave count for the deadlines as they do by `consume_output`: output that went past the queue has
/// left.
#[test]
fn what_went_past_the_queue_has_left() {
    for role in ROLES {
        let mut ws = open(role);
        let mut bytes = [7; 10];
        ws.send_through(&mut bytes[..], |_| usize::MAX).unwrap();
        assert!(ws.output().is_empty() && ws.buffered_amount() == 0);
        ws.close(None, "").unwrap();
        assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, "")]);
    }
}
