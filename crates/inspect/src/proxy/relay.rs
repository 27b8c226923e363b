//! Connections that are forwarded byte for byte: two threads for each, one for a direction.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use sansocket_tcp_streams::Sender;

/// The most that is forwarded at once.
const BLOCK: usize = 16 << 10;

/// How long the server may take to answer.
const CONNECT: Duration = Duration::from_secs(10);

/// After a failed accept, as when there are too many files.
const PAUSE: Duration = Duration::from_millis(100);

/// What happens, in the order in which it does.
pub(super) enum Message {
    /// Both ends are connected.
    Opened {
        number: u64,
        client: SocketAddr,
        server: SocketAddr,
    },
    /// An end has sent something. It is told before the other end gets it.
    Sent {
        number: u64,
        from: Sender,
        time: Duration,
        what: Sent,
    },
    /// Both directions are over.
    Closed { number: u64 },
    /// A client gets no connection.
    Failed(String),
}

pub(super) enum Sent {
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

/// What all threads know.
pub(super) struct Relay {
    to: String,
    most: usize,
    out: SyncSender<Message>,
    open: Mutex<Open>,
    less: Condvar,
    stopped: AtomicBool,
}

/// The connections that there are.
#[derive(Default)]
struct Open {
    /// With those that are not connected to the server yet.
    count: usize,
    ends: HashMap<u64, [TcpStream; 2]>,
}

/// A connection.
struct Pair {
    number: u64,
    ends: [TcpStream; 2],
    /// It was ended here: what its ends say from now on is not their own.
    over: AtomicBool,
}

impl Relay {
    pub(super) fn new(to: String, most: usize, out: SyncSender<Message>) -> Self {
        Self {
            to,
            most: most.max(1),
            out,
            open: Mutex::default(),
            less: Condvar::new(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Takes connections for as long as the program runs.
    pub(super) fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for number in 1.. {
            self.wait_for_room();
            let client = match listener.accept() {
                Ok((client, _)) => client,
                Err(error) => {
                    self.fail(&format!("a connection could not be accepted: {error}"));
                    thread::sleep(PAUSE);
                    continue;
                }
            };
            self.open().count += 1;
            let relay = Arc::clone(self);
            let begun = thread::Builder::new().spawn(move || relay.serve(number, client));
            if let Err(error) = begun {
                self.open().count -= 1;
                self.fail(&format!("a connection could not be served: {error}"));
                thread::sleep(PAUSE);
            }
        }
    }

    /// Nothing more is read of any connection; what was read is still forwarded.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        for ends in self.open().ends.values() {
            for end in ends {
                let _ = end.shutdown(Shutdown::Read);
            }
        }
    }

    /// Whether no connection is open.
    pub(super) fn is_idle(&self) -> bool {
        self.open().ends.is_empty()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_room(&self) {
        let full = |open: &mut Open| open.count >= self.most;
        drop(self.less.wait_while(self.open(), full));
    }

    fn fail(&self, why: &str) {
        let _ = self.out.send(Message::Failed(why.to_owned()));
    }

    fn serve(&self, number: u64, client: TcpStream) {
        match self.connect(number, client) {
            Ok(pair) => {
                thread::scope(|scope| {
                    let begun = thread::Builder::new()
                        .spawn_scoped(scope, || self.forward(&pair, Sender::Server));
                    if begun.is_err() {
                        pair.end();
                    }
                    self.forward(&pair, Sender::Client);
                });
                let _ = self.out.send(Message::Closed { number });
            }
            Err(why) => self.fail(&why),
        }
        let mut open = self.open();
        open.ends.remove(&number);
        open.count -= 1;
        drop(open);
        self.less.notify_all();
    }

    /// Both ends of a new connection.
    fn connect(&self, number: u64, client: TcpStream) -> Result<Pair, String> {
        let told =
            |error: &io::Error| format!("connection {number} gets none to {}: {error}", self.to);
        let from = client.peer_addr().map_err(|error| told(&error))?;
        let server = connect(&self.to).map_err(|error| told(&error))?;
        let to = server.peer_addr().map_err(|error| told(&error))?;
        // What was written at once arrives at once.
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let both = [client.try_clone(), server.try_clone()];
        let [Ok(own), Ok(other)] = both else {
            return Err(told(&io::Error::other("there are too many open files")));
        };
        self.open().ends.insert(number, [own, other]);
        if self.stopped.load(Ordering::SeqCst) {
            return Err(told(&io::Error::other("the proxy ends")));
        }
        let _ = self.out.send(Message::Opened {
            number,
            client: from,
            server: to,
        });
        Ok(Pair {
            number,
            ends: [client, server],
            over: AtomicBool::new(false),
        })
    }

    /// One direction, until its end. A peer that does not read stops this direction, and no other one.
    fn forward(&self, pair: &Pair, from: Sender) {
        let [client, server] = &pair.ends;
        let (mut input, mut output) = match from {
            Sender::Client => (client, server),
            Sender::Server => (server, client),
        };
        let mut block = vec![0; BLOCK];
        loop {
            match input.read(&mut block) {
                Ok(0) => break,
                Ok(n) => {
                    self.tell(pair, from, Sent::Bytes(block[..n].to_vec()));
                    if output.write_all(&block[..n]).is_err() {
                        // Who has reset the connection says so in its own direction.
                        let _ = input.shutdown(Shutdown::Both);
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.tell(pair, from, Sent::Reset);
                    return pair.end();
                }
            }
        }
        self.tell(pair, from, Sent::Fin);
        let _ = output.shutdown(Shutdown::Write);
    }

    /// Of an end that does it by itself.
    fn tell(&self, pair: &Pair, from: Sender, what: Sent) {
        let ended = self.stopped.load(Ordering::SeqCst) || pair.over.load(Ordering::SeqCst);
        if ended && !matches!(what, Sent::Bytes(_)) {
            return;
        }
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let _ = self.out.send(Message::Sent {
            number: pair.number,
            from,
            time: time.unwrap_or_default(),
            what,
        });
    }
}

impl Pair {
    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        for end in &self.ends {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

/// The first of its addresses that answers.
fn connect(to: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in to.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
