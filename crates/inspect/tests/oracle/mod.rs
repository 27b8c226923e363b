//! Any bytes as a file, shown in a way that the last of them chooses. The fuzz target `captures` feeds it, too.
#![allow(clippy::panic, reason = "a test fails by a panic")]

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use sansocket_inspect::program;

/// What the program is asked for.
const ARGUMENTS: [&[&str]; 10] = [
    &["-"],
    &["--frames", "-"],
    &["--json", "-"],
    &["--stats", "-"],
    &["--har", "-"],
    &["--svg", "--frames", "-"],
    &["--errors", "--patience", "3", "-"],
    &["--hex", "-"],
    &["--hex", "--json", "-"],
    &["--brief", "--payload", "7", "--text", "e", "-"],
];

/// The most that is shown: of what gzip unpacks there may be a thousand times as much.
const MOST: usize = 64 << 20;

/// The same is shown, and the same is wrong with it, in whatever pieces the file comes.
pub fn any_bytes_as_a_file(bytes: &[u8]) {
    let choice = bytes.last().copied().unwrap_or(0);
    let arguments = ARGUMENTS[usize::from(choice) % ARGUMENTS.len()];
    let whole = shown(arguments, bytes, usize::MAX);
    let step = usize::from(choice) / ARGUMENTS.len() + 1;
    assert!(
        whole == shown(arguments, bytes, step),
        "in pieces of {step} bytes"
    );
}

type Shown = (Vec<u8>, Result<Option<String>, io::ErrorKind>);

fn shown(arguments: &[&str], bytes: &[u8], step: usize) -> Shown {
    let out = Rc::new(RefCell::new(Vec::new()));
    let input = Pieces {
        bytes: bytes.to_vec(),
        at: 0,
        step,
    };
    let result = program::show(arguments, Box::new(input), Box::new(Kept(Rc::clone(&out))));
    (out.take(), result.map_err(|error| error.kind()))
}

struct Kept(Rc<RefCell<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.borrow_mut();
        if all.len() > MOST {
            return Err(io::ErrorKind::StorageFull.into());
        }
        all.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let n = rest.len().min(out.len()).min(self.step);
        out[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}
