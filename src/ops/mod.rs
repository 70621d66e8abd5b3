//! One operation a file: what a caller can ask for. They emit events and never print.

mod apply;
mod backup;
mod create;
mod doctor;
#[cfg(feature = "cli")]
mod example;
mod fresh;
mod inspect;
mod launch;
mod near;
mod outcome;
mod preview;
mod recover;
mod space;
mod stats;
mod status;

pub use create::{Created, create};
pub use doctor::{Action, Diagnosis, Finding, Severity, State};
#[cfg(feature = "cli")]
pub use example::start_from_example;
pub use stats::{BackupStats, Integrity, Soundness, Stats};
pub use status::Status;

pub(crate) use apply::apply_to;
pub(crate) use backup::{back_up, backups, prune_backups, verify_backups};
pub(crate) use doctor::diagnose;
pub(crate) use inspect::{inspect, inspect_table, schema};
pub(crate) use launch::{Launch, Looked, Ready};
pub(crate) use preview::preview;
pub(crate) use recover::{Way, recover};
pub(crate) use stats::stats;
pub(crate) use status::status;
