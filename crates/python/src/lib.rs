//! The module `sansocket._core`, from which the package `sansocket` takes its names. What each is for is told
//! in the package's type stubs, `python/sansocket/_core.pyi`.

mod buffer;
mod config;
mod connection;
mod errors;
mod events;
mod handshake;
mod lent;

use pyo3::prelude::*;

/// The WebSocket core: see the package `sansocket`.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    config::add_to(module)?;
    connection::add_to(module)?;
    errors::add_to(module)?;
    events::add_to(module)?;
    handshake::add_to(module)
}
