//! Payloads of Close frames (RFC 6455 §5.5.1), by their lengths.

use sansocket::error::{CloseError, Failure, ProtocolError};
use sansocket::frame::{MAX_CONTROL_PAYLOAD, decode_close, encode_close};
use sansocket::{CloseCode, Event};

use crate::support::{Frame, ROLES, encode_for, open, take_frames};

const CODE: CloseCode = CloseCode::GOING_AWAY;

/// Characters of one to four bytes.
const CHARACTERS: [&str; 4] = ["x", "é", "€", "🦀"];

/// So many bytes of text in which the widest character is this one: as many of it as fit, then letters.
fn reason(len: usize, character: &str) -> String {
    let whole = character.repeat(len / character.len());
    whole.clone() + &"x".repeat(len - whole.len())
}

/// RFC 6455 §5.5.1. Domain: payloads of 0 to 125 bytes, the most of a control frame (and to 300, which nobody can send),
/// whose reason is of characters of one to four bytes, read and written; and reasons that end inside a character.
///
/// A body is a code of two bytes, gone through in `close_codes`, and text, gone through in `utf8`: what is left is the length.
#[test]
fn lengths_of_bodies() {
    assert_eq!(decode_close(&[]), Ok((None, "")));
    assert_eq!(
        encode_close(None, "", &mut [0; MAX_CONTROL_PAYLOAD]),
        Some(0)
    );
    for byte in crate::sampled(0..=255, 51) {
        assert_eq!(decode_close(&[byte]), Err(ProtocolError::CloseBodyTooShort));
    }
    for len in crate::sampled(2..300, 41) {
        for character in CHARACTERS {
            let reason = reason(len - 2, character);
            let body = [&CODE.get().to_be_bytes(), reason.as_bytes()].concat();
            assert_eq!(decode_close(&body), Ok((Some(CODE), &*reason)));
            let mut room = [0xa5; MAX_CONTROL_PAYLOAD];
            let written = encode_close(Some(CODE), &reason, &mut room);
            assert_eq!(written, (len <= 125).then_some(len));
            assert!(
                written.is_none()
                    || room[..len] == body && room[len..].iter().all(|byte| *byte == 0xa5)
            );
            assert!(len == 2 || encode_close(None, &reason, &mut room).is_none());
            // Without its last byte a character is none.
            if len - 2 >= character.len() && (len - 2) % character.len() == 0 && character.len() > 1
            {
                let cut = decode_close(&body[..len - 1]);
                let at = u8::try_from(len - 3).unwrap_or(255);
                assert_eq!(cut, Err(ProtocolError::CloseReasonNotUtf8 { at }), "{len}");
            }
        }
    }
}

/// RFC 6455 §5.5, §5.5.1. Domain: the same lengths through a connection of each role, received and sent: up to 123 bytes
/// of reason go out, more are refused, or cut at a character where that is asked for.
#[test]
fn lengths_through_a_connection() {
    for role in ROLES {
        for len in crate::sampled(0..=130, 123) {
            for character in CHARACTERS {
                let reason = reason(len, character);
                let body = [&CODE.get().to_be_bytes(), reason.as_bytes()].concat();
                let mut ws = open(role);
                if len <= 123 {
                    ws.close(CODE, &reason).unwrap();
                    assert_eq!(take_frames(&mut ws), [Frame::new(8, &body)]);
                } else {
                    let long = CloseError::ReasonTooLong { len, max: 123 };
                    assert_eq!(ws.close(CODE, &reason), Err(long));
                }
                let mut ws = open(role);
                ws.close_lossy(CODE, &reason).unwrap();
                let fits = (0..=len.min(123))
                    .rev()
                    .find(|end| reason.is_char_boundary(*end));
                assert_eq!(
                    take_frames(&mut ws),
                    [Frame::new(8, &body[..2 + fits.unwrap()])]
                );
                let mut ws = open(role);
                let mut bytes = encode_for(role, &[Frame::new(8, &body)]);
                let mut input = &mut bytes[..];
                while ws.receive(&mut input).is_some() {}
                ws.receive_eof();
                take_frames(&mut ws);
                let Some(Event::Closed(report)) =
                    std::iter::from_fn(|| ws.receive(&mut &mut [][..]).map(Event::into_owned))
                        .last()
                else {
                    panic!("{len}: no report");
                };
                if len <= 123 {
                    assert_eq!(report.received.unwrap().reason(), reason);
                } else {
                    let long = Failure::Protocol(ProtocolError::ControlTooLong);
                    assert_eq!(report.failure, Some(long));
                }
            }
        }
    }
}
