//! Where and with what it was measured.

use std::process::Command;

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "?".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().into(),
    )
}

pub fn describe() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": "))
            .map_or("?", |(_, value)| value)
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{} (family {}, model {}), {cores} cores, {} {}, {}, {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        output("rustc", &["--version"]),
        output("date", &["-u", "+%Y-%m-%d"]),
    )
}

/// The crates that are measured, with their versions: those that the manifest pins.
pub fn versions(manifest: &str) -> String {
    let pinned = manifest.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" = ")?;
        let (_, version) = rest.split_once("\"=")?;
        let (version, _) = version.split_once('"')?;
        Some(format!("{name} {version}"))
    });
    pinned.collect::<Vec<_>>().join(", ")
}
