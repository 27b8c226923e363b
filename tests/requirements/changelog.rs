//! The defects in CHANGELOG.md: each names what holds it now, and that is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{has_test, read};

/// What holds the defects of a group, behind `held by` in the line that begins it, or one of them,
/// behind `: ` or `held by`. Names of tests and seeds; what has a slash is where they are.
fn held_by(text: &str) -> Vec<&str> {
    let from = [": `", "eld by"].map(|mark| text.find(mark).unwrap_or(text.len()));
    let rest = &text[from[0].min(from[1])..];
    rest.split('`').skip(1).step_by(2).collect()
}

/// What is wrong with the lists of defects, and how many there are, given what there is.
fn faults(changelog: &str, is_there: &dyn Fn(&str) -> bool) -> (Vec<String>, usize) {
    let (mut faults, mut defects) = (Vec::new(), 0);
    let sections = changelog
        .split("\n### ")
        .filter(|section| section.starts_with("Fixed"));
    for section in sections {
        let section = section.split("\n## ").next().unwrap_or_default();
        // Paragraphs and points, each in one line.
        let text = section.replace("\n  ", " ").replace("\n- ", "\n\n- ");
        let mut group = Vec::new();
        for block in text.split("\n\n").skip(1) {
            let block = block.trim().replace('\n', " ");
            let names = held_by(&block);
            for name in names.iter().filter(|name| !is_there(name)) {
                faults.push(format!("no {name}: {block}"));
            }
            let names = names.iter().filter(|name| !name.contains('/'));
            if !block.starts_with("- ") {
                group = names.map(ToString::to_string).collect();
            } else {
                defects += 1;
                if group.is_empty() && names.count() == 0 {
                    faults.push(format!("held by nothing: {block}"));
                }
            }
        }
    }
    (faults, defects)
}

fn find(dir: &Path, sources: &mut Vec<String>, seeds: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["target", "node_modules"].contains(&name) && !name.starts_with('.') {
                find(&path, sources, seeds);
            }
        } else if name.ends_with(".rs") {
            sources.push(fs::read_to_string(&path).unwrap());
        } else if path.components().any(|part| part.as_os_str() == "seeds") {
            seeds.insert(name.into());
        }
    }
}

/// Each defect that was found has a test or a seed that is there.
#[test]
fn every_defect_is_held() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut sources, mut seeds) = (Vec::new(), BTreeSet::new());
    find(root, &mut sources, &mut seeds);
    let is_there = |name: &str| match name.contains('/') {
        true => root.join(name).exists(),
        false => seeds.contains(name) || sources.iter().any(|source| has_test(source, name)),
    };
    let (faults, defects) = faults(&read("CHANGELOG.md").unwrap(), &is_there);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(defects >= 16, "{defects}");
}

/// The check itself: each fault, planted, is found.
#[test]
fn faults_of_the_changelog_are_found() {
    const GOOD: &str = "# Log\n\n### Added\n\n- `x`: y.\n\n### Fixed\n\nFound by `a`, held by its `t` in\n`d/`:\n\n\
        - One of two\n  lines.\n- Another.\n\nFound by reading:\n\n- A third: `u` and\n  `s`.\n\n## Old\n\n- `z`\n";
    let is_there = |name: &str| ["t", "u", "s", "d/"].contains(&name);
    assert_eq!(faults(GOOD, &is_there), (vec![], 3));
    for (from, to, fault) in [
        ("its `t`", "it", "held by nothing: - One of two lines."),
        ("its `t`", "its `v`", "no v: Found by"),
        ("`d/`", "`e/`", "no e/"),
        ("`s`", "`v`", "no v: - A third"),
        ("`u` and\n  `s`", "it", "held by nothing: - A third"),
    ] {
        assert!(GOOD.contains(from));
        let (found, _) = faults(&GOOD.replacen(from, to, 1), &is_there);
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{from}: {found:?}"
        );
    }
}
