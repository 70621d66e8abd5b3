//! Bringing the files of a restore, after its database is in place. What they take the place of is kept beside the copy of
//! the database that was there: a restore is undone with its files.
//!
//! ```text
//! backups/
//!   app-2026-01-15T14-30-00.db         what the database was
//!   app-2026-01-15T14-30-00.db.files/
//!     files/                           what files were replaced or left
//!     new/                             which were not there: empty files of these names
//!     later/                           what somebody wrote while a restore was cut off, where it has no place above
//! ```
//!
//! Killed at any point of this and begun again, it ends in the same: what is not yet brought still waits, and what was
//! replaced is kept before anything takes its place.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::directory::{Contents, Directory, SIDECARS, with_suffix};
use super::moment::copy_moment;
use super::staging::{Staging, mark};
use super::take::{CopyError, copy};
use crate::error::Problem;
use crate::event::CancelToken;
use crate::file::{
    Connector, Entry, Kind, Purpose, copy_file, copy_link, create_folder, create_private_folder, entries,
    give_same_access_to_folder, io_problem, is_same, keep_second_name, kind_in, move_into_place, remove_any,
    remove_if_there, settle_folders, sqlite_problem, sync_folder,
};

/// Where the files lie that a restore replaced, beside the copy of their database.
pub(crate) fn files_of(copy: &Path) -> PathBuf {
    with_suffix(copy, ".files")
}

pub(crate) fn kept_files(copy: &Path) -> PathBuf {
    files_of(copy).join("files")
}

/// The paths that were not there before the restore that this copy was taken for.
pub(crate) fn new_names(copy: &Path) -> BTreeSet<PathBuf> {
    let all = entries(&files_of(copy).join("new"), |_| false).unwrap_or_default();
    all.into_iter().map(|entry| entry.path).collect()
}

struct Bringing<'a> {
    staging: &'a Staging,
    directory: &'a Directory,
    /// `….files` beside the copy.
    kept: PathBuf,
    wait: Duration,
}

impl Staging {
    /// Brings the files that wait; what they replace is kept beside `copy`. How many files and links were brought or
    /// left.
    pub(crate) fn bring(&self, directory: &Directory, copy: &Path, wait: Duration) -> Result<usize, Problem> {
        let waiting = directory.contents_of(&self.files())?;
        let going = directory.contents_of(&self.gone())?;
        let kept = files_of(copy);
        let bringing = Bringing { staging: self, directory, kept, wait };
        bringing.keep(&waiting, &going)?;
        bringing.let_go(&going)?;
        bringing.bring(&waiting)?;
        bringing.settle()?;
        Ok(waiting.files() + going.files())
    }

    /// How many files and links have yet to be brought or to leave, as far as that can be seen.
    pub(crate) fn waiting(&self, directory: &Directory) -> usize {
        let waiting = directory.contents_of(&self.files()).map_or(0, |waiting| waiting.files());
        let going = directory.contents_of(&self.gone()).unwrap_or_default();
        let is_there = |entry: &&Entry| {
            let kind = kind_in(&directory.folder, &entry.path);
            entry.kind != Kind::Folder && kind.is_ok_and(|kind| kind.is_some())
        };
        waiting + going.entries.iter().filter(is_there).count()
    }
}

impl Bringing<'_> {
    fn live(&self, path: &Path) -> PathBuf {
        self.directory.folder.join(path)
    }

    fn kind(&self, path: &Path) -> Result<Option<Kind>, Problem> {
        kind_in(&self.directory.folder, path).map_err(|source| io_problem(&self.live(path), "look at", source))
    }

    /// Keeps all that will be replaced or leave, durably, before anything is.
    fn keep(&self, waiting: &Contents, going: &Contents) -> Result<(), Problem> {
        let failed = |source| io_problem(&self.kept, "write", source);
        let like = fs::metadata(&self.directory.folder).map_err(failed)?;
        for folder in [self.kept.clone(), self.kept.join("files"), self.kept.join("new")] {
            create_folder(&folder).and_then(|()| give_same_access_to_folder(&like, &folder)).map_err(failed)?;
        }
        let new = self.staging.new_names();
        for entry in entries(&new, |_| false).map_err(|(path, source)| io_problem(&path, "read", source))? {
            mark(&self.kept.join("new"), &entry.path, entry.kind).map_err(failed)?;
        }
        for entry in going.entries.iter().filter(|entry| entry.kind != Kind::Folder) {
            self.keep_one(&entry.path, None)?;
        }
        for entry in &waiting.entries {
            match (entry.kind, self.kind(&entry.path)?) {
                (_, None) => {}
                // Going back may leave it empty; it is then known to have been there.
                (Kind::Folder, Some(Kind::Folder)) => {
                    let kept = self.kept.join("files").join(&entry.path);
                    // Where a file is kept in its place, somebody was killed after the folder had taken it.
                    if !self.kept_in_the_way(&entry.path).map_err(failed)? {
                        create_folder(&kept).map_err(failed)?;
                    }
                }
                (_, Some(Kind::Folder)) => self.keep_folder(&entry.path)?,
                (_, Some(_)) => self.keep_one(&entry.path, Some(&self.staging.files().join(&entry.path)))?,
            }
        }
        settle_folders(&self.kept)
            .and_then(|()| sync_folder(self.kept.parent().unwrap_or(Path::new("."))))
            .map_err(failed)
    }

    /// Whether a file is kept where a folder of this path would be.
    fn kept_in_the_way(&self, path: &Path) -> io::Result<bool> {
        let files = self.kept.join("files");
        let mut above = path.ancestors().filter(|path| !path.as_os_str().is_empty()).map(|path| files.join(path));
        // The path itself may be kept already, as what it is.
        let own = above.next();
        let live_is_folder = Kind::at(&self.live(path))? == Some(Kind::Folder);
        for folder in above.chain(own.filter(|_| live_is_folder)) {
            if matches!(Kind::at(&folder)?, Some(Kind::File | Kind::Link)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps a file or link that `replacement` takes the place of.
    fn keep_one(&self, path: &Path, replacement: Option<&Path>) -> Result<(), Problem> {
        let live = self.live(path);
        let kind = self.kind(path)?;
        let failed = |source| io_problem(&live, "keep", source);
        let root = if self.kept_in_the_way(path).map_err(failed)? { "later" } else { "files" };
        let kept = self.kept.join(root).join(path);
        let parent = kept.parent().unwrap_or(&self.kept).to_owned();
        if self.directory.is_database(&live, kind) {
            if Kind::at(&kept).map_err(failed)?.is_some() {
                return Ok(()); // a copy gets its name when it is whole
            }
            create_folder(&parent).map_err(failed)?;
            let partial = self.kept.join("partial");
            remove_any(&partial).map_err(failed)?;
            copy_moment(&Connector::default(), &live, &partial, None, self.wait, &CancelToken::new(), |_, _| {})?;
            return move_into_place(&partial, &kept).map_err(failed);
        }
        match kind {
            None | Some(Kind::Folder | Kind::Other) => return Ok(()),
            Some(Kind::File | Kind::Link) => {}
        }
        // What is there already is what was brought, or is kept already, if somebody was killed here.
        let is_there = |other: &Path| is_same(&live, other);
        if replacement.is_some_and(|replacement| is_there(replacement).unwrap_or(false)) {
            return Ok(());
        }
        create_folder(&parent).map_err(failed)?;
        let mut name = kept.clone();
        let mut number = 1;
        while Kind::at(&name).map_err(failed)?.is_some() {
            if is_there(&name).map_err(failed)? {
                return Ok(());
            }
            // Somebody wrote here between the kill and now: both are kept.
            number += 1;
            name = with_suffix(&kept, format!("~{number}"));
        }
        self.keep_as(&live, &name, kind).map_err(failed)
    }

    fn keep_as(&self, live: &Path, name: &Path, kind: Option<Kind>) -> io::Result<()> {
        if kind == Some(Kind::Link) {
            return copy_link(live, name);
        }
        // The same file under a second name, or, on another file system, a copy.
        if keep_second_name(live, name).is_ok() {
            return Ok(());
        }
        let partial = self.kept.join("partial");
        remove_any(&partial)?;
        copy_file(live, &partial, |_| {})?;
        move_into_place(&partial, name)
    }

    /// Keeps a folder that a file takes the place of, file by file.
    fn keep_folder(&self, path: &Path) -> Result<(), Problem> {
        let live = self.live(path);
        let inside = entries(&live, |_| false).map_err(|(path, source)| io_problem(&path, "read", source))?;
        for entry in inside.iter().filter(|entry| entry.kind != Kind::Folder) {
            self.keep_one(&path.join(&entry.path), None)?;
        }
        Ok(())
    }

    fn let_go(&self, going: &Contents) -> Result<(), Problem> {
        for entry in going.entries.iter().filter(|entry| entry.kind != Kind::Folder) {
            if matches!(self.kind(&entry.path)?, Some(Kind::File | Kind::Link)) {
                self.remove(&entry.path)?;
            }
        }
        // From the inside out; a folder with something in it stays.
        for entry in going.entries.iter().rev().filter(|entry| entry.kind == Kind::Folder) {
            if self.kind(&entry.path)? == Some(Kind::Folder) {
                let _ = fs::remove_dir(self.live(&entry.path));
            }
        }
        Ok(())
    }

    /// Removes a file or link that is kept; of a database, with its log.
    fn remove(&self, path: &Path) -> Result<(), Problem> {
        let live = self.live(path);
        let failed = |source| io_problem(&live, "remove", source);
        if self.directory.is_database(&live, Some(Kind::File)) {
            // The file first: a log beside none does no harm.
            remove_if_there(&live).map_err(failed)?;
            for suffix in SIDECARS {
                remove_if_there(&with_suffix(&live, suffix)).map_err(failed)?;
            }
        } else {
            remove_if_there(&live).map_err(failed)?;
        }
        Ok(())
    }

    fn bring(&self, waiting: &Contents) -> Result<(), Problem> {
        for entry in waiting.entries.iter().filter(|entry| entry.kind == Kind::Folder) {
            self.bring_folder(entry, self.kind(&entry.path)?)?;
        }
        for entry in waiting.entries.iter().filter(|entry| entry.kind != Kind::Folder) {
            let (from, live) = (self.staging.files().join(&entry.path), self.live(&entry.path));
            let failed = |source| io_problem(&live, "put into place", source);
            let there = self.kind(&entry.path)?;
            if waiting.databases.contains(&entry.path) && self.directory.is_database(&live, there) {
                self.put_database(&from, &live)?;
                continue;
            }
            if there == Some(Kind::Folder) {
                remove_any(&live).map_err(failed)?;
            }
            if waiting.databases.contains(&entry.path) {
                // A log of something else would be replayed into it.
                for suffix in SIDECARS {
                    remove_if_there(&with_suffix(&live, suffix)).map_err(failed)?;
                }
            }
            move_into_place(&from, &live).map_err(failed)?;
        }
        Ok(())
    }

    fn bring_folder(&self, entry: &Entry, there: Option<Kind>) -> Result<(), Problem> {
        if there == Some(Kind::Folder) {
            return Ok(());
        }
        let live = self.live(&entry.path);
        let failed = |source| io_problem(&live, "create", source);
        if there.is_some() {
            remove_if_there(&live).map_err(failed)?;
        }
        let like = fs::metadata(self.staging.files().join(&entry.path)).map_err(failed)?;
        create_private_folder(&live)
            .and_then(|()| give_same_access_to_folder(&like, &live))
            // Before anything waits no more because it is in there: without it, a power cut loses both.
            .and_then(|()| sync_folder(live.parent().unwrap_or(Path::new("."))))
            .map_err(failed)
    }

    /// Into a database that others may have open, by SQLite's own means.
    fn put_database(&self, from: &Path, live: &Path) -> Result<(), Problem> {
        let connector = Connector::default();
        let failed = |error: rusqlite::Error| sqlite_problem(live, "restore", &error);
        let source = connector.open(from, Purpose::Read, self.wait)?;
        let mut target = connector.open(live, Purpose::Write, self.wait)?;
        target.execute_batch("PRAGMA synchronous = EXTRA; PRAGMA fullfsync = 1").map_err(failed)?;
        copy(&source, &mut target, self.wait, &CancelToken::new(), |_, _| {}).map_err(|error| match error {
            CopyError::Sqlite(error) => failed(error),
            CopyError::Busy(waited) => {
                Problem::Locked { path: live.to_owned(), lock: "write lock", holder: None, waited }
            }
            CopyError::Cancelled => Problem::Cancelled {},
        })?;
        drop(source);
        remove_if_there(from).map_err(|source| io_problem(from, "remove", source))
    }

    /// Without it, a power cut after the restore is noted as finished would bring old files back, or lose new ones. All
    /// folders: what this process finds brought, one that was killed may have brought and not synced.
    fn settle(&self) -> Result<(), Problem> {
        let root = &self.directory.folder;
        for entry in self.directory.contents_without_databases()?.iter().filter(|entry| entry.kind == Kind::Folder) {
            let folder = root.join(&entry.path);
            sync_folder(&folder).map_err(|source| io_problem(&folder, "sync", source))?;
        }
        sync_folder(root).map_err(|source| io_problem(root, "sync", source))
    }
}
