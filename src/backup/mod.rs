//! Copies of a database in its backups folder: their names, taking one, putting one back, rotation, the log of runs.

mod folder;
mod name;
mod restore;
mod rotate;
mod runs;
mod take;

pub use folder::{Backup, Metadata};

pub(crate) use folder::Backups;
pub(crate) use restore::{Original, put_back};
pub(crate) use runs::RunLine;
pub(crate) use take::{Copying, INTERRUPTED, MIGRATE, Taken};
