#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    sansocket_fuzz::tcp::conversation_of_segments(data);
    sansocket_fuzz::tcp::segments(data);
});
