//! The C interface, called as C calls it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "a test fails by a panic"
)]

mod oracle;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use proptest::prelude::*;
use sansocket_c::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn same_calls_same_results(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        oracle::same_calls_same_results(&bytes);
    }

    /// The same with frames among the bytes, as chance finds none.
    #[test]
    fn same_calls_same_results_with_frames(
        first: u8,
        calls in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 0..20),
    ) {
        let mut bytes = vec![first];
        for (call, payload) in calls {
            let opcode = [0x81, 0x82, 0x01, 0x80, 0x89, 0x8a, 0x88, 0xc1][usize::from(call) % 8];
            let mut frame = vec![opcode, (first & 1 ^ 1) << 7 | payload.len() as u8];
            if first & 1 == 0 {
                frame.extend([0; 4]);
            }
            frame.extend(&payload);
            bytes.extend([call % 4, frame.len() as u8]);
            bytes.extend(frame);
            bytes.extend([call, 8, call, call, call, call, call, call, call, call]);
        }
        oracle::same_calls_same_results(&bytes);
    }
}

/// Settings that cut messages cut text, too, and a text is no part of a message that was begun.
#[test]
fn text_is_a_message_of_its_own() {
    let mut config = default_server();
    config.fragment = 4;
    let (_, settings, _) = server_settings(&config);
    // SAFETY: the pointers point to what they say, and nothing is used after it was freed.
    unsafe {
        let server = ss_server_upgraded(settings, null(), null());
        ss_receive(server, null_mut(), 0, null_mut(), null_mut());
        let text = c"abcdef".as_ptr();
        assert_eq!(ss_send_text(server, text, 6, 0), ss_status::SS_OK);
        let mut pieces = [ss_slice::default(); 4];
        let n = ss_output(server, pieces.as_mut_ptr(), 4);
        let output = pieces[..n]
            .iter()
            .map(|piece| octets(*piece))
            .collect::<Vec<_>>();
        assert_eq!(output.concat(), b"\x01\x04abcd\x80\x02ef");
        ss_send_part(server, true, text.cast(), 2, false, 0);
        let refused = ss_status::SS_MESSAGE_IN_PROGRESS;
        assert_eq!(ss_send_text(server, text, 2, 0), refused);
        ss_send_part(server, true, text.cast(), 2, true, 0);
        let cut = c"ab\xc3".as_ptr();
        assert_eq!(ss_send_text(server, cut, 3, 0), ss_status::SS_NOT_UTF8);
        ss_free(server);
        ss_server_settings_free(settings);
    }
}

fn server_settings(config: &ss_config) -> (ss_status, *mut ss_server, String) {
    let (mut settings, mut why) = (null_mut(), [1 as c_char; 100]);
    // SAFETY: the pointers point to what they say.
    unsafe {
        let status = ss_server_settings(config, &raw mut settings, why.as_mut_ptr(), why.len());
        (
            status,
            settings,
            CStr::from_ptr(why.as_ptr()).to_str().unwrap().into(),
        )
    }
}

fn default_server() -> ss_config {
    // SAFETY: it is written before it is read.
    unsafe {
        let mut config = std::mem::zeroed();
        ss_config_server(&raw mut config);
        config
    }
}

#[test]
fn wrong_settings_are_refused_with_a_sentence() {
    let cases: [(fn(&mut ss_config), ss_status, &str); 5] = [
        (
            |config| config.size = 8,
            ss_status::SS_BAD_ARGUMENT,
            "another version",
        ),
        (
            |config| config.delivery = 9,
            ss_status::SS_BAD_ARGUMENT,
            "delivery",
        ),
        (
            |config| config.origin_policy = 9,
            ss_status::SS_BAD_ARGUMENT,
            "origin policy",
        ),
        (
            |config| {
                static LIST: [&CStr; 1] = [c"no origin"];
                config.origin_policy = SS_ORIGINS_LIST;
                config.origins = Box::leak(Box::new([LIST[0].as_ptr()])).as_ptr();
                config.origins_len = 1;
            },
            ss_status::SS_BAD_ENTRY,
            "no origin",
        ),
        (
            |config| {
                config.hosts = Box::leak(Box::new([null()])).as_ptr();
                config.hosts_len = 1;
            },
            ss_status::SS_BAD_ARGUMENT,
            "NULL",
        ),
    ];
    for (change, status, said) in cases {
        let mut config = default_server();
        change(&mut config);
        let (got, settings, why) = server_settings(&config);
        assert_eq!(got, status);
        assert!(settings.is_null() && why.contains(said), "{why}");
    }
}

#[test]
fn sentences_are_cut_at_a_character() {
    let mut config = default_server();
    config.delivery = 9;
    for len in 0..40 {
        let mut why = vec![1 as c_char; len];
        let mut settings = null_mut();
        // SAFETY: the pointers point to what they say.
        unsafe {
            let pointer = if len == 0 {
                null_mut()
            } else {
                why.as_mut_ptr()
            };
            ss_server_settings(&raw const config, &raw mut settings, pointer, len);
            if len > 0 {
                assert!(CStr::from_ptr(why.as_ptr()).to_bytes().len() < len);
            }
        }
    }
}

/// Both ends of an opening handshake, and every call about it.
#[test]
fn an_opening_handshake_by_all_calls() {
    // SAFETY: each call gets what its documentation asks for.
    unsafe {
        let mut config = default_server();
        config.origin_policy = SS_ORIGINS_ANY;
        let (status, settings, _) = server_settings(&config);
        assert_eq!(status, ss_status::SS_OK);
        let server = ss_server_new(settings);
        assert_eq!(ss_accept(server, null()), ss_status::SS_NO_REQUEST);
        assert_eq!(
            CStr::from_ptr(ss_last_error(server)),
            c"no request waits for this answer"
        );

        let mut client_config = std::mem::zeroed();
        ss_config_client(&raw mut client_config);
        let field = ss_field {
            name: slice(b"Cookie"),
            value: slice(b"a=b"),
        };
        let offered = [c"v2".as_ptr(), c"v1".as_ptr()];
        let mut request = std::mem::zeroed::<ss_request>();
        request.uri = c"ws://example.com/chat?x=1".as_ptr();
        request.subprotocols = offered.as_ptr();
        request.subprotocols_len = 2;
        request.fields = &raw const field;
        request.fields_len = 1;
        request.origin = c"http://example.com".as_ptr();
        let mut client = null_mut();
        let made = ss_client_new(
            &raw const client_config,
            &raw const request,
            &raw mut client,
            null_mut(),
            0,
        );
        assert_eq!(made, ss_status::SS_OK);
        assert!(ss_is_server(server) && !ss_is_server(client));

        let event = pass(client, server);
        assert_eq!(event.r#type, ss_event_type::SS_EVENT_REQUEST);
        let part = |part| String::from_utf8(octets(ss_request_part(server, part))).unwrap();
        assert_eq!(
            [part(SS_METHOD), part(SS_PATH), part(SS_QUERY)],
            ["GET", "/chat", "x=1"]
        );
        assert_eq!(
            [part(SS_TARGET), part(SS_AUTHORITY)],
            ["/chat?x=1", "example.com"]
        );
        assert_eq!(part(SS_ORIGIN), "http://example.com");
        assert!(ss_request_part(server, 99).data.is_null());
        assert_eq!(octets(ss_header(server, c"cookie".as_ptr())), b"a=b");
        assert!(ss_header(server, c"x-none".as_ptr()).data.is_null());
        let n = ss_headers(server, null_mut(), 0);
        let mut fields = vec![ss_field::default(); n];
        assert_eq!(ss_headers(server, fields.as_mut_ptr(), n), n);
        assert_eq!(octets(fields[0].name), b"Host");

        let mut options = std::mem::zeroed::<ss_accept_options>();
        options.subprotocol = c"v9".as_ptr();
        assert_eq!(
            ss_accept(server, &raw const options),
            ss_status::SS_SUBPROTOCOL_NOT_OFFERED
        );
        let wanted = [c"v1".as_ptr()];
        let cookie = ss_field {
            name: slice(b"Set-Cookie"),
            value: slice(b"c=d"),
        };
        options.subprotocol = null();
        options.prefer = wanted.as_ptr();
        options.prefer_len = 1;
        options.fields = &raw const cookie;
        options.fields_len = 1;
        assert_eq!(ss_accept(server, &raw const options), ss_status::SS_OK);
        assert_eq!(pass(server, client).r#type, ss_event_type::SS_EVENT_OPEN);
        assert_eq!(octets(ss_header(client, c"Set-Cookie".as_ptr())), b"c=d");
        assert_eq!(octets(ss_subprotocol(client)), b"v1");
        assert!(octets(ss_extensions(client)).is_empty());
        assert_eq!(ss_get_state(client), ss_state::SS_STATE_OPEN);
        ss_server_settings_free(settings);
        ss_free(server);
        ss_free(client);
        ss_free(null_mut());
        ss_server_settings_free(null_mut());
    }
}

#[test]
fn refusals_and_closes_are_told() {
    // SAFETY: each call gets what its documentation asks for.
    unsafe {
        let mut config = default_server();
        config.origin_policy = SS_ORIGINS_ANY;
        config.max_output = 10;
        let (_, settings, _) = server_settings(&config);
        let server = ss_server_new(settings);
        let mut client_config = std::mem::zeroed();
        ss_config_client(&raw mut client_config);
        let mut request = std::mem::zeroed::<ss_request>();
        request.uri = c"ws://example.com/".as_ptr();
        let mut client = null_mut();
        ss_client_new(
            &raw const client_config,
            &raw const request,
            &raw mut client,
            null_mut(),
            0,
        );
        pass(client, server);
        let refused = ss_respond(server, 100, null(), 0, null(), 0);
        assert_eq!(refused, ss_status::SS_BAD_STATUS);
        assert_eq!(
            ss_respond(server, 403, null(), 0, b"no".as_ptr(), 2),
            ss_status::SS_OK
        );
        let event = pass(server, client);
        assert_eq!(
            (event.r#type, event.status),
            (ss_event_type::SS_EVENT_REFUSED, 403)
        );
        assert_eq!(std::slice::from_raw_parts(event.data, event.len), b"no");
        ss_free(server);
        ss_free(client);

        let server = ss_server_upgraded(settings, null(), null());
        let mut client = null_mut();
        ss_client_upgraded(
            &raw const client_config,
            null(),
            null(),
            &raw mut client,
            null_mut(),
            0,
        );
        assert_eq!(
            ss_send_binary(server, [0; 20].as_ptr(), 20, 9),
            ss_status::SS_BAD_ARGUMENT
        );
        assert_eq!(
            ss_send_binary(server, [0; 20].as_ptr(), 20, SS_COMPRESS_NEVER),
            ss_status::SS_OK
        );
        assert_eq!(
            ss_send_text(server, c"x".as_ptr(), 1, SS_COMPRESS_AUTO),
            ss_status::SS_FULL
        );
        assert_eq!(ss_buffered_amount(server), 20);
        assert_eq!(ss_close(server, 1005, null()), ss_status::SS_BAD_ARGUMENT);
        assert_eq!(ss_fail(server, 0, null()), ss_status::SS_BAD_ARGUMENT);
        let (mut code, mut why) = (0, ss_slice::default());
        assert!(!ss_close_sent(server, &raw mut code, &raw mut why));
        assert_eq!(ss_close(server, 1001, c"bye".as_ptr()), ss_status::SS_OK);
        assert!(ss_close_sent(server, &raw mut code, &raw mut why));
        assert_eq!((code, octets(why)), (1001, b"bye".to_vec()));
        assert!(!ss_close_received(server, null_mut(), null_mut()));
        ss_free(server);
        ss_free(client);
        ss_server_settings_free(settings);
    }
}

#[test]
fn randomness_that_fails_is_no_entropy() {
    unsafe extern "C" fn fails(_: *mut c_void, _: *mut u8, _: usize) -> c_int {
        1
    }
    // SAFETY: each call gets what its documentation asks for.
    unsafe {
        let mut config = std::mem::zeroed();
        ss_config_client(&raw mut config);
        config.entropy = Some(fails);
        let mut request = std::mem::zeroed::<ss_request>();
        request.uri = c"ws://example.com/".as_ptr();
        let mut client = null_mut();
        let made = ss_client_new(
            &raw const config,
            &raw const request,
            &raw mut client,
            null_mut(),
            0,
        );
        assert_eq!(made, ss_status::SS_NO_ENTROPY);
        assert!(client.is_null());
        let made = ss_client_upgraded(
            &raw const config,
            null(),
            null(),
            &raw mut client,
            null_mut(),
            0,
        );
        assert_eq!(made, ss_status::SS_OK);
        assert_eq!(
            ss_send_binary(client, null(), 0, 0),
            ss_status::SS_NO_ENTROPY
        );
        assert_eq!(ss_output_len(client), 0);
        ss_free(client);
    }
}

#[test]
fn a_strict_server() {
    // SAFETY: each call gets what its documentation asks for.
    unsafe {
        let mut config = std::mem::zeroed();
        ss_config_strict(&raw mut config);
        config.max_memory = 16 << 10;
        let (status, settings, _) = server_settings(&config);
        assert_eq!(status, ss_status::SS_OK);
        let server = ss_server_upgraded(settings, null(), null());
        let long = vec![0; 20_000];
        assert_eq!(
            ss_send_binary(server, long.as_ptr(), long.len(), 0),
            ss_status::SS_MEMORY_FULL
        );
        ss_advance_time(server, 1);
        let mut last = ss_event::default();
        for _ in 0..60 {
            let mut event = ss_event::default();
            let ping = [0x89, 0x80, 0, 0, 0, 0];
            while ss_receive_copy(
                server,
                ping.as_ptr(),
                ping.len(),
                null_mut(),
                &raw mut event,
            ) {
                if event.r#type == ss_event_type::SS_EVENT_PING {
                    break;
                }
                if event.r#type == ss_event_type::SS_EVENT_FAILED {
                    last = event;
                }
            }
            assert!(ss_memory_held(server) <= 16 << 10);
        }
        assert_eq!(last.code, 1008);
        ss_free(server);
        ss_server_settings_free(settings);
    }
}

#[test]
fn a_page_in_pieces() {
    // SAFETY: each call gets what its documentation asks for.
    unsafe {
        let mut config = default_server();
        config.flags = SS_SERVE_HTTP;
        let (_, settings, _) = server_settings(&config);
        let server = ss_server_new(settings);
        assert_eq!(
            ss_end_response(server),
            ss_status::SS_NO_RESPONSE_IN_PROGRESS
        );
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut event = ss_event::default();
        ss_receive_copy(
            server,
            request.as_ptr(),
            request.len(),
            null_mut(),
            &raw mut event,
        );
        assert_eq!(event.r#type, ss_event_type::SS_EVENT_HTTP);
        assert_eq!(
            ss_begin_response(server, 200, null(), 0, 4),
            ss_status::SS_OK
        );
        assert_eq!(
            ss_write_response(server, b"12345".as_ptr(), 5),
            ss_status::SS_TOO_LONG
        );
        assert_eq!(
            ss_write_response(server, b"123".as_ptr(), 3),
            ss_status::SS_OK
        );
        assert_eq!(ss_end_response(server), ss_status::SS_RESPONSE_INCOMPLETE);
        assert_eq!(
            ss_write_response(server, b"4".as_ptr(), 1),
            ss_status::SS_OK
        );
        let mut piece = ss_slice::default();
        ss_output(server, &raw mut piece, 1);
        assert!(
            octets(piece).ends_with(b"\r\nContent-Length: 4\r\nConnection: close\r\n\r\n1234"),
            "{:?}",
            octets(piece)
        );
        ss_free(server);
        ss_server_settings_free(settings);
    }
}

fn slice(bytes: &[u8]) -> ss_slice {
    ss_slice {
        data: bytes.as_ptr(),
        len: bytes.len(),
    }
}

/// # Safety
/// It points to bytes.
unsafe fn octets(slice: ss_slice) -> Vec<u8> {
    if slice.len == 0 {
        return Vec::new();
    }
    // SAFETY: what is asked of the caller.
    unsafe { std::slice::from_raw_parts(slice.data, slice.len) }.to_vec()
}

/// The first event that `to` tells of what `from` has queued.
///
/// # Safety
/// Neither was freed.
unsafe fn pass(from: *mut ss_connection, to: *mut ss_connection) -> ss_event {
    let (mut piece, mut event) = (ss_slice::default(), ss_event::default());
    // SAFETY: the pointers point to what they say.
    unsafe {
        assert_eq!(ss_output(from, &raw mut piece, 1), 1);
        let bytes = octets(piece);
        ss_consume_output(from, bytes.len());
        ss_receive_copy(to, bytes.as_ptr(), bytes.len(), null_mut(), &raw mut event);
    }
    event
}
