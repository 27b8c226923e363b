//! A WebSocket client for the command line.
//!
//! `cargo run -p client -- --help` says what it can do. Lines of standard input become messages,
//! messages are printed, and one line on standard error says how it ended.
//!
//! | file | what of it |
//! |---|---|
//! | `main` | attempts: connect, follow redirections, try again |
//! | `args` | the command line |
//! | `transport` | TCP and TLS: bytes of the WebSocket connection in and out |
//! | `tunnel` | the way through an HTTP or SOCKS5 proxy |
//! | `session` | one connection: the loop of every driver |
//! | `gate` | one attempt at a time for each address, among threads |
//! | `output` | what is printed, as text or JSON |
//! | `printable` | what a peer says, without what a terminal would obey |

mod args;
mod gate;
mod output;
mod printable;
mod session;
mod transport;
mod tunnel;

use std::process::ExitCode;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sansocket::ClientRequest;
use sansocket::client::backoff::{Advice, Backoff, Ended, Reason};
use sansocket::client::challenge::Challenge;
use sansocket::client::proxy::ProxyError;
use sansocket::client::redirect::Redirects;
use sansocket::handshake::Refusal;

use args::{Args, Asked};
use output::Output;
use session::{End, Session};

/// How it ended, for scripts.
#[derive(Clone, Copy)]
enum Status {
    /// Closed cleanly, with 1000 or without a code.
    Fine = 0,
    /// Closed cleanly, with another code.
    OtherCode = 1,
    /// Wrong usage.
    Usage = 2,
    /// The server or the proxy refused.
    Refused = 3,
    /// No connection, a lost or a failed one.
    Failed = 4,
}

fn main() -> ExitCode {
    let status = match args::parse() {
        Ok(Asked::Run(args)) => run(*args),
        Ok(Asked::Text(text)) => {
            println!("{text}");
            Status::Fine
        }
        Err(error) => {
            eprintln!("client: {error}");
            eprintln!("Try `client --help`.");
            Status::Usage
        }
    };
    ExitCode::from(status as u8)
}

/// Attempt after attempt, until there is nothing left to do.
fn run(args: Args) -> Status {
    let born = Instant::now();
    let mut out = Output::new(args.json, args.binary);
    let mut session = Session::new(args.binary, args.linger);
    let mut backoff = Backoff::new(args.policy);
    loop {
        let end = follow(&args, &mut session, &mut backoff, &mut out, born);
        let (ended, status) = (ended(&end), status(&end));
        explain(&end, &mut out);
        if !args.retry {
            return status;
        }
        // A delay at random, so that not all clients of a server that went down come back at once.
        let random = getrandom::u64().unwrap_or(u64::MAX);
        let advice = backoff.next(ended, born.elapsed(), random);
        match advice {
            Advice::RetryNow(reason) => out.retry(None, &reason),
            Advice::RetryAfter(delay, reason) => {
                out.retry(Some(delay), &reason);
                thread::sleep(delay);
            }
            // What it was has been said.
            Advice::Authorize(_) | Advice::GiveUp(Reason::Ended(_)) => return status,
            Advice::GiveUp(reason) => {
                out.note(&format!("giving up: {reason}"));
                return status;
            }
        }
    }
}

/// One attempt, with the redirections it meets.
fn follow(
    args: &Args,
    session: &mut Session,
    backoff: &mut Backoff,
    out: &mut Output,
    born: Instant,
) -> End {
    let mut request: ClientRequest = args.request.clone();
    let mut redirects = Redirects::new(request.uri().clone());
    loop {
        let opened = |out: &mut Output| {
            backoff.opened(born.elapsed());
            if args.retry {
                out.note(&format!("open: {}", request.uri()));
            }
        };
        let end = session.run(args, request.clone(), opened, out);
        let End::Refused(refusal) = &end else {
            return end;
        };
        if !args.follow || !(300..400).contains(&refusal.status) {
            return end;
        }
        match redirects.next(refusal) {
            Ok(redirect) if redirect.downgrade => {
                out.note(&format!(
                    "not followed, as it is without TLS: {}",
                    redirect.uri
                ));
                return end;
            }
            Ok(redirect) => {
                out.note(&format!("{}: on to {}", refusal.status, redirect.uri));
                request = redirect.request(request);
            }
            Err(why) => {
                out.note(&format!("not followed: {why}"));
                return end;
            }
        }
    }
}

fn ended(end: &End) -> Ended {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    match end {
        End::Closed(report, _) => Ended::from(&**report),
        End::Refused(refusal) => Ended::refused(refusal, wall),
        End::Proxy(error) => Ended::at_proxy(error, wall),
        End::Io(_) | End::Setup(_) => Ended::Unreachable,
        End::Tls(_) => Ended::Tls,
    }
}

fn status(end: &End) -> Status {
    match end {
        End::Closed(report, _) if !report.clean => Status::Failed,
        End::Closed(report, _) if matches!(report.code, 1000 | 1005) => Status::Fine,
        End::Closed(..) => Status::OtherCode,
        End::Refused(_) | End::Proxy(ProxyError::Refused(_)) => Status::Refused,
        End::Proxy(_) | End::Io(_) | End::Tls(_) | End::Setup(_) => Status::Failed,
    }
}

/// One line on what happened.
fn explain(end: &End, out: &mut Output) {
    match end {
        End::Closed(report, unsent) => out.closed(report, *unsent),
        End::Refused(refusal) => {
            let hint = "give --header 'Authorization: …'";
            out.refused("server", refusal, &asked(refusal, &[401], hint));
        }
        End::Proxy(ProxyError::Refused(refusal)) => {
            let hint = "give --proxy http://USER:PASSWORD@HOST:PORT";
            // Some proxies say 401.
            out.refused("proxy", refusal, &asked(refusal, &[401, 407], hint));
        }
        End::Proxy(error) => out.failed(&error.to_string()),
        End::Io(error) => out.failed(&format!("no connection: {error}")),
        End::Tls(error) => out.failed(&format!("the TLS handshake failed: {error}")),
        End::Setup(error) => out.failed(error),
    }
}

/// What would let us in.
fn asked(refusal: &Refusal, statuses: &[u16], hint: &str) -> String {
    if !statuses.contains(&refusal.status) {
        return String::new();
    }
    let challenges: Vec<_> = Challenge::of(refusal)
        .iter()
        .map(|challenge| match challenge.parameter("realm") {
            Some(realm) => format!(
                "{} (realm \"{}\")",
                challenge.scheme(),
                realm.escape_ascii()
            ),
            None => challenge.scheme().to_owned(),
        })
        .collect();
    let wanted = match &challenges[..] {
        [] => "credentials".into(),
        some => some.join(" or "),
    };
    format!(": it asks for {wanted}; {hint}")
}
