//! The rules that a peer can break in the opening handshake.

use core::fmt;

use super::id::identified;

/// A header field that the opening handshake itself reads or writes (RFC 6455 §4.1, §4.2, §11.3).
///
/// ```
/// use sansocket::error::Field;
/// assert_eq!(Field::Key.name(), "Sec-WebSocket-Key");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `Host`, or `:authority` in HTTP/2 and HTTP/3.
    Host,
    /// `Upgrade`.
    Upgrade,
    /// `Connection`.
    Connection,
    /// `Sec-WebSocket-Key`.
    Key,
    /// `Sec-WebSocket-Accept`.
    Accept,
    /// `Sec-WebSocket-Version`.
    Version,
    /// `Sec-WebSocket-Protocol`.
    Protocol,
    /// `Sec-WebSocket-Extensions`.
    Extensions,
    /// `Origin`.
    Origin,
    /// `Expect`.
    Expect,
    /// `Content-Length`.
    ContentLength,
    /// `Transfer-Encoding`.
    TransferEncoding,
}

impl Field {
    /// The name as the RFCs write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Upgrade => "Upgrade",
            Self::Connection => "Connection",
            Self::Key => "Sec-WebSocket-Key",
            Self::Accept => "Sec-WebSocket-Accept",
            Self::Version => "Sec-WebSocket-Version",
            Self::Protocol => "Sec-WebSocket-Protocol",
            Self::Extensions => "Sec-WebSocket-Extensions",
            Self::Origin => "Origin",
            Self::Expect => "Expect",
            Self::ContentLength => "Content-Length",
            Self::TransferEncoding => "Transfer-Encoding",
        }
    }

    /// The field of this name, without regard to ASCII case (RFC 9110 §5.1). Length and first letter
    /// leave one candidate, so most fields of a browser's request are told without comparing names.
    // A call in WebAssembly, where size counts: it saves 4 KB.
    #[cfg_attr(not(any(target_arch = "wasm32", target_os = "none")), inline(always))]
    #[cfg_attr(any(target_arch = "wasm32", target_os = "none"), inline(never))]
    pub(crate) fn of(name: &str) -> Option<Self> {
        let first = name.as_bytes().first()?.to_ascii_lowercase();
        match (name.len(), first) {
            (4, b'h') => Self::Host.named(name),
            (6, b'o') => Self::Origin.named(name),
            (6, b'e') => Self::Expect.named(name),
            (7, b'u') => Self::Upgrade.named(name),
            (10, b'c') => Self::Connection.named(name),
            (14, b'c') => Self::ContentLength.named(name),
            (17, b's') => Self::Key.named(name),
            (17, b't') => Self::TransferEncoding.named(name),
            (20, b's') => Self::Accept.named(name),
            (21, b's') => Self::Version.named(name),
            (22, b's') => Self::Protocol.named(name),
            (24, b's') => Self::Extensions.named(name),
            _ => None,
        }
    }

    /// Most senders write the names as the RFCs do, so equal bytes are compared first: with a known
    /// length that takes no call.
    #[inline(always)]
    fn named(self, name: &str) -> Option<Self> {
        (self.name() == name || self.name().eq_ignore_ascii_case(name)).then_some(self)
    }
}

/// The peer broke a rule of the opening handshake, or passed a limit (RFC 6455 §4.1, §4.2).
///
/// A server has already queued the answer with [`status`](Self::status) when it reports one; a
/// client drops the transport (RFC 6455 §7.1.7).
///
/// ```
/// use sansocket::error::{Field, HandshakeError};
/// let error = HandshakeError::Missing(Field::Key);
/// assert_eq!(error.status(), 400);
/// assert_eq!(error.to_string(), "Sec-WebSocket-Key is missing (RFC 6455 §4.2.1)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A line of the head is not HTTP/1.1 (RFC 9112 §2). 400.
    Malformed {
        /// Which one: 1 is the request line or the status line.
        line: u8,
    },
    /// A line that does not end with CR LF, or has NUL (RFC 9112 §2.2; RFC 9110 §5.5). 400.
    LineEnd {
        /// Which one, in the same count.
        line: u8,
    },
    /// The request target is longer than [`Limits::head`](crate::config::Limits::head) (RFC 9112 §3). 414.
    TargetTooLong,
    /// The head is longer than [`Limits::head`](crate::config::Limits::head) (RFC 9110 §5.4). 431.
    HeadTooLong,
    /// More fields than [`Limits::fields`](crate::config::Limits::fields) (RFC 9110 §5.4). 431.
    TooManyFields,
    /// More bytes after an undecided request than [`Limits::held`](crate::config::Limits::held):
    /// a client has to wait for the response (RFC 6455 §4.1). 400.
    HeldTooLong,
    /// A major version of HTTP that is not 1 (RFC 9110 §15.6.6). 505.
    HttpVersion,
    /// HTTP/1.0, in which there is no upgrade (RFC 9110 §7.8). 400.
    Http10,
    /// A method that is not GET, or in HTTP/2 and HTTP/3 not CONNECT (RFC 6455 §4.2.1). 405.
    Method,
    /// A request target that is neither a resource name nor an absolute http or https URI (RFC 6455 §4.2.1). 400.
    Target,
    /// The request asks for no upgrade to WebSocket (RFC 6455 §4.2.1). 426.
    NotAnUpgrade,
    /// The request has content: bytes of it could be taken for frames (RFC 9110 §7.8). 400.
    Content,
    /// A version of the protocol that is not 13 (RFC 6455 §4.4). 426.
    Version,
    /// An origin that the policy refuses (RFC 6455 §4.2.2, §10.2). 403.
    Origin,
    /// A host that the server does not answer to (RFC 9110 §7.4). 421.
    Misdirected,
    /// Extended CONNECT for a `:protocol` that is not `websocket` (RFC 9220 §3). 501.
    UnknownProtocol,
    /// HTTP/2 or HTTP/3: a pseudo-header field that is missing, repeated, unknown, or after other fields
    /// (RFC 9113 §8.3). 400.
    PseudoHeader,
    /// HTTP/2 or HTTP/3: a field that belongs to a connection of HTTP/1 (RFC 9113 §8.2.2). 400.
    ConnectionSpecific,
    /// A field is missing. 400, 403 for `Origin`, and 426 for `Sec-WebSocket-Version`.
    Missing(Field),
    /// A field that may come once came twice. 400.
    Repeated(Field),
    /// A field has a value that is not allowed. 400.
    Invalid(Field),
    /// The accept value belongs to another key (RFC 6455 §4.1).
    AcceptMismatch,
    /// The response names a subprotocol that was not offered (RFC 6455 §4.1).
    SubprotocolNotOffered,
    /// The response names no subprotocol, and one was required, as by the WHATWG API.
    SubprotocolRequired,
    /// The response names an extension that was not offered (RFC 6455 §4.1).
    ExtensionNotOffered,
    /// The response accepts an extension with parameters that do not fit the offer (RFC 6455 §9.1; RFC 7692 §5.1).
    ExtensionParameters,
    /// The response accepts extensions that use the same reserved bit, or permessage-deflate after one
    /// that uses any (RFC 7692 §5).
    ExtensionConflict,
    /// A status that this way of opening does not have, such as 101 in HTTP/2 (RFC 9110 §15; RFC 9113 §8.6).
    Status,
}

impl HandshakeError {
    /// The HTTP status that a server answers with. For the errors that only a client meets it is 502,
    /// with which a gateway answers its own client; a client itself answers nothing.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed { .. }
            | Self::LineEnd { .. }
            | Self::HeldTooLong
            | Self::Http10
            | Self::Target
            | Self::Content
            | Self::PseudoHeader
            | Self::ConnectionSpecific => 400,
            Self::Origin | Self::Missing(Field::Origin) => 403,
            Self::Method => 405,
            Self::TargetTooLong => 414,
            Self::Misdirected => 421,
            Self::NotAnUpgrade | Self::Version | Self::Missing(Field::Version) => 426,
            Self::HeadTooLong | Self::TooManyFields => 431,
            Self::UnknownProtocol => 501,
            Self::HttpVersion => 505,
            Self::Missing(Field::Accept)
            | Self::Repeated(Field::Accept)
            | Self::Invalid(Field::Accept)
            | Self::AcceptMismatch
            | Self::SubprotocolNotOffered
            | Self::SubprotocolRequired
            | Self::ExtensionNotOffered
            | Self::ExtensionParameters
            | Self::ExtensionConflict
            | Self::Status => 502,
            Self::Missing(_) | Self::Repeated(_) | Self::Invalid(_) => 400,
        }
    }

    /// The section of the rule, as `RFC 6455 §4.2.1`.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Malformed { .. } => "RFC 9112 §2",
            Self::LineEnd { .. } => "RFC 9112 §2.2",
            Self::TargetTooLong => "RFC 9112 §3",
            Self::HeadTooLong | Self::TooManyFields => "RFC 9110 §5.4",
            Self::HttpVersion => "RFC 9110 §15.6.6",
            Self::Http10 | Self::Content => "RFC 9110 §7.8",
            Self::Method | Self::Target | Self::NotAnUpgrade => "RFC 6455 §4.2.1",
            Self::Version => "RFC 6455 §4.4",
            Self::Origin => "RFC 6455 §10.2",
            Self::Misdirected => "RFC 9110 §7.4",
            Self::UnknownProtocol => "RFC 9220 §3",
            Self::PseudoHeader => "RFC 9113 §8.3",
            Self::ConnectionSpecific => "RFC 9113 §8.2.2",
            Self::HeldTooLong
            | Self::AcceptMismatch
            | Self::SubprotocolNotOffered
            | Self::ExtensionNotOffered => "RFC 6455 §4.1",
            Self::SubprotocolRequired => "WHATWG WebSockets",
            Self::ExtensionParameters => "RFC 6455 §9.1",
            Self::ExtensionConflict => "RFC 7692 §5",
            Self::Status => "RFC 9110 §15",
            Self::Missing(field) | Self::Repeated(field) | Self::Invalid(field) => match field {
                Field::Host => "RFC 9112 §3.2",
                Field::ContentLength | Field::TransferEncoding => "RFC 9112 §6.3",
                Field::Expect => "RFC 9110 §10.1.1",
                // It has the rules for the response, and for these fields of the request too.
                Field::Accept | Field::Upgrade | Field::Connection | Field::Protocol => {
                    "RFC 6455 §4.1"
                }
                Field::Extensions => "RFC 6455 §9.1",
                Field::Version => "RFC 6455 §4.4",
                Field::Key => "RFC 6455 §4.2.1",
                Field::Origin => "RFC 6455 §10.2",
            },
        }
    }
}

identified! { HandshakeError:
    Self::Malformed { .. } = 301, "malformed_head";
    Self::LineEnd { .. } = 302, "line_end";
    Self::TargetTooLong = 303, "target_too_long";
    Self::HeadTooLong = 304, "head_too_long";
    Self::TooManyFields = 305, "too_many_fields";
    Self::HeldTooLong = 306, "held_too_long";
    Self::HttpVersion = 307, "http_version";
    Self::Http10 = 308, "http_10";
    Self::Method = 309, "method";
    Self::Target = 310, "target";
    Self::NotAnUpgrade = 311, "not_an_upgrade";
    Self::Content = 312, "content";
    Self::Version = 313, "version";
    Self::Origin = 314, "origin";
    Self::UnknownProtocol = 315, "unknown_protocol";
    Self::PseudoHeader = 316, "pseudo_header";
    Self::ConnectionSpecific = 317, "connection_specific";
    Self::Missing(_) = 318, "field_missing";
    Self::Repeated(_) = 319, "field_repeated";
    Self::Invalid(_) = 320, "field_invalid";
    Self::AcceptMismatch = 321, "accept_mismatch";
    Self::SubprotocolNotOffered = 322, "subprotocol_not_offered";
    Self::SubprotocolRequired = 323, "subprotocol_required";
    Self::ExtensionNotOffered = 324, "extension_not_offered";
    Self::ExtensionParameters = 325, "extension_parameters";
    Self::ExtensionConflict = 326, "extension_conflict";
    Self::Status = 327, "status";
    Self::Misdirected = 328, "misdirected";
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Malformed { line } => {
                write!(f, "line {line} of the head")?;
                " is not HTTP/1.1"
            }
            Self::LineEnd { line } => {
                write!(f, "line {line} of the head")?;
                " does not end with CR LF, or has NUL"
            }
            Self::TargetTooLong => "the request target is too long",
            Self::HeadTooLong => "the head is too long",
            Self::TooManyFields => "too many header fields",
            Self::HeldTooLong => "too many bytes before the answer",
            Self::HttpVersion => "not version 1 of HTTP",
            Self::Http10 => "HTTP/1.0 has no upgrade",
            Self::Method => "the method is not GET",
            Self::Target => "the request target is neither a path nor an http URI",
            Self::NotAnUpgrade => "this is a WebSocket endpoint",
            Self::Content => "an upgrade request may not have content",
            Self::Version => "the only version of the protocol here is 13",
            Self::Origin => "the origin is not allowed",
            Self::Misdirected => "this server does not answer to that host",
            Self::UnknownProtocol => "the only protocol here is websocket",
            Self::PseudoHeader => "a pseudo-header field is missing, repeated, unknown or late",
            Self::ConnectionSpecific => "a field that only a connection of HTTP/1 has",
            Self::Missing(field) => {
                f.write_str(field.name())?;
                " is missing"
            }
            Self::Repeated(field) => {
                f.write_str(field.name())?;
                " may come only once"
            }
            Self::Invalid(field) => {
                f.write_str(field.name())?;
                " has a value that is not allowed"
            }
            Self::AcceptMismatch => "the accept value belongs to another key",
            Self::SubprotocolNotOffered => "the subprotocol was not offered",
            Self::SubprotocolRequired => "none of the offered subprotocols was chosen",
            Self::ExtensionNotOffered => "the extension was not offered",
            Self::ExtensionParameters => "the extension's parameters do not fit the offer",
            Self::ExtensionConflict => "the extensions cannot be used together",
            Self::Status => "a status that cannot answer this request",
        };
        write!(f, "{what} ({})", self.section())
    }
}

impl core::error::Error for HandshakeError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{Field, HandshakeError};

    const FIELDS: [Field; 12] = [
        Field::Host,
        Field::Upgrade,
        Field::Connection,
        Field::Key,
        Field::Accept,
        Field::Version,
        Field::Protocol,
        Field::Extensions,
        Field::Origin,
        Field::Expect,
        Field::ContentLength,
        Field::TransferEncoding,
    ];

    /// Names have no ASCII case, and nothing but ASCII case.
    #[test]
    fn names_are_found_without_regard_to_ascii_case() {
        for field in FIELDS {
            assert_eq!(Field::of(field.name()), Some(field));
            assert_eq!(Field::of(&field.name().to_lowercase()), Some(field));
            assert_eq!(Field::of(&field.name().to_uppercase()), Some(field));
            assert_eq!(Field::of(&field.name()[1..]), None);
            // As long, and no other than in its last letter.
            let other = [&field.name()[..field.name().len() - 1], "z"].concat();
            assert_eq!(Field::of(&other), None, "{other}");
        }
        assert_eq!(Field::of("ho\u{17f}t"), None);
        assert_eq!(Field::of(""), None);
        assert_eq!(Field::of("Hosts"), None);
    }

    /// Which status goes with which mistake.
    #[test]
    fn statuses() {
        for (error, status) in [
            (HandshakeError::Malformed { line: 1 }, 400),
            (HandshakeError::LineEnd { line: 2 }, 400),
            (HandshakeError::Http10, 400),
            (HandshakeError::Target, 400),
            (HandshakeError::Content, 400),
            (HandshakeError::HeldTooLong, 400),
            (HandshakeError::Missing(Field::Key), 400),
            (HandshakeError::Repeated(Field::Version), 400),
            (HandshakeError::Invalid(Field::Version), 400),
            (HandshakeError::Origin, 403),
            (HandshakeError::Missing(Field::Origin), 403),
            (HandshakeError::Misdirected, 421),
            (HandshakeError::Method, 405),
            (HandshakeError::TargetTooLong, 414),
            (HandshakeError::Missing(Field::Version), 426),
            (HandshakeError::Version, 426),
            (HandshakeError::NotAnUpgrade, 426),
            (HandshakeError::HeadTooLong, 431),
            (HandshakeError::TooManyFields, 431),
            (HandshakeError::PseudoHeader, 400),
            (HandshakeError::ConnectionSpecific, 400),
            (HandshakeError::UnknownProtocol, 501),
            (HandshakeError::AcceptMismatch, 502),
            (HandshakeError::HttpVersion, 505),
        ] {
            assert_eq!(error.status(), status, "{error}");
            assert!(error.to_string().contains(error.section()));
        }
    }

    #[test]
    fn errors_are_small() {
        assert!(size_of::<HandshakeError>() <= 2);
    }
}
