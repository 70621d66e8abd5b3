//! One operation a file: what a caller can ask for. They emit events and never print.

mod apply;
mod backup;
mod compare;
mod create;
#[cfg(feature = "cli")]
mod example;
mod fresh;
mod inspect;
mod launch;
mod near;
mod outcome;
mod preview;
mod recover;
mod restore_table;
mod space;
mod stats;
mod status;

pub use compare::{
    CompareOptions, Comparison, HistoryDifference, Identity, RowDifference, SettingDifference, TableComparison, compare,
};
pub use create::{Created, create};
#[cfg(feature = "cli")]
pub use example::start_from_example;
pub use restore_table::{TableReport, TableRows};
pub use stats::{BackupStats, Integrity, Soundness, Stats};
pub use status::Status;

pub(crate) use apply::apply_to;
pub(crate) use backup::{back_up, backups, prune_backups, verify_backups};
pub(crate) use compare::compare_launched;
pub(crate) use inspect::{inspect, inspect_table, schema};
pub(crate) use launch::{Launch, Looked, Ready};
pub(crate) use preview::preview;
pub(crate) use recover::{Way, recover};
pub(crate) use restore_table::restore_table;
pub(crate) use stats::stats;
pub(crate) use status::status;
