//! Copies of a database in its backups folder: their names, taking one, putting one back, rotation, the log of runs.

mod folder;
mod name;
mod plain;
mod restore;
mod retention;
mod rotate;
mod runs;
mod take;
mod tidy;
mod verify;

pub use folder::{Backup, Metadata, Pin};
pub use plain::PlainCopy;
pub use retention::Retention;
pub use verify::{Defect, Verified};

pub(crate) use folder::Backups;
pub(crate) use restore::{Original, put_back};
pub(crate) use rotate::{Rules, Said, pin};
pub(crate) use runs::RunLine;
pub(crate) use take::{Copying, INTERRUPTED, MANUAL, MIGRATE, RESTORE_TABLE, Taken};
