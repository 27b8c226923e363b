//! What a hostile peer can take (RFC 6455 §10.4): never more than twice the limit, and never more
//! than in proportion to what it sends; in both roles, with compression and without, whole and cut
//! at each byte. The instructions are counted by `tests/assurance/heap/linear`.
#![cfg(feature = "deflate")]

use std::time::Duration;

use sansocket::config::{Budgets, Limits};
use sansocket_heap::attacks::{ATTACKS, Attack, ROLES, deliver};
use sansocket_heap::{Use, count};

/// What stands beside the bytes that are limited: the few boxes of a connection's rare parts.
const BOXES: usize = 1040;

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

/// Every attack, in both roles, with and without compression, in reads of each size, under other limits: the
/// failure, and the most that the connection held.
fn under(change: impl Fn(&mut Limits, bool), each: impl Fn(&Attack, &str, &str, usize, usize)) {
    for attack in ATTACKS {
        for role in ROLES {
            for deflate in [false, true] {
                for read in [1, 1000, usize::MAX] {
                    let Some(mut scene) = (attack.scene)(role, deflate, 1 << 14) else {
                        continue;
                    };
                    let mut limits = *scene.ws.limits();
                    change(&mut limits, deflate);
                    scene.ws.set_limits(limits);
                    scene.ws.advance_time(Duration::ZERO);
                    let held = scene.ws.memory_held();
                    let (failure, used) = count(|| deliver(&mut scene, read));
                    let failed = failure.map_or(String::new(), |failure| format!("{failure:?}"));
                    let most = held + used.peak;
                    each(attack, scene.fails, &failed, most, limits.memory as usize);
                }
            }
        }
    }
}

/// Under a ceiling that leaves little room each attack stays below it, to the byte; it fails as it does without
/// one, or at the ceiling.
#[test]
fn no_attack_passes_a_ceiling() {
    let ceiling = |limits: &mut Limits, deflate: bool| {
        limits.memory = if deflate { 700 << 10 } else { 20 << 10 };
    };
    under(ceiling, |attack, fails, failed, most, memory| {
        let name = attack.name;
        assert!(most <= memory, "{name}: {most} of {memory}");
        let expected = failed.contains(fails) && failed.is_empty() == fails.is_empty();
        let opening = [
            "Memory",
            "HeadTooLong",
            "TargetTooLong",
            "TooManyFields",
            "HeldTooLong",
        ];
        let bounded = opening.iter().any(|limit| failed.contains(limit));
        assert!(expected || bounded, "{name}: {failed}");
    });
}

/// Under tight budgets those attacks end that cost their sender little for each frame.
#[test]
fn attacks_run_out_of_budget() {
    let tight = |limits: &mut Limits, _| limits.budgets = Budgets::tight();
    under(tight, |attack, fails, failed, _, _| {
        let named = BUDGETS.iter().find(|(name, _)| *name == attack.name);
        let expected = named.map_or(fails, |(_, limit)| limit);
        let name = attack.name;
        assert!(failed.contains(expected), "{name}: {failed}");
        assert_eq!(failed.is_empty(), expected.is_empty(), "{name}: {failed}");
    });
}

/// Which budget ends which attack.
const BUDGETS: [(&str, &str); 8] = [
    ("fragments of one byte", "limit: TinyFragments"),
    ("fragments of one byte of text", "limit: TinyFragments"),
    ("empty fragments without end", "limit: EmptyFrames"),
    ("empty fragments over the limit", "limit: EmptyFrames"),
    ("a mixture that never ends a message", "limit: EmptyFrames"),
    ("pings of a peer that does not read", "limit: Pings"),
    ("an echo for a peer that does not read", "limit: Pings"),
    ("an echo for a peer that reads slowly", "limit: Pings"),
];
