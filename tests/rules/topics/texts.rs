//! What the errors say: each in its own words, and those about the peer with the section of the rule.

use sansocket::error::Failure;
use sansocket::error::{
    AcceptError, CloseError, ExtendedConnectError, Field, FieldError, HandshakeError, NoEntropy,
    ProtocolError, SendError, Timeout,
};
use sansocket::{CloseCode, Role};
use std::collections::HashSet;

use crate::support::*;

/// No text is empty, and no two are the same.
#[track_caller]
fn distinct(texts: impl IntoIterator<Item = String>) {
    let mut seen = HashSet::new();
    for text in texts {
        assert!(text.len() > 5, "{text:?} says nothing");
        assert!(seen.insert(text.clone()), "{text:?} twice");
    }
}

#[test]
fn mistakes_of_the_caller() {
    let all = [
        SendError::NotOpen,
        SendError::Closing,
        SendError::Full {
            queued: 12,
            limit: 10,
        },
        SendError::MessageInProgress,
        SendError::NoMessageInProgress,
        SendError::TooLong { len: 126, max: 125 },
        SendError::NotUtf8 { at: 1 },
        SendError::ReservedBits { bits: 2 },
        SendError::NoResponseInProgress,
        SendError::Incomplete { missing: 2 },
        SendError::NoEntropy,
    ];
    let fields = [
        FieldError::BadName,
        FieldError::BadValue,
        FieldError::Reserved,
        FieldError::BadSubprotocol,
        FieldError::BadExtension,
    ];
    let answers = [
        AcceptError::NoRequest,
        AcceptError::SubprotocolNotOffered,
        AcceptError::ExtensionNotOffered,
        AcceptError::ExtensionConflict,
        AcceptError::BadStatus { status: 101 },
        AcceptError::BodyTooLong { len: 2, max: 1 },
    ];
    let closes = [
        CloseError::ClientCode { code: 1010 },
        CloseError::ReasonWithoutCode,
        CloseError::ReasonTooLong { len: 124, max: 123 },
    ];
    let texts = all.iter().map(ToString::to_string);
    let texts = texts.chain(closes.iter().map(ToString::to_string));
    let texts = texts.chain(fields.iter().map(ToString::to_string));
    let texts = texts.chain(answers.iter().map(ToString::to_string));
    distinct(texts.chain([ExtendedConnectError::NotEnabled.to_string()]));
    assert_eq!(NoEntropy.to_string(), SendError::NoEntropy.to_string());
    assert_eq!(NoEntropy.to_string(), CloseError::NoEntropy.to_string());
    let reserved = FieldError::Reserved;
    let field = AcceptError::from(reserved).to_string();
    assert_eq!(field, reserved.to_string());
    let field = ExtendedConnectError::from(reserved).to_string();
    assert_eq!(field, reserved.to_string());
}

/// A refusal to send says why and not what.
#[test]
fn what_was_not_sent() {
    let mut ws = open(Role::Server);
    ws.close(None, "").unwrap();
    let unsent = ws.send(String::from("secret")).unwrap_err();
    assert_eq!(unsent.to_string(), SendError::Closing.to_string());
    assert_eq!(format!("{unsent:?}"), "Unsent { why: Closing, .. }");
}

#[test]
fn deadlines() {
    let all = [
        Timeout::Handshake,
        Timeout::Pong,
        Timeout::Idle,
        Timeout::Message,
        Timeout::Close,
    ];
    distinct(all.map(|timeout| timeout.to_string()));
    for timeout in all {
        assert_eq!(Failure::Timeout(timeout).to_string(), timeout.to_string());
    }
}

#[test]
fn broken_rules_of_frames() {
    let all = [
        (ProtocolError::ReservedBits { bits: 4 }, "RFC 6455 §5.2"),
        (ProtocolError::ReservedOpcode { opcode: 3 }, "RFC 6455 §5.2"),
        (ProtocolError::LengthNotMinimal, "RFC 6455 §5.2"),
        (ProtocolError::LengthTopBit, "RFC 6455 §5.2"),
        (ProtocolError::UnmaskedFrame, "RFC 6455 §5.1"),
        (ProtocolError::MaskedFrame, "RFC 6455 §5.1"),
        (ProtocolError::ControlTooLong, "RFC 6455 §5.5"),
        (ProtocolError::ControlFragmented, "RFC 6455 §5.5"),
        (ProtocolError::UnexpectedContinuation, "RFC 6455 §5.4"),
        (
            ProtocolError::MessageInterrupted { opcode: 1 },
            "RFC 6455 §5.4",
        ),
        (ProtocolError::CloseBodyTooShort, "RFC 6455 §5.5.1"),
        (
            ProtocolError::CloseReasonNotUtf8 { at: 1 },
            "RFC 6455 §5.5.1",
        ),
        (ProtocolError::CloseCode { code: 1005 }, "RFC 6455 §7.4"),
        (
            ProtocolError::TextNotUtf8 { at: 1, cut: false },
            "RFC 6455 §8.1",
        ),
        (ProtocolError::CompressedData, "RFC 7692 §7.2.2"),
        (ProtocolError::CompressionRatio { max: 100 }, "RFC 7692 §8"),
        (ProtocolError::ExtensionMissing, "RFC 6455 §7.4.1"),
    ];
    distinct(all.map(|(error, _)| error.to_string()));
    for (error, section) in all {
        assert_eq!(error.section(), section);
        assert!(error.to_string().ends_with(&format!("({section})")));
    }
}

#[test]
fn broken_rules_of_the_handshake() {
    let rules = [
        (HandshakeError::Malformed { line: 1 }, "RFC 9112 §2"),
        (HandshakeError::LineEnd { line: 1 }, "RFC 9112 §2.2"),
        (HandshakeError::TargetTooLong, "RFC 9112 §3"),
        (HandshakeError::HeadTooLong, "RFC 9110 §5.4"),
        (HandshakeError::TooManyFields, "RFC 9110 §5.4"),
        (HandshakeError::HeldTooLong, "RFC 6455 §4.1"),
        (HandshakeError::HttpVersion, "RFC 9110 §15.6.6"),
        (HandshakeError::Http10, "RFC 9110 §7.8"),
        (HandshakeError::Method, "RFC 6455 §4.2.1"),
        (HandshakeError::Target, "RFC 6455 §4.2.1"),
        (HandshakeError::NotAnUpgrade, "RFC 6455 §4.2.1"),
        (HandshakeError::Content, "RFC 9110 §7.8"),
        (HandshakeError::Version, "RFC 6455 §4.4"),
        (HandshakeError::Origin, "RFC 6455 §10.2"),
        (HandshakeError::Misdirected, "RFC 9110 §7.4"),
        (HandshakeError::UnknownProtocol, "RFC 9220 §3"),
        (HandshakeError::PseudoHeader, "RFC 9113 §8.3"),
        (HandshakeError::ConnectionSpecific, "RFC 9113 §8.2.2"),
        (HandshakeError::AcceptMismatch, "RFC 6455 §4.1"),
        (HandshakeError::SubprotocolNotOffered, "RFC 6455 §4.1"),
        (HandshakeError::SubprotocolRequired, "WHATWG WebSockets"),
        (HandshakeError::ExtensionNotOffered, "RFC 6455 §4.1"),
        (HandshakeError::ExtensionParameters, "RFC 6455 §9.1"),
        (HandshakeError::ExtensionConflict, "RFC 7692 §5"),
        (HandshakeError::Status, "RFC 9110 §15"),
    ];
    let fields = [
        (Field::Host, "RFC 9112 §3.2"),
        (Field::ContentLength, "RFC 9112 §6.3"),
        (Field::TransferEncoding, "RFC 9112 §6.3"),
        (Field::Expect, "RFC 9110 §10.1.1"),
        (Field::Accept, "RFC 6455 §4.1"),
        (Field::Extensions, "RFC 6455 §9.1"),
        (Field::Version, "RFC 6455 §4.4"),
        (Field::Upgrade, "RFC 6455 §4.1"),
        (Field::Connection, "RFC 6455 §4.1"),
        (Field::Key, "RFC 6455 §4.2.1"),
        (Field::Protocol, "RFC 6455 §4.1"),
        (Field::Origin, "RFC 6455 §10.2"),
    ];
    let fields = fields.into_iter().flat_map(|(field, section)| {
        [
            (HandshakeError::Missing(field), section),
            (HandshakeError::Repeated(field), section),
            (HandshakeError::Invalid(field), section),
        ]
    });
    let all: Vec<_> = rules.into_iter().chain(fields).collect();
    distinct(all.iter().map(|(error, _)| error.to_string()));
    for (error, section) in all {
        assert_eq!(error.section(), section);
        assert!(error.to_string().ends_with(&format!("({section})")));
    }
}

/// WHATWG WebSockets §3: the names of the exceptions are those of the standard.
#[cfg(feature = "webapi")]
#[test]
fn exceptions_of_scripts() {
    use sansocket::webapi::Exception;
    let all = [
        (Exception::Syntax, "SyntaxError"),
        (Exception::InvalidAccess, "InvalidAccessError"),
        (Exception::InvalidState, "InvalidStateError"),
        (Exception::Operation, "OperationError"),
    ];
    distinct(all.map(|(exception, _)| exception.to_string()));
    for (exception, name) in all {
        assert_eq!(exception.name(), name);
    }
}

#[cfg(feature = "client")]
#[test]
fn ends_of_connections() {
    use sansocket::client::backoff::Ended;
    let all = [
        Ended::ByUs,
        Ended::Unreachable,
        Ended::Tls,
        Ended::Failed(Failure::Timeout(Timeout::Pong)),
    ];
    distinct(all.map(|ended| ended.to_string()));
}

#[cfg(feature = "client")]
#[test]
fn redirections_that_are_not_followed() {
    use sansocket::client::redirect::NoRedirect;
    let uri = sansocket::Uri::parse("ftp://host/").unwrap_err();
    assert!(uri.to_string().contains("scheme"));
    let all = [
        NoRedirect::Status(200),
        NoRedirect::Location,
        NoRedirect::Uri(uri),
        NoRedirect::Loop,
        NoRedirect::TooMany(10),
    ];
    distinct(all.map(|error| error.to_string()));
}

/// Who said the first Close frame, and what failed (RFC 6455 §7.1).
#[test]
fn reports() {
    let closed = |ours: bool, theirs: bool| {
        let mut ws = open(Role::Server);
        let mut close = encode_for(Role::Server, &[Frame::new(CLOSE, [3, 0xe8])]);
        if ours {
            ws.close(None, "").unwrap();
        }
        if ours && !theirs {
            take_output(&mut ws);
        }
        let mut events = receive(&mut ws, &close);
        take_output(&mut ws);
        close.clear();
        events.extend(receive(&mut ws, &close));
        match events.pop() {
            Some(Seen::Closed(report)) => report.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        closed(true, false),
        "closed cleanly, code 1000, begun by this end"
    );
    assert_eq!(
        closed(false, true),
        "closed cleanly, code 1000, begun by the peer"
    );
    assert_eq!(
        closed(true, true),
        "closed cleanly, code 1000, begun by both ends"
    );
    let mut ws = open(Role::Server);
    ws.transport_lost();
    match &receive(&mut ws, b"")[..] {
        [Seen::Closed(report)] => assert_eq!(report.to_string(), "closed not cleanly, code 1006"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn close_codes() {
    assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001");
    assert_eq!(format!("{:?}", CloseCode::GOING_AWAY), "CloseCode(1001)");
}
