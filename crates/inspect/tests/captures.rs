//! Each capture of the library is as it is written, and shown as is written beside it.
//!
//! After a change that is wanted: `cargo run --example captures`, `WRITE=1 cargo test --test captures`, and read the
//! difference.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    dead_code,
    reason = "a test fails by a panic, its numbers are small, and it calls a part of the example"
)]

#[path = "../examples/captures.rs"]
mod captures;

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use sansocket_inspect::program::show;
use sansocket_inspect::write::{Conversation, Format, Sent};
use sansocket_tcp_streams::Sender::{Client, Server};

fn inspect(arguments: &[&str]) -> (String, String, Option<i32>) {
    inspect_input(arguments, "")
}

/// With this on standard input.
fn inspect_input(arguments: &[&str], input: &str) -> (String, String, Option<i32>) {
    let program = env!("CARGO_BIN_EXE_wsinspect");
    let mut child = Command::new(program)
        .current_dir(captures::folder())
        .env_remove("SSLKEYLOGFILE")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who does not read has its reasons.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
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
            file == captures::file(name, format, &packets),
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

/// The page of all options is what the program says.
#[test]
fn the_page_of_options() {
    let (help, error, status) = inspect(&["--help"]);
    assert_eq!((&*error, status), ("", Some(0)));
    assert!(expect(
        "../OPTIONS.md",
        &format!("# wsinspect\n\n```text\n{help}```\n")
    ));
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
        ("hello.svg", &["--svg", "hello.pcap"]),
        ("fragments.svg", &["--svg", "--frames", "fragments.pcapng"]),
        (
            "two.svg",
            &["--svg", "--brief", "--conversation", "2", "two.pcapng"],
        ),
        ("violations.svg", &["--svg", "violations.pcap"]),
        ("two.stats.txt", &["--stats", "two.pcapng"]),
        ("violations.errors.txt", &["--errors", "violations.pcap"]),
        ("tls.stats.txt", &["--stats", "tls.pcap"]),
        ("tls.json", &["--json", "tls.pcapng"]),
        ("tls.svg", &["--svg", "--brief", "tls.pcapng"]),
    ] {
        let (shown, error, status) = inspect(arguments);
        assert_eq!((&*error, status), ("", Some(0)), "{file}");
        same &= expect(file, &shown);
    }
    assert!(same);
}

/// The texts of a picture, which is XML and has no element that does anything.
fn texts(picture: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(picture).unwrap();
    let known = ["svg", "title", "style", "rect", "path", "text"];
    let elements = document.descendants().filter(|it| it.is_element());
    for element in elements {
        assert!(known.contains(&element.tag_name().name()), "{element:?}");
    }
    let texts = document
        .descendants()
        .filter(|it| it.tag_name().name() == "text");
    texts
        .filter_map(|it| it.text().map(str::to_owned))
        .collect()
}

/// The picture of a conversation that is in no file.
fn drawn(name: &str, talk: &Conversation) -> String {
    let path = env::temp_dir().join(format!("wsinspect-{name}-{}.pcap", std::process::id()));
    fs::write(&path, Format::default().write(&talk.packets)).unwrap();
    let (picture, error, status) = inspect(&["--svg", path.to_str().unwrap()]);
    fs::remove_file(path).unwrap();
    assert_eq!((&*error, status), ("", Some(0)), "{name}");
    picture
}

#[test]
fn every_conversation_can_be_drawn() {
    for (name, _, _) in captures::library() {
        for options in [
            &["--svg", name][..],
            &["--svg", "--frames", name],
            &["--svg", "--errors", name],
        ] {
            let (picture, error, status) = inspect(options);
            assert_eq!((&*error, status), ("", Some(0)), "{name}");
            assert!(
                texts(&picture)[..3].contains(&"server".to_owned()),
                "{name}"
            );
        }
    }
}

#[test]
fn a_picture_holds_what_a_peer_sends_as_text() {
    let evil = "</text><script>alert(1)</script>&amp;\"'\u{0}\u{1b}\u{fffe}\u{202e}";
    let mut frame = vec![0x81, evil.len() as u8];
    frame.extend(evil.as_bytes());
    let mut talk = captures::opened("");
    talk.send(Server, &frame);
    let shown = texts(&drawn("evil", &talk)).concat();
    assert!(
        shown.contains("</text><script>alert(1)</script>&amp;\\\"'\\u{0}\\u{1b}\u{fffd}"),
        "{shown}"
    );
}

#[test]
fn a_picture_says_what_it_leaves_out() {
    let (picture, ..) = inspect(&["--svg", "two.pcapng"]);
    let shown = texts(&picture);
    assert!(
        shown.contains(&"not shown: 2 other conversations".to_owned()),
        "{shown:?}"
    );
    let mut talk = Conversation::new();
    talk.open();
    for _ in 0..12_000 {
        talk.ack(Client);
    }
    let shown = texts(&drawn("long", &talk));
    assert_eq!(
        shown.last().map(String::as_str),
        Some("not shown: 2003 more lines")
    );
}

/// A page of the manual of the core, which is beside this crate in the repository only.
fn page(name: &str) -> Option<String> {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/manual");
    manual
        .is_dir()
        .then(|| fs::read_to_string(manual.join(name)).unwrap())
}

#[test]
fn the_manual_shows_what_is_printed() {
    let (Some(text), Some(picture)) = (page("capture.md"), page("capture.svg")) else {
        return;
    };
    let blocks = text.split("```text\n").skip(1);
    let printed: String = blocks
        .map(|block| block.split("```").next().unwrap())
        .collect();
    let (shown, ..) = inspect(&["--frames", "hello.pcap"]);
    assert_eq!(printed.trim(), shown.trim());
    let (shown, ..) = inspect(&["--svg", "hello.pcap"]);
    assert!(
        picture == shown,
        "cp crates/inspect/captures/hello.svg src/manual/capture.svg"
    );
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

/// The packets of `hello.pcap`.
fn hello() -> Vec<Sent> {
    let library = captures::library().into_iter();
    let (_, _, packets) = library
        .into_iter()
        .find(|(name, ..)| *name == "hello.pcap")
        .unwrap();
    packets
}

#[test]
fn bytes_of_both_ends_in_two_files() {
    let bytes = |of: &dyn Fn(&Sent) -> bool| -> Vec<u8> {
        let packets = hello();
        let packets = packets.iter().filter(|packet| of(packet));
        packets.flat_map(|packet| packet.payload.clone()).collect()
    };
    let folder = env::temp_dir();
    let path = |end| folder.join(format!("wsinspect-{end}-{}.bin", std::process::id()));
    let [client, server] = ["client", "server"].map(path);
    fs::write(&client, bytes(&|packet| packet.to.port() == 80)).unwrap();
    fs::write(&server, bytes(&|packet| packet.from.port() == 80)).unwrap();
    let [client, server] = [&client, &server].map(|path| path.to_str().unwrap());
    let (shown, error, status) = inspect(&["--raw", client, server]);
    let other = inspect(&["--raw", client, "nowhere"]);
    for path in [client, server] {
        fs::remove_file(path).unwrap();
    }
    assert_eq!((&*error, status), ("", Some(0)));
    assert!(expect("hello.raw.txt", &shown));
    assert!(other.1.starts_with("wsinspect: nowhere: "), "{}", other.1);
    assert_eq!(other.2, Some(4));
    let (_, error, status) = inspect(&["--raw", "one"]);
    assert_eq!(status, Some(2), "{error}");
    let (_, error, status) = inspect(&["--hex", "--follow", "-"]);
    assert!(error.contains("--follow is for captures"), "{error}");
    assert_eq!(status, Some(2));
}

#[test]
fn a_hex_dump_on_standard_input() {
    let mut dump = String::new();
    let mut offsets = [0, 0];
    for packet in hello() {
        let from = usize::from(packet.from.port() == 80);
        for row in packet.payload.chunks(16) {
            let bytes: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            let (indent, offset) = (["", "    "][from], offsets[from]);
            dump += &format!("{indent}{offset:08x}  {}   text\n", bytes.join(" "));
            offsets[from] += row.len();
        }
    }
    let (shown, error, status) = inspect_input(&["--hex", "-"], &dump);
    assert_eq!((&*error, status), ("", Some(0)));
    assert!(expect("hello.hex.txt", &shown));

    dump += "*\n";
    let (damaged, error, status) = inspect_input(&["--hex", "-"], &dump);
    assert_eq!(damaged, shown);
    assert!(
        error.starts_with("wsinspect: -: line 27: * stands"),
        "{error}"
    );
    assert_eq!(status, Some(3));

    // The example of RFC 6455 §5.7, which stands alone.
    let (shown, ..) = inspect_input(&["--hex", "-"], "    81 05 48 65 6c 6c 6f\n");
    assert!(shown.contains("text \"Hello\", 5 bytes"), "{shown}");
}

#[test]
fn har_goes_in_as_it_came_out() {
    for name in ["ping.pcap", "two.pcapng", "fragments.pcapng"] {
        let (har, ..) = inspect(&["--har", name]);
        let (again, error, status) = inspect_input(&["--har", "-"], &har);
        assert_eq!((&*error, status), ("", Some(0)), "{name}");
        let messages = |har: &str| -> Vec<String> {
            let lines = har.lines().filter_map(|line| line.split_once("{\"type\":"));
            lines.map(|(_, message)| message.to_owned()).collect()
        };
        assert!(messages(&har).len() > 2, "{har}");
        assert_eq!(messages(&har), messages(&again), "{name}");
    }
    let (shown, error, status) = inspect(&["ping.har"]);
    assert_eq!((&*error, status), ("", Some(0)));
    assert!(expect("ping.har.txt", &shown));
}

/// Recordings of either end; what one that was changed says.
#[test]
fn recordings() {
    let mut same = true;
    for name in ["client.wsr", "compressed.wsr", "not-utf8.wsr"] {
        let (shown, error, status) = inspect(&[name]);
        assert_eq!((&*error, status), ("", Some(0)), "{name}");
        same &= expect(&format!("{name}.txt"), &shown);
    }
    assert!(same);
    // The times are those of the day.
    let (json, ..) = inspect(&["--json", "compressed.wsr"]);
    assert!(
        json.contains("\"time\":17") || json.contains("\"time\":18"),
        "{json}"
    );
    let whole = fs::read(captures::folder().join("not-utf8.wsr")).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for (recording, why) in [
        (
            &changed[..],
            "a recording that was changed or cut: its checksum is another",
        ),
        (
            &whole[..300],
            "a recording that was changed or cut: its checksum is another",
        ),
        (
            b"\x89WSR\r\n\x1a\n\x02then",
            "a recording of version 2; version 1 is known",
        ),
    ] {
        let input = Box::new(std::io::Cursor::new(recording.to_vec()));
        let told = show(&["-"], input, Box::new(std::io::sink()));
        assert_eq!(told.unwrap().as_deref(), Some(why));
    }
}

/// One that was full is cut off, and is shown as far as it goes.
#[test]
fn a_recording_that_was_full() {
    use sansocket::replay::Recorder;
    use sansocket::{Negotiated, ServerConfig};

    let mut ws = Recorder::new(300).upgraded_server(&ServerConfig::upgraded(), Negotiated::new());
    for _ in 0..50 {
        ws.send("again").unwrap();
        ws.consume_output(ws.output_len());
    }
    let recording = ws.take_recording().unwrap();
    let whole = recording.len();
    let input = || Box::new(std::io::Cursor::new(recording.clone()));
    let file = env::temp_dir().join(format!("wsinspect-full-{}.wsr", std::process::id()));
    fs::write(&file, &recording).unwrap();
    let (shown, error, status) = inspect(&[file.to_str().unwrap()]);
    fs::remove_file(&file).unwrap();
    assert_eq!((&*error, status), ("", Some(0)));
    assert!(shown.matches("text \"again\"").count() > 3, "{shown}");
    let cut = format!("the file is cut off: it ends within what begins at byte {whole}");
    assert!(shown.contains(&cut), "{shown}");
    assert_eq!(
        show(&["-"], input(), Box::new(std::io::sink())).unwrap(),
        None
    );
}

#[test]
fn har_of_a_browser() {
    // What Chromium leaves out and adds: headers of a page, an error that it tells as a message, other entries.
    let har = r##"{"log":{"version":"1.2","pages":[],"entries":[
        {"request":{"method":"GET","url":"http://h/"},"response":{"status":200}},
        {"_resourceType":"websocket","request":{"url":"wss://h/a?b#c","headers":[{"name":":path","value":"/"},
            {"name":"Sec-WebSocket-Key","value":"dGhlIHNhbXBsZSBub25jZQ=="},{"name":"Host","value":"h\r\nX: y"}]},
         "response":{"status":101,"statusText":"Switching Protocols","headers":[
            {"name":"Sec-WebSocket-Accept","value":"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}]},
         "_webSocketMessages":[{"type":"send","time":1767225600.5,"opcode":1,"data":"ä"},
            {"type":"receive","time":1767225601.25,"opcode":2,"data":"AAH/"},
            {"type":"error","time":1767225602,"opcode":-1,"data":"gone"}]}]}}"##;
    let (shown, error, status) = inspect_input(&["-"], har);
    assert_eq!((&*error, status), ("", Some(0)));
    for part in [
        "GET /a?b HTTP/1.1",
        "Host: h  X: y",
        "text \"ä\", 2 bytes",
        "0.750000 #1 C←S",
        "binary 00 01 ff, 3 bytes",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("gone") && !shown.contains("#2"), "{shown}");
    for (har, problem) in [
        ("{}", "missing field `log`"),
        (
            r#"{"log":{"entries":[{"request":{"url":""},"response":{},"_webSocketMessages":[
                {"type":"send","time":1,"opcode":2,"data":"?"}]}]}}"#,
            "a binary message",
        ),
    ] {
        let (_, error, status) = inspect_input(&["-"], har);
        assert!(error.contains(problem), "{error}");
        assert_eq!(status, Some(3));
    }
}

#[test]
fn keys_in_a_file_of_their_own() {
    let path = env::temp_dir().join(format!("wsinspect-{}.keys", std::process::id()));
    fs::write(&path, captures::secrets()).unwrap();
    let keys = path.to_str().unwrap();
    let (within, ..) = inspect(&["--json", "tls.pcapng"]);
    let (beside, error, status) = inspect(&["--json", "--keylog", keys, "tls.pcap"]);
    assert_eq!((&*error, status), ("", Some(0)));
    assert_eq!(within, beside);
    let (har, ..) = inspect(&["--har", "--keylog", keys, "tls.pcap"]);
    assert!(har.contains("\"wss://server.example.com/chat\""), "{har}");
    let program = Command::new(env!("CARGO_BIN_EXE_wsinspect"))
        .current_dir(captures::folder())
        .env("SSLKEYLOGFILE", keys)
        .args(["--json", "tls.pcap"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(program.stdout).unwrap(), within);
    fs::remove_file(keys).unwrap();
    let (_, error, status) = inspect(&["--keylog", keys, "tls.pcap"]);
    assert!(
        error.starts_with(&format!("wsinspect: {keys}: ")),
        "{error}"
    );
    assert_eq!(status, Some(4));
}

/// The session of `tls.pcap`, to a host behind a proxy.
#[test]
fn tls_through_a_proxy() {
    let mut talk = Conversation::new();
    talk.open().send(
        Client,
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n",
    );
    talk.send(Server, b"HTTP/1.1 200 OK\r\n\r\n");
    for packet in captures::library()
        .into_iter()
        .find(|it| it.0 == "tls.pcap")
        .unwrap()
        .2
    {
        let from = if packet.from.port() == 443 {
            Server
        } else {
            Client
        };
        talk.send(from, &packet.payload);
    }
    let path = env::temp_dir().join(format!("wsinspect-proxy-{}.pcapng", std::process::id()));
    let format = Format {
        ng: true,
        big: true,
        ..Format::default()
    };
    fs::write(
        &path,
        format.write_with(captures::secrets().as_bytes(), &talk.packets),
    )
    .unwrap();
    let (shown, error, status) = inspect(&[path.to_str().unwrap()]);
    fs::remove_file(path).unwrap();
    assert_eq!((&*error, status), ("", Some(0)));
    for part in [
        "CONNECT localhost:443",
        "a tunnel",
        "TLS for localhost",
        "hello world",
        "close 1000 \"bye\"",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

/// A capture that begins within a session.
#[test]
fn tls_from_its_middle() {
    let packets = captures::library()
        .into_iter()
        .find(|it| it.0 == "tls.pcap")
        .unwrap()
        .2;
    let path = env::temp_dir().join(format!("wsinspect-middle-{}.pcap", std::process::id()));
    fs::write(&path, Format::default().write(&packets[11..])).unwrap();
    let (shown, ..) = inspect(&[path.to_str().unwrap()]);
    fs::remove_file(path).unwrap();
    assert!(
        shown.contains("its handshake was not captured whole"),
        "{shown}"
    );
    assert!(!shown.contains("searched"), "{shown}");
}

#[test]
fn the_packets_of_one_conversation() {
    let path = env::temp_dir().join(format!("wsinspect-one-{}.pcap", std::process::id()));
    let file = path.to_str().unwrap();
    for (name, which) in [
        ("two.pcapng", "2"),
        ("snap-100.pcap", "1"),
        ("wrapped.pcap", "1"),
    ] {
        let (said, error, status) = inspect(&["--pcap", file, "--conversation", which, name]);
        assert_eq!((&*error, status), ("", Some(0)), "{name}");
        assert!(
            said.contains(&format!(" packets of conversation {which}, client ")),
            "{said}"
        );
        // Numbers of packets and times apart, it is shown as it was among the others.
        let lines = |shown: &str| -> Vec<String> {
            let shown = shown.lines().filter(|line| !line.is_empty());
            shown
                .map(|line| match line.split_once(" C") {
                    Some((_, of_packet)) => of_packet.to_owned(),
                    None => line
                        .split(" (packet")
                        .next()
                        .unwrap_or_default()
                        .replace("#2", "#1"),
                })
                .collect()
        };
        let (all, ..) = inspect(&["--conversation", which, name]);
        let (one, error, status) = inspect(&[file]);
        assert_eq!((&*error, status), ("", Some(0)), "{name}");
        assert_eq!(lines(&one), lines(&all), "{name}");
    }
    fs::remove_file(path).unwrap();
    let (said, ..) = inspect(&[
        "--pcap",
        "/nowhere/x.pcap",
        "--host",
        "192.0.2.9",
        "hello.pcap",
    ]);
    assert_eq!(
        said,
        "no TCP conversation in the capture: nothing is written\n"
    );
    let (_, error, status) = inspect(&["--pcap", "/nowhere/x.pcap", "hello.pcap"]);
    assert!(
        error.starts_with("wsinspect: /nowhere/x.pcap: ") && status == Some(4),
        "{error}"
    );
    let (_, error, status) = inspect(&["--pcap", "x.pcap", "--errors", "hello.pcap"]);
    assert!(
        error.contains("all packets") && status == Some(2),
        "{error}"
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
