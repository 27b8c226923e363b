//! Numbers on the wire: opcodes (RFC 6455 §5.2) and close codes (§7.4).

use std::fmt;

/// What a frame is (RFC 6455 §5.2).
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum OpCode {
    /// A message, or a part of one.
    Data(Data),
    /// A control frame.
    Control(Control),
}

/// The opcodes of data frames (RFC 6455 §5.6).
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Data {
    /// 0: a further part of a message.
    Continue,
    /// 1: text.
    Text,
    /// 2: bytes.
    Binary,
    /// 3 to 7: not assigned.
    Reserved(u8),
}

/// The opcodes of control frames (RFC 6455 §5.5).
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Control {
    /// 8.
    Close,
    /// 9.
    Ping,
    /// 10.
    Pong,
    /// 11 to 15: not assigned.
    Reserved(u8),
}

impl From<OpCode> for u8 {
    fn from(opcode: OpCode) -> Self {
        match opcode {
            OpCode::Data(Data::Continue) => 0,
            OpCode::Data(Data::Text) => 1,
            OpCode::Data(Data::Binary) => 2,
            OpCode::Control(Control::Close) => 8,
            OpCode::Control(Control::Ping) => 9,
            OpCode::Control(Control::Pong) => 10,
            OpCode::Data(Data::Reserved(other)) | OpCode::Control(Control::Reserved(other)) => {
                other
            }
        }
    }
}

/// # Panics
/// From 16 on, as an opcode has four bits.
impl From<u8> for OpCode {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Data(Data::Continue),
            1 => Self::Data(Data::Text),
            2 => Self::Data(Data::Binary),
            3..=7 => Self::Data(Data::Reserved(number)),
            8 => Self::Control(Control::Close),
            9 => Self::Control(Control::Ping),
            10 => Self::Control(Control::Pong),
            _ => {
                assert!(
                    number < 16,
                    "an opcode has four bits, and {number} has more"
                );
                Self::Control(Control::Reserved(number))
            }
        }
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue => f.write_str("CONTINUE"),
            Self::Text => f.write_str("TEXT"),
            Self::Binary => f.write_str("BINARY"),
            Self::Reserved(number) => write!(f, "RESERVED_DATA_{number}"),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close => f.write_str("CLOSE"),
            Self::Ping => f.write_str("PING"),
            Self::Pong => f.write_str("PONG"),
            Self::Reserved(number) => write!(f, "RESERVED_CONTROL_{number}"),
        }
    }
}

impl fmt::Display for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) => data.fmt(f),
            Self::Control(control) => control.fmt(f),
        }
    }
}

/// Why a connection is closed (RFC 6455 §7.4 and the IANA registry).
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
#[allow(
    clippy::manual_non_exhaustive,
    reason = "the hidden variants are tungstenite's"
)]
pub enum CloseCode {
    /// 1000: the connection has served its purpose.
    Normal,
    /// 1001: a server goes down, or a page was left.
    Away,
    /// 1002: the peer broke the protocol.
    Protocol,
    /// 1003: a kind of data that this end does not take.
    Unsupported,
    /// 1005: the Close frame had no code. Never on the wire.
    Status,
    /// 1006: no Close frame came. Never on the wire.
    Abnormal,
    /// 1007: data that does not fit its type.
    Invalid,
    /// 1008: against this end's policy.
    Policy,
    /// 1009: too long.
    Size,
    /// 1010: a client misses an extension.
    Extension,
    /// 1011: something unforeseen.
    Error,
    /// 1012: the service restarts.
    Restart,
    /// 1013: too much to do; try again later.
    Again,
    /// 1015: TLS failed. Never on the wire.
    #[doc(hidden)]
    Tls,
    /// 1016 to 2999: reserved for the protocol.
    #[doc(hidden)]
    Reserved(u16),
    /// 1014, and 3000 to 3999: registered.
    #[doc(hidden)]
    Iana(u16),
    /// 4000 to 4999: private.
    #[doc(hidden)]
    Library(u16),
    /// No code.
    #[doc(hidden)]
    Bad(u16),
}

impl CloseCode {
    /// Whether it may be on the wire.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        sansocket::CloseCode::new(self.into()).is_some()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u16::from(*self).fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Normal => 1000,
            CloseCode::Away => 1001,
            CloseCode::Protocol => 1002,
            CloseCode::Unsupported => 1003,
            CloseCode::Status => 1005,
            CloseCode::Abnormal => 1006,
            CloseCode::Invalid => 1007,
            CloseCode::Policy => 1008,
            CloseCode::Size => 1009,
            CloseCode::Extension => 1010,
            CloseCode::Error => 1011,
            CloseCode::Restart => 1012,
            CloseCode::Again => 1013,
            CloseCode::Tls => 1015,
            CloseCode::Reserved(code)
            | CloseCode::Iana(code)
            | CloseCode::Library(code)
            | CloseCode::Bad(code) => code,
        }
    }
}

impl From<&CloseCode> for u16 {
    fn from(code: &CloseCode) -> Self {
        (*code).into()
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        match code {
            1000 => Self::Normal,
            1001 => Self::Away,
            1002 => Self::Protocol,
            1003 => Self::Unsupported,
            1005 => Self::Status,
            1006 => Self::Abnormal,
            1007 => Self::Invalid,
            1008 => Self::Policy,
            1009 => Self::Size,
            1010 => Self::Extension,
            1011 => Self::Error,
            1012 => Self::Restart,
            1013 => Self::Again,
            1015 => Self::Tls,
            1016..=2999 => Self::Reserved(code),
            1014 | 3000..=3999 => Self::Iana(code),
            4000..=4999 => Self::Library(code),
            _ => Self::Bad(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
