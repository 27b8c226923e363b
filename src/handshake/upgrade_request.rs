//! The client's side of an opening handshake whose heads another stack of HTTP/1 writes and reads.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::config::ClientConfig;
use crate::error::{Field, HandshakeError};

use super::accept_key::key_text;
use super::answer::Expectation;
use super::client::ClientRequest;
use super::extended_connect::Outcome;
use super::extensions;
use super::extra::FieldList;
use super::refusal::Refusal;

/// A request for another stack of HTTP/1 to send, and the check of the response that it has read: the
/// client's side of [`Upgrade`](super::Upgrade).
///
/// ```
/// use sansocket::handshake::UpgradeRequest;
/// use sansocket::handshake::extended_connect::Outcome;
/// use sansocket::{ClientConfig, ClientRequest, Connection, Uri};
/// let config = ClientConfig::new();
/// let request = ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap());
/// let upgrade = UpgradeRequest::new(&config, &request, b"the sample nonce"); // 16 random bytes
/// // Send GET /chat with these fields:
/// assert_eq!(upgrade.fields()[0], ("Host".into(), b"server.example.com".to_vec()));
/// // The stack has read a response:
/// let fields = [
///     ("upgrade", &b"websocket"[..]),
///     ("connection", b"Upgrade"),
///     ("sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
/// ];
/// let Ok(Outcome::Open(negotiated)) = upgrade.judge(101, fields) else { panic!() };
/// let ws = Connection::upgraded_client(&config, negotiated);
/// # let _ = ws;
/// ```
#[derive(Clone)]
pub struct UpgradeRequest {
    config: ClientConfig,
    expectation: Expectation,
    fields: FieldList,
}

impl UpgradeRequest {
    /// The request, with a nonce of 16 random bytes that was drawn for it alone (RFC 6455 §4.1).
    #[must_use]
    pub fn new(config: &ClientConfig, request: &ClientRequest, nonce: &[u8; 16]) -> Self {
        let offer = extensions::offer(config.settings());
        let expectation = request.expectation(Some(nonce), offer.as_deref());
        let host = request.uri().authority();
        let mut fields: FieldList = [
            (Field::Host, host.as_bytes()),
            (Field::Upgrade, b"websocket"),
            (Field::Connection, b"Upgrade"),
            (Field::Key, &key_text(nonce)),
        ]
        .map(|(field, value)| (field.name().into(), value.into()))
        .into();
        for (field, value) in request.negotiated_fields(&expectation) {
            fields.push((field.name().into(), value.into()));
        }
        for (name, value) in request.headers() {
            fields.push((name.into(), value.into()));
        }
        Self {
            config: config.clone(),
            expectation,
            fields,
        }
    }

    /// The fields to send, with GET and the [`resource_name`](crate::Uri::resource_name).
    #[must_use]
    pub fn fields(&self) -> &[(String, Vec<u8>)] {
        &self.fields
    }

    /// Judges the final response, by its status and its fields (RFC 6455 §4.1). Interim responses are the
    /// stack's to pass over (RFC 9110 §15.2).
    ///
    /// # Errors
    /// The rule that a 101 breaks, or [`HandshakeError::Status`] for a status that is not final: the
    /// transport is to be closed.
    pub fn judge<'h, F>(&self, status: u16, fields: F) -> Result<Outcome, HandshakeError>
    where
        F: IntoIterator<Item = (&'h str, &'h [u8]), IntoIter: Clone>,
    {
        let fields = fields.into_iter();
        let settings = self.config.settings();
        match status {
            101 => {
                let negotiated = self.expectation.check_upgrade(fields, settings)?;
                Ok(Outcome::Open(negotiated))
            }
            200.. => Ok(Outcome::Refused(Box::new(Refusal::new(status, fields)))),
            _ => Err(HandshakeError::Status),
        }
    }
}

/// How many fields there are: their values are the connection's.
impl fmt::Debug for UpgradeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeRequest")
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use crate::handshake::uri::Uri;

    use super::*;

    fn sample() -> (ClientRequest, UpgradeRequest) {
        let uri = Uri::parse("ws://server.example.com/chat").unwrap();
        let request = ClientRequest::new(uri)
            .origin("http://example.com")
            .and_then(|request| request.subprotocol("chat"))
            .and_then(|request| request.header("Cookie", b"a=1"))
            .unwrap();
        let upgrade = UpgradeRequest::new(&ClientConfig::new(), &request, b"the sample nonce");
        (request, upgrade)
    }

    #[test]
    fn debug_counts_the_fields() {
        let shown = alloc::format!("{:?}", sample().1);
        assert_eq!(shown, "UpgradeRequest { fields: 8, .. }");
    }

    /// The same fields as in our own bytes, in the same order.
    #[test]
    fn the_fields_are_those_of_our_own_request() {
        let (request, upgrade) = sample();
        let mut head = Vec::new();
        request.write(b"the sample nonce", None, &mut head);
        let mut own = b"GET /chat HTTP/1.1\r\n".to_vec();
        for (name, value) in upgrade.fields() {
            own.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        own.extend(b"\r\n");
        assert_eq!(own, head);
    }

    /// RFC 6455 §4.1: the rules do not depend on who read the head.
    #[test]
    fn responses() {
        let (_, upgrade) = sample();
        let valid: [(&str, &[u8]); 4] = [
            ("Upgrade", b"WebSocket"),
            ("Connection", b"keep-alive, upgrade"),
            ("Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("Sec-WebSocket-Protocol", b"chat"),
        ];
        let outcome = upgrade.judge(101, valid);
        assert!(
            matches!(outcome, Ok(Outcome::Open(agreed)) if agreed.subprotocol.as_deref() == Some("chat"))
        );
        for (at, value, error) in [
            (0, &b"h2c"[..], HandshakeError::Invalid(Field::Upgrade)),
            (1, b"close", HandshakeError::Invalid(Field::Connection)),
            (2, b"AAAA", HandshakeError::AcceptMismatch),
            (3, b"other", HandshakeError::SubprotocolNotOffered),
        ] {
            let mut fields = valid;
            fields[at].1 = value;
            assert_eq!(upgrade.judge(101, fields).err(), Some(error));
        }
        let refused = upgrade.judge(404, [("Server", &b"x"[..])]);
        assert!(matches!(refused, Ok(Outcome::Refused(refusal)) if refusal.status == 404));
        assert_eq!(
            upgrade.judge(100, valid).err(),
            Some(HandshakeError::Status)
        );
    }
}
