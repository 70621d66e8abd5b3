//! Making, replacing and removing a snapshot: whole or not there, whenever the process is killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::carry::{Progress, copy_contents};
use super::directory::{Contents, Directory};
use super::moment::{Source, copy_from};
use super::place::Snapshots;
use crate::error::Problem;
use crate::event::{CancelToken, Emitter, Event};
use crate::file::{
    Connector, DatabasePath, Depth, Descriptor, Purpose, available_bytes, create_private_folder, denies_writing,
    entries, examine, give_same_access, give_same_access_to_folder, io_problem, publish, publish_folder, remove_any,
    replace_file, settle_again, settle_folders, size_of, sqlite_problem, write_problem,
};

/// How a snapshot is to be made.
pub(crate) struct Shot<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) database: &'a DatabasePath,
    /// The data directory; nothing for the database alone.
    pub(crate) directory: Option<&'a Directory>,
    pub(crate) emitter: &'a Emitter,
    pub(crate) cancel: &'a CancelToken,
    pub(crate) depth: Depth,
    pub(crate) wait: Duration,
}

/// Refuses to remove a tree with files that would stay: half of it would be left under no name of a snapshot.
fn refuse_what_stays(path: &Path) -> Result<(), Problem> {
    if !path.is_dir() {
        return Ok(());
    }
    let inside = entries(path, |_| false).map_err(|(path, source)| io_problem(&path, "read", source))?;
    let folders: BTreeSet<PathBuf> =
        inside.iter().map(|entry| path.join(entry.path.parent().unwrap_or(Path::new("")))).collect();
    match folders.into_iter().find_map(|folder| denies_writing(&folder).map(|why| (folder, why))) {
        Some((path, why)) => Err(Problem::ReadOnly { path, why }),
        None => Ok(()),
    }
}

impl Snapshots {
    /// Makes the snapshot `name`, in place of the one that has the name if `replace` says so. The caller holds the
    /// launch lock.
    pub(crate) fn make(&self, name: &str, replace: bool, shot: &Shot<'_>) -> Result<PathBuf, Problem> {
        self.tidy(name)?;
        let path = self.path(name);
        let taken = || Problem::NameTaken { name: name.to_owned(), path: path.clone() };
        if fs::symlink_metadata(&path).is_ok() && !(replace && self.is_one(&path)) {
            return Err(taken());
        }
        let new = self.new_one(name);
        let made = self.build(&new, name, shot).and_then(|()| self.give_name(name, replace));
        if !matches!(made, Ok(true)) {
            // The disk is no fuller than before.
            let _ = remove_any(&new);
        }
        if !made? {
            return Err(taken());
        }
        shot.emitter.emit(Event::SnapshotFinished { path: path.clone() });
        Ok(path)
    }

    /// Removes the snapshot `name`. It goes by its name first, at once: what is removed file by file is no snapshot.
    pub(crate) fn remove(&self, name: &str) -> Result<PathBuf, Problem> {
        let path = self.find(name)?;
        self.tidy(name)?;
        let path = if self.is_one(&path) { path } else { self.find(name)? };
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            let what = format!("`{}` is a link; remove it by hand", path.display());
            return Err(Problem::Unsupported { what });
        }
        refuse_what_stays(&path)?;
        self.let_go(&path, name)?;
        Ok(path)
    }

    /// Sees to what a process left that was killed at this name: one that gave way to a new one which did not come is
    /// put back, all else goes.
    fn tidy(&self, name: &str) -> Result<(), Problem> {
        let old = self.old_one(name);
        if self.is_one(&old) {
            let path = self.path(name);
            if fs::symlink_metadata(&path).is_ok() {
                self.let_go(&old, name)?;
            } else {
                publish(&old, &path).map_err(|source| io_problem(&path, "bring back", source))?;
            }
        }
        for left in [self.new_one(name), self.gone_one(name)] {
            remove_any(&left).map_err(|source| io_problem(&left, "remove", source))?;
        }
        Ok(())
    }

    fn let_go(&self, path: &Path, name: &str) -> Result<(), Problem> {
        let gone = self.gone_one(name);
        remove_any(&gone).map_err(|source| io_problem(&gone, "remove", source))?;
        publish(path, &gone).map_err(|source| write_problem(path, "remove", source))?;
        remove_any(&gone).map_err(|source| io_problem(&gone, "remove", source))
    }

    /// False, if somebody else has taken the name.
    fn give_name(&self, name: &str, replace: bool) -> Result<bool, Problem> {
        let (new, path) = (self.new_one(name), self.path(name));
        let failed = |source| write_problem(&path, "rename a copy to", source);
        if !self.of_directory() {
            // A file takes the place of a file at once.
            let named =
                if replace { replace_file(&new, &path).map(|()| true) } else { publish(&new, &path).map(|()| true) };
            return match named {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
                other => other.map_err(failed),
            };
        }
        let replaces = replace && self.is_one(&path);
        if replaces {
            // Killed from here to the new one's name, the old one is found under this one: see `find`.
            publish(&path, &self.old_one(name)).map_err(failed)?;
        }
        let named = publish_folder(&new, &path).map_err(failed);
        if replaces {
            if matches!(named, Ok(true)) {
                self.let_go(&self.old_one(name), name)?;
            } else {
                publish(&self.old_one(name), &path).map_err(failed)?;
            }
        }
        named
    }

    fn build(&self, new: &Path, name: &str, shot: &Shot<'_>) -> Result<(), Problem> {
        let database = shot.database.real();
        let source = shot.connector.open(database, Purpose::Read, shot.wait)?;
        let database_bytes = size_of(&source).map_err(|error| sqlite_problem(database, "read", &error))?;
        let contents = shot.directory.map(Directory::contents).transpose()?;
        let bytes = database_bytes + contents.as_ref().map_or(0, Contents::bytes);
        let files = contents.as_ref().map_or(0, Contents::files);
        self.refuse_want_of_room(bytes)?;
        let mut progress = Progress::new(shot.emitter, bytes, |done, total| Event::SnapshotProgress { done, total });
        shot.emitter.emit(Event::SnapshotStarted { name: name.to_owned(), bytes, files });
        if let (Some(directory), Some(contents)) = (shot.directory, &contents) {
            for path in &contents.passed_over {
                let path = directory.folder.join(path);
                shot.emitter.warn(format!("`{}` is no file that can be copied, and is left out", path.display()));
            }
            create_private_folder(new).map_err(|source| write_problem(new, "create", source))?;
        }
        // The database first: an app writes a file, then the row that speaks of it. What its rows speak of at this moment
        // is there by now.
        let copy = self.database_in(new);
        let source = Source { connection: &source, path: database, descriptor: Some(Descriptor::Kept) };
        copy_from(shot.connector, &source, &copy, shot.wait, shot.cancel, |done, _| progress.at(done))?;
        if let Some(metadata) = shot.database.metadata() {
            give_same_access(metadata, &copy).map_err(|source| io_problem(&copy, "set the mode of", source))?;
        }
        check(&copy, database, shot)?;
        let Some((directory, contents)) = shot.directory.zip(contents) else { return Ok(()) };
        progress.begin(database_bytes);
        for gone in copy_contents(&directory.folder, new, &contents, shot.wait, shot.cancel, &mut progress)? {
            let gone = directory.folder.join(gone);
            shot.emitter.warn(format!("`{}` was removed meanwhile, and is left out", gone.display()));
        }
        let like =
            fs::metadata(&directory.folder).map_err(|source| io_problem(&directory.folder, "look at", source))?;
        give_same_access_to_folder(&like, new)
            .and_then(|()| settle_folders(new))
            .map_err(|source| io_problem(new, "sync", source))
    }

    fn refuse_want_of_room(&self, bytes: u64) -> Result<(), Problem> {
        const SLACK: u64 = 256 * 1024;
        let needed = bytes + SLACK;
        match available_bytes(self.parent()) {
            Ok(available) if available < needed => {
                Err(Problem::NoSpace { path: self.parent().to_owned(), available, needed })
            }
            // A file system that does not say is no reason to refuse.
            _ => Ok(()),
        }
    }
}

/// What of a copy SQLite finds wrong is wrong in the database.
fn check(copy: &Path, database: &Path, shot: &Shot<'_>) -> Result<(), Problem> {
    shot.emitter.emit(Event::CheckStarted { name: "the snapshot".to_owned() });
    let of_database = |problem: Problem| match problem {
        Problem::Corrupt { detail, .. } => Problem::Corrupt { path: database.to_owned(), detail },
        other => other,
    };
    let connection = shot.connector.open(copy, Purpose::Read, shot.wait).map_err(of_database)?;
    let findings =
        examine(&connection, &shot.depth).map_err(|error| of_database(sqlite_problem(copy, "check", &error)))?;
    drop(connection);
    if let Some(damage) = findings.damage() {
        return Err(Problem::Corrupt { path: database.to_owned(), detail: damage.to_owned() });
    }
    // In case `on_connect` turned it into a WAL database.
    settle_again(copy).map_err(|source| io_problem(copy, "sync", source))
}
