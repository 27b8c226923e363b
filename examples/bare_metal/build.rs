//! Tells the linker where the board has its memory.

use std::{env, fs, path::PathBuf};

fn main() {
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    // What a crate for a device brings: no interrupt has a handler of its own.
    let _ = fs::write(out.join("device.x"), "");
    let copied = fs::write(out.join("memory.x"), include_str!("memory.x"));
    assert!(copied.is_ok(), "{copied:?}");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=memory.x");
}
