//! Opening handshakes: header fields of the caller's, and requests that another HTTP stack has parsed.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use sansocket::error::HandshakeError;
use sansocket::handshake::{ForeignResponse, HttpVersion, Upgrade as CoreUpgrade};
use sansocket::{Accept, Uri as CoreUri};

use crate::config::ServerConfig;
use crate::connection::Connection;
use crate::errors::IntoException;
use crate::events::list;

/// A `str` as UTF-8, or the bytes themselves.
pub(crate) fn octets(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_str()?.into());
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().into());
    }
    value.extract::<Vec<u8>>()
}

/// Fields as pairs, or as a mapping. Names and values may be `str` or `bytes`.
pub(crate) fn fields(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<(String, Vec<u8>)>> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let pairs = if given.hasattr("items")? {
        given.call_method0("items")?
    } else {
        given.clone()
    };
    let mut fields = Vec::new();
    for pair in pairs.try_iter()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
        let name = String::from_utf8(octets(&name)?)
            .map_err(|error| PyValueError::new_err(format!("the name of a header: {error}")))?;
        fields.push((name, octets(&value)?));
    }
    Ok(fields)
}

/// What the arguments of `accept` say.
pub(crate) fn acceptance(
    subprotocol: Option<String>,
    headers: Option<&Bound<'_, PyAny>>,
    prefer: Option<Vec<String>>,
    compression: bool,
) -> PyResult<Accept> {
    let mut accept = Accept::new();
    if let Some(names) = prefer {
        accept = accept.prefer(names);
    }
    if let Some(name) = subprotocol {
        accept = accept.subprotocol(name);
    }
    if !compression {
        accept = accept.uncompressed();
    }
    for (name, value) in fields(headers)? {
        accept = accept
            .header(&name, &value)
            .map_err(IntoException::into_exception)?;
    }
    Ok(accept)
}

/// A ws or wss URI (RFC 6455 §3): where to connect to, and what to ask for.
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct Uri(CoreUri);

#[pymethods]
impl Uri {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        CoreUri::parse(text)
            .map(Self)
            .map_err(IntoException::into_exception)
    }

    /// It is a wss URI: TLS comes first.
    #[getter]
    fn secure(&self) -> bool {
        self.0.secure()
    }

    /// The host as DNS and TLS want it: an IPv6 address without brackets.
    #[getter]
    fn host(&self) -> &str {
        self.0.server_name()
    }

    /// The port, 80 or 443 where none is written.
    #[getter]
    fn port(&self) -> u16 {
        self.0.port()
    }

    /// Path and query, as the request names them.
    #[getter]
    fn resource_name(&self) -> &str {
        self.0.resource_name()
    }

    fn __repr__(&self) -> String {
        format!("Uri(host={:?}, port={})", self.host(), self.port())
    }
}

/// A response for another HTTP stack to send.
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct Response {
    #[pyo3(get)]
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

#[pymethods]
impl Response {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str) = ("status", "headers", "body");

    /// Names and values, in order.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> Vec<(&str, Bound<'py, PyBytes>)> {
        list(py, &self.fields)
    }

    /// The body.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.body)
    }

    fn __repr__(&self) -> String {
        format!(
            "Response({}, body of {} bytes)",
            self.status,
            self.body.len()
        )
    }
}

impl From<ForeignResponse> for Response {
    fn from(response: ForeignResponse) -> Self {
        Self {
            status: response.status,
            fields: response.fields,
            body: response.body,
        }
    }
}

/// A request for WebSocket that another HTTP stack has parsed, checked by the rules of RFC 6455 §4.2.
///
/// Raises HandshakeError, whose `response` is the answer to give.
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct Upgrade {
    core: CoreUpgrade,
    whole_frames: bool,
}

#[pymethods]
impl Upgrade {
    #[new]
    #[pyo3(signature = (config, method, target, headers, *, version="1.1"))]
    fn new(
        config: &Bound<'_, ServerConfig>,
        method: &str,
        target: &str,
        headers: &Bound<'_, PyAny>,
        version: &str,
    ) -> PyResult<Self> {
        let version = match version {
            "1.1" => HttpVersion::Http11,
            "1.0" => HttpVersion::Http10,
            other => {
                return Err(PyValueError::new_err(format!(
                    "HTTP/{other}: '1.0' or '1.1'"
                )));
            }
        };
        let fields = fields(Some(headers))?;
        let fields = fields.iter().map(|(name, value)| (&**name, &**value));
        let config = config.get();
        let core = CoreUpgrade::check(&config.core, method, target, version, fields);
        Ok(Self {
            core: core.map_err(|error| refused(headers.py(), error))?,
            whole_frames: config.whole_frames,
        })
    }

    /// The subprotocols that the client offers, most wanted first.
    #[getter]
    fn subprotocols(&self) -> Vec<&str> {
        self.core.subprotocols().collect()
    }

    /// The value of Sec-WebSocket-Extensions in the request.
    #[getter]
    fn extensions(&self) -> &str {
        self.core.extensions()
    }

    /// The response that opens, and the connection over the stream that is upgraded by it.
    #[pyo3(signature = (subprotocol=None, headers=None, *, prefer=None, compression=true))]
    fn accept(
        &self,
        subprotocol: Option<String>,
        headers: Option<&Bound<'_, PyAny>>,
        prefer: Option<Vec<String>>,
        compression: bool,
    ) -> PyResult<(Response, Connection)> {
        let accept = acceptance(subprotocol, headers, prefer, compression)?;
        let (response, core) = self
            .core
            .accept(accept)
            .map_err(IntoException::into_exception)?;
        Ok((
            response.into(),
            Connection::upgraded(core, self.whole_frames),
        ))
    }
}

/// The exception for a request that breaks a rule, with the response to it.
fn refused(py: Python<'_>, error: HandshakeError) -> PyErr {
    let raised = error.into_exception();
    let response = Response::from(ForeignResponse::refusal(error));
    match raised.value(py).setattr("response", response) {
        Ok(()) => raised,
        Err(other) => other,
    }
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Response>()?;
    module.add_class::<Uri>()?;
    module.add_class::<Upgrade>()
}
