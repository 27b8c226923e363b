//! Reads a capture from its beginning to its end, and shows it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use sansocket::observer::ObserverConfig;
use sansocket_inspect::capture::{self, Error, Packet, Reader};
use sansocket_inspect::packet::{Decoder, Skipped};
use sansocket_inspect::tls::KeyLog;
use sansocket_tcp_streams::{Config, End, Event, Flags, Kind, Segment, Sender, Streams};

use crate::args::{Args, Input, Show};
use crate::follow::{At, Entry, Talk, Tools};
use crate::keys::KeyFile;
use crate::raw::files::Files;
use crate::raw::har::Har;
use crate::raw::hex::Hex;
use crate::raw::{Piece, Pieces};
use crate::view::{self, Summary, View};

/// How long to wait for a file to grow.
const WAIT: Duration = Duration::from_millis(200);

/// How much is known of the file at the end.
pub(crate) enum Outcome {
    /// All that there is.
    Whole,
    /// What comes before the damage.
    Damaged(String),
}

pub(crate) fn run(args: &Args) -> io::Result<Outcome> {
    let mut input = BufReader::new(open(&args.file)?);
    let out: Box<dyn Write> = if args.follow {
        Box::new(io::stdout().lock())
    } else {
        Box::new(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    };
    let mut inspection = Inspection::new(args, out)?;
    let outcome = match &args.input {
        Input::Capture if is_json(&mut input)? => match Har::new(input) {
            Ok(har) => pieces(har, &mut inspection)?,
            Err(fault) => Some(fault.to_string()),
        },
        Input::Capture => {
            let mut reader =
                capture::open(Box::new(input)).map_err(|error| named(&args.file, &error))?;
            let outcome = read(&mut reader, &mut inspection, args.follow)?;
            inspection.summary.cut = reader.cut();
            outcome.map(|error| error.to_string())
        }
        Input::Raw(server) => pieces(
            Files::new(input, BufReader::new(open(server)?)),
            &mut inspection,
        )?,
        Input::Hex => pieces(Hex::new(input), &mut inspection)?,
    };
    inspection.finish()?;
    Ok(outcome.map_or(Outcome::Whole, Outcome::Damaged))
}

fn open(file: &str) -> io::Result<Box<dyn Read>> {
    if file == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(file).map_err(|error| named(file, &error))?;
    Ok(Box::new(file))
}

/// A capture never begins like that.
fn is_json(input: &mut impl BufRead) -> io::Result<bool> {
    let first = input.fill_buf()?;
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    Ok(first.trim_ascii_start().starts_with(b"{"))
}

fn named(file: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{file}: {error}"))
}

/// Returns what is wrong with the input.
fn pieces(mut pieces: impl Pieces, inspection: &mut Inspection<'_>) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        match pieces.next(&mut bytes) {
            Ok(Some(piece)) => inspection.piece(piece, &bytes)?,
            Ok(None) => return Ok(None),
            Err(fault) => return Ok(Some(fault.to_string())),
        }
        bytes.clear();
    }
}

/// Returns what is wrong with the file.
fn read<R: Read>(
    reader: &mut Reader<R>,
    inspection: &mut Inspection<'_>,
    follow: bool,
) -> io::Result<Option<Error>> {
    let mut decoder = Decoder::default();
    loop {
        let keys = &mut inspection.screen.tools.keys;
        match reader.read_with(&mut |secrets| keys.add_file(secrets)) {
            Ok(Some(packet)) => inspection.packet(&mut decoder, &packet)?,
            Ok(None) if follow => {
                inspection.settle()?;
                thread::sleep(WAIT);
            }
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(error)),
        }
    }
}

struct Inspection<'a> {
    streams: Streams,
    screen: Screen<'a>,
    summary: Summary,
    /// How much of each end came without packets, and the last of it.
    offsets: [u64; 2],
    last: Option<(u64, At)>,
}

/// Conversations that are followed, and where they are shown.
struct Screen<'a> {
    args: &'a Args,
    tools: Tools,
    key_file: KeyFile,
    talks: Vec<Option<Talk>>,
    view: Box<dyn View>,
    /// The packet that is read, and the time of the first one.
    packet: u64,
    time: Duration,
    start: Option<Duration>,
    /// Once the output has failed.
    failed: Option<io::Error>,
}

impl<'a> Inspection<'a> {
    fn new(args: &'a Args, out: Box<dyn Write>) -> io::Result<Self> {
        let mut config = Config::default();
        config.patience = args.patience;
        let mut keys = KeyLog::default();
        let live = args.follow;
        let key_file = KeyFile::open(args.keylog.as_ref(), live, &mut keys)?;
        let screen = Screen {
            args,
            tools: Tools {
                config: ObserverConfig::new(),
                keys,
                live,
            },
            key_file,
            talks: Vec::new(),
            view: view::of(args, out)?,
            packet: 0,
            time: Duration::ZERO,
            start: None,
            failed: None,
        };
        Ok(Self {
            streams: Streams::new(config),
            screen,
            summary: Summary::default(),
            offsets: [0; 2],
            last: None,
        })
    }

    fn packet(&mut self, decoder: &mut Decoder, packet: &Packet<'_>) -> io::Result<()> {
        let screen = &mut self.screen;
        screen.packet = packet.number;
        screen.time = packet.time;
        screen.start.get_or_insert(packet.time);
        screen.look_for_keys();
        self.summary.packets += 1;
        match decoder.decode(packet) {
            Ok(segment) => {
                self.summary.segments += 1;
                let mut shown = false;
                let conversation = self.streams.receive(&segment, &mut |event| {
                    if !shown && !matches!(event.kind, Kind::Begin { .. } | Kind::End(_)) {
                        shown = true;
                        screen.segment(event.conversation.index(), &segment);
                    }
                    screen.hear(&event);
                });
                if !shown {
                    screen.segment(conversation.index(), &segment);
                }
            }
            Err(skipped) => self.summary.skip(skipped),
        }
        screen.check()
    }

    /// Bytes that no packet has brought.
    fn piece(&mut self, piece: Piece, bytes: &[u8]) -> io::Result<()> {
        let Piece {
            conversation, from, ..
        } = piece;
        let begins = self.last.is_none_or(|(last, _)| last != conversation);
        if begins {
            self.end();
        }
        let screen = &mut self.screen;
        screen.time = piece.time.unwrap_or(screen.time);
        screen.packet += 1;
        screen.start.get_or_insert(screen.time);
        self.summary.packets += 1;
        let offset = &mut self.offsets[usize::from(from == Sender::Server)];
        let at = At {
            sender: from,
            packet: screen.packet,
            time: screen.time,
            offset: *offset,
        };
        *offset += bytes.len() as u64;
        let [client, server] = [1, 2].map(|port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
        if begins {
            let begin = Kind::Begin {
                client,
                server,
                from_start: true,
            };
            screen.told(0, conversation, at, begin);
        }
        let (own, peer) = match from {
            Sender::Client => (client, server),
            Sender::Server => (server, client),
        };
        let segment = Segment {
            packet: at.packet,
            time: at.time,
            from: own,
            to: peer,
            seq: 0,
            ack: 0,
            flags: Flags(0),
            payload: bytes,
            length: bytes.len() as u32,
        };
        screen.segment(0, &segment);
        screen.told(0, conversation, at, Kind::Data(bytes));
        self.last = Some((conversation, at));
        screen.check()
    }

    /// Ends the conversation of the last piece.
    fn end(&mut self) {
        if let Some((conversation, at)) = self.last.take() {
            let end = Kind::End(End::Finished);
            self.screen.told(0, conversation, at, end);
            self.offsets = [0; 2];
        }
    }

    fn settle(&mut self) -> io::Result<()> {
        let Self {
            streams, screen, ..
        } = self;
        screen.look_for_keys();
        streams.settle(screen.packet, screen.time, &mut |event| screen.hear(&event));
        screen.view.flush()?;
        screen.check()
    }

    fn finish(mut self) -> io::Result<()> {
        self.end();
        let Self {
            streams,
            mut screen,
            summary,
            ..
        } = self;
        let (packet, time) = (screen.packet, screen.time);
        streams.finish(packet, time, &mut |event| screen.hear(&event));
        screen.check()?;
        screen.view.finish(&summary)
    }
}

impl Screen<'_> {
    fn hear(&mut self, event: &Event<'_>) {
        let (index, number) = (event.conversation.index(), event.conversation.number());
        self.told(index, number, At::of(event), event.kind);
    }

    fn told(&mut self, index: usize, number: u64, at: At, kind: Kind<'_>) {
        if let Kind::Begin {
            client,
            server,
            from_start,
        } = kind
        {
            if self.talks.len() <= index {
                self.talks.resize_with(index + 1, || None);
            }
            self.talks[index] = Some(Talk::new(number, client, server, from_start));
        }
        let start = self.start.unwrap_or_default();
        let ended = matches!(kind, Kind::End(_));
        let Some(talk) = self.talks.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if !view::shows(&self.args.filter, talk) {
            return;
        }
        let (view, failed, filter) = (&mut self.view, &mut self.failed, &self.args.filter);
        talk.hear(&self.tools, at, kind, &mut |talk, entry: &Entry<'_>| {
            if failed.is_none() && view::passes(filter, entry) {
                *failed = view.entry(talk, entry, start).err();
            }
        });
        if ended {
            self.talks[index] = None;
        }
    }

    /// Keys may have been logged while nothing else came.
    fn look_for_keys(&mut self) {
        if !self.tools.live || !self.key_file.refresh(&mut self.tools.keys) {
            return;
        }
        let start = self.start.unwrap_or_default();
        let at = At {
            sender: Sender::Client,
            packet: self.packet,
            time: self.time,
            offset: 0,
        };
        let (view, failed, filter) = (&mut self.view, &mut self.failed, &self.args.filter);
        for talk in self.talks.iter_mut().flatten() {
            if view::shows(filter, talk) {
                talk.look_again(&self.tools, at, &mut |talk, entry: &Entry<'_>| {
                    if failed.is_none() && view::passes(filter, entry) {
                        *failed = view.entry(talk, entry, start).err();
                    }
                });
            }
        }
    }

    /// Before what a segment brings.
    fn segment(&mut self, index: usize, segment: &Segment<'_>) {
        let filter = &self.args.filter;
        if let Some(Some(talk)) = self.talks.get(index)
            && view::shows(filter, talk)
            && matches!(self.args.show, Show::Timeline | Show::Svg)
            && self.failed.is_none()
        {
            let sender = if segment.from == talk.client {
                Sender::Client
            } else {
                Sender::Server
            };
            let start = self.start.unwrap_or_default();
            self.failed = self.view.segment(talk, sender, segment, start).err();
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl Summary {
    fn skip(&mut self, skipped: Skipped) {
        *self.skipped.entry(skipped).or_default() += 1;
    }
}
