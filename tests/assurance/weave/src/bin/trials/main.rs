//! Breaks rules for a trial: puts changes that are told by hand into one program, each behind a switch.
//!
//! ```text
//! printf '1\tin mask.rs fn apply: without xor\n' | trials TREE [EXCLUDED...]
//! ```
//!
//! Changes the files below TREE in place; `directive.rs` says how a change is told. Markers in comments
//! tell which changes a piece of the woven text belongs to, for the reader of compile errors. Prints a
//! line for each change: `1 ok`, followed by the local variables that it names, or `1 fault why`.

mod change;
mod directive;
mod source;

use std::collections::{BTreeMap, HashSet};
use std::io::{Read as _, stdin};
use std::path::{Path, PathBuf};
use std::{env, fs};

use change::Edits;
use directive::Directive;
use source::Source;

fn main() {
    let mut arguments = env::args().skip(1);
    let tree = arguments.next().expect("a directory");
    let excluded: HashSet<usize> = arguments.map(|id| id.parse().expect("a number")).collect();
    let mut list = String::new();
    stdin().read_to_string(&mut list).expect("a list");

    let mut files: BTreeMap<String, (Source, Edits)> = BTreeMap::new();
    let src = Path::new(&tree).join("src");
    for line in list.lines() {
        let (id, text) = line.split_once('\t').expect("number and directive");
        let id: usize = id.parse().expect("a number");
        if excluded.contains(&id) {
            continue;
        }
        match weave(id, text, &src, &mut files) {
            Ok(locals) => println!("{id} ok {}", locals.join(" ")),
            Err(fault) => println!("{id} fault {fault}"),
        }
    }
    for (file, (source, edits)) in files {
        fs::write(src.join(file), edits.apply(&source.text)).expect("the woven source");
    }
    weave::add_switch(&tree);
}

fn weave(
    id: usize,
    text: &str,
    src: &Path,
    files: &mut BTreeMap<String, (Source, Edits)>,
) -> Result<Vec<String>, String> {
    let directive = Directive::parse(text)?;
    let file = directive.file.clone();
    if !files.contains_key(&file) {
        let text = fs::read_to_string(src.join(&file)).map_err(|_| format!("no file {file}"))?;
        files.insert(file.clone(), (Source::read(text), Edits::default()));
    }
    let (source, edits) = files.get_mut(&file).expect("just read");
    let scopes = source.scopes(&directive.function);
    if scopes.is_empty() {
        let other = elsewhere(src, src, &directive.function);
        let other = other.map_or(String::new(), |other| format!("; there is one in {other}"));
        return Err(format!(
            "no function {} in {file}{other}",
            directive.function
        ));
    }
    // Of several of the name the one is meant where the change can be made.
    let mut ways = Vec::new();
    let mut fault = String::new();
    for scope in &scopes {
        let mut edits = Edits::default();
        match change::put(id, &directive, source, scope, &mut edits) {
            Ok(()) => ways.push((scope, edits)),
            Err(why) => fault = why,
        }
    }
    match ways.len() {
        0 => Err(fault),
        1 => {
            let (scope, own) = ways.remove(0);
            edits.add(own);
            Ok(directive.locals(&scope.locals))
        }
        n => Err(format!(
            "{n} functions {} in {file}: which one?",
            directive.function
        )),
    }
}

/// Another file that has the function.
fn elsewhere(src: &Path, dir: &Path, function: &str) -> Option<String> {
    for entry in fs::read_dir(dir).ok()? {
        let path: PathBuf = entry.ok()?.path();
        if path.is_dir() {
            if let Some(found) = elsewhere(src, &path, function) {
                return Some(found);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            let source = Source::read(fs::read_to_string(&path).ok()?);
            if !source.scopes(function).is_empty() {
                return Some(path.strip_prefix(src).ok()?.display().to_string());
            }
        }
    }
    None
}
