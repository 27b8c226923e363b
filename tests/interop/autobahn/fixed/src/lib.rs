//! What both programs have: room, and the loop over a socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use sansocket::Transport;
use sansocket::error::{AcceptError, SendError};
use sansocket::fixed::{Endpoint, Incoming, Room};

/// The longest messages of the suite's core have 64 KiB.
pub const BYTES: usize = (64 << 10) + 512;

/// A peer that neither sends nor reads for so long is left.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the application does with what came. An error ends the connection.
pub type Handle<'h> = dyn FnMut(&mut Endpoint<'_>, Incoming<'_>) -> Result<(), String> + 'h;

/// Until the connection has ended.
///
/// # Errors
/// Those of the socket, and of `handle`.
pub fn drive(
    socket: &TcpStream,
    ws: &mut Endpoint<'_>,
    handle: &mut Handle<'_>,
) -> Result<(), String> {
    socket.set_nodelay(true).map_err(text)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    socket.set_write_timeout(Some(PATIENCE)).map_err(text)?;
    let (mut room, mut input) = (vec![0; BYTES], vec![0; 16 << 10]);
    let mut room = Room::new(&mut room);
    let born = Instant::now();
    let mut read: &mut [u8] = &mut [];
    loop {
        ws.advance_time(born.elapsed());
        while let Some(incoming) = ws.receive(&mut read, &mut room) {
            handle(ws, incoming)?;
            write(socket, ws)?; // there has to be room for the next answer
        }
        write(socket, ws)?;
        match ws.transport() {
            Transport::Close => return Ok(()),
            Transport::ShutdownWrite => drop(socket.shutdown(Shutdown::Write)),
            _ => {}
        }
        let n = match (&*socket).read(&mut input) {
            Ok(0) => {
                ws.receive_eof();
                0
            }
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(_) => {
                ws.transport_lost();
                0
            }
        };
        read = &mut input[..n];
    }
}

fn write(mut socket: &TcpStream, ws: &mut Endpoint<'_>) -> Result<(), String> {
    while !ws.output().is_empty() {
        match socket.write(ws.output()) {
            Ok(n) => ws.consume_output(n),
            Err(_) => ws.write_lost(),
        }
    }
    Ok(())
}

/// Sends a message back.
///
/// # Errors
/// There is no room for it.
pub fn echo(ws: &mut Endpoint<'_>, incoming: Incoming<'_>) -> Result<(), String> {
    let sent = match incoming {
        Incoming::Text(message) => ws.send_text(message),
        Incoming::Binary(message) => ws.send_binary(message),
        _ => Ok(()),
    };
    match sent {
        // The peer has closed since.
        Ok(()) | Err(SendError::Closing) => Ok(()),
        Err(error) => Err(text(error)),
    }
}

/// Accepts a request.
///
/// # Errors
/// There is no room for the answer.
pub fn accept(ws: &mut Endpoint<'_>, incoming: &Incoming<'_>) -> Result<(), AcceptError> {
    match incoming {
        Incoming::Request(request) => ws.accept(request, None),
        _ => Ok(()),
    }
}

pub fn text(error: impl ToString) -> String {
    error.to_string()
}
