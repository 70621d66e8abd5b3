//! A descriptor of our own on a database file, which is never closed: closing it would drop every lock that SQLite holds on
//! that file in this process (<https://sqlite.org/howtocorrupt.html>, 2.2). One descriptor a database is the price.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a file for good; the same descriptor for the same file.
#[cfg(unix)]
pub(super) fn keep_open(path: &Path) -> io::Result<&'static File> {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::sync::{Mutex, PoisonError};

    /// By device and inode: a file that is kept open keeps its inode, so that no other gets that number.
    static KEPT: Mutex<Vec<((u64, u64), &'static File)>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let wanted = identity(&std::fs::metadata(path)?);
    if let Some((_, file)) = kept.iter().find(|(known, _)| *known == wanted) {
        return Ok(file);
    }
    // From here on it must not be dropped, whatever happens.
    let file: &'static File = Box::leak(Box::new(File::open(path)?));
    let opened = identity(&file.metadata()?);
    kept.push((opened, file));
    // Else the file was replaced meanwhile.
    if opened == wanted { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Elsewhere locks belong to handles, and go with their own alone. (Not run there.)
#[cfg(not(unix))]
pub(super) fn keep_open(path: &Path) -> io::Result<&'static File> {
    Ok(Box::leak(Box::new(File::open(path)?)))
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
