//! Frames, messages, text and buffers by themselves.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Cursor;

use bytes::{Buf, BytesMut};
use tungstenite::buffer::ReadBuffer;
use tungstenite::error::{CapacityError, Error, ProtocolError};
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader, FrameSocket, Utf8Bytes};
use tungstenite::{Bytes, Message};

/// RFC 6455 §5.2, §5.7: each form of length, masked and not, cut anywhere.
#[test]
fn headers_survive_both_ways() {
    for length in [0, 125, 126, 65535, 65536, u64::MAX >> 1] {
        for mask in [None, Some([0x37, 0xfa, 0x21, 0x3d])] {
            let header = FrameHeader {
                rsv2: length > 200,
                mask,
                is_final: length < 200,
                opcode: OpCode::Data(Data::Binary),
                ..FrameHeader::default()
            };
            let mut bytes = b"??".to_vec();
            header.format(length, &mut bytes).unwrap();
            assert_eq!(bytes.len() - 2, header.len(length));
            for cut in 2..bytes.len() {
                let mut cursor = Cursor::new(&bytes[..cut]);
                cursor.set_position(2);
                assert_eq!(FrameHeader::parse(&mut cursor).unwrap(), None);
                assert_eq!(cursor.position(), 2);
            }
            let mut cursor = Cursor::new(&bytes);
            cursor.set_position(2);
            let parsed = FrameHeader::parse(&mut cursor).unwrap().unwrap();
            assert_eq!(parsed, (header, length));
            assert_eq!(cursor.position() as usize, bytes.len());
        }
    }
}

#[test]
fn frames_are_written_masked() {
    let mut frame = Frame::message("Hello", OpCode::Data(Data::Text), true);
    assert_eq!(frame.to_text(), Ok("Hello"));
    let mut bytes = Vec::new();
    frame.clone().format(&mut bytes).unwrap();
    assert_eq!(bytes, b"\x81\x05Hello");
    frame.header_mut().mask = Some([0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!(frame.len(), 11);
    bytes.clear();
    frame.format(&mut bytes).unwrap();
    assert_eq!(bytes, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    let close = Frame::close(Some(CloseFrame {
        code: CloseCode::Away,
        reason: "bye".into(),
    }));
    assert_eq!(close.payload(), b"\x03\xe9bye");
    let shown = "CLOSE, final, reserved bits [0, 0, 0], payload: 5 bytes, 0x03e9627965";
    assert_eq!(close.to_string(), shown);
}

#[test]
fn frames_as_they_are() {
    let stream = &b"\x02ab\x82\x01c\x82\x83key!xyz\x99"[..];
    let mut socket = FrameSocket::from_partially_read(stream, b"\x82".to_vec());
    for (payload, masked) in [("ab", false), ("c", false), ("xyz", true)] {
        let frame = socket.read(Some(3)).unwrap().unwrap();
        assert_eq!(frame.header().mask.is_some(), masked);
        assert_eq!(frame.into_text().unwrap(), payload);
    }
    assert!(socket.read(None).unwrap().is_none());
    assert_eq!(&socket.into_inner().1[..], b"\x99");
}

#[test]
fn what_is_refused() {
    let read = |bytes: &[u8], max| FrameSocket::new(bytes).read(max);
    let long = read(b"\x82\x7f\x80\0\0\0\0\0\0\0", None);
    assert!(matches!(long, Ok(None)));
    let long = read(b"\x82\x07", Some(5));
    assert!(matches!(
        long,
        Err(Error::Capacity(CapacityError::MessageTooLong {
            size: 7,
            max_size: 5
        }))
    ));
    let opcode = read(b"\x83\0", None);
    assert!(matches!(
        opcode,
        Err(Error::Protocol(ProtocolError::InvalidOpcode(3)))
    ));
}

#[test]
fn frames_out() {
    let mut socket = FrameSocket::new(Vec::new());
    socket.send(Frame::ping("ab")).unwrap();
    socket.send(Frame::close(None)).unwrap();
    assert_eq!(socket.get_ref(), b"\x89\x02ab\x88\x00");
}

#[test]
fn numbers_survive_both_ways() {
    for number in 0..16 {
        assert_eq!(u8::from(OpCode::from(number)), number);
    }
    for code in 0..=u16::MAX {
        assert_eq!(u16::from(CloseCode::from(code)), code);
    }
    let shown = [2, 5, 9, 12].map(|number| OpCode::from(number).to_string());
    assert_eq!(
        shown,
        ["BINARY", "RESERVED_DATA_5", "PING", "RESERVED_CONTROL_12"]
    );
}

#[test]
fn codes_that_may_be_on_the_wire() {
    let allowed = |code| CloseCode::from(code).is_allowed();
    assert!(
        [1000, 1003, 1007, 1014, 3000, 4999]
            .into_iter()
            .all(allowed)
    );
    let others = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000];
    assert!(!others.into_iter().any(allowed));
}

#[test]
fn compared_sorted_and_found_as_text() {
    let text = Utf8Bytes::from_static("foo");
    let (string, same) = (String::from("foo"), Utf8Bytes::from("foo"));
    let (cow, less) = (Cow::from("foo"), Utf8Bytes::from("fo"));
    assert!(text == "foo" && text == string && text == cow && text == same);
    assert!(text != "fo" && text > less);
    assert!(HashSet::from([text.clone()]).contains("foo"));
    assert_eq!(format!("{text:>5}"), "  foo");
    let bytes: &Bytes = text.as_ref();
    assert_eq!(bytes, "foo");
}

#[test]
fn only_from_text() {
    assert_eq!(Utf8Bytes::try_from(b"ab".to_vec()).unwrap(), "ab");
    assert!(Utf8Bytes::try_from(Bytes::from_static(b"\xff")).is_err());
    assert!(Utf8Bytes::try_from(BytesMut::from(&b"a\xc3"[..])).is_err());
    assert_eq!(Bytes::from(Utf8Bytes::from("ab")), "ab");
}

#[test]
fn as_text_and_as_bytes() {
    let close = Message::Close(Some(CloseFrame {
        code: CloseCode::Normal,
        reason: "bye".into(),
    }));
    let frame = Message::Frame(Frame::message("abc", OpCode::Data(Data::Text), true));
    for (message, text, len) in [
        (Message::from("abc"), "abc", 3),
        (Message::from(String::from("abc")), "abc", 3),
        (Message::from(&b"abc"[..]), "abc", 3),
        (Message::from(vec![b'a']), "a", 1),
        (Message::Ping(Bytes::from_static(b"p")), "p", 1),
        (Message::Close(None), "", 0),
        (close, "bye", 3),
        (frame, "abc", 5),
    ] {
        assert_eq!((message.len(), message.is_empty()), (len, len == 0));
        assert_eq!(message.to_text().unwrap(), text);
        assert_eq!(message.to_string(), text);
        assert_eq!(Bytes::from(message.clone()), text);
        assert_eq!(message.into_text().unwrap(), text);
    }
    let binary = Message::from(Bytes::from_static(b"a\xff"));
    assert_eq!(binary.to_string(), "Binary Data<length=2>");
    assert!(binary.to_text().is_err() && binary.clone().into_text().is_err());
    assert!(binary.is_binary() && !binary.is_text() && !binary.is_close());
    assert!(Message::Pong(Bytes::new()).is_pong() && !binary.is_ping() && !binary.is_pong());
}

#[test]
fn what_was_taken_goes_with_the_next_read() {
    let mut stream = &b"abcdef"[..];
    let mut buffer = ReadBuffer::<4>::from_partially_read(b"01".to_vec());
    assert_eq!(buffer.read_from(&mut stream).unwrap(), 4);
    assert_eq!(buffer.chunk(), b"01abcd");
    buffer.advance(3);
    assert_eq!(buffer.as_cursor().get_ref(), b"01abcd");
    assert_eq!(buffer.read_from(&mut stream).unwrap(), 2);
    assert_eq!(buffer.as_cursor().get_ref(), b"bcdef");
    assert_eq!(buffer.read_from(&mut stream).unwrap(), 0);
    buffer.as_cursor_mut().set_position(4);
    assert_eq!(buffer.into_vec(), b"f");
    assert_eq!(ReadBuffer::<4>::new().as_cursor().get_ref().capacity(), 0);
    let roomy = ReadBuffer::<4>::with_capacity(9);
    assert!(roomy.as_cursor().get_ref().capacity() >= 9);
}

#[cfg(feature = "handshake")]
#[test]
fn fields_may_come_twice() {
    use tungstenite::handshake::machine::TryParse;
    use tungstenite::http::HeaderMap;

    let head = b"Via: a\r\nHost: b\r\nVIA: c\r\n\r\nmore";
    let (len, fields) = HeaderMap::try_parse(head).unwrap().unwrap();
    assert_eq!(&head[len..], b"more");
    assert_eq!(fields["host"], "b");
    assert_eq!(fields.get_all("via").iter().collect::<Vec<_>>(), ["a", "c"]);
    assert!(HeaderMap::try_parse(&head[..len - 2]).unwrap().is_none());
}
