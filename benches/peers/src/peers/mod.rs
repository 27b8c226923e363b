//! A program around each crate, as its documentation has it.

mod embedded_websocket;
mod fastwebsockets;
mod ours;
mod sockudo_ws;
mod tokio_websockets;
mod tungstenite;
mod websocket_sans_io;
mod wtx;
mod yawc;

use crate::peer::Entry;

pub use ours::{
    Ours, OursBytes, OursChaCha, OursOwned, OursSystem, OursThrough, connection, receive_net,
    send_prepared,
};

pub fn all() -> Vec<Entry> {
    vec![
        Entry::new::<tungstenite::Tungstenite>("tungstenite", true),
        Entry::new::<fastwebsockets::FastWebSockets>("fastwebsockets", true),
        Entry::new::<tokio_websockets::TokioWebSockets>("tokio-websockets", true),
        Entry::new::<yawc::Yawc>("yawc", true),
        Entry::new::<sockudo_ws::SockudoWs>("sockudo-ws", true),
        Entry::new::<wtx::Wtx>("wtx", true),
        Entry::new::<websocket_sans_io::WebSocketSansIo>("websocket-sans-io", false),
        Entry::new::<embedded_websocket::EmbeddedWebSocket>("embedded-websocket", false),
    ]
}
