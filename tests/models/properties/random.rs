//! The oracles, fed with random bytes. A case that fails is printed in hexadecimal: make it a seed
//! of its oracle (`seeds/<oracle>/`), so that it stays tried.

use crate::oracle::{self, Oracle};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestError, TestRunner};

/// Tries `oracle` with `cases` random inputs of less than `len` bytes, or as many as `PROPTEST_CASES` says.
fn holds(oracle: Oracle, cases: u32, len: usize) {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default().cases,
        None => cases,
    };
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_time: 20_000,
        ..Config::default()
    });
    let result = runner.run(&vec(any::<u8>(), 0..len), |bytes| {
        oracle(&bytes);
        Ok(())
    });
    if let Err(TestError::Fail(why, bytes)) = &result {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{why}\ninput: {hex}");
    }
    assert!(result.is_ok(), "{result:?}");
}

macro_rules! hold {
    ($($(#[$doc:meta])* $name:ident = $oracle:path, $cases:literal, $len:literal;)*) => { $(
        $(#[$doc])*
        #[test]
        fn $name() {
            holds($oracle, $cases, $len);
        }
    )* };
}

hold! {
    headers_round_trip = oracle::codec::frame_header, 20_000, 16;
    masks_as_the_formula = oracle::codec::mask, 2000, 200;
    utf8_as_the_standard_library = oracle::codec::utf8, 5000, 60;
    uris_round_trip = oracle::codec::uri, 5000, 60;
    extensions_round_trip = oracle::codec::extension_grammar, 5000, 40;
    /// Any cut gives the same, in the opening handshake.
    any_cut_of_a_request = oracle::cut::request_head, 400, 300;
    /// Any cut gives the same, in the opening handshake.
    any_cut_of_an_answer = oracle::cut::response_head, 400, 300;
    /// Any cut gives the same, within the limits, nothing after a failure; and the naive model.
    any_cut_of_frames = oracle::cut::connection_bytes, 600, 600;
    /// Any cut gives the same, and DEFLATE read bit by bit.
    #[cfg(feature = "deflate")]
    any_compressed_message = oracle::deflate::permessage_deflate, 200, 600;
    /// Within the limits, nothing after a failure, legal output, and a refused call changes nothing.
    any_operations = oracle::operations::connection_ops, 600, 1200;
    /// Any cut is told alike, within the limits, and every byte is taken.
    #[cfg(feature = "observer")]
    any_observed_bytes = oracle::observer::observer, 300, 400;
    /// Recordings, changed and made up; that any operations are replayed is a part of theirs.
    #[cfg(feature = "replay")]
    any_bytes_as_a_recording = oracle::replay::replay, 600, 900;
    /// In room that is given once: as a connection with the same limits.
    any_conversation_in_fixed_room = oracle::fixed::fixed, 1000, 500;
    /// Answers of servers and proxies, long and crooked.
    #[cfg(feature = "client")]
    any_answer_to_the_tools = oracle::client_tools::client_tools, 2000, 60;
    /// The same events with a hand-over before each operation.
    #[cfg(feature = "handover")]
    any_operations_handed_over = oracle::handed_over::handed_over, 600, 1200;
    /// Against the model, and two of them, with a hand-over before each step.
    #[cfg(feature = "handover")]
    any_conversation_handed_over_as_the_model = oracle::handed_over::conversation_handed_over, 600, 400;
    #[cfg(feature = "handover")]
    a_pair_that_moves_ends_and_agrees = oracle::handed_over::pair_handed_over, 300, 900;
    /// States of connections, changed and made up.
    #[cfg(feature = "handover")]
    any_bytes_as_a_state = oracle::handed_over::state, 1000, 600;
    /// A second opinion on whatever happens to an established connection.
    any_conversation_as_the_model = oracle::conversation::conversation, 600, 400;
    /// `Event::Closed` comes once, last.
    a_pair_ends_and_agrees = oracle::pair::pair, 600, 900;
    /// TX-2: a message past the queue is what it is in it.
    any_message_past_the_queue = oracle::through::through, 2000, 400;
    /// The same inputs give the same bytes and events.
    the_same_inputs_give_the_same_outputs = twice, 100, 1200;
}

fn twice(bytes: &[u8]) {
    let once = oracle::operations::trace(bytes);
    assert_eq!(once, oracle::operations::trace(bytes));
}
