//! Numbers and names of errors, which never change: this table is what bindings hold to.

use std::collections::{BTreeMap, BTreeSet};

use sansocket::CloseCode;
use sansocket::error::{
    AcceptError, BadEntry, CloseError, ExtendedConnectError, Failure, Field, FieldError,
    HandshakeError, Limit, NoEntropy, ProtocolError, SendError, Timeout,
};
use sansocket::extension::{DecodeError, EncodeError, Extensions};
use sansocket::fixed::AskError;
use sansocket::{Uri, utf8};

/// Every kind of error, once: its number and name as they are, and as they have to be.
fn table() -> Vec<(u16, &'static str, u16, &'static str)> {
    let mut table = Vec::new();
    macro_rules! rows {
        ($($error:expr => $code:literal $name:literal,)*) => {$(
            let error = $error;
            table.push((error.code(), error.name(), $code, $name));
        )*};
    }
    let limit = |limit| ProtocolError::Limit {
        limit,
        value: 2,
        max: 1,
    };
    let uri = |text: &str| Uri::parse(text).unwrap_err();
    rows! {
        ProtocolError::ReservedBits { bits: 1 } => 101 "reserved_bits",
        ProtocolError::ReservedOpcode { opcode: 3 } => 102 "reserved_opcode",
        ProtocolError::UnmaskedFrame => 103 "unmasked_frame",
        ProtocolError::MaskedFrame => 104 "masked_frame",
        ProtocolError::LengthNotMinimal => 105 "length_not_minimal",
        ProtocolError::LengthTopBit => 106 "length_top_bit",
        ProtocolError::ControlTooLong => 107 "control_too_long",
        ProtocolError::ControlFragmented => 108 "control_fragmented",
        ProtocolError::UnexpectedContinuation => 109 "unexpected_continuation",
        ProtocolError::MessageInterrupted { opcode: 1 } => 110 "message_interrupted",
        ProtocolError::CloseBodyTooShort => 111 "close_body_too_short",
        ProtocolError::CloseCode { code: 1005 } => 112 "close_code",
        ProtocolError::CloseReasonNotUtf8 { at: 1 } => 113 "close_reason_not_utf8",
        ProtocolError::TextNotUtf8 { at: 1, cut: true } => 114 "text_not_utf8",
        ProtocolError::CompressedData => 115 "compressed_data",
        ProtocolError::CompressionRatio { max: 1 } => 116 "compression_ratio",
        ProtocolError::ExtensionMissing => 117 "extension_missing",
        limit(Limit::Frame) => 118 "frame_limit",
        limit(Limit::Message) => 119 "message_limit",
        limit(Limit::Fragments) => 120 "fragments_limit",
        limit(Limit::Pings) => 121 "pings_limit",
        limit(Limit::EmptyFrames) => 122 "empty_frames_limit",
        limit(Limit::TinyFragments) => 123 "tiny_fragments_limit",
        limit(Limit::Messages) => 124 "messages_limit",
        limit(Limit::Memory) => 125 "memory_limit",
        Timeout::Handshake => 201 "handshake_timeout",
        Timeout::Pong => 202 "pong_timeout",
        Timeout::Idle => 203 "idle_timeout",
        Timeout::Message => 204 "message_timeout",
        Timeout::Close => 205 "close_timeout",
        Failure::Application(CloseCode::GOING_AWAY) => 251 "failed_by_application",
        HandshakeError::Malformed { line: 1 } => 301 "malformed_head",
        HandshakeError::LineEnd { line: 1 } => 302 "line_end",
        HandshakeError::TargetTooLong => 303 "target_too_long",
        HandshakeError::HeadTooLong => 304 "head_too_long",
        HandshakeError::TooManyFields => 305 "too_many_fields",
        HandshakeError::HeldTooLong => 306 "held_too_long",
        HandshakeError::HttpVersion => 307 "http_version",
        HandshakeError::Http10 => 308 "http_10",
        HandshakeError::Method => 309 "method",
        HandshakeError::Target => 310 "target",
        HandshakeError::NotAnUpgrade => 311 "not_an_upgrade",
        HandshakeError::Content => 312 "content",
        HandshakeError::Version => 313 "version",
        HandshakeError::Origin => 314 "origin",
        HandshakeError::UnknownProtocol => 315 "unknown_protocol",
        HandshakeError::PseudoHeader => 316 "pseudo_header",
        HandshakeError::ConnectionSpecific => 317 "connection_specific",
        HandshakeError::Missing(Field::Key) => 318 "field_missing",
        HandshakeError::Repeated(Field::Key) => 319 "field_repeated",
        HandshakeError::Invalid(Field::Key) => 320 "field_invalid",
        HandshakeError::AcceptMismatch => 321 "accept_mismatch",
        HandshakeError::SubprotocolNotOffered => 322 "subprotocol_not_offered",
        HandshakeError::SubprotocolRequired => 323 "subprotocol_required",
        HandshakeError::ExtensionNotOffered => 324 "extension_not_offered",
        HandshakeError::ExtensionParameters => 325 "extension_parameters",
        HandshakeError::ExtensionConflict => 326 "extension_conflict",
        HandshakeError::Status => 327 "status",
        HandshakeError::Misdirected => 328 "misdirected",
        SendError::NotOpen => 401 "not_open",
        SendError::Closing => 402 "closing",
        SendError::Full { queued: 1, limit: 1 } => 403 "full",
        SendError::MessageInProgress => 404 "message_in_progress",
        SendError::NoMessageInProgress => 405 "no_message_in_progress",
        SendError::TooLong { len: 2, max: 1 } => 406 "too_long",
        SendError::NotUtf8 { at: 1 } => 407 "not_utf8",
        SendError::ReservedBits { bits: 1 } => 408 "reserved_bits_not_agreed",
        SendError::NoResponseInProgress => 409 "no_response_in_progress",
        SendError::Incomplete { missing: 1 } => 410 "response_incomplete",
        SendError::Memory { needed: 2, limit: 1 } => 411 "memory_full",
        CloseError::ClientCode { code: 1010 } => 501 "client_code",
        CloseError::ReasonWithoutCode => 502 "reason_without_code",
        CloseError::ReasonTooLong { len: 2, max: 1 } => 503 "reason_too_long",
        AcceptError::NoRequest => 601 "no_request",
        AcceptError::SubprotocolNotOffered => 602 "accepted_subprotocol_not_offered",
        AcceptError::ExtensionNotOffered => 603 "accepted_extension_not_offered",
        AcceptError::ExtensionConflict => 604 "accepted_extension_conflict",
        AcceptError::BadStatus { status: 1 } => 605 "bad_status",
        AcceptError::BodyTooLong { len: 2, max: 1 } => 606 "body_too_long",
        AcceptError::Memory { needed: 2, limit: 1 } => 607 "answer_beyond_memory",
        FieldError::BadName => 701 "bad_name",
        FieldError::BadValue => 702 "bad_value",
        FieldError::Reserved => 703 "reserved_field",
        FieldError::BadSubprotocol => 704 "bad_subprotocol",
        FieldError::BadExtension => 705 "bad_extension",
        NoEntropy => 801 "no_entropy",
        ExtendedConnectError::NotEnabled => 901 "extended_connect_not_enabled",
        uri("x://h/") => 1001 "uri_scheme",
        uri("ws://a@h/") => 1002 "uri_user_info",
        uri("ws:///") => 1003 "uri_host",
        uri("ws://h:x/") => 1004 "uri_port",
        uri("ws://h/ ") => 1005 "uri_path",
        uri("ws://h/? ") => 1006 "uri_query",
        uri("ws://h/#") => 1007 "uri_fragment",
        AskError::TooLong { room: 1 } => 2001 "request_beyond_room",
        DecodeError::Corrupt => 1301 "decode_corrupt",
        DecodeError::TooLong { value: 2, max: 1 } => 1302 "decode_too_long",
        DecodeError::Ratio { max: 1 } => 1303 "decode_ratio",
        EncodeError => 1304 "encode_failed",
        Extensions::parse([&b"="[..]]).unwrap_err() => 1401 "extensions_malformed",
        utf8::Validator::new().push(b"\xff").unwrap_err() => 1402 "text_malformed",
        BadEntry::Origin(String::new()) => 1501 "bad_origin_entry",
        BadEntry::Host(String::new()) => 1502 "bad_host_entry",
    }
    #[cfg(feature = "digest")]
    {
        use sansocket::client::digest::NoDigest;
        rows! {
            NoDigest::NotAsked => 1231 "digest_not_asked",
            NoDigest::Malformed => 1232 "digest_malformed",
            NoDigest::Algorithm => 1233 "digest_algorithm",
            NoDigest::Quality => 1234 "digest_quality",
        }
    }
    #[cfg(feature = "client")]
    {
        use sansocket::client::proxy::{BadProxy, ConnectError, ProxyError};
        use sansocket::client::redirect::NoRedirect;
        use sansocket::client::socks5::Socks5Error;
        rows! {
            NoRedirect::Status(200) => 1101 "no_redirection",
            NoRedirect::Location => 1102 "redirection_location",
            NoRedirect::Uri(uri("x")) => 1103 "redirection_uri",
            NoRedirect::Loop => 1104 "redirection_loop",
            NoRedirect::TooMany(1) => 1105 "too_many_redirections",
            ConnectError::Answer(HandshakeError::Status) => 1201 "proxy_answer",
            ConnectError::Status(101) => 1202 "proxy_status",
            ConnectError::Closed => 1203 "proxy_closed",
            ConnectError::Timeout => 1204 "proxy_timeout",
            Socks5Error::TooLong(256) => 1221 "socks5_too_long",
            Socks5Error::NotSocks5 => 1222 "not_socks5",
            Socks5Error::NoMethod => 1223 "socks5_no_method",
            Socks5Error::Credentials => 1224 "socks5_credentials",
            Socks5Error::Refused(1) => 1225 "socks5_refused",
            Socks5Error::Closed => 1226 "socks5_closed",
            Socks5Error::Timeout => 1227 "socks5_timeout",
            BadProxy::Protocol => 1241 "bad_proxy_protocol",
            BadProxy::Host => 1242 "bad_proxy_host",
            BadProxy::Credentials => 1243 "bad_proxy_credentials",
            ProxyError::Bad(BadProxy::Host) => 1251 "proxy_bad",
            ProxyError::Refused(proxy_refusal()) => 1252 "proxy_refused",
            ProxyError::Http(ConnectError::Closed) => 1253 "proxy_http",
            ProxyError::Socks5(Socks5Error::Closed) => 1254 "proxy_socks5",
            ProxyError::Early => 1255 "proxy_early",
        }
    }
    #[cfg(feature = "handover")]
    {
        use sansocket::handover::{ResumeError, SuspendError};
        let extensions = String::new();
        rows! {
            SuspendError::InCompressedMessage => 1901 "in_compressed_message",
            SuspendError::Extension => 1902 "codec_cannot_move",
            ResumeError::Foreign => 1911 "no_state",
            ResumeError::Version { version: 2 } => 1912 "state_version",
            ResumeError::Damaged => 1913 "state_damaged",
            ResumeError::Corrupt => 1914 "state_corrupt",
            ResumeError::Role { role: sansocket::Role::Client } => 1915 "state_role",
            ResumeError::Extension { extensions } => 1916 "state_extension",
        }
    }
    #[cfg(feature = "observer")]
    {
        use sansocket::observer::Rule;
        rows! {
            Rule::AfterClose => 1601 "data_after_close",
        }
    }
    table
}

#[cfg(feature = "client")]
fn proxy_refusal() -> Box<sansocket::handshake::Refusal> {
    use sansocket::client::proxy::{Connect, ConnectOptions, ConnectOutcome};
    let uri = Uri::parse("ws://h/").unwrap();
    let mut connect = Connect::new(&uri, &ConnectOptions::new());
    let mut head = *b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n";
    match connect.receive(&mut &mut head[..]) {
        Some(ConnectOutcome::Refused(refusal)) => refusal,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn numbers_and_names_stay() {
    for (code, name, expected_code, expected_name) in table() {
        assert_eq!((code, name), (expected_code, expected_name));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(name.bytes().all(plain), "{name}");
    }
}

/// One number, one name, one kind of error.
#[test]
fn no_two_errors_share_one() {
    let table = table();
    let numbers: BTreeSet<_> = table.iter().map(|(code, ..)| code).collect();
    let names: BTreeMap<_, _> = table.iter().map(|(code, name, ..)| (name, code)).collect();
    assert_eq!((numbers.len(), names.len()), (table.len(), table.len()));
}

/// Numbers as others have them, and the names that scripts know.
#[cfg(feature = "webapi")]
#[test]
fn exceptions() {
    use sansocket::webapi::Exception;
    let table = table();
    for (exception, code, name) in [
        (Exception::Syntax, 1701, "SyntaxError"),
        (Exception::InvalidAccess, 1702, "InvalidAccessError"),
        (Exception::InvalidState, 1703, "InvalidStateError"),
        (Exception::Operation, 1704, "OperationError"),
    ] {
        assert_eq!((exception.code(), exception.name()), (code, name));
        assert!(table.iter().all(|(known, ..)| *known != code));
    }
}

/// An error that carries another one has that one's.
#[test]
fn what_is_carried_keeps_its_own() {
    let error = ProtocolError::ReservedOpcode { opcode: 3 };
    let failure = Failure::from(error);
    assert_eq!((failure.code(), failure.name()), (102, "reserved_opcode"));
    let failure = Failure::from(Timeout::Idle);
    assert_eq!((failure.code(), failure.name()), (203, "idle_timeout"));
    let failure = Failure::from(HandshakeError::Origin);
    assert_eq!((failure.code(), failure.name()), (314, "origin"));
    for field in [
        FieldError::BadName,
        FieldError::BadValue,
        FieldError::Reserved,
        FieldError::BadSubprotocol,
        FieldError::BadExtension,
    ] {
        let own = (field.code(), field.name());
        let accept = AcceptError::Field(field);
        assert_eq!((accept.code(), accept.name()), own);
        let connect = ExtendedConnectError::Field(field);
        assert_eq!((connect.code(), connect.name()), own);
    }
    let unsent = sansocket::error::Unsent {
        why: SendError::NotOpen,
        message: (),
    };
    assert_eq!((unsent.code(), unsent.name()), (401, "not_open"));
    #[cfg(feature = "observer")]
    {
        use sansocket::observer::Rule;
        let rule = Rule::Protocol(error);
        assert_eq!((rule.code(), rule.name()), (102, "reserved_opcode"));
        let rule = Rule::Handshake(HandshakeError::Origin);
        assert_eq!((rule.code(), rule.name()), (314, "origin"));
    }
    let own = (NoEntropy.code(), NoEntropy.name());
    let (send, close) = (SendError::NoEntropy, CloseError::NoEntropy);
    assert_eq!((send.code(), send.name()), own);
    assert_eq!((close.code(), close.name()), own);
}
