//! `tests/models/data/vectors.txt`, in every way of reading and at every cut.

use sansocket::config::{Delivery, Limits};
#[cfg(feature = "deflate")]
use sansocket::extension::PermessageDeflate;
use sansocket::{CloseCode, Connection, Negotiated, Role};

use crate::support::*;

/// One entry of the file, for one role.
struct Vector {
    id: String,
    role: Role,
    input: Vec<u8>,
    limit: Option<u64>,
    /// Without `Failed` and `Closed`.
    events: Vec<Seen>,
    /// Code, rule, and after how many bytes of the input, where that is said.
    failure: Option<(u16, String, Option<usize>)>,
    extensions: String,
    output: Vec<u8>,
    clean: bool,
    code: u16,
}

fn parse(file: &str) -> Vec<Vector> {
    let mut vectors = Vec::new();
    for entry in file.split("\n\n") {
        let lines: Vec<_> = entry
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        let Some((title, lines)) = lines.split_first() else {
            continue;
        };
        let id = title[1..title.find(']').expect("an id")].to_string();
        let field = |name: &str| {
            let named = |line: &&str| Some(line.strip_prefix(name)?.trim_start().to_string());
            lines.iter().find_map(named)
        };
        if let Some(text) = field("utf8 ") {
            vectors.extend(utf8_vectors(&id, &bytes(&text), field("bad ").as_deref()));
            continue;
        }
        if cfg!(not(feature = "deflate")) && field("with ").is_some() {
            continue;
        }
        let frames: Vec<_> = field("in ").expect(&id).split('|').map(bytes).collect();
        for (role, masked) in match &*field("to ").expect(&id) {
            "client" => vec![(Role::Client, false)],
            "server" => vec![(Role::Server, false)],
            _ => vec![(Role::Client, false), (Role::Server, true)],
        } {
            vectors.push(vector(&id, role, masked, &frames, lines));
        }
    }
    vectors
}

fn vector(id: &str, role: Role, masked: bool, frames: &[Vec<u8>], lines: &[&str]) -> Vector {
    let mut vector = Vector {
        id: format!("{id} to {role:?}"),
        role,
        input: Vec::new(),
        limit: None,
        events: Vec::new(),
        failure: None,
        extensions: String::new(),
        output: Vec::new(),
        clean: false,
        code: 1006,
    };
    // Where each byte of the frames stands in the input.
    let mut places = Vec::new();
    for frame in frames {
        let (start, key_at) = (vector.input.len(), header_len(frame));
        vector.input.extend_from_slice(frame);
        places.extend((0..frame.len()).map(|i| start + i));
        if masked {
            if frame.len() >= 2 {
                vector.input[start + 1] |= 0x80;
            }
            for (byte, key) in vector.input[start + key_at..]
                .iter_mut()
                .zip(KEY.iter().cycle())
            {
                *byte ^= key;
            }
            vector.input.splice(start + key_at..start + key_at, KEY);
            let end = places.len();
            for place in &mut places[end - frame.len() + key_at..] {
                *place += KEY.len();
            }
        }
    }
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "to" | "in" => {}
            "with" => vector.extensions = rest.into(),
            "limit" => vector.limit = Some(rest.parse().expect(id)),
            "text" => vector
                .events
                .push(Seen::Text(String::from_utf8(bytes(rest)).expect(id))),
            "binary" => vector.events.push(Seen::Binary(bytes(rest))),
            "ping" => vector.events.push(Seen::Ping(bytes(rest))),
            "pong" => vector.events.push(Seen::pong(bytes(rest))),
            "close" => {
                let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                let reason = String::from_utf8(bytes(reason)).expect(id);
                vector.events.push(Seen::Close(code.parse().ok(), reason));
            }
            "fail" => {
                let (rule, at) = match rest.split_once(" at ") {
                    Some((rule, at)) => (rule, Some(at.parse::<usize>().expect(id))),
                    None => (rest, None),
                };
                let (code, rule) = rule.split_once(' ').expect(id);
                let code: u16 = code.parse().expect(id);
                vector.failure = Some((code, rule.into(), at.map(|at| places[at - 1] + 1)));
                add_output(&mut vector, &Frame::new(CLOSE, code.to_be_bytes()));
            }
            "out" => {
                for frame in decode(&bytes(rest)) {
                    add_output(&mut vector, &frame);
                }
            }
            "closed" => {
                let (how, code) = rest.split_once(' ').expect(id);
                vector.clean = how == "clean";
                vector.code = code.parse().expect(id);
            }
            _ => panic!("{id}: {line}"),
        }
    }
    vector
}

fn add_output(vector: &mut Vector, frame: &Frame) {
    let bytes = match vector.role {
        Role::Client => frame.clone().masked(KEY).encode(),
        Role::Server => frame.encode(),
    };
    vector.output.extend(bytes);
}

/// Where the key of this frame would stand, as far as the frame goes.
fn header_len(frame: &[u8]) -> usize {
    let len = match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    len.min(frame.len())
}

/// Text as a message, in fragments of one byte, and as a close reason.
fn utf8_vectors(id: &str, text: &[u8], bad: Option<&str>) -> Vec<Vector> {
    let mut vectors = Vec::new();
    // The byte of the text at which it fails.
    let bad = bad.map(|bad| bad.parse().unwrap_or(text.len()));
    let whole = vec![Frame::new(TEXT, text).encode()];
    let fragments: Vec<_> = text
        .iter()
        .enumerate()
        .map(|(i, byte)| {
            let opcode = if i == 0 { TEXT } else { CONTINUATION };
            let fin = i + 1 == text.len();
            Frame {
                fin,
                ..Frame::new(opcode, [*byte])
            }
            .encode()
        })
        .collect();
    let close = [&[3, 0xe8], text].concat();
    let reason = vec![Frame::new(CLOSE, &close).encode()];
    let hex = |bytes: &[u8]| {
        let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(" ")
    };
    for (role, masked) in [(Role::Client, false), (Role::Server, true)] {
        let in_message = |at: fn(usize) -> usize| match bad {
            Some(bad) => format!("fail 1007 TextNotUtf8 at {}", at(bad)),
            None => format!("text {}", hex(text)),
        };
        let line = in_message(|bad| 2 + bad);
        vectors.push(vector(
            &format!("{id} whole"),
            role,
            masked,
            &whole,
            &[&line],
        ));
        let line = in_message(|bad| 3 * bad);
        vectors.push(vector(
            &format!("{id} fragments"),
            role,
            masked,
            &fragments,
            &[&line],
        ));
        let id = format!("{id} reason");
        vectors.push(match bad {
            // A control frame is judged as a whole.
            Some(_) => {
                let line = format!("fail 1007 CloseReasonNotUtf8 at {}", 4 + text.len());
                vector(&id, role, masked, &reason, &[&line])
            }
            None => {
                let line = format!("close 1000 {}", hex(text));
                let lines = [&*line, "out 88 02 03 e8", "closed clean 1000"];
                vector(&id, role, masked, &reason, &lines)
            }
        });
    }
    vectors
}

fn connection(vector: &Vector, delivery: Delivery) -> Connection {
    let limited = |mut limits: Limits| {
        if let Some(limit) = vector.limit {
            (limits.frame, limits.message) = (limit, limit);
        }
        limits
    };
    let server_config = server_config()
        .limits(limited(Limits::server()))
        .delivery(delivery);
    let client_config = client_config()
        .limits(limited(Limits::client()))
        .delivery(delivery);
    #[cfg(feature = "deflate")]
    let (server_config, client_config) = (
        server_config.deflate(PermessageDeflate::server()),
        client_config.deflate(PermessageDeflate::client()),
    );
    let agreed = Negotiated::new().extensions(&*vector.extensions);
    opened(match vector.role {
        Role::Server => Connection::upgraded_server(&server_config, agreed),
        Role::Client => {
            Connection::upgraded_client_with_entropy(&client_config, agreed, Box::new(SampleKey))
        }
    })
}

/// Feeds the reads and holds what comes against the vector.
fn check(vector: &Vector, mut driver: Driver, reads: &[&[u8]], how: &str) {
    let id = &vector.id;
    for read in reads {
        driver.read(read);
    }
    let (events, output) = driver.finish();
    let mut events = joined(&events);
    let Some(Seen::Closed(report)) = events.pop() else {
        panic!("{id}, {how}: no Closed at the end of {events:?}");
    };
    if let Some((code, rule, _)) = &vector.failure {
        let Some(Seen::Failed(failure)) = events.pop() else {
            panic!("{id}, {how}: no failure in {events:?}");
        };
        assert_eq!(failure.close_code(), Some(*code), "{id}, {how}");
        assert!(
            format!("{failure:?}").contains(&**rule),
            "{id}, {how}: {failure:?}"
        );
        assert_eq!(report.failure, Some(failure), "{id}, {how}");
        assert_eq!(
            report.sent.and_then(|sent| sent.code).map(CloseCode::get),
            Some(*code)
        );
    } else {
        assert_eq!(report.failure, None, "{id}, {how}");
    }
    assert_eq!(events, vector.events, "{id}, {how}");
    assert_eq!(output, vector.output, "{id}, {how}");
    assert_eq!(
        (report.clean, report.code),
        (vector.clean, vector.code),
        "{id}, {how}"
    );
}

/// Every two-part cut; of a long input those near its ends and some between.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    let all = len <= 512;
    (0..=len).filter(move |cut| all || *cut <= 16 || *cut + 8 >= len || cut % (len / 3) == 0)
}

fn run(delivery: Delivery) {
    let vectors = parse(include_str!("../../models/data/vectors.txt"));
    assert!(vectors.len() > 350, "{}", vectors.len());
    for vector in &vectors {
        let input = &vector.input[..];
        for way in WAYS {
            let driver = || Driver::new(connection(vector, delivery), *way);
            check(vector, driver(), &[input], &format!("{way:?} whole"));
            for cut in cuts(input.len()) {
                let (a, b) = input.split_at(cut);
                check(vector, driver(), &[a, b], &format!("{way:?} cut at {cut}"));
            }
            let each: Vec<_> = input.chunks(1).collect();
            check(vector, driver(), &each, &format!("{way:?} byte by byte"));
        }
    }
}

/// RFC 6455 §5–§8: the vectors as whole messages; no cut and no way of reading makes a difference
/// (F-10, D-21).
#[test]
fn every_vector_in_every_way_at_every_cut() {
    run(Delivery::Whole);
}

/// The same in chunks: joined they are the message (§5.4, G-9).
#[test]
fn every_vector_in_chunks() {
    run(Delivery::Chunks);
}

/// The same where the application is asked and does not answer: whole.
#[test]
fn every_vector_when_asked() {
    run(Delivery::Ask);
}

/// The same where the application streams each message that it is asked about.
#[test]
fn every_vector_when_asked_and_streamed() {
    for vector in &parse(include_str!("../../models/data/vectors.txt")) {
        for way in [
            Way::Lent,
            Way::Owned,
            Way::Held,
            Way::HeldRest,
            Way::Prepared,
        ] {
            for size in [1, 2, 3, usize::MAX] {
                let mut driver = Driver::new(connection(vector, Delivery::Ask), way);
                for read in vector.input.chunks(size.min(vector.input.len())) {
                    driver.read_with(read, |ws, event| {
                        if matches!(event, Seen::Start { .. }) {
                            ws.stream_message();
                        }
                    });
                }
                let whole = |event: &Seen| matches!(event, Seen::Text(_) | Seen::Binary(_));
                assert!(
                    !driver.events.iter().any(whole),
                    "{}: not streamed",
                    vector.id
                );
                check(vector, driver, &[], &format!("{way:?} in reads of {size}"));
            }
        }
    }
}

/// D-21: the failure is there with the byte that decides it, and not before.
#[test]
fn failures_come_with_the_byte_that_decides_them() {
    for vector in &parse(include_str!("../../models/data/vectors.txt")) {
        let Some((_, _, Some(at))) = vector.failure else {
            continue;
        };
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            for way in WAYS {
                let mut driver = Driver::new(connection(vector, delivery), *way);
                for (i, byte) in vector.input.iter().enumerate() {
                    assert_eq!(
                        driver.failure().is_some(),
                        i >= at,
                        "{}, {way:?}, {delivery:?}, after {i} bytes",
                        vector.id
                    );
                    driver.read(&[*byte]);
                }
                assert!(driver.failure().is_some(), "{}", vector.id);
            }
        }
    }
}
