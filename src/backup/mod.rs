//! Copies of a database: the backups in their folder, taking one, putting one back, rotation, the log of runs; and
//! snapshots, of a data directory or of a database alone.

mod bring;
mod carry;
mod directory;
mod folder;
mod moment;
mod name;
mod place;
mod plain;
mod restore;
mod retention;
mod rotate;
mod runs;
mod snapshot;
mod staging;
mod swap;
mod take;
mod tidy;
mod verify;

pub use folder::{Backup, Metadata, Pin};
pub use plain::PlainCopy;
pub use retention::Retention;
pub use verify::{Defect, Verified};

pub(crate) use bring::{kept_files, new_names};
pub(crate) use carry::Progress;
pub(crate) use directory::{Directory, is_folder};
pub(crate) use folder::Backups;
pub(crate) use moment::copy_moment;
pub(crate) use place::{Snapshots, check_name, is_example};
pub(crate) use restore::{Original, put_back, set_journal_mode};
pub(crate) use rotate::{NOTE_AT_MOST, Rules, Said, pin};
pub(crate) use runs::RunLine;
pub(crate) use snapshot::Shot;
pub(crate) use staging::{Files, Staging, Wanted};
pub(crate) use swap::{Patience, Witness, make_ready, swap};
pub(crate) use take::{Copying, Hashing, INTERRUPTED, MANUAL, MIGRATE, RESTORE, RESTORE_TABLE, Taken};
