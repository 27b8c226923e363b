//! The opening handshake (RFC 6455 §4): pure functions over heads and lists of fields.

pub(crate) mod accept;
pub mod accept_key;
mod answer;
pub(crate) mod client;
pub mod extended_connect;
pub(crate) mod extensions;
pub(crate) mod field;
mod foreign;
pub(crate) mod head;
#[cfg(feature = "http")]
mod http;
pub(crate) mod negotiated;
mod origin;
mod refusal;
mod refusal_reader;
mod request;
pub(crate) mod response;
mod rules;
#[cfg(feature = "handover")]
mod saved;
pub(crate) mod scanner;
mod start_line;
mod upgrade_request;
pub(crate) mod uri;

pub use answer::AcceptedHead;
pub use foreign::{ForeignResponse, Upgrade};
pub use head::{Headers, HttpVersion};
pub use refusal::Refusal;
pub use request::Request;
pub use upgrade_request::UpgradeRequest;
pub use uri::{UriError, UriPart};

// What the connection drives.
pub(crate) use {
    accept::Accept,
    answer::{Answered, Expectation},
    client::ClientRequest,
    negotiated::Negotiated,
    refusal_reader::RefusalReader,
    response::{Framing, Response},
    rules::{Asked, judge},
    scanner::HeadReader,
};
