//! A client against a server, with any cuts, delays and loss: both end in Closed, and they agree
//! on what was delivered.

use super::judge::Judge;
use super::{Scripted, Taker, wire};
use core::time::Duration;
use sansocket::ClientConfig;
use sansocket::config::{Delivery, Timeouts};
use sansocket::error::Failure;
use sansocket::event::CloseReport;
use sansocket::{
    Accept, ClientRequest, CloseCode, Connection, Event, Kind, OriginPolicy, Part, ServerConfig,
    State, Transport, Uri,
};

struct End {
    ws: Connection,
    judge: Judge,
    /// Bytes on the way to the other end.
    pipe: Vec<u8>,
    /// Nothing more comes out of this end; the other hears of it after the pipe's bytes.
    ended: bool,
    /// The transport is closed on this side.
    gone: bool,
    sent: Vec<(Kind, Vec<u8>)>,
    got: Vec<(Kind, Vec<u8>)>,
    /// The message that comes in chunks.
    chunks: Vec<u8>,
    /// A message in parts, or in one frame with so many bytes to come.
    parts: Option<(Kind, Vec<u8>)>,
    pieces: Option<(Vec<u8>, u64)>,
    report: Option<CloseReport>,
    failed: Option<Failure>,
}

impl End {
    fn new(ws: Connection, compresses: bool) -> Self {
        Self {
            judge: Judge::new(ws.role()).with_extensions(compresses, 0),
            ws,
            pipe: Vec::new(),
            ended: false,
            gone: false,
            sent: Vec::new(),
            got: Vec::new(),
            chunks: Vec::new(),
            parts: None,
            pieces: None,
            report: None,
            failed: None,
        }
    }

    fn receive(&mut self, mut bytes: Vec<u8>) {
        let mut input = &mut bytes[..];
        while let Some(event) = self.ws.receive(&mut input) {
            assert!(self.report.is_none(), "{event:?} after Closed");
            match event {
                Event::Request(_) => {
                    let _ = self.ws.accept(Accept::new().subprotocol("chat"));
                }
                Event::Message(message) => {
                    self.got.push((message.kind(), message.as_bytes().to_vec()));
                }
                Event::Chunk(chunk) => {
                    self.chunks.extend_from_slice(&chunk.payload);
                    if chunk.last {
                        self.got
                            .push((chunk.kind, core::mem::take(&mut self.chunks)));
                    }
                }
                Event::Failed(failure) => self.failed = Some(failure),
                Event::Closed(report) => self.report = Some(*report),
                _ => {}
            }
        }
        assert!(input.is_empty());
    }

    /// The transport takes up to `n` bytes.
    fn write(&mut self, n: usize) {
        let n = n.min(self.ws.output().len());
        let bytes = self.ws.output()[..n].to_vec();
        self.judge.feed(&bytes);
        self.ws.consume_output(n);
        if !self.gone && !self.ended {
            self.pipe.extend(bytes);
        }
        self.receive(Vec::new());
    }

    fn act(&mut self, t: &mut Taker<'_>) {
        match t.below(8) {
            0..3 => {
                let text = wire::text(t);
                if self.ws.send(&text).is_ok() {
                    self.sent.push((Kind::Text, text.into_bytes()));
                }
            }
            3 => {
                let bytes = wire::binary(t);
                if self.ws.send(bytes.clone()).is_ok() {
                    self.sent.push((Kind::Binary, bytes));
                }
            }
            4 => {
                let (bytes, last) = (wire::binary(t), t.once_in(2));
                if self
                    .ws
                    .send_part(Part::binary(&bytes).last_if(last))
                    .is_ok()
                {
                    let parts = self.parts.get_or_insert((Kind::Binary, Vec::new()));
                    parts.1.extend(bytes);
                    if last {
                        self.sent.extend(self.parts.take());
                    }
                }
            }
            5 => {
                let len = t.pick(&[0, 3, 126, 300]);
                if self.pieces.is_none() {
                    if self.ws.begin_message(Kind::Binary, len).is_ok() {
                        if len == 0 {
                            self.sent.push((Kind::Binary, Vec::new()));
                        } else {
                            self.pieces = Some((Vec::new(), len));
                        }
                    }
                } else {
                    self.write_piece(t.pick(&[1, 3, 100]));
                }
            }
            6 => {
                let _ = self.ws.ping(t.bytes(4));
            }
            _ => {
                if t.once_in(6) {
                    let code = CloseCode::new(t.pick(&[1000, 1001, 4000]));
                    let _ = self.ws.close(code.filter(|_| t.once_in(2)), "");
                }
            }
        }
    }

    fn write_piece(&mut self, n: u64) {
        let Some((bytes, left)) = &mut self.pieces else {
            return;
        };
        let n = n.min(*left);
        if self.ws.write_message(&vec![7; n as usize]).is_ok() {
            bytes.extend(vec![7; n as usize]);
            *left -= n;
            if *left == 0 {
                self.sent.push((Kind::Binary, core::mem::take(bytes)));
                self.pieces = None;
            }
        }
    }
}

struct Bench {
    server: ServerConfig,
    client: ClientConfig,
    ends: [End; 2],
    now: Duration,
    lossy: bool,
}

impl Bench {
    /// Up to `n` bytes arrive at the other end, or the end of the stream does.
    fn deliver(&mut self, from: usize, n: usize) {
        let [one, other] = &mut self.ends;
        let (from, to) = if from == 0 {
            (one, other)
        } else {
            (other, one)
        };
        let n = n.min(from.pipe.len());
        let bytes: Vec<u8> = from.pipe.drain(..n).collect();
        if to.gone {
            return;
        }
        to.receive(bytes);
        if from.pipe.is_empty() && (from.ended || from.gone) {
            to.ws.receive_eof();
            to.receive(Vec::new());
        }
    }

    /// What the driver does when there is nothing to write.
    fn obey(&mut self, at: usize) {
        let end = &mut self.ends[at];
        if !end.ws.output().is_empty() {
            return;
        }
        match end.ws.transport() {
            Transport::Close => {
                end.gone = true;
                // A driver that closes reports nothing more; what is still due comes out.
                end.receive(Vec::new());
            }
            Transport::ShutdownWrite => end.ended = true,
            _ => {}
        }
    }

    fn tell_time(&mut self) {
        for end in &mut self.ends {
            end.ws.advance_time(self.now);
            end.receive(Vec::new());
        }
    }

    fn step(&mut self, t: &mut Taker<'_>) {
        let at = t.below(2);
        match t.below(12) {
            0..4 => self.ends[at].act(t),
            4..7 => {
                let n = t.pick(&[1, 2, 10, 100, usize::MAX]);
                self.ends[at].write(n);
            }
            7..10 => {
                let n = t.pick(&[1, 2, 10, 100, usize::MAX]);
                self.deliver(at, n);
            }
            10 => {
                self.now += Duration::from_millis(t.pick(&[1, 50, 500, 3000]));
                self.tell_time();
            }
            _ => {
                if t.once_in(20) {
                    // The network is gone, with what was on its way from here.
                    self.lossy = true;
                    let end = &mut self.ends[at];
                    let kept = t.below(end.pipe.len().min(60_000) + 1);
                    end.pipe.truncate(kept);
                    end.ws.transport_lost();
                    end.gone = true;
                    end.receive(Vec::new());
                } else {
                    self.obey(at);
                }
            }
        }
    }

    /// Everything flows; whoever is open closes; whoever waits is told the time.
    fn finish(&mut self) {
        for round in 0..200 {
            for at in 0..2 {
                while !self.ends[at].ws.output().is_empty() {
                    self.ends[at].write(usize::MAX);
                }
                self.deliver(at, usize::MAX);
                self.obey(at);
                self.ends[at].write_piece(u64::MAX);
            }
            if self.ends.iter().all(|end| end.report.is_some() && end.gone) {
                return;
            }
            if round > 20 {
                let end = &mut self.ends[round % 2];
                if end.ws.state() <= State::Open {
                    let _ = end.ws.close(Some(CloseCode::NORMAL_CLOSURE), "done");
                    end.receive(Vec::new());
                }
            }
            if round > 40 {
                self.now += Duration::from_millis(700);
                self.tell_time();
            }
        }
        panic!(
            "the connections do not end: {:?} {:?}",
            self.ends[0].ws, self.ends[1].ws
        );
    }
}

pub fn pair(data: &[u8]) {
    talk(data, |_, _, _, _| ());
}

/// With something done to each connection `between` any two steps.
pub fn talk(
    data: &[u8],
    between: impl Fn(&mut Connection, &ServerConfig, &ClientConfig, Duration),
) {
    let mut t = Taker::new(data);
    let mut timeouts = Timeouts::default();
    if t.once_in(2) {
        timeouts.ping = Some(Duration::from_millis(400));
        timeouts.pong = Some(Duration::from_secs(2));
    }
    if t.once_in(4) {
        timeouts.idle = Some(Duration::from_secs(4));
    }
    let fragment = t.pick(&[0, 0, 30, 100]);
    let server = ServerConfig::new(OriginPolicy::SameHost)
        .timeouts(timeouts)
        .fragment(fragment);
    let client = ClientConfig::new().timeouts(timeouts).fragment(fragment);
    let delivery = t.pick(&[Delivery::Whole, Delivery::Chunks]);
    let (server, client) = (server.delivery(delivery), client.delivery(delivery));
    let deflate = t.below(4);
    #[cfg(feature = "deflate")]
    let (server, client) = match deflate {
        0 => (server, client),
        n => {
            use sansocket::extension::PermessageDeflate;
            let bits = [15, 15, 9, 11][n];
            let wanted = PermessageDeflate::client()
                .threshold(10)
                .server_max_window_bits(bits)
                .client_max_window_bits(bits);
            let own = if n == 1 {
                PermessageDeflate::server()
            } else {
                wanted.clone()
            };
            (server.deflate(own), client.deflate(wanted))
        }
    };
    let compresses = cfg!(feature = "deflate") && deflate > 0;
    let request = ClientRequest::new(Uri::parse("ws://example.com/").expect("a URI"))
        .subprotocol("chat")
        .expect("a token");
    let asking = Connection::client_with_entropy(&client, request, Scripted::boxed()).unwrap();
    let mut bench = Bench {
        ends: [
            End::new(asking, compresses),
            End::new(Connection::server(&server), compresses),
        ],
        server,
        client,
        now: Duration::from_secs(1),
        lossy: false,
    };
    bench.tell_time();
    while !t.is_empty() {
        let Bench {
            server,
            client,
            ends,
            now,
            ..
        } = &mut bench;
        for end in ends {
            between(&mut end.ws, server, client, *now);
        }
        bench.step(&mut t);
    }
    bench.finish();

    for at in 0..2 {
        let (own, peer) = (&bench.ends[at], &bench.ends[1 - at]);
        assert!(
            !matches!(
                own.failed,
                Some(Failure::Protocol(_) | Failure::Handshake(_))
            ),
            "{:?}",
            own.failed
        );
        assert!(
            peer.sent.starts_with(&own.got),
            "got something else than was sent"
        );
        let (Some(report), Some(peers)) = (&own.report, &peer.report) else {
            panic!("no report");
        };
        if report.received.is_some() {
            assert_eq!(report.received, peers.sent, "the Close frame is another");
            assert_eq!(
                own.got, peer.sent,
                "a message before the Close frame is missing"
            );
        }
        assert!(!report.clean || report.received.is_some() && report.sent.is_some());
        if !bench.lossy && report.failure.is_none() && peers.failure.is_none() {
            assert_eq!(report.clean, peers.clean, "{report} against {peers}");
        }
    }
}
