//! Compressed messages by this crate and by plain zlib-rs, for counting instructions: the same bytes,
//! settings and resets. `benches/instructions/run` runs this under valgrind and holds ours against
//! zlib-rs's. Messages are short: a long copy is one instruction that valgrind counts once for each byte. By
//! itself this program measures nothing.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench is no library, and fails by a panic"
)]

#[allow(dead_code, reason = "it has more than is needed here")]
#[path = "../common/compressed.rs"]
mod compressed;

use std::hint::black_box;

use compressed::{OurReader, OurSender, PlainReader, PlainSender, Setting, messages};

/// What is counted: functions that are never inlined. The names keep the compiler from making one
/// function of two alike.
macro_rules! settings {
    ($($setting:ident: $level:expr, $takeover:expr, $bits:expr;)*) => {
        $(mod $setting {
            use super::*;

            #[inline(never)]
            fn ours_compress(sender: &mut OurSender, texts: &[String]) {
                black_box(stringify!($setting));
                texts.iter().for_each(|text| _ = sender.send(text));
            }

            #[inline(never)]
            fn zlib_compress(sender: &mut PlainSender, texts: &[String]) {
                black_box(stringify!($setting));
                texts.iter().for_each(|text| _ = sender.send(text));
            }

            #[inline(never)]
            fn ours_decompress(reader: &mut OurReader, frames: &[Vec<u8>]) {
                black_box(stringify!($setting));
                frames.iter().for_each(|frame| _ = reader.read(frame));
            }

            #[inline(never)]
            fn zlib_decompress(reader: &mut PlainReader, frames: &[Vec<u8>]) {
                black_box(stringify!($setting));
                frames.iter().for_each(|frame| _ = reader.read(frame));
            }

            pub fn run(texts: &[String]) {
                let setting = Setting::new($level, $takeover, $bits);
                let mut sender = OurSender::new(setting);
                let mut plain_sender = PlainSender::new(setting);
                let (mut reader, mut plain_reader) = (OurReader::new(setting), PlainReader::new(setting));
                let mut frames = |_| -> Vec<Vec<u8>> {
                    texts.iter().map(|text| sender.frame(text)).collect()
                };
                // The second round refers to the first; what is allocated once is there by then.
                let [first, second] = [0, 1].map(&mut frames);
                first.iter().for_each(|frame| _ = reader.read(frame));
                first.iter().for_each(|frame| _ = plain_reader.read(frame));
                texts.iter().for_each(|text| _ = plain_sender.send(text));
                texts.iter().for_each(|text| _ = plain_sender.send(text));
                ours_compress(&mut sender, texts);
                zlib_compress(&mut plain_sender, texts);
                ours_decompress(&mut reader, &second);
                zlib_decompress(&mut plain_reader, &second);
                println!("{} {}", stringify!($setting), texts.len());
            }
        })*

        fn main() {
            let texts = messages(1 << 10);
            $($setting::run(&texts);)*
        }
    };
}

settings! {
    level_1_dropped: 1, false, 15;
    level_1_kept: 1, true, 15;
    level_3_dropped: 3, false, 15;
    level_3_kept: 3, true, 15;
    level_6_dropped: 6, false, 15;
    level_6_kept: 6, true, 15;
    level_3_window_12_dropped: 3, false, 12;
    level_3_window_12_kept: 3, true, 12;
    level_3_window_9_dropped: 3, false, 9;
    level_3_window_9_kept: 3, true, 9;
}
