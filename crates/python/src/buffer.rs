//! Bytes of the caller's: what they are, and unmasking where they lie.

#![allow(
    unsafe_code,
    reason = "the memory of a Python object is reached by address"
)]

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};

/// What an object of the caller's lends to read from.
pub(crate) enum Input<'py> {
    /// Never written to.
    ReadOnly(Bound<'py, PyBytes>),
    /// Unmasked in place. The export keeps the object from moving its memory.
    Writable(PyBuffer<u8>),
}

impl<'py> Input<'py> {
    /// A `bytearray` or a writable `memoryview` is used in place, anything else is read only.
    pub(crate) fn of(data: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return Ok(Self::ReadOnly(bytes.clone()));
        }
        if data.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err("bytes-like object wanted, not str"));
        }
        let buffer = PyBuffer::<u8>::get(data)?;
        if !buffer.is_c_contiguous() {
            return Err(PyBufferError::new_err("the buffer is not contiguous"));
        }
        if buffer.readonly() {
            let copy = buffer.to_vec(data.py())?;
            return Ok(Self::ReadOnly(PyBytes::new(data.py(), &copy)));
        }
        Ok(Self::Writable(buffer))
    }
}

/// Calls `with` on the memory of a buffer.
///
/// `with` runs no Python code: it may make `bytes`, `str` and other objects that the collector does not
/// track, and nothing else.
pub(crate) fn with_memory<R>(buffer: &PyBuffer<u8>, with: impl FnOnce(&mut [u8]) -> R) -> R {
    let len = buffer.len_bytes();
    if len == 0 {
        return with(&mut []);
    }
    // SAFETY: the export holds `len` contiguous bytes at this address until `buffer` is dropped, and they are
    // writable (`Input::of`). The interpreter is attached to this thread and `with` runs no Python code, so
    // nobody else has a reference to them while it runs.
    let memory = unsafe { std::slice::from_raw_parts_mut(buffer.buf_ptr().cast::<u8>(), len) };
    with(memory)
}

/// Calls `with` on the first `len` bytes of a `bytearray`, under the same condition.
pub(crate) fn with_bytearray<R>(
    bytes: &Bound<'_, PyByteArray>,
    len: usize,
    with: impl FnOnce(&mut [u8]) -> R,
) -> R {
    // SAFETY: as above: while `with` runs no Python code, nobody resizes the array or looks into it.
    let memory = unsafe { bytes.as_bytes_mut() };
    let len = len.min(memory.len());
    with(&mut memory[..len])
}
