//! The frame codec by itself (RFC 6455 §5.2), and what stands in one place only.

use sansocket::error::ProtocolError;
use sansocket::frame::{FrameHeader, HeaderReader};

use crate::support::*;

/// G-8: what is decoded and encoded again is the same frame: an intermediary changes nothing, not the
/// reserved bits, the key, the order or the sizes.
#[test]
fn decode_then_encode_gives_the_same_bytes() {
    for len in [0, 1, 125, 126, 127, 65535, 65536] {
        for opcode in [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] {
            for (fin, rsv, key) in [
                (true, 0, None),
                (true, 7, Some(KEY)),
                (false, 4, Some([0; 4])),
            ] {
                if opcode >= 8 && (!fin || len > 125) {
                    continue;
                }
                let frame = Frame {
                    fin,
                    rsv,
                    key,
                    ..Frame::new(opcode, vec![1; len])
                };
                let bytes = frame.encode();
                let (header, header_len) = FrameHeader::decode(&bytes).unwrap().unwrap();
                assert_eq!(header.payload_len, len as u64);
                assert_eq!(
                    (header.fin, header.rsv, header.masking_key),
                    (fin, rsv, key)
                );
                let mut again = [0; FrameHeader::MAX_LEN];
                assert_eq!(header.encode(&mut again), header_len);
                assert_eq!(again[..header_len], bytes[..header_len]);
                // Not before the last byte of the header.
                for cut in 0..header_len {
                    assert_eq!(FrameHeader::decode(&bytes[..cut]), Ok(None));
                }
            }
        }
    }
}

/// RFC 6455 §5.2: a header that comes in two reads is the one that comes in one, and takes no more.
#[test]
fn a_header_in_two_reads() {
    for len in [0, 125, 126, 65535, 65536] {
        for key in [None, Some(KEY)] {
            let frame = Frame {
                key,
                ..Frame::new(BINARY, vec![1; len])
            };
            let bytes = frame.encode();
            let (whole, header_len) = FrameHeader::decode(&bytes).unwrap().unwrap();
            for cut in 0..=header_len {
                let mut reader = HeaderReader::default();
                let (mut first, mut rest) = bytes.split_at(cut);
                let early = reader.read(&mut first).unwrap();
                let found = early.or_else(|| reader.read(&mut rest).unwrap());
                assert_eq!(found, Some(whole));
                assert_eq!(first.len() + rest.len(), bytes.len() - header_len);
                // The next header begins.
                assert_eq!(reader.read(&mut &bytes[..]), Ok(Some(whole)));
            }
        }
    }
    let reserved = HeaderReader::default().read(&mut &[0x83][..]);
    assert_eq!(reserved, Err(ProtocolError::ReservedOpcode { opcode: 3 }));
}

/// RFC 6455 §5.1: a client masks, a server does not.
#[test]
fn who_masks() {
    use sansocket::Role;
    assert!(Role::Client.masks());
    assert!(!Role::Server.masks());
    assert_eq!(Role::Client.peer(), Role::Server);
    assert_eq!(Role::Server.peer(), Role::Client);
}
