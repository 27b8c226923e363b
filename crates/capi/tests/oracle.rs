//! The C interface against the core itself: the same calls on both, chosen by bytes. What they tell, send and are is
//! the same. The fuzz target `c_abi` calls it, too.

#![allow(
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a difference is a panic"
)]

use std::ffi::c_int;
use std::os::raw::c_void;
use std::time::Duration;

use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::{
    ClientConfig, CloseCode, Connection, Event, Negotiated, OriginPolicy, ServerConfig,
};
use sansocket_c::*;

/// Randomness that both draw alike.
struct Counter(u8);

impl Counter {
    fn next(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(3);
            *byte = self.0;
        }
    }
}

impl Entropy for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.next(out);
        Ok(())
    }
}

unsafe extern "C" fn counted(context: *mut c_void, out: *mut u8, len: usize) -> c_int {
    // SAFETY: the context is a `Counter` that outlives the connection, and `out` has `len` bytes.
    unsafe { (*context.cast::<Counter>()).next(std::slice::from_raw_parts_mut(out, len)) };
    0
}

/// Bytes that an event points to.
///
/// # Safety
/// The event is the last one of its connection.
unsafe fn data(event: &ss_event) -> &[u8] {
    if event.len == 0 {
        return &[];
    }
    // SAFETY: the event points to `len` bytes.
    unsafe { std::slice::from_raw_parts(event.data, event.len) }
}

struct Both {
    c: *mut ss_connection,
    core: Connection,
    copying: bool,
}

/// A client and a server, chosen by the first byte, and calls on each, chosen by the others.
pub fn same_calls_same_results(bytes: &[u8]) {
    let Some((&first, calls)) = bytes.split_first() else {
        return;
    };
    let mut counter = Box::new(Counter(7));
    let mut both = made(first, &mut *counter);
    let mut calls = calls.iter().copied();
    while let Some(call) = calls.next() {
        let argument = usize::from(calls.next().unwrap_or_default());
        let payload: Vec<u8> = calls.by_ref().take(argument % 40).collect();
        both.call(call, argument, &payload);
        both.compare();
    }
    // SAFETY: it is not used afterwards.
    unsafe { ss_free(both.c) };
}

fn made(first: u8, counter: *mut Counter) -> Both {
    // SAFETY: each call gets what its documentation asks for.
    unsafe {
        let mut config = std::mem::zeroed::<ss_config>();
        let mut c = std::ptr::null_mut();
        let deflate = first & 2 != 0;
        let extensions = if deflate { c"permessage-deflate" } else { c"" };
        let negotiated = || Negotiated::new().extensions(extensions.to_str().unwrap_or_default());
        let deflates = || sansocket::extension::PermessageDeflate::server().level(3);
        let core = if first & 1 == 0 {
            ss_config_server(&raw mut config);
            config.origin_policy = SS_ORIGINS_ANY;
            config.flags = if deflate { SS_DEFLATE } else { 0 };
            let mut settings = std::ptr::null_mut();
            let made = ss_server_settings(
                &raw const config,
                &raw mut settings,
                std::ptr::null_mut(),
                0,
            );
            assert_eq!(made, ss_status::SS_OK);
            let mut server = ServerConfig::new(OriginPolicy::Any);
            if deflate {
                server = server.deflate(deflates());
            }
            let core = if first & 4 == 0 {
                c = ss_server_upgraded(settings, std::ptr::null(), extensions.as_ptr());
                Connection::upgraded_server(&server, negotiated())
            } else {
                c = ss_server_new(settings);
                Connection::server(&server)
            };
            ss_server_settings_free(settings);
            core
        } else {
            ss_config_client(&raw mut config);
            config.flags = if deflate { SS_DEFLATE } else { 0 };
            config.entropy = Some(counted);
            config.entropy_context = counter.cast();
            let made = ss_client_upgraded(
                &raw const config,
                std::ptr::null(),
                extensions.as_ptr(),
                &raw mut c,
                std::ptr::null_mut(),
                0,
            );
            assert_eq!(made, ss_status::SS_OK);
            let mut client = ClientConfig::new();
            if deflate {
                client = client.deflate(sansocket::extension::PermessageDeflate::client().level(3));
            }
            Connection::upgraded_client_with_entropy(&client, negotiated(), Box::new(Counter(7)))
        };
        let copying = first & 8 != 0;
        Both { c, core, copying }
    }
}

/// A whole text message on the core itself: the number that it is refused with.
fn send_text(core: &mut Connection, payload: &[u8]) -> Result<(), u16> {
    core.can_send().map_err(|error| error.code())?;
    let text = std::str::from_utf8(payload).map_err(|_| ss_status::SS_NOT_UTF8 as u16)?;
    core.send(text).map_err(|unsent| unsent.why.code())
}

impl Both {
    fn call(&mut self, call: u8, argument: usize, payload: &[u8]) {
        let c = self.c;
        let (data, len) = (payload.as_ptr(), payload.len());
        // SAFETY: the handle was not freed, and `data` points to `len` bytes.
        let (theirs, ours) = unsafe {
            match call % 11 {
                0..=3 => return self.receive(payload),
                4 => (
                    ss_send_binary(c, data, len, 0) as u32,
                    code(self.core.send(payload).map_err(|e| e.why.code())),
                ),
                5 => {
                    let text = ss_send_text(c, data.cast(), len, 0) as u32;
                    (text, code(send_text(&mut self.core, payload)))
                }
                6 => {
                    let last = argument.is_multiple_of(2);
                    let part = sansocket::Part::binary(payload).last_if(last);
                    let sent = self.core.send_part(part).map_err(|error| error.code());
                    (
                        ss_send_part(c, false, data, len, last, 0) as u32,
                        code(sent),
                    )
                }
                7 => (
                    ss_ping(c, data, len) as u32,
                    code(self.core.ping(payload).map_err(|error| error.code())),
                ),
                8 => {
                    let n = argument % 64;
                    let n = n.min(self.core.output_len());
                    ss_consume_output(c, n);
                    self.core.consume_output(n);
                    return;
                }
                9 => {
                    let now = u64::from(call) * 100_000_000;
                    ss_advance_time(c, now);
                    self.core.advance_time(Duration::from_nanos(now));
                    return;
                }
                _ => return self.close(argument),
            }
        };
        assert_eq!(theirs, ours);
    }

    fn close(&mut self, argument: usize) {
        // SAFETY: the handle was not freed.
        unsafe {
            match argument % 4 {
                0 => {
                    let why = CloseCode::new(1000 + argument as u16 % 12);
                    let theirs =
                        ss_close(self.c, why.map_or(0, CloseCode::get), c"why".as_ptr()) as u32;
                    let ours = self.core.close(why, "why").map_err(|error| error.code());
                    assert_eq!(theirs, code(ours));
                }
                1 => {
                    ss_receive_eof(self.c);
                    self.core.receive_eof();
                }
                2 => {
                    ss_write_lost(self.c);
                    self.core.write_lost();
                }
                _ => {
                    ss_transport_lost(self.c);
                    self.core.transport_lost();
                }
            }
        }
    }

    fn receive(&mut self, payload: &[u8]) {
        let (mut theirs, mut ours) = (payload.to_vec(), payload.to_vec());
        let (mut at, mut input) = (0, &mut ours[..]);
        loop {
            let (mut used, mut event) = (0, ss_event::default());
            // SAFETY: the pointers point to what they say, and nothing else uses it.
            let told = unsafe {
                let (data, len) = (theirs.as_mut_ptr().add(at), theirs.len() - at);
                let receive = if self.copying {
                    ss_receive_copy(self.c, data, len, &raw mut used, &raw mut event)
                } else {
                    ss_receive(self.c, data, len, &raw mut used, &raw mut event)
                };
                at += used;
                receive
            };
            let Some(expected) = self.core.receive(&mut input) else {
                assert!(!told && event.r#type == ss_event_type::SS_EVENT_NONE);
                assert_eq!(theirs.len() - at, input.len());
                return;
            };
            assert!(told);
            // SAFETY: it is the last event.
            same(&expected, &event, unsafe { data(&event) });
            if matches!(expected, Event::Request(_)) {
                // SAFETY: the handle was not freed.
                let accepted = unsafe { ss_accept(self.c, std::ptr::null()) };
                drop(expected);
                let ours = self
                    .core
                    .accept(sansocket::Accept::new())
                    .map_err(|error| error.code());
                assert_eq!(accepted as u32, code(ours));
            }
        }
    }

    fn compare(&mut self) {
        // SAFETY: the handle was not freed.
        unsafe {
            assert_eq!(ss_output_len(self.c), self.core.output_len());
            assert_eq!(ss_get_state(self.c) as u32, self.core.state() as u32);
            let deadline = self
                .core
                .next_deadline()
                .map_or(SS_NEVER, |time| time.as_nanos() as u64);
            assert_eq!(ss_next_deadline(self.c), deadline);
            let mut pieces = [ss_slice::default(); 8];
            let n = ss_output(self.c, pieces.as_mut_ptr(), pieces.len());
            let mut slices = [&[][..]; 8];
            let ours = self.core.output_slices(&mut slices);
            assert_eq!(n, ours);
            for (piece, slice) in pieces[..n].iter().zip(slices) {
                assert_eq!(std::slice::from_raw_parts(piece.data, piece.len), slice);
            }
        }
    }
}

fn code(done: Result<(), u16>) -> u32 {
    done.map_or_else(u32::from, |()| 0)
}

fn same(ours: &Event<'_>, theirs: &ss_event, data: &[u8]) {
    use ss_event_type::*;
    let (r#type, bytes) = match ours {
        Event::Message(message) => (SS_EVENT_MESSAGE, message.as_bytes()),
        Event::Ping(payload) => (SS_EVENT_PING, &payload[..]),
        Event::Pong(pong) => (SS_EVENT_PONG, &pong.payload[..]),
        Event::Close(frame) => {
            assert_eq!(theirs.code, frame.code.map_or(0, CloseCode::get));
            (SS_EVENT_CLOSE, frame.reason().as_bytes())
        }
        Event::Failed(failure) => {
            assert_eq!(theirs.number, u64::from(failure.code()));
            assert_eq!(data, failure.to_string().as_bytes());
            (SS_EVENT_FAILED, data)
        }
        Event::Closed(report) => {
            assert_eq!(
                (theirs.code, theirs.flags & SS_CLEAN != 0),
                (report.code, report.clean)
            );
            (SS_EVENT_CLOSED, data)
        }
        Event::Open => (SS_EVENT_OPEN, &[][..]),
        Event::Request(_) => (SS_EVENT_REQUEST, &[][..]),
        other => panic!("{other:?} is not expected"),
    };
    assert_eq!((theirs.r#type, data), (r#type, bytes));
}
