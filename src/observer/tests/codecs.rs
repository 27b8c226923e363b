//! Messages that an extension of the application's encodes.

use alloc::boxed::Box;

use crate::extension::{DecodeError, EncodeError, Extension, MessageCodec, MessageExtension};

use super::*;

/// An extension that gives such codecs.
#[derive(Debug)]
struct Own(fn() -> Box<dyn MessageCodec>);

impl MessageExtension for Own {
    fn name(&self) -> &str {
        "x-own"
    }

    fn offer(&self) -> String {
        self.name().into()
    }

    fn answer(&self, _: &[Extension<'_>]) -> Option<String> {
        None
    }

    fn codec(&self, _: Role, _: &Extension<'_>) -> Option<Box<dyn MessageCodec>> {
        Some(self.0())
    }
}

/// Text in which `^` stands for what was said before: where nothing was, it is not well-formed.
#[derive(Default)]
struct Referring {
    before: &'static [u8],
    decoded: Vec<u8>,
}

impl MessageCodec for Referring {
    fn encode(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError)
    }

    fn decode<'c>(
        &'c mut self,
        input: &mut &[u8],
        _: bool,
        _: &'c mut [u8],
        _: u64,
    ) -> Result<Option<&'c [u8]>, DecodeError> {
        self.decoded.clear();
        for byte in core::mem::take(input) {
            match byte {
                b'^' if self.before.is_empty() => return Err(DecodeError::Corrupt),
                b'^' => self.decoded.extend_from_slice(self.before),
                byte => self.decoded.push(*byte),
            }
        }
        Ok(Some(&*self.decoded).filter(|decoded| !decoded.is_empty()))
    }

    fn room(&self, _: usize) -> usize {
        0
    }
}

/// As many bytes were said before as it likes: not what is asked of a codec.
#[derive(Default)]
struct Uneven(Referring);

impl MessageCodec for Uneven {
    fn encode(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError)
    }

    fn decode<'c>(
        &'c mut self,
        input: &mut &[u8],
        last: bool,
        room: &'c mut [u8],
        limit: u64,
    ) -> Result<Option<&'c [u8]>, DecodeError> {
        self.0.decode(input, last, room, limit)
    }

    fn room(&self, _: usize) -> usize {
        0
    }

    fn assume(&mut self, byte: u8) -> Option<usize> {
        self.0.before = if byte == 0 { b"said" } else { b"it" };
        Some(100)
    }
}

/// A server's message in one frame.
fn encoded(text: &str) -> Vec<u8> {
    let mut frame = frame(1, true, None, text.as_bytes());
    frame[0] |= 0x40;
    frame
}

fn observer(codec: fn() -> Box<dyn MessageCodec>, agreed: &str) -> Observer {
    let config = ObserverConfig::new().extension(Own(codec));
    Observer::upgraded(&config, Negotiated::new().extensions(agreed))
}

/// What is told of this message: its payload, how much of it there is, and whether a rule is broken.
fn message(observer: &mut Observer, text: &str) -> (Vec<u8>, Content, bool) {
    match see(observer, Role::Server, &encoded(text)).pop() {
        Some(Told::Message(_, _, payload, content, violation)) => (payload, content, violation),
        other => panic!("{other:?}"),
    }
}

/// What cannot be decoded is a fault of the sender's, but where it may refer to what was missed.
#[test]
fn a_codec_that_assumes_nothing() {
    for agreed in ["x-own", "x-own; server_no_context_takeover"] {
        for missed in [false, true] {
            let mut observer = observer(|| Box::<Referring>::default(), agreed);
            if missed {
                miss(&mut observer, &encoded("missed"));
            }
            let expected = if missed && agreed == "x-own" {
                (vec![], Content::Unknown, false)
            } else {
                (vec![], Content::Corrupt, true)
            };
            assert_eq!(message(&mut observer, "^"), expected, "{agreed} {missed}");
        }
    }
}

/// Two codecs do not agree on how long a message is: nothing of it is known, and nobody is blamed.
#[test]
fn lengths_that_differ() {
    let mut observer = observer(|| Box::<Uneven>::default(), "x-own");
    miss(&mut observer, &encoded("missed"));
    let known = (b"known".to_vec(), Content::Whole, false);
    assert_eq!(message(&mut observer, "known"), known);
    let unknown = (vec![], Content::Unknown, false);
    assert_eq!(message(&mut observer, "^"), unknown);
}
