//! The program, from its command line to its exit status.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use crate::args::{self, Asked};
use crate::run::{self, Outcome};

/// What `wsinspect` does.
pub fn main() -> ExitCode {
    let args = match args::parse(lexopt::Parser::from_env()) {
        Ok(Asked::Run(args)) => args,
        Ok(Asked::Text(text)) => {
            // Whoever closes the pipe has seen enough.
            let _ = writeln!(io::stdout(), "{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&format!("{error}; see wsinspect --help"), 2),
    };
    match run::run(&args) {
        Ok(Outcome::Whole) => ExitCode::SUCCESS,
        Ok(Outcome::Damaged(error)) => fail(&format!("{}: {error}", args.file), 3),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string(), 4),
    }
}

/// Shows an input with these arguments, and returns what is wrong with the input: for tests.
///
/// # Errors
///
/// As the program has them: wrong arguments, an input or output that fails.
pub fn show(
    arguments: &[&str],
    input: Box<dyn Read>,
    out: Box<dyn Write>,
) -> io::Result<Option<String>> {
    match args::parse(lexopt::Parser::from_args(arguments)).map_err(io::Error::other)? {
        Asked::Run(args) => match run::run_on(&args, input, out)? {
            Outcome::Whole => Ok(None),
            Outcome::Damaged(error) => Ok(Some(error)),
        },
        Asked::Text(text) => Ok(Some(text)),
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "wsinspect: {message}");
    ExitCode::from(code)
}
