//! What waits to leave, where a connection is handed over (feature `handover`).

use std::time::Duration;

use sansocket::config::{Limits, Timeouts};
use sansocket::error::SendError;
use sansocket::{CloseCode, Connection, Kind};

use crate::handover::Settings;
use crate::support::*;

fn moved(settings: &Settings, ws: Connection) -> Connection {
    settings.moved(ws, Duration::ZERO, Duration::ZERO)
}

/// HO-1: a control frame goes between the same fragments, and never into one that has begun to leave.
#[test]
fn control_frames_between_fragments() {
    let mut settings = Settings::new();
    settings.server = settings.server.fragment(3);
    settings.client = settings.client.fragment(3);
    for role in ROLES {
        let fragmented = || {
            let mut ws = settings.open(role);
            ws.send("abcdefgh").unwrap();
            ws
        };
        for taken in 0..fragmented().output_len() {
            let said = |moves: bool| {
                let mut ws = fragmented();
                let mut said = Vec::new();
                while said.len() < taken {
                    let n = ws.output().len().min(taken - said.len());
                    said.extend_from_slice(&ws.output()[..n]);
                    ws.consume_output(n);
                }
                if moves {
                    ws = moved(&settings, ws);
                }
                ws.ping(b"ping").unwrap();
                said.extend(take_output(&mut ws));
                said
            };
            let plain = said(false);
            let opcodes: Vec<_> = decode(&plain).iter().map(|frame| frame.opcode).collect();
            assert_eq!(opcodes[0], TEXT, "{role:?} {taken}");
            assert!(opcodes[1..].contains(&PING), "{role:?} {taken}");
            assert_eq!(said(true), plain, "{role:?} {taken}");
        }
    }
}

/// HO-1, TX-6: under a ceiling the control frames that wait for the end of a frame in pieces keep their room.
#[test]
fn room_for_control_frames() {
    let mut limits = Limits::trusted();
    limits.memory = 32 << 10;
    let settings = Settings::with(limits, Timeouts::default());
    for role in ROLES {
        let said = |moves: bool| {
            let mut ws = settings.open(role);
            ws.begin_message(Kind::Binary, 100).unwrap();
            ws.write_message(&[7; 10]).unwrap();
            if moves {
                ws = moved(&settings, ws);
            }
            let mut pings = 0;
            let refused = loop {
                match ws.ping(&[1; 125]) {
                    Ok(()) => pings += 1,
                    Err(why) => break why,
                }
            };
            assert!(matches!(refused, SendError::Memory { .. }), "{refused:?}");
            ws.write_message(&[7; 90]).unwrap();
            ws.close(CloseCode::GOING_AWAY, &"r".repeat(123)).unwrap();
            (pings, take_output(&mut ws))
        };
        let plain = said(false);
        assert!(plain.0 > 0);
        assert_eq!(said(true), plain, "{role:?}");
    }
}
