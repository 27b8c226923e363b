//! Configuration: limits, timeouts, delivery, origin policy.
//!
//! A configuration is a value that any number of connections share: giving it to one costs a
//! reference count at most, and the default ones cost nothing at all.

use core::time::Duration;

#[cfg(feature = "alloc")]
pub(crate) mod admission;
mod budgets;
#[cfg(feature = "alloc")]
mod ceiling;
#[cfg(feature = "alloc")]
pub(crate) mod endpoint;
mod entry;

#[cfg(feature = "alloc")]
pub(crate) use endpoint::{
    CLIENT_DEFAULTS, ClientConfig, CloseAnswer, SERVER_DEFAULTS, ServerConfig, Settings,
};

#[cfg(feature = "alloc")]
pub(crate) use ceiling::SET_ASIDE;

#[cfg(feature = "alloc")]
pub(crate) use admission::OriginPolicy;
#[cfg(feature = "alloc")]
pub use admission::Origins;
pub use budgets::{Budgets, Rate};
pub(crate) use entry::{ANY_PORT, is_host_and_port, is_origin, split_scheme};

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
///
/// # A ceiling on memory
///
/// The other limits bound one thing each; [`memory`](Self::memory) bounds all heap of a connection together,
/// to the byte: the message that is gathered, input that is kept, queued output, codecs and their windows, the
/// heads of the opening handshake. The others hold below it as they do without it. A buffer counts twice while it
/// moves to grow, so a message that is gathered may have a third of what is left, and often more; one that is lent from
/// the input takes nothing. Not counted are the configuration, a source of randomness of the caller's, bytes that
/// are shared ([`Prepared`](crate::Prepared), `Arc`, `Bytes`), and what was handed out.
///
/// | what | at the ceiling |
/// |---|---|
/// | a message that is gathered, a chunk, kept input | failed with 1009, before it is stored ([`Limit::Memory`](crate::error::Limit::Memory)) |
/// | `send`, `send_part`, `write_message`, `ping`, `pong` | [`SendError::Memory`](crate::error::SendError::Memory); the message comes back |
/// | the pong that answers a ping | waits until output has left, as with too many pings |
/// | a keepalive ping | as one that could not leave: a peer that takes nothing is dead after the pong timeout |
/// | our Close frame | always has room |
/// | an extension whose codec may need more than half of it | not offered and not accepted; permessage-deflate asks for smaller windows first |
/// | heads, fields and bodies of the opening handshake | `head`, `fields` and `body` are cut to an eighth of it |
/// | `accept`, `respond` | [`AcceptError::Memory`](crate::error::AcceptError::Memory) |
/// | a buffer that is lent | dropped |
///
/// ```
/// use sansocket::config::Limits;
/// use sansocket::{Connection, Negotiated, ServerConfig, error::SendError};
/// let mut limits = Limits::server();
/// limits.memory = 64 << 10;
/// let config = ServerConfig::upgraded().limits(limits);
/// let mut ws = Connection::upgraded_server(&config, Negotiated::default());
/// let unsent = ws.send(vec![0; 60 << 10]).unwrap_err();
/// assert!(matches!(unsent.why, SendError::Memory { limit: 65_536, .. }));
/// assert_eq!(unsent.message.len(), 60 << 10);
/// ws.send(vec![0; 40 << 10])?;
/// assert!(ws.memory_held() <= 64 << 10);
/// # Ok::<(), SendError>(())
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
    /// Bytes of heap that the connection may hold at any moment: what
    /// [`Connection::memory_held`](crate::Connection::memory_held) counts never passes it. No less than 16 KiB
    /// ([what happens at it](#a-ceiling-on-memory)). [`UNBOUNDED`](Self::UNBOUNDED), unless set.
    pub memory: u64,
    /// How often the peer may send what is cheap for it. Beyond it: 1008.
    pub budgets: Budgets,
}

impl Limits {
    /// No ceiling on [`memory`](Self::memory).
    pub const UNBOUNDED: u64 = u64::MAX;

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
            memory: Self::UNBOUNDED,
            budgets: Budgets::DEFAULT,
        }
    }

    /// For a server that expects attacks on many connections, and peers that people sit at: 8 KiB of head,
    /// 64 KiB a frame and a message, 256 fragments, 64 KiB of output, 1 MiB of memory in all, and tight
    /// [budgets](Budgets::tight) over time.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            head: 8 << 10,
            frame: 64 << 10,
            message: 64 << 10,
            fragments: 256,
            output: 64 << 10,
            held: 8 << 10,
            body: 8 << 10,
            memory: 1 << 20,
            budgets: Budgets::tight(),
            ..Self::server()
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

    /// For trusted peers: 1 GiB a frame and a message, 16 million fragments, 64 MiB of output, no budgets over
    /// time.
    #[must_use]
    pub const fn trusted() -> Self {
        Self {
            frame: 1 << 30,
            message: 1 << 30,
            fragments: 1 << 24,
            output: 64 << 20,
            budgets: Budgets::NONE,
            ..Self::client()
        }
    }
}

/// Deadlines, driven by [`Connection::advance_time`](crate::Connection::advance_time). A caller that
/// never tells the time has none.
///
/// | deadline | measures | put off or met by | then |
/// |---|---|---|---|
/// | `handshake` | from the first `advance_time` | the connection is established | 408 or 503, a client drops |
/// | `ping` | since a frame ended or a KiB of one came, or a ping was sent | either | a ping is sent |
/// | `pong` | since that ping, or since the last of what was queued before it left | any frame that ends, any KiB of one; fewer bytes put it off, to twice the time at most | 1011 |
/// | `idle` | since the last byte came | any byte | 1001 |
/// | `message` | since the first byte of a message | its last byte | 1008 |
/// | `close` | since our Close frame left, and before that since the last of the queue that left | the peer's Close frame and its end | the transport is closed |
///
/// So whatever a peer sends proves that it lives, also before its pong, and a frame that comes a byte now
/// and then does not keep it alive. What arrived before a deadline counts, however late it is read
/// ([`advance_time`](crate::Connection::advance_time)). While input is held
/// ([`keep_input`](crate::Connection::keep_input), or an event that was found and not taken) what waits for
/// the peer stands still, and while the queue is full what the peer takes counts like what it sends, as a
/// driver then reads nothing.
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
    /// How long the peer may take for its end of the closing handshake once our Close frame, or another
    /// last word such as an HTTP answer, has left; and before that, how long it may take nothing of what is
    /// queued. Then the transport is given up (RFC 6455 §7.1.1). 5 s.
    pub close: Duration,
    /// A ping is sent when no frame was received and no ping was sent for this long. At most one is
    /// queued, also beyond [`Limits::output`]. Off.
    pub ping: Option<Duration>,
    /// How long nothing may come after such a ping before the peer counts as dead (1011). The wait begins
    /// anew while the peer takes output that was queued before the ping, as it cannot answer then. So a
    /// peer that reads slowly is alive, and one that neither reads nor sends is dead after `ping` and
    /// `pong` together. 20 s.
    pub pong: Option<Duration>,
    /// How long nothing may be received before the connection is failed with 1001. Off.
    pub idle: Option<Duration>,
    /// How long a message may take from its first byte to its last before the connection is failed with
    /// 1008, as a peer that sends a byte now and then is never idle. Off.
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
