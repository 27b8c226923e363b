//! The matrix of requirements (`matrix.txt`, where its form is explained) and the advisories of other
//! libraries: what they name is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod advisories;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const MATRIX: &str = include_str!("matrix.txt");

/// All rows there are. The rows of each section are counted in the file itself.
const ROWS: usize = 314;

struct Row<'m> {
    id: &'m str,
    rule: &'m str,
    section: &'m str,
    tests: Vec<&'m str>,
    not_ours: Option<&'m str>,
}

#[derive(Default)]
struct Matrix<'m> {
    /// How the IDs of a section begin, and how many there are.
    sections: Vec<(&'m str, usize)>,
    rows: Vec<Row<'m>>,
}

fn parse(text: &str) -> Result<Matrix<'_>, String> {
    let mut matrix = Matrix::default();
    for line in text.lines() {
        let wrong = || format!("what is this? {line}");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix("== ") {
            let mut words = section.split(' ');
            let name = words.next().ok_or_else(wrong)?;
            let count = words.next().and_then(|count| count.parse().ok());
            matrix.sections.push((name, count.ok_or_else(wrong)?));
            continue;
        }
        let [id, rule, section, held_by] = *line.split(" | ").collect::<Vec<_>>() else {
            return Err(wrong());
        };
        let not_ours = held_by.strip_prefix("no ");
        let tests = match not_ours {
            Some(_) => Vec::new(),
            None => held_by.split(", ").collect(),
        };
        matrix.rows.push(Row {
            id,
            rule,
            section,
            tests,
            not_ours,
        });
    }
    Ok(matrix)
}

/// What is wrong with a matrix, given every test there is, as `module::module::name`.
fn faults(text: &str, all: &[String]) -> Vec<String> {
    let matrix = match parse(text) {
        Ok(matrix) => matrix,
        Err(fault) => return vec![fault],
    };
    let mut faults = Vec::new();
    let ids: Vec<_> = matrix.rows.iter().map(|row| row.id.to_string()).collect();
    let numbers = |&(name, count): &(&str, usize)| {
        let name = name.to_string();
        (1..=count).map(move |i| format!("{name}-{i}"))
    };
    let expected: Vec<_> = matrix.sections.iter().flat_map(numbers).collect();
    if ids != expected {
        let missing: Vec<_> = expected.iter().filter(|id| !ids.contains(id)).collect();
        faults.push(format!(
            "the rows are not those counted; missing {missing:?}"
        ));
    }
    for row in &matrix.rows {
        let mut fault = |what: String| faults.push(format!("{}: {what}", row.id));
        if row.rule.is_empty() || row.section.is_empty() {
            fault("no rule or no section".into());
        }
        if row.not_ours.is_some_and(str::is_empty) {
            fault("why is it not ours?".into());
        }
        for test in &row.tests {
            if let Err(what) = find(test, all) {
                fault(what);
            }
        }
    }
    faults
}

/// The one test of this name: the last modules of its path and the function.
fn find<'t>(test: &str, all: &'t [String]) -> Result<&'t str, String> {
    let ends = |path: &str, end: &str| path == end || path.ends_with(&format!("::{end}"));
    let found: Vec<_> = all.iter().filter(|path| ends(path, test)).collect();
    match found[..] {
        _ if !test.contains("::") => Err(format!("no module: {test}")),
        [one] => Ok(one),
        [] => {
            let name = test.rsplit("::").next().unwrap_or(test);
            let same: Vec<_> = all.iter().filter(|path| ends(path, name)).collect();
            Err(format!("no test {test}; of that name there are {same:?}"))
        }
        _ => Err(format!("more than one test {test}: {found:?}")),
    }
}

/// The functions with `#[test]` above them, among other attributes.
fn tests_in(source: &str) -> Vec<&str> {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let mut names = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let above = lines[..at].iter().rev();
        let mut attributes = above.take_while(|line| line.starts_with("#["));
        let function = line
            .strip_prefix("fn ")
            .and_then(|rest| rest.split_once('('));
        if let Some((name, _)) = function
            && attributes.any(|line| *line == "#[test]")
        {
            names.push(name);
        }
    }
    names
}

fn has_test(source: &str, name: &str) -> bool {
    tests_in(source).contains(&name)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(root().join(file)).ok()
}

fn sources(dir: PathBuf, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// All tests of the crate that a row may name: `handshake::uri::ports`, `topics::time::the_defaults`.
fn all_tests() -> Vec<String> {
    let mut tests = Vec::new();
    for dir in ["src", "tests/rules", "tests/models"] {
        let mut files = Vec::new();
        sources(root().join(dir), &mut files);
        for file in files {
            let module = file.strip_prefix(root().join(dir)).unwrap();
            let module = module.with_extension("");
            let words = module.iter().map(|part| part.to_str().unwrap());
            // Files of a folder, and of the tests beside a file.
            let words = words.filter(|part| !["lib", "main", "mod", "tests"].contains(part));
            let module: Vec<_> = words.collect();
            for name in tests_in(&fs::read_to_string(&file).unwrap()) {
                tests.push([&module[..], &[name]].concat().join("::"));
            }
        }
    }
    tests
}

/// Every row has tests that are there, or says why it is not ours.
#[test]
fn every_rule_is_held() {
    let faults = faults(MATRIX, &all_tests());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(parse(MATRIX).unwrap().rows.len() >= ROWS);
}

/// Where the requirements lie beside the checkout: the matrix has all of them, each once, beside those
/// that have come since.
#[test]
fn no_row_is_missing() {
    let Some(requirements) = read("../shared/spec/requirements.md") else {
        return;
    };
    let ids = |text: &str, line_id: fn(&str) -> Option<&str>| -> BTreeMap<String, usize> {
        let mut ids = BTreeMap::new();
        for id in text.lines().filter_map(line_id) {
            *ids.entry(id.to_string()).or_default() += 1;
        }
        ids
    };
    let theirs = ids(&requirements, |line| {
        let id = line.strip_prefix("| ")?.split_once(" |")?.0;
        let (name, number) = id.split_once('-')?;
        let upper = name.bytes().all(|byte| byte.is_ascii_uppercase());
        (upper && number.parse::<u32>().is_ok()).then_some(id)
    });
    let ours = ids(MATRIX, |line| {
        Some(line.split_once(" | ")?.0).filter(|id| !id.contains(' '))
    });
    let missing = |id: &&String| ours.get(*id) != Some(&1);
    let missing: Vec<_> = theirs.keys().filter(missing).collect();
    assert!(missing.is_empty() && !theirs.is_empty(), "{missing:?}");
    assert!(ours.values().all(|rows| *rows == 1), "{ours:?}");
}

/// The checks themselves: each fault, planted, is found.
#[test]
fn faults_are_found() {
    const GOOD: &str = "# x\n== A 2 title\nA-1 | rule | RFC 1 §2 | a::holds, b::c::holds\nA-2 | rule | RFC 1 §3 | no the driver's\n";
    let all = ["x::a::holds", "b::c::holds", "d::twice", "e::d::twice"].map(String::from);
    assert_eq!(faults(GOOD, &all), [""; 0]);
    for (from, to, fault) in [
        ("== A 2", "== A 3", "missing [\"A-3\"]"),
        ("A-2", "A-1", "missing [\"A-2\"]"),
        ("rule | RFC 1 §2", " | RFC 1 §2", "A-1: no rule"),
        ("RFC 1 §3", "", "A-2: no rule or no section"),
        ("no the driver's", "no ", "A-2: why is it not ours?"),
        (
            "a::holds",
            "a::hold",
            "A-1: no test a::hold; of that name there are []",
        ),
        (
            "a::holds",
            "b::holds",
            "A-1: no test b::holds; of that name there are [\"x::a::holds\"",
        ),
        ("a::holds", "holds", "A-1: no module: holds"),
        ("a::holds", "d::twice", "A-1: more than one test d::twice"),
        ("a::holds, b::c::holds", "", "A-1: no module: "),
        (
            "A-1 | rule | ",
            "A-1 | rule ",
            "what is this? A-1 | rule RFC",
        ),
        ("== A 2", "== A two", "what is this? == A two"),
    ] {
        assert!(GOOD.contains(from));
        let found = faults(&GOOD.replacen(from, to, 1), &all);
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{from}: {found:?}"
        );
    }
    let source = "/// It does.\n#[test]\n#[ignore]\nfn holds() {}\nfn helper() {}\n    #[test]\n    fn also(x in y) {}";
    assert_eq!(tests_in(source), ["holds", "also"]);
}
