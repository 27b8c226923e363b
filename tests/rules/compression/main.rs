//! permessage-deflate (RFC 7692) through whole connections, and extensions of the application's own
//! (RFC 6455 §9): the rows PN, PF, PC and X, the vectors VD and VE, the decisions D-16 to D-19 and D-23.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

#[path = "../../models/support/mod.rs"]
mod support;

mod accounting;
mod conversations;
mod cuts;
mod extensions;
mod limits;
#[cfg(feature = "std")]
mod memory;
mod negotiation;
mod sending;
mod vectors;

use sansocket::config::{Delivery, Limits};
use sansocket::extension::PermessageDeflate;
use sansocket::{ClientConfig, ServerConfig};
use sansocket::{Connection, Event, Negotiated, Role};

use support::SampleKey;

/// The parameters of an answer, after the name.
fn answer(params: &str) -> Negotiated {
    Negotiated::new().extensions(format!("permessage-deflate{params}"))
}

/// Context takeover in both directions.
const TAKEOVER: &str = "";
const NO_TAKEOVER: &str = "; server_no_context_takeover; client_no_context_takeover";

/// How an end is set up.
#[derive(Clone)]
struct End {
    deflate: PermessageDeflate,
    delivery: Delivery,
    limits: Limits,
    fragment: u32,
}

impl Default for End {
    fn default() -> Self {
        Self {
            deflate: PermessageDeflate::client().threshold(0),
            delivery: Delivery::Whole,
            limits: Limits::client(),
            fragment: 0,
        }
    }
}

impl End {
    /// An established connection whose `Event::Open` was taken; a client masks with the sample key.
    fn open(self, role: Role, negotiated: Negotiated) -> Connection {
        let mut ws = match role {
            Role::Server => Connection::upgraded_server(&self.server(), negotiated),
            Role::Client => Connection::upgraded_client_with_entropy(
                &self.client(),
                negotiated,
                Box::new(SampleKey),
            ),
        };
        assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
        ws
    }

    fn server(self) -> ServerConfig {
        support::server_config()
            .limits(self.limits)
            .delivery(self.delivery)
            .fragment(self.fragment)
            .deflate(self.deflate)
    }

    fn client(self) -> ClientConfig {
        support::client_config()
            .limits(self.limits)
            .delivery(self.delivery)
            .fragment(self.fragment)
            .deflate(self.deflate)
    }
}

/// The default end with these parameters agreed on.
fn open(role: Role, params: &str) -> Connection {
    End::default().open(role, answer(params))
}

fn delivering(delivery: Delivery, role: Role, params: &str) -> Connection {
    End {
        delivery,
        ..End::default()
    }
    .open(role, answer(params))
}

/// Bytes that do not shrink.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(byte).take(len).collect()
}
