//! The body of a Close frame (RFC 6455 §5.5.1).

use crate::close_code::CloseCode;
use crate::error::ProtocolError;
use crate::utf8;

use super::MAX_CONTROL_PAYLOAD;

/// The code and reason in the payload of a Close frame; no code if the payload is empty.
///
/// # Errors
/// A payload of one byte, a code that may not be on the wire (RFC 6455 §7.4), a reason that is not
/// UTF-8 (§5.5.1).
///
/// ```
/// use sansocket::{CloseCode, frame::decode_close};
/// assert_eq!(decode_close(b"\x03\xe9bye"), Ok((Some(CloseCode::GOING_AWAY), "bye")));
/// assert_eq!(decode_close(b""), Ok((None, "")));
/// assert!(decode_close(b"\x03").is_err());
/// ```
pub fn decode_close(payload: &[u8]) -> Result<(Option<CloseCode>, &str), ProtocolError> {
    let Some((&code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok((None, ""))
        } else {
            Err(ProtocolError::CloseBodyTooShort)
        };
    };
    let code = u16::from_be_bytes(code);
    let code = CloseCode::new(code).ok_or(ProtocolError::CloseCode { code })?;
    let reason = utf8::validate(reason).map_err(|bad| ProtocolError::CloseReasonNotUtf8 {
        // A Close frame has 125 bytes.
        at: u8::try_from(bad.at).unwrap_or(u8::MAX),
    })?;
    Ok((Some(code), reason))
}

/// Writes the payload of a Close frame and returns its length; `None` if it cannot be encoded: a
/// reason over 123 bytes, or one without a code (RFC 6455 §5.5.1).
///
/// ```
/// use sansocket::{CloseCode, frame::{MAX_CONTROL_PAYLOAD, encode_close}};
/// let mut payload = [0; MAX_CONTROL_PAYLOAD];
/// assert_eq!(encode_close(Some(CloseCode::NORMAL_CLOSURE), "bye", &mut payload), Some(5));
/// assert_eq!(&payload[..5], b"\x03\xe8bye");
/// assert_eq!(encode_close(None, "bye", &mut payload), None);
/// ```
#[must_use]
pub fn encode_close(
    code: Option<CloseCode>,
    reason: &str,
    payload: &mut [u8; MAX_CONTROL_PAYLOAD],
) -> Option<usize> {
    let Some(code) = code else {
        return reason.is_empty().then_some(0);
    };
    payload[..2].copy_from_slice(&code.get().to_be_bytes());
    let len = 2 + reason.len();
    payload.get_mut(2..len)?.copy_from_slice(reason.as_bytes());
    Some(len)
}
