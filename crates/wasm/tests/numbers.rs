//! The numbers: `js/numbers.js` has them all, and the C library the same. After a change of them:
//! `WRITE_NUMBERS=1 cargo test --test numbers`.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fmt::Write as _;

use sansocket_wasm::numbers::*;

const TABLES: &[(&str, &[(&str, u32)])] = &[
    ("entry", entry::ALL),
    ("preset", preset::ALL),
    ("flag", flag::ALL),
    ("delivery", delivery::ALL),
    ("origins", origins::ALL),
    ("budgets", budgets::ALL),
    ("event", event::ALL),
    ("mark", mark::ALL),
    ("kind", kind::ALL),
    ("compress", compress::ALL),
    ("part", part::ALL),
    ("tell", tell::ALL),
];

#[test]
fn javascript_has_these_numbers() {
    let mut made = String::from("// Made from src/numbers.rs by its test.\n");
    for (table, numbers) in TABLES {
        writeln!(made, "\nexport const {table} = Object.freeze({{").unwrap();
        for (name, number) in *numbers {
            writeln!(made, "  {name}: {number},").unwrap();
        }
        made += "});\n";
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/js/numbers.js");
    if std::env::var_os("WRITE_NUMBERS").is_some() {
        std::fs::write(file, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), made);
}

/// Each of these with the one of that name in C.
macro_rules! same {
    ($($ours:path = $c:path;)*) => {
        $(assert_eq!($ours, $c as u32, stringify!($ours));)*
    };
}

#[test]
fn the_c_library_has_the_same_settings_and_events() {
    use sansocket_c as c;
    same! {
        flag::MANUAL_PONG = c::SS_MANUAL_PONG;
        flag::MANUAL_CLOSE = c::SS_MANUAL_CLOSE;
        flag::SILENT_FAILURES = c::SS_SILENT_FAILURES;
        flag::ECHO_CLOSE_REASON = c::SS_ECHO_CLOSE_REASON;
        flag::SERVE_HTTP = c::SS_SERVE_HTTP;
        flag::ACCEPT_UNMASKED = c::SS_ACCEPT_UNMASKED;
        flag::REQUIRE_ORIGIN = c::SS_REQUIRE_ORIGIN;
        flag::REQUIRE_SUBPROTOCOL = c::SS_REQUIRE_SUBPROTOCOL;
        flag::DEFLATE = c::SS_DEFLATE;
        flag::SERVER_NO_CONTEXT_TAKEOVER = c::SS_SERVER_NO_CONTEXT_TAKEOVER;
        flag::CLIENT_NO_CONTEXT_TAKEOVER = c::SS_CLIENT_NO_CONTEXT_TAKEOVER;
        delivery::WHOLE = c::SS_WHOLE;
        delivery::CHUNKS = c::SS_CHUNKS;
        delivery::ASK = c::SS_ASK;
        origins::SAME_HOST = c::SS_ORIGINS_SAME_HOST;
        origins::LIST = c::SS_ORIGINS_LIST;
        origins::ANY = c::SS_ORIGINS_ANY;
        event::NONE = c::ss_event_type::SS_EVENT_NONE;
        event::REQUEST = c::ss_event_type::SS_EVENT_REQUEST;
        event::HTTP = c::ss_event_type::SS_EVENT_HTTP;
        event::REFUSED = c::ss_event_type::SS_EVENT_REFUSED;
        event::OPEN = c::ss_event_type::SS_EVENT_OPEN;
        event::START = c::ss_event_type::SS_EVENT_START;
        event::MESSAGE = c::ss_event_type::SS_EVENT_MESSAGE;
        event::CHUNK = c::ss_event_type::SS_EVENT_CHUNK;
        event::PING = c::ss_event_type::SS_EVENT_PING;
        event::PONG = c::ss_event_type::SS_EVENT_PONG;
        event::CLOSE = c::ss_event_type::SS_EVENT_CLOSE;
        event::FAILED = c::ss_event_type::SS_EVENT_FAILED;
        event::CLOSED = c::ss_event_type::SS_EVENT_CLOSED;
        event::OTHER = c::ss_event_type::SS_EVENT_OTHER;
    }
}

#[test]
fn the_c_library_has_the_same_marks_states_and_refusals() {
    use sansocket_c as c;
    same! {
        mark::FIRST = c::SS_FIRST;
        mark::LAST = c::SS_LAST;
        mark::COMPRESSED = c::SS_COMPRESSED;
        mark::TRUNCATED = c::SS_TRUNCATED;
        mark::REUSABLE = c::SS_REUSABLE;
        mark::CLEAN = c::SS_CLEAN;
        mark::BEGUN_BY_US = c::SS_BEGUN_BY_US;
        mark::BEGUN_BY_PEER = c::SS_BEGUN_BY_PEER;
        mark::ENDS_FRAME = c::SS_ENDS_FRAME;
        kind::TEXT = c::ss_kind::SS_TEXT;
        kind::BINARY = c::ss_kind::SS_BINARY;
        state::INITIAL = c::ss_state::SS_STATE_INITIAL;
        state::CONNECTING = c::ss_state::SS_STATE_CONNECTING;
        state::OPEN = c::ss_state::SS_STATE_OPEN;
        state::CLOSING = c::ss_state::SS_STATE_CLOSING;
        state::CLOSED = c::ss_state::SS_STATE_CLOSED;
        transport::KEEP_OPEN = c::ss_transport::SS_KEEP_OPEN;
        transport::SHUTDOWN_WRITE = c::ss_transport::SS_SHUTDOWN_WRITE;
        transport::AWAIT_PEER_END = c::ss_transport::SS_AWAIT_PEER_END;
        transport::CLOSE_TRANSPORT = c::ss_transport::SS_CLOSE_TRANSPORT;
        compress::AUTO = c::SS_COMPRESS_AUTO;
        compress::NEVER = c::SS_COMPRESS_NEVER;
        compress::ALWAYS = c::SS_COMPRESS_ALWAYS;
        compress::ALONE = c::SS_COMPRESS_ALONE;
        part::METHOD = c::SS_METHOD;
        part::TARGET = c::SS_TARGET;
        part::PATH = c::SS_PATH;
        part::QUERY = c::SS_QUERY;
        part::AUTHORITY = c::SS_AUTHORITY;
        part::ORIGIN = c::SS_ORIGIN;
        refused::OK = c::ss_status::SS_OK;
        refused::BAD_ARGUMENT = c::ss_status::SS_BAD_ARGUMENT;
        refused::BAD_ENTRY = c::ss_status::SS_BAD_ENTRY;
        refused::BAD_URI = c::ss_status::SS_BAD_URI;
    }
}
