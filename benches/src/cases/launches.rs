//! Nothing to do: a process that has just started, from before opening the file to the answer of its first query.

use super::base::migrated;
use crate::place::{forget, forget_all};
use crate::table::{Entry, Goal, Ratio, interleave};
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    for mode in ["delete", "wal"] {
        for cold in [false, true] {
            let mut by_count = Vec::new();
            for set in ["1", "100", "1000"] {
                let files = migrated(bench, set, mode)?;
                let entries = files.iter().map(|(name, file)| {
                    let bench = &*bench;
                    Entry::new(bench.contenders.launch_title(name), move || {
                        match (cold, bench.options.drop_all) {
                            (false, _) => {}
                            (true, true) => forget_all()?,
                            (true, false) => forget(&[file])?,
                        }
                        bench.contenders.run(name, &[&"launch", &set, file])
                    })
                });
                let rounds = if cold { bench.options.some() } else { bench.options.rounds };
                let rows = interleave(rounds, true, entries.collect())?;
                by_count.push(rows[0].median());
                let cache = if cold { "cold" } else { "warm" };
                let goals: &[Goal] = if set == "100" {
                    &[
                        Goal { over: "lifeboat", under: "rusqlite_migration", at_most: 1.2 },
                        Goal { over: "lifeboat", under: "refinery", at_most: 0.3 },
                    ]
                } else {
                    &[]
                };
                let title = format!("launch, nothing to do: {set} known, journal `{mode}`, {cache} page cache");
                bench.tables.add(&title, Ratio::FirstToEach, goals, rows, |_| 0);
            }
            if !cold {
                let title = format!("launch, nothing to do, journal `{mode}`");
                bench.tables.goal(&title, "lifeboat: 1000 known ÷ 100 known", 2.2, by_count[2] / by_count[1]);
            }
        }
    }
    bench.place.remove("migrated");
    Ok(())
}
