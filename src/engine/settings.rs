//! What the app decides about its runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use crate::backup::{Retention, Rules};
use crate::error::BoxError;
use crate::event::{CancelToken, Emitter};
use crate::file::Connector;
use crate::migration::DEFAULT_HISTORY_TABLE;

/// How much of a run is one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Atomicity {
    /// The whole run: it is in the file or it is not, at every moment and for every reader.
    #[default]
    Run,
    /// Each migration: for files so large that the journal of a whole run would not fit on the disk. A failure puts the
    /// copy back; a run that is cut off is undone by the next launch.
    Step,
}

/// What is checked in the copy before a run, and in the file before its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Check {
    /// Up to 128 MiB as [`Quick`](Check::Quick). Above, the copy's schema is read, and up to 512 MiB the tables that the run
    /// wrote are checked by `PRAGMA quick_check(table)`. Copies above 128 MiB are not hashed, as under [`Off`](Check::Off):
    /// they take as long as `cp` and a sync, or no time where the file system can share blocks.
    #[default]
    Auto,
    /// `PRAGMA quick_check` on the copy and on the migrated file: about as long as copying the file.
    Quick,
    /// `PRAGMA integrity_check` on both, which also compares indexes with tables: two to four times as long.
    Full,
    /// Nothing but foreign keys and the app's own checks. Nor are copies hashed, unless a run of several transactions
    /// needs to know its copy again: they are checked before they are put back.
    Off,
}

/// What the ledger keeps of the SQL of applied migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerText {
    /// Texts of at most so many bytes; longer ones are left out. The default is 1 MiB.
    UpTo(usize),
    /// No text at all.
    Omit,
}

/// What a hook gets to know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StepContext {
    /// The migration, as in `V2__add_users`.
    pub name: String,
    /// Its version.
    pub version: i64,
    /// Its place in the run, from 1.
    pub index: usize,
    /// How many migrations the run has.
    pub of: usize,
}

pub(crate) type CheckFunction = Arc<dyn Fn(&Connection) -> Result<(), BoxError> + Send + Sync>;
pub(crate) type HookFunction = Arc<dyn Fn(&Connection, &StepContext) -> Result<(), BoxError> + Send + Sync>;
pub(crate) type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) connector: Connector,
    pub(crate) emitter: Emitter,
    pub(crate) cancel: CancelToken,
    pub(crate) wait: Duration,
    pub(crate) atomicity: Atomicity,
    pub(crate) allow: BTreeSet<String>,
    pub(crate) history_table: String,
    pub(crate) check: Check,
    pub(crate) checks: Vec<(String, CheckFunction)>,
    pub(crate) before_each: Vec<HookFunction>,
    pub(crate) after_each: Vec<HookFunction>,
    pub(crate) statement_limit: Option<Duration>,
    pub(crate) ledger_text: LedgerText,
    pub(crate) app_version: Option<String>,
    pub(crate) clock: Clock,
    pub(crate) backups: Option<PathBuf>,
    pub(crate) retention: Retention,
    /// Where snapshots and restores cover more than the database.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) backup: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            connector: Connector::default(),
            emitter: Emitter::default(),
            cancel: CancelToken::new(),
            wait: Duration::from_secs(10),
            atomicity: Atomicity::default(),
            allow: BTreeSet::new(),
            history_table: DEFAULT_HISTORY_TABLE.to_owned(),
            check: Check::default(),
            checks: Vec::new(),
            before_each: Vec::new(),
            after_each: Vec::new(),
            statement_limit: None,
            ledger_text: LedgerText::UpTo(1024 * 1024),
            app_version: None,
            clock: Arc::new(Utc::now),
            backups: None,
            retention: Retention::default(),
            data_dir: None,
            backup: true,
        }
    }
}

impl Settings {
    /// How backups are kept.
    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules { retention: &self.retention, emitter: &self.emitter, cancel: &self.cancel }
    }

    pub(crate) fn now(&self) -> String {
        (self.clock)().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }
}
