//! What a script queues, and what it counts.

use super::*;

/// `send` and what it counts, in every state.
#[test]
fn send_and_buffered_amount() {
    let mut ws = connecting(&ClientConfig::new(), &[]);
    assert_eq!(ws.send("x"), Err(Exception::InvalidState));
    assert_eq!(ws.send(vec![1]), Err(Exception::InvalidState));
    assert_eq!(ws.buffered_amount(), 0);

    let mut ws = open();
    for (data, count) in [("\u{e9}", 2), ("", 2), (&"x".repeat(126), 128)] {
        ws.send(data).unwrap();
        assert_eq!(ws.buffered_amount(), count);
    }
    ws.consume_output(usize::MAX);
    assert_eq!(ws.buffered_amount(), 0);
    ws.send(String::from("four")).unwrap();
    ws.send(vec![0; 10_000]).unwrap();
    assert_eq!(ws.buffered_amount(), 10_004);

    // Closing: counted, not sent.
    ws.close(None, None).unwrap();
    let queued = ws.connection().unwrap().output_len();
    ws.send("abc").unwrap();
    ws.send(&[1, 2]).unwrap();
    assert_eq!(ws.connection().unwrap().output_len(), queued);
    assert_eq!(ws.buffered_amount(), 10_009);
    // Written: what was never queued stays.
    ws.consume_output(usize::MAX);
    assert_eq!(ws.buffered_amount(), 5);
    ws.receive_eof();
    events(&mut ws, b"");
    ws.send("x").unwrap();
    assert_eq!(ws.buffered_amount(), 6);

    // Lost with data queued: it stays, and later calls only add.
    let mut ws = open();
    ws.send("abc").unwrap();
    ws.transport_lost();
    ws.send("de").unwrap();
    assert_eq!(
        (ws.ready_state(), ws.buffered_amount()),
        (ReadyState::Open, 5)
    );
    assert_eq!(events(&mut ws, b""), failed());
    ws.send("f").unwrap();
    assert_eq!(ws.buffered_amount(), 6);
}

/// The data, not what compression makes of it.
#[cfg(feature = "deflate")]
#[test]
fn buffered_amount_of_compressed_messages() {
    let config = ClientConfig::new().deflate(crate::extension::PermessageDeflate::client());
    let mut ws = connecting(&config, &[]);
    ws.consume_output(usize::MAX);
    let answer = ANSWER.to_string() + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    assert_eq!(events(&mut ws, answer.as_bytes()), [DomEvent::Open]);
    assert_eq!(ws.extensions(), "permessage-deflate");
    ws.send("x".repeat(1000)).unwrap();
    assert!(ws.output().len() < 100);
    assert_eq!(ws.buffered_amount(), 1000);
    ws.consume_output(usize::MAX);
    assert_eq!(ws.buffered_amount(), 0);
}

/// A stream's sink waits where `send` would close.
#[test]
fn a_full_buffer_can_be_waited_for() {
    let init = Init::new().buffer(10);
    let mut ws = connecting_to("ws://h/", &ClientConfig::new(), init);
    let unsent = ws.try_send("early").unwrap_err();
    assert_eq!(
        (unsent.why, unsent.message),
        (SendError::NotOpen, Message::from("early"))
    );
    let mut ws = opened(ws);
    ws.try_send("0123456789").unwrap();
    for _ in 0..3 {
        let unsent = ws.try_send(vec![7]).unwrap_err();
        assert!(matches!(unsent.why, SendError::Full { limit: 10, .. }));
        assert_eq!(unsent.message, Message::from(vec![7]));
    }
    assert_eq!(
        (ws.transport(), ws.buffered_amount()),
        (Transport::KeepOpen, 10)
    );
    ws.consume_output(usize::MAX);
    ws.try_send(vec![7]).unwrap();
    assert_eq!(ws.output(), b"\x82\x81\0\0\0\0\x07");
    ws.close(None, None).unwrap();
    assert_eq!(ws.try_send("late").unwrap_err().why, SendError::Closing);
    assert_eq!(ws.buffered_amount(), 1);
}

/// Blobs keep their places among the messages, and before the Close frame.
#[test]
fn blobs() {
    assert_eq!(
        connecting(&ClientConfig::new(), &[]).reserve(1),
        Err(Exception::InvalidState)
    );
    let mut ws = open();
    ws.send("a").unwrap();
    let first = ws.reserve(3).unwrap();
    ws.send("b").unwrap();
    let second = ws.reserve(2).unwrap();
    let third = ws.reserve(4).unwrap();
    ws.close(Some(3000), None).unwrap();
    ws.send("not sent").unwrap();
    assert_eq!(ws.buffered_amount(), 1 + 3 + 1 + 2 + 4 + 8);
    assert_eq!(
        ws.pending.bytes(),
        3 + 1 + 2 + 4,
        "what goes nowhere is not kept"
    );
    assert_eq!(ws.try_send("x").unwrap_err().why, SendError::Closing);
    assert_eq!(ws.output(), b"\x81\x81\0\0\0\0a");
    ws.consume_output(usize::MAX);
    // In whatever order they are read.
    ws.fill(second, *b"22");
    assert!(ws.output().is_empty());
    ws.fill(first, *b"111");
    assert_eq!(
        ws.output(),
        b"\x82\x83\0\0\0\x00111\x81\x81\0\0\0\0b\x82\x82\0\0\0\x0022"
    );
    ws.consume_output(usize::MAX);
    // One that cannot be read counts on.
    ws.give_up(third);
    assert_eq!(ws.output(), b"\x88\x82\0\0\0\0\x0b\xb8");
    assert_eq!(ws.buffered_amount(), 4 + 8);
    // What comes after the end counts, and goes nowhere.
    let late = ws.reserve(5).unwrap();
    ws.fill(late, *b"12345");
    assert_eq!(ws.buffered_amount(), 4 + 8 + 5);
    let mut ws = open();
    let lost = ws.reserve(2).unwrap();
    ws.transport_lost();
    assert_eq!(events(&mut ws, b""), failed());
    ws.fill(lost, *b"12");
    assert_eq!(ws.buffered_amount(), 2);
}

/// What a page queues in one task is a matter of memory, as in browsers.
#[test]
fn a_buffer_without_bound() {
    let mut ws = open();
    for count in 1..=200 {
        ws.send(vec![0; 64 << 10]).unwrap();
        assert_eq!(ws.buffered_amount(), count * (64 << 10));
    }
    assert_eq!(ws.transport(), Transport::KeepOpen);
    ws.close(None, None).unwrap();
    assert!(ws.connection().unwrap().output_len() > 200 * (64 << 10));
}

/// A full buffer closes the connection, with an error event.
#[test]
fn a_full_buffer_closes() {
    let init = Init::new().buffer(10);
    let mut ws = opened(connecting_to("ws://h/", &ClientConfig::new(), init));
    ws.send("0123456789").unwrap();
    ws.send("ab").unwrap();
    assert_eq!(ws.transport(), Transport::Close);
    assert_eq!(ws.buffered_amount(), 12);
    assert_eq!(events(&mut ws, b"\x81\x01x"), failed());
    assert_eq!(ws.ready_state(), ReadyState::Closed);
}
