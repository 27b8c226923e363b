//! A connection: bytes in and out, messages, the closing handshake, time.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sansocket::error::Unsent;
use sansocket::event::CloseFrame;
use sansocket::extension::Compress;
use sansocket::{CloseCode, Connection, Kind, Part, Role, State, Transport};

use crate::abi::{bytes, bytes_mut, duration, milliseconds, ws_piece, ws_told};
use crate::error::{Refused, did};
use crate::event::{Kept, Teller};
use crate::numbers::{compress, kind, refused, state, tell, transport};

/// One end of a WebSocket connection.
pub struct ws_connection {
    pub(crate) core: Connection,
    /// What the last event points to.
    pub(crate) kept: Option<Kept>,
    /// What the last list that was asked for is.
    pub(crate) list: Vec<u8>,
}

impl ws_connection {
    pub(crate) fn new(core: Connection) -> *mut Self {
        Box::into_raw(Box::new(Self {
            core,
            kept: None,
            list: Vec::new(),
        }))
    }
}

/// The connection that a pointer of the caller's points to.
macro_rules! connection {
    ($pointer:ident) => {
        // SAFETY: every function asks for a handle that was not freed, and nothing else uses it during the call.
        unsafe { &mut *$pointer }
    };
}

pub(crate) use connection;

/// Ends a connection, whatever its state, and gives its memory back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_free(connection: *mut ws_connection) {
    // SAFETY: it was made by `ws_connection::new` and is not used afterwards.
    drop(unsafe { Box::from_raw(connection) });
}

// ── in

/// Takes bytes that were received, up to the next event, and returns how many. Payload is unmasked where it lies.
///
/// `told.what` is 0 if all of them were taken. Where some are left then, the connection takes no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receive(
    connection: *mut ws_connection,
    data: *mut u8,
    len: usize,
    told: *mut ws_told,
) -> usize {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes that only this call uses.
    let mut input = unsafe { bytes_mut(data, len) };
    let range = input.as_ptr_range();
    ws.kept = None;
    let event = ws.core.receive(&mut input);
    let taken = len - input.len();
    let mut teller = Teller {
        kept: &mut ws.kept,
        input: range,
    };
    let event = event.map(|event| teller.tell(event)).unwrap_or_default();
    // SAFETY: what is asked of the caller.
    unsafe { event.put(told) };
    taken
}

/// Copies bytes into the connection that cannot be handled yet: the next `ws_receive` goes on from there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_keep_input(connection: *mut ws_connection, data: *mut u8, len: usize) {
    // SAFETY: `data` points to `len` bytes that only this call uses.
    let mut input = unsafe { bytes_mut(data, len) };
    connection!(connection).core.keep_input(&mut input);
}

/// Tells what the transport did, as a number of [`tell`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_tell(connection: *mut ws_connection, what: u32) {
    let core = &mut connection!(connection).core;
    match what {
        tell::EOF => core.receive_eof(),
        tell::WRITE_LOST => core.write_lost(),
        tell::TRANSPORT_LOST => core.transport_lost(),
        tell::TLS_FAILED => core.tls_failed(),
        tell::STREAM_MESSAGE => core.stream_message(),
        _ => {}
    }
}

// ── out

/// Writes where what is to be written lies, in up to `n` pieces, and returns how many there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_output(
    connection: *mut ws_connection,
    pieces: *mut ws_piece,
    n: usize,
) -> usize {
    const MOST: usize = 64;
    let mut slices = [&[][..]; MOST];
    let core = &connection!(connection).core;
    let n = core.output_slices(&mut slices[..n.min(MOST)]);
    for (at, slice) in slices[..n].iter().enumerate() {
        let piece = ws_piece {
            data: slice.as_ptr(),
            len: slice.len(),
        };
        // SAFETY: `pieces` has room for as many as were asked for.
        unsafe { pieces.add(at).write(piece) };
    }
    n
}

/// How many bytes are to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_output_len(connection: *mut ws_connection) -> usize {
    connection!(connection).core.output_len()
}

/// So many of them were written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_consume_output(connection: *mut ws_connection, n: usize) {
    connection!(connection).core.consume_output(n);
}

/// Bytes of messages that are queued, without their frames.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_buffered_amount(connection: *mut ws_connection) -> f64 {
    connection!(connection).core.buffered_amount() as f64
}

// ── messages

fn compression(how: u32) -> Result<Compress, Refused> {
    match how {
        compress::AUTO => Ok(Compress::Auto),
        compress::NEVER => Ok(Compress::Never),
        compress::ALWAYS => Ok(Compress::Always),
        compress::ALONE => Ok(Compress::Alone),
        _ => Err(Refused::argument("a compression that there is not")),
    }
}

fn sent_whole<M>(sent: Result<(), Unsent<M>>) -> Result<(), Refused> {
    sent.map_err(|unsent| unsent.why.into())
}

/// Queues a message of a [`kind`], or with `part` one frame of it: 1 for the last one, 2 for another. It is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send(
    connection: *mut ws_connection,
    kind: u32,
    data: *const u8,
    len: usize,
    part: u32,
    how: u32,
    told: *mut ws_told,
) -> u32 {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes.
    let data = unsafe { bytes(data, len) };
    let sent = compression(how).and_then(|how| {
        if part == 0 {
            ws.core.can_send()?;
            if kind == kind::BINARY {
                return sent_whole(ws.core.send_with(data, how));
            }
            if let Ok(text) = core::str::from_utf8(data) {
                return sent_whole(ws.core.send_with(text, how));
            }
        }
        // As a part, what is no text is refused with the place where it breaks.
        let kind = if kind == kind::TEXT {
            Kind::Text
        } else {
            Kind::Binary
        };
        let frame = Part::new(kind, data).last_if(part != 2).compress(how);
        ws.core.send_part(frame).map_err(Into::into)
    });
    // SAFETY: what is asked of the caller.
    unsafe { did(sent, told) }
}

/// Queues a Ping, of at most 125 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_ping(
    connection: *mut ws_connection,
    data: *const u8,
    len: usize,
    told: *mut ws_told,
) -> u32 {
    // SAFETY: `data` points to `len` bytes.
    let data = unsafe { bytes(data, len) };
    let queued = connection!(connection).core.ping(data);
    // SAFETY: what is asked of the caller.
    unsafe { did(queued, told) }
}

/// Queues a Pong, of at most 125 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_pong(
    connection: *mut ws_connection,
    data: *const u8,
    len: usize,
    told: *mut ws_told,
) -> u32 {
    // SAFETY: `data` points to `len` bytes.
    let data = unsafe { bytes(data, len) };
    let queued = connection!(connection).core.pong(data);
    // SAFETY: what is asked of the caller.
    unsafe { did(queued, told) }
}

// ── the closing handshake

/// A code, 0 for none, and a reason of the caller's.
fn close_frame(code: u32, why: &[u8]) -> Result<(Option<CloseCode>, &str), Refused> {
    let why = core::str::from_utf8(why);
    let why = why.map_err(|_| Refused::argument("a reason that is not UTF-8"))?;
    if code == 0 {
        return Ok((None, why));
    }
    let known = u16::try_from(code).ok().and_then(CloseCode::new);
    let known = known
        .ok_or_else(|| Refused::argument("a code that no Close frame may have (RFC 6455 §7.4)"))?;
    Ok((Some(known), why))
}

/// Begins the closing handshake (RFC 6455 §7.1.2) with a code, 0 for none, and a reason.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_close(
    connection: *mut ws_connection,
    code: u32,
    why: *const u8,
    len: usize,
    told: *mut ws_told,
) -> u32 {
    let ws = connection!(connection);
    // SAFETY: `why` points to `len` bytes.
    let closed = close_frame(code, unsafe { bytes(why, len) })
        .and_then(|(code, why)| ws.core.close(code, why).map_err(Into::into));
    // SAFETY: what is asked of the caller.
    unsafe { did(closed, told) }
}

/// Fails the connection with a code (RFC 6455 §7.1.7): nothing is delivered after it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_fail(
    connection: *mut ws_connection,
    code: u32,
    why: *const u8,
    len: usize,
    told: *mut ws_told,
) -> u32 {
    let ws = connection!(connection);
    // SAFETY: `why` points to `len` bytes.
    let failed = close_frame(code, unsafe { bytes(why, len) }).and_then(|(code, why)| {
        let code = code.ok_or_else(|| Refused::argument("a code is wanted"))?;
        ws.core.fail(code, why).map_err(Into::into)
    });
    // SAFETY: what is asked of the caller.
    unsafe { did(failed, told) }
}

/// A Close frame in `told`, ours as soon as it is queued, or the peer's: false if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_close_frame(
    connection: *mut ws_connection,
    received: bool,
    told: *mut ws_told,
) -> bool {
    let core = &connection!(connection).core;
    let frame: Option<&CloseFrame> = if received {
        core.close_received()
    } else {
        core.close_sent()
    };
    let Some(frame) = frame else {
        return false;
    };
    let found = ws_told {
        code: frame.code.map_or(0, |code| code.get().into()),
        ..ws_told::default()
    };
    // SAFETY: what is asked of the caller.
    unsafe { found.bytes(frame.reason().as_bytes()).put(told) };
    true
}

// ── time, and what it is

/// Tells the time, in milliseconds of a clock that never goes back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_advance_time(connection: *mut ws_connection, now: f64) {
    if let Some(now) = duration(now) {
        connection!(connection).core.advance_time(now);
    }
}

/// When `ws_advance_time` has to be called next, on the same clock; infinity while nothing is waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_next_deadline(connection: *mut ws_connection) -> f64 {
    milliseconds(connection!(connection).core.next_deadline())
}

/// Where it is in its life, as a number of [`state`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_get_state(connection: *mut ws_connection) -> u32 {
    match connection!(connection).core.state() {
        State::Initial => state::INITIAL,
        State::Connecting => state::CONNECTING,
        State::Open => state::OPEN,
        State::Closing => state::CLOSING,
        State::Closed => state::CLOSED,
    }
}

/// What to do with the transport, as a number of [`transport`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_get_transport(connection: *mut ws_connection) -> u32 {
    match connection!(connection).core.transport() {
        Transport::KeepOpen => transport::KEEP_OPEN,
        Transport::ShutdownWrite => transport::SHUTDOWN_WRITE,
        Transport::AwaitPeerEnd => transport::AWAIT_PEER_END,
        // A way that a later version of the core adds is the end, too.
        _ => transport::CLOSE_TRANSPORT,
    }
}

/// It is a server's end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_is_server(connection: *mut ws_connection) -> bool {
    connection!(connection).core.role() == Role::Server
}

/// A message can be queued now: 0, or the number of what is against it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_can_send(connection: *mut ws_connection) -> u32 {
    let can = connection!(connection).core.can_send();
    can.map_or_else(|why| why.code().into(), |()| refused::OK)
}

/// Bytes of heap that it holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_memory_held(connection: *mut ws_connection) -> usize {
    connection!(connection).core.memory_held()
}

/// This build has permessage-deflate.
#[unsafe(no_mangle)]
pub extern "C" fn ws_compresses() -> bool {
    cfg!(feature = "deflate")
}
