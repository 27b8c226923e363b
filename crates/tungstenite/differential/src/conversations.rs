// Conversations over streams whose opening handshake is done. Included once for each of the two crates, as
// `tungstenite`.

use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader, FrameSocket};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::wire::{Conversation, In, Log, Out, Wire, close, masked, plain};

type Socket = WebSocket<Wire>;

pub const CONVERSATIONS: &[(&str, Conversation)] = &[
    ("messages of a server", messages_of_a_server),
    ("messages of a client", messages_of_a_client),
    ("a client closes", a_client_closes),
    ("a server closes", a_server_closes),
    ("we close, as a server", we_close_as_a_server),
    ("we close, as a client", we_close_as_a_client),
    ("both close at once", both_close_at_once),
    ("Close frames without a code", close_without_a_code),
    ("Close frames that are wrong", close_that_is_wrong),
    ("reserved codes come", reserved_codes_come),
    (
        "the reason for a reserved code",
        the_reason_for_a_reserved_code,
    ),
    ("a reserved code answers ours", a_reserved_code_answers_ours),
    ("reserved codes go", reserved_codes_go),
    ("a long reason goes", a_long_reason_goes),
    ("the stream ends", the_stream_ends),
    ("the stream is reset", the_stream_is_reset),
    ("after the peer's Close frame", after_the_peers_close),
    ("reading would block", reading_would_block),
    ("writing would block", writing_would_block),
    ("answering would block", answering_would_block),
    ("writing goes byte by byte", writing_goes_byte_by_byte),
    ("the write buffer is full", the_write_buffer_is_full),
    ("the write buffer is full of a pong", full_of_a_pong),
    ("what is written when", what_is_written_when),
    ("pongs and messages", pongs_and_messages),
    ("pongs of the application", pongs_of_the_application),
    ("pings after our Close frame", pings_after_our_close),
    ("a Ping, then we close", a_ping_then_we_close),
    ("control frames that are too long", long_control_frames),
    ("raw frames", raw_frames),
    ("raw frames of a client", raw_frames_of_a_client),
    ("masks", masks),
    ("unmasked frames are accepted", unmasked_frames_are_accepted),
    ("a setting changes: unmasked frames", unmasked_from_now_on),
    ("limits", limits),
    ("limits change on the way", limits_change),
    ("limits of writing change on the way", write_limits_change),
    ("settings that cannot be", settings_that_cannot_be),
    ("broken rules", broken_rules),
    ("after a broken rule", after_a_broken_rule),
    ("odd lengths", odd_lengths),
    ("text that is none", text_that_is_none),
    ("text in fragments", text_in_fragments),
    ("some was read before", some_was_read_before),
    ("frames by themselves", frames_by_themselves),
    ("close codes", close_codes),
    ("messages as text and bytes", messages_as_text),
];

fn socket(role: Role, wire: Wire) -> Socket {
    WebSocket::from_raw_socket(wire, role, None)
}

fn configured(role: Role, wire: Wire, config: WebSocketConfig) -> Socket {
    WebSocket::from_raw_socket(wire, role, Some(config))
}

fn show_message(message: &Message) -> String {
    match message {
        Message::Text(text) => format!("text {text}"),
        Message::Binary(bytes) if bytes.len() > 130 => format!("binary {} bytes", bytes.len()),
        Message::Binary(bytes) => format!("binary {}", String::from_utf8_lossy(bytes)),
        Message::Ping(bytes) => format!("ping {}", String::from_utf8_lossy(bytes)),
        Message::Pong(bytes) => format!("pong {}", String::from_utf8_lossy(bytes)),
        Message::Close(None) => "close".into(),
        Message::Close(Some(close)) => format!("close {} {}", close.code, close.reason),
        Message::Frame(frame) => {
            let (opcode, payload) = (frame.header().opcode, frame.payload());
            format!("frame {opcode} {}", String::from_utf8_lossy(payload))
        }
    }
    .trim_end()
    .into()
}

fn show_error(error: &Error) -> String {
    match error {
        Error::Io(error) => format!("Io({:?})", error.kind()),
        Error::Utf8(_) => "Utf8".into(),
        Error::WriteBufferFull(message) => format!("WriteBufferFull({})", show_message(message)),
        Error::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy);
            format!("Http({}, {body:?})", response.status().as_u16())
        }
        Error::HttpFormat(_) => "HttpFormat".into(),
        other => format!("{other:?}"),
    }
}

fn show(result: Result<Message, Error>) -> String {
    match result {
        Ok(message) => show_message(&message),
        Err(error) => show_error(&error),
    }
}

fn done(result: Result<(), Error>) -> String {
    result.map_or_else(|error| show_error(&error), |()| "done".into())
}

/// Reads so often, and says what went out.
fn reads(log: &mut Log, socket: &mut Socket, times: usize) {
    for _ in 0..times {
        log.step("read", show(socket.read()));
    }
    wrote(log, socket);
}

fn wrote(log: &mut Log, socket: &mut Socket) {
    log.step("written", socket.get_mut().frames());
}

fn can(log: &mut Log, socket: &Socket) {
    log.step(
        "can",
        format!("read {}, write {}", socket.can_read(), socket.can_write()),
    );
}

fn closing(code: u16, reason: &str) -> Option<CloseFrame> {
    Some(CloseFrame {
        code: code.into(),
        reason: reason.to_owned().into(),
    })
}

fn messages_of_a_server(log: &mut Log) {
    let frames = [
        plain(0x81, "Hello"),
        plain(0x82, [1, 2, 3]),
        plain(0x81, ""),
        plain(0x89, "ping"),
        plain(0x8a, "pong"),
        plain(0x01, "Hel"),
        plain(0x89, "in between"),
        plain(0x80, "lo"),
        plain(0x02, ""),
        plain(0x00, ""),
        plain(0x80, ""),
        plain(0x82, vec![7; 300]),
    ];
    let mut socket = socket(Role::Client, Wire::bytes(frames.concat()));
    reads(log, &mut socket, 10);
}

fn messages_of_a_client(log: &mut Log) {
    let frames = [
        masked(0x81, "Hello"),
        masked(0x02, "a"),
        masked(0x80, "b"),
        masked(0x89, "?"),
    ];
    let mut socket = socket(Role::Server, Wire::bytes(frames.concat()));
    reads(log, &mut socket, 4);
    log.step("send", done(socket.send("answer".into())));
    wrote(log, &mut socket);
}

fn after_the_end(log: &mut Log, socket: &mut Socket) {
    log.step("flush", done(socket.flush()));
    log.step("write", done(socket.write("late".into())));
    log.step("close", done(socket.close(None)));
    log.step(
        "ping",
        done(socket.write(Message::Ping(Default::default()))),
    );
    can(log, socket);
    wrote(log, socket);
}

fn a_client_closes(log: &mut Log) {
    let frames = [masked(0x81, "last"), masked(0x88, close(1000, "bye"))];
    let mut socket = socket(Role::Server, Wire::bytes(frames.concat()));
    reads(log, &mut socket, 2);
    can(log, &socket);
    log.step("write", done(socket.write("late".into())));
    reads(log, &mut socket, 2);
    after_the_end(log, &mut socket);
}

fn a_server_closes(log: &mut Log) {
    let mut socket = socket(Role::Client, Wire::bytes(plain(0x88, close(1001, ""))));
    reads(log, &mut socket, 1);
    log.step("flush", done(socket.flush()));
    reads(log, &mut socket, 2);
    after_the_end(log, &mut socket);
}

fn we_close_as_a_server(log: &mut Log) {
    let frames = [masked(0x81, "crossed"), masked(0x88, close(1000, ""))];
    let mut socket = socket(Role::Server, Wire::bytes(frames.concat()));
    log.step("close", done(socket.close(closing(1000, "enough"))));
    can(log, &socket);
    log.step("write", done(socket.write("late".into())));
    log.step("close", done(socket.close(None)));
    reads(log, &mut socket, 4);
    after_the_end(log, &mut socket);
}

fn we_close_as_a_client(log: &mut Log) {
    let frames = [plain(0x81, "crossed"), plain(0x88, close(1000, "ok"))];
    let mut socket = socket(Role::Client, Wire::bytes(frames.concat()));
    log.step(
        "send",
        done(socket.send(Message::Close(closing(1000, "enough")))),
    );
    reads(log, &mut socket, 4);
    after_the_end(log, &mut socket);
}

fn both_close_at_once(log: &mut Log) {
    let mut socket = socket(
        Role::Server,
        Wire::bytes(masked(0x88, close(1001, "me too"))),
    );
    log.step("write", done(socket.write(Message::Close(None))));
    reads(log, &mut socket, 3);
}

fn close_without_a_code(log: &mut Log) {
    let mut socket = socket(Role::Server, Wire::bytes(masked(0x88, "")));
    reads(log, &mut socket, 2);
}

fn close_that_is_wrong(log: &mut Log) {
    for payload in [&b"\x03"[..], b"\x03\xe8\xff"] {
        let mut socket = socket(Role::Client, Wire::bytes(plain(0x88, payload)));
        log.step("read", show(socket.read()));
    }
}

fn reserved_codes_come(log: &mut Log) {
    for code in [
        0, 999, 1004, 1005, 1006, 1014, 1015, 1016, 2999, 3000, 4999, 5000,
    ] {
        let mut socket = socket(Role::Server, Wire::bytes(masked(0x88, close(code, "why"))));
        let first_words = |shown: String| shown.split(' ').take(2).collect::<Vec<_>>().join(" ");
        log.step(&format!("read {code}"), first_words(show(socket.read())));
        log.step(&format!("read after {code}"), show(socket.read()));
        log.step(
            &format!("written after {code}"),
            first_words(socket.get_mut().frames()),
        );
    }
}

fn the_reason_for_a_reserved_code(log: &mut Log) {
    let mut socket = socket(Role::Server, Wire::bytes(masked(0x88, close(1005, "why"))));
    reads(log, &mut socket, 2);
}

fn a_reserved_code_answers_ours(log: &mut Log) {
    let mut socket = socket(Role::Client, Wire::bytes(plain(0x88, close(1005, "why"))));
    log.step("close", done(socket.close(closing(1000, ""))));
    reads(log, &mut socket, 2);
}

fn reserved_codes_go(log: &mut Log) {
    for code in [1005, 1006, 1010, 1014, 3000] {
        let mut socket = socket(Role::Server, Wire::default());
        log.step(
            &format!("close with {code}"),
            done(socket.close(closing(code, "why"))),
        );
        log.step(&format!("written for {code}"), socket.get_mut().frames());
    }
}

fn a_long_reason_goes(log: &mut Log) {
    let mut socket = socket(Role::Server, Wire::default());
    log.step("close", done(socket.close(closing(1000, &"é".repeat(70)))));
    let written = socket.get_ref().written.len();
    log.step("length", format!("{written} bytes"));
}

fn the_stream_ends(log: &mut Log) {
    for bytes in [&b""[..], b"\x81", b"\x81\x05He", b"\x01\x02He"] {
        let mut socket = socket(Role::Client, Wire::bytes(bytes));
        reads(log, &mut socket, 2);
    }
    let mut socket = socket(Role::Client, Wire::default());
    log.step("close", done(socket.close(None)));
    reads(log, &mut socket, 2);
    after_the_end(log, &mut socket);
}

fn the_stream_is_reset(log: &mut Log) {
    let mut open = socket(Role::Client, Wire::of([In::Reset]));
    reads(log, &mut open, 1);
    let mut closed = socket(
        Role::Client,
        Wire::of([In::Bytes(plain(0x88, "")), In::Reset]),
    );
    reads(log, &mut closed, 2);
    let mut cut = socket(
        Role::Client,
        Wire::of([In::Bytes(plain(0x88, "")), In::Cut]),
    );
    reads(log, &mut cut, 2);
    let mut writing = socket(Role::Client, Wire::default().writes([Out::Reset]));
    log.step("send", done(writing.send("lost".into())));
    let mut nothing = socket(Role::Client, Wire::default().writes([Out::Some(0)]));
    log.step("send, nothing taken", done(nothing.send("lost".into())));
    let wire = Wire::bytes(masked(0x88, "")).writes([Out::Reset]);
    let mut answer = socket(Role::Server, wire);
    reads(log, &mut answer, 2);
}

fn after_the_peers_close(log: &mut Log) {
    let frames = [
        plain(0x88, close(1000, "")),
        plain(0x81, "more"),
        plain(0x89, "?"),
    ];
    let mut socket = socket(Role::Client, Wire::bytes(frames.concat()));
    reads(log, &mut socket, 4);
}

fn reading_would_block(log: &mut Log) {
    let cut = |bytes: &[u8]| {
        bytes
            .iter()
            .flat_map(|&b| [In::Block, In::Bytes(vec![b])])
            .collect::<Vec<_>>()
    };
    let frames = [
        masked(0x01, "H"),
        masked(0x80, "i"),
        masked(0x89, "?"),
        masked(0x88, ""),
    ]
    .concat();
    let mut socket = socket(Role::Server, Wire::of(cut(&frames)));
    let mut blocked = 0;
    for _ in 0..100 {
        match socket.read() {
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => blocked += 1,
            result => {
                let over = matches!(result, Err(Error::ConnectionClosed | Error::AlreadyClosed));
                log.step(&format!("read, blocked {blocked} times"), show(result));
                if over {
                    break;
                }
            }
        }
    }
    wrote(log, &mut socket);
}

fn writing_would_block(log: &mut Log) {
    let wire = Wire::default().writes([Out::Some(3), Out::Block, Out::Block]);
    let mut socket = socket(Role::Server, wire);
    log.step("send", done(socket.send("first".into())));
    log.step("write", done(socket.write("second".into())));
    log.step("flush", done(socket.flush()));
    log.step("flush", done(socket.flush()));
    wrote(log, &mut socket);
}

fn answering_would_block(log: &mut Log) {
    let reads_ = [
        In::Bytes([masked(0x89, "?"), masked(0x81, "a")].concat()),
        In::Block,
        In::Bytes(masked(0x88, "")),
        In::Block,
    ];
    let wire = Wire::of(reads_).writes([Out::Block, Out::Block, Out::Block, Out::Block]);
    let mut socket = socket(Role::Server, wire);
    reads(log, &mut socket, 4);
    reads(log, &mut socket, 3);
}

fn writing_goes_byte_by_byte(log: &mut Log) {
    let wire = Wire::bytes(masked(0x88, "")).writes([Out::Some(1); 20]);
    let mut socket = socket(Role::Server, wire);
    log.step("send", done(socket.send("Hello".into())));
    reads(log, &mut socket, 2);
}

fn small() -> WebSocketConfig {
    WebSocketConfig::default()
        .write_buffer_size(10)
        .max_write_buffer_size(20)
}

fn the_write_buffer_is_full(log: &mut Log) {
    for role in [Role::Server, Role::Client] {
        let wire = Wire::default().writes([Out::Block, Out::Block]);
        let mut socket = configured(role, wire, small());
        log.step("write", done(socket.write("0123456789".into())));
        log.step(
            "write binary",
            done(socket.write(Message::binary(&b"0123456789"[..]))),
        );
        log.step(
            "write ping",
            done(socket.write(Message::Ping("0123456789".into()))),
        );
        log.step("write short", done(socket.write("01".into())));
        let refused = socket.write("full again".into());
        log.step(
            "write",
            if let Err(error) = &refused {
                show_error(error)
            } else {
                "done".into()
            },
        );
        log.step("flush", done(socket.flush()));
        if let Err(Error::WriteBufferFull(message)) = refused {
            log.step("send what came back", done(socket.send(*message)));
        }
        wrote(log, &mut socket);
        log.step(
            "too long for ever",
            done(socket.send(Message::binary(vec![b'x'; 30]))),
        );
    }
}

fn full_of_a_pong(log: &mut Log) {
    let reads_ = [In::Bytes(masked(0x89, "0123456789")), In::Block, In::Block];
    let wire = Wire::of(reads_).writes([Out::Block, Out::Block, Out::Block]);
    let mut socket = configured(Role::Server, wire, small());
    log.step("write", done(socket.write("0123456789".into())));
    reads(log, &mut socket, 2);
    log.step("flush", done(socket.flush()));
    log.step("flush", done(socket.flush()));
    wrote(log, &mut socket);
    log.step("flush", done(socket.flush()));
    wrote(log, &mut socket);
}

fn what_is_written_when(log: &mut Log) {
    for size in [0, 8, 1000] {
        let config = WebSocketConfig::default().write_buffer_size(size);
        let mut socket = configured(Role::Server, Wire::default(), config);
        for message in ["a", "bcdef", "ghijk"] {
            log.step("write", done(socket.write(message.into())));
            wrote(log, &mut socket);
        }
        log.step("flush", done(socket.flush()));
        wrote(log, &mut socket);
    }
}

fn pongs_and_messages(log: &mut Log) {
    let frames = [
        masked(0x89, "1"),
        masked(0x89, "2"),
        masked(0x81, "a"),
        masked(0x89, "3"),
    ];
    let mut socket = socket(Role::Server, Wire::bytes(frames.concat()));
    reads(log, &mut socket, 1);
    reads(log, &mut socket, 1);
    log.step("write", done(socket.write("after the ping".into())));
    wrote(log, &mut socket);
    reads(log, &mut socket, 2);
    log.step("flush", done(socket.flush()));
    wrote(log, &mut socket);
}

fn pongs_of_the_application(log: &mut Log) {
    let mut socket = socket(Role::Server, Wire::bytes(masked(0x89, "theirs")));
    reads(log, &mut socket, 1);
    log.step(
        "write pong",
        done(socket.write(Message::Pong("ours".into()))),
    );
    wrote(log, &mut socket);
    log.step("flush", done(socket.flush()));
    wrote(log, &mut socket);
    log.step("write pong", done(socket.write(Message::Pong("1".into()))));
    log.step("write pong", done(socket.write(Message::Pong("2".into()))));
    log.step("flush", done(socket.flush()));
    wrote(log, &mut socket);
}

fn pings_after_our_close(log: &mut Log) {
    let frames = [plain(0x89, "?"), plain(0x81, "a"), plain(0x88, "")];
    let mut socket = socket(Role::Client, Wire::bytes(frames.concat()));
    log.step("close", done(socket.close(None)));
    reads(log, &mut socket, 4);
}

fn a_ping_then_we_close(log: &mut Log) {
    let mut socket = socket(Role::Client, Wire::bytes(plain(0x89, "?")));
    reads(log, &mut socket, 1);
    log.step("close", done(socket.close(None)));
    wrote(log, &mut socket);
}

fn long_control_frames(log: &mut Log) {
    let mut socket = socket(Role::Server, Wire::default());
    for message in [
        Message::Ping(vec![0; 126].into()),
        Message::Pong(vec![0; 126].into()),
    ] {
        log.step("send", done(socket.send(message)));
        log.step(
            "written",
            format!("{} bytes", socket.get_mut().written.len()),
        );
    }
}

fn data(opcode: Data, payload: &'static str, last: bool) -> Frame {
    Frame::message(payload, OpCode::Data(opcode), last)
}

fn raw_frames(log: &mut Log) {
    let mut socket = socket(Role::Server, Wire::bytes(masked(0x88, "")));
    log.step("write", done(socket.write("first".into())));
    let mut odd = data(Data::Binary, "odd", true);
    odd.header_mut().rsv1 = true;
    for frame in [
        data(Data::Text, "He", false),
        Frame::ping("between"),
        data(Data::Continue, "llo", true),
        odd,
        data(Data::Continue, "of nothing", false),
    ] {
        log.step("write frame", done(socket.write(Message::Frame(frame))));
    }
    log.step("send", done(socket.send("last".into())));
    wrote(log, &mut socket);
    log.step(
        "send frame",
        done(socket.send(Message::Frame(Frame::close(closing(1000, ""))))),
    );
    can(log, &socket);
    reads(log, &mut socket, 2);
}

fn raw_frames_of_a_client(log: &mut Log) {
    let mut socket = socket(Role::Client, Wire::default());
    log.step(
        "write frame",
        done(socket.write(Message::Frame(data(Data::Text, "a", true)))),
    );
    log.step("write", done(socket.write("b".into())));
    log.step(
        "send frame",
        done(socket.send(Message::Frame(Frame::pong("c")))),
    );
    wrote(log, &mut socket);
}

fn masks(log: &mut Log) {
    let mut server = socket(Role::Server, Wire::bytes(plain(0x81, "a")));
    log.step("read", show(server.read()));
    let mut client = socket(Role::Client, Wire::bytes(masked(0x81, "a")));
    log.step("read", show(client.read()));
    let wire = Wire::bytes(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    let mut server = socket(Role::Server, wire);
    reads(log, &mut server, 1);
}

fn unmasked_frames_are_accepted(log: &mut Log) {
    let config = WebSocketConfig::default().accept_unmasked_frames(true);
    let frames = [
        plain(0x81, "a"),
        masked(0x81, "b"),
        plain(0x88, close(1000, "")),
    ];
    let mut server = configured(Role::Server, Wire::bytes(frames.concat()), config);
    reads(log, &mut server, 4);
    let mut client = configured(Role::Client, Wire::bytes(masked(0x81, "a")), config);
    log.step("read", show(client.read()));
}

fn unmasked_from_now_on(log: &mut Log) {
    let frames = [masked(0x81, "a"), plain(0x81, "b"), plain(0x81, "c")];
    let mut server = socket(Role::Server, Wire::bytes(frames.concat()));
    reads(log, &mut server, 1);
    server.set_config(|config| config.accept_unmasked_frames = true);
    reads(log, &mut server, 1);
    server.set_config(|config| config.accept_unmasked_frames = false);
    log.step("read", show(server.read()));
}

fn limited(message: Option<usize>, frame: Option<usize>) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(message)
        .max_frame_size(frame)
}

fn limits(log: &mut Log) {
    let fragments = [plain(0x01, "123"), plain(0x00, "456"), plain(0x80, "789")].concat();
    for (message, frame, bytes) in [
        (Some(4), None, plain(0x81, "1234")),
        (Some(4), None, plain(0x82, "12345")),
        (None, Some(4), plain(0x82, "12345")),
        (Some(3), Some(4), plain(0x82, "12345")),
        (Some(8), Some(4), fragments.clone()),
        (Some(9), Some(3), fragments.clone()),
        (Some(0), None, plain(0x82, "")),
        (None, Some(2), plain(0x89, "control")),
        (None, Some(4), b"\x82\x7e\xff\xff".to_vec()),
    ] {
        let mut socket = configured(Role::Client, Wire::bytes(bytes), limited(message, frame));
        log.step(
            &format!("read, at most {message:?} and {frame:?}"),
            show(socket.read()),
        );
    }
}

fn limits_change(log: &mut Log) {
    let frames = [
        plain(0x81, "12345"),
        plain(0x81, "12345"),
        plain(0x81, "12345"),
        plain(0x81, "1"),
    ];
    let mut socket = socket(Role::Client, Wire::bytes(frames.concat()));
    reads(log, &mut socket, 1);
    socket.set_config(|config| config.max_message_size = Some(5));
    reads(log, &mut socket, 1);
    socket.set_config(|config| config.max_frame_size = Some(4));
    log.step(
        "limits",
        format!("{:?}", socket.get_config().max_frame_size),
    );
    log.step("read", show(socket.read()));
}

fn write_limits_change(log: &mut Log) {
    let mut socket = configured(Role::Server, Wire::default(), small());
    log.step("write", done(socket.write("0123456789012345678".into())));
    socket.set_config(|config| config.max_write_buffer_size = 30);
    log.step("write", done(socket.write("0123456789012345678".into())));
    wrote(log, &mut socket);
    socket.set_config(|config| config.write_buffer_size = 0);
    log.step("write", done(socket.write("a".into())));
    wrote(log, &mut socket);
}

fn settings_that_cannot_be(log: &mut Log) {
    let config = WebSocketConfig::default()
        .write_buffer_size(20)
        .max_write_buffer_size(20);
    let _ = configured(Role::Server, Wire::default(), config);
    log.step("made", "done");
}

fn broken_rules(log: &mut Log) {
    for (what, frames) in [
        ("a reserved bit", plain(0xc1, "a")),
        (
            "the second reserved bit of a control frame",
            plain(0xa9, "a"),
        ),
        ("opcode 3", plain(0x83, "")),
        ("opcode 11", plain(0x8b, "")),
        ("a control frame in fragments", plain(0x09, "")),
        ("a long control frame", plain(0x89, vec![0; 126])),
        ("a continuation of nothing", plain(0x80, "")),
        (
            "a message in a message",
            [plain(0x01, "a"), plain(0x81, "b")].concat(),
        ),
        (
            "bytes in a message",
            [plain(0x01, "a"), plain(0x82, "b")].concat(),
        ),
    ] {
        let mut socket = socket(Role::Client, Wire::bytes(frames));
        log.step(what, show(socket.read()));
    }
}

fn after_a_broken_rule(log: &mut Log) {
    let frames = [masked(0xc1, "a"), masked(0x81, "b")];
    let mut server = socket(Role::Server, Wire::bytes(frames.concat()));
    log.step("write", done(server.write("first".into())));
    reads(log, &mut server, 2);
    after_the_end(log, &mut server);
    let config = limited(Some(4), None);
    let frames = [plain(0x81, "12345"), plain(0x81, "b")];
    let mut client = configured(Role::Client, Wire::bytes(frames.concat()), config);
    reads(log, &mut client, 2);
}

fn odd_lengths(log: &mut Log) {
    for (what, bytes) in [
        ("2 in three bytes", &b"\x82\x7e\x00\x02ab"[..]),
        ("2 in nine bytes", b"\x82\x7f\0\0\0\0\0\0\0\x02ab"),
        ("the top bit", b"\x82\x7f\x80\0\0\0\0\0\0\0"),
    ] {
        let mut socket = socket(Role::Client, Wire::bytes(bytes));
        log.step(what, show(socket.read()));
    }
}

fn text_that_is_none(log: &mut Log) {
    for (what, frames) in [
        ("a byte", plain(0x81, b"ab\xff")),
        ("a cut character", plain(0x81, b"ab\xc3")),
        ("a surrogate", plain(0x81, b"\xed\xa0\x80")),
        (
            "in a fragment",
            [plain(0x01, b"a"), plain(0x80, b"\xff")].concat(),
        ),
        (
            "cut at the end of fragments",
            [plain(0x01, b"a"), plain(0x80, b"\xc3")].concat(),
        ),
    ] {
        let mut socket = socket(Role::Client, Wire::bytes(frames));
        log.step(what, show(socket.read()));
    }
    // The second fragment never comes.
    let reads_ = [In::Bytes(plain(0x01, b"a\xff")), In::Block];
    let mut early = socket(Role::Client, Wire::of(reads_));
    log.step("in the first fragment", show(early.read()));
    // Nor does the rest of the frame.
    let reads_ = [In::Bytes(b"\x81\x05a\xff".to_vec()), In::Block];
    let mut early = socket(Role::Client, Wire::of(reads_));
    log.step("before the frame is whole", show(early.read()));
}

fn text_in_fragments(log: &mut Log) {
    let frames = [
        plain(0x01, b"\xe2"),
        plain(0x00, b""),
        plain(0x00, b"\x82"),
        plain(0x80, b"\xac!"),
    ];
    let mut socket = socket(Role::Client, Wire::bytes(frames.concat()));
    reads(log, &mut socket, 1);
}

fn some_was_read_before(log: &mut Log) {
    let mut wire = Wire::bytes("lo");
    wire.reads.push_back(In::Bytes(masked(0x88, "")));
    let part = [masked(0x81, "first"), b"\x81\x85\0\0\0\0Hel".to_vec()].concat();
    let mut socket = WebSocket::from_partially_read(wire, part, Role::Server, None);
    reads(log, &mut socket, 4);
}

fn frames_by_themselves(log: &mut Log) {
    let bytes = [
        plain(0xf2, "a"),
        masked(0x01, "b"),
        plain(0x89, vec![0; 126]),
        vec![0x99],
    ]
    .concat();
    let mut socket = FrameSocket::new(Wire::bytes(bytes));
    for _ in 0..4 {
        let frame = socket.read(Some(200));
        log.step(
            "read",
            match frame {
                Ok(Some(frame)) => format!("{:?} {} bytes", frame.header(), frame.payload().len()),
                Ok(None) => "the end".into(),
                Err(error) => show_error(&error),
            },
        );
    }
    log.step("send", done(socket.send(Frame::ping("a"))));
    let (mut wire, rest) = socket.into_inner();
    log.step("written", wire.frames());
    log.step("rest", format!("{rest:?}"));
    let mut long = FrameSocket::new(Wire::bytes(plain(0x82, "12345")));
    log.step(
        "read, at most 4",
        long.read(Some(4))
            .map_or_else(|error| show_error(&error), |_| "read".into()),
    );
    let mut cursor = std::io::Cursor::new(plain(0x83, "a"));
    log.step(
        "parse",
        match FrameHeader::parse(&mut cursor) {
            Err(Error::Protocol(ProtocolError::InvalidOpcode(opcode))) => {
                format!("opcode {opcode}")
            }
            other => format!("{other:?}"),
        },
    );
    let header = FrameHeader {
        opcode: OpCode::Control(Control::Ping),
        mask: Some([0; 4]),
        ..FrameHeader::default()
    };
    log.step(
        "lengths",
        format!(
            "{} {} {}",
            header.len(125),
            header.len(126),
            header.len(65536)
        ),
    );
}

fn close_codes(log: &mut Log) {
    for code in [
        0, 999, 1000, 1003, 1004, 1005, 1006, 1013, 1014, 1015, 1016, 2999, 3000, 4000, 5000,
    ] {
        let known = CloseCode::from(code);
        log.step(
            &format!("code {code}"),
            format!("{known:?}, allowed: {}", known.is_allowed()),
        );
    }
}

fn messages_as_text(log: &mut Log) {
    for message in [
        Message::text("Grüezi"),
        Message::binary(&b"a\xff"[..]),
        Message::Ping("?".into()),
        Message::Close(None),
        Message::Close(closing(1000, "bye")),
        Message::Frame(data(Data::Text, "a", true)),
    ] {
        log.step("shown", message.to_string());
        log.step("length", message.len().to_string());
        log.step(
            "text",
            message
                .clone()
                .into_text()
                .map_or_else(|error| show_error(&error), |text| text.to_string()),
        );
        log.step("bytes", format!("{:?}", message.into_data()));
    }
}
