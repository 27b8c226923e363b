//! The opening handshake (RFC 6455 §4): pure functions over heads and lists of fields.

mod accept_key;
mod answer;
mod client;
mod field;
mod head;
mod origin;
mod refusal;
mod request;
mod response;
mod rules;
mod server;
mod uri;

pub use answer::ResponseHead;
pub use client::ClientRequest;
pub use head::Headers;
pub use refusal::Refusal;
pub use request::Request;
pub use response::Response;
pub use server::Accept;
pub use uri::{Uri, UriError, UriPart};

// What the connection drives.
#[allow(unused_imports)] // wired by the connection
pub(crate) use {
    answer::{Answer, Answered, Expectation},
    head::{Scan, Scanner},
    refusal::RefusalReader,
    response::refusal,
    rules::{Offer, Rules},
    server::{Judged, Span, judge},
};

// What a proxy's answer is read with, which is HTTP too.
pub(crate) use {
    field::{Extra, write as write_field},
    head::{pairs, parse_response, slots, unfold},
};
