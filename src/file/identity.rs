//! Which file a path means: through symbolic links to the real one, whose sidecars, lock and backups lie beside it.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Problem;

/// A path that was looked at, without opening the file: closing a descriptor of our own on a database would drop
/// every lock that SQLite holds on it in this process (<https://sqlite.org/howtocorrupt.html>, 2.2).
#[derive(Debug, Clone)]
pub(crate) struct DatabasePath {
    real: PathBuf,
    metadata: Option<Metadata>,
}

impl DatabasePath {
    /// Resolves `path` to the real file.
    pub(crate) fn resolve(path: &Path) -> Result<Self, Problem> {
        let path = Self::resolve_damaged(path)?;
        if path.is_log_alone() {
            let detail = "it is empty, but its write-ahead log has content".to_owned();
            return Err(Problem::Corrupt { path: path.real, detail });
        }
        Ok(path)
    }

    /// The same for whoever replaces the file, and never opens it if [`is_log_alone`](Self::is_log_alone).
    pub(crate) fn resolve_damaged(path: &Path) -> Result<Self, Problem> {
        if path.as_os_str().is_empty() || path == Path::new(":memory:") {
            return Err(Problem::NotAFile { path: path.to_owned(), what: "no file name" });
        }
        // SQLite takes a name that begins with `file:` for a URI; an absolute path never does.
        let absolute = std::path::absolute(path).map_err(|source| io_problem(path, "resolve", source))?;
        if absolute.file_name().is_none() {
            return Err(Problem::NotAFile { path: path.to_owned(), what: "a folder" });
        }
        let link = match fs::symlink_metadata(&absolute) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(DatabasePath { real: absolute, metadata: None });
            }
            Err(source) => return Err(io_problem(path, "look at", source)),
        };
        let (real, metadata) = if link.is_symlink() {
            // Only the last part of the path decides where sidecars lie, so only a link there must be followed.
            match fs::canonicalize(&absolute) {
                Ok(real) => {
                    let metadata = fs::metadata(&real).map_err(|source| io_problem(path, "look at", source))?;
                    (real, metadata)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let target = fs::read_link(&absolute).unwrap_or_default();
                    return Err(Problem::DanglingLink { path: path.to_owned(), target });
                }
                Err(source) => return Err(io_problem(path, "resolve", source)),
            }
        } else {
            (absolute, link)
        };
        if metadata.is_dir() {
            return Err(Problem::NotAFile { path: path.to_owned(), what: "a folder" });
        }
        if !metadata.is_file() {
            return Err(Problem::NotAFile { path: path.to_owned(), what: "a device or a pipe" });
        }
        Ok(DatabasePath { real, metadata: Some(metadata) })
    }

    /// The path as if nothing lay there: for the backups of what cannot be resolved.
    pub(crate) fn without_file(path: &Path) -> Option<Self> {
        let real = std::path::absolute(path).ok().filter(|path| path.file_name().is_some())?;
        Some(DatabasePath { real, metadata: None })
    }

    /// SQLite takes an empty file for a new database, and deletes a log that it finds beside it. But a log with content
    /// beside an empty file is all that is left of somebody's data.
    pub(crate) fn is_log_alone(&self) -> bool {
        let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let empty = self.metadata.as_ref().is_some_and(|metadata| metadata.len() == 0);
        empty && length(&self.sidecar("-wal")) > 0
    }

    /// The real file.
    pub(crate) fn real(&self) -> &Path {
        &self.real
    }

    /// What the file system said of the file when the path was resolved; nothing where there was none.
    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The folder that the database lies in.
    pub(crate) fn folder(&self) -> &Path {
        self.real.parent().unwrap_or(Path::new("."))
    }

    /// A file beside the database, named after it: `app.db` and `-wal` give `app.db-wal`.
    pub(crate) fn sidecar(&self, suffix: &str) -> PathBuf {
        let mut name = self.real.file_name().map_or_else(OsString::new, ToOwned::to_owned);
        name.push(suffix);
        self.real.with_file_name(name)
    }

    /// The launch lock.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.sidecar("-lifeboat")
    }

    /// Whether the file has other names (hard links), under which its sidecars would not be found.
    pub(crate) fn has_other_names(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            self.metadata.as_ref().is_some_and(|metadata| metadata.nlink() > 1)
        }
        #[cfg(not(unix))] // not run elsewhere: the count of links is not in the stable interface of Windows
        false
    }
}

pub(crate) fn io_problem(path: &Path, action: &'static str, source: io::Error) -> Problem {
    Problem::Io { path: path.to_owned(), action, source }
}

/// The same for an attempt to write, where the want of rights is a kind of its own.
pub(crate) fn write_problem(path: &Path, action: &'static str, source: io::Error) -> Problem {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Problem::ReadOnly { path: path.to_owned(), why: source.to_string() }
        }
        _ => io_problem(path, action, source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sidecars_keep_the_whole_name() {
        let path = DatabasePath::resolve(Path::new("/nowhere/my notes.db")).unwrap();
        assert_eq!(path.sidecar("-wal"), Path::new("/nowhere/my notes.db-wal"));
        assert_eq!(path.lock_file(), Path::new("/nowhere/my notes.db-lifeboat"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_to_the_real_file() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real.db");
        fs::write(&real, b"").unwrap();
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let path = DatabasePath::resolve(&link).unwrap();
        assert_eq!(path.real(), fs::canonicalize(&real).unwrap());
    }
}
