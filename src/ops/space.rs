//! The room that a run needs, before it begins. Rolling back from a full disk is safe; not to begin is better.

use std::path::{Path, PathBuf};

use crate::engine::Settings;
use crate::error::Problem;
use crate::event::mebibytes;
use crate::file::{DatabasePath, available_bytes, on_same_file_system};

/// What a run needs on one file system.
#[derive(Debug)]
pub(super) struct Need {
    pub(super) folder: PathBuf,
    /// Without it the run cannot be begun.
    pub(super) least: u64,
    /// With it the run cannot fail for want of room, if the database does not grow beyond twice its size.
    pub(super) most: u64,
}

/// Names, metadata, the first pages of a journal.
const SLACK: u64 = 256 * 1024;

/// What a run needs, a file system at a time.
#[derive(Debug)]
pub(crate) struct Budget(Vec<Need>);

impl Budget {
    /// For a copy of a database of `bytes` alone.
    pub(crate) fn of_copy(backups: &Path, bytes: u64) -> Self {
        let backups = backups.ancestors().find(|folder| folder.is_dir()).unwrap_or(backups);
        Budget(vec![Need { folder: backups.to_owned(), least: bytes + SLACK, most: bytes + SLACK }])
    }

    /// For a database of `bytes`: the copy; at worst a journal or a log of every page, and as much again for a rebuilt
    /// table beside its old one; for a split run, the journal of a restore.
    pub(crate) fn of(database: &DatabasePath, backups: &Path, bytes: u64, split: bool) -> Self {
        let backups = backups.ancestors().find(|folder| folder.is_dir()).unwrap_or(backups);
        let file = database.folder();
        let restore = if split { bytes } else { 0 };
        let copy = Need { folder: backups.to_owned(), least: bytes + SLACK, most: bytes + SLACK };
        let run = Need { folder: file.to_owned(), least: restore, most: bytes.saturating_mul(2).max(restore) };
        if on_same_file_system(backups, file) {
            return Budget(vec![Need { least: copy.least + run.least, most: copy.most + run.most, ..copy }]);
        }
        Budget(vec![copy, run])
    }

    /// Each need with the bytes that are free for it. A file system that does not say is no reason to refuse.
    pub(super) fn rooms(&self) -> impl Iterator<Item = (&Need, u64)> {
        self.0.iter().filter_map(|need| Some((need, available_bytes(&need.folder).ok()?)))
    }

    /// Refuses what cannot fit, and warns of what may not.
    pub(crate) fn spend(&self, settings: &Settings) -> Result<(), Problem> {
        for (need, available) in self.rooms() {
            if settings.backup && available < need.least {
                return Err(Problem::NoSpace { path: need.folder.clone(), available, needed: need.least });
            }
            if available < need.most {
                settings.emitter.warn(format!(
                    "`{}` has {} free; this run may need up to {}",
                    need.folder.display(),
                    mebibytes(available),
                    mebibytes(need.most)
                ));
            }
        }
        Ok(())
    }
}
