//! An echo server for one client, over the serial line.
#![no_std]
#![no_main]

use bare_metal::{Serial, Stack, Time, end, say};
use cortex_m_rt::entry;
use sansocket::Transport;
use sansocket::fixed::{Admitted, Endpoint, Incoming, Options, Room};

/// Of the input, of a message, and of the output.
const BYTES: usize = 2048;

#[entry]
fn main() -> ! {
    let stack = Stack::mark();
    let clean = serve();
    say("stack", stack.used() - 3 * BYTES);
    say("state", size_of::<Endpoint<'_>>());
    end(clean)
}

/// Until the connection has ended. Whether it did so in order.
#[inline(never)]
fn serve() -> bool {
    let (mut serial, Some(mut time)) = (Serial::new(), Time::start()) else {
        return false;
    };
    let (mut input, mut room, mut output) = ([0; BYTES], [0; BYTES], [0; BYTES]);
    let mut room = Room::new(&mut room);
    let mut ws = Endpoint::server(Admitted::same_host(), Options::new(), &mut output);
    let mut clean = false;
    loop {
        ws.advance_time(time.now());
        let n = serial.read(&mut input);
        let mut read = &mut input[..n];
        while let Some(incoming) = ws.receive(&mut read, &mut room) {
            let answered = match incoming {
                Incoming::Request(request) if request.path() == "/ws" => {
                    ws.accept(&request, None).is_ok()
                }
                Incoming::Text(text) => ws.send_text(text).is_ok(),
                Incoming::Binary(bytes) => ws.send_binary(bytes).is_ok(),
                Incoming::Closed(ended) => {
                    clean = ended.clean;
                    true
                }
                _ => true, // pongs and Close replies are queued already; other requests get 404
            };
            if !answered {
                ws.transport_lost(); // an echo that does not fit
            }
            let len = ws.output().len();
            serial.write(ws.output());
            ws.consume_output(len);
        }
        if ws.transport() == Transport::Close {
            return clean;
        }
    }
}
