//! A `WebSocket` in two halves.

use crate::error::Unsent;

use super::*;

/// All that the network has to say, told to the script; the events that are fired.
fn told(
    script: &mut ScriptSide,
    network: &mut NetworkSide,
    bytes: &[u8],
) -> Vec<DomEvent<'static>> {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut fired = vec![];
    while let Some(report) = network.receive(&mut input) {
        assert!(format!("{report:?}").starts_with("Report("));
        fired.extend(script.apply(report));
    }
    fired
}

/// The same life as in one piece, with each call and each event carried over.
#[test]
fn a_life_in_two_halves() {
    let (mut script, mut network) = connecting(&ClientConfig::new(), &["chat"]).split();
    assert_eq!(script.url(), "ws://example.com/chat");
    assert_eq!(script.origin(), "ws://example.com");
    assert_eq!(script.send("early").unwrap_err(), Exception::InvalidState);
    assert_eq!(script.reserve(1).unwrap_err(), Exception::InvalidState);
    network.socket().consume_output(usize::MAX);
    let answer = ANSWER.to_string() + "Sec-WebSocket-Protocol: chat\r\n\r\n";
    assert_eq!(
        told(&mut script, &mut network, answer.as_bytes()),
        [DomEvent::Open]
    );
    assert_eq!((script.protocol(), script.extensions()), ("chat", ""));

    let first = script.send("abc").unwrap();
    let (place, reserved) = script.reserve(2).unwrap();
    let second = script.send("de").unwrap();
    assert_eq!(script.buffered_amount(), 7);
    for command in [first, reserved, second] {
        network.apply(command);
    }
    assert_eq!(network.socket().output(), b"\x81\x83\0\0\0\0abc");
    network.socket().consume_output(usize::MAX);
    assert!(told(&mut script, &mut network, b"").is_empty());
    assert_eq!(script.buffered_amount(), 4);
    network.apply(script.fill(place, *b"xy"));
    network.socket().consume_output(usize::MAX);
    assert_eq!(told(&mut script, &mut network, b"\x81\x02hi"), [text("hi")]);
    assert_eq!(script.buffered_amount(), 0);

    let command = script.close(Some(3000), Some("bye")).unwrap();
    assert_eq!(script.ready_state(), ReadyState::Closing);
    // What was on its way is not told any more.
    assert!(told(&mut script, &mut network, b"\x81\x02hi").is_empty());
    network.apply(command);
    assert_eq!(network.socket().output(), b"\x88\x85\0\0\0\0\x0b\xb8bye");
    network.socket().consume_output(usize::MAX);
    assert!(told(&mut script, &mut network, b"\x88\x02\x0b\xb8").is_empty());
    network.socket().receive_eof();
    let fired = told(&mut script, &mut network, b"");
    assert_eq!(fired, [close_event(true, 3000, "")]);
    assert_eq!(script.ready_state(), ReadyState::Closed);
    network.apply(script.send("late").unwrap());
    assert!(told(&mut script, &mut network, b"").is_empty());
    assert_eq!(script.buffered_amount(), 4);
}

/// A script that waits for room closes nothing, however much lies on the way to the network (WebSocketStream).
#[test]
fn room_in_two_halves() {
    let init = Init::new().buffer(40);
    let (mut script, mut network) = connecting_to("ws://h/", &ClientConfig::new(), init).split();
    let early = script.try_send("early").unwrap_err();
    assert_eq!(
        (early.why, early.message),
        (SendError::NotOpen, "early".into())
    );
    open_halves(&mut script, &mut network);

    // 14 bytes of framing each; the last one may stand out.
    let commands = ["abc", "", "z"].map(|text| script.try_send(text).unwrap());
    for _ in 0..3 {
        let unsent = script.try_send("xy").unwrap_err();
        assert!(matches!(
            unsent.why,
            SendError::Full {
                queued: 46,
                limit: 40
            }
        ));
        assert_eq!(unsent.message, Message::from("xy"));
    }
    assert_eq!(script.buffered_amount(), 4);
    commands
        .into_iter()
        .for_each(|command| network.apply(command));
    assert!(told(&mut script, &mut network, b"").is_empty());
    // They take less than was feared: 22 bytes.
    let command = script.try_send("wxyz").unwrap();
    let full = |script: &mut ScriptSide| script.try_send("").is_err_and(is_full);
    // Pongs fill the queue meanwhile, and what was taken goes out all the same.
    let pings = [b"\x89\x7d", &[b'p'; 125][..]].concat();
    assert!(told(&mut script, &mut network, &pings).is_empty());
    assert!(network.socket().try_send("").is_err_and(is_full));
    network.apply(command);
    assert_eq!(script.ready_state(), ReadyState::Open);
    assert!(full(&mut script));
    assert!(
        network.socket().try_send("").is_err_and(is_full),
        "as before"
    );
    network.socket().consume_output(usize::MAX);
    assert!(full(&mut script), "it was not told yet");
    assert!(told(&mut script, &mut network, b"").is_empty());
    assert_eq!(script.buffered_amount(), 0);
}

/// A place waits for its bytes, and they count.
#[test]
fn room_for_places_in_two_halves() {
    let init = Init::new().buffer(40);
    let (mut script, mut network) = connecting_to("ws://h/", &ClientConfig::new(), init).split();
    open_halves(&mut script, &mut network);
    let (place, reserved) = script.reserve(1).unwrap();
    let why = script.try_send("").unwrap_err().why;
    assert_eq!(why, SendError::MessageInProgress);
    network.apply(reserved);
    network.apply(script.fill(place, [0; 100]));
    told(&mut script, &mut network, b"");
    network.apply(script.try_send("").unwrap());
    network.socket().consume_output(usize::MAX);
    told(&mut script, &mut network, b"");
    let (place, reserved) = script.reserve(100).unwrap();
    network.apply(reserved);
    network.apply(script.give_up(place));
    assert!(script.try_send("").is_err_and(is_full));
    told(&mut script, &mut network, b"");
    network.apply(script.try_send("end").unwrap());
    network.apply(script.close(None, None).unwrap());
    assert_eq!(script.try_send("").unwrap_err().why, SendError::Closing);
    assert_eq!(
        network.socket().output(),
        b"\x81\x83\0\0\0\0end\x88\x80\0\0\0\0"
    );
}

fn open_halves(script: &mut ScriptSide, network: &mut NetworkSide) {
    network.socket().consume_output(usize::MAX);
    let answer = ANSWER.to_string() + "\r\n";
    told(script, network, answer.as_bytes());
}

fn is_full(unsent: Unsent<Message<'_>>) -> bool {
    matches!(unsent.why, SendError::Full { .. })
}

/// Messages of any length, carried over and written at any time: nothing is lost, what is queued stays within the bound
/// and one message, and a script that waits goes on.
#[test]
fn any_script_that_waits() {
    let steps = proptest::collection::vec((0..4u8, 0..60usize), 1..80);
    proptest!(|(steps in steps)| {
        let init = Init::new().buffer(100);
        let mut socket = connecting_to("ws://h/", &ClientConfig::new(), init);
        socket.consume_output(usize::MAX);
        events(&mut socket, (ANSWER.to_string() + "\r\n").as_bytes());
        let (mut script, mut network) = socket.split();
        let (mut way, mut taken, mut written) = (Vec::new(), 0, 0);
        for (step, len) in steps {
            match step {
                0 | 1 => if let Ok(command) = script.try_send(vec![1; len]) {
                    way.push(command);
                    taken += len;
                },
                2 => way.drain(..).for_each(|command| network.apply(command)),
                _ => network.socket().consume_output(len * 3),
            }
            written += told(&mut script, &mut network, b"").len();
            prop_assert!(network.socket().output().len() <= 100 + 60 + 14);
        }
        way.drain(..).for_each(|command| network.apply(command));
        let queued = network.socket().output().to_vec();
        network.socket().consume_output(usize::MAX);
        prop_assert!(told(&mut script, &mut network, b"").is_empty());
        prop_assert_eq!((written, script.buffered_amount()), (0, 0));
        prop_assert!(queued.len() <= 174 && taken <= 80 * 60);
        prop_assert!(script.try_send("").is_ok());
    });
}

/// Blobs keep their places, in whatever order they are read.
#[test]
fn places_in_two_halves() {
    let (mut script, mut network) = open().split();
    let (first, reserved) = script.reserve(1).unwrap();
    network.apply(reserved);
    let (second, reserved) = script.reserve(2).unwrap();
    assert_eq!(format!("{reserved:?}"), "Command(Blob)");
    network.apply(reserved);
    assert_ne!(first, second);
    let filled = script.fill(second, *b"22");
    assert_eq!(format!("{filled:?}"), "Command(Blob)");
    network.apply(filled);
    assert_eq!(network.socket().output(), b"");
    network.apply(script.fill(first, *b"1"));
    let sent = b"\x82\x81\0\0\0\x001\x82\x82\0\0\0\x0022";
    assert_eq!(network.socket().output(), sent);
    let closes = script.close(None, None).unwrap();
    assert_eq!(format!("{closes:?}"), "Command(Close)");
    network.apply(closes);
    assert_eq!(format!("{:?}", script.go_away()), "Command(Close)");
}

/// What was agreed on is known on the other side too.
#[cfg(feature = "getrandom")]
#[test]
fn extensions_in_two_halves() {
    let (mut script, mut network) = WebSocket::connecting("ws://h/", []).unwrap().split();
    let agreed = Negotiated::new().extensions("x-priority");
    network.socket().established(&ClientConfig::new(), agreed);
    assert_eq!(script.extensions(), "", "until it is told");
    assert_eq!(told(&mut script, &mut network, b""), [DomEvent::Open]);
    assert_eq!((script.extensions(), script.protocol()), ("x-priority", ""));
}

/// The server closes, or the connection breaks; calls that cross on the way change nothing.
#[test]
fn ends_of_either_side() {
    let opened = || {
        let (mut script, mut network) = open().split();
        assert_eq!(script.ready_state(), ReadyState::Open);
        script.set_binary_type(BinaryType::ArrayBuffer);
        assert_eq!(script.binary_type(), BinaryType::ArrayBuffer);
        assert!(told(&mut script, &mut network, b"").is_empty());
        (script, network)
    };
    let (mut script, mut network) = opened();
    assert!(told(&mut script, &mut network, b"\x88\x02\x03\xe8").is_empty());
    assert_eq!(script.ready_state(), ReadyState::Closing);
    network.apply(script.send("crossed").unwrap());
    network.apply(script.go_away());
    assert_eq!(network.socket().output(), b"\x88\x82\0\0\0\0\x03\xe8");
    network.socket().consume_output(usize::MAX);
    network.socket().receive_eof();
    assert_eq!(
        told(&mut script, &mut network, b""),
        [close_event(true, 1000, "")]
    );
    assert_eq!(script.buffered_amount(), 7);

    let (mut script, mut network) = opened();
    let (place, reserved) = script.reserve(3).unwrap();
    network.apply(reserved);
    network.socket().transport_lost();
    assert_eq!(told(&mut script, &mut network, b""), failed());
    network.apply(script.give_up(place));
    assert!(told(&mut script, &mut network, b"").is_empty());
    assert_eq!(script.buffered_amount(), 3);
    assert_eq!(
        script.close(Some(999), None).unwrap_err(),
        Exception::InvalidAccess
    );

    // Closed before it was open, while the answer is on its way.
    let (mut script, mut network) = connecting(&ClientConfig::new(), &[]).split();
    network.socket().consume_output(usize::MAX);
    let command = script.close(None, None).unwrap();
    let answer = ANSWER.to_string() + "\r\n";
    assert!(told(&mut script, &mut network, answer.as_bytes()).is_empty());
    network.apply(command);
    network.socket().transport_lost();
    assert_eq!(told(&mut script, &mut network, b""), failed());
}

/// They may go to threads of their own, and what goes between them too.
#[test]
fn everything_can_be_sent() {
    fn can_be_sent<T: Send + 'static>() {}
    can_be_sent::<ScriptSide>();
    can_be_sent::<NetworkSide>();
    can_be_sent::<Command>();
    can_be_sent::<Report>();
    let (mut script, _) = open().split();
    let command = script.send("secret").unwrap();
    assert_eq!(format!("{command:?}"), "Command(Send)");
}
