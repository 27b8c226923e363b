//! The advisories of other libraries (`advisories.txt`, where its form is explained).

use std::collections::BTreeSet;

use super::{has_test, read};

const ADVISORIES: &str = include_str!("advisories.txt");

/// All rows there are.
const ROWS: usize = 54;

/// What is wrong with the file, given a way to read others.
fn faults(text: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let attacks = read("tests/assurance/heap/src/attacks.rs").unwrap_or_default();
    let mut unused: BTreeSet<_> = attacks
        .split("name: \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for row in text.split("\n\n") {
        let mut lines = row.lines().filter(|line| !line.starts_with('#'));
        let Some(title) = lines.next() else { continue };
        let mut fault = |what: String| faults.push(format!("{title}: {what}"));
        if !title.contains(" | ") {
            fault("no text".into());
        }
        let (mut tests, mut not_ours) = (0, false);
        for line in lines {
            match line.split_once(' ') {
                Some(("by", place)) => {
                    let (file, name) = place.split_once(": ").unwrap_or_default();
                    tests += 1;
                    if !read(file).is_some_and(|source| has_test(&source, name)) {
                        fault(format!("no test {name} in {file}"));
                    }
                }
                Some(("attack", name)) if attacks.contains(&format!("name: \"{name}\"")) => {
                    unused.remove(name);
                }
                Some(("no", why)) if !why.is_empty() => not_ours = true,
                _ => fault(format!("what is this? {line}")),
            }
        }
        if (tests > 0) == not_ours {
            fault("a test, or why there is none".into());
        }
    }
    faults.extend(
        unused
            .iter()
            .map(|name| format!("no row for the attack: {name}")),
    );
    faults
}

/// Each advisory has tests that are there, or says why it does not apply; each attack has one.
#[test]
fn every_advisory_is_held() {
    let faults = faults(ADVISORIES, &read);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let rows = ADVISORIES
        .lines()
        .filter(|line| line.contains(" | ") && !line.starts_with('#'));
    assert_eq!(rows.count(), ROWS);
}

/// Where the table of holes lies beside the checkout: each of its IDs has a row.
#[test]
fn no_advisory_is_missing() {
    let Some(table) = read("../shared/user-asks.md") else {
        return;
    };
    let section = table.split("\n## Security advisories").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .skip(1);
    let mut ids = 0;
    for row in rows {
        let first = row.split(" | ").next().unwrap();
        let words = first.split([' ', ',', ';', '(', ')', '/']).map(str::trim);
        for id in words.filter(|word| {
            ["CVE-", "GHSA-", "RUSTSEC-", "PYSEC-", "GO-"]
                .iter()
                .any(|kind| word.starts_with(kind))
                || word.contains('#')
        }) {
            ids += 1;
            assert!(ADVISORIES.contains(id), "{id}");
        }
    }
    assert!(ids > 60, "{ids}");
}

/// The checks themselves: each fault, planted, is found.
#[test]
fn faults_of_advisories_are_found() {
    const GOOD: &str = "A-1 | a: hole\nby a.rs: holds\nattack much\n\nA-2 | b: hole\nno TLS\n";
    let read = |file: &str| match file {
        "a.rs" => Some("#[test]\nfn holds() {}".to_string()),
        "tests/assurance/heap/src/attacks.rs" => Some("Attack { name: \"much\" }".into()),
        _ => None,
    };
    assert_eq!(faults(GOOD, &read), [""; 0]);
    for (from, to) in [
        ("by a.rs: holds\n", ""),
        ("by a.rs: holds", "by a.rs: hold"),
        ("by a.rs: holds", "by b.rs: holds"),
        ("attack much\n", ""),
        ("attack much", "attack more"),
        ("no TLS\n", ""),
        ("no TLS", "by a.rs: holds\nno TLS"),
        ("A-2 | b: hole", "A-2"),
    ] {
        assert_ne!(
            faults(&GOOD.replacen(from, to, 1), &read),
            [""; 0],
            "{from}"
        );
    }
}
