//! The opening handshake (RFC 6455 §4): pure functions over heads and lists of fields.

pub(crate) mod absolute_uri;
#[cfg(feature = "alloc")]
pub(crate) mod accept;
pub mod accept_key;
#[cfg(feature = "alloc")]
mod answer;
pub(crate) mod answer_rules;
#[cfg(feature = "alloc")]
pub(crate) mod client;
#[cfg(feature = "alloc")]
pub mod extended_connect;
#[cfg(feature = "alloc")]
pub(crate) mod extensions;
#[cfg(feature = "alloc")]
pub(crate) mod extra;
pub(crate) mod field;
#[cfg(feature = "alloc")]
mod foreign;
pub(crate) mod head;
#[cfg(feature = "alloc")]
mod head_reader;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "alloc")]
pub(crate) mod negotiated;
pub(crate) mod origin;
#[cfg(feature = "alloc")]
mod policy;
#[cfg(feature = "alloc")]
mod refusal;
#[cfg(feature = "alloc")]
mod refusal_reader;
#[cfg(feature = "alloc")]
mod request;
#[cfg(feature = "alloc")]
pub(crate) mod response;
pub(crate) mod rules;
#[cfg(feature = "handover")]
mod saved;
pub(crate) mod scanner;
mod start_line;
#[cfg(feature = "alloc")]
mod upgrade_request;
#[cfg(feature = "alloc")]
pub(crate) mod uri;

pub use absolute_uri::{UriError, UriPart};
#[cfg(feature = "alloc")]
pub use answer::AcceptedHead;
#[cfg(feature = "alloc")]
pub use foreign::{ForeignResponse, Upgrade};
pub use head::{Headers, HttpVersion};
#[cfg(feature = "alloc")]
pub use refusal::Refusal;
#[cfg(feature = "alloc")]
pub use request::Request;
#[cfg(feature = "alloc")]
pub use upgrade_request::UpgradeRequest;

// What the connection drives.
#[cfg(feature = "alloc")]
pub(crate) use {
    accept::Accept,
    accept::{Asked, judge},
    answer::{Answered, Expectation},
    client::ClientRequest,
    head_reader::HeadReader,
    negotiated::Negotiated,
    refusal_reader::RefusalReader,
    response::{Framing, Response},
};
