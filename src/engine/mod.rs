//! A run on an open connection: groups, savepoints, the authorizer, the checks. The only caller of refinery's apply.

mod checks;
mod expected;
mod fingerprint;
mod foreign_keys;
mod groups;
mod guard;
mod keys;
mod ledger;
mod others;
mod policy;
mod run;
mod scratch;
mod script;
mod session;
mod settings;
mod split;
mod statistics;
mod step;
mod watch;

pub use settings::{Atomicity, Check, LedgerText, StepContext};

pub(crate) use checks::{copy_depth, hashing};
pub(crate) use expected::expected;
pub(crate) use foreign_keys::{Before, Orphans, note_all, note_around};
pub(crate) use groups::{group, is_split};
pub(crate) use ledger::{CLOSE_ALL, close_restore, open_restore};
pub(crate) use run::{Failure, Run};
pub(crate) use scratch::compile;
pub(crate) use session::{Session, begin_immediate, commit};
pub(crate) use settings::Settings;
pub(crate) use watch::Watch;
