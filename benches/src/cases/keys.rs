//! A file in which nearly every row refers to another, and a run that touches one small table: what is checked must be
//! what was touched.

use super::base::{as_before, baselines, big, launch};
use super::{GIB, MIB, size_text};
use crate::table::{Entry, Ratio, interleave};
use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    let bytes = if bench.options.quick { 10 * MIB } else { GIB };
    let baseline = baselines(bench)?;
    let file = big(bench, bytes, "fill-keys")?;
    let rows = {
        let (bench, file) = (&*bench, file.as_path());
        let lifeboat = |title: &'static str, option: &'static str| {
            Entry::new(title, move || launch(bench, "lifeboat", "keys", file, &["check=off", option, "phases=yes"]))
        };
        let check = |title: &'static str, table: &'static str| {
            Entry::new(title, move || {
                as_before(bench, file)?;
                bench.contenders.run("bare", &[&"foreign-key-check", &table, &file])
            })
        };
        let entries = vec![
            lifeboat("lifeboat, the whole run with its copy", "backup=yes"),
            lifeboat("lifeboat, the whole run without a copy", "backup=no"),
            check("PRAGMA foreign_key_check", "all"),
            check("PRAGMA foreign_key_check(small)", "small"),
        ];
        interleave(bench.options.few(), true, entries)?
    };
    let title = format!("foreign keys: one small table touched in {} of rows that refer to others", size_text(bytes));
    bench.tables.add(&title, Ratio::EachTo("PRAGMA foreign_key_check"), &[], rows, &baseline);
    if !bench.options.keep {
        bench.place.remove(&format!("fill-keys-{bytes}"));
    }
    Ok(())
}
