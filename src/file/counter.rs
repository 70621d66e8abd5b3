//! Whether a database was written, told from its header, where no connection may read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::mem::ManuallyDrop;
use std::path::Path;

/// The change counter in a database's header (<https://sqlite.org/fileformat2.html#file_change_counter>): it moves with
/// every commit, but for those that are in a write-ahead log.
///
/// Its descriptor is never closed: closing it would drop every lock that SQLite holds on this file in this process
/// (<https://sqlite.org/howtocorrupt.html>, 2.2). One descriptor a restore is the price.
pub(crate) struct ChangeCounter(ManuallyDrop<File>);

impl ChangeCounter {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(ChangeCounter(ManuallyDrop::new(File::open(path)?)))
    }

    /// As it is on the disk now; nothing in a file that has no header yet.
    pub(crate) fn read(&mut self) -> io::Result<Option<[u8; 4]>> {
        let mut counter = [0_u8; 4];
        self.0.seek(SeekFrom::Start(24))?;
        match self.0.read_exact(&mut counter) {
            Ok(()) => Ok(Some(counter)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}
