//! What killed processes left in the folder: copies in the making, metadata without a copy, a copy in both of its forms.

use std::fs;

use chrono::{DateTime, TimeDelta, Utc};

use super::folder::{Backup, Backups};
use super::name::packed;
use crate::error::Problem;
use crate::file::{content_hash, io_problem, remove_if_there, remove_with_sidecars};

impl Backups {
    /// In its own folder, what a process left that was killed when the data directory had another path. Anywhere, copies
    /// of a day ago that were decompressed to be looked at: by now nobody does.
    pub(super) fn remove_older_partials(&self, now: DateTime<Utc>) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !self.shared && self.names.is_partial(&name) {
                let _ = remove_if_there(&entry.path());
            }
            let made = || entry.metadata().and_then(|metadata| metadata.modified()).map(DateTime::<Utc>::from);
            if self.names.is_unpacked(&name) && made().is_ok_and(|made| now - made > TimeDelta::days(1)) {
                let _ = remove_with_sidecars(&entry.path());
            }
        }
    }

    /// Metadata of copies that are not there: whoever wrote or removed one was killed in between.
    pub(super) fn remove_strays(&self) -> Result<(), Problem> {
        let failed = |source| io_problem(&self.folder, "tidy", source);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()), // no copy was ever taken
            other => other.map_err(failed)?,
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let copy = path.with_extension("");
            let is_ours = path.file_stem().is_some_and(|copy| self.names.read(copy).is_some());
            if path.extension().is_some_and(|extension| extension == "json")
                && is_ours
                && [&copy, &packed(&copy)].iter().all(|copy| fs::symlink_metadata(copy).is_err())
                && self.describes_ours(&copy)
            {
                remove_if_there(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Of a copy that lies there in both of its forms, the compressed one goes if the plain one is whole; else the plain
    /// one, if the compressed one is. Where neither can be seen to be whole, both stay.
    pub(super) fn remove_second_forms(&self) -> Result<(), Problem> {
        for backup in self.ours()? {
            let other = packed(&backup.path);
            let is_file = fs::symlink_metadata(&other).is_ok_and(|metadata| metadata.is_file());
            if backup.compressed || !self.names.can_be_compressed() || !is_file {
                continue;
            }
            let plain = backup.path.clone();
            let goes = if backup.has_recorded_content() {
                other
            } else if (Backup { path: other, compressed: true, ..backup }).has_recorded_content() {
                plain
            } else {
                continue;
            };
            remove_if_there(&goes).map_err(|source| io_problem(&goes, "remove", source))?;
        }
        Ok(())
    }
}

impl Backup {
    /// Whether it can be read and is what its metadata says; not, if there is none.
    pub(crate) fn has_recorded_content(&self) -> bool {
        let Some(said) = &self.metadata else { return false };
        if self.compressed {
            return self.plain(|| Ok(())).is_ok();
        }
        said.sha256.is_some()
            && content_hash(&self.path, |_| Ok(())).is_ok_and(|(size, hash)| said.tells_of(size, &hash))
    }
}
