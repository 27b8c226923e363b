//! Recordings of small conversations, whole, bounded, with something left out, and changed.

mod values;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::entropy::Entropy;
use crate::error::NoEntropy;
use crate::handshake::uri::Uri;
use crate::handshake::{Accept, ClientRequest, Negotiated, Response};
use crate::wire::checksum::seal;
use crate::{ClientConfig, CloseCode, Connection, Event, OriginPolicy, Part, ServerConfig};

use super::{Ended, MAGIC, Recorded, Recorder, Replay, ReplayError};

/// Keys that can be told apart; none when it was asked so many times.
struct Keys(u8);

impl Entropy for Keys {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.0 = self.0.checked_sub(1).ok_or(NoEntropy)?;
        out.fill(self.0 | 0x40);
        Ok(())
    }
}

fn keys() -> Box<Keys> {
    Box::new(Keys(200))
}

fn all() -> Recorder {
    Recorder::new(1 << 20)
}

fn upgraded(recorder: Recorder) -> Recorded {
    recorder.upgraded_server(&ServerConfig::upgraded(), Negotiated::new())
}

/// Reads all of it, as a driver does; the events.
fn read(ws: &mut Recorded, bytes: &[u8]) -> Vec<Event<'static>> {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut events = vec![];
    while let Some(event) = ws.receive(&mut input) {
        events.push(event.into_owned());
    }
    events
}

fn write(ws: &mut Recorded) -> Vec<u8> {
    let mut out = vec![];
    while !ws.output().is_empty() {
        out.extend_from_slice(ws.output());
        ws.consume_output(ws.output().len());
    }
    out
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut frame = vec![first, 0x80 | payload.len() as u8];
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

/// With its checksum made right.
fn sealed(mut recording: Vec<u8>) -> Vec<u8> {
    let len = recording.len() - 8;
    recording.truncate(len);
    let seal = seal(&recording);
    recording.extend(seal.to_le_bytes());
    recording
}

fn play(recording: &[u8]) -> Result<u64, ReplayError> {
    Ok(Replay::new(recording)?.run()?.steps)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

const REQUEST: &[u8] = b"GET /chat?token=abc123 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\ncookie: id=SESAME, b\r\nX: y\r\n\r\n";

/// A server's conversation with its opening handshake, times, two messages and the end.
fn served(recorder: Recorder) -> (Vec<u8>, Vec<u8>) {
    let config = ServerConfig::new(OriginPolicy::Any).fragment(3);
    let mut ws = recorder.server(&config);
    ws.advance_time(Duration::from_millis(5));
    assert!(matches!(read(&mut ws, REQUEST)[..], [Event::Request(_)]));
    let accept = Accept::new().header("Set-Cookie", b"id=OPEN").unwrap();
    ws.accept(accept).unwrap();
    let mut out = write(&mut ws);
    ws.advance_time(Duration::from_millis(1250));
    let frames = [
        masked(0x81, "gr\u{fc}ezi".as_bytes()),
        masked(0x82, b"SECRET"),
    ];
    // In two reads, the cut inside a payload.
    let (front, back) = frames.as_flattened_at(9);
    read(&mut ws, &front);
    assert_eq!(read(&mut ws, &back).len(), 2);
    ws.send("HIDDEN text").unwrap();
    ws.send_part(Part::binary(b"HIDDEN").last()).unwrap();
    ws.ping(b"PING").unwrap();
    out.extend(write(&mut ws));
    ws.close(CloseCode::GOING_AWAY, "BECAUSE").unwrap();
    assert!(ws.close_lossy(None, "").is_ok());
    out.extend(write(&mut ws));
    let ends = read(&mut ws, &masked(0x88, b"\x03\xe9WHY"));
    assert!(matches!(ends[..], [Event::Close(_), Event::Closed(_)]));
    ws.receive_eof();
    (ws.take_recording().unwrap(), out)
}

/// Cut at a byte of all of them.
trait Cut {
    fn as_flattened_at(&self, at: usize) -> (Vec<u8>, Vec<u8>);
}

impl Cut for [Vec<u8>; 2] {
    fn as_flattened_at(&self, at: usize) -> (Vec<u8>, Vec<u8>) {
        let all = self.concat();
        (all[..at].to_vec(), all[at..].to_vec())
    }
}

#[test]
fn every_event_and_byte_comes_again() {
    let (recording, out) = served(all().epoch(Duration::from_secs(99)));
    let mut replay = Replay::new(&recording).unwrap();
    assert_eq!(replay.epoch(), Duration::from_secs(99));
    let (mut received, mut sent, mut events, mut times) = (vec![], vec![], vec![], vec![]);
    while let Some(step) = replay.step().unwrap() {
        received.extend_from_slice(step.received);
        sent.extend_from_slice(step.sent);
        times.push(step.now);
        assert_eq!(step.event.is_some(), step.outcome.event().is_some());
        events.extend(step.outcome.event());
    }
    assert_eq!(sent, out);
    assert!(received.starts_with(REQUEST) && contains(&received, b"RG@VDV")); // masked
    assert_eq!(
        events,
        ["Request", "Open", "Message", "Message", "Close", "Closed"]
    );
    assert_eq!(times[1], Some(Duration::from_millis(5)));
    assert_eq!(times.last(), Some(&Some(Duration::from_millis(1250))));
    assert_eq!(replay.ended(), Some(Ended::Taken));
    assert!(!replay.without_payloads());
}

/// No bit of a recording can be changed, and none of its bytes be missing, without being told.
/// A message past the queue is recorded as one in it, of which so much was taken.
#[test]
fn a_message_past_the_queue() {
    let mut ws = upgraded(all());
    read(&mut ws, b"");
    let mut payload = *b"payload";
    ws.send_through(&mut payload[..], |slices| {
        assert_eq!(slices.concat(), b"\x82\x07payload");
        4
    })
    .unwrap();
    ws.send_through("more", |_| usize::MAX).unwrap();
    assert_eq!((ws.output_len(), ws.buffered_amount()), (0, 0));
    ws.close(None, "").unwrap();
    assert!(ws.send_through("late", |_| panic!()).is_err());
    let recording = ws.take_recording().unwrap();
    assert!(play(&recording).is_ok());
}

#[test]
fn damage_is_told() {
    let (recording, _) = served(all());
    for at in 0..recording.len() {
        let mut changed = recording.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(play(&changed).is_err(), "byte {at}");
        assert!(play(&recording[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(play(b"GET / HTTP/1.1"), Err(ReplayError::Foreign));
    assert_eq!(
        play(&[&MAGIC[..], &[2, 0, 0]].concat()),
        Err(ReplayError::Version { version: 2 })
    );
    let longer = [&recording[..], &[0]].concat();
    assert_eq!(play(&longer), Err(ReplayError::Damaged));
    let after = [&recording[..recording.len() - 8], &[0; 9]].concat();
    assert!(matches!(
        play(&sealed(after)),
        Err(ReplayError::Malformed { .. })
    ));
}

/// What entered was another byte: the replay parts where that shows, and says how.
#[test]
fn another_input_parts() {
    let mut ws = upgraded(all());
    read(&mut ws, &masked(0x82, b"SECRET"));
    ws.send("HIDDEN").unwrap();
    write(&mut ws);
    let recording = ws.take_recording().unwrap();
    assert_eq!(play(&recording), Ok(6));
    let change = |part: &[u8], at: usize| {
        let from = recording.windows(part.len()).position(|at| at == part);
        let mut changed = recording.clone();
        changed[from.unwrap() + at] ^= 0x01;
        play(&sealed(changed))
    };
    let Err(error @ ReplayError::Parted { step, .. }) = change(&masked(0x82, b"SECRET"), 7) else {
        panic!()
    };
    // The beginning, Open, and then the message.
    assert_eq!(step, 2);
    let text = error.to_string();
    let shown = "the replay parts at step 2, receive: recorded Message (6), 12 bytes taken, 0 bytes \
        drawn, 0 bytes of output, checksum ";
    assert!(
        text.starts_with(shown) && text.contains("; got Message (6), 12"),
        "{text}"
    );
    // A text's byte shows when it leaves, another opcode at once.
    assert!(matches!(
        change(b"HIDDEN", 0),
        Err(ReplayError::Parted { step: 5, .. })
    ));
    assert!(matches!(
        change(&masked(0x82, b"SECRET"), 0),
        Err(ReplayError::Parted { step: 2, .. })
    ));
}

/// Output that nobody has taken is compared at the end.
#[test]
fn what_waits_at_the_end() {
    let mut ws = upgraded(all());
    read(&mut ws, b"");
    ws.send("HIDDEN").unwrap();
    let recording = ws.take_recording().unwrap();
    let at = recording.windows(6).position(|at| at == b"HIDDEN").unwrap();
    let mut changed = recording.clone();
    changed[at] = b'h';
    assert_eq!(play(&recording), Ok(4));
    assert_eq!(
        play(&sealed(changed)),
        Err(ReplayError::PartedAtEnd { steps: 4 })
    );
}

/// Nothing of a payload or a secret is in it, and the replay still takes the same way.
#[test]
fn payloads_and_secrets_are_left_out() {
    let (whole, out) = served(all());
    let (recording, same) = served(all().without_payloads().without_secrets());
    assert_eq!(out, same);
    let words = [
        "SESAME", "abc123", "OPEN", "HIDDEN", "SECRET", "BECAUSE", "WHY",
    ];
    let masked_words = ["SECRET", "WHY"].map(|word| masked(0, word.as_bytes())[6..].to_vec());
    for word in words
        .map(|word| word.as_bytes().to_vec())
        .iter()
        .chain(&masked_words)
    {
        assert!(
            !contains(&recording, word),
            "{}",
            String::from_utf8_lossy(word)
        );
    }
    for word in ["SESAME", "abc123", "OPEN", "HIDDEN", "BECAUSE", "PING"] {
        assert!(contains(&whole, word.as_bytes()), "{word}");
    }
    // What is kept, and says so.
    assert!(contains(&recording, b"PING") && contains(&recording, b"cookie: xx=xxxxxx, x"));
    assert_eq!(play(&recording), play(&whole));
    let mut replay = Replay::new(&recording).unwrap();
    assert!(replay.without_payloads());
    let mut texts = vec![];
    while let Some(step) = replay.step().unwrap() {
        if let Some(Event::Message(message)) = step.event {
            texts.push(message.as_bytes().to_owned());
        }
    }
    assert_eq!(texts, [&b"xx\xc2\xa0xxx"[..], &[0; 6]]);
}

/// Text that is not UTF-8 fails at the same byte, whatever is left of it; long payloads take a few bytes.
#[test]
fn what_stands_in_for_payloads() {
    for (first, payload) in [
        (0x81, &b"ab\xff"[..]),
        (0x81, b"\xc3"),
        (0x81, b"\xe0\x80"),
        (0x81, b"\xed\xa0\x80"),
        (0x81, b"\xf4\x90\x80\x80"),
        (0x81, "\u{10ffff}\u{7ff}\u{800}".as_bytes()),
        (0x01, b"a\xe2\x82"),
        (0x88, b"\x03\xe8\xff"),
    ] {
        let mut ws = upgraded(all().without_payloads());
        let events = read(&mut ws, &masked(first, payload));
        let recording = ws.take_recording().unwrap();
        let mut replay = Replay::new(&recording).unwrap();
        let mut again = vec![];
        while let Some(step) = replay.step().unwrap() {
            again.extend(step.event);
        }
        let kinds = |events: &[Event<'_>]| -> Vec<String> {
            let told = events.iter().map(|event| match event {
                Event::Failed(failure) => failure.to_string(),
                other => alloc::format!("{other:?}"),
            });
            told.collect()
        };
        assert_eq!(kinds(&again), kinds(&events), "{payload:x?}");
    }
    let mut ws = upgraded(all().without_payloads());
    let mut frame = vec![0x82, 0xfe, 0x80, 0, 9, 8, 7, 6];
    frame.resize(frame.len() + 0x8000, 1);
    read(&mut ws, &frame);
    ws.send(&"x y ".repeat(1000)).unwrap();
    let recording = ws.take_recording().unwrap();
    assert!(recording.len() < 200, "{}", recording.len());
    assert_eq!(play(&recording), Ok(5));
    let small = Replay::new(&recording).unwrap().most(36_000);
    assert!(matches!(small.run(), Err(ReplayError::TooMuch { .. })));
}

/// The bound holds to the byte, the recording says that it was reached, and the connection goes on.
#[test]
fn the_bound() {
    let (whole, out) = served(all());
    let mut played = 0;
    for most in (0..whole.len()).step_by(7) {
        let (recording, same) = served(Recorder::new(most));
        assert!(
            recording.len() <= most.max(64),
            "{} {most}",
            recording.len()
        );
        assert_eq!(same, out);
        let replayed = Replay::new(&recording).unwrap().run().unwrap();
        assert_eq!(replayed.ended, Ended::Full);
        assert!(replayed.steps >= played);
        played = replayed.steps;
    }
    let mut ws = upgraded(Recorder::new(200));
    for _ in 0..100 {
        ws.send("a").unwrap();
        assert!(ws.recording_held() < 200 + 1000);
    }
    assert!(!ws.is_recording());
    let recording = ws.take_recording().unwrap();
    assert!(ws.take_recording().is_none() && recording.len() > 150);
}

/// A call that panics is the last one, and is made again.
#[test]
fn a_call_that_panics() {
    let mut ws = upgraded(all());
    read(&mut ws, b"");
    ws.begun_in_a_panic();
    let recording = ws.take_recording().unwrap();
    let replayed = Replay::new(&recording).unwrap().run().unwrap();
    assert_eq!((replayed.steps, replayed.ended), (4, Ended::InCall));
    // Where its end has no room any more, the recording is full instead.
    let mut ended = vec![];
    for most in 64..200 {
        let mut ws = upgraded(Recorder::new(most));
        read(&mut ws, b"");
        ws.begun_in_a_panic();
        let recording = ws.take_recording().unwrap();
        assert!(recording.len() <= most);
        ended.push(Replay::new(&recording).unwrap().run().unwrap().ended);
    }
    assert!(ended.contains(&Ended::Full) && ended.contains(&Ended::InCall));
}

/// Many messages in one read: each of its bytes is written once, and what is read anew is taken for that.
#[test]
fn each_byte_is_written_once() {
    let mut ws = upgraded(all());
    let bytes = masked(0x82, b"0123456789").repeat(100);
    assert_eq!(read(&mut ws, &bytes).len(), 101);
    // Dropped with its rest, and then another read into the same place.
    let mut bytes = masked(0x82, b"0123456789").repeat(3);
    assert!(ws.receive(&mut &mut bytes[..]).is_some());
    let mut input = &mut bytes[16..];
    // Nothing in between changes what is left.
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert!(ws.receive(&mut input).is_some());
    bytes[..16].copy_from_slice(&masked(0x82, b"9876543210"));
    assert!(ws.receive(&mut &mut bytes[..]).is_some());
    let mut copy = &bytes[16..];
    assert!(ws.receive_copy(&mut copy).is_some());
    let mut kept = masked(0x82, b"kept");
    ws.keep_input(&mut &mut kept[..]);
    assert!(ws.find_event(&mut &mut [][..]));
    read(&mut ws, b"");
    let recording = ws.take_recording().unwrap();
    let per_call = 10;
    assert!(
        recording.len() < 106 * (16 + per_call) + 100,
        "{}",
        recording.len()
    );
    assert!(play(&recording).unwrap() > 105);
}

/// A client's nonce and keys are in it, and so is a source that had none.
#[test]
fn a_client() {
    let request = ClientRequest::new(Uri::parse("wss://h:444/a?b").unwrap());
    let request = request
        .subprotocol("chat")
        .unwrap()
        .origin("https://o")
        .unwrap();
    let request = request.extension("x-own; a=1", 2).unwrap();
    let request = request.header("Authorization", b"Bearer SESAME").unwrap();
    for recorder in [all(), all().without_secrets()] {
        let config = ClientConfig::new();
        let own = Connection::client_with_entropy(&config, request.clone(), keys()).unwrap();
        let mut ws = recorder
            .client_with_entropy(&config, request.clone(), keys())
            .unwrap();
        assert_eq!(ws.output(), own.output());
        write(&mut ws);
        read(
            &mut ws,
            b"HTTP/1.1 401 No\r\nSet-Cookie: id=SESAME\r\nContent-Length: 2\r\n\r\nno",
        );
        let recording = ws.take_recording().unwrap();
        assert_eq!(play(&recording), Ok(5));
        assert_eq!(contains(&recording, b"SESAME"), !recorder.left_out.secrets);
    }
    let entropy = Box::new(Keys(1));
    let mut ws =
        all().upgraded_client_with_entropy(&ClientConfig::new(), Negotiated::new(), entropy);
    ws.send("a").unwrap();
    ws.send("b").unwrap_err();
    let recording = ws.take_recording().unwrap();
    assert_eq!(play(&recording), Ok(3));
    // The system's source goes on after the recording.
    if cfg!(feature = "getrandom") {
        let mut ws = all().upgraded_client(&ClientConfig::new(), Negotiated::new());
        ws.send(String::from("a")).unwrap();
        assert_eq!(play(&ws.take_recording().unwrap()), Ok(2));
        ws.send("b").unwrap();
        assert_eq!(ws.into_connection().output_len(), 14);
    }
}

/// Messages that an extension encodes: whole they come again, left out the recording ends before.
#[cfg(feature = "deflate")]
#[test]
fn compressed_messages() {
    use crate::Prepared;
    use crate::extension::{Compress, PermessageDeflate};
    let deflate = PermessageDeflate::server()
        .server_no_context_takeover(false)
        .threshold(10);
    let config = ServerConfig::upgraded().deflate(deflate);
    let agreed = || Negotiated::new().extensions("permessage-deflate");
    let long = "the same, ".repeat(20);
    for recorder in [all(), all().without_payloads()] {
        let mut ws = recorder.upgraded_server(&config, agreed());
        ws.send("short").unwrap();
        ws.send_with(&long, Compress::Never).unwrap();
        write(&mut ws);
        assert!(ws.is_recording());
        ws.send(&Prepared::text(&long).with_deflate(1, &[15]))
            .unwrap();
        assert_eq!(ws.is_recording(), recorder == all());
        ws.send(&long).unwrap();
        let compressed = ws.output().to_vec();
        write(&mut ws);
        let recording = ws.take_recording().unwrap();
        let replayed = Replay::new(&recording).unwrap().run().unwrap();
        let ended = if recorder == all() {
            (7, Ended::Taken)
        } else {
            (4, Ended::LeftOut)
        };
        assert_eq!((replayed.steps, replayed.ended), ended);

        let mut ws = recorder.upgraded_client_with_entropy(&client(), agreed(), keys());
        let events = read(&mut ws, &[b"\x81\x01a", &compressed[..]].concat());
        assert!(matches!(events[..], [Event::Open, Event::Message(_), ..]));
        let recording = ws.take_recording().unwrap();
        let replayed = Replay::new(&recording).unwrap().run().unwrap();
        assert_eq!(replayed.ended, ended.1);
    }
    fn client() -> ClientConfig {
        ClientConfig::new().deflate(PermessageDeflate::client())
    }
}

/// A connection with an extension of the application's needs it.
#[test]
fn extensions_of_the_application() {
    use crate::extension::{Extension, MessageCodec, MessageExtension};
    use crate::role::Role;
    #[derive(Debug)]
    struct Own;
    impl MessageExtension for Own {
        fn name(&self) -> &str {
            "x-own"
        }
        fn offer(&self) -> String {
            "x-own".into()
        }
        fn answer(&self, _: &[Extension<'_>]) -> Option<String> {
            None
        }
        fn codec(&self, _: Role, _: &Extension<'_>) -> Option<Box<dyn MessageCodec>> {
            None
        }
    }
    let config = ServerConfig::upgraded().extension(Own).serve_http();
    let mut ws = all().server(&config.hosts(["h"]).unwrap());
    read(&mut ws, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ws.begin_response(Response::new(200).header("X", b"y").unwrap(), Some(3))
        .unwrap();
    ws.write_response(b"abc").unwrap();
    ws.end_response().unwrap();
    write(&mut ws);
    let recording = ws.take_recording().unwrap();
    let name = "x-own".into();
    assert_eq!(play(&recording), Err(ReplayError::Extension { name }));
    let replay = Replay::new(&recording).unwrap().extension(Own);
    assert_eq!(replay.run().unwrap().steps, 7);
}

/// Buffers that are lent and targets that are asked for are played as they were.
#[test]
fn buffers_and_targets() {
    let mut ws = upgraded(all());
    assert_eq!(read(&mut ws, b"").len(), 1);
    let mut buffer = Vec::with_capacity(5000);
    buffer.extend_from_slice(&[7; 3000]);
    ws.lend_buffer(buffer);
    ws.send(vec![7; 200]).unwrap();
    write(&mut ws);
    assert!(ws.take_buffer().is_some());
    // A frame whose payload is asked for in its place.
    assert!(ws.receive_target().is_none());
    let mut payload = &[9; 60_000][..];
    read(&mut ws, &[0x82, 0xfe, 0xea, 0x60, 1, 2, 3, 4, 9, 9]);
    payload = &payload[2..];
    while let Some(target) = ws.receive_target() {
        let n = target.len().min(payload.len());
        target[..n].copy_from_slice(&payload[..n]);
        ws.receive_target_filled(n);
        payload = &payload[n..];
    }
    assert!(payload.len() < 50_000);
    assert_eq!(read(&mut ws, payload).len(), 1);
    let recording = ws.take_recording().unwrap();
    assert!(play(&recording).unwrap() > 8);
}
