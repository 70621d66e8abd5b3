//! Whether a database was written, told from its header, where no connection may read.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::kept::{keep_open, read_exact_at};

/// The change counter in a database's header (<https://sqlite.org/fileformat2.html#file_change_counter>): it moves with
/// every commit, but for those that are in a write-ahead log.
pub(crate) struct ChangeCounter(Arc<File>);

impl ChangeCounter {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        keep_open(path).map(ChangeCounter)
    }

    /// As it is on the disk now; nothing in a file that has no header yet.
    pub(crate) fn read(&mut self) -> io::Result<Option<[u8; 4]>> {
        let mut counter = [0_u8; 4];
        match read_exact_at(&self.0, &mut counter, 24) {
            Ok(()) => Ok(Some(counter)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}
