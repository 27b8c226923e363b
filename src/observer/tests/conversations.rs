//! Conversations of two real connections, and bytes of any kind.

use proptest::prelude::*;

use crate::entropy::Entropy;
use crate::error::NoEntropy;
use crate::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, OriginPolicy, ServerConfig,
    Uri,
};

use super::*;

/// What an application of one end says.
#[derive(Debug, Clone)]
pub(super) enum Say {
    Text(String),
    Binary(Vec<u8>),
    Parts(Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Close(u16),
}

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![
        4 => "\\PC{0,200}".prop_map(Say::Text),
        4 => prop::collection::vec(any::<u8>(), 0..400).prop_map(Say::Binary),
        1 => (1_usize..70_000).prop_map(|len| Say::Binary(vec![b'x'; len])),
        2 => prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..5).prop_map(Say::Parts),
        2 => prop::collection::vec(any::<u8>(), 0..125).prop_map(Say::Ping),
        1 => (3000_u16..3010).prop_map(Say::Close),
    ]
}

/// Other ones each time.
struct Keys(u8);

impl Entropy for Keys {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            self.0 = self.0.wrapping_mul(29).wrapping_add(71);
            *byte = self.0;
        }
        Ok(())
    }
}

struct Real {
    ws: Connection,
    /// What its application was told, as the other end sent it.
    told: Vec<Told>,
}

impl Real {
    fn take(&mut self, bytes: &[u8], from: Role) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        let mut accept = false;
        loop {
            if core::mem::take(&mut accept) {
                self.ws.accept(Accept::new()).unwrap();
            }
            let Some(event) = self.ws.receive(&mut input) else {
                break;
            };
            match event {
                Event::Request(_) => accept = true,
                Event::Message(own) => self.told.push(Told::Message(
                    from,
                    own.kind(),
                    own.as_bytes().to_vec(),
                    Content::Whole,
                    false,
                )),
                Event::Ping(payload) => self.told.push(Told::Ping(from, payload.to_vec())),
                Event::Pong(pong) => self
                    .told
                    .push(Told::Pong(from, pong.payload.to_vec(), true)),
                Event::Failed(failure) => panic!("{failure}"),
                _ => {}
            }
        }
    }
}

/// Moves what is queued, cut and observed.
fn carry(
    observer: &mut Observer,
    (by, to): (&mut Real, &mut Real),
    from: Role,
    cut: usize,
    told: &mut Vec<Told>,
) {
    let output = by.ws.output().to_vec();
    by.ws.consume_output(output.len());
    for piece in output.chunks(cut) {
        told.extend(see(observer, from, piece));
        to.take(piece, from);
    }
}

impl Real {
    fn say(&mut self, say: Say) {
        let ws = &mut self.ws;
        let _ = match say {
            Say::Text(text) => ws.send(&*text).is_ok(),
            Say::Binary(bytes) => ws.send(&*bytes).is_ok(),
            Say::Parts(parts) => {
                let last = parts.len() - 1;
                parts.iter().enumerate().all(|(at, part)| {
                    let part = crate::Part::binary(part).last_if(at == last);
                    ws.send_part(part).is_ok()
                })
            }
            Say::Ping(payload) => ws.ping(&payload).is_ok(),
            Say::Close(code) => ws.close(CloseCode::new(code), "").is_ok(),
        };
    }
}

/// The observer tells what both ends of this conversation are told, and knows their states.
pub(super) fn converse(
    said: Vec<(Role, Say)>,
    cut: usize,
    client: &ClientConfig,
    server: &ServerConfig,
) {
    let request = ClientRequest::new(Uri::parse("ws://h/chat").unwrap());
    let mut client = Real {
        ws: Connection::client_with_entropy(client, request, Box::new(Keys(0))).unwrap(),
        told: Vec::new(),
    };
    let mut server = Real {
        ws: Connection::server(server),
        told: Vec::new(),
    };
    let mut observer = Observer::new(&ObserverConfig::new());
    let mut told = Vec::new();
    let said = [None, None]
        .into_iter()
        .chain(said.into_iter().map(Some))
        .chain([None, None, None]);
    for say in said {
        if let Some((by, say)) = say {
            match by {
                Role::Client => client.say(say),
                Role::Server => server.say(say),
            }
        }
        let to_server = (&mut client, &mut server);
        carry(&mut observer, to_server, Role::Client, cut, &mut told);
        let to_client = (&mut server, &mut client);
        carry(&mut observer, to_client, Role::Server, cut, &mut told);
        assert_eq!(observer.state(Role::Client), client.ws.state());
        if server.ws.state() != State::Closed {
            assert_eq!(observer.state(Role::Server), server.ws.state());
        }
    }
    let report = observer.report();
    assert_eq!(report.client_violations + report.server_violations, 0);
    for (from, to) in [(Role::Client, &server), (Role::Server, &client)] {
        // RFC 6455 §1.4: what an end sends after its Close frame is seen, and nobody else takes it.
        let before_close = |told: &&Told| !matches!(told, Told::Close(own, ..) if *own == from);
        let seen = told.iter().take_while(before_close);
        let seen = seen.filter(|told| match told {
            Told::Message(own, ..) | Told::Ping(own, _) | Told::Pong(own, ..) => *own == from,
            _ => false,
        });
        assert!(seen.eq(to.told.iter()), "{told:?} {:?}", to.told);
    }
}

/// What is said, by whom.
pub(super) fn sayings() -> impl Strategy<Value = Vec<(Role, Say)>> {
    let by = prop_oneof![Just(Role::Client), Just(Role::Server)];
    prop::collection::vec((by, say()), 0..12)
}

/// How much is read at once.
pub(super) fn cuts() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..20, 100_usize..5000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// An observer tells exactly what both ends saw, however the bytes are cut.
    #[test]
    fn it_tells_what_both_ends_saw(said in sayings(), cut in cuts()) {
        let server = ServerConfig::new(OriginPolicy::Application);
        converse(said, cut, &ClientConfig::new(), &server);
    }

    /// Bytes never panic, and nothing grows beyond the limits.
    #[test]
    fn bytes_never_panic(
        pieces in prop::collection::vec((any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..20),
        start in 0..3_u8,
    ) {
        let config = ObserverConfig::new();
        let mut observer = match start {
            0 => Observer::new(&config),
            1 => open(),
            _ => Observer::midway(&config, Negotiated::new().extensions("permessage-deflate")),
        };
        for (client, gap, bytes) in pieces {
            let from = if client { Role::Client } else { Role::Server };
            if gap {
                observer.gap(from, bytes.len() as u64);
            }
            see(&mut observer, from, &bytes);
        }
        for from in [Role::Client, Role::Server] {
            observer.end(from);
            see(&mut observer, from, b"");
            // With both Close frames through, the first end waits for nothing more.
            let closed = from == Role::Server || observer.report().is_clean();
            prop_assert_eq!(observer.state(from) == State::Closed, closed);
        }
    }
}
