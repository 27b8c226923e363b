//! What is written is read again, in each format, and what is damaged says where.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by a panic; its numbers are small"
)]

use std::io::{Cursor, Read, Write};
use std::net::SocketAddr;

use flate2::write::GzEncoder;
use sansocket_inspect::capture::{self, Problem, Reader};
use sansocket_inspect::packet::{Decoder, Skipped};
use sansocket_inspect::write::{Conversation, Format, Link, Sent};
use sansocket_tcp_streams::Sender::{Client, Server};

const LINKS: [Link; 7] = [
    Link::Ethernet,
    Link::Vlan,
    Link::Sll,
    Link::Sll2,
    Link::Null,
    Link::Loop,
    Link::Raw,
];

fn conversation() -> Vec<Sent> {
    let mut conversation = Conversation::new();
    conversation
        .open()
        .send(Client, b"a question?")
        .ack(Server)
        .send(Server, &[7; 3000])
        .fin(Client)
        .fin(Server);
    conversation.packets
}

fn formats() -> impl Iterator<Item = Format> {
    (0..8u8).flat_map(|bits| {
        LINKS.map(|link| Format {
            ng: bits & 1 != 0,
            big: bits & 2 != 0,
            nanoseconds: bits & 4 != 0,
            link,
            ..Format::default()
        })
    })
}

/// A file that comes a byte at a time, as through a slow pipe.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.len().min(buf.len()).min(1);
        buf[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

/// The packets of a file as they were sent, with their lengths and times.
fn read(input: impl Read) -> (Vec<(Sent, u32, u128)>, Option<u64>) {
    let mut reader = Reader::new(input);
    let mut decoder = Decoder::default();
    let mut all = Vec::new();
    while let Some(packet) = reader.read().unwrap() {
        assert_eq!(packet.number, all.len() as u64 + 1);
        let segment = decoder.decode(&packet).unwrap();
        let sent = Sent {
            from: segment.from,
            to: segment.to,
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            payload: segment.payload.to_vec(),
        };
        all.push((sent, segment.length, segment.time.as_micros()));
    }
    (all, reader.cut())
}

#[test]
fn every_format_is_read_as_it_was_written() {
    let mut packets = conversation();
    let v6: [SocketAddr; 2] = [
        "[2001:db8::1]:5".parse().unwrap(),
        "[2001:db8::2]:6".parse().unwrap(),
    ];
    packets.push(Sent {
        from: v6[0],
        to: v6[1],
        ..packets[3].clone()
    });
    for format in formats() {
        let (all, cut) = read(&*format.write(&packets));
        assert_eq!(cut, None);
        for (n, (sent, length, time)) in all.iter().enumerate() {
            assert_eq!(sent, &packets[n], "{format:?}");
            assert_eq!(*length as usize, sent.payload.len());
            assert_eq!(*time, 1_767_225_600_000_000 + n as u128 * 10_000);
        }
        assert_eq!(all.len(), packets.len());
    }
}

#[test]
fn a_pipe_and_gzip_give_the_same() {
    let file = Format {
        ng: true,
        ..Format::default()
    }
    .write(&conversation());
    let (all, _) = read(&*file);
    assert_eq!(read(Drops(&file)).0, all);
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&file).unwrap();
    let mut reader = capture::open(Box::new(Cursor::new(packed.finish().unwrap()))).unwrap();
    let mut packets = 0;
    while reader.read().unwrap().is_some() {
        packets += 1;
    }
    assert_eq!(packets, all.len());
}

#[test]
fn cut_anywhere_a_file_is_read_to_its_end_and_says_so() {
    for ng in [false, true] {
        let file = Format {
            ng,
            ..Format::default()
        }
        .write(&conversation());
        let (all, _) = read(&*file);
        for length in 4..file.len() {
            let (some, cut) = read(&file[..length]);
            assert_eq!(some[..], all[..some.len()]);
            // Between packets nothing is missing.
            assert!(
                cut.is_some_and(|at| at < length as u64)
                    || read(&file[..length]).0.len() == some.len()
            );
        }
        let (some, cut) = read(&file[..file.len() - 1]);
        assert_eq!(some.len(), all.len() - 1);
        assert!(cut.is_some());
    }
}

#[test]
fn a_file_that_grows_is_read_on() {
    let file = Format::default().write(&conversation());
    struct Growing<'a>(Vec<&'a [u8]>);
    impl Read for Growing<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let part = self.0.remove(0);
            buf[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }
    let mut reader = Reader::new(Growing(vec![&file[..100], &[], &file[100..]]));
    assert_eq!(reader.read().unwrap().unwrap().number, 1);
    assert!(reader.read().unwrap().is_none());
    assert_eq!(reader.cut(), Some(24 + 16 + 54));
    assert_eq!(reader.read().unwrap().unwrap().number, 2);
}

#[test]
fn a_snap_length_keeps_the_lengths() {
    for link in LINKS {
        let packets = conversation();
        let (all, _) = read(
            &*Format {
                link,
                snap: 100,
                ..Format::default()
            }
            .write(&packets),
        );
        let long = &all[5];
        assert_eq!(long.1, 1460);
        assert!(long.0.payload.len() < 100 && packets[5].payload.starts_with(&long.0.payload));
    }
}

/// What is told of a file that cannot be read to its end.
fn error(file: &[u8]) -> String {
    let mut reader = Reader::new(file);
    loop {
        match reader.read() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("nothing is wrong"),
            Err(error) => return error.to_string(),
        }
    }
}

#[test]
fn what_is_wrong_with_a_file_and_where() {
    assert_eq!(error(b""), "the file is empty");
    assert_eq!(
        error(b"GIF8"),
        "this is no capture: pcap and pcapng do not begin with 47 49 46 38"
    );
    let pcap = Format::default().write(&conversation());
    let mut file = pcap.clone();
    file[4] = 9;
    assert_eq!(
        error(&file),
        "at byte 0: version 9.4 of the format is not known"
    );
    let mut file = pcap;
    file[24 + 70 + 8 + 3] = 0xff; // the length of the second packet
    assert_eq!(
        error(&file),
        "at byte 94, after packet 1: a packet that says it has 4278190134 bytes, above 16777216: the file is damaged here"
    );
}

#[test]
fn what_is_wrong_with_a_block_and_where() {
    let ng = Format {
        ng: true,
        ..Format::default()
    }
    .write(&conversation());
    for (at, value, text) in [
        (
            8,
            0,
            "at byte 0: a section with the byte order 003c2b1a: the file is damaged here",
        ),
        (
            4,
            27,
            "at byte 0: a block that cannot have 27 bytes: the file is damaged here",
        ),
        (
            56,
            1,
            "at byte 28: a block of 32 bytes that ends with the length 1: the file is damaged here",
        ),
        (
            68,
            9,
            "at byte 60: a packet of interface 9, of which the file has 1",
        ),
        (
            81,
            1,
            "at byte 60: a packet of 310 bytes in a block that has room for 56: the file is damaged here",
        ),
    ] {
        let mut file = ng.clone();
        file[at] = value;
        assert_eq!(error(&file), text);
    }
}

#[test]
fn a_block_of_any_length_takes_no_memory_and_unknown_ones_are_skipped() {
    let mut file = Format {
        ng: true,
        ..Format::default()
    }
    .write(&conversation());
    let packets = file.split_off(60);
    file.extend(0x0000_0bad_u32.to_le_bytes());
    file.extend(400_000_000u32.to_le_bytes());
    let rest = std::io::repeat(0).take(400_000_000 - 8);
    let (all, _) = read(Cursor::new(file).chain(rest).chain(Cursor::new(packets)));
    assert_eq!(all.len(), conversation().len());
}

#[test]
fn secrets_are_told_before_the_packets_after_them() {
    for big in [false, true] {
        let format = Format {
            ng: true,
            big,
            ..Format::default()
        };
        let file = format.write_with(b"CLIENT_RANDOM 1 2", &conversation());
        let mut reader = Reader::new(&file[..]);
        let mut told: Vec<u8> = Vec::new();
        while let Some(packet) = reader
            .read_with(&mut |secrets| told.extend(secrets))
            .unwrap()
        {
            assert_eq!(told, b"CLIENT_RANDOM 1 2", "packet {}", packet.number);
        }
        // Of another kind, such as those of WireGuard, they say nothing here.
        let mut other = file.clone();
        let at = file
            .windows(4)
            .position(|at| at == b"TLSK" || at == b"KSLT")
            .unwrap();
        other[at] ^= 1;
        let mut reader = Reader::new(&other[..]);
        let packet = reader.read_with(&mut |_| told.clear()).unwrap();
        assert!(packet.is_some() && told.is_empty());
        let mut wrong = file.clone();
        wrong[at + 4..at + 8].fill(0x7f);
        assert!(
            error(&wrong).contains("secrets of 2139062143 bytes in a block that has room for 20"),
            "{}",
            error(&wrong)
        );
    }
}

#[test]
fn resolutions_of_interfaces() {
    let file = Format {
        ng: true,
        ..Format::default()
    }
    .write(&conversation()[..1]);
    for (resolution, time) in [
        (6, 1_767_225_600_000_000),
        (0, 1_767_225_600_000_000_000_000),
        (9, 1_767_225_600_000),
    ] {
        let mut file = file.clone();
        file[48] = resolution;
        assert_eq!(read(&*file).0[0].2, time, "{resolution}");
    }
    // Powers of two, and what is finer than any clock.
    for (resolution, millionths) in [
        (0x80 | 20, (1_767_225_600_000_000u128 * 1_000_000) >> 20),
        (0xff, 0),
        (0x7f, 0),
    ] {
        let mut file = file.clone();
        file[48] = resolution;
        assert_eq!(read(&*file).0[0].2, millionths, "{resolution}");
    }
}

/// A TCP segment in an IPv4 packet that is cut in fragments.
fn fragments(link: u32, parts: &[(usize, usize, bool)]) -> Vec<Result<Vec<u8>, Skipped>> {
    let mut conversation = Conversation::new();
    conversation.send(Client, &(0..200).collect::<Vec<u8>>());
    let file = Format {
        link: Link::Raw,
        ..Format::default()
    }
    .write(&conversation.packets);
    let (header, tcp) = file[40..].split_at(20);
    let mut decoder = Decoder::default();
    let mut results = Vec::new();
    for (number, &(from, to, more)) in (1..).zip(parts) {
        let mut data = header.to_vec();
        data.extend(&tcp[from..to]);
        let total = data.len() as u16;
        data[2..4].copy_from_slice(&total.to_be_bytes());
        data[6] = if more { 0x20 } else { 0 };
        data[7] = (from / 8) as u8;
        let packet = capture::Packet {
            number,
            time: Default::default(),
            link,
            length: data.len() as u32,
            data: &data,
        };
        results.push(
            decoder
                .decode(&packet)
                .map(|segment| segment.payload.to_vec()),
        );
    }
    results
}

#[test]
fn fragments_are_put_together_in_any_order() {
    let whole: Vec<u8> = (0..200).collect();
    for parts in [
        [(0, 80, true), (80, 160, true), (160, 220, false)],
        [(160, 220, false), (0, 80, true), (80, 160, true)],
        [(80, 160, true), (160, 220, false), (0, 88, true)],
    ] {
        let results = fragments(101, &parts);
        assert_eq!(
            results[..2],
            [Err(Skipped::Fragment), Err(Skipped::Fragment)]
        );
        assert_eq!(results[2].as_ref().unwrap(), &whole);
    }
    assert_eq!(
        fragments(101, &[(0, 80, true), (88, 220, false)])[1],
        Err(Skipped::Fragment)
    );
    assert_eq!(
        fragments(147, &[(0, 220, false)]),
        [Err(Skipped::Link(147))]
    );
}

#[test]
fn extension_headers_of_ipv6_are_passed() {
    let ends: [SocketAddr; 2] = [
        "[2001:db8::1]:5".parse().unwrap(),
        "[2001:db8::2]:6".parse().unwrap(),
    ];
    let conversation = Conversation {
        ends,
        ..Conversation::new()
    }
    .send(Client, b"six")
    .clone();
    let file = Format {
        link: Link::Raw,
        ..Format::default()
    }
    .write(&conversation.packets);
    let (header, tcp) = file[40..].split_at(40);
    // Hop-by-hop, routing of two units, destination, a fragment that is whole.
    let mut data = header.to_vec();
    data[6] = 0;
    data.extend([43, 0, 1, 4, 0, 0, 0, 0]);
    data.extend([60, 1].iter().chain(&[0; 14]));
    data.extend([44, 0, 1, 4, 0, 0, 0, 0]);
    data.extend([6, 0, 0, 0, 1, 2, 3, 4]);
    data.extend(tcp);
    let length = (data.len() - 40) as u16;
    data[4..6].copy_from_slice(&length.to_be_bytes());
    let mut packet = capture::Packet {
        number: 1,
        time: Default::default(),
        link: 229,
        length: data.len() as u32,
        data: &data,
    };
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(&packet).unwrap().payload, b"six");
    for length in 0..data.len() - 3 {
        packet.data = &data[..length];
        let short = decoder.decode(&packet);
        assert!(
            short.is_err_and(|skipped| skipped == Skipped::Short),
            "{length}"
        );
    }
}

#[test]
fn damage_never_panics() {
    let runner = |file: &[u8]| {
        let mut reader = Reader::new(file);
        let mut decoder = Decoder::default();
        while let Ok(Some(packet)) = reader.read() {
            let _ = decoder.decode(&packet);
        }
    };
    let ng = Format {
        ng: true,
        ..Format::default()
    };
    for format in LINKS
        .map(|link| Format {
            link,
            ..Format::default()
        })
        .into_iter()
        .chain([ng])
    {
        let file = format.write(&conversation()[..4]);
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut file = file.clone();
                file[at] = value;
                runner(&file);
            }
        }
    }
}

#[test]
fn errors_of_the_input_are_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no disk"))
        }
    }
    let error = Reader::new(Broken).read().unwrap_err();
    assert!(matches!(error.problem, Problem::Io(_)));
    assert_eq!(error.to_string(), "reading failed: no disk");
}
