//! States whose parts do not belong to each other are those of no connection.

use alloc::string::String;
use alloc::vec;

use crate::clock::Clock;
use crate::entropy::{Entropy, Randomness};
use crate::error::{Failure, NoEntropy};
use crate::event::{CloseFrame, CloseReport, Kind, Message};
use crate::frame::Opcode;
use crate::handshake::Refusal;
use crate::mask::MaskingKey;
use crate::utf8::Validator;
use crate::{ClientConfig, ClientRequest, CloseCode, Negotiated, ServerConfig, Uri};

use super::super::responding::Body;
use super::*;

struct Sevens;

impl Entropy for Sevens {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill(7);
        Ok(())
    }
}

fn opened(mut ws: Connection) -> Connection {
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

fn server() -> Connection {
    let config = ServerConfig::upgraded();
    opened(Connection::upgraded_server(&config, Negotiated::new()))
}

fn client() -> Connection {
    let config = ClientConfig::new();
    let entropy = Box::new(Sevens);
    opened(Connection::upgraded_client_with_entropy(
        &config,
        Negotiated::new(),
        entropy,
    ))
}

/// Before its request has left.
fn connecting() -> Connection {
    let request = ClientRequest::new(Uri::parse("ws://h").unwrap());
    Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(Sevens)).unwrap()
}

/// Its opening handshake has failed.
fn refused() -> Connection {
    let mut ws = connecting();
    let mut answer = *b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(
        ws.receive(&mut &mut answer[..]),
        Some(Event::Refused(_))
    ));
    ws
}

/// The peer's Close frame has come, and ours is queued.
fn closed() -> Connection {
    let mut ws = client();
    let mut close = *b"\x88\x02\x03\xe8";
    assert!(matches!(
        ws.receive(&mut &mut close[..]),
        Some(Event::Close(_))
    ));
    ws
}

/// The application has failed it.
fn failed() -> Connection {
    let mut ws = server();
    assert!(ws.fail(CloseCode::NORMAL_CLOSURE, "").is_ok());
    ws
}

/// A frame is sent in pieces, of which none was queued.
fn begun() -> Connection {
    let mut ws = server();
    ws.begin_message(Kind::Binary, 3).unwrap();
    ws
}

/// After these bytes of frames.
fn after(mut ws: Connection, bytes: &[u8]) -> Connection {
    let mut bytes = bytes.to_vec();
    assert!(ws.receive(&mut &mut bytes[..]).is_none());
    ws
}

const fn piece(key: Option<MaskingKey>, offset: u64) -> InParts {
    InParts::Frame {
        kind: Kind::Binary,
        utf8: Validator::new(),
        key,
        offset,
    }
}

const fn fragments(encoded: bool) -> InParts {
    InParts::Fragments {
        kind: Kind::Binary,
        utf8: Validator::new(),
        encoded,
    }
}

fn close_frame() -> Option<CloseFrame> {
    Some(CloseFrame::new(
        Some(CloseCode::NORMAL_CLOSURE),
        String::new(),
    ))
}

fn report() -> CloseReport {
    let mut ws = server();
    ws.transport_lost();
    match ws.receive(&mut &mut [][..]) {
        Some(Event::Closed(report)) => *report,
        other => panic!("{other:?}"),
    }
}

const PAGE: Body = Body {
    status: 200,
    framing: None,
};

const NORMAL: Failure = Failure::Application(CloseCode::NORMAL_CLOSURE);

/// What is written down, read back.
fn read_back(ws: &Connection) -> Result<Connection, Unread> {
    let mut to = Writer::new(usize::MAX);
    ws.save(Duration::ZERO, &mut to).unwrap();
    let bytes = to.into_bytes();
    let (config, from) = (ws.config.clone(), &mut Reader::new(&bytes, 0));
    Connection::read(ws.role(), config, Randomness::SYSTEM, Duration::ZERO, from)
}

/// A state that is one, and what makes it none.
type Case = (&'static str, fn() -> Connection, fn(&mut Connection));

fn assert_each(cases: &[Case]) {
    for (name, of, broken) in cases {
        let mut ws = of();
        let state = ws.state();
        let read = read_back(&ws).map(|ws| ws.state());
        assert_eq!(read, Ok(state), "{name}, before");
        broken(&mut ws);
        let read = read_back(&ws).map(|_| ());
        assert_eq!(read, Err(Unread::Bad), "{name}");
    }
}

/// With these facts: how much has passed since the time was told, the peer heard, the last ping; what happened since; the
/// number of that ping; the deadline.
fn clock(facts: u8, now: Duration, numbers: [u64; 6]) -> Result<Clock, Bad> {
    let mut to = Writer::new(usize::MAX);
    to.byte(facts);
    for number in numbers {
        to.number(number);
    }
    let bytes = to.into_bytes();
    clock::read(nanos(now), &mut Reader::new(&bytes, 0))
}

/// A clock that was told no time has nothing to note, and what nobody notes is none.
#[test]
fn facts_about_a_clock() {
    for facts in 0..=u8::MAX {
        let read = clock(facts, Duration::ZERO, [0; 6]);
        let is_told = facts & 1 != 0;
        let good = facts == 0 || is_told && facts < 8;
        assert_eq!(read.is_ok(), good, "{facts}");
        let told = read.ok().map(|clock| clock.is_told());
        assert_eq!(told, good.then_some(is_told), "{facts}");
    }
}

/// A deadline gives the driver two calls ([`Since::LATEST`]), and the latest byte has come: its time is told to the
/// millisecond, rounded up.
#[test]
fn what_happened_since_the_peer_was_heard() {
    for late in 0..=3 {
        let read = clock(1, Duration::ZERO, [0, 0, 0, late, 0, 0]);
        assert_eq!(read.is_ok(), late <= 2, "{late}");
    }
    for heard_before in [0, 1, 999_999, 1_000_000, 1_000_001] {
        for millis in 0..4 {
            let read = clock(1, Duration::ZERO, [0, heard_before, 0, millis << 3, 0, 0]);
            let good = millis * 1_000_000 < heard_before + 1_000_000;
            assert_eq!(read.is_ok(), good, "{heard_before} {millis}");
        }
    }
}

/// The latest time that there is counts as told, as [`Connection::advance_time`] has it.
#[test]
fn a_clock_at_the_end_of_time() {
    let read = clock(1, Duration::MAX, [0; 6]);
    assert!(read.is_ok_and(|clock| clock.is_told()));
}

#[test]
fn what_is_read_belongs_together() {
    assert_each(&[
        ("payload of no message", server, |ws| {
            ws.reading = after(server(), b"\x82\x82\0\0\0\0x").reading;
        }),
        ("of a control frame came less", server, |ws| {
            ws.rare().control = vec![0];
        }),
        (
            "of a control frame came more",
            || after(server(), b"\x89\x82\0\0\0\0x"),
            |ws| ws.rare().control = vec![],
        ),
        ("a frame before it is open", connecting, |ws| {
            ws.reading = after(client(), b"\x82").reading;
        }),
        ("a message before it is open", connecting, |ws| {
            ws.gathering = after(client(), b"\x02\x01x").gathering;
        }),
        ("agreed on before it is open", connecting, |ws| {
            let negotiated = Negotiated::new().subprotocol("chat");
            let codec = None;
            ws.in_use = Some(Box::new(InUse { negotiated, codec }));
        }),
        ("a client reads a masked frame", client, |ws| {
            let other = after(server(), b"\x82\x82\0\0\0\0x");
            (ws.reading, ws.gathering) = (other.reading, other.gathering);
        }),
        ("an opening of another life", connecting, |ws| {
            ws.life.refused();
        }),
    ]);
}

#[test]
fn what_is_sent_belongs_together() {
    assert_each(&[
        ("a server masks", begun, |ws| {
            let key = Some([1; 4]);
            ws.rare().in_parts = Some(piece(key, 1));
        }),
        ("more of a frame than there can be", begun, |ws| {
            ws.rare().in_parts = Some(piece(None, u64::MAX));
        }),
        ("a frame of no message", begun, |ws| {
            ws.rare().in_parts = None;
        }),
        ("a frame of a message in fragments", begun, |ws| {
            ws.rare().in_parts = Some(fragments(false));
        }),
        ("encoded by nothing", server, |ws| {
            ws.rare().in_parts = Some(fragments(true));
        }),
        ("a message before it is open", connecting, |ws| {
            ws.rare().in_parts = Some(fragments(false));
        }),
        ("bytes that cannot leave", begun, |ws| {
            ws.life.write_lost();
        }),
        ("bytes for a transport that is lost", begun, |ws| {
            ws.life.lost();
        }),
        ("an answer to nobody", server, |ws| {
            ws.rare().body = Some(PAGE);
        }),
        ("a client's answer", refused, |ws| {
            ws.rare().body = Some(PAGE);
        }),
    ]);
}

#[test]
fn what_ended_it_belongs_together() {
    assert_each(&[
        ("a Close frame that did not come", server, |ws| {
            ws.rare().ending.received = close_frame();
        }),
        ("one that was not sent", server, |ws| {
            ws.rare().ending.sent = close_frame();
        }),
        ("one that came, and is not there", closed, |ws| {
            ws.rare().ending.received = None;
        }),
        ("one that was sent, and is not there", closed, |ws| {
            ws.rare().ending.sent = None;
        }),
        ("one that is queued and was not sent", server, |ws| {
            ws.output.control(Opcode::Close, None, &[]);
        }),
        ("it failed for nothing", failed, |ws| {
            ws.rare().ending.failure = None;
        }),
    ]);
}

#[test]
fn what_was_found_has_happened() {
    assert_each(&[
        ("open, which is told by itself", server, |ws| {
            ws.rare().found = Some(Event::Open);
        }),
        ("a refusal, and it is open", client, |ws| {
            let refusal = Refusal::new(404, [].into_iter());
            ws.rare().found = Some(Event::Refused(Box::new(refusal)));
        }),
        ("a Close frame that did not come", server, |ws| {
            let frame = close_frame().unwrap();
            ws.rare().found = Some(Event::Close(Box::new(frame)));
        }),
        ("it failed, and goes on", server, |ws| {
            ws.rare().found = Some(Event::Failed(NORMAL));
        }),
        ("its end, before it", server, |ws| {
            ws.rare().found = Some(Event::Closed(Box::new(report())));
        }),
        ("a message before it is open", connecting, |ws| {
            ws.rare().found = Some(Event::Message(Message::text("early")));
        }),
    ]);
    // What has.
    for (of, event) in [
        (refused as fn() -> Connection, Event::Failed(NORMAL)),
        (failed, Event::Failed(NORMAL)),
        (closed, Event::Close(Box::new(close_frame().unwrap()))),
        (server, Event::Message(Message::text("in time"))),
    ] {
        let mut ws = of();
        ws.rare().found = Some(event);
        assert!(read_back(&ws).is_ok());
    }
}
