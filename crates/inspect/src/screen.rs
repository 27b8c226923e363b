//! The conversations that are followed, and the view that shows them.

use std::io::{self, Write};
use std::time::Duration;

use crate::capture::Packet;
use crate::tls::KeyLog;
use sansocket::observer::ObserverConfig;
use sansocket_tcp_streams::{Event, Kind, Segment, Sender};

use crate::args::{Args, Filter, Show};
use crate::contexts::Contexts;
use crate::follow::{At, Entry, Talk, Tools, What};
use crate::keys::KeyFile;
use crate::view::{self, View};

/// Conversations that are followed, and where they are shown.
pub(crate) struct Screen<'a> {
    pub(crate) tools: Tools,
    key_file: KeyFile,
    talks: Vec<Option<Talk>>,
    contexts: Contexts,
    shown: Shown<'a>,
    /// The packet that is read.
    pub(crate) packet: u64,
    pub(crate) time: Duration,
}

/// What is shown of them.
struct Shown<'a> {
    filter: &'a Filter,
    /// The view looks at packets, beside what they bring.
    packets: bool,
    view: Box<dyn View>,
    /// The time of the first packet.
    start: Option<Duration>,
    /// Once the output has failed.
    failed: Option<io::Error>,
}

impl<'a> Screen<'a> {
    /// `live`: the capture goes on, and keys may be logged after the bytes that they decrypt.
    pub(crate) fn new(args: &'a Args, out: Box<dyn Write>, live: bool) -> io::Result<Self> {
        let mut keys = KeyLog::default();
        let key_file = KeyFile::open(args.keylog.as_ref(), live, &mut keys)?;
        let shown = Shown {
            filter: &args.filter,
            packets: matches!(args.show, Show::Timeline | Show::Svg | Show::Pcap(_)),
            view: view::of(args, out)?,
            start: None,
            failed: None,
        };
        Ok(Self {
            tools: Tools {
                config: ObserverConfig::new(),
                keys,
                live,
            },
            key_file,
            talks: Vec::new(),
            contexts: Contexts::new(args.memory.saturating_mul(1 << 20)),
            shown,
            packet: 0,
            time: Duration::ZERO,
        })
    }

    /// The next packet, and when it came.
    pub(crate) fn next(&mut self, packet: u64, time: Duration) {
        (self.packet, self.time) = (packet, time);
        self.shown.start.get_or_insert(time);
        self.look_for_keys();
    }

    pub(crate) fn hear(&mut self, event: &Event<'_>) {
        let (index, number) = (event.conversation.index(), event.conversation.number());
        self.told(index, number, At::of(event), event.kind);
    }

    pub(crate) fn told(&mut self, index: usize, number: u64, at: At, kind: Kind<'_>) {
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
        let Some(talk) = self.talks.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if self.shown.has(talk) {
            talk.hear(&self.tools, at, kind, &mut |talk, entry| {
                self.shown.entry(talk, entry)
            });
        }
        let compressed = talk.compressed;
        if matches!(kind, Kind::End(_)) {
            self.contexts.end(talk);
            self.talks[index] = None;
        } else if compressed {
            self.contexts.heard(&mut self.talks, index, &mut |talk| {
                let entry = at.entry(at.sender, What::GivenUp);
                if self.shown.has(talk) {
                    self.shown.entry(talk, &entry);
                }
            });
        }
    }

    /// Keys may have been logged while nothing else came.
    pub(crate) fn look_for_keys(&mut self) {
        if !self.tools.live || !self.key_file.refresh(&mut self.tools.keys) {
            return;
        }
        let at = At {
            sender: Sender::Client,
            packet: self.packet,
            time: self.time,
            offset: 0,
        };
        for talk in self.talks.iter_mut().flatten() {
            if self.shown.has(talk) {
                talk.look_again(&self.tools, at, &mut |talk, entry| {
                    self.shown.entry(talk, entry)
                });
            }
        }
    }

    /// Before what a segment brings, and the packet that it was in. Returns whether it is of that conversation.
    pub(crate) fn segment(
        &mut self,
        index: usize,
        segment: &Segment<'_>,
        packet: Option<&Packet<'_>>,
    ) -> bool {
        if !self.shown.packets {
            return true;
        }
        let Some(Some(talk)) = self.talks.get(index) else {
            return false;
        };
        let sender = if (segment.from, segment.to) == (talk.client, talk.server) {
            Sender::Client
        } else if (segment.to, segment.from) == (talk.client, talk.server) {
            Sender::Server
        } else {
            return false; // it has made another one end
        };
        self.shown.segment(talk, sender, segment, packet);
        true
    }

    /// Shows what there is so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.shown.view.flush()
    }

    pub(crate) fn check(&mut self) -> io::Result<()> {
        self.shown.failed.take().map_or(Ok(()), Err)
    }

    /// Nothing more comes.
    pub(crate) fn finish(mut self, summary: &view::Summary) -> io::Result<()> {
        self.check()?;
        self.shown.view.finish(summary)
    }
}

impl Shown<'_> {
    fn has(&self, talk: &Talk) -> bool {
        view::shows(self.filter, talk)
    }

    fn entry(&mut self, talk: &Talk, entry: &Entry<'_>) {
        if self.failed.is_none() && view::passes(self.filter, entry) {
            let start = self.start.unwrap_or_default();
            self.failed = self.view.entry(talk, entry, start).err();
        }
    }

    fn segment(
        &mut self,
        talk: &Talk,
        sender: Sender,
        segment: &Segment<'_>,
        packet: Option<&Packet<'_>>,
    ) {
        if self.failed.is_some() || !self.has(talk) {
            return;
        }
        let start = self.start.unwrap_or_default();
        let packet = packet.map_or(Ok(()), |packet| self.view.packet(talk, packet));
        let shown = packet.and_then(|()| self.view.segment(talk, sender, segment, start));
        self.failed = shown.err();
    }
}
