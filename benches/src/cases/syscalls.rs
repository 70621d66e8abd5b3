//! The system calls of a launch with nothing to do, by `strace`, between opening the file and the first answer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::base::migrated;
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    if Command::new("strace").arg("-V").output().is_err() {
        bench.tables.note("**system calls: skipped, there is no `strace`**");
        return Ok(());
    }
    for mode in ["delete", "wal"] {
        let files = migrated(bench, "100", mode)?;
        let mut traces = Vec::new();
        for (name, file) in files.iter().take(3) {
            traces.push((bench.contenders.title(name), trace(bench, name, file)?));
        }
        let counts: Vec<BTreeMap<&str, usize>> = traces.iter().map(|(_, calls)| count(calls)).collect();
        let mut names: Vec<&str> = counts.iter().flat_map(|counts| counts.keys().copied()).collect();
        names.sort_unstable();
        names.dedup();
        let titles: Vec<&str> = traces.iter().map(|(title, _)| title.as_str()).collect();
        let mut text = format!(
            "### system calls of a launch with nothing to do: 100 known, journal `{mode}`\n\n| call | {} |\n|---|{}",
            titles.join(" | "),
            "---:|".repeat(titles.len())
        );
        let mut line = |name: &str, numbers: Vec<usize>| {
            let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
            text += &format!("\n| {name} | {} |", numbers.join(" | "));
        };
        for name in names {
            line(name, counts.iter().map(|counts| counts.get(name).copied().unwrap_or(0)).collect());
        }
        line("all", traces.iter().map(|(_, calls)| calls.len()).collect());
        for (title, calls) in &traces {
            let short: Vec<String> = calls.iter().map(|call| call.chars().take(110).collect()).collect();
            text +=
                &format!("\n\n<details><summary>{title}</summary>\n\n```text\n{}\n```\n\n</details>", short.join("\n"));
        }
        bench.tables.note(&text);
        bench.tables.data(json!({ "case": "syscalls", "journal": mode, "calls": traces }));
    }
    bench.place.remove("migrated");
    Ok(())
}

/// Between the two marks, one line a call.
fn trace(bench: &Bench, name: &str, file: &Path) -> Fallible<Vec<String>> {
    let log = bench.place.root.join("trace");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-s", "40", "-o"])
        .arg(&log)
        .arg(bench.contenders.path(name))
        .args(["launch", "100"])
        .arg(file)
        .env("BENCH_MARK", "1")
        .output()?
        .status;
    if !status.success() {
        return Err(format!("strace of {name} failed").into());
    }
    let text = std::fs::read_to_string(log)?;
    let root = bench.place.root.display().to_string();
    let between = text
        .lines()
        .skip_while(|line| !line.contains("/lifeboat-bench-begin"))
        .skip(1)
        .take_while(|line| !line.contains("/lifeboat-bench-end"))
        .filter(|line| !line.contains(" resumed>"))
        .map(|line| line.split_once(' ').map_or(line, |(_, call)| call).trim().replace(&root, "…"));
    Ok(between.collect())
}

fn count(calls: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.split('(').next().unwrap_or(call)).or_default() += 1;
    }
    counts
}
