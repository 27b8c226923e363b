//! What the sources may name: a lower layer never a higher one, and nothing of the outside world.
//! The layers are those of the table in `src/manual/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

// ── reading sources

/// A file as its words and signs. Comments are left out, and so are what strings say, and tests.
struct Source {
    /// Below `src/`.
    file: String,
    tokens: Vec<String>,
    /// Modules of tests that are files of their own.
    test_files: Vec<String>,
}

/// Words, lifetimes, `::` and single signs.
fn lex(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let end_of_word = |from: usize| {
        let len = bytes[from..].iter().take_while(|&&byte| word(byte)).count();
        from + len
    };
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        at = match bytes[at] {
            byte if byte.is_ascii_whitespace() => at + 1,
            b'/' if rest.starts_with("//") => at + rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => {
                at + rest.find("*/").expect("the end of a comment") + 2
            }
            b'"' => {
                tokens.push("\"\"".into());
                end_of_string(bytes, at + 1)
            }
            b'r' if rest.starts_with("r\"") || rest.starts_with("r#") => {
                let hashes = rest[1..].bytes().take_while(|&byte| byte == b'#').count();
                let end = format!("\"{}", "#".repeat(hashes));
                let begin = 2 + hashes;
                tokens.push("\"\"".into());
                at + begin + rest[begin..].find(&end).expect("the end of a string") + end.len()
            }
            b'\'' => {
                // A character has its quote after it, a lifetime has none.
                let escaped = bytes.get(at + 1) == Some(&b'\\');
                let len = rest[1..].chars().next().map_or(1, char::len_utf8);
                if escaped {
                    at + 3 + rest[3..].find('\'').expect("the end of a character") + 1
                } else if bytes.get(at + 1 + len) == Some(&b'\'') {
                    at + 2 + len
                } else {
                    let end = end_of_word(at + 1);
                    tokens.push(text[at..end].into());
                    end
                }
            }
            b':' if rest.starts_with("::") => {
                tokens.push("::".into());
                at + 2
            }
            byte if word(byte) => {
                let end = end_of_word(at);
                tokens.push(text[at..end].into());
                end
            }
            _ => {
                tokens.push(rest.chars().next().expect("a sign").into());
                at + 1
            }
        };
    }
    tokens
}

fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// After what is closed by the bracket that opens at `at`.
fn after_bracket(tokens: &[String], at: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match &**token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        let tokens = lex(text);
        let (mut kept, mut test_files) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < tokens.len() {
            let attribute = tokens[at] == "#" && tokens.get(at + 1).is_some_and(|next| next == "[");
            let end = if attribute {
                after_bracket(&tokens, at + 1)
            } else {
                at + 1
            };
            let has = |word: &str| tokens[at..end].iter().any(|token| token == word);
            if !(attribute && has("cfg") && has("test") && !has("not")) {
                kept.extend_from_slice(&tokens[at..end]);
                at = end;
                continue;
            }
            // What it stands on: further attributes, and an item up to its end.
            at = end;
            while tokens[at] == "#" {
                at = after_bracket(&tokens, at + 1);
            }
            let item = at;
            while !matches!(&*tokens[at], ";" | "{") {
                at += 1;
            }
            if tokens[at] == ";" && tokens[item..at].contains(&"mod".into()) {
                let path = Path::new(file);
                let is_root =
                    matches!(path.file_stem(), Some(stem) if stem == "mod" || stem == "lib");
                let dir = if is_root {
                    path.parent().expect("a folder").to_owned()
                } else {
                    path.with_extension("")
                };
                let name = format!("{}.rs", tokens[at - 1]);
                test_files.push(dir.join(name).to_str().expect("UTF-8").into());
            }
            at = if tokens[at] == ";" {
                at + 1
            } else {
                after_bracket(&tokens, at)
            };
        }
        Self {
            file: file.into(),
            tokens: kept,
            test_files,
        }
    }

    /// The module below the crate that the file belongs to.
    fn module(&self) -> &str {
        self.file.split(['/', '.']).next().expect("a name")
    }

    fn has(&self, words: &[&str]) -> bool {
        self.tokens
            .windows(words.len())
            .any(|window| window == words)
    }

    /// What the file names with `crate::…` or with as many `super::` as lead there; `*` for all of it.
    fn names_of_the_crate(&self) -> Vec<String> {
        let own = Path::new(&self.file).with_extension("");
        let levels = own.iter().filter(|part| *part != "mod").count();
        let mut depth = if self.file == "lib.rs" { 0 } else { levels };
        let (mut names, mut modules, mut braces) = (Vec::new(), Vec::new(), 0);
        let token = |at: usize| self.tokens.get(at).map_or("", |token| &**token);
        let mut at = 0;
        while at < self.tokens.len() {
            match token(at) {
                "mod" if token(at + 2) == "{" => {
                    modules.push(braces);
                    depth += 1;
                }
                "{" => braces += 1,
                "}" => {
                    braces -= 1;
                    if modules.last() == Some(&braces) {
                        modules.pop();
                        depth -= 1;
                    }
                }
                "crate" if token(at + 1) == "::" => names.extend(self.first_names(at + 2)),
                "crate" if token(at + 1) == "as" => names.push("*".into()),
                "super" => {
                    let mut up = 1;
                    while token(at + 1) == "::" && token(at + 2) == "super" {
                        (up, at) = (up + 1, at + 2);
                    }
                    if up == depth && token(at + 1) == "::" {
                        names.extend(self.first_names(at + 2));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        names
    }

    /// The name at `at`, or those of the first level of a group.
    fn first_names(&self, at: usize) -> Vec<String> {
        if self.tokens[at] != "{" {
            return vec![self.tokens[at].clone()];
        }
        let group = &self.tokens[at + 1..after_bracket(&self.tokens, at) - 1];
        let (mut names, mut depth, mut first) = (Vec::new(), 0, true);
        for token in group {
            match &**token {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 0 => first = true,
                name if first => {
                    // The whole crate under another name.
                    names.push(if name == "self" {
                        "*".into()
                    } else {
                        name.into()
                    });
                    first = false;
                }
                _ => {}
            }
        }
        names
    }

    /// The names that a `pub use` brings to the root, each with its module: of one path, or of several in braces.
    fn exports(&self, at: usize) -> Vec<(String, String)> {
        let (mut module, mut depth, mut exports) = (None, 0, Vec::new());
        for pair in self.tokens[at..].windows(2) {
            let [token, next] = pair else { break };
            match &**token {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth <= 1 && self.tokens[at] == "{" => module = None,
                "::" | "," => {}
                name => {
                    let module = module.get_or_insert_with(|| name.to_string());
                    if matches!(&**next, "," | "}" | ";") {
                        exports.push((name.to_string(), module.clone()));
                    }
                }
            }
            if next == ";" {
                break;
            }
        }
        exports
    }

    /// Whole paths into `std`, from imports and in place.
    fn paths_into_std(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let before = |back: usize| at.checked_sub(back).map_or("", |at| &*self.tokens[at]);
            let word = |text: &str| text.ends_with(|c: char| c.is_alphanumeric() || c == '>');
            let inside = before(1) == "::" && word(before(2));
            if token != "std" || inside || self.tokens.get(at + 1).is_none_or(|next| next != "::") {
                continue;
            }
            let mut path = String::from("std");
            let mut rest = at + 1;
            while self.tokens.get(rest).is_some_and(|token| token == "::")
                && self.tokens[rest + 1] != "{"
            {
                path = path + "::" + &self.tokens[rest + 1];
                rest += 2;
            }
            if self.tokens.get(rest).is_some_and(|token| token == "::") {
                paths.extend(
                    self.first_names(rest + 1)
                        .iter()
                        .map(|name| format!("{path}::{name}")),
                );
            } else {
                paths.push(path);
            }
        }
        paths
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

fn read_all(dir: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source::new(&name.replace('\\', "/"), &text));
        }
    }
}

/// Every file that is built into the crate.
fn all_sources() -> Vec<Source> {
    let mut found = Vec::new();
    read_all(root(), &mut found);
    let tests: BTreeSet<_> = found
        .iter()
        .flat_map(|source| source.test_files.clone())
        .collect();
    // A file of tests, or one below it.
    let of_tests = |file: &str| {
        let mut above = tests.iter().filter_map(|test| test.strip_suffix(".rs"));
        above.any(|test| {
            file.strip_prefix(test)
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    found.retain(|source| !of_tests(&source.file));
    assert!(
        found.len() > 50 && tests.len() > 3,
        "{} and {}",
        found.len(),
        tests.len()
    );
    found
}

// ── layers

/// Tools for clients stand beside the connection, which knows nothing of them, nor they of it.
const BESIDE: u8 = 10;
/// What is built on a connection.
const ABOVE: u8 = 20;

/// What may be named, and where it stands.
struct Layers {
    layers: BTreeMap<String, u8>,
    /// Names at the root of the crate, and the modules that they come from.
    exports: BTreeMap<String, String>,
}

impl Layers {
    /// From the table of the architecture, and the front page.
    fn read() -> Self {
        let table = fs::read_to_string(root().join("manual/architecture.md")).unwrap();
        let mut layers = BTreeMap::new();
        for line in table.lines() {
            let mut cells = line.strip_prefix("| ").unwrap_or_default().split(" | ");
            let layer = match cells.next() {
                Some("beside") => BESIDE,
                Some("above") => ABOVE,
                Some(number) => match number.parse() {
                    Ok(layer) => layer,
                    Err(_) => continue,
                },
                None => continue,
            };
            for name in cells.next().unwrap_or_default().split(", ") {
                layers.insert(name.trim_matches(['`', '/']).to_string(), layer);
            }
        }
        let lib = Source::new(
            "lib.rs",
            &fs::read_to_string(root().join("lib.rs")).unwrap(),
        );
        let mut exports = BTreeMap::new();
        for (at, window) in lib.tokens.windows(2).enumerate() {
            if window == ["pub", "use"] {
                exports.extend(lib.exports(at + 2));
            }
        }
        assert!(
            layers.len() > 15 && exports.len() > 15,
            "{layers:?} {exports:?}"
        );
        Self { layers, exports }
    }

    /// What a file names and may not, and how much it names.
    fn faults(&self, source: &Source) -> (Vec<String>, usize) {
        let file = &source.file;
        if file == "lib.rs" || source.module() == "manual" {
            return (Vec::new(), 0);
        }
        let Some(&own) = self.layers.get(source.module()) else {
            return (
                vec![format!("{file} has no place in the table of layers")],
                0,
            );
        };
        let names = source.names_of_the_crate();
        let fault = |name: &String| {
            let module = self.exports.get(name).unwrap_or(name);
            match self.layers.get(module) {
                None => Some(format!(
                    "{file} names crate::{name}, which has no place in the table"
                )),
                Some(&layer) => {
                    let connection = layer > 4 && layer < BESIDE;
                    let allowed = layer <= own && !(own == BESIDE && connection);
                    (!allowed).then(|| format!("{file} names crate::{name}, which stands above it"))
                }
            }
        };
        (names.iter().filter_map(fault).collect(), names.len())
    }
}

/// A lower layer never imports a higher one, in any file.
#[test]
fn lower_layers_do_not_name_higher_ones() {
    let layers = Layers::read();
    let (mut faults, mut names) = (Vec::new(), 0);
    for source in all_sources() {
        let (found, named) = layers.faults(&source);
        faults.extend(found);
        names += named;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(names > 150, "the test sees the imports: {names}");
}

/// Each way to name a higher layer, planted, is found.
#[test]
fn planted_imports_are_found() {
    let layers = Layers::read();
    let faults = |file: &str, text: &str| layers.faults(&Source::new(file, text)).0;
    for (file, text) in [
        ("mask.rs", "use crate::frame::Opcode;"),
        ("mask.rs", "use crate::{error::SendError, connection};"),
        (
            "mask.rs",
            "use crate::{role::Role, error::{SendError}, frame::{Opcode}};",
        ),
        ("mask.rs", "fn f() { crate::frame::f() }"),
        ("mask.rs", "use super::frame;"),
        ("mask.rs", "mod on { use super::super::frame; }"),
        ("mask.rs", "mod on { } use super::frame;"),
        ("mask.rs", "use crate::Connection;"),
        ("mask.rs", "use crate::*;"),
        ("mask.rs", "use crate::{self as all};"),
        ("mask.rs", "use crate as all;"),
        ("mask.rs", "use crate::nowhere;"),
        ("mask.rs", "const A: &str = \"//\"; use crate::frame;"),
        ("mask.rs", "const A: char = '\"'; use crate::frame;"),
        ("mask.rs", "#[cfg(test)] mod tests { } use crate::frame;"),
        ("mask.rs", "#[cfg(not(test))] use crate::frame;"),
        ("frame/header.rs", "use super::super::config::Limits;"),
        ("frame/mod.rs", "use super::config::Limits;"),
        ("error/mod.rs", "use crate::frame;"),
        ("extension/grammar.rs", "use crate::config::Limits;"),
        ("config.rs", "use crate::event::Event;"),
        ("event.rs", "use crate::connection::State;"),
        ("connection/mod.rs", "use crate::client::gate::Gate;"),
        ("connection/mod.rs", "use crate::webapi::WebSocket;"),
        ("client/gate/mod.rs", "use crate::connection::Connection;"),
        ("client/gate/mod.rs", "use crate::Connection;"),
        ("client/gate/mod.rs", "use crate::webapi::WebSocket;"),
        ("somewhere/new.rs", "use crate::mask;"),
    ] {
        assert_eq!(faults(file, text).len(), 1, "{file}: {text}");
    }
    for (file, text) in [
        (
            "mask.rs",
            "// use crate::frame;\n/* crate::frame */ const A: &str = \"crate::frame\";",
        ),
        ("mask.rs", "#[cfg(test)] mod tests { use crate::frame; }"),
        ("mask.rs", "use super::role; pub(crate) fn f<'crate_>() {}"),
        (
            "frame/header.rs",
            "use super::Opcode; pub(in super::super) fn f() {}",
        ),
        (
            "connection/compression.rs",
            "mod on { use super::super::InUse; }",
        ),
        ("webapi/mod.rs", "use crate::connection::Connection;"),
        (
            "client/proxy/mod.rs",
            "use crate::handshake::Uri; use crate::client::backoff::Ended;",
        ),
    ] {
        assert_eq!(faults(file, text), [""; 0], "{file}: {text}");
    }
}

// ── the outside world

/// Where `std` is let in, it is for a lock.
const LOCKS: [&str; 1] = ["extension/permessage_deflate/pool/shared.rs"];
const OF_A_LOCK: [&str; 3] = [
    "std::sync::Mutex",
    "std::sync::MutexGuard",
    "std::sync::PoisonError",
];
/// Tables and defaults.
const STATICS: [&str; 3] = ["SERVER_DEFAULTS", "CLIENT_DEFAULTS", "CLASSES"];

/// What a file has that no machine without IO may have.
fn impurities(source: &Source) -> Vec<String> {
    let file = &*source.file;
    let lock = LOCKS.contains(&file);
    let mut faults = Vec::new();
    for path in source.paths_into_std() {
        if !(lock && OF_A_LOCK.contains(&&*path)) {
            faults.push(format!("{file} uses {path}"));
        }
    }
    if source.has(&["crate", "std"]) && !lock && file != "lib.rs" {
        faults.push(format!("{file} lets std in"));
    }
    let tokens = &source.tokens;
    for (at, word) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).map_or("", |next| &**next);
        let outside = match &**word {
            // Clocks, and state that is shared or global.
            "Instant" | "SystemTime" | "thread_local" | "lazy_static" | "UnsafeCell" | "Cell"
            | "RefCell" | "OnceCell" | "LazyCell" | "OnceLock" | "LazyLock" | "RwLock" => true,
            "Mutex" => !lock,
            word if word.starts_with("Atomic") => true,
            "static" => next == "mut" || !STATICS.contains(&next),
            // What the compiler does not check, and code from elsewhere.
            "unsafe" | "global_asm" | "no_mangle" => true,
            "include" | "asm" => next == "!",
            "path" => at > 1 && tokens[at - 2..at] == ["#", "["],
            "extern" => next != "crate",
            "print" | "println" | "eprint" | "eprintln" | "dbg" => next == "!",
            _ => false,
        };
        if outside {
            faults.push(format!("{file} has {word} {next}"));
        }
    }
    faults
}

/// `no_std`, no unsafe code, no IO, clock, thread or global state.
#[test]
fn nothing_of_the_outside_world() {
    let lib = fs::read_to_string(root().join("lib.rs")).unwrap();
    assert!(lib.contains("\n#![no_std]\n") && lib.contains("\n#![forbid(unsafe_code)]\n"));
    let faults: Vec<_> = all_sources().iter().flat_map(impurities).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// `Cargo.toml` as we wrote it.
fn manifest() -> String {
    // In a package it is another one, and ours stands beside it.
    fs::read_to_string(root().join("../Cargo.toml.orig"))
        .or_else(|_| fs::read_to_string(root().join("../Cargo.toml")))
        .unwrap()
}

/// Where the crate has `std`, so have the dependencies that choose SIMD code with it.
#[test]
fn std_reaches_the_dependencies() {
    let manifest = manifest();
    let features = manifest.split("\n[features]\n").nth(1).unwrap();
    let std = features.lines().find(|line| line.starts_with("std = "));
    for name in ["memchr/std", "simdutf8?/std", "zlib-rs?/std"] {
        assert!(std.unwrap().contains(&format!("\"{name}\"")), "{name}");
    }
}

/// The operating system is asked for one thing, in one place: randomness, where the caller has none.
#[test]
fn the_system_is_asked_for_randomness_only() {
    let sources = all_sources();
    let uses = sources
        .iter()
        .filter(|source| source.has(&["getrandom", "::"]));
    let files: Vec<_> = uses.map(|source| &*source.file).collect();
    assert_eq!(files, ["entropy/randomness.rs"]);
    let manifest = manifest();
    let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let lines = dependencies.lines().take_while(|line| !line.is_empty());
    let names: Vec<_> = lines.map(|line| line.split(' ').next().unwrap()).collect();
    let known = [
        "base64",
        "bytes",
        "bytestring",
        "chacha20",
        "fearless_simd",
        "getrandom",
        "http",
        "httparse",
        "md-5",
        "memchr",
        "percent-encoding",
        "sha1_smol",
        "sha2",
        "simdutf8",
        "url",
        "zlib-rs",
    ];
    assert_eq!(names, known, "does the new one do IO?");
}

/// Each impurity, planted, is found.
#[test]
fn planted_impurities_are_found() {
    let faults = |file: &str, text: &str| impurities(&Source::new(file, text));
    for text in [
        "use std::net::TcpStream;",
        "use std::io::{self};",
        "fn f() { std::thread::sleep(x) }",
        "fn f() { ::std::fs::read(x) }",
        "use {std::env};",
        "extern crate std;",
        "extern crate std as own;",
        "use core::time::Instant;",
        "static mut COUNT: u8 = 0;",
        "static COUNT: u8 = 0;",
        "pub static TABLE: [u8; 2] = [1, 2];",
        "use core::sync::atomic::AtomicU8;",
        "use core::cell::Cell;",
        "use core::cell::OnceCell;",
        "thread_local! { }",
        "fn f() { unsafe { g() } }",
        "unsafe impl Send for A {}",
        "unsafe extern \"C\" { }",
        "#[unsafe(no_mangle)] fn f() {}",
        "#[path = \"elsewhere.rs\"] mod elsewhere;",
        "include!(\"elsewhere.rs\");",
        "fn f() { println!(\"x\") }",
        "const A: &str = \"://\"; use std::net::TcpStream;",
        "#[cfg(test)] mod tests { } use std::net::TcpStream;",
        "struct Shared(Mutex<u8>);",
    ] {
        assert!(!faults("mask.rs", text).is_empty(), "{text}");
    }
    for file in LOCKS {
        assert!(!faults(file, "use std::sync::{Mutex, mpsc};").is_empty());
        assert!(!faults(file, "use std::sync::*;").is_empty());
        assert!(!faults(file, "use std::time::Duration;").is_empty());
        assert_eq!(
            faults(
                file,
                "extern crate std; use std::sync::{Mutex, PoisonError};"
            ),
            [""; 0]
        );
    }
    let text = "static CLASSES: [bool; 256] = x; fn f(text: &'static str) -> &'static [u8] { core::str::f() }";
    assert_eq!(faults("token.rs", text), [""; 0]);
}

/// Nothing panics on purpose, outside of tests.
#[test]
fn no_panics_on_purpose() {
    let panics = |source: &Source| {
        let call = |name| source.has(&[".", name, "("]);
        let macros = ["panic", "todo", "unimplemented", "unreachable"];
        call("unwrap") || call("expect") || macros.iter().any(|name| source.has(&[name, "!"]))
    };
    for source in all_sources() {
        assert!(!panics(&source), "{}", source.file);
    }
    for planted in [
        "x.unwrap()",
        "x.expect(\"y\")",
        "panic!()",
        "unreachable!()",
    ] {
        assert!(panics(&Source::new("mask.rs", planted)), "{planted}");
    }
}

/// SEC-8 (RFC 6455 §10.8): SHA-1 is used for the accept value, and nowhere else.
#[test]
fn sha1_has_one_use() {
    let sources = all_sources();
    let uses = sources.iter().filter(|source| source.has(&["sha1_smol"]));
    let files: Vec<_> = uses.map(|source| &*source.file).collect();
    assert_eq!(files, ["handshake/accept_key.rs"]);
}
