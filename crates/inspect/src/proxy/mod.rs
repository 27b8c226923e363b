//! `wsinspect proxy`: forwards connections, and shows them as they happen.

mod relay;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{SocketAddr, TcpListener};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::write::{Conversation, Link};
use sansocket_tcp_streams::{End, Flags, Kind, Segment, Sender};

use crate::args::{Args, Proxy};
use crate::dump::Dump;
use crate::follow::At;
use crate::screen::Screen;
use crate::view::Summary;

use relay::{Message, Relay, Sent};

/// What may wait to be shown; then the connections wait.
const QUEUE: usize = 256;

/// How often keys are looked for while nothing happens.
const QUIET: Duration = Duration::from_millis(200);

/// How long connections may take to end, after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(2);

/// Forwards until it is told to end.
pub(crate) fn run(args: &Args, proxy: &Proxy) -> io::Result<()> {
    let named =
        |what: &str, error: &io::Error| io::Error::new(error.kind(), format!("{what}: {error}"));
    let listener =
        TcpListener::bind(&proxy.listen).map_err(|error| named(&proxy.listen, &error))?;
    let address = listener.local_addr()?;
    let (out, messages) = mpsc::sync_channel(QUEUE);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let stops = move || {
        // Whoever asks again does not want to wait.
        if stopped.swap(true, Ordering::SeqCst) {
            process::exit(130);
        }
    };
    ctrlc::set_handler(stops).map_err(io::Error::other)?;
    let relay = Arc::new(Relay::new(proxy.to.clone(), proxy.connections, out));
    let mut live = Live::new(args, proxy)?;
    let accepting = Arc::clone(&relay);
    thread::Builder::new().spawn(move || accepting.accept(&listener))?;
    say(&format!("listening on {address}, for {}", proxy.to));
    live.show(&relay, &messages, &stop)?;
    live.finish()
}

fn say(what: &str) {
    let _ = writeln!(io::stderr(), "wsinspect: {what}");
}

/// What is shown of the connections, and written.
struct Live<'a> {
    screen: Screen<'a>,
    summary: Summary,
    open: BTreeMap<u64, Open>,
    /// Places of the screen that were used before.
    free: Vec<usize>,
    dump: Option<Dump<BufWriter<File>>>,
}

/// A connection.
struct Open {
    index: usize,
    client: SocketAddr,
    server: SocketAddr,
    /// By the client and the server.
    sent: [u64; 2],
    /// Its packets, as they could have been.
    packets: Conversation,
}

impl<'a> Live<'a> {
    fn new(args: &'a Args, proxy: &Proxy) -> io::Result<Self> {
        let dump = match &proxy.write {
            Some(path) => {
                let file = File::create(path).map_err(|error| {
                    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
                })?;
                Some(Dump::new(BufWriter::new(file), Link::Raw.number())?)
            }
            None => None,
        };
        Ok(Self {
            screen: Screen::new(args, Box::new(BufWriter::new(io::stdout())), true)?,
            summary: Summary::default(),
            open: BTreeMap::new(),
            free: Vec::new(),
            dump,
        })
    }

    /// Until it is to stop, and everything has ended.
    fn show(
        &mut self,
        relay: &Relay,
        messages: &Receiver<Message>,
        stop: &AtomicBool,
    ) -> io::Result<()> {
        let mut end = None;
        loop {
            if end.is_none() && stop.load(Ordering::SeqCst) {
                end = Some(Instant::now() + PATIENCE);
                relay.stop();
            }
            let over = end.is_some_and(|end| Instant::now() >= end || relay.is_idle());
            if let Ok(message) = messages.try_recv() {
                self.receive(message)?;
                continue;
            }
            if over {
                return Ok(());
            }
            // What was said is to be seen, as nothing else comes.
            self.screen.look_for_keys();
            self.flush()?;
            match messages.recv_timeout(QUIET) {
                Ok(message) => self.receive(message)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.screen.flush()?;
        self.dump.as_mut().map_or(Ok(()), Dump::flush)
    }

    fn receive(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Opened {
                number,
                client,
                server,
            } => self.begin(number, client, server)?,
            Message::Sent {
                number,
                from,
                time,
                what,
            } => self.sent(number, from, time, what)?,
            Message::Closed { number } => self.end(number, End::Over),
            Message::Failed(why) => say(&why),
        }
        self.screen.check()
    }

    fn begin(&mut self, number: u64, client: SocketAddr, server: SocketAddr) -> io::Result<()> {
        let index = self.free.pop().unwrap_or(self.open.len());
        let packets = Conversation {
            ends: [client, server],
            ..Conversation::new()
        };
        let open = Open {
            index,
            client,
            server,
            sent: [0; 2],
            packets,
        };
        self.open.insert(number, open);
        let time = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let begin = Kind::Begin {
            client,
            server,
            from_start: true,
        };
        let at = At {
            sender: Sender::Client,
            packet: self.screen.packet + 1,
            time,
            offset: 0,
        };
        self.screen.told(index, number, at, begin);
        self.packet(number, Sender::Client, time, Flags::SYN, &[])?;
        self.packet(
            number,
            Sender::Server,
            time,
            Flags::SYN.and(Flags::ACK),
            &[],
        )
    }

    fn sent(&mut self, number: u64, from: Sender, time: Duration, what: Sent) -> io::Result<()> {
        match what {
            Sent::Bytes(bytes) => {
                self.packet(number, from, time, Flags::PSH.and(Flags::ACK), &bytes)
            }
            Sent::Fin => self.packet(number, from, time, Flags::FIN.and(Flags::ACK), &[]),
            Sent::Reset => self.packet(number, from, time, Flags::RST, &[]),
        }
    }

    /// What has come at once, as if it were a packet.
    fn packet(
        &mut self,
        number: u64,
        from: Sender,
        time: Duration,
        flags: Flags,
        bytes: &[u8],
    ) -> io::Result<()> {
        let Some(open) = self.open.get_mut(&number) else {
            return Ok(());
        };
        self.screen.next(self.screen.packet + 1, time);
        self.summary.packets += 1;
        self.summary.segments += 1;
        let (own, peer, sent) = match from {
            Sender::Client => (open.client, open.server, &mut open.sent[0]),
            Sender::Server => (open.server, open.client, &mut open.sent[1]),
        };
        let segment = Segment {
            packet: self.screen.packet,
            time,
            from: own,
            to: peer,
            seq: 0,
            ack: 0,
            flags,
            payload: bytes,
            length: bytes.len() as u32, // a block of the relay
        };
        let at = At {
            sender: from,
            packet: segment.packet,
            time,
            offset: *sent,
        };
        *sent += bytes.len() as u64;
        let kind = match flags {
            _ if flags.has(Flags::SYN) => Kind::Syn,
            _ if flags.has(Flags::FIN) => Kind::Fin,
            _ if flags.has(Flags::RST) => Kind::Reset,
            _ => Kind::Data(bytes),
        };
        self.screen.segment(open.index, &segment, None);
        self.screen.told(open.index, number, at, kind);
        let Some(dump) = &mut self.dump else {
            return Ok(());
        };
        open.packets.packet(from, flags, bytes);
        for packet in open.packets.packets.drain(..) {
            let data = Link::Raw.packet(&packet, 0);
            dump.packet(time, data.len() as u32, &data)?;
        }
        Ok(())
    }

    fn end(&mut self, number: u64, how: End) {
        let Some(open) = self.open.remove(&number) else {
            return;
        };
        let at = At {
            sender: Sender::Client,
            packet: self.screen.packet,
            time: self.screen.time,
            offset: open.sent[0],
        };
        self.screen.told(open.index, number, at, Kind::End(how));
        self.free.push(open.index);
    }

    fn finish(mut self) -> io::Result<()> {
        let numbers: Vec<u64> = self.open.keys().copied().collect();
        for number in numbers {
            self.end(number, End::Finished);
        }
        self.flush()?;
        self.screen.finish(&self.summary)
    }
}
