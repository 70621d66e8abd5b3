//! The first launch of all: there is no file, and all migrations run.

use std::path::Path;
use std::process::Command;

use super::base::baselines;
use crate::contender::PEERS;
use crate::table::{Entry, Goal, Ratio, interleave};
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    let baseline = baselines(bench)?;
    for set in ["100", "1000"] {
        let entries = ["lifeboat"].into_iter().chain(PEERS).map(|name| {
            let bench = &*bench;
            Entry::new(bench.contenders.title(name), move || {
                let folder = format!("create-{name}");
                bench.place.remove(&folder);
                let file = bench.place.file(&folder, "app.db");
                bench.place.settle(&bench.place.root)?;
                bench.contenders.run(name, &[&"launch", &set, &file])
            })
        });
        let rounds = if set == "100" { bench.options.some() } else { bench.options.rounds.min(5) };
        let rows = interleave(rounds, true, entries.collect())?;
        let goals = [Goal { over: "lifeboat", under: "rusqlite_migration", at_most: 1.0 }];
        bench.tables.add(&format!("first creation with {set} migrations"), Ratio::FirstToEach, &goals, rows, &baseline);
        let syncs: Vec<String> = ["lifeboat"]
            .into_iter()
            .chain(PEERS)
            .map(|name| Ok(format!("{name} {}", syncs(bench, name, set)?)))
            .collect::<Fallible<_>>()?;
        bench.tables.note(&format!(
            "Syncs in that run: {}. All are durable at the end: lifeboat syncs the finished file and its name, the others \
             leave SQLite's `synchronous = FULL` as it is.",
            syncs.join(", ")
        ));
    }
    Ok(())
}

fn syncs(bench: &Bench, name: &str, set: &str) -> Fallible<String> {
    let folder = format!("create-{name}");
    bench.place.remove(&folder);
    let file = bench.place.file(&folder, "app.db");
    let log = bench.place.root.join("trace");
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o"])
        .arg(&log)
        .arg(bench.contenders.path(name))
        .args([Path::new("launch"), Path::new(set), &file])
        .output();
    bench.place.remove(&folder);
    match traced {
        Ok(output) if output.status.success() => {
            let text = std::fs::read_to_string(log)?;
            Ok(text.lines().filter(|line| line.contains("sync") && !line.contains(" resumed>")).count().to_string())
        }
        _ => Ok("unknown (no `strace`)".to_owned()),
    }
}
