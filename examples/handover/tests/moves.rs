//! The example, as a program: connections that are talked over move once, and again, and none is lost or doubled.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, fs, process};

/// A part of it, which ends with the test.
struct Part {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Part {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handover"));
        let command = command.args(args).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim_end().into()
    }

    /// Its input ends, and it does.
    fn ends(&mut self) -> bool {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn all_of_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handover"));
    let output = command.args(["300", "0.3"]).output().unwrap();
    let says = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{says}");
    assert!(says.contains("moved:  300 connections in "), "{says}");
    let last = says.lines().last().unwrap();
    assert!(
        last.starts_with("300 connections, ") && last.ends_with(" echoes, 0 faults"),
        "{says}"
    );
}

/// Three processes, one after the other, with more connections than go into one message.
#[test]
fn again_and_again() {
    let path = env::temp_dir().join(format!("handover-test-{}", process::id()));
    let path = path.to_str().unwrap();
    let mut old = Part::start(&["serve", path]);
    let address = old.line();
    let mut talker = Part::start(&["talk", &address, "600"]);
    assert_eq!(talker.line(), "open");
    for _ in 0..3 {
        let mut new = Part::start(&["take", path]);
        assert!(new.line().starts_with("600 connections in "));
        assert!(old.child.wait().unwrap().success());
        old = new;
        // Some talk in between.
        talker
            .child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"\n")
            .unwrap();
        assert!(talker.line().starts_with("longest wait"));
    }
    assert!(talker.ends(), "something was lost or doubled");
    talker.line();
    let last = talker.line();
    assert!(
        last.starts_with("600 connections, ") && last.ends_with(", 0 faults"),
        "{last}"
    );
    // A connection of afterwards comes to the last of them.
    let mut talker = Part::start(&["talk", &address, "1"]);
    assert_eq!(talker.line(), "open");
    assert!(talker.ends());
    assert!(old.ends());
    assert!(fs::metadata(path).is_err(), "the path is free again");
}
