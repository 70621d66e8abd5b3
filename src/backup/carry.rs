//! Copying files from one folder to another, as they are.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::directory::Contents;
use super::moment::copy_moment;
use crate::error::Problem;
use crate::event::{CancelToken, Emitter, Event};
use crate::file::{
    Connector, Entry, Kind, available_bytes, copy_file, copy_link, create_private_folder, give_same_access,
    give_same_access_to_folder, io_problem, write_problem,
};

/// How far a copy has come, told about ten times a second.
pub(crate) struct Progress<'a> {
    emitter: &'a Emitter,
    event: fn(u64, u64) -> Event,
    total: u64,
    before: u64,
    done: u64,
    told: Instant,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(emitter: &'a Emitter, total: u64, event: fn(u64, u64) -> Event) -> Self {
        Progress { emitter, event, total, before: 0, done: 0, told: Instant::now() }
    }

    /// So much of the present part is done.
    pub(crate) fn at(&mut self, done: u64) {
        self.done = self.before + done;
        if self.told.elapsed() >= Duration::from_millis(100) {
            self.told = Instant::now();
            self.emitter.emit((self.event)(self.done.min(self.total), self.total));
        }
    }

    fn add(&mut self, bytes: u64) {
        self.at(self.done - self.before + bytes);
    }

    /// The next part begins when so much is done.
    pub(crate) fn begin(&mut self, done: u64) {
        self.before = done;
        self.at(0);
    }
}

/// Copies what `contents` names from `from` to `to`, a folder that is there: files with their content durable, links as
/// links, databases as they are at one moment. Names those that were gone when their turn came.
pub(crate) fn copy_contents(
    from: &Path,
    to: &Path,
    contents: &Contents,
    wait: Duration,
    cancel: &CancelToken,
    progress: &mut Progress<'_>,
) -> Result<Vec<PathBuf>, Problem> {
    let mut gone = Vec::new();
    for entry in &contents.entries {
        if cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        let (source, target) = (from.join(&entry.path), to.join(&entry.path));
        let copied = if contents.databases.contains(&entry.path) {
            copy_database(&source, &target, entry, wait, cancel, progress)?
        } else {
            match entry.kind {
                Kind::Folder => create_private_folder(&target),
                Kind::Link => copy_link(&source, &target),
                Kind::File => copy_file(&source, &target, |bytes| progress.add(bytes)),
                Kind::Other => Ok(()),
            }
        };
        match copied {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(&source).is_err() => {
                gone.push(entry.path.clone());
            }
            Err(error) => return Err(copy_problem(&source, &target, entry.bytes, error)),
        }
    }
    // From the inside out: a folder that may not be written, say, is full by now.
    for entry in contents.entries.iter().rev().filter(|entry| entry.kind == Kind::Folder) {
        let (source, target) = (from.join(&entry.path), to.join(&entry.path));
        if let Ok(like) = fs::metadata(&source) {
            give_same_access_to_folder(&like, &target)
                .map_err(|source| io_problem(&target, "set the mode of", source))?;
        }
    }
    Ok(gone)
}

/// Another database than the app's own, by plain SQLite: the app's hook is for its own.
fn copy_database(
    source: &Path,
    target: &Path,
    entry: &Entry,
    wait: Duration,
    cancel: &CancelToken,
    progress: &mut Progress<'_>,
) -> Result<std::io::Result<()>, Problem> {
    let metadata = match fs::metadata(source) {
        Ok(metadata) => metadata,
        Err(error) => return Ok(Err(error)),
    };
    copy_moment(&Connector::default(), source, target, None, wait, cancel, |_, _| {})?;
    progress.add(entry.bytes);
    Ok(give_same_access(&metadata, target))
}

fn copy_problem(source: &Path, target: &Path, bytes: u64, error: std::io::Error) -> Problem {
    let folder = target.parent().unwrap_or(Path::new("."));
    match available_bytes(folder) {
        // A full disk shows itself in more than one way.
        Ok(available) if available < bytes || error.kind() == ErrorKind::StorageFull => {
            Problem::NoSpace { path: folder.to_owned(), available, needed: bytes }
        }
        _ if error.kind() == ErrorKind::PermissionDenied && fs::File::open(source).is_ok() => {
            write_problem(target, "write", error)
        }
        _ => io_problem(source, "copy", error),
    }
}
