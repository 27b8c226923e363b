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

/// The codes that have a name: its number, and what it says.
macro_rules! close_codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// Why a connection is closed (RFC 6455 §7.4 and the IANA registry).
        #[derive(Debug, PartialEq, Eq, Clone, Copy)]
        #[allow(
            clippy::manual_non_exhaustive,
            reason = "the hidden variants are tungstenite's"
        )]
        pub enum CloseCode {
            $(#[doc = concat!(stringify!($number), ": ", $text, ".")] $name,)*
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

        impl From<CloseCode> for u16 {
            fn from(code: CloseCode) -> Self {
                match code {
                    $(CloseCode::$name => $number,)*
                    CloseCode::Tls => 1015,
                    CloseCode::Reserved(code)
                    | CloseCode::Iana(code)
                    | CloseCode::Library(code)
                    | CloseCode::Bad(code) => code,
                }
            }
        }

        impl From<u16> for CloseCode {
            fn from(code: u16) -> Self {
                match code {
                    $($number => Self::$name,)*
                    1015 => Self::Tls,
                    1016..=2999 => Self::Reserved(code),
                    1014 | 3000..=3999 => Self::Iana(code),
                    4000..=4999 => Self::Library(code),
                    _ => Self::Bad(code),
                }
            }
        }
    };
}

close_codes! {
    Normal = 1000, "the connection has served its purpose";
    Away = 1001, "a server goes down, or a page was left";
    Protocol = 1002, "the peer broke the protocol";
    Unsupported = 1003, "a kind of data that this end does not take";
    Status = 1005, "the Close frame had no code. Never on the wire";
    Abnormal = 1006, "no Close frame came. Never on the wire";
    Invalid = 1007, "data that does not fit its type";
    Policy = 1008, "against this end's policy";
    Size = 1009, "too long";
    Extension = 1010, "a client misses an extension";
    Error = 1011, "something unforeseen";
    Restart = 1012, "the service restarts";
    Again = 1013, "too much to do; try again later";
}

impl CloseCode {
    /// Whether it may be on the wire.
    pub fn is_allowed(self) -> bool {
        sansocket::CloseCode::new(self.into()).is_some()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u16::from(*self).fmt(f)
    }
}

impl From<&CloseCode> for u16 {
    fn from(code: &CloseCode) -> Self {
        (*code).into()
    }
}
