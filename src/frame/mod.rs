//! The wire format of frames (RFC 6455 §5.2), usable on its own.
//!
//! Needs neither `alloc` nor `std`, keeps no state and answers nothing: for relays, recorders and
//! test tools that want the frames as they are. What a *connection* asks of a frame beyond its
//! format (who masks, which reserved bits are in use, which frame may follow which) is judged by
//! [`Connection`](crate::Connection), with the rules that stand here.
//!
//! ```text
//!  0               1               2               3
//!  7 6 5 4 3 2 1 0 7 6 5 4 3 2 1 0 7 6 5 4 3 2 1 0 7 6 5 4 3 2 1 0
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R| opcode|M| payload len |  extended payload length      |
//! |I|S|S|S|       |A|             |  16 bits if the length is 126 |
//! |N|V|V|V|       |S|             |  64 bits if it is 127         |
//! | |1|2|3|       |K|             |                               |
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |  masking key, if MASK is set  |  payload …                    |
//! ```

mod close;
#[cfg(feature = "alloc")]
mod encode;
mod header;
#[cfg(any(feature = "handover", feature = "observer"))]
mod observed;
mod opcode;
mod raw;
mod reader;
mod reserved;
mod rules;
#[cfg(feature = "alloc")]
mod whole;

pub use close::{decode_close, encode_close};
#[cfg(feature = "alloc")]
pub(crate) use encode::{encode_frame, encode_header};
pub use header::FrameHeader;
pub(crate) use header::{first_byte, header_len, is_continuation, is_final, write_header};
pub use opcode::Opcode;
pub(crate) use raw::RawHeader;
pub use reader::HeaderReader;
pub(crate) use reserved::{RESERVED_BITS, RSV1};
pub(crate) use rules::{HeaderPart, Place};
#[cfg(feature = "alloc")]
pub(crate) use whole::WholeMessage;

/// The most bytes that the payload of a control frame has (RFC 6455 §5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;
