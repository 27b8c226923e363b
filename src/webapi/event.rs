//! What is fired at a script's object.

use alloc::string::String;
use core::fmt;

use crate::close_code::CloseCode;
use crate::event::{CloseReport, Message};

/// What to fire at the script's object.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return }
/// use sansocket::{ClientConfig, webapi::{DomEvent, WebSocket}};
/// let mut ws = WebSocket::new(&ClientConfig::new(), "ws://example.com", []).unwrap();
/// ws.transport_lost();
/// assert!(matches!(ws.receive(&mut &mut [][..]), Some(DomEvent::Error)));
/// assert!(matches!(ws.receive(&mut &mut [][..]), Some(DomEvent::Close(_))));
/// assert!(ws.receive(&mut &mut [][..]).is_none());
/// ```
#[derive(Debug, PartialEq, Eq)]
pub enum DomEvent<'a> {
    /// `open`
    Open,
    /// `message`; its `origin` is [`WebSocket::origin`](super::WebSocket::origin).
    Message(Message<'a>),
    /// `error`, which says nothing and comes before `close` if something was wrong.
    Error,
    /// `close`, once and last.
    Close(CloseEvent),
}

impl DomEvent<'_> {
    /// The same event, free of the input that it was lent from: for a task that is queued.
    #[must_use]
    pub fn into_owned(self) -> DomEvent<'static> {
        match self {
            Self::Open => DomEvent::Open,
            Self::Message(message) => DomEvent::Message(message.into_owned()),
            Self::Error => DomEvent::Error,
            Self::Close(close) => DomEvent::Close(close),
        }
    }
}

/// A `CloseEvent`. All failures look the same, 1006 and no reason, so that a script cannot probe networks.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return }
/// use sansocket::{ClientConfig, webapi::{CloseEvent, DomEvent, WebSocket}};
/// let mut ws = WebSocket::new(&ClientConfig::new(), "wss://example.com", []).unwrap();
/// ws.tls_failed();
/// assert!(matches!(ws.receive(&mut &mut [][..]), Some(DomEvent::Error)));
/// let Some(DomEvent::Close(event)) = ws.receive(&mut &mut [][..]) else { panic!() };
/// assert_eq!(event, CloseEvent { was_clean: false, code: 1006, reason: String::new() });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CloseEvent {
    /// `wasClean`: the closing handshake was complete.
    pub was_clean: bool,
    /// `code`: what the server sent, 1005 if its Close frame had none, 1006 if none came.
    pub code: u16,
    /// `reason`: what the server sent.
    pub reason: String,
}

impl CloseEvent {
    /// Of whatever failed without a connection.
    pub(super) fn failed() -> Self {
        Self {
            was_clean: false,
            code: CloseCode::ABNORMAL_CLOSURE,
            reason: String::new(),
        }
    }

    pub(super) fn new(report: &CloseReport) -> Self {
        let reason = report.received.as_ref().map_or("", |frame| frame.reason());
        Self {
            was_clean: report.clean,
            code: match report.code {
                CloseCode::TLS_HANDSHAKE => CloseCode::ABNORMAL_CLOSURE,
                code => code,
            },
            reason: reason.into(),
        }
    }
}

/// The reason's length only (RFC 6455 §5.5.1).
impl fmt::Debug for CloseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseEvent")
            .field("was_clean", &self.was_clean)
            .field("code", &self.code)
            .field("reason", &self.reason.len())
            .finish()
    }
}
