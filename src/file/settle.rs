//! The neighbourhood of a database before it is made or written.

use std::io;
use std::path::{Path, PathBuf};

use super::identity::DatabasePath;

const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Moves sidecars of a database that is not there out of the way, under a name that keeps them. SQLite would replay a
/// left-over log into whatever file next bears the name. Returns where they are now.
pub(crate) fn aside_stale_sidecars(path: &DatabasePath, stamp: &str) -> io::Result<Vec<PathBuf>> {
    let mut moved = Vec::new();
    for suffix in SIDECARS {
        let stale = path.sidecar(suffix);
        if std::fs::symlink_metadata(&stale).is_ok() {
            let aside = path.sidecar(&format!("{suffix}.left-{stamp}"));
            std::fs::rename(&stale, &aside)?;
            moved.push(aside);
        }
    }
    Ok(moved)
}

/// Whether a log or a journal lies beside the name of a database.
pub(crate) fn has_sidecars(path: &DatabasePath) -> bool {
    SIDECARS.iter().any(|suffix| std::fs::symlink_metadata(path.sidecar(suffix)).is_ok())
}

/// Whether the permissions of a file, or of a folder, allow writing at all. They bind the superuser too: a file that
/// was marked read-only was marked so by somebody. (On Windows the attribute
/// of a folder says nothing about the files in it; not run there.)
pub(crate) fn may_be_written(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|metadata| !metadata.permissions().readonly() || (cfg!(not(unix)) && metadata.is_dir()))
}

/// Why a file or folder cannot be written by this process, asked of the system without trying; nothing, if it can.
pub(crate) fn refuses_writing(path: &Path) -> Option<String> {
    if !may_be_written(path) {
        return Some("its permissions do not allow it".to_owned());
    }
    denies_writing(path)
}

/// The same, but what is marked read-only may be written by a superuser, whom that does not keep from anything.
pub(crate) fn denies_writing(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        // Also the owner and the medium, of which permissions tell nothing.
        rustix::fs::access(path, rustix::fs::Access::WRITE_OK).err().map(|error| io::Error::from(error).to_string())
    }
    #[cfg(not(unix))] // not run there: what a list of access rights says is seen when it is written
    {
        let _ = path;
        None
    }
}
