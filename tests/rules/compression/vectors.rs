//! The vectors VD (RFC 7692 §7.2.3) and VE, received: in both roles, in every way of reading and
//! delivery, at every cut.

use sansocket::Role;
use sansocket::config::Delivery;
use sansocket::error::Failure;

use super::{NO_TAKEOVER, TAKEOVER, delivering};
use crate::support::*;

struct Vector {
    id: &'static str,
    params: &'static str,
    /// Unmasked, `|` between frames.
    frames: &'static str,
    events: Vec<Seen>,
    /// The rule that is broken after these events.
    fails: Option<&'static str>,
}

fn vector(id: &'static str, frames: &'static str, events: &[Seen]) -> Vector {
    Vector {
        id,
        params: TAKEOVER,
        frames,
        events: events.to_vec(),
        fails: None,
    }
}

impl Vector {
    fn without_takeover(self) -> Self {
        Self {
            params: NO_TAKEOVER,
            ..self
        }
    }

    fn fails(self, rule: &'static str) -> Self {
        Self {
            fails: Some(rule),
            ..self
        }
    }

    fn input(&self, role: Role) -> Vec<u8> {
        let frames: Vec<_> = self.frames.split('|').map(bytes).collect();
        match role {
            Role::Client => frames.concat(),
            Role::Server => frames.iter().flat_map(|frame| mask(frame)).collect(),
        }
    }
}

/// The frame as a client sends it. All frames here have a short length.
fn mask(frame: &[u8]) -> Vec<u8> {
    let mut masked = vec![frame[0], frame[1] | 0x80];
    masked.extend(KEY);
    masked.extend(
        frame[2..]
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(b, k)| b ^ k),
    );
    masked
}

fn vectors() -> Vec<Vector> {
    let hello = || Seen::text("Hello");
    let one = || [hello()];
    vec![
        vector("VD-3", "c1 07 f2 48 cd c9 c9 07 00", &one()),
        vector("VD-3 alone", "c1 07 f2 48 cd c9 c9 07 00", &one()).without_takeover(),
        vector("VD-4", "41 03 f2 48 cd | 80 04 c9 c9 07 00", &one()),
        vector(
            "PF-5: seven fragments",
            "41 01 f2 | 00 01 48 | 00 01 cd | 00 01 c9 | 00 01 c9 | 00 01 07 | 80 01 00",
            &one(),
        ),
        vector(
            "empty fragments",
            "41 00 | 00 03 f2 48 cd | 00 00 | 00 04 c9 c9 07 00 | 80 00",
            &one(),
        ),
        vector(
            "VD-5",
            "c1 07 f2 48 cd c9 c9 07 00 | c1 07 f2 48 cd c9 c9 07 00",
            &[hello(), hello()],
        )
        .without_takeover(),
        vector(
            "VD-5 with takeover: an empty window is the sender's choice",
            "c1 07 f2 48 cd c9 c9 07 00 | c1 07 f2 48 cd c9 c9 07 00",
            &[hello(), hello()],
        ),
        vector(
            "VD-6",
            "c1 07 f2 48 cd c9 c9 07 00 | c1 05 f2 00 11 00 00",
            &[hello(), hello()],
        ),
        vector(
            "VD-6 and once more",
            "c1 07 f2 48 cd c9 c9 07 00 | c1 05 f2 00 11 00 00 | c1 05 f2 00 11 00 00",
            &[hello(), hello(), hello()],
        ),
        vector(
            "VD-6 without takeover (PC-9)",
            "c1 07 f2 48 cd c9 c9 07 00 | c1 05 f2 00 11 00 00",
            &one(),
        )
        .without_takeover()
        .fails("CompressedData"),
        vector("VD-11", "c1 07 f3 48 cd c9 c9 07 00", &one()),
        vector(
            "VD-11, and the window lives on",
            "c1 07 f3 48 cd c9 c9 07 00 | c1 05 f2 00 11 00 00 | 41 03 f3 48 cd | 00 00 | 80 04 c9 c9 07 00",
            &[hello(), hello(), hello()],
        ),
        vector(
            "VD-11, then an empty last fragment",
            "41 07 f3 48 cd c9 c9 07 00 | 80 00",
            &one(),
        ),
        vector("VD-11, cut off", "c1 06 f3 48 cd c9 c9 07", &[]).fails("CompressedData"),
        vector(
            "VD-11, and half a block",
            "c1 08 f3 48 cd c9 c9 07 00 f2",
            &[],
        )
        .fails("CompressedData"),
        vector("VD-7", "c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00", &one()),
        vector("VD-8", "c1 08 f3 48 cd c9 c9 07 00 00", &one()),
        vector(
            "VD-9",
            "c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
            &one(),
        ),
        vector(
            "VD-10",
            "41 0b f2 48 cd c9 c9 07 00 00 00 ff ff | 80 01 00",
            &one(),
        ),
        vector("VE-1", "c1 01 00", &[Seen::text("")]),
        vector("VE-1, binary", "c2 01 00", &[Seen::binary("")]),
        vector(
            "VE-2",
            "c1 07 f2 48 cd c9 c9 07 00 | 81 05 48 65 6c 6c 6f | c1 05 f2 00 11 00 00",
            &[hello(), hello(), hello()],
        ),
        vector(
            "VE-3",
            "c1 07 f2 48 cd c9 c9 07 00 | c1 01 00 | c1 05 f2 00 11 00 00",
            &[hello(), Seen::text(""), hello()],
        ),
        vector(
            "VE-4",
            "c1 08 f3 48 cd c9 c9 07 00 00 | c1 05 f2 00 11 00 00",
            &[hello(), hello()],
        ),
        vector(
            "VE-4, binary",
            "c2 08 f3 48 cd c9 c9 07 00 00 | c2 05 f2 00 11 00 00",
            &[Seen::binary("Hello"), Seen::binary("Hello")],
        ),
        vector(
            "VE-5",
            "41 08 f2 48 05 00 00 00 ff ff | 80 05 ca c9 c9 07 00",
            &one(),
        ),
        vector("VE-6", "c1 05 f2 00 11 00 00", &[]).fails("CompressedData"),
        vector("VE-7", "c1 01 06", &[]).fails("CompressedData"),
        vector("VE-8", "c1 0b 00 05 00 00 00 48 65 6c 6c 6f 00", &[]).fails("CompressedData"),
        vector("VE-9", "c1 00", &[]).fails("CompressedData"),
        vector("VE-9, binary", "c2 00", &[]).fails("CompressedData"),
        vector("VE-9 in two", "41 00 | 80 00", &[]).fails("CompressedData"),
        vector("VE-10", "c1 03 fa 0f 00", &[]).fails("TextNotUtf8"),
        vector("VE-11", "c2 03 fa 0f 00", &[Seen::binary([0xff])]),
        vector("VE-12", "41 03 f2 48 cd | c0 04 c9 c9 07 00", &[]).fails("ReservedBits"),
        vector("VE-13, Ping", "c9 00", &[]).fails("ReservedBits"),
        vector("VE-13, Close", "c8 00", &[]).fails("ReservedBits"),
        vector("VE-13, Pong", "ca 00", &[]).fails("ReservedBits"),
        vector(
            "VE-14",
            "41 03 f2 48 cd | 89 01 78 | 80 04 c9 c9 07 00",
            &[Seen::ping("x"), hello()],
        ),
        vector("VE-16", "c1 03 4a 04 00", &[Seen::text("a")]),
        vector("VE-17", "c1 06 f2 48 cd c9 c9 07", &[]).fails("CompressedData"),
        vector(
            "VE-17 in fragments, then a good one",
            "41 03 f2 48 cd | 80 03 c9 c9 07 | c1 03 4a 04 00",
            &[],
        )
        .fails("CompressedData"),
        vector("VE-18", "c1 05 f2 48 cd c9 c9", &[]).fails("CompressedData"),
        vector("PF-7: RSV2", "e1 07 f2 48 cd c9 c9 07 00", &[]).fails("ReservedBits"),
        vector("PF-7: RSV3", "d1 07 f2 48 cd c9 c9 07 00", &[]).fails("ReservedBits"),
        vector("RSV1 on a reserved opcode", "c3 00", &[]).fails("ReservedBits"),
        vector(
            "a message inside a compressed one",
            "41 03 f2 48 cd | 81 01 61",
            &[],
        )
        .fails("MessageInterrupted"),
        vector(
            "a character cut off at the end",
            "c1 07 00 01 00 fe ff c3 00",
            &[],
        )
        .fails("TextNotUtf8"),
        // Invalid text, then corrupt data: the first one counts, however the bytes come.
        vector("text before data", "c1 07 00 01 00 fe ff ff 06", &[]).fails("TextNotUtf8"),
        vector("the end of the data", "c1 08 00 01 00 fe ff c3 06 00", &[]).fails("CompressedData"),
    ]
}

fn streams(delivery: Delivery) -> impl Fn(&mut sansocket::Connection, &Seen) {
    move |ws, event| {
        if delivery == Delivery::Ask && matches!(event, Seen::Start { .. }) {
            ws.stream_message();
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    As(Delivery),
    /// Asked, and streamed.
    Streamed,
}

const MODES: [Mode; 4] = [
    Mode::As(Delivery::Whole),
    Mode::As(Delivery::Chunks),
    Mode::As(Delivery::Ask),
    Mode::Streamed,
];

/// What the reads bring, and after how many bytes the connection failed.
fn play(vector: &Vector, role: Role, mode: Mode, way: Way, reads: &[&[u8]]) -> Option<usize> {
    let how = format!("{} to {role:?}, {mode:?}, {way:?}", vector.id);
    let delivery = match mode {
        Mode::As(delivery) => delivery,
        Mode::Streamed => Delivery::Ask,
    };
    let mut driver = Driver::new(delivering(delivery, role, vector.params), way);
    let mut failed_at = None;
    let mut at = 0;
    for read in reads {
        match mode {
            Mode::Streamed => driver.read_with(read, streams(delivery)),
            Mode::As(_) => driver.read(read),
        }
        at += read.len();
        if failed_at.is_none() && driver.failure().is_some() {
            failed_at = Some(at);
        }
    }
    let (events, output) = driver.finish();
    let mut events = joined(&events);
    let Some(Seen::Closed(report)) = events.pop() else {
        panic!("{how}: no Closed after {events:?}");
    };
    assert_eq!(
        report.failure.is_some(),
        vector.fails.is_some(),
        "{how}: {report:?}"
    );
    if let Some(rule) = vector.fails {
        let Some(Seen::Failed(Failure::Protocol(error))) = events.pop() else {
            panic!("{how}: no failure in {events:?}");
        };
        assert!(format!("{error:?}").starts_with(rule), "{how}: {error:?}");
        let code = if matches!(rule, "TextNotUtf8" | "CompressedData") {
            1007
        } else {
            1002
        };
        assert_eq!(error.close_code(), code, "{how}");
        let close = Frame::new(CLOSE, u16::to_be_bytes(code));
        assert!(
            output.ends_with(&encode_as(role, &close)),
            "{how}: {output:02x?}"
        );
    }
    assert_eq!(events, vector.events, "{how}");
    failed_at
}

/// A frame that an end of this role sends.
fn encode_as(role: Role, frame: &Frame) -> Vec<u8> {
    match role {
        Role::Server => frame.encode(),
        Role::Client => frame.clone().masked(KEY).encode(),
    }
}

#[test]
fn every_vector_in_every_way_at_every_cut() {
    for vector in &vectors() {
        for role in ROLES {
            let input = vector.input(role);
            let each: Vec<_> = input.chunks(1).collect();
            for mode in MODES {
                let at = play(vector, role, mode, Way::Lent, &each);
                assert_eq!(at.is_some(), vector.fails.is_some());
                for way in WAYS {
                    if matches!((mode, way), (Mode::Streamed, Way::Target)) {
                        continue; // a target is for what is gathered
                    }
                    let whole = play(vector, role, mode, *way, &[&input]);
                    assert_eq!(whole, at.map(|_| input.len()));
                    // D-21: with the byte that decides it, and not before.
                    assert_eq!(play(vector, role, mode, *way, &each), at, "{}", vector.id);
                    for cut in 0..=input.len() {
                        let (a, b) = input.split_at(cut);
                        let failed = play(vector, role, mode, *way, &[a, b]);
                        let expected = at.map(|at| if at <= cut { cut } else { input.len() });
                        assert_eq!(failed, expected, "{} cut at {cut}", vector.id);
                    }
                }
            }
        }
    }
}

/// VE-15, PN-3, X-6: not agreed on, RSV1 is a reserved bit as any other.
#[test]
fn compressed_without_agreement() {
    for role in ROLES {
        let mut ws = open_without(role);
        let events = receive(
            &mut ws,
            &vector("VE-15", "c1 07 f2 48 cd c9 c9 07 00", &[]).input(role),
        );
        assert!(
            matches!(&events[..], [Seen::Failed(failure)] if failure.close_code() == Some(1002)),
            "{events:?}"
        );
    }
}

/// With the settings, but nothing agreed on.
fn open_without(role: Role) -> sansocket::Connection {
    super::End::default().open(role, sansocket::Negotiated::new())
}
