//! What connections are made from.

use std::ffi::{c_char, c_int, c_void};

use sansocket::config::{Budgets, Delivery, Limits, Timeouts};
use sansocket::extension::PermessageDeflate;
use sansocket::{ClientConfig, OriginPolicy, ServerConfig};

use crate::abi::{array, duration, nanos, text};
use crate::error::Refused;

/// For `origin_policy`: pages of the host that they connect to, and clients that are no browsers, may connect (RFC 6455
/// §10.2).
pub const SS_ORIGINS_SAME_HOST: u32 = 0;
/// For `origin_policy`: pages of the origins in `origins`, and clients that are no browsers.
pub const SS_ORIGINS_LIST: u32 = 1;
/// For `origin_policy`: anybody.
pub const SS_ORIGINS_ANY: u32 = 2;

/// For `delivery`: messages come whole, as `SS_EVENT_MESSAGE`.
pub const SS_WHOLE: u32 = 0;
/// For `delivery`: as the bytes arrive, as `SS_EVENT_CHUNK`, in constant memory.
pub const SS_CHUNKS: u32 = 1;
/// For `delivery`: `SS_EVENT_START` first; then whole, unless `ss_stream_message` is called.
pub const SS_ASK: u32 = 2;

/// Pongs are left to the application.
pub const SS_MANUAL_PONG: u32 = 1;
/// The answer to a Close frame is left to the application.
pub const SS_MANUAL_CLOSE: u32 = 2;
/// The Close frames of failures have no reason.
pub const SS_SILENT_FAILURES: u32 = 4;
/// The answer to a Close frame repeats its reason.
pub const SS_ECHO_CLOSE_REASON: u32 = 8;
/// Server: requests that ask for no upgrade come as `SS_EVENT_HTTP`.
pub const SS_SERVE_HTTP: u32 = 16;
/// Server: frames that are not masked are taken, against RFC 6455 §5.1.
pub const SS_ACCEPT_UNMASKED: u32 = 32;
/// Server: a request without an Origin is refused.
pub const SS_REQUIRE_ORIGIN: u32 = 64;
/// Client: an answer without a subprotocol fails the handshake if some were offered.
pub const SS_REQUIRE_SUBPROTOCOL: u32 = 128;
/// permessage-deflate (RFC 7692) is offered or accepted.
pub const SS_DEFLATE: u32 = 256;
/// With `SS_DEFLATE`: the server begins each message with an empty window.
pub const SS_SERVER_NO_CONTEXT_TAKEOVER: u32 = 512;
/// With `SS_DEFLATE`: the client begins each message with an empty window.
pub const SS_CLIENT_NO_CONTEXT_TAKEOVER: u32 = 1024;

/// How often pings, empty frames, tiny fragments and messages may come is bounded tightly, as for peers that people sit at.
pub const SS_TIGHT_BUDGETS: u32 = 2048;

/// Settings of a connection. Set them all with `ss_config_server` or `ss_config_client` first, and change what you
/// need. Times are in nanoseconds, `SS_NEVER` for a deadline that is off. Nothing of it is used after the call that
/// it is given to, but `entropy`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ss_config {
    /// The size of this structure, by which a later version of the library knows an earlier one's.
    pub size: usize,
    /// Those of `SS_MANUAL_PONG` and the following that are wanted.
    pub flags: u32,
    /// How messages are handed out.
    pub delivery: u32,
    /// Bytes of the head of the opening handshake.
    pub max_head: u32,
    /// Bytes of payload that a frame may announce. Beyond it: 1009.
    pub max_frame: u64,
    /// Bytes of a message, after decompression. Beyond it: 1009.
    pub max_message: u64,
    /// Frames of a message. Beyond it: 1008.
    pub max_fragments: u32,
    /// Bytes of queued output from which on nothing more is taken: `SS_FULL`.
    pub max_output: u32,
    /// Bytes that are kept after a request that waits for its answer.
    pub max_held: u32,
    /// Bytes of the body of a refusal that a client keeps.
    pub max_body: u32,
    /// Bytes of heap that the connection may take in all, 16 KiB at least; `SS_NEVER`: no such ceiling.
    pub max_memory: u64,
    /// From the first `ss_advance_time` until the connection is open.
    pub handshake_timeout: u64,
    /// How long the peer may take for its end of the closing handshake.
    pub close_timeout: u64,
    /// A ping is sent when no frame came for this long.
    pub ping_interval: u64,
    /// How long nothing may come after such a ping.
    pub pong_timeout: u64,
    /// How long nothing may be received.
    pub idle_timeout: u64,
    /// How long a message may take from its first byte to its last.
    pub message_timeout: u64,
    /// Messages are sent in frames of at most so many bytes of payload. 0: each in one.
    pub fragment: u32,
    /// With `SS_DEFLATE`: how hard to compress, from 0 to 9.
    pub deflate_level: u8,
    /// With `SS_DEFLATE`: the server's window has at most 2^this bytes, 8 to 15; 0 asks for nothing.
    pub server_max_window_bits: u8,
    /// With `SS_DEFLATE`: the client's window.
    pub client_max_window_bits: u8,
    /// Server: who may connect.
    pub origin_policy: u32,
    /// Server: the origins for `SS_ORIGINS_LIST`, such as `https://example.com`; the first label of a host may be `*`.
    pub origins: *const *const c_char,
    /// How many.
    pub origins_len: usize,
    /// Server: the only hosts that it answers to.
    pub hosts: *const *const c_char,
    /// How many. 0: any.
    pub hosts_len: usize,
    /// Client: fills `out` with `len` random bytes that nobody can predict, and returns 0; another value says that it
    /// cannot. NULL: the operating system's randomness. It is called within calls on the connection, on which it may
    /// not call anything itself.
    pub entropy:
        Option<unsafe extern "C" fn(context: *mut c_void, out: *mut u8, len: usize) -> c_int>,
    /// What `entropy` gets. It lives as long as the connection.
    pub entropy_context: *mut c_void,
}

fn config(limits: Limits) -> ss_config {
    let timeouts = Timeouts::default();
    ss_config {
        size: size_of::<ss_config>(),
        flags: 0,
        delivery: SS_WHOLE,
        max_head: limits.head,
        max_frame: limits.frame,
        max_message: limits.message,
        max_fragments: limits.fragments,
        max_output: limits.output,
        max_held: limits.held,
        max_body: limits.body,
        max_memory: limits.memory,
        handshake_timeout: nanos(Some(timeouts.handshake)),
        close_timeout: nanos(Some(timeouts.close)),
        ping_interval: nanos(timeouts.ping),
        pong_timeout: nanos(timeouts.pong),
        idle_timeout: nanos(timeouts.idle),
        message_timeout: nanos(timeouts.message),
        fragment: 0,
        deflate_level: 3,
        server_max_window_bits: 0,
        client_max_window_bits: 0,
        origin_policy: SS_ORIGINS_SAME_HOST,
        origins: std::ptr::null(),
        origins_len: 0,
        hosts: std::ptr::null(),
        hosts_len: 0,
        entropy: None,
        entropy_context: std::ptr::null_mut(),
    }
}

/// Settings for a server on the open internet: 1 MiB a message, browsers of the same host only, no compression.
///
/// # Safety
/// `out` may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_config_server(out: *mut ss_config) {
    // SAFETY: what is asked of the caller.
    unsafe { out.write(config(Limits::server())) };
}

/// Settings for a server that expects attacks on many connections: tight in all limits.
///
/// # Safety
/// `out` may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_config_strict(out: *mut ss_config) {
    let strict = ss_config {
        flags: SS_TIGHT_BUDGETS,
        ..config(Limits::strict())
    };
    // SAFETY: what is asked of the caller.
    unsafe { out.write(strict) };
}

/// Settings for a client, which chose its server: 16 MiB a message, no compression.
///
/// # Safety
/// `out` may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_config_client(out: *mut ss_config) {
    // SAFETY: what is asked of the caller.
    unsafe { out.write(config(Limits::client())) };
}

impl ss_config {
    /// The structure of the caller's, if it is one of this version.
    ///
    /// # Safety
    /// `config` is NULL, or can be read and has pointers as they are documented.
    pub(crate) unsafe fn read(config: *const Self) -> Result<Self, Refused> {
        if config.is_null() {
            return Err(Refused::argument("no configuration"));
        }
        // SAFETY: its first field is its size, whatever its version.
        let size = unsafe { config.cast::<usize>().read() };
        if size != size_of::<Self>() {
            return Err(Refused::argument(
                "a configuration of another version, or one that ss_config_server or ss_config_client has not set",
            ));
        }
        // SAFETY: it has this version's size.
        Ok(unsafe { config.read() })
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn limits(&self, mut limits: Limits) -> Limits {
        limits.head = self.max_head;
        limits.frame = self.max_frame;
        limits.message = self.max_message;
        limits.fragments = self.max_fragments;
        limits.output = self.max_output;
        limits.held = self.max_held;
        limits.body = self.max_body;
        limits.memory = self.max_memory;
        if self.has(SS_TIGHT_BUDGETS) {
            limits.budgets = Budgets::tight();
        }
        limits
    }

    fn timeouts(&self) -> Timeouts {
        let mut timeouts = Timeouts::default();
        // These two cannot be off: the longest time stands for it.
        timeouts.handshake = std::time::Duration::from_nanos(self.handshake_timeout);
        timeouts.close = std::time::Duration::from_nanos(self.close_timeout);
        timeouts.ping = duration(self.ping_interval);
        timeouts.pong = duration(self.pong_timeout);
        timeouts.idle = duration(self.idle_timeout);
        timeouts.message = duration(self.message_timeout);
        timeouts
    }

    fn delivery(&self) -> Result<Delivery, Refused> {
        match self.delivery {
            SS_WHOLE => Ok(Delivery::Whole),
            SS_CHUNKS => Ok(Delivery::Chunks),
            SS_ASK => Ok(Delivery::Ask),
            _ => Err(Refused::argument("a delivery that there is not")),
        }
    }

    fn deflate(&self, preset: PermessageDeflate) -> PermessageDeflate {
        let mut deflate = preset.level(self.deflate_level);
        if self.has(SS_SERVER_NO_CONTEXT_TAKEOVER) {
            deflate = deflate.server_no_context_takeover(true);
        }
        if self.has(SS_CLIENT_NO_CONTEXT_TAKEOVER) {
            deflate = deflate.client_no_context_takeover(true);
        }
        if self.server_max_window_bits != 0 {
            deflate = deflate.server_max_window_bits(self.server_max_window_bits);
        }
        if self.client_max_window_bits != 0 {
            deflate = deflate.client_max_window_bits(self.client_max_window_bits);
        }
        deflate
    }

    /// # Safety
    /// The lists of text are as documented.
    pub(crate) unsafe fn server(&self) -> Result<ServerConfig, Refused> {
        // SAFETY: what is asked of the caller.
        let (origins, hosts) = unsafe {
            (
                texts(self.origins, self.origins_len)?,
                texts(self.hosts, self.hosts_len)?,
            )
        };
        let policy = match self.origin_policy {
            SS_ORIGINS_SAME_HOST => OriginPolicy::SameHost,
            SS_ORIGINS_LIST => OriginPolicy::list(origins)?,
            SS_ORIGINS_ANY => OriginPolicy::Any,
            _ => return Err(Refused::argument("an origin policy that there is not")),
        };
        let mut config = ServerConfig::new(policy).with(self, Limits::server())?;
        if !hosts.is_empty() {
            config = config.hosts(hosts)?;
        }
        if self.has(SS_SERVE_HTTP) {
            config = config.serve_http();
        }
        if self.has(SS_ACCEPT_UNMASKED) {
            config = config.accept_unmasked();
        }
        if self.has(SS_REQUIRE_ORIGIN) {
            config = config.require_origin();
        }
        if self.has(SS_DEFLATE) {
            config = config.deflate(self.deflate(PermessageDeflate::server()));
        }
        Ok(config)
    }

    pub(crate) fn client(&self) -> Result<ClientConfig, Refused> {
        let mut config = ClientConfig::new().with(self, Limits::client())?;
        if self.has(SS_REQUIRE_SUBPROTOCOL) {
            config = config.require_subprotocol();
        }
        if self.has(SS_DEFLATE) {
            config = config.deflate(self.deflate(PermessageDeflate::client()));
        }
        Ok(config)
    }
}

/// The settings that both roles' configurations have by the same names.
trait Both: Sized {
    fn with(self, settings: &ss_config, limits: Limits) -> Result<Self, Refused>;
}

macro_rules! both {
    ($($config:ty),*) => {$(
        impl Both for $config {
            fn with(self, settings: &ss_config, limits: Limits) -> Result<Self, Refused> {
                let mut config = self.limits(settings.limits(limits)).timeouts(settings.timeouts());
                config = config.delivery(settings.delivery()?);
                if settings.has(SS_MANUAL_PONG) {
                    config = config.manual_pong();
                }
                if settings.has(SS_MANUAL_CLOSE) {
                    config = config.manual_close();
                }
                if settings.has(SS_SILENT_FAILURES) {
                    config = config.silent_failures();
                }
                if settings.has(SS_ECHO_CLOSE_REASON) {
                    config = config.echo_close_reason();
                }
                if settings.fragment != 0 {
                    config = config.fragment(settings.fragment);
                }
                Ok(config)
            }
        }
    )*};
}

both!(ServerConfig, ClientConfig);

/// A list of text.
///
/// # Safety
/// `first` points to `n` pointers to text.
pub(crate) unsafe fn texts(first: *const *const c_char, n: usize) -> Result<Vec<String>, Refused> {
    // SAFETY: what is asked of the caller.
    let pointers = unsafe { array(first, n) };
    let mut texts = Vec::new();
    for &pointer in pointers {
        // SAFETY: the same.
        match unsafe { text(pointer) } {
            Some(text) => texts.push(text.into()),
            None => {
                return Err(Refused::argument(
                    "a list with NULL, or with text that is not UTF-8",
                ));
            }
        }
    }
    Ok(texts)
}
