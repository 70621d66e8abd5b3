//! What flows between a call and its caller while the call runs: events out, cancellation in. The library never
//! prints; whoever wants a line on a screen or in a log listens here.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::report::Outcome;

/// Something that happened during a call. `Display` gives one line for people and logs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Another process is migrating this database (`holder` is its process id, if it could be read), or writes to it.
    Waiting {
        /// What is waited for: `launch lock` or `write lock`.
        lock: &'static str,
        /// The process that holds the launch lock, as far as its file tells.
        holder: Option<u32>,
        /// How long it will be waited for at the most.
        at_most: Duration,
    },
    /// A run that had been cut off was found; its copy is about to be put back.
    RecoveryStarted {
        /// The copy that undoes it.
        backup: PathBuf,
    },
    /// The run that had been cut off is undone.
    RecoveryFinished {
        /// Where the state that was found is kept; nothing, if it was too damaged to be copied.
        kept: Option<PathBuf>,
    },
    /// A run begins.
    RunStarted {
        /// How many migrations it has.
        steps: usize,
    },
    /// The copy of the database begins.
    BackupStarted {
        /// Its size in bytes.
        bytes: u64,
    },
    /// A part of the copy is done.
    BackupProgress {
        /// Bytes copied.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The copy is whole, checked and durable.
    BackupFinished {
        /// Where it is.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
        /// Whether an earlier copy of the same content was kept in place of a new one.
        reused: bool,
    },
    /// A migration begins.
    StepStarted {
        /// The migration.
        name: String,
        /// Its place in the run, from 1.
        index: usize,
        /// How many migrations the run has.
        of: usize,
    },
    /// A statement has been running for a while. Sent about twice a second.
    StatementRunning {
        /// The migration.
        name: String,
        /// The statement's number in the migration, from 1.
        statement: usize,
        /// How long it has been running.
        elapsed: Duration,
    },
    /// A migration ran through; it is not committed yet, unless the run commits each one.
    StepFinished {
        /// The migration.
        name: String,
        /// How long it took.
        duration: Duration,
    },
    /// A migration failed.
    StepFailed {
        /// The migration.
        name: String,
        /// Why.
        reason: String,
    },
    /// The rows of a table are being compared with those in another file. Sent at the beginning, and about twice a second.
    Comparing {
        /// The table.
        table: String,
        /// How many rows have been passed.
        rows: u64,
    },
    /// A check begins.
    CheckStarted {
        /// Its name.
        name: String,
    },
    /// A group of migrations was committed: it is in the file, and durable.
    Committed,
    /// The run was rolled back, and the file was seen to be as it was.
    RolledBack,
    /// The copy is being put back.
    RestoreStarted {
        /// The copy.
        backup: PathBuf,
    },
    /// The copy was put back.
    RestoreFinished {
        /// The copy.
        backup: PathBuf,
    },
    /// A snapshot begins.
    SnapshotStarted {
        /// Its name.
        name: String,
        /// Its size in bytes.
        bytes: u64,
        /// How many files it has beside the database.
        files: usize,
    },
    /// A part of the snapshot is done.
    SnapshotProgress {
        /// Bytes copied.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The snapshot is whole, checked and durable.
    SnapshotFinished {
        /// Where it is.
        path: PathBuf,
    },
    /// A part of what a restore brings is there.
    RestoreProgress {
        /// Bytes copied.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A restore that had been cut off after its database was in place is finished.
    RestoreResumed {
        /// How many files had still to be brought or moved out of the way.
        files: usize,
    },
    /// An old copy was removed after a newer one was durable.
    BackupPruned {
        /// The copy.
        path: PathBuf,
    },
    /// An older copy is about to be compressed.
    CompressStarted {
        /// The copy.
        path: PathBuf,
    },
    /// An older copy is compressed, and its plain form is gone.
    CompressFinished {
        /// The compressed copy.
        path: PathBuf,
        /// What it took on the disk, in bytes.
        from: u64,
        /// What it takes.
        to: u64,
    },
    /// Migrations were not run because this is a test environment.
    SkippedInTest {
        /// How many are pending.
        pending: usize,
    },
    /// Something that a person should know; the call goes on.
    Warning {
        /// What.
        message: String,
    },
    /// The call ended.
    Finished {
        /// The state of the file.
        outcome: Outcome,
        /// What the call says to people.
        message: String,
        /// Whether it ended in an error.
        failed: bool,
    },
}

/// How much an event matters, as logs have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// Something failed.
    Error,
    /// A person should know.
    Warn,
    /// A step on the way.
    Info,
    /// How far something has come.
    Debug,
}

impl Event {
    /// How much it matters.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Event::StepFailed { .. } | Event::Finished { failed: true, .. } => Level::Error,
            Event::Warning { .. }
            | Event::RecoveryStarted { .. }
            | Event::RestoreResumed { .. }
            | Event::RolledBack
            | Event::RestoreStarted { .. }
            | Event::RestoreFinished { .. } => Level::Warn,
            Event::BackupProgress { .. }
            | Event::SnapshotProgress { .. }
            | Event::RestoreProgress { .. }
            | Event::Comparing { .. }
            | Event::StatementRunning { .. } => Level::Debug,
            _ => Level::Info,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Waiting { lock, holder: Some(pid), at_most } => {
                write!(f, "waiting for the {lock}, held by process {pid} (at most {} s)", at_most.as_secs())
            }
            Event::Waiting { lock, holder: None, at_most } => {
                write!(f, "waiting for the {lock} (at most {} s)", at_most.as_secs())
            }
            Event::RecoveryStarted { backup } => {
                write!(f, "an earlier run was cut off; restoring `{}`", backup.display())
            }
            Event::RecoveryFinished { kept: Some(kept) } => {
                write!(f, "the run that was cut off is undone; what it had left is kept in `{}`", kept.display())
            }
            Event::RecoveryFinished { kept: None } => f.write_str("the run that was cut off is undone"),
            Event::RunStarted { steps: 1 } => f.write_str("1 migration to run"),
            Event::RunStarted { steps } => write!(f, "{steps} migrations to run"),
            Event::BackupStarted { bytes } => write!(f, "backing up {}", mebibytes(*bytes)),
            Event::BackupProgress { done, total } => {
                write!(f, "backing up: {} of {}", mebibytes(*done), mebibytes(*total))
            }
            Event::BackupFinished { path, bytes, reused: false } => {
                write!(f, "backup `{}` ({})", path.display(), mebibytes(*bytes))
            }
            Event::BackupFinished { path, reused: true, .. } => {
                write!(f, "backup `{}` has the same content and is kept in place of a new one", path.display())
            }
            Event::StepStarted { name, index, of } => write!(f, "[{index}/{of}] {name} started"),
            Event::StatementRunning { name, statement, elapsed } => {
                write!(f, "{name}: statement {statement} has been running for {:.1} s", elapsed.as_secs_f64())
            }
            Event::StepFinished { name, duration } => write!(f, "{name} done in {}", brief(*duration)),
            Event::StepFailed { name, reason } => write!(f, "{name} failed: {reason}"),
            Event::Comparing { table, rows: 0 } => write!(f, "comparing `{table}`"),
            Event::Comparing { table, rows } => write!(f, "comparing `{table}`: {rows} rows so far"),
            Event::CheckStarted { name } => write!(f, "checking: {name}"),
            Event::Committed => f.write_str("committed"),
            Event::RolledBack => f.write_str("rolled back"),
            Event::RestoreStarted { backup } => write!(f, "restoring `{}`", backup.display()),
            Event::RestoreFinished { backup } => write!(f, "restored `{}`", backup.display()),
            Event::SnapshotStarted { name, bytes, files: 0 } => {
                write!(f, "taking the snapshot `{name}` ({})", mebibytes(*bytes))
            }
            Event::SnapshotStarted { name, bytes, files } => {
                let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
                write!(f, "taking the snapshot `{name}` ({}, the database and {files})", mebibytes(*bytes))
            }
            Event::SnapshotProgress { done, total } => {
                write!(f, "taking the snapshot: {} of {}", mebibytes(*done), mebibytes(*total))
            }
            Event::SnapshotFinished { path } => write!(f, "snapshot `{}`", path.display()),
            Event::RestoreProgress { done, total } => {
                write!(f, "restoring: {} of {}", mebibytes(*done), mebibytes(*total))
            }
            Event::RestoreResumed { files } => {
                let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
                write!(f, "a restore had been cut off; {files} that it had still to see to followed")
            }
            Event::BackupPruned { path } => write!(f, "old backup `{}` removed", path.display()),
            Event::CompressStarted { path } => write!(f, "compressing `{}`", path.display()),
            Event::CompressFinished { path, from, to } => {
                write!(f, "old backup `{}` compressed: {} became {}", path.display(), mebibytes(*from), mebibytes(*to))
            }
            Event::SkippedInTest { pending } => {
                write!(f, "test environment: {pending} pending migrations were not run")
            }
            Event::Warning { message } => f.write_str(message),
            Event::Finished { outcome, message, .. } => write!(f, "{message} ({outcome})"),
        }
    }
}

/// A size for people, in MiB (1,048,576 bytes), or KiB below one of those.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // a rounded figure for people
    let mib = bytes as f64 / (1024.0 * 1024.0);
    if mib < 1.0 { format!("{} KiB", bytes.div_ceil(1024)) } else { format!("{mib:.1} MiB") }
}

/// A duration for people: milliseconds below a second, seconds above.
#[must_use]
pub fn brief(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// Where events go. Cloned into every room that has something to tell.
#[derive(Clone, Default)]
pub(crate) struct Emitter(Vec<Listener>);

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

impl Emitter {
    pub(crate) fn listen(&mut self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.0.push(Arc::new(listener));
    }

    #[allow(clippy::needless_pass_by_value)] // an event is made to be given away
    pub(crate) fn emit(&self, event: Event) {
        for listener in &self.0 {
            listener(&event);
        }
    }

    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.emit(Event::Warning { message: message.into() });
    }
}

/// Cancels a call from another thread: the run is rolled back, the file is as it was.
///
/// ```
/// let token = lifeboat::CancelToken::new();
/// let for_the_button = token.clone();
/// for_the_button.cancel();
/// assert!(token.is_cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the end of the calls that know this token. Also in the middle of a statement.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
