//! The command line.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use lexopt::prelude::*;
use sansocket::client::backoff::Policy;
use sansocket::client::proxy::{Environment, Protocol, Proxy};
use sansocket::{ClientRequest, Uri};

const HELP: &str = "\
A WebSocket client for the command line.

Usage: client [OPTION...] URI

Lines of standard input are sent as messages, messages are printed as lines, and a line on standard
error says how it ended. Control characters in messages, which a terminal would obey, are printed as
\\u{1b}. After the end of the input the connection is closed with 1000, once
nothing has come for a moment.

  -H, --header 'NAME: VALUE'   sends a header field with the handshake
      --origin ORIGIN          sends an origin, as browsers do
  -s, --subprotocol NAME       offers a subprotocol; the first is wanted most
  -x, --proxy URL              through a proxy: http:// or socks5://[USER:PASSWORD@]HOST[:PORT];
                               without it the environment's (https_proxy, NO_PROXY and the like)
  -L, --location               follows redirections, not from wss to ws; credentials stay at home
      --retry                  tries again where that can help, after growing random delays
      --retry-delay SECONDS    the first delay is at most this long (5)
      --retries COUNT          gives up after so many new attempts in a row
      --ping SECONDS           pings when nothing came for so long; no pong in 20 s is a loss
      --compress               offers compression of messages (permessage-deflate)
      --binary                 sends lines as binary messages, prints messages as they are, and
                               binary ones without a newline
      --json                   prints all events, a JSON object a line; binary data in base64
      --linger SECONDS         that moment (0.5)
      --stay                   waits for the server to close instead
      --ca FILE                trusts the certificates in this PEM file, not those of the system
  -h, --help
  -V, --version

Exit status: 0 closed cleanly with 1000 or no code; 1 with another code; 2 wrong usage;
3 refused by the server or the proxy; 4 no connection, or it was lost or failed.";

/// What was asked for.
pub enum Asked {
    Run(Box<Args>),
    /// To print this and nothing else.
    Text(String),
}

pub struct Args {
    pub request: ClientRequest,
    /// In place of the environment's.
    pub proxy: Option<Proxy>,
    pub environment: Environment,
    pub follow: bool,
    pub retry: bool,
    pub policy: Policy,
    pub ping: Option<Duration>,
    pub compress: bool,
    pub binary: bool,
    pub json: bool,
    /// How long nothing may come after the end of the input; `None`: until the server closes.
    pub linger: Option<Duration>,
    /// Certificates to trust in place of the system's.
    pub ca: Option<Vec<u8>>,
}

pub fn parse() -> Result<Asked, Box<dyn Error>> {
    let mut parser = lexopt::Parser::from_env();
    let mut uri = None;
    let (mut headers, mut subprotocols, mut origin, mut proxy) = (vec![], vec![], None, None);
    let (mut follow, mut retry, mut binary, mut json) = Default::default();
    let mut linger = Some(Duration::from_millis(500));
    let (mut ping, mut compress, mut ca) = (None, false, None::<PathBuf>);
    let mut policy = Policy::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Short('H') | Long("header") => headers.push(parser.value()?.string()?),
            Long("origin") => origin = Some(parser.value()?.string()?),
            Short('s') | Long("subprotocol") => subprotocols.push(parser.value()?.string()?),
            Short('x') | Long("proxy") => proxy = Some(parse_proxy(&parser.value()?.string()?)?),
            Short('L') | Long("location") => follow = true,
            Long("retry") => retry = true,
            Long("retry-delay") => policy.first = seconds(&mut parser)?,
            Long("retries") => policy.attempts = Some(parser.value()?.parse()?),
            Long("ping") => ping = Some(seconds(&mut parser)?).filter(|ping| !ping.is_zero()),
            Long("compress") => compress = true,
            Long("binary") => binary = true,
            Long("json") => json = true,
            Long("linger") => linger = Some(seconds(&mut parser)?),
            Long("stay") => linger = None,
            Long("ca") => ca = Some(parser.value()?.into()),
            Short('h') | Long("help") => return Ok(Asked::Text(HELP.into())),
            Short('V') | Long("version") => {
                return Ok(Asked::Text(format!("client {}", env!("CARGO_PKG_VERSION"))));
            }
            Value(value) if uri.is_none() => uri = Some(Uri::parse(&value.string()?)?),
            arg => return Err(arg.unexpected().into()),
        }
    }
    let mut request = ClientRequest::new(uri.ok_or("a URI is missing")?);
    for header in headers {
        let (name, value) = header.split_once(':').ok_or("a header is 'NAME: VALUE'")?;
        let value = value.trim_matches([' ', '\t']);
        request = request
            .header(name, value.as_bytes())
            .map_err(|error| format!("--header {name}: {error}"))?;
    }
    for subprotocol in subprotocols {
        request = request.subprotocol(&subprotocol)?;
    }
    if let Some(origin) = origin {
        request = request.origin(&origin).map_err(|_| "--origin: no origin")?;
    }
    let ca = ca.map(|path| fs::read(&path).map_err(|error| format!("{}: {error}", path.display())));
    Ok(Asked::Run(Box::new(Args {
        request,
        proxy,
        environment: Environment::new(|name| env::var(name).ok()),
        follow,
        // Who says how to try again wants it.
        retry: retry || policy != Policy::default(),
        policy,
        ping,
        compress,
        binary,
        json,
        linger,
        ca: ca.transpose()?,
    })))
}

fn seconds(parser: &mut lexopt::Parser) -> Result<Duration, Box<dyn Error>> {
    let seconds: f64 = parser.value()?.parse()?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}

fn parse_proxy(text: &str) -> Result<Proxy, Box<dyn Error>> {
    let proxy = Proxy::parse(text).map_err(|error| format!("--proxy: {error}"))?;
    match proxy.protocol() {
        Protocol::Http | Protocol::Socks5 => Ok(proxy),
        _ => Err("--proxy: http:// or socks5:// is wanted".into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::*;

    #[test]
    fn proxies() {
        for (text, place) in [
            ("http://h", ("h", 1080)),
            ("h:3128", ("h", 3128)),
            ("socks5h://u:p%40ss@[::1]:9050", ("::1", 9050)),
        ] {
            let proxy = parse_proxy(text).unwrap();
            assert_eq!((proxy.host(), proxy.port()), place);
        }
        for text in [
            "https://h",
            "socks4://h",
            "http://",
            "http://h:x",
            "http://u:%f0@h",
        ] {
            assert!(parse_proxy(text).is_err(), "{text}");
        }
    }
}
