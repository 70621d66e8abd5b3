//! What can go wrong, said so that a user can act on it: what happened, the state of the file, what to do next.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::hint::hint;
use crate::report::{Outcome, StepReport};

/// The cause of a failure in code that lifeboat was given: a Rust step, a check, a hook.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What SQLite said, without the SQL that it said it about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteCause {
    /// SQLite's message, such as `UNIQUE constraint failed: person.email`.
    pub message: String,
    /// SQLite's extended result code, such as 2067; see <https://sqlite.org/rescode.html>.
    pub code: i32,
}

impl fmt::Display for SqliteCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLite code {})", self.message, self.code)
    }
}

impl std::error::Error for SqliteCause {}

impl From<&rusqlite::Error> for SqliteCause {
    fn from(error: &rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, message) => SqliteCause {
                message: message.clone().unwrap_or_else(|| failure.to_string()),
                code: failure.extended_code,
            },
            // Its own text repeats the whole statement, which may have megabytes.
            rusqlite::Error::SqlInputError { error, msg, .. } => {
                SqliteCause { message: msg.clone(), code: error.extended_code }
            }
            other => SqliteCause { message: other.to_string(), code: 1 },
        }
    }
}

/// A place in a migration's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Location {
    /// The statement's number, from 1.
    pub statement: usize,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {} (statement {})", self.line, self.column, self.statement)
    }
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $kind:literal $text:tt { $($(#[$fattr:meta])* $field:ident : $ty:ty,)* })*) => {
        /// What went wrong, with its facts.
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        #[allow(missing_docs)] // the fields are what the message says
        pub enum Problem {
            $($(#[$doc])* #[error $text] $name { $($(#[$fattr])* $field: $ty,)* },)*
        }

        /// The kind of an error, for a program to match on. In JSON the kebab-case name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $name,)*
        }

        impl ErrorKind {
            /// Every kind there is, in the order of the documentation.
            pub const ALL: &[ErrorKind] = &[$(ErrorKind::$name,)*];

            /// The name in JSON and logs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorKind::$name => $kind,)* }
            }
        }

        impl Problem {
            /// The kind of this problem.
            #[must_use]
            pub fn kind(&self) -> ErrorKind {
                match self { $(Problem::$name { .. } => ErrorKind::$name,)* }
            }
        }
    };
}

problems! {
    /// There is no such file, where one is read.
    NotFound = "not-found" ("there is no database `{}`", .path.display()) { path: PathBuf, near: Vec<PathBuf>, backups: usize, snapshots: usize, }
    /// The path names something that cannot be a database: a folder, a device, an empty name.
    NotAFile = "not-a-file" ("`{}` is {what}, not a database file", .path.display()) { path: PathBuf, what: &'static str, }
    /// A symbolic link whose target does not exist.
    DanglingLink = "dangling-link" ("`{}` is a link to `{}`, which does not exist", .path.display(), .target.display()) { path: PathBuf, target: PathBuf, }
    /// The file's content is not a SQLite database; or it is encrypted, and no key was given.
    NotADatabase = "not-a-database" ("`{}` is not a SQLite database, or it is encrypted", .path.display()) { path: PathBuf, }
    /// SQLite finds the file damaged.
    Corrupt = "corrupt" ("`{}` is damaged: {detail}", .path.display()) { path: PathBuf, detail: String, }
    /// The file, or its folder, cannot be written.
    ReadOnly = "read-only" ("`{}` cannot be written: {why}", .path.display()) { path: PathBuf, why: String, }
    /// Another process held a lock for longer than the time-out.
    Locked = "locked" ("`{}` is in use: the {lock} was not free within {:.1} s", .path.display(), .waited.as_secs_f64()) { path: PathBuf, lock: &'static str, holder: Option<u32>, waited: Duration, }
    /// An operating-system error.
    Io = "io" ("cannot {action} `{}`", .path.display()) { path: PathBuf, action: &'static str, #[source] source: std::io::Error, }
    /// The disk became full; what was begun is undone.
    DiskFull = "disk-full" ("the disk of `{}` is full", .path.display()) { path: PathBuf, #[source] source: SqliteCause, }
    /// A SQLite error outside any migration.
    Sqlite = "sqlite" ("SQLite cannot {action} `{}`", .path.display()) { path: PathBuf, action: &'static str, #[source] source: SqliteCause, }
    /// The disk has too little room for the copy.
    NoSpace = "no-space" ("`{}` has {} free, and {} are needed", .path.display(), mebibytes(*.available, f64::floor), mebibytes(*.needed, f64::ceil)) { path: PathBuf, available: u64, needed: u64, }
    /// The file was migrated by a newer version of the app.
    Newer = "newer" ("`{}` is newer than this app: it has {}, this app knows up to {newest_known}", .path.display(), names(.migrations)) { path: PathBuf, migrations: Vec<String>, newest_known: String, }
    /// There is no such table or view, where one is looked at.
    NoSuchTable = "no-such-table" ("there is no table or view `{table}` in `{}`", .path.display()) { path: PathBuf, table: String, near: Vec<String>, }
    /// The rows of a table cannot be brought back from a copy as they are.
    TableRefused = "table-refused" ("`{table}` cannot be brought back from `{}`: {why}", .copy.display()) { copy: PathBuf, table: String, why: String, }
    /// With the rows of one table as they are in a copy, rows would refer to nothing.
    TableOrphans = "table-orphans" ("with `{table}` as it is in the copy, {} in `{child}` would refer to no row of `{parent}`{}", counted(*.count), rows(.rowids)) { table: String, child: String, parent: String, rowids: Vec<i64>, count: usize, }
    /// A migration was applied with another text or name.
    Divergent = "divergent" ("`{}` has migrations applied with another text than this app has: {}", .path.display(), names(.migrations)) { path: PathBuf, migrations: Vec<String>, }
    /// A migration was applied that the app does not have.
    Missing = "missing" ("`{}` has migrations applied, but unknown to this app: {}", .path.display(), names(.migrations)) { path: PathBuf, migrations: Vec<String>, }
    /// Two migrations have the same version.
    DuplicateVersion = "duplicate-version" ("`{first}` and `{second}` have the same version") { first: String, second: String, }
    /// A pending `V` migration is older than one that was applied.
    OutOfOrder = "out-of-order" ("`{}` has migrations pending, but older than `{newest_applied}`, which is applied: {}", .path.display(), names(.migrations)) { path: PathBuf, migrations: Vec<String>, newest_applied: String, }
    /// A file in the migrations folder cannot be a migration as it is.
    BadMigration = "bad-migration" ("`{}` cannot be used as a migration: {why}", .path.display()) { path: PathBuf, why: String, right: Option<String>, }
    /// The migrations folder cannot be read.
    NoMigrations = "no-migrations" ("cannot read the migrations in `{}`", .path.display()) { path: PathBuf, #[source] source: std::io::Error, }
    /// The version asked for is none of the app's, or the file is past it.
    UnknownTarget = "unknown-target" ("cannot migrate to version {version}: {why}") { version: i64, why: String, }
    /// The history or the ledger in the file cannot be understood.
    BadHistory = "bad-history" ("`{table}` in `{}` cannot be understood: {why}", .path.display()) { path: PathBuf, table: String, why: String, }
    /// A statement of a migration failed.
    StepFailed = "step-failed" ("migration `{migration}` failed at {at}") { migration: String, at: Location, #[source] source: SqliteCause, }
    /// A statement that lifeboat does not run unless it is allowed by name.
    StatementRefused = "statement-refused" ("migration `{migration}` at {at}: {what} is not allowed inside a migration") { migration: String, at: Location, what: String, allow: Option<String>, }
    /// A statement that cannot run inside a transaction, in a migration that runs in one.
    NeedsNoTransaction = "needs-no-transaction" ("migration `{migration}` at {at}: {what} cannot run inside a transaction") { migration: String, at: Location, what: String, }
    /// A migration ended the transaction that it ran in, as `INSERT OR ROLLBACK` does.
    TransactionEnded = "transaction-ended" ("migration `{migration}` ended the transaction at {at}") { migration: String, at: Location, #[source] source: SqliteCause, }
    /// A Rust step or a hook returned an error.
    CodeFailed = "code-failed" ("{what} failed in migration `{migration}`") { migration: String, what: &'static str, #[source] source: BoxError, }
    /// A Rust step, a hook or a check panicked.
    Panicked = "panicked" ("{what} panicked: {message}") { what: String, message: String, }
    /// A migration left rows that refer to nothing.
    ForeignKey = "foreign-key" ("migration `{migration}` leaves {} in `{child}` that refer to no row of `{parent}`{}", counted(*.count), rows(.rowids)) { migration: String, child: String, parent: String, rowids: Vec<i64>, count: usize, cascade: bool, }
    /// A check after the migrations failed.
    CheckFailed = "check-failed" ("the check `{check}` failed: {detail}") { check: String, detail: String, }
    /// A statement ran for longer than the limit.
    TimedOut = "timed-out" ("migration `{migration}` at {at} ran for longer than {:.1} s", .limit.as_secs_f64()) { migration: String, at: Location, limit: Duration, }
    /// The caller cancelled.
    Cancelled = "cancelled" ("cancelled") { }
    /// A run was cut off, and its copy cannot be put back.
    NeedsRecovery = "needs-recovery" ("a run on `{}` was cut off, and its backup `{backup}` cannot be put back: {why}", .path.display()) { path: PathBuf, backup: String, why: String, }
    /// A backup is compressed, and this build lacks the feature `zstd`.
    Compressed = "compressed" ("`{}` is compressed, which this build of lifeboat cannot read", .path.display()) { path: PathBuf, }
    /// The database of a restore is in place, and its files cannot be brought.
    RestoreUnfinished = "restore-unfinished" ("the files of a restore of `{}` cannot be brought: {why}", .path.display()) { path: PathBuf, why: String, }
    /// A run was cut off, and its state is nothing to keep.
    Interrupted = "interrupted" ("a run on `{}` was cut off", .path.display()) { path: PathBuf, }
    /// There is no such snapshot or backup. `known` are those that there are, the nearest first.
    NoSuchCopy = "no-such-copy" ("there is no {what} `{name}`") { what: &'static str, name: String, known: Vec<String>, }
    /// A name that no snapshot can have.
    BadName = "bad-name" ("`{name}` cannot name a snapshot: {why}") { name: String, why: String, }
    /// There is a snapshot of this name already.
    NameTaken = "name-taken" ("there is a snapshot `{name}` already: `{}`", .path.display()) { name: String, path: PathBuf, }
    /// The snapshot is kept for what it is, unless that is allowed by name.
    ReservedName = "reserved-name" ("the snapshot `{name}` is what a fresh start begins with, and is neither replaced nor deleted") { name: String, }
    /// The copy is of another app's database.
    ForeignCopy = "foreign-copy" ("`{}` is of another app than `{}`: {why}", .path.display(), .database.display()) { path: PathBuf, database: PathBuf, why: String, }
    /// What was asked for contradicts itself.
    Unsupported = "unsupported" ("{what}") { what: String, }
    /// The configuration cannot be used.
    Config = "config" ("{what}") { what: String, }
}

fn names(migrations: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = migrations.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if migrations.len() > SHOWN {
        text.push_str(&format!(" and {} more", migrations.len() - SHOWN));
    }
    text
}

fn counted(rows: usize) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

fn rows(rowids: &[i64]) -> String {
    if rowids.is_empty() {
        return String::new();
    }
    let list = rowids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!(" (rowids {list})")
}

/// To a tenth. What is there is rounded down and what is needed up, so that the two never read the same.
fn mebibytes(bytes: u64, round: fn(f64) -> f64) -> String {
    #[allow(clippy::cast_precision_loss)] // a rounded figure for people
    let tenths = round(bytes as f64 * 10.0 / (1024.0 * 1024.0));
    format!("{:.1} MiB", tenths / 10.0)
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for ErrorKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A failed call: what went wrong, the state that the user's file is in, and what to do next.
///
/// The text is the problem's alone; its cause is in [`source`](std::error::Error::source).
///
/// `Debug` is laid out for people too, since that is what `fn main() -> Result<(), Box<dyn Error>>` prints: the text,
/// its causes, the state of the file, and the hint, a line each.
pub struct Error(Box<Facts>);

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            write!(f, "\n  cause: {next}")?;
            cause = next.source();
        }
        write!(f, "\n  state: {}", self.state())?;
        match self.hint() {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

struct Facts {
    problem: Problem,
    outcome: Outcome,
    backup: Option<PathBuf>,
    recovered: bool,
    results: Vec<StepReport>,
    /// A better hint than that of the problem, from where more is known.
    hint: Option<String>,
}

/// The result of every fallible call of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(problem: Problem, outcome: Outcome) -> Self {
        Error(Box::new(Facts { problem, outcome, backup: None, recovered: false, results: Vec::new(), hint: None }))
    }

    pub(crate) fn with_backup(mut self, backup: Option<PathBuf>) -> Self {
        self.0.backup = backup;
        self
    }

    pub(crate) fn with_results(mut self, results: Vec<StepReport>) -> Self {
        self.0.results = results;
        self
    }

    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint;
        self
    }

    pub(crate) fn with_recovered(mut self, recovered: bool) -> Self {
        self.0.recovered |= recovered;
        // Nothing was changed since, but the file is not as this call found it: it is as before the run that was cut off.
        if self.0.recovered && self.0.outcome == Outcome::Untouched {
            self.0.outcome = Outcome::Restored;
        }
        self
    }

    /// The kind, for a program to match on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.problem.kind()
    }

    /// What went wrong, with its facts.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// The state of the user's file.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The copy of the file as it was before the run, where one was taken.
    #[must_use]
    pub fn backup(&self) -> Option<&Path> {
        self.0.backup.as_deref()
    }

    /// Whether a run that was cut off earlier was found and undone before this failure.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.0.recovered
    }

    /// The migrations of the run, with what became of each.
    #[must_use]
    pub fn results(&self) -> &[StepReport] {
        &self.0.results
    }

    /// One sentence about the state of the file, for people.
    #[must_use]
    pub fn state(&self) -> String {
        let kept = |what: &str| {
            let first = if self.0.recovered { "an interrupted run was undone first; then " } else { "" };
            match &self.0.backup {
                Some(path) => format!("{first}{what}; copy kept: `{}`", path.display()),
                None => format!("{first}{what}"),
            }
        };
        match self.0.outcome {
            Outcome::Restored if self.0.recovered && self.0.results.is_empty() => {
                "the file is as it was before a run that was cut off (that run was undone first; nothing else was changed)"
                    .to_owned()
            }
            Outcome::Untouched | Outcome::UpToDate => "the file is as it was (nothing was changed)".to_owned(),
            Outcome::RolledBack => format!("the file is as it was ({})", kept("rolled back")),
            Outcome::Restored => format!("the file is as it was ({})", kept("restored from its backup")),
            Outcome::NeedsRecovery if matches!(self.0.problem, Problem::RestoreUnfinished { .. }) => {
                let copy = self.0.backup.as_ref().map(|path| format!("; what it was before: `{}`", path.display()));
                format!("the file is the copy; its files are not all in place{}", copy.unwrap_or_default())
            }
            Outcome::NeedsRecovery => {
                format!("the file may be between two schemas ({})", kept("it could not be brought back"))
            }
            Outcome::Created | Outcome::Migrated | Outcome::Reverted => "the file is migrated".to_owned(),
        }
    }

    /// Whether the disk has too little room, whether that was seen before the run or in the middle of it.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match &self.0.problem {
            Problem::NoSpace { .. } | Problem::DiskFull { .. } => true,
            Problem::StepFailed { source, .. } => source.code & 0xff == rusqlite::ffi::SQLITE_FULL,
            Problem::Io { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// What to do next, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.0.hint.clone().or_else(|| hint(&self.0.problem))
    }
}

/// A problem or an error with its causes, in one line.
pub(crate) fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.problem.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.problem)
    }
}

/// A refusal before anything was changed.
impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error::new(problem, Outcome::Untouched)
    }
}
