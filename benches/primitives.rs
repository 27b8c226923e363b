//! What everything else is made of: the frame header, masking, UTF-8.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench is no library, and fails by a panic"
)]

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::traffic::{Content, Random, Sizes};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sansocket::frame::{FrameHeader, Opcode};
use sansocket::mask::apply_mask;
use sansocket::utf8::Validator;

const LENGTHS: [usize; 6] = [8, 32, 125, 1 << 10, 16 << 10, 1 << 20];

fn header(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("header");
    for (name, len) in [("7 bits", 125), ("16 bits", 1 << 10), ("64 bits", 1 << 20)] {
        let header = FrameHeader {
            masking_key: Some([1, 2, 3, 4]),
            ..FrameHeader::new(Opcode::Binary, len)
        };
        let mut bytes = [0; FrameHeader::MAX_LEN];
        header.encode(&mut bytes);
        group.bench_function(format!("decode, {name}"), |bencher| {
            bencher.iter(|| FrameHeader::decode(black_box(&bytes)));
        });
        group.bench_function(format!("encode, {name}"), |bencher| {
            bencher.iter(|| black_box(header).encode(black_box(&mut bytes)));
        });
    }
}

fn bytes(content: Content, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    content.write(&mut Random(1), len, &mut bytes);
    bytes
}

fn masking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    for len in LENGTHS {
        let (from, mut payload) = (bytes(Content::Binary, len), vec![0; len]);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(Sizes::All(len).name(), |bencher| {
            bencher.iter(|| apply_mask(black_box(&mut payload), black_box([1, 2, 3, 4]), 0));
        });
        group.bench_function(
            format!("{}, at an odd offset", Sizes::All(len).name()),
            |bencher| {
                bencher.iter(|| apply_mask(black_box(&mut payload), black_box([1, 2, 3, 4]), 3));
            },
        );
        group.bench_function(format!("{}, memcpy", Sizes::All(len).name()), |bencher| {
            bencher.iter(|| black_box(&mut payload).copy_from_slice(black_box(&from)));
        });
    }
}

fn utf8(criterion: &mut Criterion) {
    for content in [Content::Ascii, Content::Multibyte] {
        let mut group = criterion.benchmark_group(format!("utf8/{}", content.name()));
        for len in LENGTHS {
            let text = bytes(content, len);
            group.throughput(Throughput::Bytes(len as u64));
            group.bench_function(
                format!("{}, in one piece", Sizes::All(len).name()),
                |bencher| {
                    bencher.iter(|| Validator::new().push(black_box(&text)).is_ok());
                },
            );
            group.bench_function(
                format!("{}, in pieces of 1,500", Sizes::All(len).name()),
                |bencher| {
                    bencher.iter(|| {
                        let mut validator = Validator::new();
                        black_box(&text)
                            .chunks(1500)
                            .all(|piece| validator.push(piece).is_ok())
                    });
                },
            );
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    targets = header, masking, utf8
}
criterion_main!(benches);
