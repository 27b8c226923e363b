//! `wsinspect`: shows the WebSocket conversations of a capture.

use std::process::ExitCode;

fn main() -> ExitCode {
    sansocket_inspect::program::main()
}
