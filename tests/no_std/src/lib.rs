//! A program without `std` that holds a close code: see `Cargo.toml`.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr;

use sansocket::CloseCode;

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

/// Reaches into the crate from outside, so that none of it is left out.
#[unsafe(no_mangle)]
pub extern "C" fn close_code(code: u16) -> u16 {
    CloseCode::new(code).map_or(0, CloseCode::get)
}
