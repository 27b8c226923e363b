//! A client and a server in one memory: messages of all lengths that fit, in fragments of the wire of any size.
#![no_std]
#![no_main]

use bare_metal::{Stack, end, say};
use cortex_m_rt::entry;
use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::fixed::{Admitted, Ask, Endpoint, Incoming, Options, Room};
use sansocket::{CloseCode, State};

const BYTES: usize = 1024;

/// Messages go from nothing to this many bytes.
const LONGEST: usize = 600;

/// Stands for the generator of a board.
struct Generator(u32);

impl Entropy for Generator {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            self.0 = self.0.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            *byte = self.0.to_be_bytes()[0];
        }
        Ok(())
    }
}

#[entry]
fn main() -> ! {
    let stack = Stack::mark();
    let echoes = talk();
    say("stack", stack.used() - 5 * BYTES - LONGEST);
    say("state", size_of::<Endpoint<'_>>());
    say("echoes", echoes);
    end(echoes == LONGEST)
}

/// How many messages came back as they were.
#[inline(never)]
fn talk() -> usize {
    let (mut room, mut output) = ([0; BYTES], [0; BYTES]);
    let mut server_room = Room::new(&mut room);
    let mut server = Endpoint::server(Admitted::same_host(), Options::new(), &mut output);
    let (mut room, mut output, mut random) = ([0; BYTES], [0; BYTES], Generator(7));
    let mut client_room = Room::new(&mut room);
    let ask = Ask::new("sensor.local", "/");
    let client = Endpoint::client(&ask, Options::new(), &mut random, &mut output);
    let Ok(mut client) = client else { return 0 };

    let (mut wire, mut message) = ([0; BYTES], [0; LONGEST]);
    let mut echoes = 0;
    while client.state() != State::Closed && server.state() != State::Closed {
        // Now and then a part of a frame.
        let cut = 1 + echoes * 7 % 97;
        let n = carry(&mut client, &mut wire, cut);
        let mut read = &mut wire[..n];
        while let Some(incoming) = server.receive(&mut read, &mut server_room) {
            let sent = match incoming {
                Incoming::Request(request) => server.accept(&request, None).is_ok(),
                Incoming::Binary(bytes) => server.send_binary(bytes).is_ok(),
                _ => true,
            };
            if !sent {
                return 0;
            }
        }
        let n = carry(&mut server, &mut wire, cut);
        let mut read = &mut wire[..n];
        while let Some(incoming) = client.receive(&mut read, &mut client_room) {
            match incoming {
                Incoming::Accepted(_) => {}
                Incoming::Binary(bytes) if *bytes == message[..echoes] => echoes += 1,
                Incoming::Close { .. } | Incoming::Closed(_) => continue,
                _ => return 0,
            }
            let sent = if echoes == LONGEST {
                client.close(CloseCode::NORMAL_CLOSURE, "").is_ok()
            } else {
                message[echoes] = echoes as u8; // the lowest bits
                client.send_binary(&message[..echoes]).is_ok()
            };
            if !sent {
                return 0;
            }
        }
    }
    echoes
}

/// So many bytes of what one end has written, at most.
fn carry(from: &mut Endpoint<'_>, wire: &mut [u8; BYTES], most: usize) -> usize {
    let len = from.output().len().min(most);
    wire[..len].copy_from_slice(&from.output()[..len]);
    from.consume_output(len);
    len
}
