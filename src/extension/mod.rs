//! Extensions of the protocol (RFC 6455 §9): the grammar in which they are offered and accepted.

mod grammar;

pub use grammar::{Extension, Extensions, Malformed, Param, Params};
