//! Ends that move to another process, at any step, as often as they like.

use std::time::Duration;

use sansocket::{ClientConfig, Connection, Role, ServerConfig};

use crate::end::Driven;
use crate::random::Random;

/// What the other process has.
pub(crate) struct Handing {
    /// Decisions apart from those of the simulation, which is the same with and without.
    random: Random,
    server: ServerConfig,
    client: ClientConfig,
    /// Our own compressed messages begin anew: a twin's do only if it moves too.
    compresses: bool,
}

impl Handing {
    /// In every other simulation.
    pub(crate) fn new(
        seed: u64,
        server: &ServerConfig,
        client: &ClientConfig,
        compresses: bool,
    ) -> Option<Self> {
        let mut random = Random(!seed);
        let (server, client) = (server.clone(), client.clone());
        random.once_in(2).then_some(Self {
            random,
            server,
            client,
            compresses,
        })
    }

    /// Which end moves before the next step.
    pub(crate) fn next(&mut self) -> Option<usize> {
        self.random.once_in(4).then(|| self.random.below(2))
    }

    /// A connection, its twin, or both.
    pub(crate) fn hand_over(&mut self, ws: &mut Driven, twin: Option<&mut Driven>, now: Duration) {
        let key = self.random.next();
        // They draw the same keys.
        let both = self.compresses || ws.role() == Role::Client;
        let which = self.random.below(2);
        let all = [Some(ws), twin].into_iter().enumerate();
        for (at, ws) in all {
            if let Some(ws) = ws.filter(|_| both || at == which) {
                self.resume(ws, key, now);
            }
        }
    }

    fn resume(&self, ws: &mut Driven, key: u64, now: Duration) {
        let none = Driven::from(Connection::server(&self.server));
        let old = into_connection(std::mem::replace(ws, none));
        let role = old.role();
        let new = match (old.suspend(now), role) {
            (Err(not), _) => Ok(not.connection),
            (Ok(state), Role::Server) => Connection::resume(&state, &self.server, None, now),
            (Ok(state), Role::Client) => {
                let entropy = Box::new(Random(key));
                Connection::resume(&state, &self.client, Some(entropy), now)
            }
        };
        *ws = Driven::from(new.expect("a connection that goes on"));
    }
}

#[cfg(feature = "replay")]
fn into_connection(ws: Driven) -> Connection {
    ws.into_connection()
}

#[cfg(not(feature = "replay"))]
fn into_connection(ws: Driven) -> Connection {
    ws
}
