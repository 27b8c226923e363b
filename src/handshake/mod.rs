//! The opening handshake (RFC 6455 §4): pure functions over heads and lists of fields.

mod accept_key;
pub(crate) mod agreement;
mod answer;
mod client;
pub mod extended_connect;
pub(crate) mod field;
mod foreign;
pub(crate) mod head;
#[cfg(feature = "http")]
mod http;
mod origin;
mod refusal;
mod request;
mod response;
mod rules;
mod server;
mod uri;

pub use answer::ResponseHead;
pub use client::ClientRequest;
pub use foreign::{Negotiated, Reply, Upgrade};
pub use head::Headers;
pub use refusal::Refusal;
pub use request::Request;
pub use response::Response;
pub use server::Accept;
pub use uri::{Uri, UriError, UriPart};

// What the connection drives.
pub(crate) use {
    answer::{Answered, Expectation},
    head::{Scan, Scanner},
    refusal::RefusalReader,
    response::refusal,
    rules::{Offer, Rules},
    server::{Judged, judge},
};
