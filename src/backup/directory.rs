//! What lies in a data directory beside its database: all but backups, locks, and what SQLite and lifeboat keep beside a
//! database.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::folder::Backups;
use super::name::Names;
use crate::error::Problem;
use crate::file::{DatabasePath, Entry, Kind, entries, io_problem, is_database};

/// The data directory of a database.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pub(crate) folder: PathBuf,
    database: OsString,
    /// Where the backups lie, if in a folder in the directory, by the path from there.
    backups: Option<PathBuf>,
    /// What backups are called, where they lie in the directory itself.
    among_files: Option<Names>,
}

/// What lies in one, or in a snapshot of it.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// A folder stands before what is in it.
    pub(crate) entries: Vec<Entry>,
    /// Those of the files that are databases, other than the directory's own.
    pub(crate) databases: BTreeSet<PathBuf>,
    /// Sockets and the like, which cannot be copied.
    pub(crate) passed_over: Vec<PathBuf>,
}

impl Directory {
    pub(crate) fn of(database: &DatabasePath, backups: &Backups) -> Self {
        let folder = database.folder().to_owned();
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let inside = real(&backups.folder).strip_prefix(real(&folder)).map(ToOwned::to_owned).ok();
        Directory {
            database: database.real().file_name().unwrap_or_default().to_owned(),
            among_files: inside.as_ref().filter(|path| path.as_os_str().is_empty()).map(|_| backups.names.clone()),
            backups: inside.filter(|path| !path.as_os_str().is_empty()),
            folder,
        }
    }

    /// What a snapshot leaves out, by its path from the directory.
    fn passes(&self, path: &Path) -> bool {
        if path == Path::new("backups") || self.backups.as_deref() == Some(path) {
            return true;
        }
        let at_the_top = path.components().count() == 1;
        if at_the_top && self.among_files.as_ref().is_some_and(|names| is_of_backups(names, path)) {
            return true;
        }
        let after = path.as_os_str().as_encoded_bytes().strip_prefix(self.database.as_encoded_bytes());
        at_the_top
            && after.is_some_and(|after| {
                after.is_empty()
                    || SIDECARS.iter().any(|suffix| after == suffix.as_bytes())
                    || after.starts_with(b"-lifeboat")
            })
    }

    /// All that lies in the directory, without asking which files are databases.
    pub(super) fn contents_without_databases(&self) -> Result<Vec<Entry>, Problem> {
        entries(&self.folder, |path| self.passes(path)).map_err(|(path, source)| io_problem(&path, "read", source))
    }

    /// How many bytes and files lie in a folder that is laid out like it, beside the database; what can be seen of them.
    pub(crate) fn size_of(&self, root: &Path) -> (u64, usize) {
        let all = entries(root, |path| self.passes(path)).unwrap_or_default();
        let files = all.iter().filter(|entry| entry.kind != Kind::Folder);
        (files.clone().map(|entry| entry.bytes).sum(), files.count())
    }

    /// Whether a live file is a database; never the directory's own, which is no file of it.
    pub(super) fn is_database(&self, live: &Path, kind: Option<Kind>) -> bool {
        kind == Some(Kind::File) && is_database(live)
    }

    /// What lies in the directory now.
    pub(crate) fn contents(&self) -> Result<Contents, Problem> {
        self.contents_of(&self.folder)
    }

    /// What lies in a folder that is laid out like it: a snapshot, say. Nothing, if there is no such folder.
    pub(crate) fn contents_of(&self, root: &Path) -> Result<Contents, Problem> {
        if !is_folder(root)? {
            return Ok(Contents::default());
        }
        let mut all =
            entries(root, |path| self.passes(path)).map_err(|(path, source)| io_problem(&path, "read", source))?;
        let databases: BTreeSet<PathBuf> = all
            .iter()
            .filter(|entry| entry.kind == Kind::File && is_database(&root.join(&entry.path)))
            .map(|entry| entry.path.clone())
            .collect();
        // Their logs are brought into their copies.
        let sidecars: BTreeSet<PathBuf> =
            databases.iter().flat_map(|path| SIDECARS.map(|suffix| with_suffix(path, suffix))).collect();
        all.retain(|entry| !sidecars.contains(&entry.path));
        // Nor does what another database's lifeboat keeps beside it go along: a launch lock that gets another inode locks
        // nothing.
        let kept: Vec<PathBuf> = databases.iter().map(|path| with_suffix(path, "-lifeboat")).collect();
        let is_kept = |path: &Path| {
            let path = path.as_os_str().as_encoded_bytes();
            kept.iter().any(|kept| path.starts_with(kept.as_os_str().as_encoded_bytes()))
        };
        all.retain(|entry| !is_kept(&entry.path));
        let (other, entries): (Vec<Entry>, Vec<Entry>) = all.into_iter().partition(|entry| entry.kind == Kind::Other);
        Ok(Contents { entries, databases, passed_over: other.into_iter().map(|entry| entry.path).collect() })
    }
}

/// Whether there is a folder. A disk that fails for a moment is no reason to say that there is none, and to bring nothing.
pub(crate) fn is_folder(path: &Path) -> Result<bool, Problem> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(source) => Err(io_problem(path, "look at", source)),
    }
}

/// A backup, what describes it, what it keeps, one on its way; the log of runs.
fn is_of_backups(names: &Names, path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let copy = |name: &OsStr| names.read_either(name).is_some();
    let beside = || {
        let of = path.extension().is_some_and(|extension| extension == "json" || extension == "files");
        of && path.file_stem().is_some_and(copy)
    };
    name == "runs.jsonl" || copy(name) || beside() || names.is_partial(name) || names.is_unpacked(name)
}

impl Contents {
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// Files and links.
    pub(crate) fn files(&self) -> usize {
        self.entries.iter().filter(|entry| entry.kind != Kind::Folder).count()
    }
}

/// What SQLite keeps beside a database.
pub(crate) const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];

pub(crate) fn with_suffix(path: &Path, suffix: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
