//! The opening handshake (RFC 6455 §4): pure functions over heads and lists of fields.

mod accept;
mod accept_key;
mod answer;
mod client;
pub mod extended_connect;
pub(crate) mod extensions;
pub(crate) mod field;
mod foreign;
pub(crate) mod head;
#[cfg(feature = "http")]
mod http;
mod negotiated;
mod origin;
mod refusal;
mod request;
mod response;
mod rules;
pub(crate) mod scanner;
mod uri;

pub use accept::Accept;
pub use answer::AcceptedHead;
pub use client::ClientRequest;
pub use foreign::{ForeignResponse, Upgrade};
pub use head::{Headers, HttpVersion};
pub use negotiated::Negotiated;
pub use refusal::Refusal;
pub use request::Request;
pub use response::Response;
pub use uri::{Uri, UriError, UriPart};

// What the connection drives.
pub(crate) use {
    answer::{Answered, Expectation},
    refusal::RefusalReader,
    rules::{Asked, judge},
    scanner::HeadReader,
};
