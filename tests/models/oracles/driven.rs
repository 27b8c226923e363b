//! What the oracle of operations drives: a connection, or one that is recorded.

use super::cut::Setup;
use core::time::Duration;

#[cfg(not(feature = "replay"))]
pub use sansocket::Connection as Driven;
/// Whatever holds of a connection holds of one that is recorded.
#[cfg(feature = "replay")]
pub use sansocket::replay::Recorded as Driven;

/// `way` is one of the ways to record.
pub fn new(setup: &Setup, way: usize) -> Driven {
    #[cfg(feature = "replay")]
    return setup.recorded(super::replay::recorder(way));
    #[cfg(not(feature = "replay"))]
    {
        let _ = way;
        setup.connection()
    }
}

/// Between two operations. The memory that it holds, where that is another.
pub fn between(_: &mut Driven, _: &Setup, _: Duration) -> Option<usize> {
    None
}

#[cfg(feature = "replay")]
pub use super::replay::replays as ended;

#[cfg(not(feature = "replay"))]
pub fn ended(_: &mut Driven) {}
