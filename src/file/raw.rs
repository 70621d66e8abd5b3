//! Copying a database file as it lies there: by the file system, where it can share blocks, else byte by byte and hashed
//! on the way. Three to a thousand times as fast as SQLite's backup API, which reads page by page.
//!
//! Only for a file that has all the content of its database and that nobody can write meanwhile: see [`is_at_rest`].

use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(unix)]
use std::sync::Arc;

use rusqlite::Connection;

use super::connect::{Unlocked, journal_mode};
#[cfg(unix)]
use super::kept::keep_open;

/// What is known of a copy.
pub(crate) enum Raw {
    /// Its content hash, as [`content_hash`](super::hash::content_hash) gives it.
    Hashed(String),
    /// Not a byte of it has been read: it shares its blocks with the original, or no hash was wanted.
    Unread,
}

/// Whether the file alone is the whole database, and stays so while `reader`, on which a transaction is open, lives.
///
/// With a rollback journal the reader's shared lock keeps everybody from writing to the file. In WAL mode nobody writes to
/// it but who moves the log into it, and that is kept from it by a reader that found the log empty (it holds the lock that
/// SQLite calls `WAL_READ_LOCK(0)`, <https://sqlite.org/src/file/src/wal.c>).
pub(crate) fn is_at_rest(reader: &Connection, path: &Path) -> bool {
    debug_assert!(!reader.is_autocommit());
    if Unlocked::of(reader, path).is_some() {
        return false; // it has no lock that would keep anybody from anything
    }
    match journal_mode(reader) {
        Ok(mode) if mode.eq_ignore_ascii_case("wal") => {
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            // Looked at after the transaction began: what is not there now was not there then.
            std::fs::metadata(Path::new(&log))
                .map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |metadata| metadata.len() == 0)
        }
        Ok(_) => true,
        Err(_) => false,
    }
}

/// What becomes of the descriptor that a file is read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descriptor {
    /// It stays open as long as the file has a name: see [`keep_open`](super::kept::keep_open).
    Kept,
    /// It is closed. For a copy of ours alone, on which nobody in this process has a lock that matters: kept open, it would
    /// take up its room on the disk also when it is pruned.
    Closed,
}

/// Copies the file at `path`, which [is at rest](is_at_rest) and has `bytes`, into `target`, which is empty. Nothing, where
/// it cannot be done in this way; `target` is then empty again. `progress` gets the bytes done, and can stop it.
#[cfg(unix)]
pub(crate) fn copy_raw(
    path: &Path,
    target: &File,
    bytes: u64,
    descriptor: Descriptor,
    hashed: bool,
    progress: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<Option<Raw>> {
    let source = match descriptor {
        Descriptor::Kept => match keep_open(path) {
            Ok(kept) => kept,
            Err(_) => return Ok(None),
        },
        Descriptor::Closed => Arc::new(File::open(path)?),
    };
    let source = source.as_ref();
    // A file that is shorter ends in pages that were never written, one that is longer in what is no page.
    if source.metadata()?.len() != bytes {
        return Ok(None);
    }
    let copied = if unix::share_blocks(source, target) {
        Some(Raw::Unread)
    } else if hashed {
        unix::copy_and_hash(source, target, bytes, progress)?.map(Raw::Hashed)
    } else {
        unix::copy(source, target, bytes, progress)?.then_some(Raw::Unread)
    };
    match copied {
        Some(_) => unix::settle(target)?,
        None => target.set_len(0)?,
    }
    Ok(copied)
}

/// On Windows a raw read fails at the bytes that SQLite locks. (Not run there.)
#[cfg(not(unix))]
pub(crate) fn copy_raw(
    _: &Path,
    _: &File,
    _: u64,
    _: Descriptor,
    _: bool,
    _: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<Option<Raw>> {
    Ok(None)
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;
    use std::ops::Range;
    use std::os::unix::fs::FileExt;
    use std::sync::mpsc::{Receiver, sync_channel};

    use crate::file::hash::{ContentHasher, MAGIC};

    /// XFS, Btrfs, bcachefs, some network file systems: a copy in constant time, whose blocks part when one is written.
    pub(super) fn share_blocks(source: &File, target: &File) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            rustix::fs::ioctl_ficlone(target, source).is_ok()
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))] // APFS clones by name alone; not run there
        {
            let _ = (source, target);
            false
        }
    }

    /// Marks the copy as one without a write-ahead log, before anything opens it and makes one.
    pub(super) fn settle(target: &File) -> io::Result<()> {
        let mut start = [0_u8; 20];
        if target.read_exact_at(&mut start, 0).is_ok() && start.starts_with(MAGIC) && start[18..20] != [1, 1] {
            target.write_all_at(&[1, 1], 18)?;
        }
        Ok(())
    }

    /// How much is copied between two looks at whether to go on.
    const PIECE: u64 = 2 * 1024 * 1024;
    /// How far the copying may be ahead of the hashing: what was copied lately is still in memory.
    const AHEAD: usize = 64;

    /// Copies, and hashes the original in another thread: with two processors that takes hardly longer. Nothing, if the
    /// file ends early.
    pub(super) fn copy_and_hash(
        source: &File,
        target: &File,
        bytes: u64,
        progress: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<Option<String>> {
        std::thread::scope(|scope| {
            let (copied, to_hash) = sync_channel::<u64>(AHEAD);
            let hashing = scope.spawn(move || hash(source, &to_hash));
            let whole = copy(source, target, bytes, &mut |done| {
                progress(done)?;
                // An end of the hashing is an error of its own, told below.
                let _ = copied.send(done);
                Ok(())
            })?;
            drop(copied);
            let hash = hashing.join().map_err(|_| io::Error::other("the hashing ended early"))??;
            Ok(whole.then_some(hash))
        })
    }

    /// Hashes the file as far as it is told, until nothing more is told.
    fn hash(source: &File, to_hash: &Receiver<u64>) -> io::Result<String> {
        let mut hasher = ContentHasher::default();
        let mut buffer = vec![0_u8; 256 * 1024];
        let mut done = 0_u64;
        for until in to_hash {
            while done < until {
                let wanted = usize::try_from(until - done).unwrap_or(buffer.len()).min(buffer.len());
                match source.read_at(&mut buffer[..wanted], done) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(read) => {
                        hasher.update(&mut buffer[..read]);
                        done += read as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(hasher.finish().1)
    }

    /// Copies piece by piece; false, if the file ends early. `progress` gets the bytes done, also none and all.
    pub(super) fn copy(
        source: &File,
        target: &File,
        bytes: u64,
        progress: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<bool> {
        let mut done = 0;
        progress(done)?;
        while done < bytes {
            let until = (done + PIECE).min(bytes);
            if !copy_piece(source, target, done..until)? {
                return Ok(false);
            }
            done = until;
            progress(done)?;
        }
        Ok(true)
    }

    /// Inside the kernel where it can be done there: a third of the time of reading and writing.
    fn copy_piece(source: &File, target: &File, mut piece: Range<u64>) -> io::Result<bool> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        while !piece.is_empty() {
            use rustix::io::Errno;
            let (mut from, mut to) = (piece.start, piece.start);
            let wanted = usize::try_from(piece.end - piece.start).unwrap_or(usize::MAX);
            match rustix::fs::copy_file_range(source, Some(&mut from), target, Some(&mut to), wanted) {
                Ok(0) => return Ok(false),
                Ok(copied) => piece.start += copied as u64,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let mut buffer = if piece.is_empty() { Vec::new() } else { vec![0_u8; 1024 * 1024] };
        while !piece.is_empty() {
            let wanted = usize::try_from(piece.end - piece.start).unwrap_or(buffer.len()).min(buffer.len());
            match source.read_at(&mut buffer[..wanted], piece.start) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    target.write_all_at(&buffer[..read], piece.start)?;
                    piece.start += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
