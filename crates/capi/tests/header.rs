//! The header is what the sources say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::path::Path;
use std::{env, fs};

/// `WRITE_HEADER=1 cargo test --test header` writes it.
#[test]
fn the_header_is_made_from_the_sources() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::generate_with_config(here, config).unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    let path = here.join("include/sansocket.h");
    if env::var_os("WRITE_HEADER").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let written = fs::read(&path).expect("WRITE_HEADER=1 cargo test --test header");
    assert!(written == made, "WRITE_HEADER=1 cargo test --test header");
}
