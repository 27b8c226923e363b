//! Status codes of the Close frame (RFC 6455 §7.4 and the IANA registry).

use core::fmt;

/// A status code that may stand in a Close frame (RFC 6455 §7.4).
///
/// It is always one that may be on the wire: 1000–1003, 1007–1014 or 3000–4999. The codes 1005, 1006 and
/// 1015, which §7.4.1 keeps off the wire, are only numbers in
/// [`CloseReport::code`](crate::event::CloseReport::code).
///
/// ```
/// use sansocket::CloseCode;
/// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL_CLOSURE));
/// assert_eq!(CloseCode::new(4711).map(CloseCode::get), Some(4711));
/// assert_eq!(CloseCode::new(1005), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection was fulfilled.
    pub const NORMAL_CLOSURE: Self = Self(1000);
    /// 1001: a server going down, or a page that was left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_FRAME_PAYLOAD_DATA: Self = Self(1007);
    /// 1008: a message against the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: a client needed an extension that the server did not agree to. Clients only.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition at this endpoint.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from its server.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Told to the application if the peer's Close frame had no code (RFC 6455 §7.1.5). Never on the wire.
    pub const NO_STATUS_RECEIVED: u16 = 1005;
    /// Told to the application if no Close frame came (RFC 6455 §7.1.5). Never on the wire.
    pub const ABNORMAL_CLOSURE: u16 = 1006;
    /// Told to the application if the TLS handshake failed (RFC 6455 §7.4.1). Never on the wire.
    pub const TLS_HANDSHAKE: u16 = 1015;

    /// The code with this number, or `None` if it may not be on the wire: RFC 6455 §7.4.1 and
    /// §7.4.2 reserve 1004, 1005, 1006, 1015, everything below 1000, 1016–2999 and above 4999.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use super::CloseCode;

    /// RFC 6455 §7.4.1, §7.4.2, §11.7: every number there is.
    #[test]
    fn exactly_the_registered_ranges_are_codes() {
        for code in 0..=u16::MAX {
            let legal = matches!(
                code,
                1000 | 1001 | 1002 | 1003 | 1007 | 1008 | 1009 | 1010 | 1011 | 1012 | 1013 | 1014
            ) || (3000..5000).contains(&code);
            assert_eq!(
                CloseCode::new(code).map(CloseCode::get),
                legal.then_some(code)
            );
        }
    }
}
