//! How fast `wsinspect --stats` reads captures of 10,000 interleaved connections, and what memory it takes:
//! `cargo bench --bench speed`, 1 GB each; `BYTES=100000000` for less, `WSINSPECT=program` for another program.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a bench is no library, and fails by a panic"
)]

#[path = "../examples/captures.rs"]
#[allow(dead_code, reason = "it has more than is needed here")]
mod library;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use std::{env, process};

use sansocket_inspect::write::{Conversation, Format, Link};
use sansocket_tcp_streams::Sender::{Client, Server};

/// The headers of a packet: Ethernet, IPv4, TCP.
const HEADERS: usize = 54;

fn main() -> io::Result<()> {
    let test = env::args().any(|arg| arg == "--test");
    let bytes = env::var("BYTES")
        .ok()
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or(1_000_000_000);
    let (bytes, connections) = if test {
        (2_000_000, 100)
    } else {
        (bytes, 10_000)
    };
    for (packet, compressed) in [(250, false), (1514, false), (250, true)] {
        let path = env::temp_dir().join(format!("wsinspect-speed-{}.pcap", process::id()));
        let packets = write(&path, bytes, connections, packet, compressed)?;
        for show in ["--stats", "--json"] {
            measure(&path, show, packet, compressed, packets)?;
        }
        fs::remove_file(path)?;
    }
    Ok(())
}

/// A capture that is written.
struct Capture {
    file: BufWriter<File>,
    bytes: u64,
    packets: u64,
}

impl Capture {
    /// Takes what the ends have sent.
    fn take(&mut self, talk: &mut Conversation) -> io::Result<()> {
        for sent in talk.packets.drain(..) {
            let data = Link::Ethernet.packet(&sent, 0);
            let (time, length) = (self.packets, data.len() as u32);
            for word in [
                (time / 1_000_000) as u32,
                (time % 1_000_000) as u32,
                length,
                length,
            ] {
                self.file.write_all(&word.to_le_bytes())?;
            }
            self.file.write_all(&data)?;
            self.bytes += 16 + data.len() as u64;
            self.packets += 1;
        }
        Ok(())
    }
}

/// A connection that is open.
fn opened(n: u32, compressed: bool) -> Conversation {
    let mut talk = library::opened(if compressed { "permessage-deflate" } else { "" });
    let ends = [
        ([10, 0, (n >> 8) as u8, n as u8], 50_000).into(),
        talk.ends[1],
    ];
    for sent in &mut talk.packets {
        let own = usize::from(sent.from.port() == 80);
        (sent.from, sent.to) = (ends[own], ends[1 - own]);
    }
    talk.ends = ends;
    talk
}

/// Writes a capture of messages that each fill a packet, and returns how many packets it has.
fn write(
    path: &Path,
    bytes: u64,
    connections: u32,
    packet: usize,
    compressed: bool,
) -> io::Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&Format::default().write(&[]))?;
    let mut capture = Capture {
        file,
        bytes: 0,
        packets: 0,
    };
    let mut talks: Vec<Conversation> = (0..connections).map(|n| opened(n, compressed)).collect();
    for talk in &mut talks {
        capture.take(talk)?;
    }
    let text: Vec<u8> = (0..packet)
        .map(|n| b"abcdefgh,.\"{}: 0123456789"[n * 7 % 25])
        .collect();
    // Stored: no shorter, so that packets are full.
    let stored = |length: usize| {
        let length = length as u16;
        let head = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
        [&[0][..], &head, &text[..length.into()], &[0]].concat()
    };
    let mut chance = 1_u64;
    while capture.bytes < bytes {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let talk = &mut talks[(chance >> 33) as usize % connections as usize];
        let from = if chance >> 63 == 0 { Client } else { Server };
        let header =
            if from == Client { 4 } else { 0 } + if packet - HEADERS > 131 { 4 } else { 2 };
        let length = packet - HEADERS - header;
        let frame = if compressed {
            library::frame(from, 0xc1, &stored(length - 6))
        } else {
            library::frame(from, 0x81, &text[..length])
        };
        talk.send(from, &frame);
        capture.take(talk)?;
    }
    capture.file.flush()?;
    Ok(capture.packets)
}

fn measure(
    path: &PathBuf,
    show: &str,
    packet: usize,
    compressed: bool,
    packets: u64,
) -> io::Result<()> {
    let bytes = fs::metadata(path)?.len();
    // Once before, so that the file is in memory.
    io::copy(&mut File::open(path)?, &mut io::sink())?;
    let program =
        env::var("WSINSPECT").unwrap_or_else(|_| env!("CARGO_BIN_EXE_wsinspect").to_owned());
    let mut child = Command::new(program)
        .arg(show)
        .arg(path)
        .stdout(Stdio::null())
        .spawn()?;
    let (mut most, mut ticks) = (0, 0);
    let [status, stat] = ["status", "stat"].map(|name| format!("/proc/{}/{name}", child.id()));
    let ended = loop {
        // The highest so far, in kilobytes, where there is such a file.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        most = most.max(now.unwrap_or(0_u64));
        // Its time on a processor, whatever else there is to do: fields 14 and 15, in hundredths of a second.
        let text = fs::read_to_string(&stat).unwrap_or_default();
        let fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
        let now = fields
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        ticks = ticks.max(now);
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert!(ended.success());
    let seconds = ticks.max(1) as f64 / 100.0;
    println!(
        "{packet} bytes a packet{}, {show}: {:.2} million packets/s, {:.0} MB/s, {:.1} MB of memory, {seconds:.2} s",
        if compressed { ", compressed" } else { "" },
        packets as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6,
        most as f64 / 1000.0
    );
    Ok(())
}
