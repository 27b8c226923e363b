//! Configuration: limits, timeouts, delivery, origin policy.
//!
//! A configuration is a value that any number of connections share: giving it to one costs a
//! reference count at most, and the default ones cost nothing at all.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::extension::{Configured, MessageExtension};

/// Limits on everything that the peer controls, and on queued output (RFC 6455 §10.4).
///
/// Each is checked before anything is stored, and the error names the limit, the value and the maximum.
/// Start from a preset and change what you need:
///
/// ```
/// use sansocket::config::Limits;
/// let mut limits = Limits::server();
/// limits.message = 4 << 20;
/// limits.frame = 4 << 20;
/// assert_eq!(limits.head, Limits::server().head);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the head of the opening handshake, 1xx answers before it included. Beyond it a server
    /// answers 414 or 431. RFC 9112 §3 recommends to support request lines of 8000 bytes.
    pub head: u32,
    /// Header fields of one head, 128 at most. Beyond it a server answers 431, and a client drops the
    /// answer (RFC 9110 §5.4).
    pub fields: u16,
    /// Bytes of payload that the header of a data frame may announce. Beyond it: 1009.
    pub frame: u64,
    /// Bytes of a message, after decompression. Beyond it: 1009. It holds for messages in chunks, too:
    /// set it to `u64::MAX` for endless ones.
    pub message: u64,
    /// Frames of one message, empty ones included. Beyond it: 1008.
    pub fragments: u32,
    /// Bytes of queued output, framing included, from which on `send` refuses with
    /// [`SendError::Full`](crate::error::SendError::Full). The bound is this mark plus one message.
    pub output: u32,
    /// Bytes kept after a request that the application has not decided on. Beyond it: 400.
    pub held: u32,
    /// Bytes of the body of a refusal that a client keeps; the rest is dropped and the refusal says so.
    pub body: u32,
}

impl Limits {
    /// For a server on the open internet: 16 KiB of head in 64 fields, 1 MiB a frame and a message, 4096 fragments.
    #[must_use]
    pub const fn server() -> Self {
        Self {
            head: 16 << 10,
            fields: 64,
            frame: 1 << 20,
            message: 1 << 20,
            fragments: 4096,
            output: 1 << 20,
            held: 64 << 10,
            body: 64 << 10,
        }
    }

    /// For a client, which chose its server: 64 KiB of head in 128 fields, 16 MiB a frame and a message, 65,536 fragments.
    #[must_use]
    pub const fn client() -> Self {
        Self {
            head: 64 << 10,
            fields: 128,
            frame: 16 << 20,
            message: 16 << 20,
            fragments: 65_536,
            ..Self::server()
        }
    }

    /// For trusted peers: 1 GiB a frame and a message, 16 million fragments, 64 MiB of output.
    #[must_use]
    pub const fn trusted() -> Self {
        Self {
            frame: 1 << 30,
            message: 1 << 30,
            fragments: 1 << 24,
            output: 64 << 20,
            ..Self::client()
        }
    }
}

/// Deadlines, driven by [`Connection::advance_time`](crate::Connection::advance_time). A caller that
/// never tells the time has none.
///
/// ```
/// use core::time::Duration;
/// use sansocket::config::Timeouts;
/// let mut timeouts = Timeouts::default();
/// timeouts.ping = Some(Duration::from_secs(20));
/// assert_eq!(timeouts.close, Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the first `advance_time` until the connection is established. 10 s.
    pub handshake: Duration,
    /// From our Close frame or failure until the transport is given up (RFC 6455 §7.1.1). 5 s.
    pub close: Duration,
    /// A ping is sent when nothing was received and none was sent for this long. At most one is queued,
    /// also beyond [`Limits::output`]. Off.
    pub ping: Option<Duration>,
    /// How long the answer to such a ping may take before the peer counts as dead (1011). The wait begins
    /// anew while the peer takes output that was queued before the ping, and while bytes of a long frame
    /// come, as it cannot answer then. So a peer that reads slowly is alive, and one that neither reads
    /// nor answers is dead after `ping` and `pong` together. 20 s.
    pub pong: Option<Duration>,
    /// How long nothing may be received before the connection is failed with 1001. Off.
    pub idle: Option<Duration>,
    /// How long a message may take from its first byte to its last before the connection is failed with
    /// 1008, as a peer that sends a byte now and then is never idle. It also runs while the application
    /// does not read. Off.
    pub message: Option<Duration>,
}

impl Timeouts {
    pub(crate) const DEFAULT: Self = Self {
        handshake: Duration::from_secs(10),
        close: Duration::from_secs(5),
        ping: None,
        pong: Some(Duration::from_secs(20)),
        idle: None,
        message: None,
    };
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How messages are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Delivery {
    /// As [`Event::Message`](crate::Event::Message): whole, lent from the input when it arrived in one piece, gathered otherwise.
    #[default]
    Whole,
    /// As [`Event::Chunk`](crate::Event::Chunk)s as the bytes arrive, also within a frame, in constant memory (RFC 6455 §5.4).
    Chunks,
    /// [`Event::Start`](crate::Event::Start) first; then whole, unless
    /// [`stream_message`](crate::Connection::stream_message) is called before the next `receive`.
    Ask,
}

/// Which origins a server takes connections from (RFC 6455 §4.2.2, §10.2). There is no default:
/// leaving it open is how cross-site WebSocket hijacking happens.
///
/// Only browsers send a true `Origin`; other clients send none or any value. So a request without the
/// field passes every policy, and no policy replaces authentication.
///
/// ```
/// use sansocket::{OriginPolicy, ServerConfig};
/// let own_pages = ServerConfig::new(OriginPolicy::SameHost);
/// let two_sites = ServerConfig::new(OriginPolicy::List(vec![
///     "https://example.com".into(),
///     "https://www.example.com".into(),
/// ]));
/// # let _ = (own_pages, two_sites);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// The origin's host and port are those of the request's own authority. Others get 403.
    SameHost,
    /// One of these, as `scheme://host[:port]`, compared without regard to ASCII case. Others get 403.
    List(Vec<String>),
    /// Anyone: for public services that use no cookies or other ambient authority.
    Any,
    /// The application looks at [`Request::origin`](crate::Request::origin) itself.
    Application,
}

/// The settings of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) delivery: Delivery,
    /// Whether pings are answered without the application.
    pub(crate) auto_pong: bool,
    /// Messages longer than this go out in frames of this size; 0: never split.
    pub(crate) fragment: u32,
    /// Server: plain HTTP requests become events.
    pub(crate) serve_http: bool,
    /// Server.
    pub(crate) origin: OriginPolicy,
    /// Client: fail if the server chose none of the offered subprotocols.
    pub(crate) require_subprotocol: bool,
    /// Offered by a client, chosen by a server.
    pub(crate) extensions: Configured,
    /// Client: close with 1010 without one of them.
    pub(crate) require_extension: bool,
}

impl Settings {
    pub(crate) const SERVER: Self = Self::new(Limits::server());

    pub(crate) const CLIENT: Self = Self::new(Limits::client());

    const fn new(limits: Limits) -> Self {
        Self {
            limits,
            timeouts: Timeouts::DEFAULT,
            delivery: Delivery::Whole,
            auto_pong: true,
            fragment: 0,
            serve_http: false,
            origin: OriginPolicy::SameHost,
            require_subprotocol: false,
            extensions: Configured::NONE,
            require_extension: false,
        }
    }
}

pub(crate) static SERVER_DEFAULTS: Settings = Settings::SERVER;
pub(crate) static CLIENT_DEFAULTS: Settings = Settings::CLIENT;

/// The options that both roles have.
macro_rules! shared_options {
    ($defaults:expr) => {
        /// Sets the limits.
        #[must_use]
        pub fn limits(self, limits: Limits) -> Self {
            self.with(|settings| settings.limits = limits)
        }

        /// Sets the deadlines.
        #[must_use]
        pub fn timeouts(self, timeouts: Timeouts) -> Self {
            self.with(|settings| settings.timeouts = timeouts)
        }

        /// Sets how messages are handed out. Whole, unless set.
        #[must_use]
        pub fn delivery(self, delivery: Delivery) -> Self {
            self.with(|settings| settings.delivery = delivery)
        }

        /// Leaves pings to the application, which has to answer with
        /// [`pong`](crate::Connection::pong) as soon as is practical (RFC 6455 §5.5.2).
        #[must_use]
        pub fn manual_pong(self) -> Self {
            self.with(|settings| settings.auto_pong = false)
        }

        /// Splits longer messages into frames of `len` bytes, so that control frames can slip in
        /// between (RFC 6455 §5.4). 0, the default, never splits.
        #[must_use]
        pub fn fragment(self, len: u32) -> Self {
            self.with(|settings| settings.fragment = len)
        }

        /// Uses this extension for messages where the peer agrees to it: a client offers it, a
        /// server takes the first offer that fits. With several, the one that was given first is
        /// preferred; one of the same name is replaced.
        #[must_use]
        pub fn extension(self, extension: impl MessageExtension + 'static) -> Self {
            self.with(|settings| settings.extensions.add(Arc::new(extension)))
        }

        /// Compresses messages with permessage-deflate where the peer agrees (RFC 7692). Off,
        /// unless set: compressing secrets beside what others wrote can give them away (§8).
        #[cfg(feature = "deflate")]
        #[must_use]
        pub fn deflate(self, deflate: crate::extension::PermessageDeflate) -> Self {
            self.extension(deflate)
        }

        pub(crate) fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
            let mut settings = self.0.unwrap_or_else(|| Arc::new($defaults));
            change(Arc::make_mut(&mut settings));
            Self(Some(settings))
        }
    };
}

/// How a server's connections behave.
///
/// ```
/// use sansocket::config::{Limits, OriginPolicy, ServerConfig};
/// let config = ServerConfig::new(OriginPolicy::SameHost).limits(Limits::trusted()).serve_http();
/// # let _ = config;
/// ```
#[derive(Debug, Clone)]
pub struct ServerConfig(pub(crate) Option<Arc<Settings>>);

impl ServerConfig {
    pub(crate) fn settings(&self) -> &Settings {
        self.0.as_deref().unwrap_or(&SERVER_DEFAULTS)
    }

    /// The defaults ([`Limits::server`], [`Timeouts::default`]) with this origin policy.
    #[must_use]
    pub fn new(origin: OriginPolicy) -> Self {
        match origin {
            OriginPolicy::SameHost => Self(None),
            origin => Self(None).with(|settings| settings.origin = origin),
        }
    }

    /// Hands out requests that ask for no upgrade as [`Event::Http`](crate::Event::Http), to serve pages
    /// on the same port. Otherwise they are answered with 426.
    #[must_use]
    pub fn serve_http(self) -> Self {
        self.with(|settings| settings.serve_http = true)
    }

    shared_options!(Settings::SERVER);
}

/// How a client's connections behave.
///
/// ```
/// use sansocket::config::{ClientConfig, Delivery};
/// let config = ClientConfig::new().delivery(Delivery::Chunks);
/// # let _ = config;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientConfig(pub(crate) Option<Arc<Settings>>);

impl ClientConfig {
    pub(crate) fn settings(&self) -> &Settings {
        self.0.as_deref().unwrap_or(&CLIENT_DEFAULTS)
    }

    /// The defaults: [`Limits::client`] and [`Timeouts::default`].
    #[must_use]
    pub fn new() -> Self {
        Self(None)
    }

    /// Fails the connection if the server chooses none of the offered subprotocols, as the WHATWG API
    /// does. RFC 6455 §4.1 accepts that answer.
    #[must_use]
    pub fn require_subprotocol(self) -> Self {
        self.with(|settings| settings.require_subprotocol = true)
    }

    /// Closes with 1010 at once if the server agrees to none of the extensions that were given
    /// (RFC 6455 §7.4.1, RFC 7692 §5.1).
    #[must_use]
    pub fn require_extension(self) -> Self {
        self.with(|settings| settings.require_extension = true)
    }

    shared_options!(Settings::CLIENT);
}
