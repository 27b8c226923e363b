//! How many allocations a message takes in the steady state, and a handshake.

use sansocket::frame::{FrameHeader, Opcode};
use sansocket::mask::apply_mask;
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, Message, Negotiated, OriginPolicy,
    Prepared, Role, ServerConfig, Uri,
};
use sansocket_heap::count;

/// Allocations of a hundred rounds, after a hundred to warm up.
fn per_hundred(mut round: impl FnMut()) -> usize {
    for _ in 0..100 {
        round();
    }
    let ((), used) = count(|| (0..100).for_each(|_| round()));
    used.calls
}

fn open(role: Role) -> Connection {
    let mut ws = match role {
        Role::Server => Connection::upgraded_server(
            &ServerConfig::new(OriginPolicy::SameHost),
            Negotiated::default(),
        ),
        Role::Client => Connection::upgraded_client(&ClientConfig::new(), Negotiated::default()),
    };
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

/// A message in so many frames of this size, for this receiver.
fn message(receiver: Role, opcode: Opcode, len: usize, fragments: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for i in 0..fragments {
        let mut header = FrameHeader::new(
            if i == 0 { opcode } else { Opcode::Continuation },
            len as u64,
        );
        header.fin = i + 1 == fragments;
        let mut payload = vec![b'a'; len];
        if receiver == Role::Server {
            header.masking_key = Some([1, 2, 3, 4]);
            apply_mask(&mut payload, [1, 2, 3, 4], 0);
        }
        let mut head = [0; FrameHeader::MAX_LEN];
        let n = header.encode(&mut head);
        bytes.extend_from_slice(&head[..n]);
        bytes.extend_from_slice(&payload);
    }
    bytes
}

fn flush(ws: &mut Connection) {
    while !ws.output().is_empty() {
        let n = ws.output().len();
        ws.consume_output(n);
    }
}

/// Delivers the bytes, `read` at a time; each message goes to `each`.
fn deliver(
    ws: &mut Connection,
    buf: &mut [u8],
    bytes: &[u8],
    read: usize,
    mut each: impl FnMut(&mut Connection, Message<'_>),
) {
    for bytes in bytes.chunks(read) {
        let mut input = &mut buf[..bytes.len()];
        input.copy_from_slice(bytes);
        while let Some(event) = ws.receive(&mut input) {
            match event {
                Event::Message(message) => each(ws, message),
                other => panic!("{other:?}"),
            }
        }
    }
}

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const OPCODES: [Opcode; 2] = [Opcode::Binary, Opcode::Text];

#[test]
fn whole_messages_allocate_nothing() {
    let buf = &mut vec![0; 256 << 10][..];
    for role in ROLES {
        for opcode in OPCODES {
            for len in [0, 8, 125, 1 << 10, 60 << 10] {
                let mut ws = open(role);
                let bytes = message(role, opcode, len, 1);
                let received = per_hundred(|| {
                    deliver(&mut ws, buf, &bytes, usize::MAX, |_, message| {
                        assert_eq!(message.as_bytes().len(), len)
                    });
                });
                assert_eq!(received, 0, "received by a {role:?}: {opcode:?} of {len}");

                // What is longer than the buffer that a connection keeps goes through a lent one.
                if len > 1 << 10 {
                    ws.lend_buffer(Vec::with_capacity(2 * len));
                }
                let echoed = per_hundred(|| {
                    deliver(&mut ws, buf, &bytes, usize::MAX, |ws, message| {
                        ws.send(&message).unwrap()
                    });
                    flush(&mut ws);
                });
                // A client's keys: 1 KiB of them at a time, kept until `take_buffer`.
                assert_eq!(echoed, 0, "echoed by a {role:?}: {opcode:?} of {len}");

                let payload = vec![b'a'; len];
                let sent = per_hundred(|| {
                    ws.send(&payload).unwrap();
                    flush(&mut ws);
                });
                assert_eq!(sent, 0, "sent by a {role:?}: {len}");
            }
        }
    }
}

#[test]
fn gathered_messages_allocate_by_doubling_and_not_at_all_in_a_lent_buffer() {
    let buf = &mut vec![0; 256 << 10][..];
    for role in ROLES {
        for opcode in OPCODES {
            // The parts of each message lie in several reads, or in several frames.
            for (bytes, read) in [
                (message(role, opcode, 4000, 1), 1500),
                (message(role, opcode, 1 << 10, 1), 1000),
                (message(role, opcode, 1 << 10, 16), usize::MAX),
            ] {
                let mut ws = open(role);
                let own = per_hundred(|| deliver(&mut ws, buf, &bytes, read, |_, _| {}));
                let fragments = bytes.len() > 10_000;
                if !fragments {
                    // Memory follows what was received, not what was announced (RFC 6455 §10.4):
                    // two or three reads are as many steps.
                    assert!(
                        own <= 300,
                        "gathered by a {role:?}: {opcode:?}, {own} in 100"
                    );
                }

                let mut spare = Some(Vec::with_capacity(64 << 10));
                let lent = per_hundred(|| {
                    ws.lend_buffer(spare.take().unwrap());
                    deliver(&mut ws, buf, &bytes, read, |_, message| {
                        spare = message.into_buffer();
                    });
                });
                assert_eq!(
                    lent, 0,
                    "gathered by a {role:?} in a lent buffer: {opcode:?}"
                );
            }
        }
    }
}

#[test]
fn large_payloads_are_queued_by_reference() {
    let mut ws = open(Role::Server);
    let prepared = Prepared::binary(&vec![7; 1 << 20]);
    let ((), used) = count(|| ws.send(&prepared).unwrap());
    assert!(used.total < 4096, "a prepared message: {used:?}");
    let mut ws = open(Role::Server);
    let handed_over = vec![7; 1 << 20];
    let ((), used) = count(|| ws.send(handed_over).unwrap());
    assert!(
        used.total < 4096,
        "a message that was handed over: {used:?}"
    );
}

/// What is compressed goes where it is sent from: room is made for it once.
#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_are_allocated_once() {
    use sansocket::extension::Compress;
    use sansocket::extension::PermessageDeflate;

    let deflate = PermessageDeflate::server();
    let config = ServerConfig::new(OriginPolicy::SameHost).deflate(deflate);
    let agreed = Negotiated::new().extensions("permessage-deflate; server_no_context_takeover");
    let mut ws = Connection::upgraded_server(&config, agreed);
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    let text = "what is said again and again, ".repeat(1 << 10);
    let sent = per_hundred(|| {
        ws.send_with(&text, Compress::Always).unwrap();
        assert!(ws.output().len() < text.len() / 10);
        flush(&mut ws);
    });
    assert!(sent <= 100, "{sent} allocations for 100 messages");
}

#[test]
fn a_handshake_allocates_twice_at_most() {
    let config = ServerConfig::new(OriginPolicy::SameHost);
    let request = ClientRequest::new(Uri::parse("ws://example.com/chat").unwrap());
    let mut client = Connection::client(&ClientConfig::new(), request).unwrap();
    let head = client.output().to_vec();
    client.consume_output(usize::MAX);
    let mut read = head.clone();
    let mut answer = Vec::with_capacity(1024);
    let served = per_hundred(|| {
        read.copy_from_slice(&head);
        let mut ws = Connection::server(&config);
        match ws.receive(&mut &mut read[..]) {
            Some(Event::Request(_)) => ws.accept(Accept::new()).unwrap(),
            other => panic!("{other:?}"),
        }
        answer.clear();
        answer.extend_from_slice(ws.output());
        flush(&mut ws);
    });
    assert!(served <= 200, "{served} allocations in 100 handshakes");

    let ((), judged) = count(|| {
        let open = client.receive(&mut &mut answer[..]);
        assert!(matches!(open, Some(Event::Open)));
    });
    assert!(judged.calls <= 2, "an answer: {judged:?}");
}
