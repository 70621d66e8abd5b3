//! A file system that lets two files share blocks: there a copy of any size costs next to nothing.

use std::fs;

use super::base::{as_before, big, copy_of, cp, launch};
use super::{GIB, MIB, size_text};
use crate::place::Mounted;
use crate::table::{Entry, Ratio, interleave};
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    let sizes: &[u64] = if bench.options.quick { &[10 * MIB] } else { &[10 * MIB, 4 * GIB] };
    let mounted = match Mounted::xfs(&bench.place, 20 * GIB) {
        Ok(mounted) => mounted,
        Err(error) => {
            bench.tables.note(&format!("**sharing blocks: skipped, no XFS could be mounted ({error})**"));
            return Ok(());
        }
    };
    let mut medians = Vec::new();
    for &bytes in sizes {
        let original = big(bench, bytes, "fill")?;
        let folder = mounted.folder.join(bytes.to_string());
        fs::create_dir_all(&folder)?;
        let file = folder.join("app.db");
        fs::copy(&original, &file)?;
        bench.place.settle(&folder)?;
        let rows = {
            let (bench, file) = (&*bench, file.as_path());
            let lifeboat = |title: &'static str, option: &'static str| {
                Entry::new(title, move || launch(bench, "lifeboat", "pending", file, &[option, "phases=yes"]))
            };
            let entries = vec![
                lifeboat("lifeboat, check off", "check=off"),
                lifeboat("lifeboat as it is", "check=auto"),
                Entry::new("cp --reflink + fsync", move || {
                    as_before(bench, file)?;
                    cp(bench, file)
                }),
                Entry::new("SQLite's backup API + fsync", move || {
                    as_before(bench, file)?;
                    bench.contenders.run("bare", &[&"backup-api", &file, &copy_of(file)])
                }),
            ];
            let rounds = if bytes < GIB { bench.options.some() } else { bench.options.few() };
            interleave(rounds, true, entries)?
        };
        medians.push(rows[0].median());
        let title = format!("XFS, blocks shared: one small step pending on {}", size_text(bytes));
        bench.tables.add(&title, Ratio::EachTo("cp --reflink"), &[], rows, |_| 0);
        fs::remove_dir_all(&folder)?;
    }
    if let [small, large] = medians[..] {
        bench.tables.note(&format!("lifeboat with check off, 4 GiB ÷ 10 MiB, on XFS: {:.2}", large / small));
    }
    Ok(())
}
