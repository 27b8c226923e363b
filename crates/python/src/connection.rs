//! A connection.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyList, PyString};
use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::event::CloseFrame;
use sansocket::extension::Compress;
use sansocket::{
    ClientRequest, CloseCode, Connection as Core, Event, Kind, Negotiated, Part,
    Prepared as CorePrepared, Response, Role, State, Transport, Uri,
};

use crate::buffer::{Input, with_bytearray, with_memory};
use crate::config::{ClientConfig, Limits, ServerConfig, duration};
use crate::errors::IntoException;
use crate::events::{Close, Open, object};
use crate::handshake::{acceptance, fields, octets};
use crate::lent::{Lent, VIEWED};

/// How many pieces `output` gives at once.
const PIECES: usize = 64;
/// The length of a buffer of `get_buffer`.
const READ: usize = 64 << 10;

/// One end of a WebSocket connection, without IO.
///
/// Give what was read to `receive`, write what `output` has, and close as `transport` says. A call that is
/// refused raises an Error and changes nothing.
#[pyclass(module = "sansocket")]
pub(crate) struct Connection {
    core: Core,
    /// What it queued without a copy.
    lent: Lent,
    /// A server's large messages leave as they are handed over: in one frame, not compressed.
    lends: bool,
    /// Between `get_buffer` and `buffer_updated`.
    reading: Option<Py<PyByteArray>>,
    /// Set if randomness comes from a function of the caller's.
    callback: Option<Raised>,
}

/// What a function of the caller's raised.
type Raised = Arc<Mutex<Option<PyErr>>>;

/// Random bytes from a function of the caller's.
struct Callback {
    function: Py<PyAny>,
    raised: Raised,
}

impl Callback {
    fn call(&self, out: &mut [u8]) -> PyResult<()> {
        Python::attach(|py| {
            let bytes = octets(&self.function.bind(py).call1((out.len(),))?)?;
            if bytes.len() != out.len() {
                let (got, wanted) = (bytes.len(), out.len());
                return Err(PyValueError::new_err(format!(
                    "{got} random bytes, {wanted} were asked for"
                )));
            }
            out.copy_from_slice(&bytes);
            Ok(())
        })
    }
}

impl Entropy for Callback {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.call(out).map_err(|error| {
            *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            NoEntropy
        })
    }
}

impl Connection {
    fn new(core: Core, lends: bool) -> Self {
        Self {
            core,
            lent: Lent::default(),
            lends,
            reading: None,
            callback: None,
        }
    }

    /// Over a stream that was upgraded elsewhere.
    pub(crate) fn upgraded(core: Core, whole_frames: bool) -> Self {
        let lends = core.role() == Role::Server && whole_frames && core.agreed_deflate().is_none();
        Self::new(core, lends)
    }

    /// What the connection has to tell about `input`, until it is used up. The rest is kept.
    fn drain(&mut self, py: Python<'_>, mut input: &mut [u8]) -> PyResult<Vec<Py<PyAny>>> {
        let mut events = Vec::new();
        while let Some(event) = self.core.receive(&mut input) {
            events.push(self.told(py, event)?);
        }
        self.core.keep_input(&mut input);
        Ok(events)
    }

    /// The same for input that is not written to.
    fn drain_copy(&mut self, py: Python<'_>, mut input: &[u8]) -> PyResult<Vec<Py<PyAny>>> {
        let mut events = Vec::new();
        while let Some(event) = self.core.receive_copy(&mut input) {
            events.push(self.told(py, event)?);
        }
        if !input.is_empty() {
            self.core.keep_input(&mut &mut input.to_vec()[..]);
        }
        Ok(events)
    }

    /// The first event of `input`. The rest is kept.
    fn first(&mut self, py: Python<'_>, mut input: &mut [u8]) -> PyResult<Option<Py<PyAny>>> {
        let event = match self.core.receive(&mut input) {
            Some(event) => Some(self.told(py, event)?),
            None => None,
        };
        self.core.keep_input(&mut input);
        Ok(event)
    }

    /// The same for input that is not written to.
    fn first_copy(&mut self, py: Python<'_>, mut input: &[u8]) -> PyResult<Option<Py<PyAny>>> {
        let event = match self.core.receive_copy(&mut input) {
            Some(event) => Some(self.told(py, event)?),
            None => None,
        };
        if !input.is_empty() {
            self.core.keep_input(&mut &mut input.to_vec()[..]);
        }
        Ok(event)
    }

    fn told(&mut self, py: Python<'_>, event: Event<'_>) -> PyResult<Py<PyAny>> {
        if !matches!(event, Event::Open) {
            return object(py, event);
        }
        self.lends &= self.core.agreed_deflate().is_none();
        Ok(Py::new(py, Open::of(&self.core))?.into_any())
    }

    /// What a call gave, unless the caller's function raised something in it.
    fn checked<T>(&self, value: PyResult<T>) -> PyResult<T> {
        let raised = self
            .callback
            .as_ref()
            .and_then(|raised| raised.lock().unwrap_or_else(PoisonError::into_inner).take());
        match raised {
            Some(error) => Err(error),
            None => value,
        }
    }

    fn consume(&mut self, n: usize) {
        self.core.consume_output(n);
        if self.core.output_len() == 0 {
            self.lent.clear();
        }
    }

    fn send_data(
        &mut self,
        data: &Bound<'_, PyAny>,
        kind: Option<Kind>,
        compress: Compress,
    ) -> PyResult<()> {
        let sent = if kind == Some(Kind::Text) && !data.is_instance_of::<PyString>() {
            match data.cast::<PyBytes>() {
                Ok(bytes) => self.core.send_with(utf8(bytes.as_bytes())?, compress),
                Err(_) => self.core.send_with(utf8(&octets(data)?)?, compress),
            }
        } else if let Ok(text) = data.cast::<PyString>() {
            self.core.send_with(text.to_str()?, compress)
        } else if let Ok(bytes) = data.cast::<PyBytes>() {
            if self.lends && bytes.as_bytes().len() >= VIEWED {
                let shared = self.lent.share(bytes);
                let sent = self.core.send_with(shared, compress);
                if sent.is_err() {
                    self.lent.take_back();
                }
                sent.map_err(|unsent| sansocket::error::Unsent {
                    why: unsent.why,
                    message: (),
                })
            } else {
                self.core.send_with(bytes.as_bytes(), compress)
            }
        } else if let Ok(prepared) = data.cast::<Prepared>() {
            self.core.send_with(&prepared.get().0, compress)
        } else {
            match Input::of(data)? {
                Input::ReadOnly(bytes) => self.core.send_with(bytes.as_bytes(), compress),
                Input::Writable(buffer) => {
                    let copy = buffer.to_vec(data.py())?;
                    self.core.send_with(&copy[..], compress)
                }
            }
        };
        sent.map_err(|unsent| unsent.why.into_exception())
    }
}

/// Bytes that are text.
fn utf8(bytes: &[u8]) -> PyResult<&str> {
    std::str::from_utf8(bytes).map_err(|error| PyValueError::new_err(format!("no text: {error}")))
}

fn kind(name: Option<&str>) -> PyResult<Option<Kind>> {
    match name {
        None => Ok(None),
        Some("text") => Ok(Some(Kind::Text)),
        Some("binary") => Ok(Some(Kind::Binary)),
        Some(other) => Err(PyValueError::new_err(format!(
            "no kind {other:?}: there are 'text' and 'binary'"
        ))),
    }
}

fn compress(name: &str) -> PyResult<Compress> {
    match name {
        "auto" => Ok(Compress::Auto),
        "never" => Ok(Compress::Never),
        "always" => Ok(Compress::Always),
        "alone" => Ok(Compress::Alone),
        other => Err(PyValueError::new_err(format!(
            "no compression {other:?}: there are 'auto', 'never', 'always' and 'alone'"
        ))),
    }
}

fn close_code(code: Option<u16>) -> PyResult<Option<CloseCode>> {
    let Some(code) = code else {
        return Ok(None);
    };
    match CloseCode::new(code) {
        Some(code) => Ok(Some(code)),
        None => Err(PyValueError::new_err(format!(
            "{code} is no code that a Close frame may have (RFC 6455 §7.4)"
        ))),
    }
}

fn close_frame(frame: Option<&CloseFrame>) -> Option<Close> {
    frame.map(Into::into)
}

#[pymethods]
impl Connection {
    /// A server's end, which waits for a request.
    #[staticmethod]
    fn server(config: &Bound<'_, ServerConfig>) -> Self {
        let config = config.get();
        Self::new(Core::server(&config.core), config.whole_frames)
    }

    /// A client's end. Its request is in `output` already.
    ///
    /// `extensions` are offers of extensions that the application does itself, as "name; parameter=value".
    /// `entropy` is a function that gives as many random bytes as it is asked for; without it they are the system's.
    #[staticmethod]
    #[pyo3(signature = (uri, config=None, *, headers=None, subprotocols=None, extensions=None, origin=None, entropy=None))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn client(
        uri: &str,
        config: Option<&Bound<'_, ClientConfig>>,
        headers: Option<&Bound<'_, PyAny>>,
        subprotocols: Option<Vec<String>>,
        extensions: Option<Vec<String>>,
        origin: Option<&str>,
        entropy: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let uri = Uri::parse(uri).map_err(IntoException::into_exception)?;
        let mut request = ClientRequest::new(uri);
        for (name, value) in fields(headers)? {
            request = request
                .header(&name, &value)
                .map_err(IntoException::into_exception)?;
        }
        for name in subprotocols.unwrap_or_default() {
            request = request
                .subprotocol(&name)
                .map_err(IntoException::into_exception)?;
        }
        for offer in extensions.unwrap_or_default() {
            request = request
                .extension(&offer, 0)
                .map_err(IntoException::into_exception)?;
        }
        if let Some(origin) = origin {
            request = request
                .origin(origin)
                .map_err(IntoException::into_exception)?;
        }
        let default = sansocket::ClientConfig::new();
        let config = config.map_or(&default, |config| &config.get().core);
        let Some(entropy) = entropy else {
            let core = Core::client(config, request).map_err(IntoException::into_exception)?;
            return Ok(Self::new(core, false));
        };
        let raised = Raised::default();
        let callback = Callback {
            function: entropy.unbind(),
            raised: Arc::clone(&raised),
        };
        let core = Core::client_with_entropy(config, request, Box::new(callback));
        let core = core.map_err(|error| {
            let raised = raised.lock().unwrap_or_else(PoisonError::into_inner).take();
            raised.unwrap_or_else(|| error.into_exception())
        })?;
        let mut connection = Self::new(core, false);
        connection.callback = Some(raised);
        Ok(connection)
    }

    /// A server's end of a stream that was upgraded elsewhere.
    #[staticmethod]
    #[pyo3(signature = (config, *, subprotocol=None, extensions=""))]
    fn upgraded_server(
        config: &Bound<'_, ServerConfig>,
        subprotocol: Option<String>,
        extensions: &str,
    ) -> Self {
        let config = config.get();
        let mut negotiated = Negotiated::new().extensions(extensions);
        negotiated.subprotocol = subprotocol;
        Self::upgraded(
            Core::upgraded_server(&config.core, negotiated),
            config.whole_frames,
        )
    }

    /// A client's end of a stream that was upgraded elsewhere.
    #[staticmethod]
    #[pyo3(signature = (config=None, *, subprotocol=None, extensions=""))]
    fn upgraded_client(
        config: Option<&Bound<'_, ClientConfig>>,
        subprotocol: Option<String>,
        extensions: &str,
    ) -> Self {
        let default = sansocket::ClientConfig::new();
        let config = config.map_or(&default, |config| &config.get().core);
        let mut negotiated = Negotiated::new().extensions(extensions);
        negotiated.subprotocol = subprotocol;
        Self::upgraded(Core::upgraded_client(config, negotiated), false)
    }

    // ── in

    /// Takes bytes that were received, and gives all events that they bring.
    ///
    /// A bytearray and a writable memoryview are unmasked in place, so their contents change; bytes are copied.
    /// Without bytes it gives the events that calls such as `accept` and `advance_time` have brought.
    #[pyo3(signature = (data=None))]
    fn receive<'py>(
        &mut self,
        py: Python<'py>,
        data: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let input = data.map(Input::of).transpose()?;
        let events = match input {
            None => self.drain(py, &mut []),
            Some(Input::ReadOnly(bytes)) => self.drain_copy(py, bytes.as_bytes()),
            // The caller's function could look into the buffer while it is written to.
            Some(Input::Writable(buffer)) if self.callback.is_some() => {
                self.drain(py, &mut buffer.to_vec(py)?)
            }
            Some(Input::Writable(buffer)) => with_memory(&buffer, |memory| self.drain(py, memory)),
        };
        PyList::new(py, self.checked(events)?)
    }

    /// As `receive`, but gives only the first event. The bytes after it are kept and not looked at before the next call,
    /// so that what is done about an event is done before what follows it.
    #[pyo3(signature = (data=None))]
    fn next_event<'py>(
        &mut self,
        py: Python<'py>,
        data: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let event = match data.map(Input::of).transpose()? {
            None => self.first(py, &mut []),
            Some(Input::ReadOnly(bytes)) => self.first_copy(py, bytes.as_bytes()),
            Some(Input::Writable(buffer)) => self.first(py, &mut buffer.to_vec(py)?),
        };
        self.checked(event)
    }

    /// The peer has ended the stream. Gives the events that are left.
    fn receive_eof<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.core.receive_eof();
        self.receive(py, None)
    }

    /// A bytearray to read into, of 64 KiB, as `asyncio.BufferedProtocol` wants it.
    #[pyo3(signature = (sizehint=0))]
    fn get_buffer<'py>(&mut self, py: Python<'py>, sizehint: isize) -> Bound<'py, PyByteArray> {
        let _ = sizehint;
        let buffer = self.reading.get_or_insert_with(|| spare_buffer(py));
        buffer.bind(py).clone()
    }

    /// The first `nbytes` of that buffer were read: gives all events. No copy is made of them, and the buffer serves
    /// other connections afterwards.
    fn buffer_updated<'py>(
        &mut self,
        py: Python<'py>,
        nbytes: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let Some(buffer) = self.reading.take() else {
            return Err(PyValueError::new_err("buffer_updated without get_buffer"));
        };
        let bytes = buffer.bind(py);
        let events = if self.callback.is_some() {
            self.drain(py, &mut bytes.to_vec()[..nbytes.min(bytes.len())])
        } else {
            with_bytearray(bytes, nbytes, |memory| self.drain(py, memory))
        };
        keep_spare(py, buffer);
        PyList::new(py, self.checked(events)?)
    }

    /// Nothing can be written any more; reading goes on.
    fn write_lost(&mut self) {
        self.core.write_lost();
    }

    /// The transport is gone, in both directions.
    fn transport_lost(&mut self) {
        self.core.transport_lost();
    }

    /// The TLS handshake failed (1015).
    fn tls_failed(&mut self) {
        self.core.tls_failed();
    }

    // ── out

    /// What is queued, in pieces: large bytes that a server has sent come as memoryviews of themselves. At most 64 pieces.
    ///
    /// Tell `consume_output` how many bytes of them were written.
    fn output<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut slices = [&[][..]; PIECES];
        let n = self.core.output_slices(&mut slices);
        let pieces = PyList::empty(py);
        for (at, slice) in slices[..n].iter().enumerate() {
            let view = if slice.len() < VIEWED || self.lent.is_empty() {
                None
            } else {
                self.lent.view(py, slice, at < 2)?
            };
            match view {
                Some(view) => pieces.append(view)?,
                None => pieces.append(PyBytes::new(py, slice))?,
            }
        }
        Ok(pieces)
    }

    /// So many bytes of the output were written.
    fn consume_output(&mut self, n: usize) {
        self.consume(n);
    }

    /// All that is queued, as bytes, which count as written.
    fn take_output<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let len = self.core.output_len();
        if len == 0 {
            return Ok(PyBytes::new(py, b""));
        }
        let first = self.core.output();
        let bytes = if first.len() == len {
            PyBytes::new(py, first)
        } else {
            PyBytes::new_with(py, len, |mut out| {
                while !out.is_empty() {
                    let mut slices = [&[][..]; PIECES];
                    let n = self.core.output_slices(&mut slices);
                    let mut taken = 0;
                    for slice in &slices[..n] {
                        let (front, rest) = out.split_at_mut(slice.len());
                        front.copy_from_slice(slice);
                        out = rest;
                        taken += slice.len();
                    }
                    self.core.consume_output(taken);
                }
                Ok(())
            })?
        };
        self.consume(self.core.output_len());
        Ok(bytes)
    }

    /// Bytes that are queued.
    #[getter]
    fn output_len(&self) -> usize {
        self.core.output_len()
    }

    /// Bytes of messages that are queued, without their frames.
    #[getter]
    fn buffered_amount(&self) -> u64 {
        self.core.buffered_amount()
    }

    // ── messages

    /// Queues a message: text for a str, binary for bytes and the like, or a `Prepared`.
    ///
    /// With the kind "text", bytes are text in UTF-8. `compress` is "auto", "never", "always" or "alone" (in a context
    /// of its own).
    #[pyo3(signature = (data, *, kind=None, compress="auto"))]
    fn send(
        &mut self,
        data: &Bound<'_, PyAny>,
        kind: Option<&str>,
        compress: &str,
    ) -> PyResult<()> {
        let sent = self.send_data(data, self::kind(kind)?, self::compress(compress)?);
        self.checked(sent)
    }

    /// Queues one frame of a message. The kind is that of its first part. With the kind "text", bytes are text in UTF-8,
    /// which may be cut anywhere.
    #[pyo3(signature = (data, *, last, kind=None, compress="auto"))]
    fn send_part(
        &mut self,
        data: &Bound<'_, PyAny>,
        last: bool,
        kind: Option<&str>,
        compress: &str,
    ) -> PyResult<()> {
        let compress = self::compress(compress)?;
        let kind = self::kind(kind)?.unwrap_or(if data.is_instance_of::<PyString>() {
            Kind::Text
        } else {
            Kind::Binary
        });
        let bytes = octets(data)?;
        let part = Part::new(kind, &bytes).last_if(last).compress(compress);
        let sent = self
            .core
            .send_part(part)
            .map_err(IntoException::into_exception);
        self.checked(sent)
    }

    /// Queues a Ping, of at most 125 bytes.
    #[pyo3(signature = (payload=None))]
    fn ping(&mut self, payload: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let payload = payload.map(octets).transpose()?.unwrap_or_default();
        let sent = self
            .core
            .ping(&payload)
            .map_err(IntoException::into_exception);
        self.checked(sent)
    }

    /// Queues a Pong, of at most 125 bytes.
    #[pyo3(signature = (payload=None))]
    fn pong(&mut self, payload: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let payload = payload.map(octets).transpose()?.unwrap_or_default();
        let sent = self
            .core
            .pong(&payload)
            .map_err(IntoException::into_exception);
        self.checked(sent)
    }

    /// With delivery "ask": the message that has begun comes in chunks.
    fn stream_message(&mut self) {
        self.core.stream_message();
    }

    // ── the opening handshake

    /// Accepts the request. `prefer` names subprotocols, most wanted first, of which one that the client offers is chosen.
    /// `extensions` are those that the application does itself, as "name; parameter=value" with what is agreed on.
    #[pyo3(signature = (subprotocol=None, headers=None, *, prefer=None, extensions=None, compression=true))]
    fn accept(
        &mut self,
        subprotocol: Option<String>,
        headers: Option<&Bound<'_, PyAny>>,
        prefer: Option<Vec<String>>,
        extensions: Option<Vec<String>>,
        compression: bool,
    ) -> PyResult<()> {
        let mut accept = acceptance(subprotocol, headers, prefer, compression)?;
        for element in extensions.unwrap_or_default() {
            accept = accept
                .extension(&element, 0)
                .map_err(IntoException::into_exception)?;
        }
        self.core
            .accept(accept)
            .map_err(IntoException::into_exception)
    }

    /// Answers the request over HTTP instead, with a page or a refusal.
    #[pyo3(signature = (status, headers=None, body=None))]
    fn respond(
        &mut self,
        status: u16,
        headers: Option<&Bound<'_, PyAny>>,
        body: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let mut response = Response::new(status);
        for (name, value) in fields(headers)? {
            response = response
                .header(&name, &value)
                .map_err(IntoException::into_exception)?;
        }
        if let Some(body) = body {
            response = response.body(octets(body)?);
        }
        self.core
            .respond(response)
            .map_err(IntoException::into_exception)
    }

    // ── the closing handshake

    /// Begins the closing handshake (RFC 6455 §7.1.2). Without a code the Close frame is empty.
    #[pyo3(signature = (code=Some(1000), reason=""))]
    fn close(&mut self, code: Option<u16>, reason: &str) -> PyResult<()> {
        let code = close_code(code)?;
        let closed = self
            .core
            .close(code, reason)
            .map_err(IntoException::into_exception);
        self.checked(closed)
    }

    /// The same for a reason that may be too long: it is cut at a character.
    #[pyo3(signature = (code=Some(1000), reason=""))]
    fn close_lossy(&mut self, code: Option<u16>, reason: &str) -> PyResult<()> {
        let code = close_code(code)?;
        let closed = self
            .core
            .close_lossy(code, reason)
            .map_err(IntoException::into_exception);
        self.checked(closed)
    }

    /// Fails the connection (RFC 6455 §7.1.7): nothing is delivered after it.
    #[pyo3(signature = (code, reason=""))]
    fn fail(&mut self, code: u16, reason: &str) -> PyResult<()> {
        let Some(code) = close_code(Some(code))? else {
            return Err(PyTypeError::new_err("a code is wanted"));
        };
        let failed = self
            .core
            .fail(code, reason)
            .map_err(IntoException::into_exception);
        self.checked(failed)
    }

    /// Our Close frame, as soon as it is queued.
    #[getter]
    fn close_sent(&self) -> Option<Close> {
        close_frame(self.core.close_sent())
    }

    /// The peer's Close frame.
    #[getter]
    fn close_received(&self) -> Option<Close> {
        close_frame(self.core.close_received())
    }

    // ── time

    /// Tells the time, in seconds of a clock that never goes back, such as `time.monotonic()`. Call `receive` after it.
    fn advance_time(&mut self, now: f64) -> PyResult<()> {
        self.core.advance_time(duration(now)?);
        self.checked(Ok(()))
    }

    /// When `advance_time` has to be called next, on the same clock. None: nothing is waited for.
    #[getter]
    fn next_deadline(&self) -> Option<f64> {
        self.core.next_deadline().map(|time| time.as_secs_f64())
    }

    // ── what it is

    /// "initial", "connecting", "open", "closing" or "closed".
    #[getter]
    fn state(&self) -> &'static str {
        match self.core.state() {
            State::Initial => "initial",
            State::Connecting => "connecting",
            State::Open => "open",
            State::Closing => "closing",
            State::Closed => "closed",
        }
    }

    /// What to do with the transport: "keep-open", "shutdown-write", "await-peer-end" or "close".
    #[getter]
    fn transport(&self) -> &'static str {
        match self.core.transport() {
            Transport::KeepOpen => "keep-open",
            Transport::ShutdownWrite => "shutdown-write",
            Transport::AwaitPeerEnd => "await-peer-end",
            // A way that a later version adds is the end, too.
            _ => "close",
        }
    }

    /// "server" or "client".
    #[getter]
    fn role(&self) -> &'static str {
        match self.core.role() {
            Role::Server => "server",
            Role::Client => "client",
        }
    }

    /// The subprotocol in use.
    #[getter]
    fn subprotocol(&self) -> Option<&str> {
        self.core.subprotocol()
    }

    /// The extensions in use, as the value of Sec-WebSocket-Extensions.
    #[getter]
    fn extensions(&self) -> &str {
        self.core.extensions()
    }

    /// The bytes of a request or an answer with which the opening handshake failed, for a log.
    #[getter]
    fn failed_head<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.core.failed_head().map(|head| PyBytes::new(py, head))
    }

    /// Bytes of memory that the connection holds outside of Python's objects.
    #[getter]
    fn memory_held(&self) -> usize {
        self.core.memory_held()
    }

    /// The limits, which can be set anew after the opening.
    #[getter]
    fn limits(&self) -> Limits {
        Limits(*self.core.limits())
    }

    #[setter]
    fn set_limits(&mut self, limits: &Bound<'_, Limits>) {
        self.core.set_limits(limits.get().0);
    }

    fn __repr__(&self) -> String {
        format!("<sansocket.Connection: {}, {}>", self.role(), self.state())
    }
}

/// A message encoded once, to be sent to any number of connections.
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct Prepared(CorePrepared);

#[pymethods]
impl Prepared {
    #[new]
    fn new(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = data.cast::<PyString>() {
            return Ok(Self(CorePrepared::text(text.to_str()?)));
        }
        Ok(Self(CorePrepared::binary(&octets(data)?)))
    }
}

/// Buffers for reading that no connection uses at the moment: as many as there are event loops.
static SPARE: PyOnceLock<Py<PyList>> = PyOnceLock::new();

fn spare_buffer(py: Python<'_>) -> Py<PyByteArray> {
    let spare = SPARE
        .get_or_init(py, || PyList::empty(py).unbind())
        .bind(py);
    let taken = spare
        .call_method0("pop")
        .and_then(|buffer| Ok(buffer.cast_into::<PyByteArray>()?));
    taken
        .unwrap_or_else(|_| PyByteArray::new(py, &[0; READ]))
        .unbind()
}

/// A buffer that the caller has made longer or shorter is not used again.
fn keep_spare(py: Python<'_>, buffer: Py<PyByteArray>) {
    let spare = SPARE
        .get_or_init(py, || PyList::empty(py).unbind())
        .bind(py);
    if spare.len() < 4 && buffer.bind(py).len() == READ {
        let _ = spare.append(buffer);
    }
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Connection>()?;
    module.add_class::<Prepared>()
}
