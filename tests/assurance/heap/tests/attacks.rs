//! What a hostile peer can take (RFC 6455 §10.4): never more than twice the limit, and never more
//! than in proportion to what it sends; in both roles, with compression and without, whole and cut
//! at each byte. The instructions are counted by `tests/assurance/heap/linear`.
#![cfg(feature = "deflate")]

use sansocket_heap::attacks::{ATTACKS, Attack, ROLES, deliver};
use sansocket_heap::{Use, count};

/// What stands beside the bytes that are limited: the few boxes of a connection's rare parts.
const BOXES: usize = 1024;

fn sizes() -> [usize; 2] {
    [1 << 13, 1 << 14]
}

fn run(attack: &Attack, each: impl Fn(&str, [(Use, usize); 2])) {
    for role in ROLES {
        for deflate in [false, true] {
            for read in [1, 1000, usize::MAX] {
                let what = format!(
                    "{}: {role:?}, deflate {deflate}, reads of {read}",
                    attack.name
                );
                let uses = sizes().map(|n| {
                    let mut scene = (attack.scene)(role, deflate, n)?;
                    let (failure, used) = count(|| deliver(&mut scene, read));
                    // The attack is what it says.
                    let failed = failure.map_or(String::new(), |failure| format!("{failure:?}"));
                    assert!(
                        failed.contains(scene.fails) && failed.is_empty() == scene.fails.is_empty(),
                        "{what}: {failed:?}"
                    );
                    // A buffer that has to move to grow stands there twice for that moment.
                    Some((used, 2 * scene.limit + scene.codecs + BOXES))
                });
                if let [Some(one), Some(two)] = uses {
                    each(&what, [one, two]);
                }
            }
        }
    }
}

/// Twice the limit at most, and what does not depend on it.
#[test]
fn no_attack_takes_more_than_twice_the_limit() {
    for attack in ATTACKS {
        run(attack, |what, uses| {
            for (used, most) in uses {
                assert!(used.peak <= most, "{what}: {used:?} of {most}");
            }
        });
    }
}

/// Twice the input takes no more than twice as much, one after the other, and as often.
#[test]
fn what_attacks_take_is_linear() {
    for attack in ATTACKS {
        run(attack, |what, [(one, _), (two, _)]| {
            assert!(
                two.total <= one.total * 9 / 4 + BOXES,
                "{what}: {one:?} {two:?}"
            );
            assert!(
                two.calls <= one.calls * 9 / 4 + 8,
                "{what}: {one:?} {two:?}"
            );
        });
    }
}
