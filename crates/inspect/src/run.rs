//! Reads a capture from its beginning to its end, and shows it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use crate::capture::{self, Error, Packet, Reader};
use crate::packet::Decoder;
use sansocket::replay::MAGIC;
use sansocket_tcp_streams::{Config, End, Flags, Kind, Segment, Sender, Streams};

use crate::args::{Args, Input};
use crate::follow::At;
use crate::proxy;
use crate::raw::files::Files;
use crate::raw::har::Har;
use crate::raw::hex::Hex;
use crate::raw::recording::Recording;
use crate::raw::{Piece, Pieces};
use crate::screen::Screen;
use crate::view::Summary;

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
    if let Input::Proxy(proxy) = &args.input {
        proxy::run(args, proxy)?;
        return Ok(Outcome::Whole);
    }
    let out: Box<dyn Write> = if args.follow {
        Box::new(io::stdout().lock())
    } else {
        Box::new(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    };
    run_on(args, open(&args.file)?, out)
}

/// Shows what is in the input.
pub(crate) fn run_on(
    args: &Args,
    input: Box<dyn Read>,
    out: Box<dyn Write>,
) -> io::Result<Outcome> {
    let mut inspection = Inspection::new(args, out)?;
    let outcome = match &args.input {
        Input::Capture => match begins_as(input)? {
            (Beginning::Json, input) => match Har::new(BufReader::new(input)) {
                Ok(har) => pieces(har, &mut inspection)?,
                Err(fault) => Some(fault.to_string()),
            },
            (Beginning::Recording, input) => match Recording::new(input) {
                Ok(recording) => pieces(recording, &mut inspection)?,
                Err(fault) => Some(fault.to_string()),
            },
            (Beginning::Other, input) => capture(args, input, &mut inspection)?,
        },
        Input::Raw(server) => pieces(
            Files::new(BufReader::new(input), BufReader::new(open(server)?)),
            &mut inspection,
        )?,
        Input::Hex => pieces(Hex::new(BufReader::new(input)), &mut inspection)?,
        Input::Proxy(_) => None,
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

/// Returns what is wrong with the file.
fn capture(
    args: &Args,
    input: Box<dyn Read>,
    inspection: &mut Inspection<'_>,
) -> io::Result<Option<String>> {
    let input = Box::new(BufReader::new(input));
    let mut reader = capture::open(input).map_err(|error| named(&args.file, &error))?;
    let outcome = read(&mut reader, inspection, args.follow)?;
    inspection.summary.cut = reader.cut();
    Ok(outcome.map(|error| error.to_string()))
}

/// How a file begins.
enum Beginning {
    Json,
    Recording,
    Other,
}

/// How it begins, and the input with what was read of it, which may come byte by byte.
fn begins_as(mut input: Box<dyn Read>) -> io::Result<(Beginning, Box<dyn Read>)> {
    const ENOUGH: usize = 12;
    const BLANK: usize = 4 << 10;
    let (mut first, mut block, mut more) = (Vec::new(), [0; 64], true);
    while more {
        match input.read(&mut block) {
            Ok(n) => {
                first.extend(&block[..n]);
                let blank = text_of(&first).is_empty() && first.len() < BLANK;
                more = n != 0 && (blank || first.len() < ENOUGH);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // A section of pcapng begins with blanks, and says its byte order.
    let order = first.get(8..ENOUGH).unwrap_or_default();
    let section = matches!(order, [0x1a, 0x2b, 0x3c, 0x4d] | [0x4d, 0x3c, 0x2b, 0x1a]);
    let beginning = if first.starts_with(&MAGIC) {
        Beginning::Recording
    } else if !section && text_of(&first).starts_with(b"{") {
        Beginning::Json
    } else {
        Beginning::Other
    };
    Ok((beginning, Box::new(Cursor::new(first).chain(input))))
}

/// Without a byte order mark and blanks.
fn text_of(bytes: &[u8]) -> &[u8] {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    text.trim_ascii_start()
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
            Ok(None) => break,
            Err(fault) => return Ok(Some(fault.to_string())),
        }
        bytes.clear();
    }
    inspection.summary.cut = pieces.cut();
    Ok(None)
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

impl<'a> Inspection<'a> {
    fn new(args: &'a Args, out: Box<dyn Write>) -> io::Result<Self> {
        let mut config = Config::default();
        config.patience = args.patience;
        let screen = Screen::new(args, out, args.follow)?;
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
        screen.next(packet.number, packet.time);
        self.summary.packets += 1;
        match decoder.decode(packet) {
            Ok(segment) => {
                self.summary.segments += 1;
                let mut shown = false;
                let conversation = self.streams.receive(&segment, &mut |event| {
                    if !shown && !matches!(event.kind, Kind::Begin { .. } | Kind::End(_)) {
                        let index = event.conversation.index();
                        shown = screen.segment(index, &segment, Some(packet));
                    }
                    screen.hear(&event);
                });
                if !shown {
                    screen.segment(conversation.index(), &segment, Some(packet));
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
        screen.next(screen.packet + 1, piece.time.unwrap_or(screen.time));
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
        screen.segment(0, &segment, None);
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
        screen.flush()
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
        screen.finish(&summary)
    }
}
