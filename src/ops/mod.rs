//! One operation a file: what a caller can ask for. They emit events and never print.

mod apply;
mod backup;
mod compare;
mod copies;
mod create;
mod doctor;
#[cfg(feature = "cli")]
mod example;
mod finish;
mod fresh;
mod inspect;
mod launch;
mod left;
mod near;
mod outcome;
mod place;
mod prepare;
mod preview;
mod recover;
mod restore;
mod restore_table;
mod snapshot;
mod space;
mod stats;
mod status;
#[cfg(feature = "cli")]
mod write_out;

pub use compare::{
    CompareOptions, Comparison, HistoryDifference, Identity, RowDifference, SettingDifference, TableComparison, compare,
};
pub use copies::RestoreFrom;
pub use create::{Created, create};
pub use doctor::{Action, Diagnosis, Finding, Severity, State};
#[cfg(feature = "cli")]
pub use example::start_from_example;
pub use restore::{RestoreOptions, RestoreReport};
pub use restore_table::{TableReport, TableRows};
pub use snapshot::{Snapshot, SnapshotOptions};
pub use stats::{BackupStats, Integrity, Soundness, Stats};
pub use status::Status;
#[cfg(feature = "cli")]
pub use write_out::write_out;

pub(crate) use apply::apply_to;
pub(crate) use backup::{back_up, backups, prune_backups, verify_backups};
pub(crate) use compare::compare_launched;
pub(crate) use doctor::diagnose;
pub(crate) use inspect::{inspect, inspect_table, schema};
pub(crate) use launch::{Launch, Looked, Ready};
pub(crate) use preview::preview;
pub(crate) use recover::{Way, recover};
pub(crate) use restore::restore;
pub(crate) use restore_table::restore_table;
pub(crate) use snapshot::{delete_snapshot, snapshot, snapshots};
pub(crate) use stats::stats;
pub(crate) use status::status;
