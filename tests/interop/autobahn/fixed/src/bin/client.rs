//! The echo client that the suite's server tests: client URL AGENT

use std::env;
use std::net::TcpStream;

use fixed_peers::{BYTES, Handle, drive, echo, text};
use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::fixed::{Ask, Endpoint, Incoming, Options};

struct System;

impl Entropy for System {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(out).map_err(|_| NoEntropy)
    }
}

fn main() -> Result<(), String> {
    let mut args = env::args().skip(1);
    let base = args.next().unwrap_or("ws://127.0.0.1:9001".into());
    let agent = args.next().unwrap_or("sansocket-fixed".into());
    let host = base.strip_prefix("ws://").unwrap_or(&base);
    let host = host.trim_end_matches('/');
    let mut cases = 0;
    converse(host, "/getCaseCount", &mut |_, incoming| {
        if let Incoming::Text(message) = incoming {
            cases = message.parse().map_err(text)?;
        }
        Ok(())
    })?;
    println!("{cases} cases");
    for case in 1..=cases {
        // Whatever a case does, the next one follows.
        let name = format!("/runCase?case={case}&agent={agent}");
        if let Err(error) = converse(host, &name, &mut |ws, incoming| echo(ws, incoming)) {
            eprintln!("case {case}: {error}");
        }
    }
    converse(
        host,
        &format!("/updateReports?agent={agent}"),
        &mut |_, _| Ok(()),
    )?;
    if cases == 0 {
        return Err("the server has no cases".into());
    }
    Ok(())
}

fn converse(host: &str, name: &str, handle: &mut Handle<'_>) -> Result<(), String> {
    let socket = TcpStream::connect(host).map_err(text)?;
    let (mut output, mut random) = (vec![0; BYTES], System);
    let ask = Ask::new(host, name);
    let mut ws = Endpoint::client(&ask, Options::new(), &mut random, &mut output).map_err(text)?;
    drive(&socket, &mut ws, handle)
}
