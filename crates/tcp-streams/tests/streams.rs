//! What each kind of capture is read as.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by a panic; its numbers are small"
)]

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use sansocket_tcp_streams::{Config, Event, Flags, Kind, Segment, Sender, Streams};

const ACK: Flags = Flags::ACK;
const SYN: Flags = Flags::SYN;
const FIN: Flags = Flags::FIN.and(ACK);
const RST: Flags = Flags::RST;

/// Feeds segments, and writes what is told as one line each.
struct Capture {
    streams: Streams,
    packet: u64,
    log: String,
}

impl Capture {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self {
            streams: Streams::new(config),
            packet: 0,
            log: String::new(),
        }
    }

    /// A client with the SYN 99 and a server with the SYN 499.
    fn open() -> Self {
        let mut capture = Self::new();
        capture
            .client(SYN, 99, 0, "")
            .server(SYN.and(ACK), 499, 100, "")
            .client(ACK, 100, 500, "");
        assert_eq!(capture.told(), "#1 begin 50000->80 | c1 syn | s2 syn");
        capture
    }

    fn client(&mut self, flags: Flags, seq: u32, ack: u32, text: &str) -> &mut Self {
        self.segment([50_000, 80], flags, seq, ack, text, text.len())
    }

    fn server(&mut self, flags: Flags, seq: u32, ack: u32, text: &str) -> &mut Self {
        self.segment([80, 50_000], flags, seq, ack, text, text.len())
    }

    fn segment(
        &mut self,
        [from, to]: [u16; 2],
        flags: Flags,
        seq: u32,
        ack: u32,
        text: &str,
        length: usize,
    ) -> &mut Self {
        self.packet += 1;
        let segment = Segment {
            time: Duration::from_secs(self.packet),
            packet: self.packet,
            from: SocketAddr::from(([192, 0, 2, 1], from)),
            to: SocketAddr::from(([192, 0, 2, 1], to)),
            seq,
            ack,
            flags,
            length: length as u32,
            payload: text.as_bytes(),
        };
        let log = &mut self.log;
        self.streams
            .receive(&segment, &mut |event| write(log, event));
        self
    }

    /// What was told since the last call.
    fn told(&mut self) -> String {
        std::mem::take(&mut self.log)
            .trim_end_matches(" | ")
            .to_owned()
    }

    fn finish(mut self) -> String {
        let log = &mut self.log;
        self.streams
            .finish(self.packet, Duration::ZERO, &mut |event| write(log, event));
        self.log.trim_end_matches(" | ").to_owned()
    }
}

fn write(log: &mut String, event: Event<'_>) {
    let sender = if event.sender == Sender::Client {
        'c'
    } else {
        's'
    };
    let (packet, at, number) = (event.packet, event.offset, event.conversation.number());
    let _ = match event.kind {
        Kind::Begin { client, server, .. } => {
            write!(log, "#{number} begin {}->{}", client.port(), server.port())
        }
        Kind::Syn => write!(log, "{sender}{packet} syn"),
        Kind::Data(bytes) => {
            write!(
                log,
                "{sender}{packet} {at}:{}",
                std::str::from_utf8(bytes).unwrap()
            )
        }
        Kind::Gap(length) => write!(log, "{sender}{packet} {at}:gap {length}"),
        Kind::Again(length) => write!(log, "{sender}{packet} {at}:again {length}"),
        Kind::Differs => write!(log, "{sender}{packet} {at}:differs"),
        Kind::KeepAlive => write!(log, "{sender}{packet} alive?"),
        Kind::Fin => write!(log, "{sender}{packet} {at}:fin"),
        Kind::AfterFin(length) => write!(log, "{sender}{packet} {at}:after fin {length}"),
        Kind::Reset => write!(log, "{sender}{packet} reset"),
        Kind::End(end) => write!(log, "#{number} end {end:?}"),
        _ => unreachable!(),
    };
    log.push_str(" | ");
}

#[test]
fn from_the_first_syn_to_the_last_fin() {
    let mut capture = Capture::open();
    capture
        .client(ACK, 100, 500, "GET")
        .server(ACK, 500, 103, "101")
        .client(FIN, 103, 503, "");
    assert_eq!(capture.told(), "c4 0:GET | s5 0:101 | c6 3:fin");
    capture
        .server(FIN, 503, 104, "bye")
        .client(ACK, 104, 507, "");
    assert_eq!(capture.told(), "s7 3:bye | s7 6:fin");
    assert_eq!(capture.finish(), "#1 end Over");
}

#[test]
fn out_of_order_each_packet_keeps_its_number() {
    let mut capture = Capture::open();
    capture
        .client(ACK, 106, 500, "c")
        .client(ACK, 103, 500, "b")
        .client(FIN, 107, 500, "");
    assert_eq!(capture.told(), "");
    capture
        .client(ACK, 100, 500, "aaa")
        .client(ACK, 104, 500, "BB");
    assert_eq!(
        capture.told(),
        "c7 0:aaa | c5 3:b | c8 4:BB | c4 6:c | c6 7:fin"
    );
}

#[test]
fn retransmitted_bytes_are_told_once() {
    let mut capture = Capture::open();
    capture
        .client(ACK, 100, 500, "abc")
        .client(ACK, 100, 500, "abc")
        .client(ACK, 101, 500, "bcde");
    assert_eq!(
        capture.told(),
        "c4 0:abc | c5 0:again 3 | c6 1:again 2 | c6 3:de"
    );
    capture
        .client(FIN, 105, 500, "")
        .client(FIN, 105, 500, "")
        .client(FIN, 103, 500, "de");
    assert_eq!(capture.told(), "c7 5:fin | c8 5:again 0 | c9 3:again 2");
}

#[test]
fn of_overlapping_bytes_the_first_are_told_and_a_difference_is_reported() {
    let mut capture = Capture::open();
    capture
        .client(ACK, 102, 500, "cd")
        .client(ACK, 101, 500, "bXdef");
    assert_eq!(capture.told(), "c5 1:again 2 | c5 2:differs");
    capture.client(ACK, 100, 500, "a");
    assert_eq!(capture.told(), "c6 0:a | c5 1:b | c4 2:cd | c5 4:ef");
}

#[test]
fn a_lost_segment_is_a_gap_once_it_is_acknowledged() {
    let mut capture = Capture::open();
    capture
        .client(ACK, 103, 500, "later")
        .server(ACK, 500, 102, "");
    assert_eq!(capture.told(), "c5 0:gap 2");
    capture.server(ACK, 500, 108, "ok");
    assert_eq!(capture.told(), "c6 2:gap 1 | c4 3:later | s6 0:ok");
    // Nothing was captured after it either.
    capture.server(ACK, 502, 110, "");
    assert_eq!(capture.told(), "c7 8:gap 2");
}

#[test]
fn what_is_acknowledged_comes_before_what_acknowledges_it() {
    let mut capture = Capture::open();
    capture
        .server(ACK, 510, 100, "close")
        .client(ACK, 100, 515, "close, too");
    assert_eq!(
        capture.told(),
        "s5 0:gap 10 | s4 10:close | c5 0:close, too"
    );
}

#[test]
fn with_patience_data_may_come_after_its_acknowledgment() {
    let mut config = Config::default();
    config.patience = 2;
    let mut capture = Capture::with(config);
    capture
        .client(SYN, 99, 0, "")
        .server(SYN.and(ACK), 499, 100, "");
    capture
        .server(ACK, 500, 103, "")
        .client(ACK, 100, 500, "abc");
    assert_eq!(
        capture.told(),
        "#1 begin 50000->80 | c1 syn | s2 syn | c4 0:abc"
    );
    capture.server(ACK, 500, 105, "").server(ACK, 500, 105, "");
    assert_eq!(capture.told(), "");
    capture.server(ACK, 500, 105, "");
    assert_eq!(capture.told(), "c7 3:gap 2");
    capture.server(ACK, 500, 106, "");
    let log = &mut capture.log;
    capture
        .streams
        .settle(8, Duration::ZERO, &mut |event| write(log, event));
    assert_eq!(capture.told(), "c8 5:gap 1");
}

#[test]
fn a_hole_is_not_waited_for_beyond_the_limit() {
    let mut config = Config::default();
    config.early = 300;
    let mut capture = Capture::with(config);
    capture
        .client(SYN, 99, 0, "")
        .client(ACK, 102, 0, "b")
        .client(ACK, 105, 0, "c");
    capture.client(ACK, 108, 0, "d").told();
    capture.client(ACK, 111, 0, "e");
    assert_eq!(capture.told(), "c5 0:gap 2 | c2 2:b");
    assert_eq!(
        capture.finish(),
        "c5 3:gap 2 | c3 5:c | c5 6:gap 2 | c4 8:d | c5 9:gap 2 | c5 11:e | #1 end Finished"
    );
}

#[test]
fn a_snap_length_leaves_gaps() {
    let mut capture = Capture::open();
    capture
        .segment([50_000, 80], ACK, 100, 500, "abc", 10)
        .client(ACK, 110, 500, "k");
    assert_eq!(capture.told(), "c4 0:abc | c4 3:gap 7 | c5 10:k");
    capture
        .segment([50_000, 80], FIN, 116, 500, "q", 5)
        .client(ACK, 111, 500, "lmnop");
    assert_eq!(
        capture.told(),
        "c7 11:lmnop | c6 16:q | c6 17:gap 4 | c6 21:fin"
    );
}

#[test]
fn begun_in_the_middle() {
    let mut capture = Capture::new();
    capture
        .server(ACK, 5000, 900, "tail")
        .client(ACK, 900, 5004, "next");
    assert_eq!(capture.told(), "#1 begin 50000->80 | s1 0:tail | c2 0:next");
    // What was in flight before is known to be acknowledged.
    capture.server(ACK, 4990, 904, "older");
    assert_eq!(capture.told(), "s3 0:again 5");
}

#[test]
fn one_direction_only_has_the_length_of_the_other() {
    let mut capture = Capture::new();
    capture
        .client(ACK, 900, 5000, "a")
        .client(ACK, 901, 5100, "")
        .client(ACK, 901, 5130, "b");
    assert_eq!(
        capture.told(),
        "#1 begin 50000->80 | c1 0:a | s2 0:gap 100 | s3 100:gap 30 | c3 1:b"
    );
}

#[test]
fn sequence_numbers_wrap() {
    let mut capture = Capture::new();
    capture
        .client(SYN, u32::MAX - 2, 0, "")
        .client(ACK, u32::MAX - 1, 0, "abcd");
    capture.client(ACK, 4, 0, "g").client(ACK, 2, 0, "ef");
    assert_eq!(
        capture.told(),
        "#1 begin 50000->80 | c1 syn | c2 0:abcd | c4 4:ef | c3 6:g"
    );
}

#[test]
fn probes_are_no_data() {
    let mut capture = Capture::open();
    capture
        .client(ACK, 100, 500, "abc")
        .client(ACK, 102, 500, "")
        .client(ACK, 102, 500, "?");
    assert_eq!(
        capture.told(),
        "c4 0:abc | c5 3:alive? | c6 3:alive?".replace("3:", "")
    );
    capture.server(ACK, 500, 103, "").client(ACK, 103, 500, "d");
    assert_eq!(capture.told(), "c8 3:d");
    // The first that a capture shows of an end.
    let mut capture = Capture::new();
    capture
        .client(ACK, 99, 500, "")
        .server(ACK, 500, 100, "")
        .client(ACK, 100, 500, "a");
    assert_eq!(capture.told(), "#1 begin 50000->80 | c3 0:a");
}

#[test]
fn ports_that_are_used_again_are_another_conversation() {
    let mut capture = Capture::open();
    capture.client(SYN, 99, 0, "").client(ACK, 100, 500, "a");
    assert_eq!(capture.told(), "c4 0:again 0 | c5 0:a");
    capture
        .client(ACK, 103, 500, "d")
        .client(SYN, 7000, 0, "")
        .client(ACK, 7001, 0, "new");
    assert_eq!(
        capture.told(),
        "c7 1:gap 2 | c6 3:d | #1 end Replaced | #2 begin 50000->80 | c7 syn | c8 0:new"
    );
}

#[test]
fn a_reset_tells_what_waited_and_does_not_hide_what_follows() {
    let mut capture = Capture::open();
    capture
        .client(ACK, 102, 500, "b")
        .server(RST, 500, 0, "")
        .client(ACK, 103, 500, "c");
    assert_eq!(capture.told(), "c5 0:gap 2 | c4 2:b | s5 reset | c6 3:c");
    // A number that is far away is not this conversation's.
    let mut capture = Capture::open();
    capture.server(RST, 0x8000_0000, 0, "");
    assert_eq!(capture.told(), "");
}

#[test]
fn a_refused_connection() {
    let mut capture = Capture::new();
    capture
        .client(SYN, 99, 0, "")
        .server(RST.and(ACK), 0, 100, "");
    assert_eq!(capture.told(), "#1 begin 50000->80 | c1 syn | s2 reset");
    capture.client(SYN, 99, 0, "");
    assert_eq!(
        capture.told(),
        "#1 end Replaced | #2 begin 50000->80 | c3 syn"
    );
}

#[test]
fn bytes_after_the_end() {
    let mut capture = Capture::open();
    capture
        .client(FIN, 100, 500, "a")
        .client(ACK, 102, 500, "more");
    assert_eq!(capture.told(), "c4 0:a | c4 1:fin | c5 1:after fin 4");
}

#[test]
fn the_syn_may_come_late_and_carry_data() {
    let mut capture = Capture::new();
    capture
        .server(SYN.and(ACK), 499, 100, "")
        .client(SYN, 99, 0, "abc");
    assert_eq!(
        capture.told(),
        "#1 begin 50000->80 | s1 syn | c2 syn | c2 0:abc"
    );
    let mut capture = Capture::new();
    capture
        .client(SYN, 99, 0, "abc")
        .server(SYN.and(ACK), 499, 103, "d");
    assert_eq!(
        capture.told(),
        "#1 begin 50000->80 | c1 syn | c1 0:abc | s2 syn | s2 0:d"
    );
}

#[test]
fn the_quiet_are_forgotten_first_and_before_them_those_that_ended() {
    let mut config = Config::default();
    config.conversations = 3;
    let mut capture = Capture::with(config);
    for port in [1001, 1002, 1003] {
        capture.segment([port, 80], ACK, 1, 1, "a", 1);
    }
    capture.segment([80, 1003], RST, 1, 1, "", 0).told();
    capture.segment([1004, 80], SYN, 1, 1, "", 0);
    assert_eq!(capture.told(), "#3 end Over | #4 begin 1004->80 | c5 syn");
    capture.segment([1005, 80], SYN, 1, 1, "", 0);
    assert_eq!(
        capture.told(),
        "#1 end Forgotten | #5 begin 1005->80 | c6 syn"
    );
    capture
        .segment([1002, 80], ACK, 2, 1, "b", 1)
        .segment([1006, 80], SYN, 1, 1, "", 0);
    assert_eq!(
        capture.told(),
        "c7 1:b | #4 end Forgotten | #6 begin 1006->80 | c8 syn"
    );
}

#[test]
fn all_together_keep_no_more_than_their_limit() {
    let mut config = Config::default();
    config.early_in_all = 300;
    let mut capture = Capture::with(config);
    for port in [1001, 1002, 1003, 1004] {
        capture.segment([port, 80], SYN, 0, 0, "", 0);
    }
    capture.told();
    for port in [1001, 1002, 1003] {
        capture.segment([port, 80], ACK, 2, 0, "b", 1);
    }
    assert_eq!(capture.told(), "");
    capture.segment([1004, 80], ACK, 2, 0, "b", 1);
    assert_eq!(capture.told(), "c8 0:gap 1 | c5 1:b");
}
