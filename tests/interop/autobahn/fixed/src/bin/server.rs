//! The echo server that the suite's client tests: server ADDRESS

use std::net::{TcpListener, TcpStream};
use std::{env, thread};

use fixed_peers::{BYTES, accept, drive, echo, text};
use sansocket::fixed::{Admitted, Endpoint, Options};

fn main() -> Result<(), String> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:9001".into());
    let listener = TcpListener::bind(&address).map_err(text)?;
    println!("echo server: ws://{address}/");
    for socket in listener.incoming() {
        match socket {
            Ok(socket) => drop(thread::spawn(move || serve(&socket))),
            Err(error) => eprintln!("accept: {error}"),
        }
    }
    Ok(())
}

fn serve(socket: &TcpStream) {
    let mut output = vec![0; BYTES];
    let mut ws = Endpoint::server(Admitted::anyone(), Options::new(), &mut output);
    let ended = drive(socket, &mut ws, &mut |ws, incoming| {
        accept(ws, &incoming).map_err(text)?;
        echo(ws, incoming)
    });
    if let Err(error) = ended {
        eprintln!("{error}");
    }
}
