//! `bytes` objects that a server has queued without a copy, so that they come out as views of themselves.

use std::collections::VecDeque;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView, PySlice};

/// From how many bytes on a view is cheaper than a copy.
pub(crate) const VIEWED: usize = 16 << 10;

/// Objects whose memory is in the queue, in the queue's order.
#[derive(Default)]
pub(crate) struct Lent(VecDeque<Py<PyBytes>>);

impl Lent {
    /// Shares the memory of an object that is about to be queued.
    pub(crate) fn share(&mut self, bytes: &Bound<'_, PyBytes>) -> Bytes {
        self.0.push_back(bytes.clone().unbind());
        Bytes::from_owner(PyBackedBytes::from(bytes.clone()))
    }

    /// The last one was not queued after all.
    pub(crate) fn take_back(&mut self) {
        self.0.pop_back();
    }

    /// Nothing is queued any more.
    pub(crate) fn clear(&mut self) {
        if !self.0.is_empty() {
            self.0.clear();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A view of the object that `slice` lies in. Objects before it have left the queue and are let go.
    pub(crate) fn view<'py>(
        &mut self,
        py: Python<'py>,
        slice: &[u8],
        front: bool,
    ) -> PyResult<Option<Bound<'py, PyMemoryView>>> {
        let place = self.0.iter().position(|object| {
            let memory = object.as_bytes(py).as_ptr_range();
            memory.contains(&slice.as_ptr())
        });
        let Some(place) = place else {
            return Ok(None);
        };
        if front {
            self.0.drain(..place);
        }
        let place = if front { 0 } else { place };
        let object = self.0[place].bind(py);
        let view = PyMemoryView::from(object)?;
        let from = slice.as_ptr().addr() - object.as_bytes().as_ptr().addr();
        let cut = PySlice::new(
            py,
            isize::try_from(from)?,
            isize::try_from(from + slice.len())?,
            1,
        );
        Ok(Some(view.get_item(cut)?.cast_into::<PyMemoryView>()?))
    }
}
