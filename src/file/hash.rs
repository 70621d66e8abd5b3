//! What a copy contains, as one number that does not change when nothing does.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::durable::sync_file;

pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Bytes of the header that move by themselves (<https://sqlite.org/fileformat2.html#the_database_header>): read and
/// write version, change counter, schema cookie (which the backup API counts up), version-valid-for, writer's version.
const MOVING: &[std::ops::Range<usize>] = &[18..20, 24..28, 40..44, 92..100];

/// SHA-256 of a file, in hexadecimal, with the moving bytes of SQLite's header taken as zero; and its size in bytes.
pub(crate) fn content_hash(path: &Path, mut progress: impl FnMut(u64) -> io::Result<()>) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = ContentHasher::default();
    let mut buffer = vec![0_u8; 256 * 1024];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&mut buffer[..read]);
        progress(hasher.size)?;
    }
}

/// The same of bytes that come piece by piece.
#[derive(Default)]
pub(super) struct ContentHasher {
    hasher: Sha256,
    size: u64,
}

impl ContentHasher {
    /// The next bytes of the file; of the first, the moving ones become zero.
    pub(super) fn update(&mut self, piece: &mut [u8]) {
        if self.size == 0 && piece.starts_with(MAGIC) {
            for moving in MOVING {
                let end = moving.end.min(piece.len());
                piece[moving.start.min(end)..end].fill(0);
            }
        }
        self.hasher.update(&*piece);
        self.size += piece.len() as u64;
    }

    /// How many bytes there were, and their hash.
    pub(super) fn finish(self) -> (u64, String) {
        (self.size, hexadecimal(&self.hasher.finalize()))
    }
}

/// Eight hexadecimal digits that stand for `bytes`.
pub(crate) fn short_hash(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes)[..4])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrong with the header of a copy although SQLite opens it. A text encoding that is none passes for UTF-8 the
/// first time, and makes every later look at the schema by the same connection fail
/// (<https://sqlite.org/src/file/src/prepare.c>, `sqlite3InitOne`): a run could neither go on nor go back.
pub(crate) fn header_damage(path: &Path) -> io::Result<Option<String>> {
    let mut start = [0_u8; 100];
    let whole = File::open(path)?.read_exact(&mut start).is_ok();
    let encoding = u32::from_be_bytes([start[56], start[57], start[58], start[59]]);
    let damaged = whole && start.starts_with(MAGIC) && encoding > 3;
    Ok(damaged.then(|| format!("its header gives {encoding} for the text encoding")))
}

/// Marks a copy as one without a write-ahead log, so that opening it, even for reading, makes no `-wal` and `-shm`;
/// then syncs it. A file that does not begin as SQLite's do (encrypted) keeps its bytes.
pub(crate) fn settle_header(path: &Path) -> io::Result<()> {
    settle(path, true)
}

/// The same for a copy that was settled and has been opened since: nothing is written if it is as it was.
pub(crate) fn settle_again(path: &Path) -> io::Result<()> {
    settle(path, false)
}

fn settle(path: &Path, first: bool) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut start = [0_u8; 20];
    let whole = file.read_exact(&mut start).is_ok();
    let moved = whole && start.starts_with(MAGIC) && start[18..20] != [1, 1];
    if moved {
        file.seek(SeekFrom::Start(18))?;
        file.write_all(&[1, 1])?;
    }
    if moved || first {
        sync_file(&file)?; // content before name: see `sync_file`
    }
    Ok(())
}
