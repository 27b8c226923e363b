//! The machine: one type for the whole life of a connection, client or server. Each file holds one
//! concern of it; those of [`Reading`] and [`Gathering`] are types of their own, and so are [`Life`] and [`Clock`], which stand below.
//!
//! | file | what of it |
//! |---|---|
//! | `fast` | what the fast paths ask, worked out in one place |
//! | `rare` | what few connections need, and none while idle |
//! | `rules` | what is asked of the next frame (§5, §10.4) |
//! | `memory` | how much is held, and the ceiling on it |
//! | `budgets` | how often what is cheap for the peer may come (§10.4) |
//! | `receive` | bytes in, events out: what comes first |
//! | `reading` | input into headers and pieces of payload (§5.2) |
//! | `gathering` | payload into messages and chunks (§5.4, §6.2, §8.1) |
//! | `ways` | other ways to read |
//! | `opening` | the opening handshake (§4) |
//! | `responding` | answers over HTTP (§4.2.2) |
//! | `upgraded` | connections whose opening handshake was elsewhere |
//! | `control` | Ping, Pong and Close received (§5.5) |
//! | `outgoing`, `send`, `parts` | messages out (§6.1) |
//! | `encoding`, `decoding` | messages that an extension encodes, out and in (§5.8) |
//! | `closing` | Close sent, failures, the report, who closes TCP (§7) |
//! | `time` | deadlines |
//! | `event` | what the application is told |
//! | `recorded` | what a recording asks |
//! | `saved` | what goes to another process |

mod budgets;
mod closing;
mod control;
mod decoding;
mod encoding;
mod event;
mod fast;
mod gathering;
pub(crate) mod handed;
mod memory;
mod opening;
mod outgoing;
mod parts;
mod rare;
mod reading;
mod receive;
#[cfg(feature = "replay")]
mod recorded;
mod responding;
mod rules;
#[cfg(feature = "handover")]
pub(crate) mod saved;
mod send;
#[cfg(feature = "bytes")]
mod shared;
mod through;
mod time;
mod upgraded;
mod ways;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::clock::Clock;
use crate::config::{
    CLIENT_DEFAULTS, ClientConfig, Limits, SERVER_DEFAULTS, ServerConfig, Settings,
};
use crate::entropy::{Entropy, Randomness};
use crate::error::NoEntropy;
use crate::extension::Codec;
use crate::handshake::{ClientRequest, Negotiated};
use crate::life::{Life, State, Transport};
use crate::output::Output;
use crate::role::Role;

use fast::Fast;
use gathering::Gathering;
use rare::Rare;
use reading::Reading;

pub use event::Event;
pub use outgoing::{Outgoing, Prepared};
pub use parts::Part;

/// A WebSocket connection: bytes in, bytes and events out.
///
/// It opens no socket and reads no clock. A driver delivers what it read, writes (and flushes) what is
/// queued, and asks what to do with the transport:
///
/// ```
/// use sansocket::{Accept, Connection, Event, OriginPolicy, Response, ServerConfig, Transport};
/// # struct Socket(&'static [u8]);
/// # impl Socket {
/// #     fn read(&mut self, buf: &mut [u8]) -> Result<usize, ()> { let n = self.0.len().min(buf.len()); buf[..n].copy_from_slice(&self.0[..n]); self.0 = &self.0[n..]; Ok(n) }
/// #     fn write(&mut self, bytes: &[u8]) -> Result<usize, ()> { Ok(bytes.len()) }
/// # }
/// # let mut socket = Socket(b"GET / HTTP/1.1\r\n\r\n");
/// # let mut buf = [0; 4096];
/// # fn run(socket: &mut Socket, buf: &mut [u8]) -> Result<(), sansocket::error::AcceptError> {
/// let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
/// let mut input: &mut [u8] = &mut [];
/// loop {
///     while let Some(event) = ws.receive(&mut input) {
///         match event {
///             Event::Request(request) if request.path() == "/ws" => ws.accept(Accept::new())?,
///             Event::Request(_) => ws.respond(Response::new(404))?,
///             Event::Message(message) => { let _ = ws.send(&message); } // a real server stops reading when it is full
///             Event::Closed(report) => println!("{report}"),
///             _ => {} // pongs and Close replies are queued already
///         }
///     }
///     if !ws.output().is_empty() {
///         match socket.write(ws.output()) { Ok(n) => ws.consume_output(n), Err(_) => ws.write_lost() }
///         continue; // what was written can bring an event, such as Closed
///     }
///     if ws.transport() == Transport::Close { return Ok(()); }
///     let n = match socket.read(buf) {
///         Ok(0) => { ws.receive_eof(); 0 }
///         Ok(n) => n,
///         Err(_) => { ws.transport_lost(); 0 }
///     };
///     input = &mut buf[..n];
/// }
/// # }
/// # run(&mut socket, &mut buf).unwrap();
/// ```
///
/// A driver with timers calls [`advance_time`](Self::advance_time) at the top of the loop and
/// bounds its read by [`next_deadline`](Self::next_deadline).
///
/// # States and inputs
///
/// What each input does in each [`State`] (S: server, C: client). "–" means that nothing changes;
/// an error in italics is returned and nothing changes.
///
/// | input | Initial, Connecting | Open | Closing | Closed |
/// |---|---|---|---|---|
/// | `receive`, handshake bytes | S: `Request`, `Http` or an HTTP error; C: `Open`, `Refused` or `Failed` | – | – | – |
/// | `receive`, frames | kept until the request is decided on (S), read after the answer (C) | events | events until the peer's Close frame or a failure, then discarded | discarded |
/// | `receive_eof` | Closed, 1006 | Closed, 1006 | Closed: clean if both Close frames were exchanged | – |
/// | `write_lost` | S: Closed, 1006; C: the answer is read | Closing; what was queued is dropped | Closing; what was queued is dropped | – |
/// | `transport_lost` | Closed, 1006 | Closed, 1006 | Closed; what was queued is dropped | – |
/// | `advance_time` past a deadline, and nothing comes | `Failed` (handshake); S answers 408 | keepalive ping, or `Failed` (pong, idle, message) | Closed (close) | – |
/// | `accept`, `respond`, `begin_response` | S with a request: Open, or an HTTP answer; otherwise *NoRequest* | *NoRequest* | *NoRequest* | *NoRequest* |
/// | `write_response`, `end_response` | *NoResponseInProgress* | *NoResponseInProgress* | queued, if an answer was begun | *Closing*, if an answer was begun and is not whole |
/// | `send`, `send_part`, `begin_message` | *NotOpen* | queued | *Closing* | *Closing* |
/// | `write_message` | *NoMessageInProgress* | queued | queued until the frame that was begun is whole | *Closing* |
/// | `ping`, `pong` | *NotOpen* | queued | queued until the peer's Close frame or a failure, then *Closing* | *Closing* |
/// | `close` | Closed without a Close frame | Close frame queued: Closing | – (an answer in pieces is broken off) | – |
pub struct Connection {
    life: Life,
    fast: Fast,
    reading: Reading,
    gathering: Gathering,
    output: Output,
    clock: Clock,
    config: Option<Arc<Settings>>,
    entropy: Randomness,
    in_use: Option<Box<InUse>>,
    rare: Option<Box<Rare>>,
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Connection>();
};
const _: () = assert!(size_of::<Connection>() <= 256);
const _: () =
    assert!(size_of::<Option<Event<'_>>>() <= if cfg!(feature = "bytes") { 64 } else { 40 });

/// What was agreed on in the opening handshake, where that was anything, and what does it.
struct InUse {
    negotiated: Negotiated,
    /// The codec of the extension that encodes messages.
    codec: Option<Codec>,
}

impl Connection {
    // ── constructors

    /// A server's connection, waiting for the request of the opening handshake (RFC 6455 §4.2).
    #[must_use]
    pub fn server(config: &ServerConfig) -> Self {
        Self::new(Role::Server, config.0.clone(), Randomness::SYSTEM)
    }

    /// A client's connection, with the request of the opening handshake queued (RFC 6455 §4.1).
    /// Randomness comes from the operating system (feature `getrandom`).
    ///
    /// # Errors
    /// [`NoEntropy`] if the operating system gives none, or without the feature.
    ///
    /// ```
    /// # if cfg!(not(feature = "getrandom")) { return }
    /// use sansocket::{ClientConfig, ClientRequest, Connection, State, Uri};
    /// let request = ClientRequest::new(Uri::parse("ws://example.com/chat").unwrap());
    /// let ws = Connection::client(&ClientConfig::new(), request).unwrap();
    /// assert!(ws.output().starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
    /// assert_eq!(ws.state(), State::Initial);
    /// ```
    pub fn client(config: &ClientConfig, request: ClientRequest) -> Result<Self, NoEntropy> {
        let mut source = Randomness::SYSTEM;
        let nonce = source.draw()?;
        Ok(Self::client_from(config, &request, &nonce, source))
    }

    /// The same with a source of randomness of the caller's.
    ///
    /// # Errors
    /// [`NoEntropy`] if the source gives none.
    pub fn client_with_entropy(
        config: &ClientConfig,
        request: ClientRequest,
        mut entropy: Box<dyn Entropy + Send + Sync>,
    ) -> Result<Self, NoEntropy> {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce)?;
        let source = Randomness::custom(entropy);
        Ok(Self::client_from(config, &request, &nonce, source))
    }

    fn new(role: Role, config: Option<Arc<Settings>>, entropy: Randomness) -> Self {
        Self {
            life: Life::new(role),
            fast: Fast::default(),
            reading: Reading::default(),
            gathering: Gathering::default(),
            output: Output::default(),
            clock: Clock::default(),
            config,
            entropy,
            in_use: None,
            rare: None,
        }
    }

    // ── output

    /// The first contiguous bytes that wait for the peer; empty if none do.
    #[must_use]
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.output.first()
    }

    /// Fills `slices` with the bytes that wait for the peer, in order, for a vectored write (a
    /// driver maps them with `IoSlice::new`), and returns how many were filled.
    #[inline]
    pub fn output_slices<'s>(&'s self, slices: &mut [&'s [u8]]) -> usize {
        self.output.slices(slices)
    }

    /// All bytes that wait for the peer, framing and control frames included: what
    /// [`Limits::output`](crate::config::Limits::output) bounds.
    #[must_use]
    #[inline]
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Forgets the first `n` bytes of the output: the transport has taken them. `n` may end
    /// anywhere, also inside a frame; more than there are means all. What the report says of our Close
    /// frame rests on it: a driver that could not write calls [`write_lost`](Self::write_lost) instead.
    #[inline]
    pub fn consume_output(&mut self, n: usize) {
        self.life.output_left(n);
        if self.rare.is_some() {
            return self.consume_and_answer(n);
        }
        self.output.consume(n);
    }

    #[inline(never)]
    fn consume_and_answer(&mut self, n: usize) {
        let (queued, closed) = (self.output.len(), self.output.close_has_left());
        self.output.consume(n);
        let left = queued - self.output.len();
        self.output_before_ping_left(left);
        if left > 0 {
            self.note_taken(closed);
        }
        self.answer_latest_ping();
    }

    /// Bytes of messages that were handed to `send` and have not been taken as output, without any
    /// framing (WHATWG `bufferedAmount`). It bounds nothing and stays as it is when the connection closes.
    #[must_use]
    #[inline]
    pub fn buffered_amount(&self) -> u64 {
        self.output.buffered()
    }

    // ── buffers

    /// Lends a spare buffer, for gathering a message or for output, so that no new one has to be
    /// allocated. What is in it is overwritten; where both have a buffer already it is dropped. An
    /// event loop takes it back with [`take_buffer`](Self::take_buffer) and lends it to the next connection.
    ///
    /// ```
    /// # use sansocket::{Connection, Negotiated, ServerConfig};
    /// # let config = ServerConfig::upgraded();
    /// # let mut connections = [Connection::upgraded_server(&config, Negotiated::default())];
    /// let mut spare = Vec::with_capacity(64 << 10);
    /// for ws in &mut connections {
    ///     ws.lend_buffer(spare);
    ///     // … receive, send, write …
    ///     spare = ws.take_buffer().unwrap_or_default();
    /// }
    /// assert_eq!(spare.capacity(), 64 << 10);
    /// ```
    #[inline]
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() == 0
            || self.is_bounded() && self.room().take(buffer.capacity()).is_err()
        {
            return;
        }
        if let Some(buffer) = self.gathering.lend_buffer(buffer) {
            self.output.lend(buffer);
        }
    }

    /// Takes back a buffer that is not in use, and frees whatever else is kept for later. An idle
    /// connection owns no heap after it (what was negotiated and a source of randomness of the caller's aside).
    pub fn take_buffer(&mut self) -> Option<Vec<u8>> {
        self.entropy.reclaim();
        self.forget_spent();
        if self.rare.as_ref().is_some_and(|rare| rare.is_idle()) {
            self.rare = None;
        }
        let gathered = self.gathering.take_buffer();
        let queued = self.output.reclaim();
        match (gathered, queued) {
            (Some(a), Some(b)) => Some(if a.capacity() >= b.capacity() { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    // ── facts

    /// Client or server.
    #[must_use]
    pub fn role(&self) -> Role {
        self.life.role()
    }

    /// The subprotocol in use (RFC 6455 §1.9); `None` until the connection is established, and if none was agreed.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.in_use.as_ref()?.negotiated.subprotocol.as_deref()
    }

    /// The extensions in use as the server's answer names them (RFC 6455 §9.1); empty until the
    /// connection is established, and if none were agreed.
    #[must_use]
    pub fn extensions(&self) -> &str {
        let in_use = self.in_use.as_ref();
        in_use.map_or("", |in_use| &in_use.negotiated.extensions)
    }

    /// What was agreed on of permessage-deflate; `None` if it is not in use.
    ///
    /// ```
    /// # use sansocket::{Connection, Negotiated, ServerConfig, extension::PermessageDeflate};
    /// let config = ServerConfig::upgraded().deflate(PermessageDeflate::server());
    /// let answered = Negotiated::new().extensions("permessage-deflate; client_max_window_bits=12");
    /// let ws = Connection::upgraded_server(&config, answered);
    /// let agreed = ws.agreed_deflate().unwrap();
    /// assert_eq!((agreed.client_max_window_bits, agreed.server_max_window_bits), (12, 15));
    /// assert!(!agreed.client_no_context_takeover);
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn agreed_deflate(&self) -> Option<crate::extension::AgreedDeflate> {
        crate::extension::AgreedDeflate::of(self.extensions())
    }

    /// Sets other limits from now on, such as higher ones for a peer that has logged in. They hold for
    /// what is read and sent after this, the message in progress included. A connection with limits of
    /// its own no longer shares its configuration: that is a few hundred bytes of heap.
    ///
    /// ```
    /// use sansocket::config::Limits;
    /// # use sansocket::{Connection, Negotiated, ServerConfig};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// let mut limits = *ws.limits();
    /// limits.frame = 64 << 20;
    /// limits.message = 64 << 20;
    /// ws.set_limits(limits);
    /// ```
    pub fn set_limits(&mut self, limits: Limits) {
        self.change_settings(|settings| settings.limits = limits);
    }

    /// Whether a server takes frames without a mask from now on, as
    /// [`ServerConfig::accept_unmasked`] has it from the beginning.
    pub fn accept_unmasked(&mut self, accept: bool) {
        self.change_settings(|settings| settings.unmasked = accept);
    }

    /// The limits that hold now.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.settings().limits
    }

    /// Changes the settings of this connection alone.
    fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let shared = self.config.take();
        let mut settings = shared.unwrap_or_else(|| {
            Arc::new(match self.role() {
                Role::Server => Settings::SERVER,
                Role::Client => Settings::CLIENT,
            })
        });
        change(Arc::make_mut(&mut settings));
        self.settled(|ws| ws.config = Some(settings));
    }

    fn settings(&self) -> &Settings {
        match (&self.config, self.role()) {
            (Some(settings), _) => settings,
            (None, Role::Server) => &SERVER_DEFAULTS,
            (None, Role::Client) => &CLIENT_DEFAULTS,
        }
    }
}

/// States and lengths only.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role())
            .field("state", &self.state())
            .field("transport", &self.transport())
            .field("output_len", &self.output_len())
            .field("memory_held", &self.memory_held())
            .finish_non_exhaustive()
    }
}
