//! The plain SQLite file of a backup, compressed or not.

use std::path::{Path, PathBuf};

use super::folder::Backup;
use crate::error::{Problem, Result};
use crate::event::CancelToken;
use crate::file::{content_hash, io_problem, remove_with_sidecars};

const CHANGED: &str = "its content is not what it was when it was taken";

/// A plain SQLite file with the content of a backup, for as long as this lives: the backup itself, or what a compressed one
/// holds, beside it.
#[derive(Debug)]
pub struct PlainCopy {
    path: PathBuf,
    /// The backup that it is of.
    backup: PathBuf,
}

impl PlainCopy {
    /// The plain file, to be read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The backup's file.
    pub(crate) fn backup(&self) -> &Path {
        &self.backup
    }

    /// Whether the file is made for this, and goes with it.
    pub(crate) fn is_temporary(&self) -> bool {
        self.path != self.backup
    }
}

impl Drop for PlainCopy {
    fn drop(&mut self) {
        if self.is_temporary() {
            // What stays because this process is killed goes with a later launch: see `remove_older_partials`.
            let _ = remove_with_sidecars(&self.path);
        }
    }
}

impl Backup {
    /// The copy as a plain SQLite file, which any SQLite reads. It is seen to be what was taken, as far as its metadata
    /// tells. A compressed one is decompressed beside itself; that file goes with the value that this gives.
    ///
    /// # Errors
    /// It is not there any more, or cannot be read; it is empty, or not what it was when it was taken; a compressed one is
    /// damaged, or the build has no feature `zstd`; there is no room for the plain file. Cancelled.
    pub fn open_plain(&self, cancel: &CancelToken) -> Result<PlainCopy> {
        Ok(self.as_taken(cancel)?)
    }

    /// The same, as the problem alone.
    pub(crate) fn as_taken(&self, cancel: &CancelToken) -> Result<PlainCopy, Problem> {
        self.refuse_other_size()?;
        let go_on = || if cancel.is_cancelled() { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) };
        let plain = self.plain(go_on)?;
        let said = self.metadata.as_ref().filter(|said| !self.compressed && said.sha256.is_some());
        if let Some(said) = said {
            let (size, hash) = content_hash(&self.path, |_| go_on()).map_err(|source| match source.kind() {
                std::io::ErrorKind::Interrupted => Problem::Cancelled {},
                _ => io_problem(&self.path, "read", source),
            })?;
            if !said.tells_of(size, &hash) {
                return Err(self.changed(CHANGED.to_owned()));
            }
        }
        Ok(plain)
    }

    /// Refuses what can be seen to be changed without reading it: an empty file, which SQLite takes for a database
    /// without tables, and one of another length than it had.
    pub(crate) fn refuse_other_size(&self) -> Result<(), Problem> {
        let size = std::fs::metadata(&self.path).map_err(|source| io_problem(&self.path, "read", source))?.len();
        match &self.metadata {
            _ if size == 0 => Err(self.changed("it is empty".to_owned())),
            Some(said) if !self.compressed && said.size != size => {
                Err(self.changed(format!("it had {} bytes when it was taken, and has {size}", said.size)))
            }
            _ => Ok(()),
        }
    }

    fn changed(&self, detail: String) -> Problem {
        Problem::Corrupt { path: self.path.clone(), detail }
    }

    /// The copy as a plain SQLite file: itself, as it lies there, or the content of a compressed one beside it, which is
    /// then seen to be what was recorded. `go_on` may stop that by an error.
    pub(crate) fn plain(&self, go_on: impl Fn() -> std::io::Result<()>) -> Result<PlainCopy, Problem> {
        if !self.compressed {
            let there = std::fs::metadata(&self.path).map_err(|source| io_problem(&self.path, "read", source));
            return there.map(|_| PlainCopy { path: self.path.clone(), backup: self.path.clone() });
        }
        self.unpacked(go_on)
    }

    #[cfg(not(feature = "zstd"))]
    fn unpacked(&self, _: impl Fn() -> std::io::Result<()>) -> Result<PlainCopy, Problem> {
        Err(Problem::Compressed { path: self.path.clone() })
    }

    #[cfg(feature = "zstd")]
    fn unpacked(&self, go_on: impl Fn() -> std::io::Result<()>) -> Result<PlainCopy, Problem> {
        use super::name::unpacked;
        use crate::file::{short_hash, unpack};
        use std::sync::atomic::{AtomicU32, Ordering};

        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let failed = |source: std::io::Error| match source.raw_os_error() {
            // What zstd itself has to say of the content.
            None if source.kind() != std::io::ErrorKind::Interrupted => {
                Problem::Corrupt { path: self.path.clone(), detail: source.to_string() }
            }
            None => Problem::Cancelled {},
            Some(_) => io_problem(&self.path, "decompress", source),
        };
        let plain = self.plain_path();
        let folder = plain.parent().unwrap_or(Path::new("."));
        // Another process may be looking at the same copy, and this one from several threads.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let tag = short_hash(format!("{}-{number}", std::process::id()).as_bytes());
        let path = unpacked(folder, plain.file_name().unwrap_or_default(), &tag);
        let _ = remove_with_sidecars(&path); // of a process with this number that was killed
        let copy = PlainCopy { path, backup: self.path.clone() };
        let said = self.metadata.as_ref();
        unpack(&self.path, &copy.path, said.map(|metadata| metadata.size), &go_on).map_err(failed)?;
        if let Some(said) = said {
            let (size, hash) = content_hash(&copy.path, |_| go_on()).map_err(failed)?;
            if !said.tells_of(size, &hash) {
                return Err(self.changed(CHANGED.to_owned()));
            }
        }
        Ok(copy)
    }
}
