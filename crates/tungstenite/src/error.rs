//! What can go wrong.

use std::fmt;
use std::io;
use std::str::Utf8Error;
use std::string::FromUtf8Error;

#[cfg(feature = "handshake")]
use http::{Response, header::HeaderName};

use crate::protocol::Message;
use crate::protocol::frame::coding::Data;

/// The result of most calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, and how a connection ends.
#[derive(Debug)]
pub enum Error {
    /// The connection was closed in an orderly way: a server has exchanged Close frames with the peer, a
    /// client has found the end of the stream after that. The stream can be dropped.
    ConnectionClosed,
    /// The connection was over before this call: it has closed or failed, and said so.
    AlreadyClosed,
    /// The stream's error. `WouldBlock` changes nothing: the call goes on where it was when it is made again.
    Io(io::Error),
    /// TLS went wrong. There whatever the features are.
    Tls(TlsError),
    /// The peer has passed a limit (RFC 6455 §10.4).
    Capacity(CapacityError),
    /// The peer, or the caller, has broken a rule of the protocol.
    Protocol(ProtocolError),
    /// More is queued than [`max_write_buffer_size`](crate::protocol::WebSocketConfig::max_write_buffer_size)
    /// allows: the message comes back, as a frame.
    WriteBufferFull(Box<Message>),
    /// Text that is not UTF-8 (RFC 6455 §8.1).
    Utf8(String),
    /// The head of an opening handshake that does not end within 64 KiB.
    AttackAttempt,
    /// The URL is of no use.
    Url(UrlError),
    /// The server has answered the opening handshake with this instead of 101; or the callback has refused the
    /// client with it. The body is as much of it as came with the head.
    #[cfg(feature = "handshake")]
    Http(Box<Response<Option<Vec<u8>>>>),
    /// A part of a request or of a response that HTTP has no room for.
    #[cfg(feature = "handshake")]
    HttpFormat(http::Error),
}

/// An enum of errors. The text of each is its documentation, too.
macro_rules! errors {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $(
                $(#[cfg($cfg:meta)])?
                $variant:ident
                $(($inner:ident: $type:ty))?
                $({ $($(#[doc = $doc:literal])* $field:ident: $field_type:ty,)* })?
                => $text:literal,
            )*
        }
    )*) => {$(
        $(#[$meta])*
        pub enum $name {$(
            $(#[cfg($cfg)])?
            #[doc = $text]
            $variant $(($type))? $({ $($(#[doc = $doc])* $field: $field_type),* })?,
        )*}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {$(
                    $(#[cfg($cfg)])?
                    Self::$variant $(($inner))? $({ $($field),* })? => write!(f, $text),
                )*}
            }
        }

        impl std::error::Error for $name {}
    )*};
}

errors! {
    /// A limit was passed.
    #[derive(Debug, PartialEq, Eq, Clone, Copy)]
    CapacityError {
        TooManyHeaders => "more than 124 header fields",
        MessageTooLong {
            /// Bytes of it, as far as it has come or was announced.
            size: usize,
            /// How many are allowed.
            max_size: usize,
        } => "{size} bytes, at most {max_size} are allowed",
    }

    /// The server's choice of a subprotocol is none of those that were offered (RFC 6455 §4.1).
    #[derive(Debug, PartialEq, Eq, Clone, Copy)]
    SubProtocolError {
        ServerSentSubProtocolNoneRequested => "the server has chosen a subprotocol, and none was offered",
        InvalidSubProtocol => "the server has chosen a subprotocol that was not offered",
        NoSubProtocol => "the server has chosen no subprotocol",
    }

    /// A rule of the protocol was broken.
    #[derive(Debug, PartialEq, Eq, Clone)]
    ProtocolError {
        WrongHttpMethod => "another method than GET (RFC 6455 §4.1)",
        WrongHttpVersion => "HTTP before 1.1 (RFC 6455 §4.1)",
        MissingConnectionUpgradeHeader => "no `Connection: Upgrade` (RFC 6455 §4.1, §4.2.1)",
        MissingUpgradeWebSocketHeader => "no `Upgrade: websocket` (RFC 6455 §4.1, §4.2.1)",
        MissingSecWebSocketVersionHeader => "no `Sec-WebSocket-Version: 13` (RFC 6455 §4.2.1)",
        MissingSecWebSocketKey => "no `Sec-WebSocket-Key` (RFC 6455 §4.2.1)",
        InvalidSecWebSocketKey => "a `Sec-WebSocket-Key` that is not the base64 of 16 bytes (RFC 6455 §4.2.1)",
        SecWebSocketAcceptKeyMismatch => "a `Sec-WebSocket-Accept` that does not answer the key (RFC 6455 §4.1)",
        SecWebSocketSubProtocolError(error: SubProtocolError) => "{error} (RFC 6455 §4.1)",
        JunkAfterRequest => "bytes after the request, before its answer",
        CustomResponseSuccessful => "a refusal by the callback with a status of success",
        #[cfg(feature = "handshake")]
        InvalidHeader(name: Box<HeaderName>) => "`{name}` is missing or wrong",
        HandshakeIncomplete => "the stream ended inside the opening handshake",
        #[cfg(feature = "handshake")]
        HttparseError(error: httparse::Error) => "no head of HTTP/1: {error}",
        SendAfterClosing => "nothing can be sent after a Close frame (RFC 6455 §5.5.1)",
        ReceivedAfterClosing => "something came after a Close frame: never returned, as it is thrown away (RFC 6455 §1.4)",
        NonZeroReservedBits => "a reserved bit that nothing uses (RFC 6455 §5.2)",
        UnmaskedFrameFromClient => "a client's frame without a mask (RFC 6455 §5.1)",
        MaskedFrameFromServer => "a server's frame with a mask (RFC 6455 §5.1)",
        FragmentedControlFrame => "a control frame in fragments (RFC 6455 §5.5)",
        ControlFrameTooBig => "a control frame of more than 125 bytes (RFC 6455 §5.5)",
        UnknownControlFrameType(opcode: u8) => "control opcode {opcode}: never returned, as it is an `InvalidOpcode`",
        UnknownDataFrameType(opcode: u8) => "data opcode {opcode}: never returned, as it is an `InvalidOpcode`",
        UnexpectedContinueFrame => "a continuation of no message (RFC 6455 §5.4)",
        ExpectedFragment(data: Data) => "a new message, {data}, inside a fragmented one (RFC 6455 §5.4)",
        ResetWithoutClosingHandshake => "the stream ended before both Close frames were exchanged (RFC 6455 §7.1.4)",
        InvalidOpcode(opcode: u8) => "opcode {opcode}, which is not assigned (RFC 6455 §5.2)",
        InvalidCloseSequence => "a Close frame with a body of one byte, or one that may not be sent (RFC 6455 §5.5.1, §7.4)",
    }

    /// The URL is of no use.
    #[derive(Debug, PartialEq, Eq)]
    UrlError {
        TlsFeatureNotEnabled => "wss, and no feature for TLS",
        NoHostName => "no host",
        UnableToConnect(url: String) => "nobody answers at {url}",
        UnsupportedUrlScheme => "neither ws nor wss",
        EmptyHostName => "an empty host",
        NoPathOrQuery => "no path",
    }
}

/// TLS went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// Of the platform's TLS.
    #[cfg(feature = "native-tls")]
    Native(Box<native_tls_crate::Error>),
    /// Of rustls.
    #[cfg(feature = "__rustls-tls")]
    Rustls(Box<rustls::Error>),
    /// The host is no name that a certificate could have.
    #[cfg(feature = "__rustls-tls")]
    InvalidDnsName,
}

const _: () = assert!(size_of::<Error>() <= 32);
const _: () = assert!(size_of::<ProtocolError>() <= 16);
const _: () = assert!(size_of::<TlsError>() <= 16);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionClosed => f.write_str("the connection was closed in an orderly way"),
            Self::AlreadyClosed => f.write_str("the connection is over already"),
            Self::Io(error) => write!(f, "stream: {error}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::Capacity(error) => write!(f, "limit passed: {error}"),
            Self::Protocol(error) => write!(f, "protocol broken: {error}"),
            Self::WriteBufferFull(_) => f.write_str("as much is queued as may be: flush first"),
            Self::Utf8(what) => write!(f, "not UTF-8: {what}"),
            Self::AttackAttempt => f.write_str("the head of the handshake does not end"),
            Self::Url(error) => write!(f, "URL: {error}"),
            #[cfg(feature = "handshake")]
            Self::Http(response) => write!(f, "answered over HTTP, status {}", response.status()),
            #[cfg(feature = "handshake")]
            Self::HttpFormat(error) => write!(f, "no HTTP: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Capacity(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Url(error) => Some(error),
            #[cfg(feature = "handshake")]
            Self::HttpFormat(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _: &fmt::Formatter<'_> = f; // without TLS there is no error
        match *self {
            #[cfg(feature = "native-tls")]
            Self::Native(ref error) => error.fmt(f),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(ref error) => error.fmt(f),
            #[cfg(feature = "__rustls-tls")]
            Self::InvalidDnsName => f.write_str("the host is no name for a certificate"),
        }
    }
}

impl std::error::Error for TlsError {}

/// An error inside another.
macro_rules! wrapped {
    ($($(#[$cfg:meta])* $inner:ty => $outer:ident, |$error:ident| $value:expr;)*) => {$(
        $(#[$cfg])*
        impl From<$inner> for $outer {
            fn from($error: $inner) -> Self {
                $value
            }
        }
    )*};
}

wrapped! {
    io::Error => Error, |error| Self::Io(error);
    TlsError => Error, |error| Self::Tls(error);
    CapacityError => Error, |error| Self::Capacity(error);
    ProtocolError => Error, |error| Self::Protocol(error);
    UrlError => Error, |error| Self::Url(error);
    Utf8Error => Error, |error| Self::Utf8(error.to_string());
    FromUtf8Error => Error, |error| Self::Utf8(error.to_string());
    #[cfg(feature = "handshake")]
    http::Error => Error, |error| Self::HttpFormat(error);
    #[cfg(feature = "handshake")]
    http::header::InvalidHeaderValue => Error, |error| Self::HttpFormat(error.into());
    #[cfg(feature = "handshake")]
    http::header::InvalidHeaderName => Error, |error| Self::HttpFormat(error.into());
    #[cfg(feature = "handshake")]
    http::uri::InvalidUri => Error, |error| Self::HttpFormat(error.into());
    #[cfg(feature = "handshake")]
    http::status::InvalidStatusCode => Error, |error| Self::HttpFormat(error.into());
    #[cfg(feature = "handshake")]
    http::header::ToStrError => Error, |error| Self::Utf8(error.to_string());
    #[cfg(feature = "handshake")]
    httparse::Error => ProtocolError, |error| Self::HttparseError(error);
    #[cfg(feature = "handshake")]
    httparse::Error => Error, |error| match error {
        httparse::Error::TooManyHeaders => CapacityError::TooManyHeaders.into(),
        error => ProtocolError::HttparseError(error).into(),
    };
    #[cfg(feature = "native-tls")]
    native_tls_crate::Error => TlsError, |error| Self::Native(Box::new(error));
    #[cfg(feature = "__rustls-tls")]
    rustls::Error => TlsError, |error| Self::Rustls(Box::new(error));
}
