#![doc = include_str!("../README.md")]

pub mod testing;

mod backup;
mod engine;
mod error;
mod event;
mod file;
#[cfg(any(feature = "log", feature = "tracing"))]
mod log_sink;
mod migration;
mod migrator;
mod ops;
mod report;
pub mod schema;

pub use backup::{Backup, Defect, Metadata, Pin, PlainCopy, Retention, Verified};
pub use engine::{Atomicity, Check, LedgerText, StepContext};
pub use error::{BoxError, Error, ErrorKind, Location, Problem, Result, SqliteCause};
pub use event::{CancelToken, Event, Level, brief, mebibytes};
pub use migration::{Embedded, Entry, Migration, Migrations, Plan, Prefix};
pub use migrator::{Database, Environment, Migrator};
pub use ops::{Action, Diagnosis, Finding, Severity, State};
pub use ops::{BackupStats, Created, Integrity, Soundness, Stats, Status, create};
pub use ops::{
    CompareOptions, Comparison, HistoryDifference, Identity, RowDifference, SettingDifference, TableComparison, compare,
};
pub use ops::{RestoreFrom, RestoreOptions, RestoreReport, Snapshot, SnapshotOptions, TableReport, TableRows};
#[cfg(feature = "cli")]
pub use ops::{start_from_example, write_out};
pub use report::{Direction, Outcome, Report, StepReport, StepState};
pub use rusqlite;
pub use schema::{Inspection, Schema};

#[doc(hidden)]
pub mod __private {
    pub use include_dir;
}
