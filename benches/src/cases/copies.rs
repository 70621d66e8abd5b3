//! A copy of a big file alone, by everything that makes one, each with a sync.

use std::process::Command;

use super::base::{as_before, baselines, big, copy_of, cp, shell_backup};
use super::{GIB, MIB, size_text};
use crate::table::{Entry, Goal, Ratio, interleave};
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    let bytes = if bench.options.quick { 10 * MIB } else { GIB };
    let baseline = baselines(bench)?;
    let file = big(bench, bytes, "fill")?;
    let rows = {
        let (bench, file, copy) = (&*bench, file.as_path(), copy_of(&file));
        let bare = |title: &'static str, command: &'static str| {
            let copy = copy.clone();
            Entry::new(title, move || {
                as_before(bench, file)?;
                bench.contenders.run("bare", &[&command, &file, &copy])
            })
        };
        let lifeboat = |title: &'static str, check: &'static str| {
            Entry::new(title, move || {
                as_before(bench, file)?;
                bench.contenders.run("lifeboat", &[&"backup", &"-", &file, &check])
            })
        };
        let mut entries = vec![
            Entry::new("cp + fsync", move || {
                as_before(bench, file)?;
                cp(bench, file)
            }),
            bare("read and write 1 MiB at a time + fsync", "read-write"),
            bare("SQLite's backup API + fsync", "backup-api"),
            bare("VACUUM INTO + fsync", "vacuum-into"),
            lifeboat("lifeboat, bare: check off, no hash", "check=off"),
            lifeboat("lifeboat as it is: hashed, its schema read", "check=auto"),
            lifeboat("lifeboat, check and hash: check quick", "check=quick"),
        ];
        if Command::new("sqlite3").arg("--version").output().is_ok() {
            entries.push(Entry::new("sqlite3 .backup + fsync", move || {
                as_before(bench, file)?;
                shell_backup(file)
            }));
        }
        interleave(bench.options.few(), true, entries)?
    };
    let goals = [
        Goal { over: "lifeboat, bare", under: "cp + fsync", at_most: 1.05 },
        Goal { over: "lifeboat, bare", under: "sqlite3 .backup", at_most: 0.5 },
        Goal { over: "lifeboat, bare", under: "VACUUM INTO", at_most: 0.35 },
        Goal { over: "lifeboat, check and hash", under: "cp + fsync", at_most: 2.5 },
    ];
    let title = format!("a copy of {}", size_text(bytes));
    bench.tables.add(&title, Ratio::EachTo("cp + fsync"), &goals, rows, &baseline);
    Ok(())
}
