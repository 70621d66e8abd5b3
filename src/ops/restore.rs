//! Going back to a copy.
//!
//! ```text
//! launch lock ── find the copy ── compare the files ── room? ── the copy copied, checked, and given a note that files follow
//!    ── what is there now backed up, under the write lock ── the database put into place, note and all: one transaction,
//!    unless somebody has written since ── the files brought ── the note taken away
//! ```
//!
//! Killed before the transaction, nothing has changed but what waits beside the database; killed after it, the database is
//! the copy, and the next launch sees the note and brings the files.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::copies::{Chosen, RestoreFrom, choose, naming_another};
use super::finish::finish_restore;
use super::launch::{Launch, refuse_unwritable, run_id, telling_the_wait};
use super::place::{Aside, create_from, put_aside};
use super::prepare::{Prepared, prepare};
use super::snapshot::Around;
use crate::backup::{Copying, Patience, RESTORE, RunLine, Staging, Witness, make_ready, swap};
use crate::engine::{CLOSE_ALL, Session, begin_immediate, copy_depth, hashing};
use crate::error::{Error, Problem, Result, described};
use crate::event::Event;
use crate::file::{DatabasePath, Kind, Purpose, create_folder, size_of, sqlite_problem, write_problem};
use crate::migration::{LEDGER_TABLE, OpenRestore, Record, committed_backups, read_open, read_record};
use crate::report::{Outcome, lossy, lossy_path, lossy_paths};

/// How far [`Database::restore`](crate::Database::restore) goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions {
    pub(crate) exact: bool,
}

impl RestoreOptions {
    /// Files of the data directory that the copy lacks leave it, and are kept beside the backup that the restore makes.
    #[must_use]
    pub fn exact(mut self, exact: bool) -> Self {
        self.exact = exact;
        self
    }
}

/// What a restore did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RestoreReport {
    /// The database.
    #[serde(serialize_with = "lossy_path")]
    pub database: PathBuf,
    /// The copy that it is now.
    #[serde(serialize_with = "lossy_path")]
    pub from: PathBuf,
    /// What was there before, as a backup: restoring that undoes this. Nothing, if nothing was there, or nothing that
    /// SQLite could copy.
    #[serde(serialize_with = "lossy")]
    pub backup: Option<PathBuf>,
    /// Where a damaged file that SQLite could not copy lies now, with its log.
    #[serde(serialize_with = "lossy")]
    pub aside: Option<PathBuf>,
    /// The newest migration in it.
    pub schema_version: Option<String>,
    /// What migrating would apply.
    pub pending_migrations: Vec<String>,
    /// How many files of the data directory were brought.
    pub brought_files: usize,
    /// Files that the copy lacks, and that left the data directory. By their paths from there.
    #[serde(serialize_with = "lossy_paths")]
    pub removed_files: Vec<PathBuf>,
    /// Files that the copy lacks, and that were kept where they are. By their paths from there.
    #[serde(serialize_with = "lossy_paths")]
    pub kept_files: Vec<PathBuf>,
    /// One sentence for people.
    pub message: String,
    /// What to do next, where there is something to say.
    pub hint: Option<String>,
}

/// What there is at the database's place.
enum Live {
    Nothing,
    Database(Box<(Session, Record)>),
    /// Nothing that SQLite could read or write.
    Damaged,
}

/// What a restore put into place.
struct Put {
    backup: Option<PathBuf>,
    aside: Option<PathBuf>,
}

pub(crate) fn restore(launch: &Launch<'_>, from: &RestoreFrom, options: RestoreOptions) -> Result<RestoreReport> {
    let result = under_lock(launch, from, options).map_err(|error| match Around::of_damaged(launch) {
        Ok(around) => naming_another(error, &around.backups, around.database.real()),
        Err(_) => error,
    });
    match &result {
        Ok(report) => {
            let message = report.message.clone();
            launch.settings.emitter.emit(Event::Finished { outcome: Outcome::Restored, message, failed: false });
        }
        Err(error) => launch.tell_failure(error),
    }
    result
}

fn under_lock(launch: &Launch<'_>, from: &RestoreFrom, options: RestoreOptions) -> Result<RestoreReport> {
    let around = Around::of_damaged(launch)?;
    // What is not there is said before a folder or a lock is made.
    choose(&around, from, None)?;
    let folder = around.database.folder();
    create_folder(folder).map_err(|source| Error::from(write_problem(folder, "create", source)))?;
    refuse_unwritable(&around.database)?;
    let _lock = launch.lock(&around.database)?;
    let around = Around::of_damaged(launch)?;
    let mut live = telling_the_wait(|| look(launch, &around.database))?;
    if let Live::Database(found) = &mut live
        && let Some(open) = found.1.open_restore.take()
    {
        let waits =
            around.backups.names.read(open.backup.as_ref()).is_some() && Staging::of(&around.database).is_of(&open.id);
        match finish_restore(launch, &around.database, &mut found.0, &open) {
            // What can never be finished is replaced; files that wait are not thrown away for something in their way.
            Err(error) if !waits && matches!(error.problem(), Problem::RestoreUnfinished { .. }) => {
                launch.settings.emitter.warn(described(&error));
            }
            other => drop(other?),
        }
    }
    let chosen = choose(&around, from, Some(&launch.settings.cancel))?;
    let staging = Staging::of(&around.database);
    let id = run_id(launch.settings);
    let restore = Restore { launch, around: &around, staging: &staging, chosen: &chosen, id: &id, options };
    let started = (Instant::now(), launch.settings.now());
    let done = restore.run(live);
    if done.as_ref().err().is_some_and(|error| error.outcome() == Outcome::Untouched)
        && let Err(problem) = staging.discard()
    {
        launch.settings.emitter.warn(described(&problem));
    }
    restore.log(started, &done);
    done
}

fn look(launch: &Launch<'_>, database: &DatabasePath) -> Result<Live, Problem> {
    let settings = launch.settings;
    if database.metadata().is_none() {
        return Ok(Live::Nothing);
    }
    if database.is_log_alone() {
        return Ok(Live::Damaged); // not even looked at by SQLite, which would delete the log
    }
    // SQLite says of a medium that failed for a moment that the database is malformed; and one that is whole is never put
    // aside.
    for _ in 0..3 {
        let looked = Session::open(settings, database.real()).and_then(|session| {
            let record = match read_record(&session.connection, database.real(), &settings.history_table) {
                // What cannot be understood can be replaced.
                Err(Problem::BadHistory { .. }) => Record::default(),
                other => other?,
            };
            Ok((session, record))
        });
        match looked {
            Ok((session, record)) => return Ok(Live::Database(Box::new((session, record)))),
            Err(Problem::NotADatabase { .. } | Problem::Corrupt { .. }) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(Live::Damaged)
}

struct Restore<'a> {
    launch: &'a Launch<'a>,
    around: &'a Around,
    staging: &'a Staging,
    chosen: &'a Chosen,
    id: &'a str,
    options: RestoreOptions,
}

impl Restore<'_> {
    fn run(&self, live: Live) -> Result<RestoreReport> {
        let settings = self.launch.settings;
        let prepared = prepare(self.launch, self.around, self.staging, self.chosen, self.id, self.options.exact)?;
        settings.emitter.emit(Event::RestoreStarted { backup: self.chosen.path.clone() });
        let put = match live {
            Live::Database(mut found) => {
                let (session, record) = &mut *found;
                self.swap(session, record, &prepared)?
            }
            Live::Nothing => {
                self.note(&prepared, &self.free_name(), "")?;
                create_from(self.launch, &self.around.database, &self.staging.database())?;
                Put { backup: None, aside: None }
            }
            Live::Damaged => {
                self.note(&prepared, &self.free_name(), "")?;
                let Aside { path } = put_aside(self.launch, &self.around.database, &self.staging.database())?;
                Put { backup: None, aside: Some(path) }
            }
        };
        let report = self.report(prepared, put);
        self.finish().map_err(|error| error.with_backup(report.backup.clone()))?;
        settings.emitter.emit(Event::RestoreFinished { backup: self.chosen.path.clone() });
        Ok(report)
    }

    /// Puts the prepared copy into the live database.
    fn swap(&self, session: &mut Session, record: &Record, prepared: &Prepared) -> Result<Put> {
        let settings = self.launch.settings;
        let path = self.around.database.real();
        let patience = Patience { since: Instant::now(), at_most: settings.wait, cancel: &settings.cancel };
        let failed = |error: rusqlite::Error| Error::from(sqlite_problem(path, "read", &error));
        let journal_mode = session.journal_mode().map_err(failed)?;
        loop {
            {
                let source = settings.connector.open(&self.staging.database(), Purpose::Read, settings.wait)?;
                make_ready(&source, &session.connection, path, &patience)?;
            }
            let (backup, mut witness) = self.keep(session, record)?;
            let name = backup.as_ref().map_or_else(|| self.free_name(), |backup| backup.name.clone());
            let swapped = self.note(prepared, &name, &journal_mode).and_then(|()| {
                let source = settings.connector.open(&self.staging.database(), Purpose::Read, settings.wait)?;
                let bytes = prepared.bytes;
                let done = swap(&source, &mut session.connection, path, &mut witness, &patience, |done, total| {
                    let part = |pages: i32| u64::try_from(pages).unwrap_or(0);
                    let done = bytes.saturating_mul(part(done)) / part(total).max(1);
                    settings.emitter.emit(Event::RestoreProgress { done, total: bytes });
                });
                drop(source);
                done
            });
            let problem = match swapped {
                Ok(true) => return Ok(Put { backup: backup.map(|backup| backup.path), aside: None }),
                Ok(false) if patience.is_over() => patience.over(path, "database, which others keep writing to,"),
                // Somebody wrote between the copy and the lock: that row is to be in the copy too.
                Ok(false) if settings.cancel.is_cancelled() => Problem::Cancelled {},
                Ok(false) => {
                    self.take_back(backup.as_ref());
                    continue;
                }
                Err(problem) => problem,
            };
            // An error does not say that nothing was committed: the note is in the same transaction.
            session.watch.turn_deaf();
            let after = open_restore_of(session);
            session.watch.listen_again();
            match after {
                Ok(Some(open)) if open.id == self.id => {
                    let problem = described(&problem);
                    settings.emitter.warn(format!("the copy is in place, but may not outlast a power cut: {problem}"));
                    return Ok(Put { backup: backup.map(|backup| backup.path), aside: None });
                }
                Ok(_) => {
                    self.take_back(backup.as_ref());
                    return Err(problem.into());
                }
                Err(_) => {
                    let path = backup.map(|backup| backup.path);
                    return Err(Error::new(problem, Outcome::NeedsRecovery).with_backup(path));
                }
            }
        }
    }

    /// Backs up what is there, and sets the witness to what comes after.
    fn keep(&self, session: &Session, record: &Record) -> Result<(Option<Kept>, Witness), Problem> {
        let settings = self.launch.settings;
        let (path, backups) = (self.around.database.real(), &self.around.backups);
        begin_immediate(&session.connection, settings, path)?;
        let bytes = size_of(&session.connection).unwrap_or(1);
        // BEGIN IMMEDIATE gives an empty database its first page, in memory.
        let is_empty = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= 1);
        let before: Vec<String> = backups.list().unwrap_or_default().iter().map(crate::backup::Backup::name).collect();
        let taken = (!is_empty).then(|| {
            backups.take(&Copying {
                connector: &settings.connector,
                database: &self.around.database,
                emitter: &settings.emitter,
                cancel: &settings.cancel,
                depth: copy_depth(settings.check, bytes),
                now: (settings.clock)(),
                wait: settings.wait,
                reason: RESTORE,
                note: None,
                from: record.applied.last().map(crate::migration::Applied::id),
                to: None,
                app_version: settings.app_version.clone(),
                // Restoring it again must not look like another interruption.
                amend: record.open_run.is_some().then_some(CLOSE_ALL),
                refuse_damage: false,
                hashing: hashing(settings.check, false),
            })
        });
        let kept = taken.transpose().and_then(|taken| {
            let witness = Witness::of(&settings.connector, &session.connection, path, settings.wait)?;
            let committed = committed_backups(&session.connection).unwrap_or_default();
            Ok((taken, witness, committed))
        });
        let _ = session.connection.execute_batch("ROLLBACK");
        let (taken, witness, committed) = kept?;
        let kept = taken.map(|taken| {
            // The copy of a run that was cut off is still its way back, should this restore come to nothing.
            let forgotten = match record.open_run {
                Some(_) => Ok(()),
                None => backups.forget_failed_runs(&taken.name, &committed, &settings.emitter),
            };
            if let Err(problem) = forgotten {
                settings.emitter.warn(format!("the backups were not tidied: {problem}"));
            }
            Kept { is_new: !before.contains(&taken.name), path: taken.path, name: taken.name }
        });
        Ok((kept, witness))
    }

    /// The copy that a restore made which then changed nothing.
    fn take_back(&self, kept: Option<&Kept>) {
        let settings = self.launch.settings;
        if let Some(kept) = kept.filter(|kept| kept.is_new)
            && let Err(problem) = self.around.backups.take_back(&kept.name, &settings.emitter)
        {
            settings.emitter.warn(format!("the backups were not tidied: {problem}"));
        }
    }

    /// Writes into the prepared copy that its files follow.
    fn note(&self, prepared: &Prepared, backup: &str, journal_mode: &str) -> Result<(), Problem> {
        let open = OpenRestore {
            id: self.id.to_owned(),
            backup: backup.to_owned(),
            journal_mode: journal_mode.to_owned(),
            files: prepared.files.any(self.options.exact),
        };
        prepared.note(self.launch.settings, &self.staging.database(), &open)
    }

    fn free_name(&self) -> String {
        let settings = self.launch.settings;
        self.around.backups.free((settings.clock)()).to_string_lossy().into_owned()
    }

    fn finish(&self) -> Result<()> {
        let settings = self.launch.settings;
        let path = self.around.database.real();
        let unfinished = |problem: Problem| {
            let problem = Problem::RestoreUnfinished { path: path.to_owned(), why: described(&problem) };
            Error::new(problem, Outcome::NeedsRecovery)
        };
        let database = DatabasePath::resolve(path).map_err(unfinished)?;
        let mut session = Session::open(settings, path).map_err(unfinished)?;
        session.watch.turn_deaf();
        // The note alone: a history that cannot be understood cannot be migrated, and was asked for all the same.
        let open = read_open(&session.connection);
        match open.map_err(|error| unfinished(sqlite_problem(path, "read", &error)))?.restore {
            Some(open) => finish_restore(self.launch, &database, &mut session, &open).map(drop),
            None => Ok(()),
        }
    }

    fn report(&self, prepared: Prepared, put: Put) -> RestoreReport {
        let extra: Vec<PathBuf> = prepared
            .files
            .extra
            .iter()
            .filter(|entry| entry.kind != Kind::Folder)
            .map(|entry| entry.path.clone())
            .collect();
        let (removed_files, kept_files) = if self.options.exact { (extra, Vec::new()) } else { (Vec::new(), extra) };
        let brought_files = prepared.files.bring.files();
        let files = match brought_files {
            0 => String::new(),
            1 => ", with 1 file".to_owned(),
            more => format!(", with {more} files"),
        };
        RestoreReport {
            database: self.around.database.real().to_owned(),
            from: self.chosen.path.clone(),
            backup: put.backup,
            aside: put.aside,
            schema_version: prepared.schema_version,
            hint: prepared.hint,
            pending_migrations: prepared.pending,
            brought_files,
            removed_files,
            kept_files,
            message: format!("restored from `{}`{files}", self.chosen.path.display()),
        }
    }

    /// A line in the log of runs: the ledger that is there now knows nothing of this.
    fn log(&self, (started, at): (Instant, String), done: &Result<RestoreReport>) {
        let settings = self.launch.settings;
        let backup = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let line = RunLine {
            format: 1,
            run: self.id,
            database: self.around.database.real().display().to_string(),
            started: at,
            duration_ms: started.elapsed().as_secs_f64() * 1000.0,
            count: 0,
            first: None,
            last: None,
            backup: match done {
                Ok(report) => report.backup.as_deref().map(backup),
                Err(error) => error.backup().map(backup),
            },
            outcome: done.as_ref().map_or_else(Error::outcome, |_| Outcome::Restored),
            app_version: settings.app_version.as_deref(),
            error: done.as_ref().err().map(|error| described(error)),
        };
        if let Err(error) = self.around.backups.log_run(&line, self.around.database.real()) {
            settings.emitter.warn(format!("the log of runs was not written: {error}"));
        }
    }
}

/// The note, if there is one; a database need not have a ledger.
fn open_restore_of(session: &Session) -> rusqlite::Result<Option<OpenRestore>> {
    let ledger = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    if session.connection.prepare(ledger)?.exists([LEDGER_TABLE])? {
        return read_open(&session.connection).map(|open| open.restore);
    }
    Ok(None)
}

struct Kept {
    path: PathBuf,
    name: String,
    is_new: bool,
}
