//! The sansocket core for C. The header `include/sansocket.h` is made from this crate, so each item is documented
//! for those who read it there; how to use them together is told in the README.
//!
//! What every function asks of its caller, unless it says otherwise:
//!
//! - a handle comes from `ss_server_new` or `ss_client_new` and was not freed;
//! - no two threads use one handle at a time;
//! - a pointer with a length points to that many bytes, and may be NULL where the length is 0;
//! - text ends with NUL and is UTF-8 where a function does not say that it checks it;
//! - a pointer to where something is written may be NULL where that is said.
//!
//! A panic would end the process at the boundary, but bytes of the peer cause none.

mod abi;
mod config;
mod connection;
mod error;
mod event;
mod opening;

pub use abi::{SS_NEVER, ss_field, ss_kind, ss_slice};
pub use config::*;
pub use connection::*;
pub use error::*;
pub use event::*;
pub use opening::*;
