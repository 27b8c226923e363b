//! The crate's errors as exceptions that have its stable number and name.

use std::fmt::Display;

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use sansocket::error::{
    AcceptError, BadEntry, CloseError as CoreCloseError, FieldError as CoreFieldError,
    HandshakeError as CoreHandshakeError, NoEntropy, SendError as CoreSendError,
};
use sansocket::handshake::UriError as CoreUriError;

create_exception!(
    sansocket,
    Error,
    PyException,
    "A call that changed nothing: `code` and `name` say why."
);
create_exception!(sansocket, SendError, Error, "Nothing was queued.");
create_exception!(
    sansocket,
    FullError,
    SendError,
    "The output queue is full: write some of it first."
);
create_exception!(
    sansocket,
    CloseError,
    Error,
    "The closing handshake was not begun."
);
create_exception!(
    sansocket,
    AnswerError,
    Error,
    "The request was not answered: another answer can be given."
);
create_exception!(
    sansocket,
    FieldError,
    Error,
    "A header field that cannot be sent."
);
create_exception!(
    sansocket,
    HandshakeError,
    Error,
    "A request that another HTTP stack has parsed breaks a rule: `response` answers it."
);
create_exception!(sansocket, UriError, Error, "No URI of a WebSocket.");
create_exception!(
    sansocket,
    EntropyError,
    Error,
    "There is no source of randomness."
);

/// An exception of type `E` with the number and the name of an error.
fn raise<E: pyo3::PyTypeInfo>(error: impl Display, code: u16, name: &'static str) -> PyErr {
    Python::attach(|py| {
        let raised = PyErr::new::<E, _>(error.to_string());
        let value = raised.value(py);
        match value
            .setattr("code", code)
            .and_then(|()| value.setattr("name", name))
        {
            Ok(()) => raised,
            Err(other) => other,
        }
    })
}

/// What becomes of an error of the crate.
pub(crate) trait IntoException {
    fn into_exception(self) -> PyErr;
}

macro_rules! exceptions {
    ($($error:ty => $exception:ty;)*) => {$(
        impl IntoException for $error {
            fn into_exception(self) -> PyErr {
                raise::<$exception>(self, self.code(), self.name())
            }
        }
    )*};
}

exceptions! {
    CoreCloseError => CloseError;
    AcceptError => AnswerError;
    CoreFieldError => FieldError;
    CoreUriError => UriError;
    CoreHandshakeError => HandshakeError;
    NoEntropy => EntropyError;
}

impl IntoException for CoreSendError {
    fn into_exception(self) -> PyErr {
        match self {
            Self::Full { .. } => raise::<FullError>(self, self.code(), self.name()),
            _ => raise::<SendError>(self, self.code(), self.name()),
        }
    }
}

/// An entry of a list in a configuration.
impl IntoException for BadEntry {
    fn into_exception(self) -> PyErr {
        PyValueError::new_err(self.to_string())
    }
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("Error", py.get_type::<Error>())?;
    module.add("SendError", py.get_type::<SendError>())?;
    module.add("FullError", py.get_type::<FullError>())?;
    module.add("CloseError", py.get_type::<CloseError>())?;
    module.add("AnswerError", py.get_type::<AnswerError>())?;
    module.add("FieldError", py.get_type::<FieldError>())?;
    module.add("HandshakeError", py.get_type::<HandshakeError>())?;
    module.add("UriError", py.get_type::<UriError>())?;
    module.add("EntropyError", py.get_type::<EntropyError>())
}
