//! Memory that goes over, and what calls tell.

use alloc::boxed::Box;
use alloc::vec;
use core::time::Duration;

/// What a call tells: an event, a refusal, or bytes. Pointers are valid until the next call on the connection, and what
/// arrived whole lies in the caller's own input.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ws_told {
    /// A length, a time or a number.
    pub number: f64,
    /// A number of [`event`](crate::numbers::event).
    pub what: u32,
    /// A number of [`kind`](crate::numbers::kind), or 0.
    pub kind: u32,
    /// Numbers of [`mark`](crate::numbers::mark), added up.
    pub marks: u32,
    /// A close code, a status, or the number of a refusal.
    pub code: u32,
    /// A payload, a reason, a body or a sentence.
    pub data: *const u8,
    /// How many bytes of it there are.
    pub len: usize,
    /// A name in lower case, which lives for ever.
    pub name: *const u8,
    /// How many bytes of it there are.
    pub name_len: usize,
}

/// Bytes of the library's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ws_piece {
    /// The first of them.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
}

// What js/core.js reads.
#[cfg(target_arch = "wasm32")]
const _: () = assert!(size_of::<ws_told>() == 40 && core::mem::offset_of!(ws_told, data) == 24);

impl Default for ws_told {
    fn default() -> Self {
        Self {
            number: 0.0,
            what: 0,
            kind: 0,
            marks: 0,
            code: 0,
            data: core::ptr::null(),
            len: 0,
            name: core::ptr::null(),
            name_len: 0,
        }
    }
}

impl ws_told {
    /// It points to these bytes.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
            ..self
        }
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        Self {
            name: name.as_ptr(),
            name_len: name.len(),
            ..self
        }
    }

    /// # Safety
    /// `place` may be written to.
    pub(crate) unsafe fn put(self, place: *mut Self) {
        // SAFETY: what the caller of this function promises.
        unsafe { place.write(self) };
    }
}

/// Memory of `len` bytes, all zero, for the caller to write to. `ws_dealloc` gives it back.
#[unsafe(no_mangle)]
pub extern "C" fn ws_alloc(len: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; len].into_boxed_slice()).cast()
}

/// Gives memory of `ws_alloc`, or a refusal's sentence, back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_dealloc(memory: *mut u8, len: usize) {
    // SAFETY: it is a boxed slice of this length, and is not used afterwards.
    drop(unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(memory, len)) });
}

/// Bytes of the caller's.
///
/// # Safety
/// `data` points to `len` bytes that nobody writes to while the result is used.
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: what the caller of this function promises.
    unsafe { core::slice::from_raw_parts(data, len) }
}

/// Bytes of the caller's that are written to.
///
/// # Safety
/// `data` points to `len` bytes that nobody else uses while the result is used.
pub(crate) unsafe fn bytes_mut<'a>(data: *mut u8, len: usize) -> &'a mut [u8] {
    if len == 0 {
        return &mut [];
    }
    // SAFETY: what the caller of this function promises.
    unsafe { core::slice::from_raw_parts_mut(data, len) }
}

/// Milliseconds, as JavaScript's clocks count them; infinity if there is no such time.
pub(crate) fn milliseconds(time: Option<Duration>) -> f64 {
    // Exact for a hundred days, and a nanosecond more than the clock has for longer.
    time.map_or(f64::INFINITY, |time| time.as_nanos() as f64 / 1e6)
}

/// A time of JavaScript's; none for infinity. What is negative or no number is 0.
pub(crate) fn duration(milliseconds: f64) -> Option<Duration> {
    // A conversion that is out of range gives the nearest number that there is.
    milliseconds
        .lt(&f64::INFINITY)
        .then(|| Duration::from_nanos((milliseconds * 1e6) as u64))
        .or(milliseconds.is_nan().then_some(Duration::ZERO))
}
