//! What holds for any capture, as functions of bytes that panic where it does not.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use sansocket_tcp_streams::{Config, Event, Flags, Kind, Segment, Sender, Streams};

/// Decisions, read from bytes; zeros when they are used up.
pub struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub fn word(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// True `n` times in 256.
    pub fn chance(&mut self, n: u8) -> bool {
        // Not when the bytes are used up.
        self.byte().wrapping_sub(1) < n
    }
}

/// A segment that owns its payload.
#[derive(Clone)]
pub struct Owned {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub seq: u32,
    pub ack: Option<u32>,
    pub flags: Flags,
    pub length: usize,
    pub payload: Vec<u8>,
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (port, seq, ack, flags) = (self.from.port(), self.seq, self.ack, self.flags);
        let (length, kept) = (self.length, self.payload.len());
        write!(f, "{port} [{flags}] {seq}+{length} ({kept}) {ack:?}")
    }
}

impl Owned {
    pub fn receive(&self, packet: u64, streams: &mut Streams, tell: &mut impl FnMut(Event<'_>)) {
        let flags = if self.ack.is_some() {
            self.flags.and(Flags::ACK)
        } else {
            self.flags
        };
        let segment = Segment {
            time: Duration::from_millis(packet),
            packet,
            from: self.from,
            to: self.to,
            seq: self.seq,
            ack: self.ack.unwrap_or(0),
            flags,
            length: self.length as u32,
            payload: &self.payload,
        };
        streams.receive(&segment, tell);
    }
}

/// What was told of one direction.
#[derive(Default, Debug, Clone, PartialEq)]
pub struct Told {
    /// Bytes, and holes as `None`.
    pub bytes: Vec<Option<u8>>,
    pub length: u64,
    pub syn: bool,
    pub fin: bool,
    pub differs: bool,
}

/// Checks the grammar of events, and gathers what they tell.
#[derive(Default)]
pub struct Listener {
    /// By number, then client and server.
    pub told: HashMap<u64, [Told; 2]>,
    open: HashMap<usize, u64>,
    /// Whether holes are short enough to be written out.
    pub short: bool,
}

impl Listener {
    pub fn hear(&mut self, event: Event<'_>) {
        let (index, number) = (event.conversation.index(), event.conversation.number());
        if let Kind::Begin { client, server, .. } = event.kind {
            assert_ne!(client, server);
            assert_eq!(
                self.open.insert(index, number),
                None,
                "an index that is taken"
            );
            assert!(self.told.insert(number, Default::default()).is_none());
            return;
        }
        assert_eq!(
            self.open.get(&index),
            Some(&number),
            "before the begin or after the end"
        );
        let side = usize::from(event.sender == Sender::Server);
        let told = &mut self.told.get_mut(&number).unwrap()[side];
        match event.kind {
            Kind::Syn => assert!(!std::mem::replace(&mut told.syn, true)),
            Kind::Fin => assert!(!std::mem::replace(&mut told.fin, true)),
            Kind::Data(bytes) => {
                assert!(!bytes.is_empty() && !told.fin);
                assert_eq!(event.offset, told.length);
                told.length += bytes.len() as u64;
                told.bytes.extend(bytes.iter().map(|byte| Some(*byte)));
            }
            Kind::Gap(length) => {
                assert!(length != 0 && !told.fin);
                assert_eq!(event.offset, told.length);
                told.length += length;
                if self.short {
                    told.bytes.extend((0..length).map(|_| None));
                }
            }
            Kind::Differs => told.differs = true,
            Kind::End(_) => {
                self.open.remove(&index);
            }
            _ => {}
        }
    }

    pub fn finish(self) -> HashMap<u64, [Told; 2]> {
        assert!(self.open.is_empty(), "conversations without an end");
        self.told
    }
}

pub fn ends() -> [SocketAddr; 2] {
    [
        "192.0.2.7:50123".parse().unwrap(),
        "[2001:db8::1]:443".parse().unwrap(),
    ]
}

/// One end while a conversation is made up.
struct Speaker {
    isn: u32,
    stream: Vec<u8>,
    sent: usize,
    finished: bool,
}

impl Speaker {
    fn new(choices: &mut Choices<'_>) -> Self {
        // Often where the numbers wrap.
        let isn = if choices.chance(128) {
            choices.word()
        } else {
            u32::MAX - u32::from(choices.byte())
        };
        let length = usize::from(choices.byte()) * usize::from(choices.byte() >> 3) + 1;
        let stream = (0..length)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8)
            .collect();
        Self {
            isn,
            stream,
            sent: 0,
            finished: false,
        }
    }

    /// The number of the next segment.
    fn seq(&self) -> u32 {
        let sent = self.sent as u32 + 1 + u32::from(self.finished);
        self.isn.wrapping_add(sent)
    }
}

/// A conversation as it was sent: the handshake, then segments of both ends with true acknowledgments.
fn conversation(choices: &mut Choices<'_>, acks: bool, snap: usize) -> (Vec<Owned>, [Vec<u8>; 2]) {
    let ends = ends();
    let mut speakers = [Speaker::new(choices), Speaker::new(choices)];
    let mut segments = Vec::new();
    for side in [0, 1] {
        segments.push(Owned {
            from: ends[side],
            to: ends[1 - side],
            seq: speakers[side].isn,
            ack: (side == 1).then(|| speakers[0].isn.wrapping_add(1)),
            flags: Flags::SYN,
            length: 0,
            payload: Vec::new(),
        });
    }
    while speakers.iter().any(|speaker| !speaker.finished) && segments.len() < 300 {
        let side = usize::from(choices.chance(128));
        let ack = acks.then(|| speakers[1 - side].seq());
        let speaker = &mut speakers[side];
        let seq = speaker.seq();
        let left = speaker.stream.len() - speaker.sent;
        let size = match choices.byte() {
            0..8 => 0, // an acknowledgment alone
            size => left.min(1 + usize::from(size) * usize::from(size) / 40),
        };
        let size = if speaker.finished { 0 } else { size };
        let payload = &speaker.stream[speaker.sent..speaker.sent + size];
        let kept = payload[..size.min(snap)].to_vec();
        speaker.sent += size;
        let fin = !speaker.finished && speaker.sent == speaker.stream.len();
        let flags = if fin { Flags::FIN } else { Flags::PSH };
        speaker.finished |= fin;
        let (from, to) = (ends[side], ends[1 - side]);
        segments.push(Owned {
            from,
            to,
            seq,
            ack,
            flags,
            length: size,
            payload: kept,
        });
    }
    (segments, speakers.map(|speaker| speaker.stream))
}

/// The same bytes of a stream in a segment that is cut otherwise.
fn again(
    segment: &Owned,
    streams: &[Vec<u8>; 2],
    isns: [u32; 2],
    choices: &mut Choices<'_>,
) -> Owned {
    let side = usize::from(segment.from == ends()[1]);
    let mut segment = segment.clone();
    if segment.flags.has(Flags::SYN) {
        return segment;
    }
    let start = segment.seq.wrapping_sub(isns[side].wrapping_add(1)) as usize;
    if start > streams[side].len() {
        return segment;
    }
    let start = start.saturating_sub(usize::from(choices.byte() & 31));
    let end = streams[side]
        .len()
        .min(start + usize::from(choices.byte()) + 1);
    segment.seq = isns[side].wrapping_add(1).wrapping_add(start as u32);
    segment.payload = streams[side][start..end].to_vec();
    segment.length = segment.payload.len();
    segment.flags = Flags::default();
    segment
}

/// Any conversation, any part of which was lost, doubled, cut otherwise or put into another order: what is told is the
/// streams, with gaps where nothing was captured.
pub fn conversation_of_segments(data: &[u8]) {
    let choices = &mut Choices(data);
    let acks = choices.chance(96);
    let shuffled = choices.chance(128);
    let snap = if choices.chance(64) {
        usize::from(choices.byte())
    } else {
        usize::MAX
    };
    let (lost, doubled) = (choices.byte() >> 2, choices.byte() >> 2);
    let (segments, streams) = conversation(choices, acks, snap);
    let isns = [segments[0].seq, segments[1].seq];
    // The handshake stays where it is.
    let mut captured = segments[..2].to_vec();
    for segment in &segments[2..] {
        if !choices.chance(lost) {
            captured.push(segment.clone());
        }
        if choices.chance(doubled) {
            // What comes after its acknowledgment is not told.
            let copy = if !acks && snap == usize::MAX && choices.chance(128) {
                again(segment, &streams, isns, choices)
            } else {
                segment.clone()
            };
            captured.push(copy);
        }
    }
    if shuffled {
        for n in (3..captured.len()).rev() {
            captured.swap(n, 2 + (choices.word() as usize) % (n - 1));
        }
    }
    let told = listen(&captured, Config::default());
    assert_eq!(told.len(), 1);
    let told = &told[&1];
    for side in [0, 1] {
        let told = &told[side];
        assert!(told.syn && !told.differs);
        for (told, sent) in told.bytes.iter().zip(&streams[side]) {
            assert!(told.is_none_or(|told| told == *sent));
        }
        // With acknowledgments in another order, what came after its own is not told.
        if !(acks && shuffled) {
            let (bytes, fin) = expected(side, &captured, &streams[side], isns);
            let same = told.bytes == bytes;
            assert!(
                same,
                "{} for {} of {captured:?}",
                runs(&told.bytes),
                runs(&bytes)
            );
            assert_eq!(told.fin, fin);
        }
    }
}

/// What a capture shows of one direction.
fn expected(
    side: usize,
    captured: &[Owned],
    stream: &[u8],
    isns: [u32; 2],
) -> (Vec<Option<u8>>, bool) {
    let mut known = vec![None; stream.len()];
    let (mut end, mut fin) = (0, false);
    let offset = |seq: u32| seq.wrapping_sub(isns[side].wrapping_add(1)) as usize;
    for segment in captured {
        if segment.from == ends()[side] {
            if segment.flags.has(Flags::SYN) {
                continue;
            }
            let start = offset(segment.seq);
            for (n, byte) in segment.payload.iter().enumerate() {
                known[start + n] = Some(*byte);
            }
            if segment.length != 0 || segment.flags.has(Flags::FIN) {
                end = end.max(start + segment.length);
                fin |= segment.flags.has(Flags::FIN);
            }
        } else if let Some(ack) = segment.ack {
            end = end.max(offset(ack));
        }
    }
    if fin {
        end = stream.len();
    } // else an end that was acknowledged cannot be told from a byte
    let mut bytes = known;
    bytes.truncate(end);
    bytes.resize(end, None);
    (bytes, fin)
}

/// Any conversation and any other one between the same ends, without its beginning, with limits that are passed: what
/// is told is told in order, and no limit is broken.
pub fn segments(data: &[u8]) {
    let choices = &mut Choices(data);
    let mut config = Config::default();
    config.conversations = 1 + usize::from(choices.byte() & 3);
    config.ended = usize::from(choices.byte() & 3);
    config.early = usize::from(choices.byte()) * 8;
    config.early_in_all = usize::from(choices.byte()) * 16;
    config.patience = choices.byte() & 3;
    let mut captured = Vec::new();
    while !choices.0.is_empty() && captured.len() < 1000 {
        let kind = choices.byte();
        let ports = [1000 + u16::from(kind & 3), 80 + u16::from(kind >> 2 & 1)];
        let ends = ports.map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
        let side = usize::from(kind >> 3 & 1);
        let near = |choices: &mut Choices<'_>| match choices.byte() {
            255 => choices.word(),
            n => u32::from(n).wrapping_sub(100),
        };
        let seq = near(choices);
        let ack = (kind & 0x10 != 0).then(|| near(choices));
        let flags = match choices.byte() {
            n @ 0..32 => Flags(n),
            n if n & 15 == 0 => Flags::FIN,
            _ => Flags::PSH,
        };
        let payload = vec![choices.byte(); usize::from(choices.byte() & 63)];
        let mut length = payload.len();
        if choices.chance(16) {
            length += choices.word() as usize >> (choices.byte() & 31);
        }
        captured.push(Owned {
            from: ends[side],
            to: ends[1 - side],
            seq,
            ack,
            flags,
            length,
            payload,
        });
    }
    let mut listener = Listener::default();
    let mut streams = Streams::new(config);
    for (packet, segment) in (1..).zip(&captured) {
        segment.receive(packet, &mut streams, &mut |event| listener.hear(event));
        assert!(streams.len() <= config.conversations);
        assert!(streams.early() <= config.early_in_all);
    }
    streams.finish(captured.len() as u64, Duration::ZERO, &mut |event| {
        listener.hear(event)
    });
    listener.finish();
}

/// What is told of short conversations.
pub fn listen(captured: &[Owned], config: Config) -> HashMap<u64, [Told; 2]> {
    let mut listener = Listener {
        short: true,
        ..Listener::default()
    };
    let mut streams = Streams::new(config);
    for (packet, segment) in (1..).zip(captured) {
        segment.receive(packet, &mut streams, &mut |event| listener.hear(event));
    }
    streams.finish(captured.len() as u64, Duration::ZERO, &mut |event| {
        listener.hear(event)
    });
    listener.finish()
}

/// How many bytes are known, then not, and so on.
fn runs(bytes: &[Option<u8>]) -> String {
    let runs = bytes.chunk_by(|a, b| a.is_some() == b.is_some());
    runs.map(|run| format!("{}{} ", if run[0].is_some() { '+' } else { '-' }, run.len()))
        .collect()
}
