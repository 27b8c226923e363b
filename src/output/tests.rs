use super::{Opcode, Output};

/// RFC 6455 §5.5.3: after a frame in pieces the pongs that wait are bounded, and nothing else counts.
#[test]
fn of_what_is_deferred_only_pongs_count() {
    let mut output = Output::default();
    output.segments.get_or_insert_default().frame_left = 1;
    output.control(Opcode::Ping, None, b"");
    assert_eq!(output.deferred_pongs(), 0);
    output.control(Opcode::Pong, None, b"");
    output.control(Opcode::Close, None, b"");
    assert_eq!(output.deferred_pongs(), 1);
}

/// What waits for the end of a frame in pieces keeps nothing that has left.
#[test]
fn a_large_buffer_goes_though_something_is_deferred() {
    let mut output = Output::default();
    output.begin_frame(0x82, None, 100_000);
    output.frame_piece(None, 0, &[0; 50_000]);
    output.control(Opcode::Ping, None, b"");
    let ready = output.first().len();
    output.consume(ready);
    assert_eq!((output.len(), output.first().len()), (2, 0));
    assert!(output.memory_held() < 1000, "{}", output.memory_held());
}

/// What encoded frames count is a part of what is held and kept.
#[test]
fn what_encoded_frames_need_is_held_and_kept() {
    let mut segments = super::Segments::default();
    let empty = segments.held();
    assert!(segments.is_idle());
    segments.encoded.queued(0xc2, 1);
    assert!(!segments.is_idle());
    assert_eq!(segments.held(), empty + segments.encoded.held());
}

/// Content of HTTP is no payload, however much of it there is, and frames count again once it has left.
#[test]
fn content_does_not_count() {
    for skip in [0, u32::MAX - 2] {
        let mut output = Output {
            skip,
            ..Output::default()
        };
        output.content(b"abcd");
        output.consume(3);
        output.content(b"ef");
        assert_eq!((output.first(), output.buffered()), (&b"def"[..], 0));
        output.consume(3);
        output.frame(0x82, None, b"abc");
        assert_eq!(output.buffered(), 3);
        output.consume(4);
        assert_eq!(output.buffered(), 1);
    }
}

/// [`Limits::memory`](crate::config::Limits::memory): what finds no room has taken none.
#[test]
fn what_finds_no_room_takes_none() {
    type Reserve = fn(&mut Output, usize) -> bool;
    let reserves: [(&str, Reserve); 6] = [
        ("copied", |output, most| output.reserve_copied(3000, most)),
        ("handed over", |output, most| {
            output.reserve_handed_over(5000, 100, most)
        }),
        ("fragments", |output, most| {
            output.reserve_fragments(3000, 1000, most)
        }),
        ("encoded", |output, most| output.reserve_encoded(3000, most)),
        ("encoded fragments", |output, most| {
            output.reserve_encoded_fragments(3000, 1000, most)
        }),
        ("in pieces", Output::reserve_frame_in_pieces),
    ];
    let queues: [fn(&mut Output); 4] = [
        |_| (),
        |output| output.frame(0x82, None, &[0; 300]),
        |output| output.frame_owned(0x82, None, alloc::vec![0; 5000].into()),
        |output| {
            output.frame_owned(0x82, None, alloc::vec![0; 5000].into());
            output.frame(0x82, None, &[0; 300]);
        },
    ];
    for (name, reserve) in reserves {
        for (at, queue) in queues.into_iter().enumerate() {
            let mut made = 0;
            for most in (0..30_000).step_by(7) {
                let mut output = Output::default();
                queue(&mut output);
                let before = output.memory_held();
                if reserve(&mut output, most) {
                    made += 1;
                    assert!(
                        output.memory_held() <= most.max(before),
                        "{name} {at} {most}"
                    );
                } else {
                    assert_eq!(output.memory_held(), before, "{name} {at} {most}");
                }
            }
            assert!(made > 0, "{name} {at}");
        }
    }
}
