//! Random conversations, captured badly.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    dead_code,
    unreachable_pub,
    reason = "a test fails by a panic, its numbers are small, and it uses a part of what makes conversations"
)]

mod oracle;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_streams_are_told_with_exact_gaps(data in vec(any::<u8>(), 0..2000)) {
        oracle::conversation_of_segments(&data);
    }

    #[test]
    fn whatever_comes_the_limits_hold_and_events_are_in_order(data in vec(any::<u8>(), 0..4000)) {
        oracle::segments(&data);
    }
}
