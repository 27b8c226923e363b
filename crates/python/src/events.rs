//! The crate's events as frozen objects.
//!
//! None is tracked by the garbage collector, so that making one runs no Python code: lists and tuples are made
//! when an attribute is asked for.

use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use pyo3::{PyClass, PyClassInitializer};
use sansocket::Side;
use sansocket::error::Failure;
use sansocket::event::{self, CloseFrame, CloseReport, MessageHead};
use sansocket::handshake::{self, HttpVersion};
use sansocket::{Event, Kind, Message as CoreMessage};

/// Header fields, in order.
type Fields = Vec<(String, Vec<u8>)>;

fn version(version: HttpVersion) -> &'static str {
    match version {
        HttpVersion::Http10 => "1.0",
        HttpVersion::Http11 => "1.1",
    }
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Binary => "binary",
    }
}

/// Names and values as Python has them.
pub(crate) fn list<'f, 'py>(
    py: Python<'py>,
    fields: &'f Fields,
) -> Vec<(&'f str, Bound<'py, PyBytes>)> {
    let pairs = fields.iter();
    pairs
        .map(|(name, value)| (&**name, PyBytes::new(py, value)))
        .collect()
}

/// The first value of this name.
fn first<'py>(py: Python<'py>, fields: &Fields, name: &str) -> Option<Bound<'py, PyBytes>> {
    let mut pairs = fields.iter();
    let found = pairs.find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map(|(_, value)| PyBytes::new(py, value))
}

/// A request that waits for `accept` or `respond` (RFC 6455 §4.2), or a plain one (`upgrade` is False).
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct Request {
    #[pyo3(get)]
    method: String,
    #[pyo3(get)]
    target: String,
    #[pyo3(get)]
    path: String,
    #[pyo3(get)]
    query: Option<String>,
    #[pyo3(get)]
    version: &'static str,
    #[pyo3(get)]
    authority: String,
    #[pyo3(get)]
    origin: Option<String>,
    #[pyo3(get)]
    subprotocols: Vec<String>,
    /// It asks for WebSocket.
    #[pyo3(get)]
    upgrade: bool,
    fields: Fields,
}

#[pymethods]
impl Request {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("method", "target");

    /// Names and values, in order.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> Vec<(&str, Bound<'py, PyBytes>)> {
        list(py, &self.fields)
    }

    /// The first value of this name, without regard to case.
    fn header<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyBytes>> {
        first(py, &self.fields, name)
    }

    fn __repr__(&self) -> String {
        format!(
            "Request({:?}, {:?}, {} headers, upgrade={})",
            self.method,
            self.target,
            self.fields.len(),
            if self.upgrade { "True" } else { "False" }
        )
    }
}

impl Request {
    fn new(request: &handshake::Request<'_>, upgrade: bool) -> Self {
        let headers = request.headers();
        Self {
            method: request.method().into(),
            target: request.target().into(),
            path: request.path().into(),
            query: request.query().map(Into::into),
            version: version(request.version()),
            authority: request.authority().into(),
            origin: request.origin().map(Into::into),
            subprotocols: request.subprotocols().map(Into::into).collect(),
            upgrade,
            fields: headers
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

/// The server refused the handshake with this answer (RFC 6455 §4.1).
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct Refused {
    #[pyo3(get)]
    status: u16,
    #[pyo3(get)]
    version: Option<&'static str>,
    #[pyo3(get)]
    reason: String,
    body: Vec<u8>,
    #[pyo3(get)]
    truncated: bool,
    #[pyo3(get)]
    reusable: bool,
    fields: Fields,
}

#[pymethods]
impl Refused {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("status",);

    /// The body, as far as it was read.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.body)
    }

    /// Names and values, in order.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> Vec<(&str, Bound<'py, PyBytes>)> {
        list(py, &self.fields)
    }

    /// The first value of this name, without regard to case.
    fn header<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyBytes>> {
        first(py, &self.fields, name)
    }

    fn __repr__(&self) -> String {
        format!(
            "Refused({}, body of {} bytes)",
            self.status,
            self.body.len()
        )
    }
}

impl From<handshake::Refusal> for Refused {
    fn from(refusal: handshake::Refusal) -> Self {
        Self {
            status: refusal.status,
            version: refusal.version.map(version),
            reason: refusal.reason,
            body: refusal.body,
            truncated: refusal.truncated,
            reusable: refusal.reusable,
            fields: refusal.fields,
        }
    }
}

/// The connection is established. `headers` are those of the answer, for a client.
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct Open {
    #[pyo3(get)]
    subprotocol: Option<String>,
    #[pyo3(get)]
    extensions: String,
    #[pyo3(get)]
    reason: String,
    fields: Fields,
}

#[pymethods]
impl Open {
    /// Names and values, in order.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> Vec<(&str, Bound<'py, PyBytes>)> {
        list(py, &self.fields)
    }

    /// The first value of this name, without regard to case.
    fn header<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyBytes>> {
        first(py, &self.fields, name)
    }

    fn __repr__(&self) -> String {
        let subprotocol = match &self.subprotocol {
            Some(name) => format!("{name:?}"),
            None => "None".into(),
        };
        format!("Open({subprotocol}, {:?})", self.extensions)
    }
}

impl Open {
    /// What the connection knows when it has just opened.
    pub(crate) fn of(ws: &sansocket::Connection) -> Self {
        let response = ws.response();
        let fields = response.into_iter().flat_map(|head| head.headers());
        Self {
            subprotocol: ws.subprotocol().map(Into::into),
            extensions: ws.extensions().into(),
            reason: response
                .map(|head| head.reason().into_owned())
                .unwrap_or_default(),
            fields: fields
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

/// The head of a message, with delivery "ask".
#[pyclass(frozen, module = "sansocket", get_all)]
pub(crate) struct MessageStart {
    kind: &'static str,
    frame_len: u64,
    fin: bool,
    compressed: bool,
    reserved_bits: u8,
}

#[pymethods]
impl MessageStart {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("kind", "frame_len");

    fn __repr__(&self) -> String {
        format!("MessageStart({:?}, {})", self.kind, self.frame_len)
    }
}

/// A whole message: `data` is a str or bytes.
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct Message {
    /// A `str` or `bytes`.
    #[pyo3(get)]
    data: Py<PyAny>,
}

#[pymethods]
impl Message {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("data",);

    /// "text" or "binary".
    #[getter]
    fn kind(&self, py: Python<'_>) -> &'static str {
        if self.data.bind(py).is_instance_of::<PyString>() {
            "text"
        } else {
            "binary"
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let data = self.data.bind(py);
        Ok(format!("Message({} of {})", self.kind(py), data.len()?))
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        match other.cast::<Self>() {
            Ok(other) => self.data.bind(py).eq(other.get().data.bind(py)),
            Err(_) => Ok(false),
        }
    }
}

/// A part of a message, with delivery "chunks". `data` is bytes, which may end inside a character.
#[pyclass(frozen, module = "sansocket", get_all)]
pub(crate) struct Chunk {
    kind: &'static str,
    data: Py<PyBytes>,
    first: bool,
    /// The frame that it came in ends with it.
    ends_frame: bool,
    last: bool,
    reserved_bits: u8,
}

#[pymethods]
impl Chunk {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("data", "last");

    fn __repr__(&self, py: Python<'_>) -> String {
        let len = self.data.bind(py).as_bytes().len();
        format!(
            "Chunk({} of {len} bytes, first={}, last={})",
            self.kind, self.first, self.last
        )
    }
}

/// A Ping. The Pong is queued already, unless `manual_pong` is set.
#[pyclass(frozen, module = "sansocket", get_all)]
pub(crate) struct Ping {
    payload: Py<PyBytes>,
}

#[pymethods]
impl Ping {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("payload",);

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Ping({} bytes)", self.payload.bind(py).as_bytes().len())
    }
}

/// A Pong. `round_trip` is in seconds, if it answers the last ping and the time is told.
#[pyclass(frozen, module = "sansocket", get_all)]
pub(crate) struct Pong {
    payload: Py<PyBytes>,
    /// Seconds.
    round_trip: Option<f64>,
}

#[pymethods]
impl Pong {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("payload",);

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Pong({} bytes)", self.payload.bind(py).as_bytes().len())
    }
}

/// The peer's Close frame. The answer is queued already, unless `manual_close` is set.
#[pyclass(frozen, eq, module = "sansocket", get_all)]
#[derive(Clone, PartialEq)]
pub(crate) struct Close {
    code: Option<u16>,
    reason: String,
}

#[pymethods]
impl Close {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("code", "reason");

    fn __repr__(&self) -> String {
        match self.code {
            Some(code) => format!("Close({code}, {:?})", self.reason),
            None => "Close(None)".into(),
        }
    }
}

impl From<&CloseFrame> for Close {
    fn from(frame: &CloseFrame) -> Self {
        Self {
            code: frame.code.map(|code| code.get()),
            reason: frame.reason().into(),
        }
    }
}

/// The connection was failed. `code` and `name` are the same in every version; str() is a sentence.
#[pyclass(frozen, eq, module = "sansocket", get_all)]
#[derive(Clone, PartialEq)]
pub(crate) struct Failed {
    code: u16,
    name: &'static str,
    close_code: Option<u16>,
    text: String,
}

#[pymethods]
impl Failed {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("code", "name");

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("Failed({}, {:?}, {:?})", self.code, self.name, self.text)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code(),
            name: failure.name(),
            close_code: failure.close_code(),
            text: failure.to_string(),
        }
    }
}

/// The connection is closed: the last event. `code` is 1005 for a Close without a code, 1006 without a Close.
#[pyclass(frozen, module = "sansocket", get_all)]
pub(crate) struct Closed {
    clean: bool,
    code: u16,
    answered: Option<u16>,
    sent: Option<Close>,
    received: Option<Close>,
    failure: Option<Failed>,
    began: Option<&'static str>,
    text: String,
}

#[pymethods]
impl Closed {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str) = ("code", "clean");

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!(
            "Closed({}, clean={}: {})",
            self.code,
            if self.clean { "True" } else { "False" },
            self.text
        )
    }
}

impl From<&CloseReport> for Closed {
    fn from(report: &CloseReport) -> Self {
        Self {
            clean: report.clean,
            code: report.code,
            answered: report.answered,
            sent: report.sent.as_ref().map(Into::into),
            received: report.received.as_ref().map(Into::into),
            failure: report.failure.map(Into::into),
            began: report.began.map(|side| match side {
                Side::Us => "us",
                Side::Peer => "peer",
                Side::Both => "both",
            }),
            text: report.to_string(),
        }
    }
}

fn message(py: Python<'_>, message: &CoreMessage<'_>) -> Message {
    let data = match message {
        CoreMessage::Text(text) => PyString::new(py, text.as_str()).into_any(),
        CoreMessage::Binary(payload) => PyBytes::new(py, payload).into_any(),
    };
    Message {
        data: data.unbind(),
    }
}

fn chunk(py: Python<'_>, chunk: &event::Chunk<'_>) -> Chunk {
    Chunk {
        kind: kind(chunk.kind),
        data: PyBytes::new(py, &chunk.payload).unbind(),
        first: chunk.first,
        ends_frame: chunk.ends_frame,
        last: chunk.last,
        reserved_bits: chunk.reserved_bits,
    }
}

impl From<MessageHead> for MessageStart {
    fn from(head: MessageHead) -> Self {
        Self {
            kind: kind(head.kind),
            frame_len: head.frame_len,
            fin: head.fin,
            compressed: head.compressed,
            reserved_bits: head.reserved_bits,
        }
    }
}

/// An event as an object. Only [`Open`] is made elsewhere, as it asks the connection.
pub(crate) fn object(py: Python<'_>, event: Event<'_>) -> PyResult<Py<PyAny>> {
    fn new<T: PyClass + Into<PyClassInitializer<T>>>(
        py: Python<'_>,
        value: T,
    ) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, value)?.into_any())
    }
    let bytes = |payload: &[u8]| PyBytes::new(py, payload).unbind();
    match event {
        Event::Message(told) => new(py, message(py, &told)),
        Event::Chunk(told) => new(py, chunk(py, &told)),
        Event::Start(head) => new(py, MessageStart::from(head)),
        Event::Ping(payload) => new(
            py,
            Ping {
                payload: bytes(&payload),
            },
        ),
        Event::Pong(pong) => {
            let round_trip = pong.round_trip().map(|time| time.as_secs_f64());
            new(
                py,
                Pong {
                    payload: bytes(&pong.payload),
                    round_trip,
                },
            )
        }
        Event::Request(request) => new(py, Request::new(&request, true)),
        Event::Http(request) => new(py, Request::new(&request, false)),
        Event::Refused(refusal) => new(py, Refused::from(*refusal)),
        Event::Close(frame) => new(py, Close::from(&*frame)),
        Event::Failed(failure) => new(py, Failed::from(failure)),
        Event::Closed(report) => new(py, Closed::from(&*report)),
        // One that a later version of the crate adds is told here first.
        _ => Err(PyNotImplementedError::new_err(
            "an event that this version does not know",
        )),
    }
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Request>()?;
    module.add_class::<Refused>()?;
    module.add_class::<Open>()?;
    module.add_class::<MessageStart>()?;
    module.add_class::<Message>()?;
    module.add_class::<Chunk>()?;
    module.add_class::<Ping>()?;
    module.add_class::<Pong>()?;
    module.add_class::<Close>()?;
    module.add_class::<Failed>()?;
    module.add_class::<Closed>()
}
