//! Opcodes (RFC 6455 §5.2, §11.8).

/// What a frame is. Only the six assigned values exist (RFC 6455 §11.8).
///
/// ```
/// use sansocket::frame::Opcode;
/// assert_eq!(Opcode::new(9), Some(Opcode::Ping));
/// assert_eq!(Opcode::new(3), None);
/// assert!(Opcode::Ping.is_control());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message under way.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The closing handshake (RFC 6455 §5.5.1).
    Close = 8,
    /// Asks for a Pong (RFC 6455 §5.5.2).
    Ping = 9,
    /// Answers a Ping, or comes unsolicited (RFC 6455 §5.5.3).
    Pong = 10,
}

impl Opcode {
    /// The opcode with this number, `None` for the reserved ones (3–7, 11–15) and above 15.
    #[must_use]
    #[inline]
    pub const fn new(opcode: u8) -> Option<Self> {
        Some(match opcode {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Whether it is a control frame: Close, Ping or Pong (RFC 6455 §5.5).
    #[must_use]
    #[inline]
    pub const fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}
