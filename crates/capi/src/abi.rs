//! Pointers and lengths of C as Rust's slices, and back.

use std::ffi::{CStr, c_char};
use std::time::Duration;

/// No such time: a deadline that is off, a round trip that is not known.
pub const SS_NEVER: u64 = u64::MAX;

/// Bytes that belong to the library or to the caller. Laid out like `struct iovec` where that exists.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ss_slice {
    /// The first of them; NULL if there is nothing.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
}

impl ss_slice {
    pub(crate) const NONE: Self = Self {
        data: std::ptr::null(),
        len: 0,
    };

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }
}

impl Default for ss_slice {
    fn default() -> Self {
        Self::NONE
    }
}

/// A header field.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ss_field {
    /// Its name.
    pub name: ss_slice,
    /// Its value.
    pub value: ss_slice,
}

/// The kind of a message (RFC 6455 §5.6).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ss_kind {
    /// Text, which is UTF-8.
    #[default]
    SS_TEXT = 1,
    /// Binary.
    SS_BINARY = 2,
}

/// Bytes of the caller's.
///
/// # Safety
/// `data` points to `len` bytes that nobody writes to while the result is used.
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize) -> &'a [u8] {
    if len == 0 || data.is_null() {
        return &[];
    }
    // SAFETY: what the caller of this function promises.
    unsafe { std::slice::from_raw_parts(data, len) }
}

/// Bytes of the caller's that are written to.
///
/// # Safety
/// `data` points to `len` bytes that nobody else uses while the result is used.
pub(crate) unsafe fn bytes_mut<'a>(data: *mut u8, len: usize) -> &'a mut [u8] {
    if len == 0 || data.is_null() {
        return &mut [];
    }
    // SAFETY: what the caller of this function promises.
    unsafe { std::slice::from_raw_parts_mut(data, len) }
}

/// Elements of an array of the caller's.
///
/// # Safety
/// `first` points to `n` of them that nobody writes to while the result is used.
pub(crate) unsafe fn array<'a, T>(first: *const T, n: usize) -> &'a [T] {
    if n == 0 || first.is_null() {
        return &[];
    }
    // SAFETY: what the caller of this function promises.
    unsafe { std::slice::from_raw_parts(first, n) }
}

/// Text of the caller's that ends with NUL: `None` for NULL, and for what is not UTF-8.
///
/// # Safety
/// `text` is NULL, or ends with NUL and is not written to while the result is used.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: what the caller of this function promises.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// Where a function of the caller's wants to have something, if it does.
///
/// # Safety
/// `place` is NULL or may be written to.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: what the caller of this function promises.
        unsafe { place.write(value) };
    }
}

pub(crate) fn nanos(time: Option<Duration>) -> u64 {
    let known = time.and_then(|time| u64::try_from(time.as_nanos()).ok());
    known.unwrap_or(SS_NEVER)
}

pub(crate) fn duration(nanos: u64) -> Option<Duration> {
    (nanos != SS_NEVER).then(|| Duration::from_nanos(nanos))
}
