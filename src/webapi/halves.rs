//! A `WebSocket` in two halves, where scripts and the network live in different threads or processes.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::close_code::CloseCode;
use crate::error::{SendError, Unsent};
use crate::event::Message;

use super::pending::Place;
use super::sending::close_frame;
use super::{BinaryType, CloseEvent, DomEvent, Exception, ReadyState, WebSocket};

impl WebSocket {
    /// The object that a script holds, and what drives its connection. They share nothing: the engine carries
    /// [`Command`]s to the network and [`Report`]s back, in order, over a channel of its own.
    ///
    /// ```
    /// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
    /// use sansocket::{ClientConfig, Negotiated, webapi::{DomEvent, WebSocket}};
    /// let (mut script, mut network) = WebSocket::connecting("wss://example.com/", "chat")?.split();
    /// // In the thread of the network:
    /// network.socket().established(&ClientConfig::new(), Negotiated::new().subprotocol("chat"));
    /// let report = network.receive(&mut &mut [][..]).unwrap();
    /// // In the thread of the script, as a task:
    /// assert!(matches!(script.apply(report), Some(DomEvent::Open)));
    /// assert_eq!((script.protocol(), script.ready_state() as u16), ("chat", 1));
    /// let command = script.send("hello")?;
    /// assert_eq!(script.buffered_amount(), 5);
    /// // And back:
    /// network.apply(command);
    /// network.socket().consume_output(usize::MAX); // written
    /// script.apply(network.receive(&mut &mut [][..]).unwrap());
    /// assert_eq!(script.buffered_amount(), 0);
    /// # Ok::<(), sansocket::webapi::Exception>(())
    /// ```
    #[must_use]
    pub fn split(self) -> (ScriptSide, NetworkSide) {
        let script = ScriptSide {
            url: self.url().into(),
            origin: self.origin(),
            ready_state: self.ready_state(),
            binary_type: self.binary_type(),
            protocol: self.protocol().into(),
            extensions: self.extensions().into(),
            unwritten: self.buffered_amount(),
            buffer: self.buffer.unwrap_or(u32::MAX),
            sent: self.queued(),
            gone: 0,
            places: 0,
            unfilled: 0,
        };
        let network = NetworkSide {
            unwritten: script.unwritten,
            applied: script.sent,
            gone: 0,
            told: script.ready_state,
            places: BTreeMap::new(),
            socket: self,
        };
        (script, network)
    }
}

/// What a script did, on its way to the network.
#[must_use = "the network has to be told"]
pub struct Command(Do);

enum Do {
    Send(Message<'static>),
    /// The script's half knows that there is room.
    SendWithin(Message<'static>),
    Reserve(u64, u64),
    Fill(u64, Option<Vec<u8>>),
    Close(Option<CloseCode>, String),
    GoAway,
}

/// What the network did, on its way to the script.
#[must_use = "the script has to be told"]
pub struct Report(Did);

enum Did {
    Open {
        protocol: String,
        extensions: String,
    },
    Message(Message<'static>),
    /// So many bytes of payload were written, and so many that the script sent since the beginning, framing included,
    /// are queued no more.
    Written(u64, u64),
    /// The closing handshake has begun.
    Closing,
    Error,
    Close(CloseEvent),
}

/// The script's half: attributes, methods and events. See [`WebSocket::split`].
#[derive(Debug)]
pub struct ScriptSide {
    url: String,
    origin: String,
    ready_state: ReadyState,
    binary_type: BinaryType,
    protocol: String,
    extensions: String,
    unwritten: u64,
    buffer: u32,
    /// Bytes that were sent since the beginning, with framing, and those of them that are known to have gone.
    sent: u64,
    gone: u64,
    places: u64,
    /// Places without bytes.
    unfilled: u64,
}

/// A place for a Blob, as on [`WebSocket::reserve`].
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "what is sent later waits until the place is filled or given up"]
pub struct ScriptPlace(u64);

impl ScriptSide {
    /// What a report comes to: the event to fire, if any.
    pub fn apply(&mut self, report: Report) -> Option<DomEvent<'static>> {
        match report.0 {
            // `close` was called meanwhile.
            Did::Open { .. } if self.ready_state != ReadyState::Connecting => None,
            Did::Open {
                protocol,
                extensions,
            } => {
                self.ready_state = ReadyState::Open;
                (self.protocol, self.extensions) = (protocol, extensions);
                Some(DomEvent::Open)
            }
            Did::Message(message) => {
                (self.ready_state == ReadyState::Open).then_some(DomEvent::Message(message))
            }
            Did::Written(bytes, gone) => {
                self.unwritten = self.unwritten.saturating_sub(bytes);
                self.gone = gone;
                None
            }
            Did::Closing => {
                self.ready_state = self.ready_state.max(ReadyState::Closing);
                None
            }
            Did::Error => {
                self.ready_state = ReadyState::Closed;
                Some(DomEvent::Error)
            }
            Did::Close(close) => {
                self.ready_state = ReadyState::Closed;
                Some(DomEvent::Close(close))
            }
        }
    }

    /// As [`WebSocket::send`].
    ///
    /// # Errors
    /// [`Exception::InvalidState`] while connecting.
    pub fn send<'m>(&mut self, data: impl Into<Message<'m>>) -> Result<Command, Exception> {
        let message = data.into().into_owned();
        self.count(message.as_bytes().len() as u64)?;
        Ok(Command(Do::Send(message)))
    }

    /// As [`WebSocket::try_send`]: gives the message back where there is no room for it, until reports say that the
    /// network has written. What it takes does not close the connection as full, whatever is queued beside it.
    ///
    /// # Errors
    /// [`SendError::NotOpen`], [`SendError::Closing`]; [`SendError::Full`] from [`Init::buffer`](super::Init::buffer) on,
    /// with what is queued here, on its way, and in the network; and [`SendError::MessageInProgress`] while a
    /// [`ScriptPlace`] waits for its bytes.
    pub fn try_send<'m>(
        &mut self,
        data: impl Into<Message<'m>>,
    ) -> Result<Command, Unsent<Message<'m>>> {
        let message = data.into();
        let (queued, limit) = (self.sent.saturating_sub(self.gone), self.buffer);
        let why = match self.ready_state {
            ReadyState::Connecting => SendError::NotOpen,
            ReadyState::Open if self.unfilled > 0 => SendError::MessageInProgress,
            ReadyState::Open if queued >= u64::from(limit) => SendError::Full {
                queued: usize::try_from(queued).unwrap_or(usize::MAX),
                limit,
            },
            ReadyState::Open => {
                self.add(message.as_bytes().len() as u64);
                return Ok(Command(Do::SendWithin(message.into_owned())));
            }
            ReadyState::Closing | ReadyState::Closed => SendError::Closing,
        };
        Err(Unsent { why, message })
    }

    /// As [`WebSocket::reserve`].
    ///
    /// # Errors
    /// [`Exception::InvalidState`] while connecting.
    pub fn reserve(&mut self, len: u64) -> Result<(ScriptPlace, Command), Exception> {
        self.count(len)?;
        let number = self.places;
        self.places += 1;
        self.unfilled += 1;
        Ok((ScriptPlace(number), Command(Do::Reserve(number, len))))
    }

    /// As [`WebSocket::fill`].
    pub fn fill(&mut self, place: ScriptPlace, bytes: impl Into<Vec<u8>>) -> Command {
        self.unfilled -= 1;
        Command(Do::Fill(place.0, Some(bytes.into())))
    }

    /// As [`WebSocket::give_up`].
    pub fn give_up(&mut self, place: ScriptPlace) -> Command {
        self.unfilled -= 1;
        Command(Do::Fill(place.0, None))
    }

    /// As [`WebSocket::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(&mut self, code: Option<u16>, reason: Option<&str>) -> Result<Command, Exception> {
        let (code, reason) = close_frame(code, reason)?;
        self.ready_state = self.ready_state.max(ReadyState::Closing);
        Ok(Command(Do::Close(code, reason.into())))
    }

    /// As [`WebSocket::go_away`].
    pub fn go_away(&mut self) -> Command {
        self.ready_state = self.ready_state.max(ReadyState::Closing);
        Command(Do::GoAway)
    }

    /// Counts what the script sends, whether it goes out or not.
    fn count(&mut self, len: u64) -> Result<(), Exception> {
        if self.ready_state == ReadyState::Connecting {
            return Err(Exception::InvalidState);
        }
        self.add(len);
        Ok(())
    }

    fn add(&mut self, len: u64) {
        self.unwritten = self.unwritten.saturating_add(len);
        self.sent = self.sent.saturating_add(framed(len));
    }

    /// `url`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The `origin` of message events.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// `readyState`
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.ready_state
    }

    /// `bufferedAmount`. It falls with reports only, and so never within a task.
    #[must_use]
    pub fn buffered_amount(&self) -> u64 {
        self.unwritten
    }

    /// `protocol`
    #[must_use]
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// `extensions`
    #[must_use]
    pub fn extensions(&self) -> &str {
        &self.extensions
    }

    /// `binaryType`
    #[must_use]
    pub fn binary_type(&self) -> BinaryType {
        self.binary_type
    }

    /// Sets `binaryType`.
    pub fn set_binary_type(&mut self, binary_type: BinaryType) {
        self.binary_type = binary_type;
    }
}

/// The network's half. See [`WebSocket::split`].
#[derive(Debug)]
pub struct NetworkSide {
    socket: WebSocket,
    /// What the script still counts.
    unwritten: u64,
    /// Bytes that the script has sent since the beginning, with framing, and those of them that it knows to have gone.
    applied: u64,
    gone: u64,
    told: ReadyState,
    places: BTreeMap<u64, Place>,
}

impl NetworkSide {
    /// What is below, for the driver: output, time, transport. The script's calls come by
    /// [`apply`](Self::apply), and events by [`receive`](Self::receive).
    pub fn socket(&mut self) -> &mut WebSocket {
        &mut self.socket
    }

    /// Does what the script did.
    pub fn apply(&mut self, command: Command) {
        let before = self.socket.buffered_amount();
        match command.0 {
            // The script was told that it is open, so it is, or was.
            Do::Send(message) => {
                self.add(message.as_bytes().len() as u64);
                let _ = self.socket.send(message);
            }
            Do::SendWithin(message) => {
                self.add(message.as_bytes().len() as u64);
                self.socket.send_within(message);
            }
            Do::Reserve(number, len) => {
                self.add(len);
                if let Ok(place) = self.socket.reserve(len) {
                    self.places.insert(number, place);
                }
            }
            Do::Fill(number, bytes) => {
                if let Some(place) = self.places.remove(&number) {
                    match bytes {
                        Some(bytes) => self.socket.fill(place, bytes),
                        None => self.socket.give_up(place),
                    }
                }
            }
            Do::Close(code, reason) => self.socket.start_closing(code, &reason),
            Do::GoAway => self.socket.go_away(),
        }
        let more = self.socket.buffered_amount().saturating_sub(before);
        self.unwritten = self.unwritten.saturating_add(more);
    }

    fn add(&mut self, len: u64) {
        self.applied = self.applied.saturating_add(framed(len));
    }

    /// As [`WebSocket::receive`]: call it until there is nothing more, also when something was written.
    pub fn receive(&mut self, input: &mut &mut [u8]) -> Option<Report> {
        let buffered = self.socket.buffered_amount();
        let gone = self.applied.saturating_sub(self.socket.queued());
        if buffered < self.unwritten || gone > self.gone {
            let written = self.unwritten.saturating_sub(buffered);
            self.unwritten = buffered;
            self.gone = self.gone.max(gone);
            return Some(Report(Did::Written(written, self.gone)));
        }
        let event = self.socket.receive(input).map(DomEvent::into_owned);
        let state = self.socket.ready_state();
        let closing = state == ReadyState::Closing && self.told < state;
        self.told = state;
        Some(Report(match event {
            Some(DomEvent::Open) => Did::Open {
                protocol: self.socket.protocol().into(),
                extensions: self.socket.extensions().into(),
            },
            Some(DomEvent::Message(message)) => Did::Message(message),
            Some(DomEvent::Error) => Did::Error,
            Some(DomEvent::Close(close)) => Did::Close(close),
            None if closing => Did::Closing,
            None => return None,
        }))
    }
}

/// What a message of this length takes in the queue, at most: a client's longest head of a frame is 14 bytes (RFC 6455 §5.2).
pub(super) fn framed(len: u64) -> u64 {
    len.saturating_add(14)
}

/// What kind it is.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Do::Send(_) | Do::SendWithin(_) => "Command(Send)",
            Do::Reserve(..) | Do::Fill(..) => "Command(Blob)",
            Do::Close(..) | Do::GoAway => "Command(Close)",
        })
    }
}

/// What kind it is.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Did::Open { .. } => "Report(Open)",
            Did::Message(_) => "Report(Message)",
            Did::Written(..) => "Report(Written)",
            Did::Closing => "Report(Closing)",
            Did::Error => "Report(Error)",
            Did::Close(_) => "Report(Close)",
        })
    }
}
