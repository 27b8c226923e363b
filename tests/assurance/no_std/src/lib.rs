//! A driver without `std`: see `Cargo.toml`.
#![no_std]

extern crate alloc;

use alloc::boxed::Box;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr;

use sansocket::entropy::Entropy;
use sansocket::error::AcceptError;
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, Message, OriginPolicy, ServerConfig,
    Transport, Uri,
};

/// Satisfies `alloc`. The library is built, not run, so there is no memory to give.
struct NoMemory;

// SAFETY: an allocator may always refuse, and what was never given out is never given back.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// A transport of some board's.
pub trait Stream {
    /// Bytes that have arrived; none: the peer has closed.
    fn read(&mut self, into: &mut [u8]) -> usize;
    /// Takes some of the bytes, and says how many.
    fn write(&mut self, bytes: &[u8]) -> usize;
}

/// A server's connection.
#[must_use]
pub fn server() -> Connection {
    Connection::server(&ServerConfig::new(OriginPolicy::SameHost))
}

/// A client's: without the feature `getrandom`, the caller has the randomness.
#[must_use]
pub fn client(uri: Uri, random: Box<dyn Entropy + Send + Sync>) -> Connection {
    Connection::client_with_entropy(&ClientConfig::new(), ClientRequest::new(uri), random).unwrap()
}

/// Echoes messages until the connection has ended.
///
/// # Errors
/// As [`Connection::accept`].
pub fn echo(mut ws: Connection, stream: &mut dyn Stream) -> Result<(), AcceptError> {
    let mut buffer = [0; 1024];
    loop {
        let n = stream.read(&mut buffer);
        if n == 0 {
            ws.receive_eof();
        }
        let mut input = &mut buffer[..n];
        while let Some(event) = ws.receive(&mut input) {
            match event {
                Event::Request(_) => ws.accept(Accept::new())?,
                Event::Message(Message::Text(text)) => _ = ws.send(&*text),
                Event::Message(Message::Binary(bytes)) => _ = ws.send(&*bytes),
                _ => {}
            }
        }
        while !ws.output().is_empty() {
            let n = stream.write(ws.output());
            ws.consume_output(n);
        }
        if ws.transport() == Transport::Close {
            return Ok(());
        }
    }
}
