//! The states that a file can be in, each with what can be done about it.

use serde::Serialize;

/// The state of a file as an app's dialog needs it. [`actions`](State::actions) says what can be done.
///
/// Backups are named as `lifeboat backup list` names them, snapshots as `lifeboat snapshot list` does, the newest first,
/// and only those that can be read and can be put back now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum State {
    /// The file has the schema that the app needs.
    Ready,
    /// There is no file yet.
    Absent {
        /// The migrations that would make it.
        pending: Vec<String>,
        /// The backups of a file that has been there.
        backups: Vec<String>,
        /// Its snapshots.
        snapshots: Vec<String>,
    },
    /// The app's next launch migrates it.
    NeedsMigration {
        /// The migrations to run.
        pending: Vec<String>,
    },
    /// A newer version of the app has migrated the file.
    NewerThanApp {
        /// The newest migration that this app knows.
        newest_known: Option<String>,
        /// What it does not know.
        newer: Vec<String>,
        /// Backups that this app knows everything in.
        backups: Vec<String>,
    },
    /// What was applied is not what the app has.
    Diverged {
        /// Applied with another text or name.
        divergent: Vec<String>,
        /// Applied, and unknown to the app.
        missing: Vec<String>,
    },
    /// Migrations are pending that are older than one which was applied.
    OutOfOrder {
        /// Those.
        migrations: Vec<String>,
        /// The one that was applied.
        newest_applied: String,
    },
    /// A run was cut off between its transactions; or a restore, before its files were in place.
    Interrupted {
        /// The backup that undoes it.
        backup: String,
        /// Whether it can be put back, or the restore be finished. Then the next launch does it, too, before it migrates.
        restorable: bool,
        /// Why it cannot.
        why: Option<String>,
        /// Whether it is a restore: it is finished, and not undone.
        restore: bool,
        /// Other backups.
        backups: Vec<String>,
    },
    /// SQLite finds the file damaged.
    Corrupt {
        /// What it says.
        detail: String,
        /// Backups that could take its place.
        backups: Vec<String>,
        /// Snapshots that could.
        snapshots: Vec<String>,
    },
    /// The file is no SQLite database, or it is encrypted and no key was given.
    NotADatabase {
        /// Backups that could take its place.
        backups: Vec<String>,
        /// Snapshots that could.
        snapshots: Vec<String>,
    },
    /// The path names what cannot be a database.
    NotAFile {
        /// What it names.
        what: String,
    },
    /// The file cannot be opened or read, though nothing says that it is damaged.
    Unreadable {
        /// Why.
        why: String,
        /// Whether rights are what is missing.
        denied: bool,
    },
    /// The history of migrations in the file cannot be understood.
    BadHistory {
        /// The table.
        table: String,
        /// Why.
        why: String,
        /// Backups that could take its place.
        backups: Vec<String>,
        /// Snapshots that could.
        snapshots: Vec<String>,
    },
    /// The app's own migrations cannot be run.
    BadMigrations {
        /// Why.
        why: String,
    },
    /// The file needs to be migrated, and there is too little room for its copy.
    NoSpace {
        /// Where.
        folder: String,
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// Another process is at it.
    Locked {
        /// `launch lock`, which whoever migrates has, or `write lock`.
        lock: &'static str,
        /// Who has the launch lock, as far as its file tells.
        holder: Option<u32>,
    },
    /// The file or its folder cannot be written.
    ReadOnly {
        /// Why.
        why: String,
        /// Whether it has the schema that the app needs, so that the app can read it.
        up_to_date: bool,
    },
}

/// What can be done about a state, by the app or by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Action {
    /// [`Migrator::open`](crate::Migrator::open): nothing is to be done first.
    Open,
    /// [`Migrator::open`](crate::Migrator::open) opens it for reading alone.
    OpenReadOnly,
    /// [`Migrator::open`](crate::Migrator::open) or [`Database::migrate`](crate::Database::migrate) brings it to the
    /// schema.
    Migrate,
    /// [`Database::recover`](crate::Database::recover) undoes the run that was cut off, or finishes the restore.
    Recover,
    /// [`Database::accept_interrupted`](crate::Database::accept_interrupted): a person has looked at the file.
    AcceptAsIs,
    /// Putting a backup back. What is there should be kept.
    RestoreBackup {
        /// Which.
        backup: String,
    },
    /// Going back to a snapshot. What is there should be kept.
    RestoreSnapshot {
        /// Which.
        snapshot: String,
    },
    /// Waiting until the other process is done.
    Wait,
    /// Looking again, when whatever was in the way is gone.
    Retry,
    /// Freeing room on the disk.
    FreeSpace {
        /// At least so many bytes.
        bytes: u64,
    },
    /// Giving the file and its folder to the user that runs the app.
    GrantAccess,
    /// Installing a newer version of the app.
    UpdateApp,
    /// Asking those who made the app.
    ContactSupport,
}

impl State {
    /// What can be done, the best first. Nothing is in it that would be refused in this state.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        let newest = |backups: &[String]| {
            backups.first().map(|backup| Action::RestoreBackup { backup: backup.clone() }).into_iter()
        };
        let named = |snapshots: &[String]| {
            snapshots.first().map(|name| Action::RestoreSnapshot { snapshot: name.clone() }).into_iter()
        };
        match self {
            State::Ready => vec![Action::Open],
            State::Absent { pending, backups, snapshots } => {
                let make = if pending.is_empty() { Action::Open } else { Action::Migrate };
                newest(backups).chain(named(snapshots)).chain([make]).collect()
            }
            State::NeedsMigration { .. } => vec![Action::Migrate],
            State::NewerThanApp { backups, .. } => [Action::UpdateApp].into_iter().chain(newest(backups)).collect(),
            State::Diverged { .. } | State::OutOfOrder { .. } | State::BadMigrations { .. } => {
                vec![Action::UpdateApp, Action::ContactSupport]
            }
            State::Interrupted { restorable: true, .. } => vec![Action::Recover],
            State::Interrupted { restorable: false, backups, .. } => {
                newest(backups).chain([Action::AcceptAsIs, Action::ContactSupport]).collect()
            }
            State::Corrupt { backups, snapshots, .. }
            | State::NotADatabase { backups, snapshots }
            | State::BadHistory { backups, snapshots, .. } => {
                newest(backups).chain(named(snapshots)).chain([Action::ContactSupport]).collect()
            }
            State::NotAFile { .. } | State::Unreadable { denied: false, .. } => {
                vec![Action::Retry, Action::ContactSupport]
            }
            State::Unreadable { denied: true, .. } | State::ReadOnly { up_to_date: false, .. } => {
                vec![Action::GrantAccess, Action::Retry]
            }
            State::NoSpace { needed, available, .. } => {
                vec![Action::FreeSpace { bytes: needed.saturating_sub(*available) }, Action::Retry]
            }
            State::Locked { .. } => vec![Action::Wait, Action::Retry],
            State::ReadOnly { up_to_date: true, .. } => {
                vec![Action::OpenReadOnly, Action::GrantAccess, Action::Retry]
            }
        }
    }
}
