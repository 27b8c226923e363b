//! `close`, and what goes out.

use super::*;

/// Codes and reasons, whatever the state.
#[test]
fn codes_and_reasons() {
    let euro = |count| "\u{20ac}".repeat(count);
    for code in (0..=5001).chain([u16::MAX]) {
        let mut ws = open();
        let legal = code == 1000 || (3000..=4999).contains(&code);
        let wanted = if legal {
            Ok(())
        } else {
            Err(Exception::InvalidAccess)
        };
        assert_eq!(ws.close(Some(code), None), wanted, "{code}");
        assert_eq!(ws.output().is_empty(), !legal);
        assert_eq!(ws.ready_state() == ReadyState::Open, !legal);
    }
    for (reason, ok) in [
        ("x".repeat(123), true),
        ("x".repeat(124), false),
        (euro(41), true),
        (euro(42), false),
    ] {
        for code in [None, Some(1000)] {
            let mut ws = open();
            let wanted = if ok { Ok(()) } else { Err(Exception::Syntax) };
            assert_eq!(ws.close(code, Some(&reason)), wanted);
        }
    }
    // The code is looked at first, and both in every state.
    let mut ws = open();
    ws.close(None, None).unwrap();
    let long = "x".repeat(124);
    assert_eq!(
        ws.close(Some(1), Some(&long)),
        Err(Exception::InvalidAccess)
    );
    assert_eq!(ws.close(Some(1000), Some(&long)), Err(Exception::Syntax));
    assert_eq!(Exception::InvalidAccess.name(), "InvalidAccessError");
}

/// What goes out.
#[test]
fn close_frames() {
    for (code, reason, frame) in [
        (None, None, &b"\x88\x80\0\0\0\0"[..]),
        (None, Some(""), b"\x88\x80\0\0\0\0"),
        (Some(1000), None, b"\x88\x82\0\0\0\0\x03\xe8"),
        (Some(3000), Some("bye"), b"\x88\x85\0\0\0\0\x0b\xb8bye"),
        (None, Some("bye"), b"\x88\x85\0\0\0\0\x03\xe8bye"),
    ] {
        let mut ws = open();
        ws.close(code, reason).unwrap();
        assert_eq!(ws.output(), frame);
        // Again: nothing.
        ws.close(Some(4000), None).unwrap();
        assert_eq!(ws.output(), frame);
        ws.consume_output(usize::MAX);
        assert!(events(&mut ws, &[0x88, 3 + 2, 3, 0xe8, b'b', b'y', b'e']).is_empty());
        ws.receive_eof();
        assert_eq!(events(&mut ws, b""), [close_event(true, 1000, "bye")]);
        // Closed: nothing.
        ws.close(Some(4000), None).unwrap();
        assert!(ws.output().is_empty() && events(&mut ws, b"").is_empty());
    }
}

/// Before it is open nothing is sent, and an answer that comes later changes nothing.
#[test]
fn close_before_open() {
    let mut ws = connecting(&ClientConfig::new(), &[]);
    ws.consume_output(usize::MAX);
    ws.close(Some(3000), Some("x")).unwrap();
    assert_eq!(ws.ready_state(), ReadyState::Closing);
    assert_eq!((ws.output(), ws.transport()), (&[][..], Transport::Close));
    let answer = ANSWER.to_string() + "\r\n";
    assert_eq!(events(&mut ws, answer.as_bytes()), failed());
    assert_eq!(ws.ready_state(), ReadyState::Closed);
}

/// Messages go before the Close frame.
#[test]
fn what_was_sent_before_close_goes_first() {
    let mut ws = open();
    ws.send("a").unwrap();
    ws.send(&b"b"[..]).unwrap();
    ws.close(None, None).unwrap();
    ws.send("c").unwrap();
    let sent = b"\x81\x81\0\0\0\0a\x82\x81\0\0\0\0b\x88\x80\0\0\0\0";
    assert_eq!(ws.output(), sent);
    let mut slices = [&[][..]; 4];
    let filled = ws.output_slices(&mut slices);
    assert_eq!(slices[..filled].concat(), sent);
}

/// Nothing can be written any more: the peer's messages still come, and its Close frame ends it uncleanly.
#[test]
fn a_direction_that_is_lost() {
    let mut ws = open();
    ws.send("unread").unwrap();
    ws.write_lost();
    assert_eq!(
        (ws.output(), ws.ready_state()),
        (&b""[..], ReadyState::Open)
    );
    assert_eq!(events(&mut ws, b"\x81\x02hi"), [text("hi")]);
    let wanted = [DomEvent::Error, close_event(false, 3000, "")];
    assert_eq!(events(&mut ws, b"\x88\x02\x0b\xb8"), wanted);
    assert_eq!(ws.transport(), Transport::Close);
}
