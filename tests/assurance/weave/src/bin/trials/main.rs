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

    let mut woven = Crate {
        src: Path::new(&tree).join("src"),
        files: BTreeMap::new(),
    };
    for line in list.lines() {
        let (id, text) = line.split_once('\t').expect("number and directive");
        let id: usize = id.parse().expect("a number");
        if excluded.contains(&id) {
            continue;
        }
        match woven.weave(id, text) {
            Ok(locals) => println!("{id} ok {}", locals.join(" ")),
            Err(fault) => println!("{id} fault {fault}"),
        }
    }
    for (file, (source, edits)) in woven.files {
        fs::write(woven.src.join(file), edits.apply(&source.text)).expect("the woven source");
    }
    weave::add_switch(&tree);
}

struct Crate {
    src: PathBuf,
    files: BTreeMap<String, (Source, Edits)>,
}

impl Crate {
    /// Puts one change in, wherever it has to be made; the local variables that it names.
    fn weave(&mut self, id: usize, text: &str) -> Result<Vec<String>, String> {
        let (mut places, mut locals) = (Vec::new(), Vec::new());
        for part in text.split(" and in ") {
            let part = part.strip_prefix("in ").unwrap_or(part);
            let directive = Directive::parse(part)?;
            let (edits, named) = self.place(id, &directive)?;
            places.push((directive.file, edits));
            locals.extend(named);
        }
        for (file, edits) in places {
            self.files.get_mut(&file).expect("just read").1.add(edits);
        }
        Ok(locals)
    }

    fn place(&mut self, id: usize, directive: &Directive) -> Result<(Edits, Vec<String>), String> {
        let Directive { file, function, .. } = directive;
        if !self.files.contains_key(file) {
            let text = fs::read_to_string(self.src.join(file));
            let source = Source::read(text.map_err(|_| format!("no file {file}"))?);
            self.files.insert(file.clone(), (source, Edits::default()));
        }
        let (source, _) = &self.files[file];
        let scopes = source.scopes(function);
        if scopes.is_empty() {
            let other = elsewhere(&self.src, &self.src, function);
            let other = other.map_or(String::new(), |other| format!("; there is one in {other}"));
            return Err(format!("no function {function} in {file}{other}"));
        }
        // Of several of the name the one is meant where the change can be made.
        let mut ways = Vec::new();
        let mut fault = String::new();
        for scope in &scopes {
            let mut edits = Edits::default();
            match change::put(id, directive, source, scope, &mut edits) {
                Ok(()) => ways.push((edits, directive.locals(&scope.locals))),
                Err(why) => fault = why,
            }
        }
        match ways.len() {
            0 => Err(fault),
            1 => Ok(ways.remove(0)),
            n => Err(format!("{n} functions {function} in {file}: which one?")),
        }
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
