//! Nothing to do, again and again in one process: what is built once a process (a regular expression, say) does not count.

use super::base::migrated;
use crate::table::{Entry, Goal, Ratio, interleave};
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    for mode in ["delete", "wal"] {
        for set in ["1", "100", "1000"] {
            let files = migrated(bench, set, mode)?;
            let entries = files.iter().map(|(name, file)| {
                let bench = &*bench;
                Entry::new(bench.contenders.launch_title(name), move || {
                    bench.contenders.run(name, &[&"launch", &set, file, &"times=201"])
                })
            });
            let rows = interleave(bench.options.some(), true, entries.collect())?;
            let goals: &[Goal] = if set == "100" {
                &[
                    Goal { over: "lifeboat", under: "rusqlite_migration", at_most: 1.2 },
                    Goal { over: "lifeboat", under: "refinery", at_most: 0.8 },
                ]
            } else {
                &[]
            };
            let title = format!("again in one process, nothing to do: {set} known, journal `{mode}`");
            bench.tables.add(&title, Ratio::FirstToEach, goals, rows, |_| 0);
        }
    }
    bench.place.remove("migrated");
    Ok(())
}
