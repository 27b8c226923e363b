//! `wsinspect`: shows the WebSocket conversations of a capture.

mod args;
mod dump;
mod follow;
mod indent;
mod keys;
mod proxy;
mod raw;
mod run;
mod screen;
mod text;
mod view;

use std::io::{self, Write};
use std::process::ExitCode;

use args::Asked;

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(Asked::Run(args)) => args,
        Ok(Asked::Text(text)) => {
            // Whoever closes the pipe has seen enough.
            let _ = writeln!(io::stdout(), "{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&format!("{error}; see wsinspect --help"), 2),
    };
    match run::run(&args) {
        Ok(run::Outcome::Whole) => ExitCode::SUCCESS,
        Ok(run::Outcome::Damaged(error)) => fail(&format!("{}: {error}", args.file), 3),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string(), 4),
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "wsinspect: {message}");
    ExitCode::from(code)
}
