//! Two connections that do the same, of which one sends past its queue and the other writes what it has
//! queued: the same output, counts and events, whatever else happens and wherever the transport stops.

use core::time::Duration;

use super::{Scripted, Taker, wire};
use sansocket::config::Limits;
use sansocket::{
    ClientConfig, Connection, Event, Negotiated, OriginPolicy, Part, Prepared, Role, ServerConfig,
};

/// The one that writes what it has queued, and the one that sends past its queue.
struct Both {
    queued: Connection,
    through: Connection,
    /// A buffer that was lent is kept, whatever it has grown to.
    lent: bool,
}

pub fn through(data: &[u8]) {
    let mut t = Taker::new(data);
    let role = t.role();
    let open = opening(&mut t, role);
    let mut both = Both {
        queued: open(),
        through: open(),
        lent: false,
    };
    let mut now = Duration::ZERO;
    while !t.is_empty() {
        match t.below(16) {
            0..7 => both.send(&mut t),
            7 | 8 => {
                let n = t.below(300);
                both.each(|ws| ws.consume_output(n));
            }
            9 => {
                let payload = t.bytes(5);
                both.each(|ws| ws.ping(payload));
            }
            10 | 11 => {
                let mut read = Vec::new();
                wire::item(&mut t, role.peer(), &mut read);
                both.each(|ws| receive(ws, &read));
            }
            12 => {
                now += Duration::from_millis(t.u16().into());
                both.each(|ws| ws.advance_time(now));
            }
            13 => {
                let part = Part::binary(t.bytes(9));
                let part = if t.once_in(2) { part.last() } else { part };
                both.each(|ws| ws.send_part(part));
            }
            14 => {
                both.lent = true;
                both.each(|ws| {
                    ws.take_buffer();
                    ws.lend_buffer(Vec::with_capacity(100));
                });
            }
            _ if t.once_in(4) => both.each(|ws| ws.close(None, "")),
            _ => both.each(|ws| ws.consume_output(usize::MAX)),
        }
        both.each(|ws| receive(ws, &[]));
        both.agree();
    }
}

fn opening(t: &mut Taker<'_>, role: Role) -> impl Fn() -> Connection + use<> {
    let mut limits = Limits::server();
    limits.output = t.pick(&[300, 20_000, limits.output]);
    if t.once_in(6) {
        limits.memory = 1 << 18;
    }
    let fragment = t.pick(&[0, 0, 0, 100]);
    let (timed, compressed) = (t.once_in(3), t.once_in(6));
    move || {
        let agreed = if cfg!(feature = "deflate") && compressed {
            "permessage-deflate"
        } else {
            ""
        };
        let negotiated = Negotiated::new().extensions(agreed);
        let mut ws = match role {
            Role::Server => {
                let config = ServerConfig::new(OriginPolicy::Application)
                    .limits(limits)
                    .fragment(fragment);
                #[cfg(feature = "deflate")]
                let config = config.deflate(sansocket::extension::PermessageDeflate::server());
                Connection::upgraded_server(&config, negotiated)
            }
            Role::Client => {
                let config = ClientConfig::new().limits(limits).fragment(fragment);
                #[cfg(feature = "deflate")]
                let config = config.deflate(sansocket::extension::PermessageDeflate::client());
                Connection::upgraded_client_with_entropy(&config, negotiated, Scripted::boxed())
            }
        };
        if timed {
            ws.advance_time(Duration::ZERO);
        }
        ws
    }
}

/// What comes of these bytes.
fn receive(ws: &mut Connection, bytes: &[u8]) -> String {
    let mut read = bytes.to_vec();
    let mut input = &mut read[..];
    let mut events = Vec::new();
    while let Some(event) = ws.receive(&mut input) {
        if let Event::Message(message) = &event {
            events.push(format!("{:?}", message.as_bytes()));
        }
        events.push(format!("{event:?}"));
    }
    events.concat()
}

/// The first 16 pieces of what waits.
fn given(ws: &Connection) -> Vec<u8> {
    let mut slices = [&[][..]; 16];
    let filled = ws.output_slices(&mut slices);
    slices[..filled].concat()
}

impl Both {
    /// The same call on both, with the same result.
    fn each<R: PartialEq + core::fmt::Debug>(
        &mut self,
        mut call: impl FnMut(&mut Connection) -> R,
    ) {
        assert_eq!(call(&mut self.through), call(&mut self.queued));
    }

    fn send(&mut self, t: &mut Taker<'_>) {
        let bytes = wire::binary(t);
        let taken = match t.below(4) {
            0 => 0,
            1 => usize::MAX,
            2 => t.below(20),
            _ => t.below(2 * bytes.len() + 30),
        };
        let mut sent = Vec::new();
        let mut write = |slices: &[&[u8]]| {
            sent = slices.concat();
            taken
        };
        let ws = &mut self.through;
        let mut own = bytes.clone();
        let result = match t.below(5) {
            0 => ws.send_through(&bytes[..], &mut write),
            1 => ws.send_through(&mut own[..], &mut write),
            2 => ws.send_through(&Prepared::binary(&bytes), &mut write),
            3 => ws
                .send_through(bytes.clone(), &mut write)
                .map_err(|unsent| {
                    assert_eq!(unsent.message, bytes);
                    sansocket::error::Unsent {
                        why: unsent.why,
                        message: (),
                    }
                }),
            _ => ws
                .send_through(sansocket::event::Payload::from(&mut own[..]), &mut write)
                .map_err(|unsent| {
                    assert_eq!(unsent.message, bytes[..]);
                    sansocket::error::Unsent {
                        why: unsent.why,
                        message: (),
                    }
                }),
        };
        let ours = result.map_err(|unsent| unsent.why);
        let theirs = self.queued.send(&bytes).map_err(|unsent| unsent.why);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?} {theirs:?}");
        if theirs.is_ok() {
            let waits = given(&self.queued);
            assert_eq!(sent[..], waits[..sent.len()]);
            assert_eq!(sent.is_empty(), waits.is_empty());
            self.queued.consume_output(taken.min(sent.len()));
        }
    }

    fn agree(&self) {
        let seen = |ws: &Connection| {
            let mut slices = vec![&[][..]; 3000];
            let filled = ws.output_slices(&mut slices);
            assert!(filled < 3000);
            let output = slices[..filled].concat();
            let state = (ws.state(), ws.transport(), ws.close_sent().is_some());
            let counts = (ws.output_len(), ws.buffered_amount(), ws.next_deadline());
            (output, state, counts)
        };
        assert_eq!(seen(&self.through), seen(&self.queued));
        let (held, most) = (self.through.memory_held(), self.queued.memory_held());
        assert!(
            self.lent || held <= 2 * most + 8192,
            "{held} bytes held, {most} by the other"
        );
    }
}
