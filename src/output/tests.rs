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
