//! The matrix of requirements (`matrix.txt`, where its form is explained) against the sources, and the
//! advisories of other libraries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod advisories;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const MATRIX: &str = include_str!("matrix.txt");

/// All rows there are. The rows of each section are counted in the file itself.
const ROWS: usize = 303;

/// Where a rule is enforced, how it is broken for a trial, and what fails then.
#[derive(Default)]
struct Place<'m> {
    code: (&'m str, &'m str),
    to: Option<&'m str>,
    broken_as: Option<&'m str>,
    tests: Vec<(&'m str, &'m str)>,
}

#[derive(Default)]
struct Row<'m> {
    id: &'m str,
    text: &'m str,
    places: Vec<Place<'m>>,
    unbroken: Option<&'m str>,
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
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || format!("what is this? {line}");
        let (word, rest) = line.split_once(' ').ok_or_else(wrong)?;
        let pair = || rest.split_once(": ").ok_or_else(wrong);
        if word == "==" {
            let mut words = rest.split(' ');
            let name = words.next().ok_or_else(wrong)?;
            let count = words.next().and_then(|count| count.parse().ok());
            matrix.sections.push((name, count.ok_or_else(wrong)?));
            continue;
        }
        if let Some(text) = rest.strip_prefix("| ") {
            matrix.rows.push(Row {
                id: word,
                text,
                ..Row::default()
            });
            continue;
        }
        let row = matrix.rows.last_mut().ok_or_else(wrong)?;
        if word == "in" {
            row.places.push(Place {
                code: pair()?,
                ..Place::default()
            });
            continue;
        }
        match (word, row.places.last_mut()) {
            ("unbroken", _) => row.unbroken = Some(rest),
            ("no", _) => row.not_ours = Some(rest),
            ("to", Some(place)) => place.to = Some(rest),
            ("as", Some(place)) => place.broken_as = Some(rest),
            ("by", Some(place)) => place.tests.push(pair()?),
            _ => return Err(wrong()),
        }
    }
    Ok(matrix)
}

impl Matrix<'_> {
    /// The names of the changes: `U-1` for the first of a row, `U-1.2` for the second.
    fn changes(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for row in &self.rows {
            let changed = row.places.iter().filter(|place| place.to.is_some());
            for (i, _) in changed.enumerate() {
                names.insert(match i {
                    0 => row.id.to_string(),
                    i => format!("{}.{}", row.id, i + 1),
                });
            }
        }
        names
    }
}

/// What is wrong with a matrix, given a way to read files.
fn faults(text: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
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
    let changes = matrix.changes();
    for row in &matrix.rows {
        let id = row.id;
        let mut fault = |what: String| faults.push(format!("{id}: {what}"));
        let tests = row
            .places
            .iter()
            .map(|place| place.tests.len())
            .sum::<usize>();
        if row.text.is_empty() {
            fault("no text".into());
        }
        match row.not_ours {
            Some(why) if why.is_empty() || tests > 0 => fault("ours or not?".into()),
            None if tests == 0 => fault("neither code with a test, nor why it is not ours".into()),
            _ => {}
        }
        let broken = |place: &Place<'_>| place.to.is_some() || place.broken_as.is_some();
        let any_broken = row.places.iter().any(broken);
        if row.not_ours.is_none() && any_broken == row.unbroken.is_some() {
            fault("a change that breaks it, or why there is none".into());
        }
        for place in &row.places {
            let (file, code) = place.code;
            match read(file).map(|source| source.matches(code).count()) {
                None => fault(format!("no file {file}")),
                Some(1) => {}
                Some(n) => fault(format!("{n} times in {file}: {code}")),
            }
            if row.not_ours.is_none() && place.tests.is_empty() {
                fault(format!("no test for: {code}"));
            }
            if place.to.is_some_and(|to| !to.contains("BROKEN")) {
                fault("the change is not for a trial only".into());
            }
            if let Some(other) = place.broken_as.filter(|other| !changes.contains(*other)) {
                fault(format!("there is no change {other}"));
            }
            for (file, name) in &place.tests {
                if !read(file).is_some_and(|source| has_test(&source, name)) {
                    fault(format!("no test {name} in {file}"));
                }
            }
        }
    }
    faults
}

/// A function of that name with `#[test]` above it, among other attributes.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines[..at].iter().rev();
        let mut attributes = above.take_while(|line| line.starts_with("#["));
        line.starts_with(&head) && attributes.any(|line| *line == "#[test]")
    })
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()
}

/// Every row has code that is there and tests that are there, or says why it is not ours.
#[test]
fn every_row_is_kept() {
    let faults = faults(MATRIX, &read);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(parse(MATRIX).unwrap().rows.len(), ROWS);
}

/// Where the requirements lie beside the checkout: their IDs are those of the matrix.
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
    assert_eq!(ours, theirs);
}

/// The checks themselves: each fault, planted, is found, and only it.
#[test]
fn faults_are_found() {
    const GOOD: &str = "== A 2 title\nA-1 | text\nin a.rs: if x {\nto if x && !BROKEN {\n\
        by a.rs: holds\nA-2 | text\nno the driver's\n";
    let read = |file: &str| {
        (file == "a.rs").then(|| {
            "if x {}\nagain\nagain\n/// It does.\n#[test]\n#[ignore]\nfn holds() {}\nfn helper() {}"
                .to_string()
        })
    };
    assert_eq!(faults(GOOD, &read), [""; 0]);
    for (from, to, fault) in [
        ("== A 2", "== A 3", "missing [\"A-3\"]"),
        ("A-2 | text\nno the driver's\n", "", "missing [\"A-2\"]"),
        ("A-2", "A-1", "missing [\"A-2\"]"),
        ("no the driver's\n", "", "A-2: neither code"),
        ("in a.rs", "in b.rs", "A-1: no file b.rs"),
        ("in a.rs: if x {", "in a.rs: if y {", "A-1: 0 times in a.rs"),
        ("in a.rs: if x {", "in a.rs: again", "A-1: 2 times in a.rs"),
        ("by a.rs: holds", "by a.rs: hold", "A-1: no test hold in"),
        ("by a.rs: holds", "by a.rs: helper", "A-1: no test helper"),
        ("by a.rs: holds\n", "", "A-1: neither code"),
        ("&& !BROKEN", "&& y", "A-1: the change is not for a trial"),
        ("to if x && !BROKEN {\n", "", "A-1: a change that breaks it"),
        (
            "to if x && !BROKEN {",
            "as A-2",
            "A-1: there is no change A-2",
        ),
        ("no the driver's", "in a.rs: if x {", "A-2: neither code"),
        ("A-1 | text", "A-1 text", "what is this? A-1 text"),
        ("by a.rs: holds", "by holds", "what is this? by holds"),
    ] {
        assert!(GOOD.contains(from));
        let found = faults(&GOOD.replacen(from, to, 1), &read);
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{from}: {found:?}"
        );
    }
}
