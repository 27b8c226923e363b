//! Two connections back to back: any messages, parameters, fragments, cuts and deliveries.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use sansocket::config::{Delivery, Limits};
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::{Connection, Kind, Negotiated, Part, Prepared, Role};

use super::{End, noise};
use crate::support::*;

#[derive(Debug, Clone)]
enum Act {
    Send(Kind, Vec<u8>, Compress),
    /// Handed over by value.
    Give(Kind, Vec<u8>),
    Parts(Kind, Vec<Vec<u8>>, Compress),
    Prepared(Kind, Vec<u8>, Vec<u8>),
    Ping,
    Park,
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-z]{0,20}".prop_map(String::into_bytes),
        2 => select(vec!["ü", "世", "🌍", "the same words again "]).prop_map(|s| s.as_bytes().to_vec()),
        1 => (0x20u8..0x7f, 0usize..50_000).prop_map(|(byte, n)| vec![byte; n]),
    ];
    prop_oneof![
        5 => prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat()),
        1 => (0usize..70_000).prop_map(noise),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let kind = || select(vec![Kind::Text, Kind::Binary]);
    let compress = || {
        select(vec![
            Compress::Auto,
            Compress::Never,
            Compress::Always,
            Compress::Alone,
        ])
    };
    let parts = prop::collection::vec(content(), 1..4);
    let windows = prop::collection::vec(7u8..17, 0..3);
    prop_oneof![
        6 => (kind(), content(), compress()).prop_map(|(k, c, how)| Act::Send(k, c, how)),
        2 => (kind(), content()).prop_map(|(k, c)| Act::Give(k, c)),
        3 => (kind(), parts, compress()).prop_map(|(k, c, how)| Act::Parts(k, c, how)),
        1 => (kind(), content(), windows).prop_map(|(k, c, w)| Act::Prepared(k, c, w)),
        1 => Just(Act::Ping),
        1 => Just(Act::Park),
    ]
}

/// Text has to be text.
fn fit(kind: Kind, content: &[u8]) -> (Kind, Seen) {
    match (kind, std::str::from_utf8(content)) {
        (Kind::Text, Ok(text)) => (Kind::Text, Seen::text(text)),
        _ => (Kind::Binary, Seen::binary(content)),
    }
}

fn do_act(ws: &mut Connection, act: &Act, expected: &mut Vec<Seen>) {
    match act {
        Act::Send(kind, content, compress) => {
            let (kind, seen) = fit(*kind, content);
            match kind {
                Kind::Text => {
                    let text = std::str::from_utf8(content).unwrap();
                    ws.send_with(text, *compress).unwrap();
                }
                Kind::Binary => ws.send_with(&content[..], *compress).unwrap(),
            }
            expected.push(seen);
        }
        Act::Give(kind, content) => {
            let (kind, seen) = fit(*kind, content);
            match kind {
                Kind::Text => ws
                    .send(String::from_utf8(content.clone()).unwrap())
                    .unwrap(),
                Kind::Binary => ws.send(content.clone()).unwrap(),
            }
            expected.push(seen);
        }
        Act::Parts(kind, parts, compress) => {
            let (kind, seen) = fit(*kind, &parts.concat());
            for (i, part) in parts.iter().enumerate() {
                let last = i + 1 == parts.len();
                ws.send_part(Part::new(kind, part).last_if(last).compress(*compress))
                    .unwrap();
                // Between the parts of a message it waits, and does no harm.
                ws.park();
            }
            expected.push(seen);
        }
        Act::Prepared(kind, content, windows) => {
            let (kind, seen) = fit(*kind, content);
            let prepared = match kind {
                Kind::Text => Prepared::text(std::str::from_utf8(content).unwrap()),
                Kind::Binary => Prepared::binary(content),
            };
            ws.send(&prepared.with_deflate(6, windows)).unwrap();
            expected.push(seen);
        }
        Act::Ping => {
            ws.ping(b"x").unwrap();
            expected.push(Seen::ping("x"));
        }
        Act::Park => ws.park(),
    }
}

/// The bytes for the peer, cut into reads.
fn reads<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|at| at.index(bytes.len() + 1)).collect();
    ends.extend([0, bytes.len()]);
    ends.sort_unstable();
    ends.windows(2)
        .map(|ends| &bytes[ends[0]..ends[1]])
        .collect()
}

fn settings() -> impl Strategy<Value = PermessageDeflate> {
    (
        0u8..=9,
        1u8..=9,
        select(vec![0usize, 64, 1000]),
        8u8..=15,
        8u8..=15,
    )
        .prop_map(|(level, mem_level, threshold, server_bits, client_bits)| {
            PermessageDeflate::client()
                .level(level)
                .mem_level(mem_level)
                .threshold(threshold)
                .server_max_window_bits(server_bits)
                .client_max_window_bits(client_bits)
        })
}

/// Any answer that can be negotiated.
fn params() -> impl Strategy<Value = String> {
    (
        any::<bool>(),
        any::<bool>(),
        prop::option::of(8u8..=15),
        prop::option::of(8u8..=15),
    )
        .prop_map(|(server, client, server_bits, client_bits)| {
            let mut text = String::from("permessage-deflate");
            if server {
                text += "; server_no_context_takeover";
            }
            if client {
                text += "; client_no_context_takeover";
            }
            if let Some(bits) = server_bits {
                text += &format!("; server_max_window_bits={bits}");
            }
            if let Some(bits) = client_bits {
                text += &format!("; client_max_window_bits=\"{bits}\"");
            }
            text
        })
}

fn deliveries() -> impl Strategy<Value = Delivery> {
    select(vec![Delivery::Whole, Delivery::Chunks, Delivery::Ask])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// PN, PF, PC: whatever was agreed on, messages arrive as they were sent.
    #[test]
    fn messages_arrive(
        params in params(),
        settings in (settings(), settings()),
        fragments in (select(vec![0u32, 1000, 20_000]), select(vec![0u32, 7, 4096])),
        deliveries in (deliveries(), deliveries()),
        acts in prop::collection::vec((any::<bool>(), act()), 1..12),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
        way in select(WAYS.to_vec()),
        stream in any::<bool>(),
    ) {
        let mut limits = Limits::trusted();
        limits.output = u32::MAX;
        let end = |role, deflate, delivery, fragment| {
            let end = End { deflate, delivery, limits, fragment };
            end.open(role, Negotiated::new().extensions(params.clone()))
        };
        let (a, b) = settings;
        let mut ends = [
            Driver::new(end(Role::Server, a, deliveries.0, fragments.0), way),
            Driver::new(end(Role::Client, b, deliveries.1, fragments.1), way),
        ];
        let mut expected = [Vec::new(), Vec::new()];
        // Each act is delivered before the next, so that the directions interleave; every third is not.
        for (i, (from_server, act)) in acts.iter().enumerate() {
            let (from, to) = if *from_server { (0, 1) } else { (1, 0) };
            do_act(&mut ends[from].ws, act, &mut expected[to]);
            if i % 3 != 2 || i + 1 == acts.len() {
                for (from, to) in [(0, 1), (1, 0)] {
                    let bytes = take_output(&mut ends[from].ws);
                    prop_assert_eq!(ends[from].ws.buffered_amount(), 0);
                    for read in reads(&bytes, &cuts) {
                        ends[to].read_with(read, |ws, event| {
                            if stream && way != Way::Target && matches!(event, Seen::Start { .. }) {
                                ws.stream_message();
                            }
                        });
                    }
                }
            }
        }
        for (end, expected) in ends.into_iter().zip(expected) {
            // Pings slip between the fragments of what was queued before.
            let is_ping = |event: &Seen| matches!(event, Seen::Ping(_));
            let mut seen = joined(&end.events);
            seen.retain(|event| !matches!(event, Seen::Pong(..)));
            let (pings, seen): (Vec<_>, Vec<_>) = seen.into_iter().partition(is_ping);
            let (expected_pings, expected): (Vec<_>, Vec<_>) = expected.into_iter().partition(is_ping);
            prop_assert_eq!(pings, expected_pings);
            prop_assert!(seen == expected, "{:?}", end.ws);
        }
    }
}
