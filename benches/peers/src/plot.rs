//! A plot of some of the work: bars of how much longer than ours the others take.

use std::fmt::Write as _;

use crate::work::{Kind, Measured};

/// Short titles of what is shown.
const SHOWN: [(&str, &str); 8] = [
    ("receive, masked, 32 B", "receive 32 B"),
    ("receive, masked, 1..125 B", "receive 1–125 B, random"),
    (
        "receive, masked, 16 KiB, reads of what suits each",
        "receive 16 KiB",
    ),
    (
        "receive, masked, multi-byte text, 1 KiB",
        "receive text 1 KiB",
    ),
    ("send, server, 32 B, 64 a flush", "send 32 B, server"),
    ("send, client, 1 KiB, 64 a flush", "send 1 KiB, client"),
    ("echo, server, 32 B", "echo 32 B"),
    ("opening handshake, server", "opening handshake"),
];

const BAR: usize = 13;
const LEFT: usize = 190;
const WIDTH: usize = 820;
/// A bar beyond this many times ours is cut.
const MOST: f64 = 16.0;

pub fn svg(works: &[Measured]) -> String {
    let mut body = String::new();
    let mut y = 40;
    for (title, label) in SHOWN {
        let Some(work) = works.iter().find(|work| work.title == title) else {
            continue;
        };
        let Some(ours) = work.ours() else {
            continue;
        };
        let _ = writeln!(
            body,
            r#"<text x="10" y="{}" class="title">{label}</text>"#,
            y + 10
        );
        let mut rows: Vec<_> = work
            .figures
            .iter()
            .filter(|figure| {
                figure.name == ours.name || matches!(figure.kind, Kind::Full | Kind::Partial)
            })
            .collect();
        rows.sort_by(|a, b| a.nanos.total_cmp(&b.nanos));
        for figure in rows {
            let times = figure.nanos / ours.nanos;
            let width = (times.min(MOST) / MOST * (WIDTH - LEFT - 170) as f64).max(2.0);
            let class = match figure.kind {
                Kind::Ours => "ours",
                Kind::Partial => "part",
                _ => "peer",
            };
            let cut = if times > MOST { " →" } else { "" };
            let _ = writeln!(
                body,
                r#"<rect x="{LEFT}" y="{y}" width="{width:.0}" height="{}" class="{class}"/><text x="{:.0}" y="{}">{} {times:.1} ×{cut}</text>"#,
                BAR - 2,
                LEFT as f64 + width + 6.0,
                y + 10,
                figure.name,
            );
            y += BAR;
        }
        y += BAR;
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" role="img">
<style>text {{ font: 11px sans-serif; fill: #333 }} .title {{ font-weight: bold }} .ours {{ fill: #2a7 }} .peer {{ fill: #aac }} .part {{ fill: #dde }} .back {{ fill: #fff }}</style>
<rect class="back" width="{WIDTH}" height="{y}"/>
<text x="10" y="20" class="title">Time per message, sansocket = 1 (shorter is faster; pale: leaves the checks to its user)</text>
{body}</svg>
"#
    )
}
