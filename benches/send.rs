//! Sending in both roles, a prepared broadcast, and echo.
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
use common::traffic::{Content, Random, Sizes, Traffic};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sansocket::{
    ClientConfig, Connection, Event, Negotiated, OriginPolicy, Prepared, Role, ServerConfig,
};

const READ: usize = 64 << 10;

/// Open, with a spare buffer, as an event loop lends it.
fn connection(role: Role) -> Connection {
    let mut ws = match role {
        Role::Server => Connection::upgraded_server(
            &ServerConfig::new(OriginPolicy::Application),
            Negotiated::default(),
        ),
        Role::Client => Connection::upgraded_client(&ClientConfig::new(), Negotiated::default()),
    };
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws.lend_buffer(Vec::with_capacity(READ));
    ws
}

fn flush(ws: &mut Connection) {
    while !ws.output().is_empty() {
        let n = black_box(ws.output()).len();
        ws.consume_output(n);
    }
}

fn payload(len: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    Content::Binary.write(&mut Random(1), len, &mut payload);
    payload
}

fn send(criterion: &mut Criterion) {
    for role in [Role::Server, Role::Client] {
        let mut group = criterion.benchmark_group(format!("send/{role:?}"));
        for len in [8, 32, 125, 1 << 10, 16 << 10, 1 << 20] {
            let payload = payload(len);
            for batch in [1, 64] {
                if len * batch > 2 << 20 {
                    continue;
                }
                group.throughput(Throughput::Elements(batch as u64));
                let mut ws = connection(role);
                group.bench_function(
                    format!("{}, {batch} a flush", Sizes::All(len).name()),
                    |bencher| {
                        bencher.iter(|| {
                            for _ in 0..batch {
                                ws.send(black_box(&payload)).unwrap();
                            }
                            flush(&mut ws);
                        });
                    },
                );
                let mut out = Vec::with_capacity(READ);
                group.bench_function(
                    format!("{}, {batch} a flush, bare", Sizes::All(len).name()),
                    |bencher| {
                        bencher.iter(|| {
                            for _ in 0..batch {
                                let payload = black_box(&payload);
                                match role {
                                    Role::Server => floor::send(&mut out, 0x82, payload),
                                    Role::Client => {
                                        floor::send_masked(&mut out, 0x82, [1, 2, 3, 4], payload)
                                    }
                                }
                            }
                            black_box(&out);
                            out.clear();
                        });
                    },
                );
            }
        }
    }
    // Handed over: making the vector is the caller's, and not counted.
    let mut group = criterion.benchmark_group("send/handed over");
    for len in [16 << 10, 1 << 20] {
        let mut ws = connection(Role::Server);
        group.bench_function(Sizes::All(len).name(), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut total = Duration::ZERO;
                for _ in 0..rounds {
                    let message = vec![7; len];
                    let started = Instant::now();
                    ws.send(message).unwrap();
                    total += started.elapsed();
                    flush(&mut ws);
                }
                total
            });
        });
    }
}

fn broadcast(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broadcast to 1,000");
    let mut connections: Vec<Connection> = (0..1000).map(|_| connection(Role::Server)).collect();
    group.throughput(Throughput::Elements(1000));
    for len in [32, 1 << 10, 16 << 10] {
        let payload = payload(len);
        group.bench_function(Sizes::All(len).name(), |bencher| {
            bencher.iter(|| {
                let prepared = Prepared::binary(black_box(&payload));
                for ws in &mut connections {
                    ws.send(&prepared).unwrap();
                    flush(ws);
                }
            });
        });
    }
}

fn echo(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("echo");
    for content in [Content::Binary, Content::Ascii] {
        for len in [32, 1 << 10, 16 << 10] {
            let traffic = Traffic::whole(Role::Server, content, Sizes::All(len));
            let (mut ws, mut buf) = (connection(Role::Server), vec![0; READ]);
            group.throughput(Throughput::Elements(traffic.messages as u64));
            group.bench_function(
                format!("{}, {}", Sizes::All(len).name(), content.name()),
                |bencher| {
                    bencher.iter(|| {
                        for bytes in traffic.bytes.chunks(READ) {
                            let mut input = &mut buf[..bytes.len()];
                            input.copy_from_slice(bytes);
                            while let Some(event) = ws.receive(&mut input) {
                                let Event::Message(message) = event else {
                                    panic!("{event:?}")
                                };
                                ws.send(&message).unwrap();
                            }
                            flush(&mut ws);
                        }
                    });
                },
            );
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    targets = send, broadcast, echo
}
criterion_main!(benches);
