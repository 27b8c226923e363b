//! The command line.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use sansocket::client::backoff::Policy;
use sansocket::client::proxy;
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
  -x, --proxy URL              through an HTTP proxy: http://[USER:PASSWORD@]HOST[:PORT]
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
    pub proxy: Option<Proxy>,
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

/// Where the proxy is and what it is told.
pub struct Proxy {
    pub uri: Uri,
    pub options: proxy::Options,
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

/// `http://[USER:PASSWORD@]HOST[:PORT]`; the name and the password percent-encoded.
fn parse_proxy(text: &str) -> Result<Proxy, Box<dyn Error>> {
    let wrong = "--proxy: http://[USER:PASSWORD@]HOST[:PORT] is wanted";
    let rest = text.strip_prefix("http://").ok_or(wrong)?;
    let (credentials, place) = match rest.rsplit_once('@') {
        Some((credentials, place)) => (Some(credentials), place),
        None => (None, rest),
    };
    let uri = Uri::parse(&format!("ws://{place}")).map_err(|_| wrong)?;
    let mut options = proxy::Options::new();
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let decoded = |text| percent_decoded(text).ok_or(wrong);
        options = options
            .basic(&decoded(user)?, &decoded(password)?)
            .map_err(|error| format!("--proxy: {error}"))?;
    }
    Ok(Proxy { uri, options })
}

/// RFC 3986 §2.1.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                let digit = |at: usize| char::from(digits[at]).to_digit(16);
                u8::try_from(digit(0)? * 16 + digit(1)?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn proxies() {
        for (text, place) in [
            ("http://h", "h:80"),
            ("http://h:3128/", "h:3128"),
            ("http://u:p@[::1]:8080", "[::1]:8080"),
            ("http://u:p%40ss@h:1", "h:1"),
        ] {
            assert_eq!(parse_proxy(text).unwrap().uri.host_and_port(), place);
        }
        for text in [
            "h:1",
            "https://h",
            "socks5://h",
            "http://",
            "http://h:x",
            "http://u:%f@h",
            "http://u:%0d%0a@h",
        ] {
            assert!(parse_proxy(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percent_encoding() {
        assert_eq!(percent_decoded("a%3Ab%c3%a9").as_deref(), Some("a:bé"));
        for bad in ["%", "%4", "%4g", "%ff"] {
            assert_eq!(percent_decoded(bad), None, "{bad}");
        }
    }
}
