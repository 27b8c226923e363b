//! Messages that an extension encodes, where a connection is handed over (RFC 7692 §7.2; feature `handover`).

use std::time::Duration;

use sansocket::extension::{
    Compress, DecodeError, EncodeError, Extension, MessageCodec, MessageExtension,
    PermessageDeflate,
};
use sansocket::handover::{ResumeError, SuspendError};
use sansocket::{Connection, Negotiated, Part, Role};

use crate::handover::Settings;
use crate::support::*;

/// Both keep their context.
fn settings() -> Settings {
    let deflate = PermessageDeflate::client().threshold(0);
    Settings {
        server: server_config().deflate(deflate.clone()),
        client: client_config().deflate(deflate),
    }
}

fn pair(agreed: &str) -> [Connection; 2] {
    pair_of(&settings(), agreed)
}

fn pair_of(settings: &Settings, agreed: &str) -> [Connection; 2] {
    let agreed = Negotiated::new().extensions(agreed);
    let client = Connection::upgraded_client_with_entropy(
        &settings.client,
        agreed.clone(),
        Box::new(SampleKey),
    );
    [
        opened(Connection::upgraded_server(&settings.server, agreed)),
        opened(client),
    ]
}

/// What has come of the other's output.
fn goes(from: &mut Connection, to: &mut Connection) -> Vec<Seen> {
    let mut bytes = take_output(from);
    let mut input = &mut bytes[..];
    let mut seen = Vec::new();
    while let Some(event) = to.receive(&mut input) {
        seen.push(see(event));
    }
    seen
}

const SAID: &str = "what was said before is referred to: Schweizerische Eidgenossenschaft";

/// HO-7: the peer refers to what came before the hand-over; our own messages begin with an empty window.
#[test]
fn the_windows() {
    for agreed in [
        "permessage-deflate",
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
    ] {
        let [mut one, mut other] = pair(agreed);
        for round in 0..4 {
            one.send(SAID).unwrap();
            let len = one.output_len();
            assert_eq!(len < 30, round % 2 == 1, "{len} in round {round}");
            assert_eq!(goes(&mut one, &mut other), [Seen::text(SAID)]);
            other.send(SAID).unwrap();
            let len = other.output_len();
            assert!(round == 0 || len < 30, "{len} in round {round}");
            assert_eq!(goes(&mut other, &mut one), [Seen::text(SAID)]);
            if round % 2 == 1 {
                // As it stands, and from what a parked one keeps.
                if round == 3 {
                    one.park();
                }
                one = settings().moved(one, Duration::ZERO, Duration::ZERO);
            }
            other.send(SAID).unwrap();
            assert!(other.output_len() < 30, "it refers to what came before");
            assert_eq!(goes(&mut other, &mut one), [Seen::text(SAID)]);
        }
    }
}

/// HO-7: the window is all that is kept, and of a connection without context not even that.
#[test]
fn what_the_windows_take() {
    let long = "0123456789abcdef".repeat(5000);
    for (agreed, most) in [
        ("permessage-deflate", 32 << 10),
        ("permessage-deflate; client_max_window_bits=10", 1 << 10),
        ("permessage-deflate; client_no_context_takeover", 0),
    ] {
        let [mut server, mut client] = pair(agreed);
        client.send(&*long).unwrap();
        assert_eq!(goes(&mut client, &mut server), [Seen::text(&long)]);
        let len = server.suspend(Duration::ZERO).unwrap().len();
        assert!(
            (most..=most + 96 + agreed.len()).contains(&len),
            "{len} of {agreed}"
        );
    }
}

/// HO-7: in the middle of a compressed message it says so and is unharmed; before and after it goes.
#[test]
fn in_the_middle_of_a_compressed_message() {
    let [mut one, mut other] = pair("permessage-deflate");
    other.send(&*SAID.repeat(3)).unwrap();
    let bytes = take_output(&mut other);
    let mut seen = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        one = match one.suspend(Duration::ZERO) {
            Ok(state) => {
                assert!(at < 6, "the header and its key");
                settings()
                    .resume(&state, Role::Server, Duration::ZERO)
                    .unwrap()
            }
            Err(not) => {
                assert_eq!(not.why, SuspendError::InCompressedMessage);
                assert_eq!((not.code(), not.name()), (1901, "in_compressed_message"));
                assert!(not.to_string().contains("until it is whole"));
                assert!(at >= 6);
                not.connection
            }
        };
        let mut read = [*byte];
        if let Some(event) = one.receive(&mut &mut read[..]) {
            seen.push(see(event));
        }
    }
    assert_eq!(seen, [Seen::text(&SAID.repeat(3))]);
    assert!(one.suspend(Duration::ZERO).is_ok());
}

/// HO-7: a message that is sent in parts goes on, and one that stands alone stays alone.
#[test]
fn a_message_that_is_sent_in_parts() {
    for compress in [Compress::Always, Compress::Alone] {
        let [mut one, mut other] = pair("permessage-deflate");
        one.send("before").unwrap();
        one.send_part(Part::text(SAID.as_bytes()).compress(compress))
            .unwrap();
        let mut one = settings().moved(one, Duration::ZERO, Duration::ZERO);
        one.send_part(Part::text(SAID.as_bytes())).unwrap();
        let mut one = settings().moved(one, Duration::ZERO, Duration::ZERO);
        one.send_part(Part::text(SAID.as_bytes())).unwrap();
        one.send_part(Part::text(b"").last()).unwrap();
        let seen = [Seen::text("before"), Seen::text(&SAID.repeat(3))];
        assert_eq!(goes(&mut one, &mut other), seen);
        one.send(SAID).unwrap();
        assert_eq!(one.output_len() < 30, compress == Compress::Always);
        assert_eq!(goes(&mut one, &mut other), [Seen::text(SAID)]);
    }
}

/// A codec of the application's, which says nothing of a hand-over.
#[derive(Debug)]
struct Same;

impl MessageExtension for Same {
    fn name(&self) -> &str {
        "x-same"
    }

    fn offer(&self) -> String {
        self.name().into()
    }

    fn answer(&self, offers: &[Extension<'_>]) -> Option<String> {
        offers.first().map(|_| self.name().into())
    }

    fn codec(&self, _: Role, _: &Extension<'_>) -> Option<Box<dyn MessageCodec>> {
        Some(Box::new(Self))
    }
}

impl MessageCodec for Same {
    fn encode(&mut self, part: &[u8], _: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(part);
        Ok(())
    }

    fn decode<'c>(
        &'c mut self,
        input: &mut &[u8],
        _: bool,
        room: &'c mut [u8],
        _: u64,
    ) -> Result<Option<&'c [u8]>, DecodeError> {
        let n = input.len().min(room.len());
        room[..n].copy_from_slice(&input[..n]);
        *input = &input[n..];
        Ok((n > 0).then_some(&room[..n]))
    }
}

/// HO-6: an extension that cannot go along, and one that is not there where the connection goes.
#[test]
fn extensions_that_are_missing() {
    let config = server_config().extension(Same);
    let agreed = Negotiated::new().extensions("x-same");
    let ws = Connection::upgraded_server(&config, agreed);
    let not = ws.suspend(Duration::ZERO).unwrap_err();
    assert_eq!(not.why, SuspendError::Extension);
    assert!(not.to_string().contains("MessageCodec::context"));
    assert_eq!(not.connection.extensions(), "x-same");

    let agreed = "permessage-deflate; client_max_window_bits=9";
    let [mut server, mut client] = pair(agreed);
    client.send(&*SAID.repeat(20)).unwrap();
    assert_eq!(goes(&mut client, &mut server).len(), 1);
    let state = server.suspend(Duration::ZERO).unwrap();
    let error = Connection::resume(&state, &server_config(), None, Duration::ZERO);
    let extensions = agreed.into();
    assert_eq!(error.unwrap_err(), ResumeError::Extension { extensions });
    let mut ws = settings()
        .resume(&state, Role::Server, Duration::ZERO)
        .unwrap();
    client.send(SAID).unwrap();
    assert_eq!(goes(&mut client, &mut ws), [Seen::text(SAID)]);
}

/// HO-7: a message that the peer's Close frame cut off, before we have answered it, leaves no window to a
/// connection whose peer may not refer to one; our own goes on.
#[test]
fn after_a_message_that_a_close_frame_cut_off() {
    for agreed in [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ] {
        let mut settings = settings();
        settings.server = settings.server.manual_close();
        let [mut server, mut client] = pair_of(&settings, agreed);
        for ws in [&mut server, &mut client] {
            ws.send_part(Part::text(SAID.as_bytes())).unwrap();
        }
        client.close(None, "").unwrap();
        assert!(matches!(
            &goes(&mut client, &mut server)[..],
            [Seen::Close(..)]
        ));
        let mut server = settings.moved(server, Duration::ZERO, Duration::ZERO);
        server.send_part(Part::text(b"").last()).unwrap();
        server.close(None, "").unwrap();
        let seen = goes(&mut server, &mut client);
        assert!(matches!(&seen[..], [Seen::Text(text), Seen::Close(..)] if text == SAID));
    }
}
