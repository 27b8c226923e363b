//! For streams that do not block: "it would block" as no result at all.

use std::io;

use crate::error::Error;

/// An error that may only say that an operation would block.
pub trait NonBlockingError: Sized {
    /// `None` if it would block, the error otherwise.
    fn into_non_blocking(self) -> Option<Self>;
}

impl NonBlockingError for io::Error {
    fn into_non_blocking(self) -> Option<Self> {
        (self.kind() != io::ErrorKind::WouldBlock).then_some(self)
    }
}

impl NonBlockingError for Error {
    fn into_non_blocking(self) -> Option<Self> {
        match self {
            Self::Io(error) => error.into_non_blocking().map(Self::Io),
            other => Some(other),
        }
    }
}

/// A result whose error may only say that an operation would block.
pub trait NonBlockingResult {
    /// `Result<Option<T>, E>` for a `Result<T, E>`.
    type Result;

    /// `Ok(None)` if the operation would block.
    fn no_block(self) -> Self::Result;
}

impl<T, E: NonBlockingError> NonBlockingResult for Result<T, E> {
    type Result = Result<Option<T>, E>;

    fn no_block(self) -> Self::Result {
        match self.map_err(NonBlockingError::into_non_blocking) {
            Ok(value) => Ok(Some(value)),
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error),
        }
    }
}
