//! The captures of the library, and other files, damaged by chance.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails by a panic"
)]

mod oracle;

use std::fs;
use std::path::Path;

/// Numbers that look as if by chance, the same each time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % most as u64).unwrap()
    }
}

#[test]
fn nothing_in_a_file_makes_it_panic_or_grow() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut chance = Chance(1);
    let mut tried = 0;
    for path in files {
        let file = fs::read(&path).unwrap();
        // The others are what is shown of them.
        if !["pcap", "pcapng", "har", "wsr"]
            .iter()
            .any(|end| path.extension().is_some_and(|it| it == *end))
        {
            continue;
        }
        for round in 0..60 {
            let mut damaged = file.clone();
            for _ in 0..chance.below(6) {
                let at = chance.below(damaged.len());
                match chance.below(4) {
                    0 => damaged[at] ^= 1 << chance.below(8),
                    1 => damaged[at] = [0, 0xff, 0x7f, 0x80][chance.below(4)],
                    2 => damaged.truncate(at + 1),
                    _ => {
                        let end = (at + chance.below(40)).min(damaged.len());
                        let again = damaged[at..end].to_vec();
                        damaged.splice(at..at, again);
                    }
                }
            }
            damaged.push(round * 4 + 3);
            oracle::any_bytes_as_a_file(&damaged);
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn blanks_before_json_may_come_byte_by_byte() {
    for blanks in [
        "\n\r\r\n",
        "\u{feff}",
        "\u{feff}                    ",
        "   \n",
        "",
    ] {
        let har = format!("{blanks}{{\"log\":{{\"entries\":[]}}}}");
        for choice in [0, 10, 30, 250] {
            oracle::any_bytes_as_a_file(&[har.as_bytes(), &[choice]].concat());
        }
    }
}
