//! Receiving: whole messages of all sizes and kinds in both roles, fragments, and the floors.
//!
//! What the copy into the read buffer takes is counted out for messages below 1 KiB, as it is not
//! the protocol's work; from 1 KiB on it is part of both, the machine's time and the floor's.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench is no library, and fails by a panic"
)]

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::floor;
use common::traffic::{Content, Count, Sink, Sizes, Traffic, fill};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::mask::apply_mask;
use sansocket::{ClientConfig, Connection, Event, Negotiated, OriginPolicy, Role, ServerConfig};

/// What a driver reads at a time.
const READ: usize = 64 << 10;
/// What a network hands over at a time.
const PACKET: usize = 1500;

const SMALL: [Sizes; 5] = [
    Sizes::All(8),
    Sizes::All(32),
    Sizes::All(125),
    Sizes::UpTo(40),
    Sizes::UpTo(125),
];
const LARGE: [Sizes; 4] = [
    Sizes::All(1 << 10),
    Sizes::All(16 << 10),
    Sizes::All(1 << 20),
    Sizes::UpTo(2000),
];

fn connection(role: Role) -> Connection {
    let mut ws = match role {
        Role::Server => Connection::upgraded_server(
            &ServerConfig::new(OriginPolicy::Application),
            Negotiated::default(),
        ),
        Role::Client => Connection::upgraded_client(&ClientConfig::new(), Negotiated::default()),
    };
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

/// The loop of an application.
#[inline(never)]
fn events<S: Sink>(ws: &mut Connection, mut input: &mut [u8], sink: &mut S) {
    while let Some(event) = ws.receive(&mut input) {
        match event {
            Event::Message(message) => sink.message(message.as_bytes()),
            other => panic!("{other:?}"),
        }
    }
}

/// All of the traffic through a read buffer; the time without the copies, and with them.
fn read_through(
    traffic: &Traffic,
    read: usize,
    mut work: impl FnMut(&mut [u8]),
) -> (Duration, Duration) {
    let mut buf = vec![0; read];
    let mut net = Duration::ZERO;
    let started = Instant::now();
    for bytes in traffic.bytes.chunks(read) {
        let buf = &mut buf[..bytes.len()];
        fill(buf, bytes);
        let filled = Instant::now();
        work(buf);
        net += filled.elapsed();
    }
    (net, started.elapsed())
}

/// The same for the bare loop, whose driver keeps the unfinished frame at the front of its buffer.
fn bare_through(traffic: &Traffic, read: usize) -> (Count, Duration) {
    let mut buf = vec![0; read];
    let (mut at, mut kept) = (0, 0);
    let mut sink = Count::default();
    let mut net = Duration::ZERO;
    while at < traffic.bytes.len() {
        let n = (buf.len() - kept).min(traffic.bytes.len() - at);
        fill(&mut buf[kept..kept + n], &traffic.bytes[at..at + n]);
        at += n;
        let filled = Instant::now();
        let left = match traffic.receiver {
            Role::Server => floor::receive::<true, _>(&mut buf[..kept + n], &mut sink),
            Role::Client => floor::receive::<false, _>(&mut buf[..kept + n], &mut sink),
        };
        net += filled.elapsed();
        buf.copy_within(kept + n - left..kept + n, 0);
        kept = left;
    }
    (sink, net)
}

/// Whether the copy into the read buffer counts.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    Out,
    In,
}

fn receive(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    traffic: &Traffic,
    read: usize,
    fill: Fill,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let mut ws = connection(traffic.receiver);
                let mut sink = Count::default();
                let (net, gross) =
                    read_through(traffic, read, |buf| events(&mut ws, buf, &mut sink));
                assert_eq!(
                    (sink.messages, sink.payload),
                    (traffic.messages, traffic.payload)
                );
                total += if fill == Fill::Out { net } else { gross };
            }
            total
        });
    });
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

/// Time per message, by the copy or net of it.
fn small(criterion: &mut Criterion) {
    for role in [Role::Server, Role::Client] {
        for content in [Content::Binary, Content::Ascii, Content::Multibyte] {
            let title = format!("receive/{}/{}", role_name(role), content.name());
            let mut group = criterion.benchmark_group(title);
            for sizes in SMALL {
                let traffic = Traffic::whole(role, content, sizes);
                group.throughput(Throughput::Elements(traffic.messages as u64));
                receive(&mut group, &sizes.name(), &traffic, READ, Fill::Out);
                if content != Content::Binary {
                    continue;
                }
                receive(
                    &mut group,
                    &format!("{} in packets", sizes.name()),
                    &traffic,
                    PACKET,
                    Fill::Out,
                );
                group.bench_function(format!("{}, bare loop", sizes.name()), |bencher| {
                    bencher.iter_custom(|rounds| {
                        (0..rounds).map(|_| bare_through(&traffic, READ).1).sum()
                    });
                });
            }
        }
    }
}

fn large(criterion: &mut Criterion) {
    for role in [Role::Server, Role::Client] {
        for content in [Content::Binary, Content::Ascii, Content::Multibyte] {
            let title = format!("receive/{}/{}", role_name(role), content.name());
            let mut group = criterion.benchmark_group(title);
            for sizes in LARGE {
                let traffic = Traffic::whole(role, content, sizes);
                group.throughput(Throughput::Bytes(traffic.payload as u64));
                receive(&mut group, &sizes.name(), &traffic, READ, Fill::In);
                receive(
                    &mut group,
                    &format!("{} in packets", sizes.name()),
                    &traffic,
                    PACKET,
                    Fill::In,
                );
            }
        }
    }
}

/// 16 fragments of 1 KiB each.
fn fragments(criterion: &mut Criterion) {
    for role in [Role::Server, Role::Client] {
        let mut group =
            criterion.benchmark_group(format!("receive/{}/16 fragments of 1 KiB", role_name(role)));
        for content in [Content::Binary, Content::Ascii, Content::Multibyte] {
            let traffic = Traffic::new(role, content, Sizes::All(1 << 10), 16);
            group.throughput(Throughput::Bytes(traffic.payload as u64));
            receive(&mut group, content.name(), &traffic, READ, Fill::In);
        }
    }
}

/// The copy into the read buffer, and an XOR over it in place.
fn floors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive/floor");
    let traffic = Traffic::whole(Role::Server, Content::Binary, Sizes::All(16 << 10));
    group.throughput(Throughput::Bytes(traffic.bytes.len() as u64));
    for read in [READ, PACKET] {
        group.bench_function(format!("copy in reads of {read}"), |bencher| {
            bencher.iter(|| read_through(&traffic, read, |buf| _ = black_box(buf)));
        });
        group.bench_function(format!("copy and XOR in reads of {read}"), |bencher| {
            bencher.iter(|| {
                read_through(&traffic, read, |buf| {
                    apply_mask(black_box(buf), [1, 2, 3, 4], 0)
                })
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    targets = small, large, fragments, floors
}
criterion_main!(benches);
