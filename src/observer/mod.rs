//! Follows a conversation of two other ends without taking part in it: in captured packets, in a relay.
//!
//! An [`Observer`] is given the bytes of both directions, as they were sent, and tells what they are:
//! heads, frames with every rule that they break, messages put together and decoded, pings with
//! their round trips, and the [`State`] of both ends. It has the rules of the
//! endpoints, and goes on after a broken one. Bytes that are missing are told by
//! [`gap`](Observer::gap): where the last header says what is missing it goes on at once, elsewhere it searches for
//! the next frame. It does no IO and knows no clock, as the rest of the crate.
//!
//! ```
//! use sansocket::observer::{Observer, ObserverConfig, Seen};
//! use sansocket::{Role, State};
//!
//! let mut observer = Observer::new(&ObserverConfig::new());
//! let mut request = &b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"[..];
//! let Some(Seen::Request(head)) = observer.see(Role::Client, &mut request) else { panic!() };
//! assert_eq!(head.target(), "/chat");
//! assert_eq!(observer.state(Role::Client), State::Connecting);
//!
//! let mut answer = &b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05Hello"[..];
//! assert!(matches!(observer.see(Role::Server, &mut answer), Some(Seen::Response(_))));
//! assert!(matches!(observer.see(Role::Server, &mut answer), Some(Seen::Opened(Some(_)))));
//! assert_eq!(observer.state(Role::Client), State::Open);
//! let Some(Seen::Frame(frame)) = observer.see(Role::Server, &mut answer) else { panic!() };
//! assert_eq!((frame.header(), frame.violations().count()), (&b"\x81\x05"[..], 0));
//! assert!(matches!(observer.see(Role::Server, &mut answer), Some(Seen::Payload(_))));
//! let Some(Seen::Message(message)) = observer.see(Role::Server, &mut answer) else { panic!() };
//! assert_eq!(message.payload, b"Hello");
//! assert!(observer.see(Role::Server, &mut answer).is_none());
//!
//! // A client that does not mask (RFC 6455 §5.1).
//! let mut wrong = &b"\x81\x02Hi"[..];
//! let Some(Seen::Frame(frame)) = observer.see(Role::Client, &mut wrong) else { panic!() };
//! let violation = frame.violations().next().unwrap();
//! assert_eq!((violation.rule().section(), violation.rule().close_code()), ("RFC 6455 §5.1", Some(1002)));
//! ```

mod config;
mod decoder;
mod ends;
mod follow;
mod gathering;
mod half;
mod heartbeat;
mod holes;
mod opening;
mod search;
mod seen;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests; how joins went is recorded"
)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::State;
use crate::extension::elements;
use crate::frame::Opcode;
use crate::handshake::Negotiated;
use crate::role::Role;

use decoder::Decoder;
use ends::BothEnds;
use follow::{Direction, Next, PieceAt};
use half::NextByte;
use opening::{Follows, Requests};
use seen::close_body;

pub use config::ObserverConfig;
pub use ends::ConversationReport;
pub use holes::Stretch;
pub use seen::{Content, Frame, Head, Rule, Seen, SeenMessage, SeenPiece, Violation};

/// One conversation between a client and a server, as it is seen from outside.
///
/// See the [module](self) for an example. Memory is bounded by the limits of its configuration,
/// and a search for frames by 1 MiB; a conversation without open messages, extensions and waiting
/// bytes holds nothing on the heap.
pub struct Observer {
    config: ObserverConfig,
    opening: Requests,
    client: Direction,
    server: Direction,
    ends: BothEnds,
    negotiated: Option<Box<Negotiated>>,
    now: Option<Duration>,
    /// After the answer that opened the connection.
    opened: Option<Option<Negotiated>>,
}

impl Observer {
    /// Follows a conversation from its first byte on: the opening handshake, or what goes before it.
    #[must_use]
    pub fn new(config: &ObserverConfig) -> Self {
        Self {
            config: config.clone(),
            opening: Requests::default(),
            client: Direction::new(Role::Client),
            server: Direction::new(Role::Server),
            ends: BothEnds::default(),
            negotiated: None,
            now: None,
            opened: None,
        }
    }

    /// Follows frames from the first one on, where the opening handshake was made elsewhere: in a
    /// stream of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220), by another stack.
    #[must_use]
    pub fn upgraded(config: &ObserverConfig, negotiated: Negotiated) -> Self {
        let mut observer = Self::new(config);
        observer.ends.asked = true;
        observer.open(negotiated);
        observer
    }

    /// Follows a connection from somewhere in its middle, where a frame need not begin: both directions
    /// are searched for one, and each tells [`Seen::Lost`] with its first bytes. `negotiated`: what is known of its
    /// opening handshake.
    #[must_use]
    pub fn midway(config: &ObserverConfig, negotiated: Negotiated) -> Self {
        let mut observer = Self::upgraded(config, negotiated);
        for side in [&mut observer.client, &mut observer.server] {
            side.half.lose();
            side.lost = Some(0);
        }
        observer
    }

    /// Tells the time at which what is seen next was sent. It may begin anywhere.
    pub fn advance_time(&mut self, now: Duration) {
        self.now = Some(now);
    }

    /// Takes bytes that this end has sent off the front of `input`, until there is something to tell.
    /// `None`: all of them were taken. Call it again until then, also with an empty `input` after
    /// [`gap`](Self::gap) and [`end`](Self::end).
    ///
    /// Bytes of the client that come before the answer to its request wait for that; they are told by the next
    /// call for the client.
    pub fn see<'a, 'i: 'a>(&'a mut self, from: Role, input: &mut &'i [u8]) -> Option<Seen<'a>> {
        self.side(from).half.forget();
        let next = self.next(from, input)?;
        self.tell(from, next)
    }

    /// So many bytes of this end are missing from what is seen.
    pub fn gap(&mut self, from: Role, len: u64) {
        let side = self.side(from);
        // What waits was not understood without what is missing after it, and will not be.
        let waiting = (side.held.len() - side.held_at) as u64;
        side.held = Vec::new();
        side.held_at = 0;
        if let Some(offset) = side.half.gap(waiting.saturating_add(len)) {
            side.lost = Some(offset);
        }
        side.half.pass(waiting);
    }

    /// This end has ended its direction of TCP (FIN).
    pub fn end(&mut self, from: Role) {
        self.side(from).ended = true;
        self.ends.fin(from);
    }

    /// This end has reset TCP (RST): both directions are over.
    pub fn reset(&mut self, from: Role) {
        self.client.ended = true;
        self.server.ended = true;
        self.ends.reset(from);
    }

    /// The state of an end, after what was seen so far has arrived (RFC 6455 §4, §7). A client is
    /// [`Connecting`](State::Connecting) from its request on; an end is [`Closed`](State::Closed) when it
    /// has ended TCP and will not be sent anything more.
    #[must_use]
    pub fn state(&self, end: Role) -> State {
        self.ends.state(end)
    }

    /// How the conversation went, as far as it was seen.
    #[must_use]
    pub fn report(&self) -> ConversationReport {
        ConversationReport {
            client_skipped: self.client.half.passed(),
            server_skipped: self.server.half.passed(),
            ..self.ends.report()
        }
    }

    /// What the opening handshake agreed on, once it is complete.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_deref()
    }

    /// Bytes of this end that were seen or are known to be missing.
    #[must_use]
    pub fn offset(&self, from: Role) -> u64 {
        self.side_ref(from).half.offset
    }

    /// Gives up memory that can be had again: of what decodes compressed messages only the bytes are
    /// kept that later ones may refer to, 32 KiB in each direction at most. For a conversation that may be quiet for a
    /// while; the next message puts it together again, which takes some microseconds.
    pub fn park(&mut self) {
        self.client.half.park();
        self.server.half.park();
    }

    /// Gives up what later compressed messages may refer to (RFC 7692 §7.2.2), to save its memory: what they copy from
    /// there is a [hole](Stretch::Hole), as after messages that were not seen. Of a compressed message
    /// that has begun the rest is [unknown](Content::Unknown).
    pub fn forget_context(&mut self) {
        self.client.half.forget_context();
        self.server.half.forget_context();
    }

    /// Bytes on the heap, without the configuration.
    #[must_use]
    pub fn memory_held(&self) -> usize {
        let negotiated = self.negotiated.as_ref();
        let negotiated = negotiated.map_or(0, |own| size_of::<Negotiated>() + own.memory_held());
        self.client.memory_held()
            + self.server.memory_held()
            + self.opening.memory_held()
            + negotiated
    }
}

// ── what came of a step

impl Observer {
    fn tell<'a>(&'a mut self, from: Role, next: Next<'a>) -> Option<Seen<'a>> {
        Some(match next {
            Next::Opened(negotiated) => Seen::Opened(negotiated),
            Next::Head => self.head(from),
            Next::Broken(violation) => {
                self.ends.broke(from, 1);
                Seen::Broken(violation)
            }
            Next::Frame => {
                let frame = *self.side_ref(from).half.frame()?;
                self.ends.broke(from, frame.violations().count());
                Seen::Frame(frame)
            }
            Next::Payload { bytes, offset, key } => Seen::Payload(SeenPiece {
                from,
                bytes: match bytes {
                    PieceAt::Input(bytes) => bytes,
                    PieceAt::Held(range) => &self.side_ref(from).held[range],
                },
                offset,
                key,
            }),
            Next::Message => {
                let broken = self.side_ref(from).half.message()?.error.is_some();
                self.ends.broke(from, usize::from(broken));
                Seen::Message(self.message(from)?)
            }
            Next::Control(opcode) => self.control(from, opcode),
            Next::Lost(offset) => Seen::Lost { from, offset },
            Next::Found(offset, skipped) => Seen::Found {
                from,
                offset,
                skipped,
            },
            Next::Opaque { tls } => Seen::Opaque { from, tls },
        })
    }

    fn side(&mut self, from: Role) -> &mut Direction {
        match from {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    fn side_ref(&self, from: Role) -> &Direction {
        match from {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    /// A head is whole: it is judged, and decides what follows.
    fn head(&mut self, from: Role) -> Seen<'_> {
        let settings = self.config.settings();
        let side = match from {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        let offset = side.half.told_at;
        let mut bytes = core::mem::take(&mut side.half.told);
        let (follows, error) = match from {
            Role::Client => self.opening.request(&bytes, settings),
            Role::Server => self.opening.response(&mut bytes, settings),
        };
        let violation = error.map(|error| Violation {
            by: from,
            rule: Rule::Handshake(error),
            offset,
        });
        self.ends.broke(from, usize::from(violation.is_some()));
        let interim = Head::plain(&bytes)
            .status()
            .is_some_and(|status| status < 200);
        self.follow(from, follows, interim);
        let side = self.side(from);
        side.half.told = bytes;
        let head = Head {
            bytes: &side.half.told,
            offset,
            violation,
        };
        match from {
            Role::Client => Seen::Request(head),
            Role::Server => Seen::Response(head),
        }
    }

    fn follow(&mut self, from: Role, follows: Follows, interim: bool) {
        let half = &mut self.side(from).half;
        match follows {
            Follows::Head => half.next_head(),
            Follows::Body(reader) => half.phase = NextByte::Body(Box::new(reader)),
            Follows::Answer => half.phase = NextByte::Waiting,
            Follows::Nothing => half.phase = NextByte::Opaque,
            Follows::Tunnel => {
                half.next_head();
                self.client.half.next_head();
                self.opening = Requests::default();
                self.ends = BothEnds::default();
                self.opened = Some(None);
                return;
            }
            Follows::Frames(negotiated) => {
                self.open(negotiated.clone());
                self.opened = Some(Some(negotiated));
                return;
            }
        }
        match from {
            Role::Client if matches!(self.client.half.phase, NextByte::Waiting) => self.ends.ask(),
            Role::Server if !interim && matches!(self.client.half.phase, NextByte::Waiting) => {
                self.ends.refused = true;
                self.client.half.next_head();
            }
            _ => {}
        }
    }

    fn open(&mut self, negotiated: Negotiated) {
        self.ends.opened = true;
        self.opening = Requests::default();
        let bits = negotiated.reserved_bits;
        self.negotiated = Some(Box::new(negotiated));
        for from in [Role::Client, Role::Server] {
            let side = self.side_ref(from);
            let (phase, waits) = (&side.half.phase, side.held.len() > side.held_at);
            let missed = matches!(phase, NextByte::Searching);
            // Frames begin with the next byte, or among those that are there.
            let lost = matches!(phase, NextByte::Opaque) || missed && waits;
            let decoder = self.decoder(from, missed);
            let half = &mut self.side(from).half;
            half.open(bits, decoder);
            if lost {
                half.lose();
            }
        }
    }

    /// What decodes the messages of this end, with its reserved bit; `lost`: some before were missed.
    fn decoder(&self, from: Role, lost: bool) -> Option<(Decoder, u8)> {
        let negotiated = self.negotiated.as_ref()?;
        let extensions = &self.config.settings().extensions;
        let bits = negotiated.reserved_bits;
        let codec = || extensions.codec(from.peer(), &negotiated.extensions, bits);
        let twin = || codec().map(|codec| codec.messages);
        let codec = codec()?;
        // RFC 7692 §7.1.1. Of another extension it is not known.
        let parameter = match from {
            Role::Client => "client_no_context_takeover",
            Role::Server => "server_no_context_takeover",
        };
        let takes_over = !elements(&negotiated.extensions)
            .any(|extension| extension.params().any(|param| param.name() == parameter));
        let mut decoder = Decoder::new(codec.messages, takes_over);
        if lost {
            decoder.lose(twin());
        }
        Some((decoder, codec.bit))
    }

    fn message(&self, from: Role) -> Option<SeenMessage<'_>> {
        let half = &self.side_ref(from).half;
        let message = half.message()?;
        let offset = half.frame().map_or(0, Frame::offset);
        Some(SeenMessage {
            from,
            kind: message.kind,
            payload: &message.payload,
            holes: &message.holes,
            len: message.len,
            wire_len: message.wire_len,
            frames: message.frames,
            encoded: message.encoded,
            content: message.content,
            violation: message.error.map(|error| Violation {
                by: from,
                rule: Rule::Protocol(error),
                offset,
            }),
        })
    }

    fn control(&mut self, from: Role, opcode: Opcode) -> Seen<'_> {
        let Self {
            client,
            server,
            ends,
            now,
            ..
        } = self;
        let (side, other) = match from {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let payload = &side.half.told[..];
        match opcode {
            Opcode::Ping => {
                side.pings.sent(payload, *now);
                Seen::Ping { from, payload }
            }
            Opcode::Pong => {
                let (solicited, round_trip) = other.pings.answered(payload, *now);
                Seen::Pong {
                    from,
                    payload,
                    solicited,
                    round_trip,
                }
            }
            _ => {
                let violation = side.half.close_violation(payload);
                let (code, reason) = close_body(payload);
                ends.close(from, code);
                ends.broke(from, usize::from(violation.is_some()));
                Seen::Close {
                    from,
                    code,
                    reason,
                    violation,
                }
            }
        }
    }
}

/// States and lengths only.
impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("client", &self.state(Role::Client))
            .field("server", &self.state(Role::Server))
            .field("memory_held", &self.memory_held())
            .finish_non_exhaustive()
    }
}
