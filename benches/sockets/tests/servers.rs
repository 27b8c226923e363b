//! Each of the servers does the work that is measured: it echoes what a client sends, in order.

mod support;

use std::net::TcpStream;
use std::time::Duration;

use tungstenite::Message;

#[test]
fn all_echo() {
    for program in [
        env!("CARGO_BIN_EXE_sansocket"),
        env!("CARGO_BIN_EXE_tungstenite"),
        env!("CARGO_BIN_EXE_fastwebsockets"),
        env!("CARGO_BIN_EXE_tokio-websockets"),
    ] {
        let (_server, port) = support::start(&[program]);
        let mut clients: Vec<_> = (0..10)
            .map(|_| {
                let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let patience = Some(Duration::from_secs(60));
                stream.set_read_timeout(patience).unwrap();
                tungstenite::client("ws://localhost/", stream).unwrap().0
            })
            .collect();
        for len in [0, 32, 125, 126, 1024, 4096, 65_536, 300_000] {
            let message =
                |i: usize| Message::binary((0..len).map(|at| (at + i) as u8).collect::<Vec<_>>());
            for (i, client) in clients.iter_mut().enumerate() {
                client.write(message(i)).unwrap();
                client.write(message(i + 1)).unwrap();
                client.flush().unwrap();
            }
            for (i, client) in clients.iter_mut().enumerate() {
                assert!(
                    client.read().unwrap() == message(i),
                    "{program}: {len} bytes"
                );
                assert!(
                    client.read().unwrap() == message(i + 1),
                    "{program}: {len} bytes"
                );
            }
        }
    }
}
