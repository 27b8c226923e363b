//! Status codes of Close frames (RFC 6455 §7.4). Domain of each: all 65,536 numbers.

use sansocket::error::{CloseError, Failure, ProtocolError};
use sansocket::event::CloseReport;
use sansocket::frame::{decode_close, encode_close};
use sansocket::{CloseCode, Connection, Event, Role};

use crate::support::{Frame, ROLES, encode_for, open, take_frames};
use crate::{sampled, thinned};

/// RFC 6455 §7.4.1, §7.4.2 and the registry of §11.7: whether a Close frame may have it.
fn on_the_wire(code: u16) -> bool {
    match code {
        // Not used; reserved for what the text says without a frame.
        0..=999 | 1004..=1006 | 1015 => false,
        // Reserved for the protocol, and assigned to nobody.
        1016..=2999 => false,
        1000..=2999 => true,
        // Libraries and applications, registered and private.
        3000..=4999 => true,
        5000.. => false,
    }
}

/// RFC 6455 §7.4: which numbers are codes; the same in a body that is read, and written again.
#[test]
fn codes_and_bodies() {
    let mut count = 0;
    for code in sampled(0..=u16::MAX, 499) {
        let made = CloseCode::new(code);
        assert_eq!(made.map(CloseCode::get), on_the_wire(code).then_some(code));
        let body = code.to_be_bytes();
        let read = decode_close(&body);
        let Some(made) = made else {
            assert_eq!(read, Err(ProtocolError::CloseCode { code }));
            continue;
        };
        assert_eq!(read, Ok((Some(made), "")));
        let mut room = [0; 125];
        assert_eq!(encode_close(Some(made), "", &mut room), Some(2));
        assert_eq!(room[..2], body);
        assert_eq!(
            (u16::from(made), made.to_string()),
            (code, code.to_string())
        );
        count += 1;
    }
    assert!(count == 4 + 8 + 2000 || cfg!(miri));
}

/// The numbers to try with a connection each: all, or those around each bound and one of 17.
fn numbers() -> impl Iterator<Item = u16> {
    let bounds = [0, 1000, 1016, 3000, 5000].map(|at: u16| at.saturating_sub(3)..at + 20);
    let around = bounds.into_iter().flatten();
    let around = around
        .filter(|_| !crate::whole())
        .step_by(if cfg!(miri) { 7 } else { 1 });
    around.chain(thinned(0..65_536usize, 17).map(|code| code as u16))
}

/// The report of a connection that gets this Close frame.
fn received(role: Role, code: u16) -> (Connection, Box<CloseReport>) {
    let mut ws = open(role);
    let mut bytes = encode_for(role, &[Frame::new(8, code.to_be_bytes())]);
    let mut input = &mut bytes[..];
    while ws.receive(&mut input).is_some() {}
    let frames = take_frames(&mut ws);
    let answer = if on_the_wire(code) { code } else { 1002 };
    assert_eq!(frames, [Frame::new(8, answer.to_be_bytes())], "{code}");
    ws.receive_eof();
    loop {
        match ws.receive(&mut &mut [][..]) {
            Some(Event::Closed(report)) => return (ws, report),
            event => assert!(event.is_some(), "{code}: no report"),
        }
    }
}

/// RFC 6455 §7.1.5, §7.4: what a peer closes with is answered and told as it came, or is an error of the protocol.
#[test]
fn received_from_a_peer() {
    for role in ROLES {
        for code in numbers() {
            let (_, report) = received(role, code);
            if on_the_wire(code) {
                assert_eq!(
                    (report.code, report.clean, report.failure),
                    (code, true, None)
                );
            } else {
                let error = ProtocolError::CloseCode { code };
                assert_eq!(report.failure, Some(Failure::Protocol(error)));
                assert_eq!((report.code, report.clean), (1006, false));
            }
        }
    }
}

/// RFC 6455 §7.4.1: what may be sent is what is a code, but that a server never sends 1010.
#[test]
fn sent_by_the_application() {
    for role in ROLES {
        let codes = numbers().filter_map(CloseCode::new);
        for code in codes {
            for fails in [false, true] {
                let mut ws = open(role);
                let sent = if fails {
                    ws.fail(code, "")
                } else {
                    ws.close(code, "")
                };
                if role == Role::Server && code.get() == 1010 {
                    assert_eq!(sent, Err(CloseError::ClientCode { code: 1010 }));
                    assert!(ws.output().is_empty());
                } else {
                    assert_eq!(sent, Ok(()));
                    let frames = take_frames(&mut ws);
                    assert_eq!(frames, [Frame::new(8, code.get().to_be_bytes())]);
                }
            }
        }
    }
}

/// WHATWG WebSockets, `close(code)`: 1000 and from 3000 to 4999, or an InvalidAccessError.
#[cfg(feature = "webapi")]
#[test]
fn closed_by_a_script() {
    let connecting = || sansocket::webapi::WebSocket::connecting("ws://h/", "p").unwrap();
    let mut ws = connecting();
    for code in sampled(0..=u16::MAX, 4999) {
        let allowed = code == 1000 || (3000..5000).contains(&code);
        assert_eq!(ws.close(Some(code), None).is_ok(), allowed, "{code}");
        if allowed {
            ws = connecting();
        }
    }
}
