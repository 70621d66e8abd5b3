//! Restoring a backup and taking a snapshot of a big file.

use super::base::{as_before, baselines, big, cp};
use super::{GIB, MIB, size_text};
use crate::table::{Entry, Goal, Ratio, interleave};
use crate::{Bench, Fallible};

/// What a restore changes back: every page of a small table, as a step that went wrong would leave it.
const CHANGE: &str = "UPDATE t1 SET rowid = rowid";

pub fn run(bench: &mut Bench) -> Fallible<()> {
    let bytes = if bench.options.quick { 10 * MIB } else { GIB };
    let baseline = baselines(bench)?;
    let file = big(bench, bytes, "fill")?;
    let rows = {
        let (bench, file) = (&*bench, file.as_path());
        let restore = |title: &'static str, check: &'static str| {
            Entry::new(title, move || {
                as_before(bench, file)?;
                // A restore backs up what is there: with the same content, that is the backup that is there already.
                bench.contenders.run("lifeboat", &[&"backup", &"-", &file, &"check=auto"])?;
                bench.contenders.run("bare", &[&"sql", &CHANGE, &file])?;
                bench.place.settle(file.parent().ok_or("no folder")?)?;
                bench.contenders.run("lifeboat", &[&"restore", &"-", &file, &check])
            })
        };
        let entries = vec![
            Entry::new("cp + fsync", move || {
                as_before(bench, file)?;
                cp(bench, file)
            }),
            restore("lifeboat, restore bare: check off, what is there backed up", "check=off"),
            restore("lifeboat, restore with hash and check: check quick", "check=quick"),
            Entry::new("lifeboat, snapshot", move || {
                as_before(bench, file)?;
                let snapshot = file.with_file_name("app.db.bench");
                let _ = std::fs::remove_file(&snapshot);
                let answer = bench.contenders.run("lifeboat", &[&"snapshot", &"-", &file])?;
                std::fs::remove_file(&snapshot)?;
                Ok(answer)
            }),
        ];
        interleave(bench.options.few(), true, entries)?
    };
    let goals = [
        Goal { over: "lifeboat, restore bare", under: "cp + fsync", at_most: 3.0 },
        Goal { over: "lifeboat, restore with hash", under: "cp + fsync", at_most: 4.5 },
    ];
    let title = format!("restore and snapshot of {}", size_text(bytes));
    bench.tables.add(&title, Ratio::EachTo("cp + fsync"), &goals, rows, &baseline);
    Ok(())
}
