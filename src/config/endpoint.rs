//! The settings of a server's or a client's connections.

use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;

use crate::error::BadEntry;
use crate::extension::{Configured, MessageExtension};

use super::admission::{Hosts, OriginPolicy};
use super::{Delivery, Limits, Timeouts};

/// How the peer's Close frame is answered (RFC 6455 §5.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseAnswer {
    /// At once, with its code.
    Code,
    /// At once, with its code and reason.
    CodeAndReason,
    /// By the application.
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
    /// The Close frame of a failure says why.
    pub(crate) explain_failures: bool,
    /// How the peer's Close frame is answered.
    pub(crate) close_answer: CloseAnswer,
    /// Server: frames without a mask are taken.
    pub(crate) unmasked: bool,
    /// Client: the head of the answer is kept until it is dropped.
    pub(crate) keep_response: bool,
    /// Messages longer than this go out in frames of this size; 0: never split.
    pub(crate) fragment: u32,
    /// Server: plain HTTP requests become events.
    pub(crate) serve_http: bool,
    /// Server.
    pub(crate) origin: OriginPolicy,
    /// Server: a request without an origin is refused.
    pub(crate) require_origin: bool,
    /// Server: the hosts that it answers to; all of them if there is no list.
    pub(crate) hosts: Option<Hosts>,
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
            explain_failures: true,
            close_answer: CloseAnswer::Code,
            unmasked: false,
            keep_response: false,
            fragment: 0,
            serve_http: false,
            origin: OriginPolicy::SameHost,
            require_origin: false,
            hosts: None,
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

        /// Sends keepalive pings this often, unless [`timeouts`](Self::timeouts) has set how often: for
        /// drivers that tell the time and ping by default. [`Duration::MAX`] sends none.
        #[must_use]
        pub fn default_ping(self, every: Duration) -> Self {
            if self.settings().timeouts.ping.is_some() {
                return self;
            }
            self.with(|settings| settings.timeouts.ping = Some(every))
        }

        /// Whether both are one configuration: the one a clone of the other, and nothing changed since.
        ///
        /// For who keeps something beside a configuration that is made from it.
        #[must_use]
        pub fn is_same(&self, other: &Self) -> bool {
            match (&self.0, &other.0) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            }
        }

        /// Sets how messages are handed out. Whole, unless set.
        #[must_use]
        pub fn delivery(self, delivery: Delivery) -> Self {
            self.with(|settings| settings.delivery = delivery)
        }

        /// Leaves pings to the application, which has to answer with
        /// [`pong`](crate::Connection::pong) as soon as is practical (RFC 6455 §5.5.2), also after its own
        /// Close frame. A Ping needs no answer once the peer's Close frame has come: a driver that collects
        /// all events of a read before it answers finds [`SendError::Closing`](crate::error::SendError::Closing)
        /// there, and has nothing to do.
        #[must_use]
        pub fn manual_pong(self) -> Self {
            self.with(|settings| settings.auto_pong = false)
        }

        /// Leaves the reason out of the Close frames of failures. Otherwise they say which rule was broken
        /// or which limit passed, as `reserved opcode 3 (RFC 6455 §5.2)`: in our words, never the peer's.
        #[must_use]
        pub fn silent_failures(self) -> Self {
            self.with(|settings| settings.explain_failures = false)
        }

        /// Leaves the answer to the peer's Close frame to the application, which calls
        /// [`close`](crate::Connection::close) after [`Event::Close`](crate::Event::Close), with whatever
        /// code. It may finish a message in parts before that (RFC 6455 §5.5.1), and has
        /// [`Timeouts::close`] for all of it. Otherwise the answer has the peer's code, and is sent at once.
        #[must_use]
        pub fn manual_close(self) -> Self {
            self.with(|settings| settings.close_answer = CloseAnswer::Application)
        }

        /// Answers the peer's Close frame with its reason too, as some peers expect. Otherwise with its
        /// code alone (RFC 6455 §5.5.1). Of this and [`manual_close`](Self::manual_close) the later call counts.
        #[must_use]
        pub fn echo_close_reason(self) -> Self {
            self.with(|settings| settings.close_answer = CloseAnswer::CodeAndReason)
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
/// use sansocket::config::Limits;
/// use sansocket::{OriginPolicy, ServerConfig};
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

    /// The defaults for streams that are upgraded elsewhere, by another HTTP stack or over HTTP/2:
    /// whoever did the handshake has looked at the origin
    /// ([`Connection::upgraded_server`](crate::Connection::upgraded_server) never does). A connection
    /// that reads the request itself holds to [`OriginPolicy::SameHost`] with it.
    #[must_use]
    pub fn upgraded() -> Self {
        Self(None)
    }

    /// Sets which origins are let in, in place of the policy that it began with.
    #[must_use]
    pub fn origin(self, policy: OriginPolicy) -> Self {
        self.with(|settings| settings.origin = policy)
    }

    /// Takes frames of clients that are not masked, beside those that are.
    ///
    /// RFC 6455 §5.1 has a server close the connection on them. What is given up: masks keep a script
    /// in a browser from writing bytes of its choice to the wire, which proxies in between could take
    /// for HTTP and store (§10.3). So this is for clients that are known, such as devices in a network
    /// of one's own; a browser always masks.
    #[must_use]
    pub fn accept_unmasked(self) -> Self {
        self.with(|settings| settings.unmasked = true)
    }

    /// Hands out requests that ask for no upgrade as [`Event::Http`](crate::Event::Http), to serve pages
    /// on the same port. Otherwise they are answered with 426.
    #[must_use]
    pub fn serve_http(self) -> Self {
        self.with(|settings| settings.serve_http = true)
    }

    /// Refuses requests without an `Origin` with 403, for services that only pages of browsers use. Whether
    /// the origin is wanted is for the policy to say.
    ///
    /// ```
    /// use sansocket::{OriginPolicy, ServerConfig};
    /// let pages_only = ServerConfig::new(OriginPolicy::SameHost).require_origin();
    /// # let _ = pages_only;
    /// ```
    #[must_use]
    pub fn require_origin(self) -> Self {
        self.with(|settings| settings.require_origin = true)
    }

    /// Answers only requests for these hosts; others get 421 (RFC 9110 §7.4). Without a list every `Host` is
    /// believed, and a page whose name was made to resolve to this server's address (DNS rebinding) passes
    /// [`OriginPolicy::SameHost`].
    ///
    /// An entry is a name or an address, on any port unless it has one. `*.example.com` stands for all names
    /// below `example.com`.
    ///
    /// ```
    /// use sansocket::{OriginPolicy, ServerConfig};
    /// let config = ServerConfig::new(OriginPolicy::SameHost).hosts(["localhost", "127.0.0.1", "[::1]"])?;
    /// # let _ = config;
    /// # Ok::<(), sansocket::error::BadEntry>(())
    /// ```
    ///
    /// # Errors
    /// [`BadEntry::Host`] for an entry that no host fits, such as a URL.
    pub fn hosts<S: Into<String>>(
        self,
        hosts: impl IntoIterator<Item = S>,
    ) -> Result<Self, BadEntry> {
        let hosts = Hosts::new(hosts)?;
        Ok(self.with(|settings| settings.hosts = Some(hosts)))
    }

    shared_options!(Settings::SERVER);
}

/// How a client's connections behave.
///
/// ```
/// use sansocket::config::Delivery;
/// use sansocket::ClientConfig;
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

    /// Keeps the head of the answer until [`drop_response`](crate::Connection::drop_response), for
    /// programs that collect all events of a read before they look. Otherwise it is dropped when the event
    /// after [`Event::Open`](crate::Event::Open) is asked for, so that an idle connection holds no memory.
    #[must_use]
    pub fn keep_response(self) -> Self {
        self.with(|settings| settings.keep_response = true)
    }

    /// Closes with 1010 at once if the server agrees to none of the extensions that were given
    /// (RFC 6455 §7.4.1, RFC 7692 §5.1).
    #[must_use]
    pub fn require_extension(self) -> Self {
        self.with(|settings| settings.require_extension = true)
    }

    shared_options!(Settings::CLIENT);
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{
        CLIENT_DEFAULTS, ClientConfig, Limits, OriginPolicy, SERVER_DEFAULTS, ServerConfig,
        Settings,
    };

    /// The rest of the settings stays.
    #[test]
    fn another_origin_policy() {
        let config = ServerConfig::upgraded()
            .fragment(7)
            .origin(OriginPolicy::Any);
        assert_eq!(config.settings().origin, OriginPolicy::Any);
        assert_eq!(config.settings().fragment, 7);
    }

    /// Clones are, and equal ones that were made apart are not.
    #[test]
    fn the_same_configuration() {
        let (plain, set) = (ClientConfig::new(), ClientConfig::new().fragment(7));
        assert!(plain.is_same(&ClientConfig::new()) && set.is_same(&set.clone()));
        let again = ClientConfig::new().fragment(7);
        for (one, other) in [(&plain, &set), (&set, &plain), (&set, &again)] {
            assert!(!one.is_same(other));
        }
    }

    /// What the application has set stays, and shares its settings.
    #[test]
    fn the_default_of_pings() {
        let minute = Duration::from_secs(60);
        let config = ClientConfig::new().default_ping(minute);
        assert_eq!(config.settings().timeouts.ping, Some(minute));
        let mut timeouts = config.settings().timeouts;
        assert_eq!(timeouts.pong, Settings::CLIENT.timeouts.pong);
        timeouts.ping = Some(Duration::MAX);
        let off = ClientConfig::new().timeouts(timeouts);
        let same = off.clone().default_ping(minute);
        assert!(core::ptr::eq(off.settings(), same.settings()));
    }

    /// Both roles begin with the same settings but for their limits.
    #[test]
    fn defaults() {
        let settings = Settings::new(Limits::trusted());
        for (defaults, limits) in [
            (&SERVER_DEFAULTS, Limits::server()),
            (&CLIENT_DEFAULTS, Limits::client()),
        ] {
            assert_eq!(defaults.limits, limits);
            assert_eq!(defaults.timeouts, settings.timeouts);
            assert_eq!(defaults.delivery, settings.delivery);
            assert_eq!(defaults.fragment, settings.fragment);
            assert_eq!(defaults.auto_pong, settings.auto_pong);
        }
    }
}
