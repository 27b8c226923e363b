//! Limits, deadlines, compression, and what servers and clients are made from.

use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use sansocket::config::{Budgets, Delivery, Limits as CoreLimits, Timeouts as CoreTimeouts};
use sansocket::extension::PermessageDeflate;
use sansocket::{ClientConfig as CoreClientConfig, OriginPolicy, ServerConfig as CoreServerConfig};

use crate::errors::IntoException;

/// Seconds, as Python's clocks count them.
pub(crate) fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| PyValueError::new_err(format!("{seconds} seconds: {error}")))
}

fn optional(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    seconds.map(duration).transpose()
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Limits on everything that the peer controls, and on queued output.
///
/// Start from a preset, "server", "strict", "client" or "trusted", and change what you need:
///
/// >>> Limits("server", message=4 << 20).message
/// 4194304
///
/// `memory` bounds all that the connection holds; `budgets` bound how often pings, empty frames, tiny fragments and
/// messages may come: "generous", "tight" or "none".
#[pyclass(frozen, eq, module = "sansocket")]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Limits(pub(crate) CoreLimits);

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(signature = (preset="server", *, head=None, fields=None, frame=None, message=None, fragments=None, output=None, held=None, body=None, memory=None, budgets=None))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn new(
        preset: &str,
        head: Option<u32>,
        fields: Option<u16>,
        frame: Option<u64>,
        message: Option<u64>,
        fragments: Option<u32>,
        output: Option<u32>,
        held: Option<u32>,
        body: Option<u32>,
        memory: Option<u64>,
        budgets: Option<&str>,
    ) -> PyResult<Self> {
        let mut limits = match preset {
            "server" => CoreLimits::server(),
            "strict" => CoreLimits::strict(),
            "client" => CoreLimits::client(),
            "trusted" => CoreLimits::trusted(),
            other => {
                return Err(PyValueError::new_err(format!(
                    "no preset {other:?}: there are 'server', 'strict', 'client' and 'trusted'"
                )));
            }
        };
        set(&mut limits.head, head);
        set(&mut limits.fields, fields);
        set(&mut limits.frame, frame);
        set(&mut limits.message, message);
        set(&mut limits.fragments, fragments);
        set(&mut limits.output, output);
        set(&mut limits.held, held);
        set(&mut limits.body, body);
        set(&mut limits.memory, memory);
        set(&mut limits.budgets, budgets.map(self::budgets).transpose()?);
        Ok(Self(limits))
    }

    /// Bytes of the head of the opening handshake. Beyond it a server answers 414 or 431.
    #[getter]
    fn head(&self) -> u32 {
        self.0.head
    }

    /// Header fields of one head, 128 at most.
    #[getter]
    fn fields(&self) -> u16 {
        self.0.fields
    }

    /// Bytes of payload that the header of a data frame may announce. Beyond it: 1009.
    #[getter]
    fn frame(&self) -> u64 {
        self.0.frame
    }

    /// Bytes of a message, after decompression. Beyond it: 1009.
    #[getter]
    fn message(&self) -> u64 {
        self.0.message
    }

    /// Frames of one message, empty ones included. Beyond it: 1008.
    #[getter]
    fn fragments(&self) -> u32 {
        self.0.fragments
    }

    /// Bytes of queued output from which on `send` raises FullError.
    #[getter]
    fn output(&self) -> u32 {
        self.0.output
    }

    /// Bytes kept after a request that the application has not decided on. Beyond it: 400.
    #[getter]
    fn held(&self) -> u32 {
        self.0.held
    }

    /// Bytes of the body of a refusal that a client keeps.
    #[getter]
    fn body(&self) -> u32 {
        self.0.body
    }

    /// Bytes of memory that the connection may take in all. None: there is no such ceiling.
    #[getter]
    fn memory(&self) -> Option<u64> {
        (self.0.memory != CoreLimits::UNBOUNDED).then_some(self.0.memory)
    }

    fn __repr__(&self) -> String {
        let Self(CoreLimits {
            head,
            fields,
            frame,
            message,
            fragments,
            output,
            held,
            body,
            ..
        }) = self;
        format!(
            "Limits(head={head}, fields={fields}, frame={frame}, message={message}, \
             fragments={fragments}, output={output}, held={held}, body={body})"
        )
    }
}

/// How often a peer may send what costs it little.
fn budgets(name: &str) -> PyResult<Budgets> {
    match name {
        "generous" => Ok(Budgets::default()),
        "tight" => Ok(Budgets::tight()),
        "none" => Ok(Budgets::NONE),
        other => Err(PyValueError::new_err(format!(
            "no budgets {other:?}: there are 'generous', 'tight' and 'none'"
        ))),
    }
}

/// Deadlines in seconds, driven by `Connection.advance_time`. None: there is no such deadline.
#[pyclass(frozen, eq, module = "sansocket")]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Timeouts(CoreTimeouts);

#[pymethods]
impl Timeouts {
    #[new]
    #[pyo3(signature = (*, handshake=10.0, close=5.0, ping=None, pong=20.0, idle=None, message=None))]
    fn new(
        handshake: f64,
        close: f64,
        ping: Option<f64>,
        pong: Option<f64>,
        idle: Option<f64>,
        message: Option<f64>,
    ) -> PyResult<Self> {
        let mut timeouts = CoreTimeouts::default();
        timeouts.handshake = duration(handshake)?;
        timeouts.close = duration(close)?;
        timeouts.ping = optional(ping)?;
        timeouts.pong = optional(pong)?;
        timeouts.idle = optional(idle)?;
        timeouts.message = optional(message)?;
        Ok(Self(timeouts))
    }

    /// From the first `advance_time` until the connection is established.
    #[getter]
    fn handshake(&self) -> f64 {
        self.0.handshake.as_secs_f64()
    }

    /// How long the peer may take for its end of the closing handshake.
    #[getter]
    fn close(&self) -> f64 {
        self.0.close.as_secs_f64()
    }

    /// A ping is sent when no frame came for this long.
    #[getter]
    fn ping(&self) -> Option<f64> {
        self.0.ping.map(|time| time.as_secs_f64())
    }

    /// How long nothing may come after such a ping before the peer counts as dead (1011).
    #[getter]
    fn pong(&self) -> Option<f64> {
        self.0.pong.map(|time| time.as_secs_f64())
    }

    /// How long nothing may be received before the connection is failed with 1001.
    #[getter]
    fn idle(&self) -> Option<f64> {
        self.0.idle.map(|time| time.as_secs_f64())
    }

    /// How long a message may take from its first byte to its last.
    #[getter]
    fn message(&self) -> Option<f64> {
        self.0.message.map(|time| time.as_secs_f64())
    }

    fn __repr__(&self) -> String {
        let shown = |time: Option<Duration>| match time {
            Some(time) => format!("{:?}", time.as_secs_f64()),
            None => "None".into(),
        };
        format!(
            "Timeouts(handshake={:?}, close={:?}, ping={}, pong={}, idle={}, message={})",
            self.handshake(),
            self.close(),
            shown(self.0.ping),
            shown(self.0.pong),
            shown(self.0.idle),
            shown(self.0.message),
        )
    }
}

/// Settings of permessage-deflate (RFC 7692). What is not given is as the role's preset has it.
///
/// `level` is 0 to 9; messages below `threshold` bytes go out uncompressed; `ratio` fails a message that
/// inflates to more than so many times its frames. The four parameters have the RFC's names.
#[pyclass(frozen, module = "sansocket")]
#[derive(Clone, Default)]
pub(crate) struct Deflate {
    level: Option<u8>,
    mem_level: Option<u8>,
    threshold: Option<usize>,
    ratio: Option<u32>,
    server_no_context_takeover: Option<bool>,
    client_no_context_takeover: Option<bool>,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<u8>,
    omit_client_max_window_bits: bool,
    require_client_max_window_bits: bool,
    fallback: bool,
}

#[pymethods]
impl Deflate {
    #[new]
    #[pyo3(signature = (*, level=None, mem_level=None, threshold=None, ratio=None, server_no_context_takeover=None, client_no_context_takeover=None, server_max_window_bits=None, client_max_window_bits=None, omit_client_max_window_bits=false, require_client_max_window_bits=false, fallback=false))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn new(
        level: Option<u8>,
        mem_level: Option<u8>,
        threshold: Option<usize>,
        ratio: Option<u32>,
        server_no_context_takeover: Option<bool>,
        client_no_context_takeover: Option<bool>,
        server_max_window_bits: Option<u8>,
        client_max_window_bits: Option<u8>,
        omit_client_max_window_bits: bool,
        require_client_max_window_bits: bool,
        fallback: bool,
    ) -> Self {
        Self {
            level,
            mem_level,
            threshold,
            ratio,
            server_no_context_takeover,
            client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
            omit_client_max_window_bits,
            require_client_max_window_bits,
            fallback,
        }
    }
}

impl Deflate {
    /// The preset of a role with what was asked for.
    fn over(&self, mut deflate: PermessageDeflate) -> PermessageDeflate {
        macro_rules! asked {
            ($($name:ident)*) => {$(
                if let Some(value) = self.$name {
                    deflate = deflate.$name(value);
                }
            )*};
        }
        asked! {
            level mem_level threshold ratio
            server_no_context_takeover client_no_context_takeover
            server_max_window_bits client_max_window_bits
        }
        if self.omit_client_max_window_bits {
            deflate = deflate.omit_client_max_window_bits();
        }
        if self.require_client_max_window_bits {
            deflate = deflate.require_client_max_window_bits();
        }
        if self.fallback {
            deflate = deflate.fallback();
        }
        deflate
    }

    /// What an argument `deflate` asks for: nothing, the defaults, or settings.
    fn asked(argument: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Self>> {
        let Some(argument) = argument else {
            return Ok(None);
        };
        if let Ok(on) = argument.extract::<bool>() {
            return Ok(on.then(Self::default));
        }
        match argument.cast::<Self>() {
            Ok(deflate) => Ok(Some(deflate.get().clone())),
            Err(_) => Err(PyTypeError::new_err("deflate: True, False or a Deflate")),
        }
    }
}

fn delivery(name: &str) -> PyResult<Delivery> {
    match name {
        "whole" => Ok(Delivery::Whole),
        "chunks" => Ok(Delivery::Chunks),
        "ask" => Ok(Delivery::Ask),
        other => Err(PyValueError::new_err(format!(
            "no delivery {other:?}: there are 'whole', 'chunks' and 'ask'"
        ))),
    }
}

/// Who may connect: one of the names, or a list of origins.
fn origins(origins: &Bound<'_, PyAny>) -> PyResult<OriginPolicy> {
    let Ok(name) = origins.extract::<String>() else {
        let list: Vec<String> = origins.extract()?;
        return OriginPolicy::list(list).map_err(IntoException::into_exception);
    };
    match &*name {
        "same-host" => Ok(OriginPolicy::SameHost),
        "any" => Ok(OriginPolicy::Any),
        "application" => Ok(OriginPolicy::Application),
        other => Err(PyValueError::new_err(format!(
            "no policy {other:?}: there are 'same-host', 'any' and 'application', or a list of origins"
        ))),
    }
}

/// What both roles' configurations take by the same names.
macro_rules! shared {
    ($config:ident, $limits:ident, $timeouts:ident, $delivery:ident, $manual_pong:ident, $manual_close:ident,
     $silent_failures:ident, $echo_close_reason:ident, $fragment:ident) => {
        if let Some(limits) = $limits {
            $config = $config.limits(limits.get().0);
        }
        if let Some(timeouts) = $timeouts {
            $config = $config.timeouts(timeouts.get().0);
        }
        $config = $config.delivery(delivery($delivery)?);
        if $manual_pong {
            $config = $config.manual_pong();
        }
        if $manual_close {
            $config = $config.manual_close();
        }
        if $silent_failures {
            $config = $config.silent_failures();
        }
        if $echo_close_reason {
            $config = $config.echo_close_reason();
        }
        if let Some(len) = $fragment {
            $config = $config.fragment(len);
        }
    };
}

/// What a server's connections have in common. Make one and use it for all of them.
///
/// `origins` is "same-host", "any", "application" (the application looks at `Request.origin`), or a list of
/// origins such as "https://example.com" or "https://*.example.com". `hosts` are the only hosts that the server
/// answers to. With `serve_http` plain requests come as `Request` events, too. `deflate` is True for the
/// defaults, or a `Deflate`. `delivery` is "whole", "chunks" or "ask". `fragment` cuts what is sent into frames
/// of at most so many bytes.
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct ServerConfig {
    pub(crate) core: CoreServerConfig,
    /// Large messages leave in one frame.
    pub(crate) whole_frames: bool,
}

#[pymethods]
impl ServerConfig {
    #[new]
    #[pyo3(signature = (origins=None, *, hosts=None, require_origin=false, serve_http=false, accept_unmasked=false,
        limits=None, timeouts=None, deflate=None, delivery="whole", manual_pong=false, manual_close=false,
        silent_failures=false, echo_close_reason=false, fragment=None))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn new(
        origins: Option<&Bound<'_, PyAny>>,
        hosts: Option<Vec<String>>,
        require_origin: bool,
        serve_http: bool,
        accept_unmasked: bool,
        limits: Option<&Bound<'_, Limits>>,
        timeouts: Option<&Bound<'_, Timeouts>>,
        deflate: Option<&Bound<'_, PyAny>>,
        delivery: &str,
        manual_pong: bool,
        manual_close: bool,
        silent_failures: bool,
        echo_close_reason: bool,
        fragment: Option<u32>,
    ) -> PyResult<Self> {
        let policy = match origins {
            Some(given) => self::origins(given)?,
            None => OriginPolicy::SameHost,
        };
        let mut config = CoreServerConfig::new(policy);
        if let Some(hosts) = hosts {
            config = config.hosts(hosts).map_err(IntoException::into_exception)?;
        }
        if require_origin {
            config = config.require_origin();
        }
        if serve_http {
            config = config.serve_http();
        }
        if accept_unmasked {
            config = config.accept_unmasked();
        }
        shared!(
            config,
            limits,
            timeouts,
            delivery,
            manual_pong,
            manual_close,
            silent_failures,
            echo_close_reason,
            fragment
        );
        if let Some(deflate) = Deflate::asked(deflate)? {
            config = config.deflate(deflate.over(PermessageDeflate::server()));
        }
        Ok(Self {
            core: config,
            whole_frames: fragment.is_none(),
        })
    }
}

/// What a client's connections have in common. The arguments mean what they mean for `ServerConfig`.
#[pyclass(frozen, module = "sansocket")]
pub(crate) struct ClientConfig {
    pub(crate) core: CoreClientConfig,
}

#[pymethods]
impl ClientConfig {
    #[new]
    #[pyo3(signature = (*, require_subprotocol=false, require_extension=false,
        limits=None, timeouts=None, deflate=None, delivery="whole", manual_pong=false, manual_close=false,
        silent_failures=false, echo_close_reason=false, fragment=None))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword of its own")]
    fn new(
        require_subprotocol: bool,
        require_extension: bool,
        limits: Option<&Bound<'_, Limits>>,
        timeouts: Option<&Bound<'_, Timeouts>>,
        deflate: Option<&Bound<'_, PyAny>>,
        delivery: &str,
        manual_pong: bool,
        manual_close: bool,
        silent_failures: bool,
        echo_close_reason: bool,
        fragment: Option<u32>,
    ) -> PyResult<Self> {
        let mut config = CoreClientConfig::new();
        if require_subprotocol {
            config = config.require_subprotocol();
        }
        if require_extension {
            config = config.require_extension();
        }
        shared!(
            config,
            limits,
            timeouts,
            delivery,
            manual_pong,
            manual_close,
            silent_failures,
            echo_close_reason,
            fragment
        );
        if let Some(deflate) = Deflate::asked(deflate)? {
            config = config.deflate(deflate.over(PermessageDeflate::client()));
        }
        Ok(Self { core: config })
    }
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Limits>()?;
    module.add_class::<Timeouts>()?;
    module.add_class::<Deflate>()?;
    module.add_class::<ServerConfig>()?;
    module.add_class::<ClientConfig>()
}
