//! The command line.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::{env, io};

use lexopt::prelude::*;
use sansocket::frame::Opcode;
use sansocket_tcp_streams::Sender;

use crate::text::one_of;

const HELP: &str = "\
Shows the WebSocket conversations in captured packets, as both ends saw them.

Usage: wsinspect [OPTION...] FILE
       wsinspect [OPTION...] --raw CLIENT SERVER
       wsinspect [OPTION...] --hex FILE
       wsinspect proxy --listen ADDRESS:PORT --to ADDRESS:PORT [OPTION...]

FILE is what tcpdump, Wireshark or another program wrote: pcap or pcapng, packed with gzip or not; or a HAR file with
the messages of WebSocket connections, of which each is shown as one frame; or a recording of one end of a connection,
as the feature `replay` of sansocket writes it, which is played: what it received and sent, with its times. `-` reads
it from standard input. Without an option that says what to show, the packets are shown one after the other: number,
time since the first packet, who sent it (C the client, S the server), what TCP does, what it carries, and the states
of both ends when they change.

What to read instead:
      --raw CLIENT SERVER    two files with the bytes that each end has sent, from HTTP or a frame on; which of two
                             came first is not known, so the ends take turns
      --hex FILE             a hex dump, as xxd, hexdump -C, od -A x -t x1 and Wireshark write it; lines indented
                             by four spaces are the server's

What to forward, byte for byte, and show as it happens, until Ctrl-C:
      --listen ADDRESS:PORT  where clients connect
      --to ADDRESS:PORT      the server that they get; a name is looked up for each connection
      --connections NUMBER   at a time; who comes later waits (1000)
      --write FILE           a capture of all of it, beside what is shown

What to read it with:
      --keylog FILE          the secrets of TLS, as browsers, curl, OpenSSL and rustls log them to the file that
                             SSLKEYLOGFILE names (that variable, unless set here); those in a pcapng file are read

What to show:
      --stats                what all of it sums up to
      --json                 a JSON object a line
      --har                  the messages as a HAR file, for a browser's developer tools
      --svg                  a picture of one conversation: the first one that is shown
      --pcap FILE            writes the packets of one conversation, the first one that is shown, to a capture
      --extract DIR          writes each message to a file in DIR, and its name to standard output

Which:
      --conversation NUMBER  this one only
      --host ADDRESS[:PORT]  conversations with this end
      --from client|server   what this end sent
      --opcode NAME          text, binary, ping, pong, close or continuation
      --errors               broken rules only
      --text TEXT            messages and reasons with this in them

How:
      --frames               each frame with the bits of its header
      --brief                no packets that carry nothing
      --payload LENGTH       so many bytes of each payload (200)
      --follow               waits for more when the file ends, as it grows
      --patience PACKETS     waits so long for data that was acknowledged: for captures that are out of order (0)
      --memory MB            what compressed connections may take (1024); beyond it the oldest ones are given up, so that
                             later messages of theirs may have holes
      --color WHEN           auto, always or never; auto heeds NO_COLOR
  -h, --help
  -V, --version

Exit status: 0 the file was read to its end; 2 wrong usage; 3 the file is damaged or no capture: what comes before
is shown; 4 it cannot be read, or the output cannot be written.";

/// What was asked for.
pub(crate) enum Asked {
    Run(Box<Args>),
    /// To print this and nothing else.
    Text(String),
}

pub(crate) struct Args {
    pub(crate) file: String,
    pub(crate) input: Input,
    pub(crate) show: Show,
    pub(crate) filter: Filter,
    pub(crate) frames: bool,
    pub(crate) brief: bool,
    pub(crate) payload: usize,
    pub(crate) follow: bool,
    pub(crate) patience: u8,
    pub(crate) keylog: Option<PathBuf>,
    pub(crate) color: bool,
    /// In MiB.
    pub(crate) memory: usize,
}

/// What the file is.
pub(crate) enum Input {
    Capture,
    /// What the client has sent; this is the file of the server.
    Raw(String),
    Hex,
    /// None: connections are forwarded, and shown.
    Proxy(Proxy),
}

/// What is forwarded.
pub(crate) struct Proxy {
    pub(crate) listen: String,
    pub(crate) to: String,
    /// So many connections at a time.
    pub(crate) connections: usize,
    /// All of it is written to this capture, too.
    pub(crate) write: Option<PathBuf>,
}

/// Which view.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Show {
    Timeline,
    Stats,
    Json,
    Har,
    Svg,
    Pcap(PathBuf),
    Extract(PathBuf),
}

/// What is shown of a capture.
#[derive(Default, Clone)]
pub(crate) struct Filter {
    pub(crate) conversation: Option<u64>,
    pub(crate) host: Option<(IpAddr, Option<u16>)>,
    pub(crate) from: Option<Sender>,
    pub(crate) opcode: Option<Opcode>,
    pub(crate) errors: bool,
    pub(crate) text: Option<String>,
}

pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Asked, lexopt::Error> {
    let (mut file, mut args, mut first) = (None, Args::new(), true);
    while let Some(arg) = parser.next()? {
        let begins = std::mem::replace(&mut first, false);
        match arg {
            Short('h') | Long("help") => return Ok(Asked::Text(HELP.to_owned())),
            Short('V') | Long("version") => {
                return Ok(Asked::Text(format!(
                    "wsinspect {}",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            Long("raw") if file.is_none() => {
                file = Some(parser.value()?.string()?);
                args.input = Input::Raw(parser.value()?.string()?);
            }
            Long("hex") => args.input = Input::Hex,
            Value(value) if begins && value == "proxy" => {
                file = Some("proxy".to_owned());
                args.input = Input::Proxy(Proxy::default());
            }
            Value(value) if file.is_none() => file = Some(value.string()?),
            Long(name) => {
                let name = name.to_owned();
                if !args.set(&name, &mut parser)? {
                    return Err(Long(&name).unexpected());
                }
            }
            _ => return Err(arg.unexpected()),
        }
    }
    args.file = file.ok_or("which file?")?;
    args.check()?;
    Ok(Asked::Run(Box::new(args)))
}

impl Args {
    fn new() -> Self {
        let quiet = env::var_os("NO_COLOR").is_some_and(|no| !no.is_empty());
        Self {
            file: String::new(),
            input: Input::Capture,
            show: Show::Timeline,
            filter: Filter::default(),
            frames: false,
            brief: false,
            payload: 200,
            follow: false,
            patience: 0,
            keylog: None,
            memory: 1024,
            color: io::stdout().is_terminal() && !quiet,
        }
    }

    /// Returns whether there is such an option.
    fn set(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        match name {
            "stats" => self.show = Show::Stats,
            "json" => self.show = Show::Json,
            "har" => self.show = Show::Har,
            "svg" => self.show = Show::Svg,
            "pcap" => self.show = Show::Pcap(parser.value()?.into()),
            "extract" => self.show = Show::Extract(parser.value()?.into()),
            "frames" => self.frames = true,
            "brief" => self.brief = true,
            "payload" => self.payload = parser.value()?.parse()?,
            "follow" => self.follow = true,
            "memory" => self.memory = parser.value()?.parse()?,
            "patience" => self.patience = parser.value()?.parse()?,
            "keylog" => self.keylog = Some(parser.value()?.into()),
            "color" => match &*parser.value()?.string()? {
                "auto" => {}
                "always" => self.color = true,
                "never" => self.color = false,
                other => return Err(one_of("--color", other, "auto, always or never").into()),
            },
            _ => {
                if let Input::Proxy(proxy) = &mut self.input
                    && proxy.set(name, parser)?
                {
                    return Ok(true);
                }
                return self.filter.set(name, parser);
            }
        }
        Ok(true)
    }

    /// What does not go together.
    fn check(&self) -> Result<(), lexopt::Error> {
        let captured = matches!(self.input, Input::Capture);
        if self.follow && !captured {
            return Err("--follow is for captures".into());
        }
        if matches!(self.show, Show::Pcap(_)) && !captured {
            return Err("--pcap is for captures; a proxy has --write".into());
        }
        if matches!(self.show, Show::Pcap(_)) && self.filter.is_of_things() {
            return Err(
                "--pcap takes all packets of a conversation: choose with --conversation or --host"
                    .into(),
            );
        }
        match &self.input {
            Input::Proxy(proxy) if proxy.listen.is_empty() => Err("--listen which address?".into()),
            Input::Proxy(proxy) if proxy.to.is_empty() => Err("--to which address?".into()),
            _ => Ok(()),
        }
    }
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            listen: String::new(),
            to: String::new(),
            connections: 1000,
            write: None,
        }
    }
}

impl Proxy {
    fn set(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        match name {
            "listen" => self.listen = parser.value()?.string()?,
            "to" => self.to = parser.value()?.string()?,
            "connections" => self.connections = parser.value()?.parse()?,
            "write" => self.write = Some(parser.value()?.into()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Filter {
    fn set(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        match name {
            "errors" => self.errors = true,
            "conversation" => self.conversation = Some(parser.value()?.parse()?),
            "host" => self.host = Some(parser.value()?.parse_with(host)?),
            "text" => self.text = Some(parser.value()?.string()?),
            "from" => {
                self.from = Some(match &*parser.value()?.string()? {
                    "client" => Sender::Client,
                    "server" => Sender::Server,
                    other => return Err(one_of("--from", other, "client or server").into()),
                });
            }
            "opcode" => {
                self.opcode = Some(match &*parser.value()?.string()? {
                    "text" => Opcode::Text,
                    "binary" => Opcode::Binary,
                    "continuation" => Opcode::Continuation,
                    "ping" => Opcode::Ping,
                    "pong" => Opcode::Pong,
                    "close" => Opcode::Close,
                    other => {
                        let names = "text, binary, continuation, ping, pong or close";
                        return Err(one_of("--opcode", other, names).into());
                    }
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether it says which things of a conversation are shown.
    pub(crate) fn is_of_things(&self) -> bool {
        self.from.is_some() || self.opcode.is_some() || self.errors || self.text.is_some()
    }
}

fn host(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let end = text
        .parse::<SocketAddr>()
        .map(|end| (end.ip(), Some(end.port())));
    let address = || {
        text.trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .map(|ip| (ip, None))
    };
    end.or_else(|_| address())
        .map_err(|_| "neither ADDRESS nor ADDRESS:PORT".to_owned())
}
