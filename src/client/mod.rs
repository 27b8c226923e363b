//! Tools that a client needs around a connection: who may connect, through which proxy, where a
//! redirection leads, what a refusal asks for, and when to try again. Feature `client`.
//!
//! Each tool is a state machine of its own, without IO, clock, randomness or threads, and usable
//! alone. It answers a question; the caller decides.
//!
//! | module | answers |
//! |---|---|
//! | [`connecting`] | what is next on the way from a request to a connection (RFC 6455 §4.1): all of these in order |
//! | [`dialing`] | which of a host's addresses, and when (RFC 8305) |
//! | [`gate`] | may this attempt start? One in CONNECTING for each address and port (RFC 6455 §4.1) |
//! | [`proxy`] | which proxy do `https_proxy`, `NO_PROXY` and the like name, and how do I get through it (RFC 9110 §9.3.6) |
//! | [`socks5`] | how do I get through a SOCKS5 proxy (RFC 1928) |
//! | [`challenge`] | what do a 401 and a 407 ask for (RFC 9110 §11) |
//! | `digest` | what answers a Digest challenge (RFC 7616); feature `digest` |
//! | [`redirect`] | where does a 3xx answer lead, and what may go along (RFC 9110 §15.4) |
//! | [`backoff`] | when should I try again, or why not (RFC 6455 §7.2.3) |

pub mod backoff;
pub mod challenge;
pub mod connecting;
mod credentials;
pub mod dialing;
#[cfg(feature = "digest")]
pub mod digest;
mod exchange;
pub mod gate;
pub mod proxy;
pub mod redirect;
pub mod socks5;
