//! The sansocket core as plain exports for WebAssembly: what `js/` of this folder calls, and no one else has to. How the
//! package is used is told in its README.
//!
//! It is the C library's interface (`crates/capi`) with the same numbers, made smaller: whatever has a name, such as
//! settings, header fields and answers, goes over as one list of entries ([`entries`]), and each call writes what it
//! tells to one place ([`ws_told`]).
//!
//! What every function asks of its caller, unless it says otherwise:
//!
//! - a handle comes from the function that makes it and was not freed;
//! - a pointer with a length points to that many bytes, which nobody else uses during the call, and may be null where
//!   the length is 0;
//! - `told` may be written to.

#![cfg_attr(all(target_arch = "wasm32", not(feature = "deflate")), no_std)]

extern crate alloc;

mod abi;
mod config;
mod connection;
pub mod entries;
mod entropy;
mod error;
mod event;
pub mod numbers;
mod opening;

pub use abi::*;
pub use connection::*;
pub use opening::*;

/// The standard library's allocator for this target, which is there without the standard library, too.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Nobody could read a message: bytes of the peer cause no panic.
#[cfg(all(target_arch = "wasm32", not(feature = "deflate")))]
#[panic_handler]
fn trap(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
