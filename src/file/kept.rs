//! A descriptor of our own on a database file, which is not closed while the file has a name: closing it would drop every
//! lock that SQLite holds on that file in this process (<https://sqlite.org/howtocorrupt.html>, 2.2). One descriptor a
//! database is the price.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Opens a file for good; the same descriptor for the same file.
#[cfg(unix)]
pub(super) fn keep_open(path: &Path) -> io::Result<Arc<File>> {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::sync::{Mutex, PoisonError};

    type Identity = (u64, u64);
    /// By device and inode: a file that is kept open keeps its inode, so that no other gets that number.
    static KEPT: Mutex<Vec<(Identity, Arc<File>)>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let identity = |metadata: &Metadata| -> Identity { (metadata.dev(), metadata.ino()) };
    let wanted = identity(&std::fs::metadata(path)?);
    if let Some((_, file)) = kept.iter().find(|(known, _)| *known == wanted) {
        return Ok(Arc::clone(file));
    }
    // A file without a name is one that nobody can open any more; kept open, it would take up its room on the disk until
    // the process ends. Nobody else has it either: they are handed out under the mutex that we hold.
    kept.retain(|(_, file)| {
        Arc::strong_count(file) > 1 || file.metadata().map_or(true, |metadata| metadata.nlink() > 0)
    });
    let file = Arc::new(File::open(path)?);
    // Before anything can fail: from here on it must not be closed.
    kept.push((wanted, Arc::clone(&file)));
    let opened = identity(&file.metadata()?);
    if opened == wanted {
        return Ok(file);
    }
    // The file was replaced meanwhile.
    if let Some(last) = kept.last_mut() {
        last.0 = opened;
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Elsewhere locks belong to handles, and go with their own alone. (Not run there.)
#[cfg(not(unix))]
pub(super) fn keep_open(path: &Path) -> io::Result<Arc<File>> {
    File::open(path).map(Arc::new)
}

/// Reads at a place; no other thread's reading moves it.
pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
    }
    #[cfg(not(unix))]
    {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = file;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(buffer)
    }
}
