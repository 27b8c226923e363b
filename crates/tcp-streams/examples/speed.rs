//! How fast segments of many conversations are put together: `cargo run --release --example speed`.
#![allow(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a program for people; its numbers are small"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sansocket_tcp_streams::{Config, Flags, Kind, Segment, Streams};

const CONVERSATIONS: u32 = 10_000;

fn main() {
    for (size, packets) in [(250, 4_000_000), (1448, 2_000_000)] {
        let payload = vec![7; size];
        let mut streams = Streams::new(Config::default());
        let (mut told, mut seq) = (0u64, vec![1u32; CONVERSATIONS as usize]);
        let began = Instant::now();
        for packet in 0..packets {
            // Any order, the same each time.
            let n = (packet as u32).wrapping_mul(2_654_435_761) % CONVERSATIONS;
            let segment = Segment {
                time: Duration::from_micros(packet),
                packet,
                from: SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 50_000)),
                to: SocketAddr::from(([192, 0, 2, 1], 80)),
                seq: seq[n as usize],
                ack: 1,
                flags: Flags::ACK,
                length: size as u32,
                payload: &payload,
            };
            seq[n as usize] = segment.seq.wrapping_add(size as u32);
            streams.receive(&segment, &mut |event| {
                if let Kind::Data(bytes) = event.kind {
                    told += bytes.len() as u64;
                }
            });
        }
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(told, packets * size as u64);
        let (packets, megabytes) = (packets as f64 / seconds / 1e6, told as f64 / seconds / 1e6);
        println!("{size} bytes: {packets:.1} million segments/s, {megabytes:.0} MB/s");
    }
}
