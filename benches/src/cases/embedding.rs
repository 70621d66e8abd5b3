//! What an app pays for having it: the size of its stripped binary, the crates, the time of a clean build.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::contender::cargo;
use crate::table::time;
use crate::{Bench, Fallible};

const APPS: [&str; 2] = ["lifeboat", "rusqlite_migration"];

pub fn run(bench: &mut Bench) -> Fallible<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("minimal");
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for app in APPS {
        let manifest = here.join(app).join("Cargo.toml");
        let target = bench.contenders.target.join("embedding").join(app);
        let mut numbers = vec![crates(&manifest)? as f64];
        for profile in ["debug", "release"] {
            let words: &[&str] =
                if profile == "release" { &["build", "--release", "--quiet"] } else { &["build", "--quiet"] };
            let timed = |before: &[&str]| -> Fallible<f64> {
                let _ = fs::remove_dir_all(&target);
                if !before.is_empty() {
                    cargo(&[words, before].concat(), &manifest, &target)?;
                }
                let started = Instant::now();
                cargo(words, &manifest, &target)?;
                Ok(started.elapsed().as_nanos() as f64)
            };
            numbers.push(timed(&[])?);
            numbers.push(timed(&["--package", "libsqlite3-sys"])?);
            if profile == "release" {
                let binary = target.join(profile).join(format!("minimal-{app}"));
                numbers.push(fs::metadata(binary)?.len() as f64);
            }
        }
        let _ = fs::remove_dir_all(&target);
        columns.push(numbers);
    }
    let names = [
        "crates in the binary",
        "clean debug build",
        "the same, SQLite compiled before",
        "clean release build",
        "the same, SQLite compiled before",
        "stripped release binary",
    ];
    let titles = APPS.map(|app| bench.contenders.title(app));
    let mut text = format!(
        "### the least app on it, SQLite bundled\n\n| | {} | {} | ratio |\n|---|---:|---:|---:|",
        titles[0], titles[1]
    );
    for (at, name) in names.iter().enumerate() {
        let (ours, theirs) = (columns[0][at], columns[1][at]);
        let shown = |value: f64| match at {
            0 => format!("{value}"),
            5 => format!("{:.0} KiB", value / 1024.0),
            _ => time(value),
        };
        text += &format!("\n| {name} | {} | {} | {:.2} |", shown(ours), shown(theirs), ours / theirs);
    }
    bench.tables.note(&text);
    bench.tables.data(json!({ "case": "embedding", "rows": names, "columns": columns, "apps": APPS }));
    Ok(())
}

fn crates(manifest: &Path) -> Fallible<usize> {
    let words = ["tree", "--edges", "normal", "--prefix", "none", "--no-dedupe", "--manifest-path"];
    let output = Command::new("cargo").args(words).arg(manifest).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    lines.sort_unstable();
    lines.dedup();
    Ok(lines.len())
}
