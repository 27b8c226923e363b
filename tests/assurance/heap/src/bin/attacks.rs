//! Every attack, for counting instructions: `tests/assurance/heap/linear` runs this under valgrind. What is
//! counted is one function; a line is printed for each time that it ran. By itself this program
//! measures nothing.

use std::hint::black_box;

use sansocket_heap::attacks::{ATTACKS, ROLES, Scene, deliver};

/// How long the attacks are: the second twice as long as the first.
const SIZES: [usize; 2] = [1 << 13, 1 << 14];

/// What is counted, by this name.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn counted_attack(scene: &mut Scene, read: usize) {
    black_box(deliver(scene, read));
}

/// A reader as others had it, which has to be found out: it looks at all that it has with each byte.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn counted_control(scene: &mut Scene, _: usize) {
    let mut gathered = Vec::new();
    for byte in &scene.stream {
        gathered.push(*byte);
        black_box(gathered.windows(4).any(|end| end == b"\r\n\r\n"));
    }
}

fn main() {
    for attack in ATTACKS {
        for role in ROLES {
            for deflate in [false, true] {
                for read in [1, usize::MAX] {
                    for n in SIZES {
                        let Some(mut scene) = (attack.scene)(role, deflate, n) else {
                            continue;
                        };
                        counted_attack(&mut scene, read);
                        let read = if read == 1 { "each byte" } else { "whole" };
                        let deflate = if deflate { "deflate" } else { "plain" };
                        println!("{n}\t{}\t{role:?}, {deflate}, {read}", attack.name);
                    }
                }
            }
        }
    }
    for n in SIZES.map(|n| n / 4) {
        let control = ATTACKS
            .iter()
            .find_map(|attack| (attack.scene)(ROLES[0], false, n));
        counted_control(&mut control.expect("there is one"), 1);
        println!("{n}\tcontrol\ta reader that is quadratic");
    }
}
