//! Which backups go. Never before a newer one is durable, never any that is not exactly ours.

use std::collections::BTreeSet;
use std::fs;

use super::bring::files_of;
use super::folder::{Backup, Backups, Metadata, metadata_file, rewrite_metadata};
use super::take::INTERRUPTED;
use crate::error::Problem;
use crate::event::{Emitter, Event};
use crate::file::{io_problem, remove_if_there, remove_tree, settle_again};

impl Backups {
    /// After a run that succeeded: keeps the newest `keep`, and `protected`. What an interrupted run had left does not
    /// count: what somebody wrote between the crash and the next launch is in there and nowhere else. There are few such
    /// copies: see [`forget_interrupted_runs`](Self::forget_interrupted_runs).
    pub(crate) fn rotate(&self, keep: usize, protected: Option<&str>, emitter: &Emitter) -> Result<(), Problem> {
        let mut backups = self.ours()?;
        backups.retain(|backup| !reason_is(backup, INTERRUPTED));
        let surplus = backups.len().saturating_sub(keep.max(1));
        for backup in backups.iter().take(surplus) {
            if protected != Some(backup.name().as_str()) {
                remove(backup, emitter)?;
            }
        }
        self.remove_strays()
    }

    /// When the copy `name` of a new run is durable: removes the copies of earlier runs that failed or were killed. A
    /// thousand failing launches so leave the good copies, and one more. `committed` are the copies of runs that the
    /// file itself says it has: a run that was killed after its commit did not come to tell.
    pub(crate) fn forget_failed_runs(
        &self,
        name: &str,
        committed: &BTreeSet<String>,
        emitter: &Emitter,
    ) -> Result<(), Problem> {
        self.remove_where(emitter, |backup, metadata| {
            metadata.run_failed && backup.name() != name && !committed.contains(&backup.name())
        })?;
        self.remove_strays()
    }

    /// When what an interrupted run left is durable as `name`: removes what earlier ones left, but for the newest three,
    /// so that a program that dies again and again does not fill the disk, and one that dies once more does not take away
    /// the rows of somebody else. Never `original`, which the ledger needs to undo the run.
    pub(crate) fn forget_interrupted_runs(&self, name: &str, original: &str, emitter: &Emitter) -> Result<(), Problem> {
        const KEPT: usize = 3;
        let mut left = self.ours()?;
        left.retain(|backup| reason_is(backup, INTERRUPTED));
        let surplus = left.len().saturating_sub(KEPT);
        for backup in left.iter().take(surplus) {
            if backup.name() != name && backup.name() != original {
                remove(backup, emitter)?;
            }
        }
        Ok(())
    }

    fn remove_where(&self, emitter: &Emitter, goes: impl Fn(&Backup, &Metadata) -> bool) -> Result<(), Problem> {
        for backup in self.ours()? {
            if backup.metadata.as_ref().is_some_and(|metadata| goes(&backup, metadata)) {
                remove(&backup, emitter)?;
            }
        }
        Ok(())
    }

    /// Removes the copy `name` of a restore that changed nothing.
    pub(crate) fn take_back(&self, name: &str, emitter: &Emitter) -> Result<(), Problem> {
        self.remove_where(emitter, |backup, metadata| metadata.run_failed && backup.name() == name)
    }

    /// Notes that the run of a copy succeeded; a copy without metadata stays without.
    pub(crate) fn mark_succeeded(&self, name: &str) -> Result<(), Problem> {
        for backup in self.ours()? {
            if backup.name() == name
                && let Some(mut metadata) = backup.metadata.filter(|metadata| metadata.run_failed)
            {
                metadata.run_failed = false;
                rewrite_metadata(&backup.path, &metadata)
                    .map_err(|source| io_problem(&backup.path, "describe", source))?;
                // The run has opened it, and `on_connect` may have turned it into a WAL database.
                settle_again(&backup.path).map_err(|source| io_problem(&backup.path, "sync", source))?;
            }
        }
        Ok(())
    }

    /// Removes metadata of copies that are not there: whoever wrote or removed one was killed in between.
    fn remove_strays(&self) -> Result<(), Problem> {
        let failed = |source| io_problem(&self.folder, "tidy", source);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let is_ours = path.file_stem().is_some_and(|copy| self.names.read(copy).is_some());
            if path.extension().is_some_and(|extension| extension == "json")
                && is_ours
                && fs::symlink_metadata(path.with_extension("")).is_err()
                && self.describes_ours(&path.with_extension(""))
            {
                remove_if_there(&path).map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn remove(backup: &Backup, emitter: &Emitter) -> Result<(), Problem> {
    // The copy first: metadata without a copy is a stray file, a copy without metadata would be judged anew.
    remove_if_there(&backup.path).map_err(|source| io_problem(&backup.path, "remove", source))?;
    let _ = remove_if_there(&metadata_file(&backup.path));
    // What files a restore had replaced, which only goes with the database that they belong to.
    let _ = remove_tree(&files_of(&backup.path));
    emitter.emit(Event::BackupPruned { path: backup.path.clone() });
    Ok(())
}

fn reason_is(backup: &Backup, reason: &str) -> bool {
    backup.metadata.as_ref().is_some_and(|metadata| metadata.reason == reason)
}
