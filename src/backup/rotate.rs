//! Which backups go. Never before a newer one is durable, never any that is not exactly ours.

use super::folder::{Backup, Backups, metadata_file, write_metadata};
use crate::error::Problem;
use crate::event::{Emitter, Event};
use crate::file::{io_problem, remove_if_there};

impl Backups {
    /// After a run that succeeded: keeps the newest `keep`, and `protected`.
    pub(crate) fn rotate(&self, keep: usize, protected: Option<&str>, emitter: &Emitter) -> Result<(), Problem> {
        let backups = self.list()?;
        let surplus = backups.len().saturating_sub(keep.max(1));
        for backup in backups.iter().take(surplus) {
            if protected != Some(backup.name().as_str()) {
                remove(backup, emitter)?;
            }
        }
        Ok(())
    }

    /// After a run that failed: marks its copy, and removes the copy of the failed run before it. A thousand failing
    /// launches so leave the good copies, and one more.
    pub(crate) fn keep_of_failed_run(&self, name: &str, emitter: &Emitter) -> Result<(), Problem> {
        for backup in self.list()? {
            let failed = backup.metadata.as_ref().is_some_and(|metadata| metadata.run_failed);
            if backup.name() != name && failed {
                remove(&backup, emitter)?;
            }
        }
        self.mark(name, true)
    }

    /// After a run that was cut off was undone: `kept` is what it had left, `original` its copy. Of earlier runs that
    /// failed or were cut off, the copies go: a launch that is killed again and again fills no disk.
    pub(crate) fn keep_of_interrupted_run(&self, kept: &str, original: &str, emitter: &Emitter) -> Result<(), Problem> {
        for backup in self.list()? {
            let failed = backup.metadata.as_ref().is_some_and(|metadata| metadata.run_failed);
            if (failed || backup.is_interrupted()) && ![kept, original].contains(&backup.name().as_str()) {
                remove(&backup, emitter)?;
            }
        }
        self.mark(original, true)
    }

    /// Notes whether the run of a copy failed; a copy without metadata stays without.
    pub(crate) fn mark(&self, name: &str, run_failed: bool) -> Result<(), Problem> {
        for backup in self.list()? {
            if backup.name() == name
                && let Some(mut metadata) = backup.metadata.filter(|metadata| metadata.run_failed != run_failed)
            {
                metadata.run_failed = run_failed;
                write_metadata(&backup.path, &metadata)
                    .map_err(|source| io_problem(&backup.path, "describe", source))?;
            }
        }
        Ok(())
    }
}

fn remove(backup: &Backup, emitter: &Emitter) -> Result<(), Problem> {
    // The copy first: metadata without a copy is a stray file, a copy without metadata would be judged anew.
    remove_if_there(&backup.path).map_err(|source| io_problem(&backup.path, "remove", source))?;
    let _ = remove_if_there(&metadata_file(&backup.path));
    emitter.emit(Event::BackupPruned { path: backup.path.clone() });
    Ok(())
}
