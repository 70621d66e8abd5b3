//! Restoring a backup and taking a snapshot of a big file.

use crate::{Bench, Fallible};

pub fn run(bench: &mut Bench) -> Fallible<()> {
    // Two entries as in `pending`, each beside `cp` + fsync, once `Database` has these calls and the contender has them.
    bench.tables.note("Restore and snapshot of 1 GiB: not measured yet, the library has no public call for them.");
    Ok(())
}
