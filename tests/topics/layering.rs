//! What the sources may name: a lower layer never a higher one, and nothing of the outside world.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Each module of the crate and its layer: it may use those of its own layer and below.
const LAYERS: [(&str, u8); 23] = [
    ("role", 0),
    ("token", 0),
    ("mask", 0),
    ("utf8", 0),
    ("close_code", 0),
    ("error", 0),
    ("frame", 1),
    ("payload", 1),
    ("config", 1),
    ("entropy", 1),
    ("extension", 1),
    ("handshake", 2),
    ("event", 2),
    ("output", 2),
    ("connection", 3),
    // A profile on top of the connection.
    ("webapi", 4),
    // Tools for clients: beside the connection, which knows nothing of them.
    ("gate", 4),
    ("backoff", 4),
    ("redirect", 4),
    ("proxy", 4),
    ("challenge", 4),
    // Prose.
    ("manual", 9),
    ("lib", 9),
];

/// Tools that need no connection must not grow into one.
const WITHOUT_CONNECTION: [&str; 5] = ["gate", "backoff", "redirect", "proxy", "challenge"];

/// Names of types that the front page re-exports, for `use crate::Connection` and the like.
const AT_THE_ROOT: [(&str, &str); 8] = [
    ("Connection", "connection"),
    ("State", "connection"),
    ("Transport", "connection"),
    ("Outgoing", "connection"),
    ("Prepared", "connection"),
    ("Event", "event"),
    ("Message", "event"),
    ("Misuse", "error"),
];

fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
            found.push((name.replace('\\', "/"), fs::read_to_string(&path).unwrap()));
        }
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

fn all_sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(root(), &mut found);
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// The code of a file: without comments, and without its unit tests, which stand at its end.
fn code(file: &str, text: &str) -> String {
    if file.ends_with("tests.rs") {
        return String::new();
    }
    // A file of tests is declared where modules are; tests in the file stand at its end.
    let text = text.replace("#[cfg(test)]\nmod tests;", "");
    let tests = [
        "#[cfg(test)]\n#[allow",
        "#[cfg(test)]\nmod ",
        "#[cfg(all(test",
    ];
    let end = tests.iter().filter_map(|start| text.find(start)).min();
    let text = &text[..end.unwrap_or(text.len())];
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules that a file names with `crate::`, also in groups.
fn named(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        // `$crate` and `pub(in crate::…)` are the same thing.
        let group = if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let end = group.find(|c| {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            let group = &group[..end.expect("a closing brace")];
            // Only the first level names modules.
            let mut depth = 0;
            let mut first = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    c if depth == 0 => first.push(c),
                    _ => {}
                }
            }
            first
        } else {
            rest.to_string()
        };
        let pieces: Vec<_> = if rest.starts_with('{') {
            group.split(',').map(str::to_string).collect()
        } else {
            vec![group]
        };
        for piece in pieces {
            let name = piece.trim_start();
            let end = name
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(name.len());
            if end > 0 {
                names.push(name[..end].to_string());
            }
        }
    }
    names
}

/// DESIGN.md §6: a lower layer never imports a higher one.
#[test]
fn lower_layers_do_not_name_higher_ones() {
    let layers = BTreeMap::from(LAYERS);
    let at_the_root = BTreeMap::from(AT_THE_ROOT);
    let mut edges = 0;
    for (file, text) in all_sources() {
        let module = file.split(['/', '.']).next().unwrap();
        let own = *layers
            .get(module)
            .unwrap_or_else(|| panic!("{file}: give its module a place in LAYERS"));
        for name in named(&code(&file, &text)) {
            let used = at_the_root.get(&*name).copied().unwrap_or(&name);
            let Some(layer) = layers.get(used) else {
                continue; // a type of the front page, below all of these
            };
            edges += 1;
            assert!(
                *layer <= own,
                "{file} names crate::{name}, which stands above it"
            );
            let tool = WITHOUT_CONNECTION.contains(&module);
            assert!(
                !(tool && used == "connection"),
                "{file} names crate::{name}"
            );
        }
    }
    assert!(edges > 50, "the test sees the imports: {edges}");
}

/// The parser of this test, as it has to see through groups.
#[test]
fn imports_are_seen() {
    let code =
        "use crate::{error::{Failure, Misuse}, frame, handshake::Uri};\nlet x = crate::mask::y();";
    assert_eq!(named(code), ["error", "frame", "handshake", "mask"]);
}

/// DESIGN.md, invariant 1: `no_std`, no unsafe code, no IO, clock, thread or global state.
#[test]
fn nothing_of_the_outside_world() {
    let lib = fs::read_to_string(root().join("lib.rs")).unwrap();
    assert!(lib.contains("#![no_std]"));
    assert!(lib.contains("#![forbid(unsafe_code)]"));
    // Where `std` is let in, it is for a lock.
    let locks = ["gate/shared.rs", "extension/permessage_deflate/pool.rs"];
    for (file, text) in all_sources() {
        let code = code(&file, &text);
        for word in [
            "std::net",
            "std::io",
            "std::time",
            "std::thread",
            "std::fs",
            "std::env",
            "std::process",
            "Instant",
            "SystemTime",
            "static mut",
            "thread_local",
            "OnceCell",
            "LazyLock",
            "OnceLock",
            "println!",
            "eprintln!",
            "unsafe ",
            "unsafe{",
        ] {
            assert!(!code.contains(word), "{file} has {word:?}");
        }
        if code.contains("std::") && !locks.contains(&&*file) {
            let rest = code.replace("extern crate std", "");
            assert!(
                !rest.contains(" std::") && !rest.contains("(std::"),
                "{file} uses std"
            );
        }
        // Constants may be static; what can change may not.
        for line in code
            .lines()
            .filter(|line| line.contains("static ") && !line.contains("'static "))
        {
            assert!(
                !["Mutex", "RwLock", "Atomic", "Cell"]
                    .iter()
                    .any(|word| line.contains(word)),
                "{file}: {line}"
            );
        }
    }
}

/// Invariant 8, house style: nothing prints, and nothing panics on purpose, outside of tests.
#[test]
fn no_panics_on_purpose() {
    for (file, text) in all_sources() {
        let code = code(&file, &text);
        for word in [
            ".unwrap()",
            ".expect(",
            "panic!",
            "todo!",
            "unimplemented!",
            "unreachable!",
        ] {
            assert!(!code.contains(word), "{file} has {word}");
        }
    }
}

/// SEC-8 (RFC 6455 §10.8): SHA-1 is used for the accept value, and nowhere else.
#[test]
fn sha1_has_one_use() {
    let files = all_sources();
    let uses = files.iter().filter(|(_, text)| text.contains("sha1_smol"));
    let names: Vec<_> = uses.map(|(file, _)| file.as_str()).collect();
    assert_eq!(names, ["handshake/accept_key.rs"]);
}
