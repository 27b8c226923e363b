//! A connection: bytes in and out, messages, the closing handshake, time.

use std::ffi::{c_char, c_int, c_void};
use std::ops::Range;

use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::extension::Compress;
use sansocket::{CloseCode, Connection, Event, Kind, Part, Role, State, Transport};

use crate::abi::{SS_NEVER, array, bytes, bytes_mut, nanos, put, ss_field, ss_slice, text};
use crate::error::{LastError, Refused, ss_status};
use crate::event::{Kept, Teller, ss_event};

/// One end of a WebSocket connection. Make it with `ss_server_new`, `ss_client_new` or their siblings, and free it with
/// `ss_free`. One thread at a time may use it.
pub struct ss_connection {
    pub(crate) core: Connection,
    /// What the last event points to.
    pub(crate) kept: Option<Kept>,
    pub(crate) error: LastError,
}

impl ss_connection {
    pub(crate) fn new(core: Connection) -> *mut Self {
        Box::into_raw(Box::new(Self {
            core,
            kept: None,
            error: LastError::default(),
        }))
    }

    /// What a call comes to.
    pub(crate) fn did<E: Into<Refused>>(&mut self, done: Result<(), E>) -> ss_status {
        self.error.keep(done.map_err(Into::into))
    }
}

/// Randomness of the caller's.
pub(crate) struct Callback {
    pub(crate) function: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> c_int,
    pub(crate) context: *mut c_void,
}

// SAFETY: `ss_config` asks for a function and a context that can be used by whatever thread uses the connection, one at
// a time.
unsafe impl Send for Callback {}
// SAFETY: it is only called through a connection that is borrowed mutably.
unsafe impl Sync for Callback {}

impl Entropy for Callback {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        // SAFETY: `ss_config` asks for a function that fills what it is given.
        match unsafe { (self.function)(self.context, out.as_mut_ptr(), out.len()) } {
            0 => Ok(()),
            _ => Err(NoEntropy),
        }
    }
}

/// Where a connection is in its life.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ss_state {
    /// Nothing was sent yet: a server is in it until it accepts.
    SS_STATE_INITIAL = 0,
    /// A client's request is on its way, or the answer.
    SS_STATE_CONNECTING = 1,
    /// Messages can be sent.
    SS_STATE_OPEN = 2,
    /// The closing handshake is going on, or the connection was failed.
    SS_STATE_CLOSING = 3,
    /// It is over.
    SS_STATE_CLOSED = 4,
}

/// What to do with the transport once the output was written.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ss_transport {
    /// Read and write on.
    SS_KEEP_OPEN = 0,
    /// Shut down writing, then read until the peer's end.
    SS_SHUTDOWN_WRITE = 1,
    /// The server ends the transport first: read on until it does.
    SS_AWAIT_PEER_END = 2,
    /// Close it now.
    SS_CLOSE_TRANSPORT = 3,
}

/// Whether a message is compressed, where permessage-deflate was agreed on: from a threshold on.
pub const SS_COMPRESS_AUTO: u32 = 0;
/// Not compressed: for what is compressed already, and for secrets.
pub const SS_COMPRESS_NEVER: u32 = 1;
/// Compressed, whatever its length.
pub const SS_COMPRESS_ALWAYS: u32 = 2;
/// Compressed in a context of its own, so that its length says nothing about other messages.
pub const SS_COMPRESS_ALONE: u32 = 3;

fn compress(how: u32) -> Result<Compress, Refused> {
    match how {
        SS_COMPRESS_AUTO => Ok(Compress::Auto),
        SS_COMPRESS_NEVER => Ok(Compress::Never),
        SS_COMPRESS_ALWAYS => Ok(Compress::Always),
        SS_COMPRESS_ALONE => Ok(Compress::Alone),
        _ => Err(Refused::argument("a compression that there is not")),
    }
}

/// The connection that a pointer of the caller's points to.
macro_rules! connection {
    ($pointer:ident) => {
        // SAFETY: every function asks for a handle that was not freed, and that no other thread uses.
        unsafe { &mut *$pointer }
    };
}

pub(crate) use connection;

/// Ends a connection, whatever its state, and gives its memory back. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_free(connection: *mut ss_connection) {
    if !connection.is_null() {
        // SAFETY: it was made by `ss_connection::new` and is not used afterwards.
        drop(unsafe { Box::from_raw(connection) });
    }
}

/// Why the last call that did not give `SS_OK` was refused, as a sentence. It is valid until the next call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_last_error(connection: *mut ss_connection) -> *const c_char {
    connection!(connection).error.as_ptr()
}

// ── in

/// Takes bytes that were received, up to the next event, and tells how many were `used`. True: there is an event. False:
/// all of them were taken, and more has to be read. Payload is unmasked where it lies, so `data` is written to.
///
/// Call it again with the rest until it gives false. With no bytes it gives events that other calls have brought, such as
/// `ss_advance_time`. Where it leaves some while it gives false, the connection takes no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_receive(
    connection: *mut ss_connection,
    data: *mut u8,
    len: usize,
    used: *mut usize,
    event: *mut ss_event,
) -> bool {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes that only this call uses.
    let mut input = unsafe { bytes_mut(data, len) };
    let range = input.as_ptr_range();
    ws.kept = None;
    let told = ws.core.receive(&mut input);
    let taken = len - input.len();
    // SAFETY: both places may be written to, or are NULL.
    unsafe { give(&mut ws.kept, range, told, taken, used, event) }
}

/// The same for input that is not written to: payloads are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_receive_copy(
    connection: *mut ss_connection,
    data: *const u8,
    len: usize,
    used: *mut usize,
    event: *mut ss_event,
) -> bool {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes.
    let mut input = unsafe { bytes(data, len) };
    ws.kept = None;
    let told = ws.core.receive_copy(&mut input);
    let taken = len - input.len();
    let nowhere = std::ptr::null()..std::ptr::null();
    // SAFETY: both places may be written to, or are NULL.
    unsafe { give(&mut ws.kept, nowhere, told, taken, used, event) }
}

/// Writes what a call that received has brought.
///
/// # Safety
/// `used` and `event` are NULL or may be written to.
unsafe fn give(
    kept: &mut Option<Kept>,
    input: Range<*const u8>,
    told: Option<Event<'_>>,
    taken: usize,
    used: *mut usize,
    event: *mut ss_event,
) -> bool {
    let told = told.map(|told| Teller { kept, input }.tell(told));
    // SAFETY: what is asked of the caller.
    unsafe {
        put(used, taken);
        put(event, told.unwrap_or_default());
    }
    told.is_some()
}

/// Copies bytes into the connection that cannot be handled yet, so that the buffer is free: the next `ss_receive` goes
/// on from there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_keep_input(connection: *mut ss_connection, data: *mut u8, len: usize) {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes that only this call uses.
    let mut input = unsafe { bytes_mut(data, len) };
    ws.core.keep_input(&mut input);
}

/// The peer has ended the stream. What that brings comes from the next `ss_receive`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_receive_eof(connection: *mut ss_connection) {
    connection!(connection).core.receive_eof();
}

/// Nothing can be written any more; reading goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_write_lost(connection: *mut ss_connection) {
    connection!(connection).core.write_lost();
}

/// The transport is gone, in both directions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_transport_lost(connection: *mut ss_connection) {
    connection!(connection).core.transport_lost();
}

/// The TLS handshake failed (1015).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_tls_failed(connection: *mut ss_connection) {
    connection!(connection).core.tls_failed();
}

/// With `SS_ASK`: the message that `SS_EVENT_START` told of comes in chunks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_stream_message(connection: *mut ss_connection) {
    connection!(connection).core.stream_message();
}

// ── out

/// What is to be written, in up to `n` pieces. Returns how many there are; they are valid until the next call. An
/// `ss_slice` is laid out like `struct iovec`, so that they can be given to `writev`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_output(
    connection: *mut ss_connection,
    pieces: *mut ss_slice,
    n: usize,
) -> usize {
    const MOST: usize = 64;
    let ws = connection!(connection);
    let mut slices = [&[][..]; MOST];
    let n = ws.core.output_slices(&mut slices[..n.min(MOST)]);
    for (at, slice) in slices[..n].iter().enumerate() {
        // SAFETY: `pieces` has room for as many as were asked for.
        unsafe { pieces.add(at).write(ss_slice::of(slice)) };
    }
    n
}

/// How many bytes are to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_output_len(connection: *mut ss_connection) -> usize {
    connection!(connection).core.output_len()
}

/// So many of them were written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_consume_output(connection: *mut ss_connection, n: usize) {
    connection!(connection).core.consume_output(n);
}

/// Bytes of messages that are queued, without their frames.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_buffered_amount(connection: *mut ss_connection) -> u64 {
    connection!(connection).core.buffered_amount()
}

// ── messages

/// Queues a text message. It is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_send_text(
    connection: *mut ss_connection,
    text: *const c_char,
    len: usize,
    how: u32,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: `text` points to `len` bytes.
    let text = unsafe { bytes(text.cast(), len) };
    let sent = compress(how).and_then(|how| {
        ws.core.can_send()?;
        match std::str::from_utf8(text) {
            Ok(text) => {
                let sent = ws.core.send_with(text, how);
                sent.map_err(|unsent| unsent.why.into())
            }
            // As a part it is refused with the place where it breaks.
            Err(_) => Ok(ws.core.send_part(Part::text(text).last())?),
        }
    });
    ws.did(sent)
}

/// Queues a binary message. It is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_send_binary(
    connection: *mut ss_connection,
    data: *const u8,
    len: usize,
    how: u32,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes.
    let data = unsafe { bytes(data, len) };
    let sent = compress(how).and_then(|how| {
        let sent = ws.core.send_with(data, how);
        sent.map_err(|unsent| unsent.why.into())
    });
    ws.did(sent)
}

/// Queues one frame of a message: `text` says which kind it is, `last` that it is the last one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_send_part(
    connection: *mut ss_connection,
    text: bool,
    data: *const u8,
    len: usize,
    last: bool,
    how: u32,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes.
    let data = unsafe { bytes(data, len) };
    let kind = if text { Kind::Text } else { Kind::Binary };
    let sent = compress(how).and_then(|how| {
        let part = Part::new(kind, data).last_if(last).compress(how);
        ws.core.send_part(part).map_err(Into::into)
    });
    ws.did(sent)
}

/// Queues a Ping, of at most 125 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_ping(
    connection: *mut ss_connection,
    data: *const u8,
    len: usize,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes.
    let sent = ws.core.ping(unsafe { bytes(data, len) });
    ws.did(sent)
}

/// Queues a Pong, of at most 125 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_pong(
    connection: *mut ss_connection,
    data: *const u8,
    len: usize,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: `data` points to `len` bytes.
    let sent = ws.core.pong(unsafe { bytes(data, len) });
    ws.did(sent)
}

// ── the closing handshake

fn close_code(code: u16) -> Result<Option<CloseCode>, Refused> {
    if code == 0 {
        return Ok(None);
    }
    match CloseCode::new(code) {
        Some(code) => Ok(Some(code)),
        None => Err(Refused::argument(
            "a code that no Close frame may have (RFC 6455 §7.4)",
        )),
    }
}

/// A reason of the caller's: NULL is none.
///
/// # Safety
/// It is NULL or ends with NUL.
unsafe fn reason<'a>(reason: *const c_char) -> Result<&'a str, Refused> {
    if reason.is_null() {
        return Ok("");
    }
    // SAFETY: what is asked of the caller.
    unsafe { text(reason) }.ok_or_else(|| Refused::argument("a reason that is not UTF-8"))
}

/// Begins the closing handshake (RFC 6455 §7.1.2) with a code, 0 for none, and a reason, NULL for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_close(
    connection: *mut ss_connection,
    code: u16,
    why: *const c_char,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: `why` is NULL or ends with NUL.
    let closed = unsafe { reason(why) }.and_then(|why| {
        let code = close_code(code)?;
        ws.core.close(code, why).map_err(Into::into)
    });
    ws.did(closed)
}

/// Fails the connection with a code (RFC 6455 §7.1.7): nothing is delivered after it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_fail(
    connection: *mut ss_connection,
    code: u16,
    why: *const c_char,
) -> ss_status {
    let ws = connection!(connection);
    // SAFETY: `why` is NULL or ends with NUL.
    let failed = unsafe { reason(why) }.and_then(|why| {
        let Some(code) = close_code(code)? else {
            return Err(Refused::argument("a code is wanted"));
        };
        ws.core.fail(code, why).map_err(Into::into)
    });
    ws.did(failed)
}

/// Our Close frame, as soon as it is queued: false if there is none. The code is 0 if it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_close_sent(
    connection: *mut ss_connection,
    code: *mut u16,
    why: *mut ss_slice,
) -> bool {
    let ws = connection!(connection);
    // SAFETY: both may be written to, or are NULL.
    unsafe { close_frame(ws.core.close_sent(), code, why) }
}

/// The peer's Close frame, in the same way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_close_received(
    connection: *mut ss_connection,
    code: *mut u16,
    why: *mut ss_slice,
) -> bool {
    let ws = connection!(connection);
    // SAFETY: both may be written to, or are NULL.
    unsafe { close_frame(ws.core.close_received(), code, why) }
}

/// # Safety
/// Both places are NULL or may be written to.
unsafe fn close_frame(
    frame: Option<&sansocket::event::CloseFrame>,
    code: *mut u16,
    why: *mut ss_slice,
) -> bool {
    let Some(frame) = frame else {
        return false;
    };
    // SAFETY: what is asked of the caller.
    unsafe {
        put(code, frame.code.map_or(0, |code| code.get()));
        put(why, ss_slice::of(frame.reason().as_bytes()));
    }
    true
}

// ── time, and what it is

/// Tells the time, in nanoseconds of a clock that never goes back. What a deadline brings comes from the next
/// `ss_receive`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_advance_time(connection: *mut ss_connection, now: u64) {
    connection!(connection)
        .core
        .advance_time(std::time::Duration::from_nanos(now));
}

/// When `ss_advance_time` has to be called next, on the same clock; `SS_NEVER` while nothing is waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_next_deadline(connection: *mut ss_connection) -> u64 {
    connection!(connection)
        .core
        .next_deadline()
        .map_or(SS_NEVER, |time| nanos(Some(time)))
}

/// Where it is in its life.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_get_state(connection: *mut ss_connection) -> ss_state {
    match connection!(connection).core.state() {
        State::Initial => ss_state::SS_STATE_INITIAL,
        State::Connecting => ss_state::SS_STATE_CONNECTING,
        State::Open => ss_state::SS_STATE_OPEN,
        State::Closing => ss_state::SS_STATE_CLOSING,
        State::Closed => ss_state::SS_STATE_CLOSED,
    }
}

/// What to do with the transport.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_get_transport(connection: *mut ss_connection) -> ss_transport {
    match connection!(connection).core.transport() {
        Transport::KeepOpen => ss_transport::SS_KEEP_OPEN,
        Transport::ShutdownWrite => ss_transport::SS_SHUTDOWN_WRITE,
        Transport::AwaitPeerEnd => ss_transport::SS_AWAIT_PEER_END,
        // A way that a later version of the core adds is the end, too.
        _ => ss_transport::SS_CLOSE_TRANSPORT,
    }
}

/// It is a server's end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_is_server(connection: *mut ss_connection) -> bool {
    connection!(connection).core.role() == Role::Server
}

/// The subprotocol in use; its `data` is NULL if there is none. It is valid until the next call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_subprotocol(connection: *mut ss_connection) -> ss_slice {
    let name = connection!(connection).core.subprotocol();
    name.map_or(ss_slice::NONE, |name| ss_slice::of(name.as_bytes()))
}

/// The extensions in use, as the value of Sec-WebSocket-Extensions. It is valid until the next call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_extensions(connection: *mut ss_connection) -> ss_slice {
    ss_slice::of(connection!(connection).core.extensions().as_bytes())
}

/// Bytes of heap that it holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_memory_held(connection: *mut ss_connection) -> usize {
    connection!(connection).core.memory_held()
}

/// Fields of the caller's as names and values.
///
/// # Safety
/// `first` points to `n` fields, which point to bytes.
pub(crate) unsafe fn given_fields<'a>(
    first: *const ss_field,
    n: usize,
) -> Result<Vec<(&'a str, &'a [u8])>, Refused> {
    // SAFETY: what is asked of the caller.
    let fields = unsafe { array(first, n) };
    let mut given = Vec::new();
    for field in fields {
        // SAFETY: the same.
        let (name, value) = unsafe {
            (
                bytes(field.name.data, field.name.len),
                bytes(field.value.data, field.value.len),
            )
        };
        match std::str::from_utf8(name) {
            Ok(name) => given.push((name, value)),
            Err(_) => return Err(Refused::argument("a header field's name that is not UTF-8")),
        }
    }
    Ok(given)
}
