//! Each capture of the library is as it is written, and shown as is written beside it.
//!
//! After a change that is wanted: `cargo run --example captures`, `WRITE=1 cargo test --test captures`, and read the
//! difference.
#![allow(clippy::unwrap_used, clippy::print_stderr, dead_code)]

#[path = "../examples/captures.rs"]
mod captures;

use std::env;
use std::fs;
use std::process::{Command, Stdio};

fn inspect(arguments: &[&str]) -> (String, String, Option<i32>) {
    let program = env!("CARGO_BIN_EXE_wsinspect");
    let output = Command::new(program)
        .current_dir(captures::folder())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (out, error, output.status.code())
}

/// Compares with what is written in a file, or writes it.
fn expect(file: &str, shown: &str) -> bool {
    let path = captures::folder().join(file);
    if env::var_os("WRITE").is_some() {
        fs::write(path, shown).unwrap();
        return true;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    if written != shown {
        let line = written.lines().zip(shown.lines()).position(|(a, b)| a != b);
        eprintln!("{file}, from line {line:?} on, is not:\n{shown}");
    }
    written == shown
}

#[test]
fn the_files_are_those_that_are_written() {
    for (name, format, packets) in captures::library() {
        let file = fs::read(captures::folder().join(name)).unwrap_or_default();
        assert!(
            file == format.write(&packets),
            "{name}: cargo run --example captures"
        );
    }
}

#[test]
fn the_timelines() {
    let mut same = true;
    for (name, _, _) in captures::library() {
        let (shown, error, status) = inspect(&[name]);
        assert_eq!((&*error, status), ("", Some(0)), "{name}");
        same &= expect(&format!("{name}.txt"), &shown);
    }
    assert!(same);
}

#[test]
fn other_views() {
    let mut same = true;
    for (file, arguments) in [
        (
            "hello.frames.txt",
            &["--frames", "--brief", "hello.pcap"][..],
        ),
        ("compressed.json", &["--json", "compressed.pcapng"]),
        ("ping.har", &["--har", "ping.pcap"]),
        ("two.stats.txt", &["--stats", "two.pcapng"]),
        ("violations.errors.txt", &["--errors", "violations.pcap"]),
    ] {
        let (shown, error, status) = inspect(arguments);
        assert_eq!((&*error, status), ("", Some(0)), "{file}");
        same &= expect(file, &shown);
    }
    assert!(same);
}

#[test]
fn filters() {
    let (shown, ..) = inspect(&["--from", "server", "--opcode", "text", "hello.pcap"]);
    assert!(
        shown.contains("ticket 4711") && !shown.contains("hello world"),
        "{shown}"
    );
    let (shown, ..) = inspect(&["--text", "world", "hello.pcap"]);
    assert!(
        shown.contains("hello world") && !shown.contains("ticket"),
        "{shown}"
    );
    let (shown, ..) = inspect(&["--host", "2001:db8::1", "two.pcapng"]);
    assert!(
        shown.contains("#2 client") && !shown.contains("#1 client"),
        "{shown}"
    );
    let (shown, ..) = inspect(&["--conversation", "1", "two.pcapng"]);
    assert!(
        shown.contains("#1 client") && !shown.contains("#2 client"),
        "{shown}"
    );
}

#[test]
fn messages_as_files() {
    let folder = env::temp_dir().join(format!("wsinspect-{}", std::process::id()));
    let (names, ..) = inspect(&["--extract", folder.to_str().unwrap(), "fragments.pcapng"]);
    let names: Vec<&str> = names.lines().collect();
    assert_eq!(
        names,
        [
            "000001-1-server.bin",
            "000002-1-client.txt",
            "000003-1-client.txt"
        ]
    );
    assert_eq!(fs::read(folder.join(names[0])).unwrap(), [1, 2, 3]);
    assert_eq!(fs::read(folder.join(names[1])).unwrap(), b"first, second");
    assert_eq!(fs::read(folder.join(names[2])).unwrap(), b"next");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn faults_and_their_exit_status() {
    let (_, error, status) = inspect(&[]);
    assert_eq!(
        (&*error, status),
        ("wsinspect: which file?; see wsinspect --help\n", Some(2))
    );
    let (_, error, status) = inspect(&["hello.pcap.txt"]);
    assert!(
        error.starts_with("wsinspect: hello.pcap.txt: this is no capture"),
        "{error}"
    );
    assert_eq!(status, Some(3));
    let (_, _, status) = inspect(&["nowhere.pcap"]);
    assert_eq!(status, Some(4));
    let (shown, _, status) = inspect(&["--help"]);
    assert!(shown.starts_with("Shows the WebSocket conversations") && status == Some(0));
}

#[test]
fn a_capture_that_is_cut_off_says_so() {
    let file = fs::read(captures::folder().join("hello.pcap")).unwrap();
    let path = env::temp_dir().join(format!("wsinspect-{}.pcap", std::process::id()));
    fs::write(&path, &file[..file.len() - 5]).unwrap();
    let (shown, _, status) = inspect(&[path.to_str().unwrap()]);
    fs::remove_file(path).unwrap();
    assert!(
        shown.contains("not shown: the file is cut off: it ends within what begins at byte"),
        "{shown}"
    );
    assert_eq!(status, Some(0));
}
