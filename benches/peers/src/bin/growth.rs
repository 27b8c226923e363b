//! How cost grows: by connections, by the length of messages, by fragments, and by how slowly a peer reads. Prints a
//! table, and writes it to `growth.md` with a plot in `growth.svg` beside this crate.
//!
//! ```sh
//! cargo run --release --manifest-path benches/peers/Cargo.toml --bin growth             # some minutes, 3 GB
//! cargo run --release --manifest-path benches/peers/Cargo.toml --bin growth -- --short  # smaller, writes nothing
//! ```

#[path = "../../../common/mod.rs"]
mod common;
#[path = "../cpu.rs"]
mod cpu;
#[path = "../machine.rs"]
#[allow(dead_code, reason = "the other program uses the rest")]
mod machine;

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use bytes::Bytes;
use plotters::prelude::*;
use sansocket::config::{Delivery, Limits};
use sansocket::frame::{FrameHeader, Opcode};
use sansocket::{Connection, Event, Negotiated, OriginPolicy, ServerConfig};

use common::traffic::fill;
use cpu::timed;

const KEY: [u8; 4] = [1, 2, 3, 4];
const READ: usize = 64 << 10;

/// Cost by the size of something.
struct Line {
    name: &'static str,
    /// What one costs that is counted here.
    unit: &'static str,
    /// Sizes and nanoseconds.
    points: Vec<(u64, f64)>,
}

impl Line {
    fn measure(
        name: &'static str,
        unit: &'static str,
        sizes: impl Iterator<Item = u64>,
        mut cost: impl FnMut(u64) -> f64,
    ) -> Self {
        let points = sizes.map(|size| {
            // The median of three; what is cold is warm then.
            let mut nanos = [cost(size), cost(size), cost(size)];
            nanos.sort_by(f64::total_cmp);
            println!("{name}, {size}: {:.2} ns {unit}", nanos[1]);
            (size, nanos[1])
        });
        let points = points.collect();
        Self { name, unit, points }
    }
}

fn server(delivery: Delivery) -> Connection {
    let mut limits = Limits::server();
    limits.message = 2 << 30;
    limits.frame = 2 << 30;
    limits.fragments = u32::MAX;
    limits.output = u32::MAX;
    let config = ServerConfig::new(OriginPolicy::Application)
        .limits(limits)
        .delivery(delivery);
    let mut ws = Connection::upgraded_server(&config, Negotiated::default());
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

fn header(opcode: Opcode, fin: bool, len: u64) -> Vec<u8> {
    let mut header = FrameHeader::new(opcode, len);
    header.fin = fin;
    header.masking_key = Some(KEY);
    let mut bytes = [0; FrameHeader::MAX_LEN];
    let n = header.encode(&mut bytes);
    bytes[..n].to_vec()
}

// ── what grows

/// An echo of 32 bytes on each connection in turn, over one read buffer and one spare.
fn by_connections(count: u64) -> f64 {
    let mut all: Vec<Connection> = (0..count).map(|_| server(Delivery::Whole)).collect();
    let mut frame = header(Opcode::Binary, true, 32);
    frame.resize(frame.len() + 32, 7);
    let rounds = (1_000_000 / count).max(2);
    let mut buf = vec![0; READ];
    let mut spare = Vec::with_capacity(4096);
    let took = timed(|| {
        for _ in 0..rounds {
            for ws in &mut all {
                ws.lend_buffer(std::mem::take(&mut spare));
                buf[..frame.len()].copy_from_slice(&frame);
                let mut input = &mut buf[..frame.len()];
                while let Some(event) = ws.receive(&mut input) {
                    if let Event::Message(message) = event {
                        ws.send(&message).unwrap();
                    }
                }
                black_box(ws.output());
                ws.consume_output(usize::MAX);
                spare = ws.take_buffer().unwrap_or_default();
            }
        }
    });
    took.as_secs_f64() * 1e9 / (rounds * count) as f64
}

/// A message of so many bytes in one frame, in reads of 64 KiB.
fn by_length(len: u64, delivery: Delivery) -> f64 {
    let mut ws = server(delivery);
    let header = header(Opcode::Binary, true, len);
    let block = vec![7; READ];
    let mut buf = vec![0; READ];
    let count = (64 << 20) / (len + 32).min(64 << 20);
    let took = timed(|| {
        for _ in 0..count {
            let mut received = 0;
            let mut left = len;
            let mut before = header.len();
            buf[..before].copy_from_slice(&header);
            while received < len {
                if let Some(target) = ws.receive_target().filter(|_| before == 0) {
                    let n = target
                        .len()
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    for part in target[..n].chunks_mut(READ) {
                        fill(part, &block[..part.len()]);
                    }
                    ws.receive_target_filled(n);
                    left -= n as u64;
                    received += events(&mut ws, &mut []);
                } else {
                    let n = (READ - before).min(usize::try_from(left).unwrap_or(usize::MAX));
                    fill(&mut buf[before..before + n], &block[..n]);
                    left -= n as u64;
                    received += events(&mut ws, &mut buf[..before + n]);
                    before = 0;
                }
            }
        }
    });
    took.as_secs_f64() * 1e9 / (count * len) as f64
}

fn events(ws: &mut Connection, mut input: &mut [u8]) -> u64 {
    let mut received = 0;
    while let Some(event) = ws.receive(&mut input) {
        match event {
            Event::Message(message) => {
                received += message.as_bytes().len() as u64;
                if let Some(buffer) = message.into_buffer() {
                    ws.lend_buffer(buffer);
                }
            }
            Event::Chunk(chunk) => received += chunk.payload.len() as u64,
            other => panic!("{other:?}"),
        }
    }
    received
}

/// A message of 1 MiB in so many fragments.
fn by_fragments(count: u64) -> f64 {
    let len = 1 << 20;
    let size = len / count;
    let mut stream = Vec::new();
    for i in 0..count {
        let opcode = if i == 0 {
            Opcode::Binary
        } else {
            Opcode::Continuation
        };
        stream.extend(header(opcode, i + 1 == count, size));
        stream.resize(stream.len() + size as usize, 7);
    }
    let mut ws = server(Delivery::Whole);
    let mut buf = vec![0; READ];
    let rounds = 16;
    let took = timed(|| {
        for _ in 0..rounds {
            let mut received = 0;
            for read in stream.chunks(READ) {
                fill(&mut buf[..read.len()], read);
                received += events(&mut ws, &mut buf[..read.len()]);
            }
            assert_eq!(received, len);
        }
    });
    took.as_secs_f64() * 1e9 / (rounds * len) as f64
}

/// So many messages wait, and the peer takes so many bytes at a time.
fn by_queue(count: u64, payload: usize, taken: usize) -> f64 {
    let rounds = (100_000 / count).max(1);
    let mut ws = server(Delivery::Whole);
    let message = Bytes::from(vec![7; payload]);
    let mut bytes = 0;
    let took = timed(|| {
        for _ in 0..rounds {
            for _ in 0..count {
                ws.send(message.clone()).unwrap();
            }
            bytes += ws.output_len();
            while ws.output_len() > 0 {
                let n = black_box(ws.output()).len().min(taken);
                ws.consume_output(n);
            }
        }
    });
    took.as_secs_f64() * 1e9 / (bytes.div_ceil(taken)) as f64
}

// ── what is written

fn main() {
    let short = std::env::args().any(|argument| argument == "--short");
    let up_to = |most: u64, least: u64| if short { least } else { most };
    let powers = |base: u64, most: u64| {
        std::iter::successors(Some(1_u64), move |n| Some(n * base)).take_while(move |n| *n <= most)
    };
    let lines = [
        Line::measure(
            "echo of 32 B, by connections",
            "a message",
            powers(10, up_to(1_000_000, 1000)),
            by_connections,
        ),
        Line::measure(
            "receive whole, by length",
            "a byte",
            powers(8, up_to(1 << 30, 1 << 18)),
            |len| by_length(len, Delivery::Whole),
        ),
        Line::measure(
            "receive in chunks, by length",
            "a byte",
            powers(8, up_to(1 << 30, 1 << 18)),
            |len| by_length(len, Delivery::Chunks),
        ),
        Line::measure(
            "receive 1 MiB, by fragments",
            "a byte",
            powers(8, up_to(1 << 18, 1 << 9)),
            by_fragments,
        ),
        Line::measure(
            "a peer that takes 10 B at a time, by messages of 100 B that wait",
            "a write",
            powers(10, up_to(100_000, 1000)),
            |count| by_queue(count, 100, 10),
        ),
        Line::measure(
            "a peer that takes 1,000 B at a time, by messages of 16 KiB that wait",
            "a write",
            powers(10, up_to(10_000, 100)),
            |count| by_queue(count, 16 << 10, 1000),
        ),
    ];
    if short {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(folder.join("growth.md"), table(&lines)).unwrap();
    plot(&folder.join("growth.svg"), &lines).unwrap();
}

fn table(lines: &[Line]) -> String {
    let mut out = format!(
        "# How cost grows\n\nWritten by `cargo run --release --manifest-path benches/peers/Cargo.toml --bin growth`.\n\n\
         {}.\n\nIn memory, one thread; nanoseconds of processor time, medians of three. Flat is linear in all.\n\n\
         ![cost by size](growth.svg)\n",
        machine::describe()
    );
    for line in lines {
        let _ = writeln!(
            out,
            "\n## {}\n\n| | ns {} |\n|---:|---:|",
            line.name, line.unit
        );
        for (size, nanos) in &line.points {
            let _ = writeln!(out, "| {size} | {nanos:.2} |");
        }
    }
    out
}

fn plot(path: &Path, lines: &[Line]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, (900, 560)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d((1f64..2e9).log_scale(), (0.02f64..2000.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("connections, bytes, fragments, messages that wait")
        .y_desc("ns")
        .draw()?;
    for (i, line) in lines.iter().enumerate() {
        let color = Palette99::pick(i).to_rgba();
        let points = line
            .points
            .iter()
            .map(|&(size, nanos)| (size as f64, nanos));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(format!("{}: ns {}", line.name, line.unit))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}
