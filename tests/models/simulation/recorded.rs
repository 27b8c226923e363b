//! What fails is recorded, so that it can be played without the simulation.

use std::panic::{set_hook, take_hook};
use std::path::PathBuf;

use sansocket::replay::{Ended, Replay};

use crate::world::record;

/// Writes the recordings of both ends to files, and tells where they are.
pub(crate) fn write(seed: u64, recordings: &[Vec<u8>; 2]) -> [PathBuf; 2] {
    let file = |at: usize| {
        let name = format!("simulation-{seed}-{}.wsr", ["server", "client"][at]);
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, &recordings[at]).unwrap();
        println!("recorded: {}", path.display());
        path
    };
    [file(0), file(1)]
}

/// A simulation that fails, as somebody wants it to, plays from its files: as many messages come as had come.
#[test]
fn what_fails_plays_again() {
    let mut played = 0;
    for seed in 1..40 {
        let came = std::cell::Cell::new([0; 2]);
        // Three messages are too many for this one.
        let fails = std::panic::AssertUnwindSafe(|| {
            record(seed, usize::MAX, |ends| {
                came.set([ends[0].delivered, ends[1].delivered]);
                assert!(ends[0].delivered < 3, "three messages");
            })
        });
        let told = take_hook();
        set_hook(Box::new(|_| ()));
        let recorded = std::panic::catch_unwind(fails);
        set_hook(told);
        let Ok(Some(recordings)) = recorded else {
            continue;
        };
        let files = write(seed, &recordings);
        for (file, came) in files.iter().zip(came.get()) {
            let recording = std::fs::read(file).unwrap();
            let mut replay = Replay::new(&recording).unwrap();
            let (mut whole, mut chunks) = (0, 0);
            while let Some(step) = replay.step().unwrap() {
                match step.event {
                    Some(sansocket::Event::Message(_)) => whole += 1,
                    Some(sansocket::Event::Chunk(chunk)) => chunks += u64::from(chunk.last),
                    _ => {}
                }
            }
            assert_eq!(replay.ended(), Some(Ended::Taken));
            assert_eq!(whole + chunks, came, "seed {seed}");
            std::fs::remove_file(file).unwrap();
        }
        played += 1;
    }
    assert!(played > 5, "{played} that got so far");
}
