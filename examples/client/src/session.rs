//! One connection: the loop of every driver, fed by two threads that only read.

use std::io::{self, BufRead, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::client::gate::Gate;
use sansocket::client::proxy::ProxyError;
use sansocket::config::Timeouts;
use sansocket::error::SendError;
use sansocket::event::CloseReport;
use sansocket::extension::PermessageDeflate;
use sansocket::handshake::Refusal;
use sansocket::{ClientConfig, ClientRequest, CloseCode, Connection, Event, Transport as Todo};

use crate::args::Args;
use crate::gate::SharedGate;
use crate::output::Output;
use crate::transport::{Fed, Transport};

/// How an attempt ended.
pub enum End {
    /// With this report, and so many bytes of messages unsent.
    Closed(Box<CloseReport>, u64),
    Refused(Box<Refusal>),
    /// There is no way through the proxy.
    Proxy(ProxyError),
    Io(io::Error),
    Tls(rustls::Error),
    /// Something on this side is wrong.
    Setup(String),
}

/// What the reading threads say.
enum Input {
    /// From the connection with this number.
    Socket(u64, Bytes),
    Line(Vec<u8>),
    EndOfLines,
}

enum Bytes {
    Some(Vec<u8>),
    Eof,
    Lost,
}

/// What outlives a connection: who may connect, the lines of standard input, and the one that waits.
pub struct Session {
    gate: SharedGate,
    inputs: Receiver<Input>,
    sender: SyncSender<Input>,
    /// One line is read for each of these, so that a slow server slows the input down.
    wanted: SyncSender<()>,
    asked: bool,
    line: Option<Vec<u8>>,
    no_more_lines: bool,
    binary: bool,
    linger: Option<Duration>,
    number: u64,
}

impl Session {
    pub fn new(binary: bool, linger: Option<Duration>) -> Self {
        // Small: a message waits in the socket rather than here.
        let (sender, inputs) = mpsc::sync_channel(4);
        let (wanted, orders) = mpsc::sync_channel(1);
        let lines = sender.clone();
        thread::spawn(move || read_lines(&orders, &lines));
        Self {
            gate: SharedGate::new(Gate::default()),
            inputs,
            sender,
            wanted,
            asked: false,
            line: None,
            no_more_lines: false,
            binary,
            linger,
            number: 0,
        }
    }

    /// From the first byte to the last. `opened` is called when the connection is established.
    pub fn run(
        &mut self,
        args: &Args,
        request: ClientRequest,
        opened: impl FnOnce(&mut Output),
        out: &mut Output,
    ) -> End {
        let uri = request.uri().clone();
        let mut transport = match Transport::connect(args, &uri, &self.gate) {
            Ok(transport) => transport,
            Err(end) => return end,
        };
        let mut timeouts = Timeouts::default();
        timeouts.ping = args.ping;
        let mut config = ClientConfig::new().timeouts(timeouts);
        if args.compress {
            config = config.deflate(PermessageDeflate::client());
        }
        let mut ws = match Connection::client(&config, request) {
            Ok(ws) => ws,
            Err(misuse) => return End::Setup(misuse.to_string()),
        };
        self.number += 1;
        match transport.reader() {
            Ok(socket) => {
                let (number, inputs) = (self.number, self.sender.clone());
                thread::spawn(move || read_socket(socket, number, &inputs));
            }
            Err(error) => return End::Io(error),
        }
        let end = self.drive(&mut ws, &mut transport, &uri.to_string(), opened, out);
        // Ends the reading thread as well.
        transport.shutdown(Shutdown::Both);
        end
    }

    /// Deliver, write and flush, ask, read.
    fn drive(
        &mut self,
        ws: &mut Connection,
        transport: &mut Transport,
        uri: &str,
        opened: impl FnOnce(&mut Output),
        out: &mut Output,
    ) -> End {
        let born = Instant::now();
        let mut opened = Some(opened);
        let (mut end, mut tls_error) = (None, None);
        let mut shut = false;
        let mut writable = true;
        // When something was last sent or received.
        let mut stirred = born;
        let mut fed = Fed::default();
        loop {
            ws.advance_time(born.elapsed());
            let mut input = &mut fed.bytes[..];
            while let Some(event) = ws.receive(&mut input) {
                match event {
                    Event::Open => {
                        transport.established();
                        out.open(uri, ws);
                        if let Some(opened) = opened.take() {
                            opened(out);
                        }
                    }
                    Event::Message(message) => {
                        out.message(&message);
                        stirred = Instant::now();
                    }
                    Event::Pong(pong) => out.pong(&pong),
                    Event::Refused(refusal) => end = Some(End::Refused(refusal)),
                    Event::Closed(report) => {
                        end.get_or_insert(End::Closed(report, ws.buffered_amount()));
                    }
                    _ => {}
                }
            }
            if std::mem::take(&mut fed).end {
                ws.receive_eof();
                continue;
            }
            if !ws.output().is_empty() || !self.no_more_lines {
                stirred = Instant::now();
            }
            self.send_line(ws, out);
            let quiet_until = self.linger.and_then(|linger| stirred.checked_add(linger));
            if self.no_more_lines
                && self.line.is_none()
                && ws.can_send().is_ok()
                && quiet_until.is_some_and(|at| Instant::now() >= at)
            {
                let _ = ws.close(Some(CloseCode::NORMAL_CLOSURE), "");
            }

            let before = ws.output_len();
            if writable && write(ws, transport).is_err() {
                writable = false;
                ws.write_lost();
            }
            // What was written can bring an event.
            if ws.output_len() < before {
                continue;
            }

            if ws.output().is_empty() {
                match ws.transport() {
                    Todo::Close => {
                        if let Some(end) = end.take() {
                            return tls_error.map_or(end, End::Tls);
                        }
                        continue;
                    }
                    Todo::ShutdownWrite if !shut => {
                        shut = true;
                        transport.shutdown(Shutdown::Write);
                    }
                    _ => {}
                }
            }

            let unwritten = !ws.output().is_empty() && !transport.is_handshaking();
            let quiet = quiet_until.filter(|_| self.no_more_lines && ws.can_send().is_ok());
            let wait = if unwritten || (writable && transport.wants_write()) {
                Duration::ZERO
            } else {
                let deadline = ws.next_deadline().map(|at| until(at, born));
                let quiet = quiet.map(|at| at.saturating_duration_since(Instant::now()));
                let waits = [deadline, quiet, Some(Duration::from_secs(3600))];
                waits.into_iter().flatten().min().unwrap_or_default()
            };
            match self.inputs.recv_timeout(wait) {
                Ok(Input::Socket(number, _)) if number != self.number => {}
                Ok(Input::Socket(_, Bytes::Some(read))) => {
                    let handshaking = transport.is_handshaking();
                    match transport.feed(read) {
                        Ok(read) => fed = read,
                        Err(error) if handshaking => {
                            ws.tls_failed();
                            tls_error = Some(error);
                        }
                        Err(error) => {
                            out.note(&format!("TLS: {error}"));
                            ws.transport_lost();
                        }
                    }
                }
                Ok(Input::Socket(_, Bytes::Eof | Bytes::Lost)) if transport.is_handshaking() => {
                    return End::Io(io::Error::other("ended in the TLS handshake"));
                }
                Ok(Input::Socket(_, Bytes::Eof)) => ws.receive_eof(),
                Ok(Input::Socket(_, Bytes::Lost)) => ws.transport_lost(),
                Ok(Input::Line(line)) => {
                    self.asked = false;
                    self.line = Some(line);
                }
                Ok(Input::EndOfLines) => self.no_more_lines = true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => ws.transport_lost(),
            }
        }
    }

    /// Sends the line that waits if there is room, and asks for another one.
    fn send_line(&mut self, ws: &mut Connection, out: &mut Output) {
        if !matches!(ws.can_send(), Ok(()) | Err(SendError::Full { .. })) {
            return;
        }
        if let Some(line) = self.line.take() {
            if ws.can_send().is_err() {
                self.line = Some(line);
                return;
            }
            let sent = match String::from_utf8(line) {
                Err(line) if self.binary => ws.send(line.into_bytes()).map_err(SendError::from),
                Err(line) => Err(SendError::NotUtf8 {
                    at: line.utf8_error().valid_up_to(),
                }),
                Ok(line) if self.binary => ws.send(line.into_bytes()).map_err(SendError::from),
                Ok(line) => ws.send(line).map_err(SendError::from),
            };
            if let Err(misuse) = sent {
                out.note(&format!("a line was not sent: {misuse}"));
            }
        }
        if !self.no_more_lines && !self.asked && self.wanted.try_send(()).is_ok() {
            self.asked = true;
        }
    }
}

/// How long a deadline can wait. The thread that reads gets the time for it also after one has passed: what
/// came before counts.
fn until(deadline: Duration, born: Instant) -> Duration {
    let wait = deadline.saturating_sub(born.elapsed());
    wait.max(Duration::from_millis(20))
}

/// As much as the socket takes.
fn write(ws: &mut Connection, transport: &mut Transport) -> io::Result<()> {
    transport.flush()?;
    while !ws.output().is_empty() && !transport.wants_write() {
        let n = transport.write(ws.output())?;
        if n == 0 {
            break;
        }
        ws.consume_output(n);
    }
    Ok(())
}

/// A line for each order.
fn read_lines(orders: &Receiver<()>, inputs: &SyncSender<Input>) {
    let mut stdin = io::stdin().lock();
    while orders.recv().is_ok() {
        let mut line = Vec::new();
        let end = !matches!(stdin.read_until(b'\n', &mut line), Ok(1..));
        if line.last() == Some(&b'\n') {
            line.pop();
            line.pop_if(|last| *last == b'\r');
        }
        let input = if end {
            Input::EndOfLines
        } else {
            Input::Line(line)
        };
        if inputs.send(input).is_err() || end {
            return;
        }
    }
}

fn read_socket(mut socket: TcpStream, number: u64, inputs: &SyncSender<Input>) {
    let mut buf = vec![0; 64 << 10];
    loop {
        let bytes = match socket.read(&mut buf) {
            Ok(0) => Bytes::Eof,
            Ok(n) => Bytes::Some(buf[..n].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => Bytes::Lost,
        };
        let last = !matches!(bytes, Bytes::Some(_));
        if inputs.send(Input::Socket(number, bytes)).is_err() || last {
            return;
        }
    }
}
