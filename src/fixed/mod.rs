//! One end of a connection without an allocator: all its room is given by the caller, once.
//!
//! For devices with kilobytes of memory. The rules are those of [`Connection`](crate::Connection), which
//! needs `alloc`; what it has beside them (extensions, plain HTTP, chunks, streams of other HTTP stacks, budgets) is
//! not here. A driver is the same loop: deliver, write and flush, ask, read.
//!
//! | room | whose | what for |
//! |---|---|---|
//! | the input | the driver's | what was read; a message that came whole is unmasked there and lent from there |
//! | [`Room`] | the caller's | a head or a message that comes in pieces; its length is the limit on both |
//! | the output | the caller's | what waits to be written: the longest message that can be sent is 280 bytes less |
//!
//! ```
//! use sansocket::entropy::Entropy;
//! use sansocket::error::NoEntropy;
//! use sansocket::fixed::{Admitted, Ask, Endpoint, Incoming, Options, Room};
//! use sansocket::{CloseCode, Transport};
//!
//! struct Generator(u32); // stands for that of the hardware
//! impl Entropy for Generator {
//!     fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
//!         for byte in out {
//!             self.0 = self.0.wrapping_mul(1_103_515_245).wrapping_add(12345);
//!             *byte = self.0.to_be_bytes()[0];
//!         }
//!         Ok(())
//!     }
//! }
//!
//! /// Takes what one end has written to the other one.
//! fn carry(from: &mut Endpoint<'_>, buf: &mut [u8; 1024]) -> usize {
//!     let len = from.output().len();
//!     buf[..len].copy_from_slice(from.output());
//!     from.consume_output(len);
//!     len
//! }
//!
//! let (mut room, mut output) = ([0; 1024], [0; 1024]);
//! let mut server_room = Room::new(&mut room);
//! let mut server = Endpoint::server(Admitted::same_host(), Options::new(), &mut output);
//!
//! let (mut room, mut output) = ([0; 1024], [0; 1024]);
//! let mut client_room = Room::new(&mut room);
//! let mut random = Generator(7);
//! let ask = Ask::new("sensor.local", "/temperature");
//! let mut client = Endpoint::client(&ask, Options::new(), &mut random, &mut output)?;
//!
//! let mut buf = [0; 1024];
//! let mut heard = 0;
//! while client.transport() == Transport::KeepOpen {
//!     let n = carry(&mut client, &mut buf);
//!     let mut input = &mut buf[..n];
//!     while let Some(incoming) = server.receive(&mut input, &mut server_room) {
//!         match incoming {
//!             Incoming::Request(request) if request.path() == "/temperature" => {
//!                 server.accept(&request, None)?;
//!             }
//!             Incoming::Text(text) => server.send_text(text)?, // an echo
//!             _ => {} // pongs and Close replies are queued already
//!         }
//!     }
//!     let n = carry(&mut server, &mut buf);
//!     let mut input = &mut buf[..n];
//!     while let Some(incoming) = client.receive(&mut input, &mut client_room) {
//!         match incoming {
//!             Incoming::Accepted(_) => client.send_text("21.5 °C")?,
//!             Incoming::Text(text) => {
//!                 assert_eq!(text, "21.5 °C");
//!                 heard += 1;
//!                 client.close(CloseCode::NORMAL_CLOSURE, "")?;
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(heard, 1);
//! assert_eq!(client.transport(), Transport::AwaitPeerEnd); // the server closes first (RFC 6455 §7.1.1)
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admitted;
mod ask;
mod closing;
mod head;
mod incoming;
mod opening;
mod queue;
mod reading;
mod room;
mod sending;
mod time;

pub use admitted::Admitted;
pub use ask::Ask;
pub use head::{RequestHead, ResponseHead};
pub use incoming::{Ended, Incoming};
pub use room::Room;

use crate::clock::Clock;
use crate::config::Timeouts;
use crate::entropy::Entropy;
use crate::error::{Failure, FieldError, NoEntropy, identified};
use crate::life::{Life, State, Transport};
use crate::role::Role;

use opening::Opening;
use queue::Queue;
use reading::Frames;
use time::Waits;

/// Settings of an [`Endpoint`].
///
/// ```
/// use core::time::Duration;
/// use sansocket::fixed::Options;
/// let mut options = Options::new();
/// options.timeouts.ping = Some(Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Options {
    /// Deadlines, for a caller that [tells the time](Endpoint::advance_time).
    pub timeouts: Timeouts,
    /// Frames of one message, empty ones included. Beyond it: 1008. 4096.
    pub fragments: u32,
    /// Client: a server that chooses none of the subprotocols offered is refused, as browsers do. Off.
    pub require_subprotocol: bool,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timeouts: Timeouts::DEFAULT,
            fragments: 4096,
            require_subprotocol: false,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// One end of a connection, client or server, in room that is given once.
///
/// It opens no socket, reads no clock and allocates nothing. See the [module](self) for the loop.
pub struct Endpoint<'b> {
    life: Life,
    clock: Clock,
    options: Options,
    /// A client's, for its masking keys.
    entropy: Option<&'b mut (dyn Entropy + Send)>,
    queue: Queue<'b>,
    stage: Stage<'b>,
    waits: Waits,
    report: Report,
}

/// What is read.
enum Stage<'b> {
    /// The head of the opening handshake.
    Opening(Opening<'b>),
    /// Frames.
    Frames(Frames),
}

/// What the end will tell.
#[derive(Default)]
struct Report {
    /// The code of the peer's Close frame, 1005 if it has none.
    received: Option<u16>,
    answered: Option<u16>,
    failure: Option<Failure>,
    /// The failure of the opening handshake is to be told.
    untold: bool,
}

impl<'b> Endpoint<'b> {
    /// A server's end, which waits for a request. What it writes is kept in `output`: 512 bytes do for the
    /// handshake and control frames, and messages take what is beyond 280.
    #[must_use]
    pub fn server(admitted: Admitted<'b>, options: Options, output: &'b mut [u8]) -> Self {
        let opening = Opening::server(admitted);
        Self::new(Role::Server, opening, options, None, Queue::new(output))
    }

    /// A client's end; its request is queued.
    ///
    /// # Errors
    /// A part of the request that cannot be written, no room for it in `output`, no random bytes.
    pub fn client(
        ask: &Ask<'b>,
        options: Options,
        entropy: &'b mut (dyn Entropy + Send),
        output: &'b mut [u8],
    ) -> Result<Self, AskError> {
        ask.check()?;
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce)?;
        let mut queue = Queue::new(output);
        let opening = Opening::client(ask, nonce, &mut queue)?;
        let entropy = Some(entropy);
        Ok(Self::new(Role::Client, opening, options, entropy, queue))
    }

    fn new(
        role: Role,
        opening: Opening<'b>,
        options: Options,
        entropy: Option<&'b mut (dyn Entropy + Send)>,
        queue: Queue<'b>,
    ) -> Self {
        Self {
            life: Life::new(role),
            clock: Clock::default(),
            options,
            entropy,
            queue,
            stage: Stage::Opening(opening),
            waits: Waits::NONE,
            report: Report::default(),
        }
    }

    /// Client or server.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.life.role()
    }

    /// Where the connection is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.life.state(self.progress())
    }

    /// What to do with the transport, once [`output`](Self::output) has been written.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.life.transport(self.progress())
    }

    /// What is to be written next.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.queue.bytes()
    }

    /// So many bytes of the [`output`](Self::output) were written.
    pub fn consume_output(&mut self, n: usize) {
        let n = n.min(self.queue.len());
        let close_had_left = self.queue.close_has_left();
        self.queue.consume(n);
        self.life.output_left(n);
        if n > 0 {
            self.output_left(n, close_had_left);
            self.answer_latest_ping();
        }
    }
}

/// Why a client's end cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AskError {
    /// A part of the request cannot be written.
    Field(FieldError),
    /// The room for output is too short for the request.
    TooLong {
        /// Bytes of the room.
        room: usize,
    },
    /// There is no source of randomness for the nonce (RFC 6455 §4.1).
    NoEntropy,
}

identified! { AskError:
    Self::Field(FieldError::BadName) = 701, "bad_name";
    Self::Field(FieldError::BadValue) = 702, "bad_value";
    Self::Field(FieldError::Reserved) = 703, "reserved_field";
    Self::Field(FieldError::BadSubprotocol) = 704, "bad_subprotocol";
    Self::Field(FieldError::BadExtension) = 705, "bad_extension";
    Self::NoEntropy = 801, "no_entropy";
    Self::TooLong { .. } = 2001, "request_beyond_room";
}

impl core::fmt::Display for AskError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Field(error) => error.fmt(f),
            Self::TooLong { room } => {
                write!(
                    f,
                    "the request needs more room than the {room} bytes for output"
                )
            }
            Self::NoEntropy => NoEntropy.fmt(f),
        }
    }
}

impl core::error::Error for AskError {}

impl From<FieldError> for AskError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl From<NoEntropy> for AskError {
    fn from(_: NoEntropy) -> Self {
        Self::NoEntropy
    }
}

/// States and lengths only.
impl core::fmt::Debug for Endpoint<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("role", &self.role())
            .field("state", &self.state())
            .field("output", &self.queue.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
