//! The opening handshake, both halves, beside the parts that no implementation can do without.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench is no library, and fails by a panic"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, OriginPolicy, ServerConfig, Uri,
};

/// As a browser sends it.
const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
Sec-WebSocket-Version: 13\r\nOrigin: https://server.example.com\r\n\
Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Connection: keep-alive, Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";

fn accept(config: &ServerConfig, request: &mut [u8]) -> Connection {
    let mut ws = Connection::server(config);
    match ws.receive(&mut &mut request[..]) {
        Some(Event::Request(_)) => ws.accept(Accept::new()).unwrap(),
        other => panic!("{other:?}"),
    }
    ws
}

fn server(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handshake/server");
    let config = ServerConfig::new(OriginPolicy::SameHost);
    group.bench_function("request judged and answered", |bencher| {
        let mut request = REQUEST.to_vec();
        bencher.iter(|| black_box(accept(&config, black_box(&mut request))));
    });
    group.bench_function("in two reads", |bencher| {
        let mut request = REQUEST.to_vec();
        bencher.iter(|| {
            let (first, second) = request.split_at_mut(300);
            let mut ws = Connection::server(&config);
            assert!(ws.receive(&mut &mut first[..]).is_none());
            match ws.receive(&mut &mut second[..]) {
                Some(Event::Request(_)) => ws.accept(Accept::new()).unwrap(),
                other => panic!("{other:?}"),
            }
            black_box(&ws);
        });
    });
    group.bench_function("httparse alone", |bencher| {
        bencher.iter(|| {
            let mut fields = [httparse::EMPTY_HEADER; 32];
            httparse::Request::new(&mut fields)
                .parse(black_box(REQUEST))
                .is_ok()
        });
    });
}

fn client(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handshake/client");
    let config = ServerConfig::new(OriginPolicy::SameHost);
    let request = ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap());
    let ask = || Connection::client(&ClientConfig::new(), request.clone()).unwrap();
    group.bench_function("request written", |bencher| {
        bencher.iter(|| black_box(ask()));
    });
    group.bench_function("answer judged", |bencher| {
        bencher.iter_batched(
            || {
                let mut ws = ask();
                let answer = accept(&config, &mut ws.output().to_vec()).output().to_vec();
                ws.consume_output(usize::MAX);
                (ws, answer)
            },
            |(mut ws, mut answer)| {
                let open = ws.receive(&mut &mut answer[..]);
                assert!(matches!(open, Some(Event::Open)));
                ws
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    targets = server, client
}
criterion_main!(benches);
