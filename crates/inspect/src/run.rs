//! Reads a capture from its beginning to its end, and shows it.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::thread;
use std::time::Duration;

use sansocket::observer::ObserverConfig;
use sansocket_inspect::capture::{self, Error, Packet, Reader};
use sansocket_inspect::packet::{Decoder, Skipped};
use sansocket_tcp_streams::{Config, Event, Kind, Segment, Sender, Streams};

use crate::args::{Args, Show};
use crate::follow::{Entry, Talk};
use crate::view::{self, Summary, View};

/// How long to wait for a file to grow.
const WAIT: Duration = Duration::from_millis(200);

/// How much is known of the file at the end.
pub(crate) enum Outcome {
    /// All that there is.
    Whole,
    /// What comes before the damage.
    Damaged(Error),
}

pub(crate) fn run(args: &Args) -> io::Result<Outcome> {
    let input: Box<dyn Read> = if args.file == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file)?)
    };
    let out: Box<dyn Write> = if args.follow {
        Box::new(io::stdout().lock())
    } else {
        Box::new(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    };
    let mut reader = capture::open(input)?;
    let mut inspection = Inspection::new(args, out)?;
    let outcome = read(&mut reader, &mut inspection, args.follow)?;
    inspection.summary.cut = reader.cut();
    inspection.finish()?;
    Ok(outcome.map_or(Outcome::Whole, Outcome::Damaged))
}

/// Returns what is wrong with the file.
fn read<R: Read>(
    reader: &mut Reader<R>,
    inspection: &mut Inspection<'_>,
    follow: bool,
) -> io::Result<Option<Error>> {
    let mut decoder = Decoder::default();
    loop {
        match reader.read() {
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
}

/// Conversations that are followed, and where they are shown.
struct Screen<'a> {
    args: &'a Args,
    config: ObserverConfig,
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
        let screen = Screen {
            args,
            config: ObserverConfig::new(),
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
        })
    }

    fn packet(&mut self, decoder: &mut Decoder, packet: &Packet<'_>) -> io::Result<()> {
        let screen = &mut self.screen;
        screen.packet = packet.number;
        screen.time = packet.time;
        screen.start.get_or_insert(packet.time);
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

    fn settle(&mut self) -> io::Result<()> {
        let Self {
            streams, screen, ..
        } = self;
        streams.settle(screen.packet, screen.time, &mut |event| screen.hear(&event));
        screen.view.flush()?;
        screen.check()
    }

    fn finish(self) -> io::Result<()> {
        let Self {
            streams,
            mut screen,
            summary,
        } = self;
        let (packet, time) = (screen.packet, screen.time);
        streams.finish(packet, time, &mut |event| screen.hear(&event));
        screen.check()?;
        screen.view.finish(&summary)
    }
}

impl Screen<'_> {
    fn hear(&mut self, event: &Event<'_>) {
        let index = event.conversation.index();
        if let Kind::Begin {
            client,
            server,
            from_start,
        } = event.kind
        {
            if self.talks.len() <= index {
                self.talks.resize_with(index + 1, || None);
            }
            self.talks[index] = Some(Talk::new(
                event.conversation.number(),
                client,
                server,
                from_start,
            ));
        }
        let start = self.start.unwrap_or_default();
        let ended = matches!(event.kind, Kind::End(_));
        let Some(talk) = self.talks.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if !view::shows(&self.args.filter, talk) {
            return;
        }
        let (view, failed, filter) = (&mut self.view, &mut self.failed, &self.args.filter);
        talk.hear(&self.config, event, &mut |talk, entry: &Entry<'_>| {
            if failed.is_none() && view::passes(filter, entry) {
                *failed = view.entry(talk, entry, start).err();
            }
        });
        if ended {
            self.talks[index] = None;
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
