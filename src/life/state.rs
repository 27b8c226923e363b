//! What is told of the life of a connection: where it is, what to do with the transport, and who began to close.

/// Where a connection is in its life (RFC 6455 §4.1, §7.1.3, §7.1.4).
///
/// A client goes from `Initial` (the request is queued and none of it has left) over `Connecting`
/// to `Open`; a server is `Initial` until it accepts. A connection that is refused, dropped or
/// lost goes to `Closed` from wherever it is. There is no way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Nothing was sent yet.
    Initial,
    /// Client: the request is on its way, or the answer.
    Connecting,
    /// Established: messages flow both ways.
    Open,
    /// A Close frame was queued or received, the connection was failed, or nothing can be written any more.
    Closing,
    /// The connection is over. What to do with the transport: [`Connection::transport`](crate::Connection::transport).
    Closed,
}

/// What to do with the transport below (RFC 6455 §7.1.1). Written output comes first, and is flushed: a
/// driver asks when [`output`](crate::Connection::output) is empty and the stream has passed it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Read and write on.
    KeepOpen,
    /// Nothing more will be written: shut down writing, then read and discard until the peer's end
    /// or the deadline, so that the last bytes are not lost to a reset (RFC 6455 §7.1.1). Only
    /// asked of a caller that tells the time, as it has to be bounded; others get `Close`. A
    /// driver that cannot shut down one direction may close at once.
    ShutdownWrite,
    /// Both Close frames were exchanged and the server ends the transport first: a client waits
    /// for that, until the close timeout at the latest. Reading goes on.
    AwaitPeerEnd,
    /// Close it now. Once [`receive_eof`](crate::Connection::receive_eof) was called, and the events and the output
    /// were taken, it is always this: a driver that has read the end never waits for anything.
    ///
    /// If the report says that the closing handshake was not complete, an HTTP/2 or
    /// HTTP/3 stream is reset (RFC 8441 §5).
    Close,
}

/// Who sent the first Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This end.
    Us,
    /// The other end.
    Peer,
    /// Both at once: the peer's Close frame arrived before ours had left.
    Both,
}
