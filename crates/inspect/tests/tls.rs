//! Sessions of rustls, read with the secrets that it logs.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../examples/captures.rs"]
#[allow(dead_code, reason = "it has more than is needed here")]
mod library;
#[path = "tls/rustls.rs"]
mod made;

use made::{Ends, Record, random};
use rustls::version::{TLS12, TLS13};
use sansocket_inspect::tls::{KeyLog, Session, Suite, Told, Why};
use sansocket_tcp_streams::Sender::{self, Client, Server};

/// What was told of an end: its bytes, those that are missing as `None`.
type Read = [Vec<Option<u8>>; 2];

fn side(from: Sender) -> usize {
    usize::from(from == Server)
}

fn log(text: &str) -> KeyLog {
    let mut log = KeyLog::default();
    log.add(text.as_bytes());
    log.end();
    log
}

/// Reads a session; those of its pieces that are `None` are missing.
fn read(pieces: &[(Sender, usize, Option<&[u8]>)], log: &KeyLog) -> (Read, Vec<String>) {
    let (mut read, mut told) = (Read::default(), Vec::new());
    let mut session = Session::new(false);
    let mut tell = |from: Sender, it: Told<'_>| match it {
        Told::Data(bytes) => read[side(from)].extend(bytes.iter().map(|byte| Some(*byte))),
        Told::Gap(n) => read[side(from)].extend((0..n).map(|_| None)),
        other => told.push(format!("{from:?} {other:?}")),
    };
    for (from, length, bytes) in pieces {
        match bytes {
            Some(bytes) => session.receive(*from, bytes, log, &mut tell),
            None => session.gap(*from, *length as u64, &mut tell),
        }
    }
    session.end(Client, &mut tell);
    session.end(Server, &mut tell);
    session.finish(&mut tell);
    (read, told)
}

/// All of it, in pieces of this length.
fn read_whole(records: &[Record], piece: usize, keys: &str) -> (Read, Vec<String>) {
    let pieces: Vec<_> = records
        .iter()
        .flat_map(|record| {
            record
                .bytes
                .chunks(piece)
                .map(|bytes| (record.from, bytes.len(), Some(bytes)))
        })
        .collect();
    read(&pieces, &log(keys))
}

fn whole(bytes: &[Vec<u8>; 2]) -> Read {
    bytes
        .each_ref()
        .map(|bytes| bytes.iter().map(|byte| Some(*byte)).collect())
}

#[test]
fn every_suite_of_both_versions() {
    let mut seen = Vec::new();
    for version in [&TLS12, &TLS13] {
        for suite in made::suites(version) {
            let mut ends = Ends::new(version, Some(suite));
            ends.talk(40, 5000);
            ends.close();
            for piece in [1, 7, 1000, 100_000] {
                let (read, told) = read_whole(&ends.records, piece, &ends.keys());
                assert!(read == whole(&ends.sent), "{suite:?} {told:?}");
                let number = u16::from(suite);
                let agreed = format!("suite: {number} }}");
                assert!(told[1].contains(&agreed), "{told:?}");
                assert_eq!(told[0], "Client Asked { server_name: Some(\"localhost\") }");
                assert_eq!(told[2..], ["Client Alert(0)", "Server Alert(0)"]);
            }
            seen.push(Suite::of(u16::from(suite)).unwrap().name());
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn keys_that_are_updated() {
    let mut ends = Ends::new(&TLS13, None);
    for _ in 0..5 {
        ends.talk(3, 100);
        ends.client.refresh_traffic_keys().unwrap();
        ends.talk(3, 100);
        ends.server.refresh_traffic_keys().unwrap();
    }
    let (read, told) = read_whole(&ends.records, 50, &ends.keys());
    assert!(read == whole(&ends.sent));
    let updates = |from: &str| {
        told.iter()
            .filter(|it| **it == format!("{from} KeyUpdate"))
            .count()
    };
    // Who is told answers with one of its own.
    assert!(updates("Client") > 4 && updates("Server") > 4, "{told:?}");
}

#[test]
fn a_client_that_is_asked_to_begin_again() {
    let mut ends = Ends::that_retry();
    ends.talk(5, 100);
    let is_hello = |bytes: &[u8]| bytes[0] == 22 || bytes[0] == 20 && bytes.get(6) == Some(&22);
    let of_client = ends.records.iter().filter(|it| it.from == Client);
    let hellos = of_client.filter(|it| is_hello(&it.bytes)).count();
    assert_eq!(hellos, 2);
    let (read, told) = read_whole(&ends.records, 100, &ends.keys());
    assert!(read == whole(&ends.sent), "{told:?}");
    assert_eq!(told.iter().filter(|it| it.contains("Agreed")).count(), 1);
}

#[test]
fn early_data_counts_if_the_server_takes_it() {
    for accepted in [true, false] {
        let mut ends = Ends::early(accepted, b"GET / HTTP/1.1\r\n");
        ends.talk(5, 100);
        for piece in [1, 60, 100_000] {
            let (read, told) = read_whole(&ends.records, piece, &ends.keys());
            assert!(read == whole(&ends.sent), "{accepted} {piece} {told:?}");
            assert_eq!(told[2], format!("Server Early {{ accepted: {accepted} }}"));
        }
        // Without the key of the early data.
        let keys = ends.keys().replace("CLIENT_EARLY", "X");
        let (mut read, _) = read_whole(&ends.records, 1000, &keys);
        if accepted {
            assert_eq!(read[0][..16], [None; 16]);
            read[0].drain(..16);
        }
        let rest = whole(&ends.sent)[0].split_off(if accepted { 16 } else { 0 });
        assert!(read[0] == rest);
    }
}

/// Each byte that was read is the one that was sent there, and those that are missing are as many as they were.
fn check_with_losses(ends: &Ends, (read, told): (Read, Vec<String>), what: &str) -> usize {
    let mut missing = 0;
    for (side, read) in read.iter().enumerate() {
        let sent = &ends.sent[side];
        // What is lost at the end is not known.
        assert!(
            read.len() <= sent.len(),
            "{what}: side {side}: {} of {} {told:?}",
            read.len(),
            sent.len()
        );
        for (n, (read, sent)) in read.iter().zip(sent).enumerate() {
            assert!(
                read.is_none_or(|read| read == *sent),
                "{what}: side {side} at {n} {told:?}"
            );
            missing += usize::from(read.is_none());
        }
        missing += sent.len() - read.len();
    }
    missing
}

#[test]
fn records_that_are_lost() {
    for version in [&TLS12, &TLS13] {
        for suite in made::suites(version) {
            let mut ends = Ends::new(version, Some(suite));
            ends.talk(60, 700);
            let keys = log(&ends.keys());
            // Segments of the application's bytes.
            let mut pieces = Vec::new();
            for record in &ends.records {
                let chunks = record
                    .bytes
                    .chunks(if record.application { 400 } else { 100_000 });
                pieces.extend(
                    chunks.map(|bytes| (record.from, bytes.len(), Some(bytes), record.application)),
                );
            }
            for round in 0..60 {
                let mut lost = 0;
                let pieces: Vec<_> = (0..)
                    .zip(&pieces)
                    .map(|(n, (from, length, bytes, application))| {
                        let chance = random(round * 7919 + n) % 20;
                        let gone = *application && chance < round % 4 + 1 && n > 20;
                        lost += usize::from(gone);
                        (*from, *length, bytes.filter(|_| !gone))
                    })
                    .collect();
                let what = format!("{suite:?} round {round}");
                let missing = check_with_losses(&ends, read(&pieces, &keys), &what);
                let all: usize = ends.sent.iter().map(Vec::len).sum();
                assert!(lost == 0 || missing != 0, "{what}");
                assert!(
                    missing < all * 7 / 10,
                    "{what}: {missing} of {all} are missing after {lost} losses"
                );
            }
        }
    }
}

#[test]
fn an_update_that_is_lost() {
    let mut ends = Ends::new(&TLS13, None);
    ends.talk(10, 100);
    ends.client.refresh_traffic_keys().unwrap();
    ends.talk(1, 100);
    let at = ends
        .records
        .iter()
        .rposition(|record| record.from == Client)
        .unwrap();
    ends.talk(10, 100);
    let pieces: Vec<_> = (0..)
        .zip(&ends.records)
        .map(|(n, record)| {
            (
                record.from,
                record.bytes.len(),
                Some(&record.bytes[..]).filter(|_| n != at),
            )
        })
        .collect();
    let (read, told) = read(&pieces, &log(&ends.keys()));
    let rest = ends.sent[0].len() / 3;
    let end = &ends.sent[0][ends.sent[0].len() - rest..];
    assert!(
        read[0].ends_with(&end.iter().map(|byte| Some(*byte)).collect::<Vec<_>>()),
        "{told:?}"
    );
}

#[test]
fn keys_that_are_logged_later() {
    let mut ends = Ends::new(&TLS13, None);
    ends.talk(5, 100);
    let (all, mut keys, mut read) = (ends.keys(), KeyLog::default(), Read::default());
    let mut session = Session::new(true);
    for (n, record) in ends.records.iter().enumerate() {
        if n == ends.records.len() - 3 {
            assert!(session.wants_keys());
            keys.add(all.as_bytes());
        }
        session.receive(record.from, &record.bytes, &keys, &mut |from, it| {
            if let Told::Data(bytes) = it {
                read[side(from)].extend(bytes.iter().map(|byte| Some(*byte)));
            }
        });
    }
    assert!(!session.wants_keys());
    assert!(read == whole(&ends.sent));
}

#[test]
fn what_cannot_be_read_says_why() {
    let mut ends = Ends::new(&TLS13, None);
    ends.talk(5, 100);
    let last = |(_, told): (Read, Vec<String>)| told.last().unwrap().clone();
    let why = |why: Why| format!("Unreadable({why:?})");
    assert!(last(read_whole(&ends.records, 50, "")).ends_with(&why(Why::NoKeys)));
    let wrong: String = ends
        .keys()
        .lines()
        .map(|line| {
            let (label, secret) = line.rsplit_once(' ').unwrap();
            format!("{label} {}\n", "00".repeat(secret.len() / 2))
        })
        .collect();
    assert!(last(read_whole(&ends.records, 50, &wrong)).ends_with(&why(Why::WrongKeys)));
    assert!(
        last(read_whole(&ends.records[1..], 50, &ends.keys())).ends_with(&why(Why::NoHandshake))
    );
    let hello = [0x16, 3, 1, 0, 2, 1, 0];
    let record = |bytes: &[u8]| Record {
        from: Client,
        bytes: bytes.to_vec(),
        application: false,
    };
    assert!(
        last(read_whole(
            &[record(&hello), record(b"GET / HTTP/1.1")],
            50,
            ""
        ))
        .ends_with(&why(Why::Damaged))
    );
}

/// A conversation for the library of captures: what each end gave to TCP, and the secrets. It is recorded, as keys are
/// made by chance.
#[test]
#[ignore = "writes captures/tls.session"]
fn write_the_session_of_the_library() {
    let mut ends = Ends::new(&TLS13, None);
    for (from, bytes) in library::conversation() {
        ends.send(from, &bytes);
    }
    ends.close();
    let mut text = ends.keys();
    for record in &ends.records {
        let bytes: String = record
            .bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        text += &format!("{:?} {bytes}\n", record.from);
    }
    std::fs::write(library::folder().join("tls.session"), text).unwrap();
}

#[test]
fn any_bytes_are_read_in_linear_time() {
    let mut ends = Ends::new(&TLS13, None);
    ends.talk(2, 100);
    let keys = log(&ends.keys());
    let mut session = Session::new(false);
    for record in &ends.records {
        session.receive(record.from, &record.bytes, &keys, &mut |_, _| {});
    }
    // Each place could be that of a record of 16 KiB, whose number is one of many.
    session.gap(Server, 10 << 20, &mut |_, _| {});
    let mark = [23, 3, 3, 0x40, 0].repeat(1 << 14);
    let begun = std::time::Instant::now();
    for piece in mark.chunks(1400) {
        session.receive(Server, piece, &keys, &mut |_, it| {
            assert!(matches!(it, Told::Gap(_)))
        });
    }
    // Built without optimization, AES takes its time.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    for n in 0..2000 {
        let mut session = Session::new(n % 2 == 0);
        for record in &ends.records {
            let mut bytes = record.bytes.clone();
            for at in 0..3 {
                let place = random(n * 31 + at) as usize % bytes.len();
                bytes[place] ^= 1 << (random(n + at) % 8);
            }
            if random(n).is_multiple_of(7) {
                session.gap(record.from, bytes.len() as u64, &mut |_, _| {});
            }
            session.receive(record.from, &bytes, &keys, &mut |_, _| {});
        }
        session.finish(&mut |_, _| {});
    }
}
