//! The launch: an app's file is brought to the schema that it needs.
//!
//! ```text
//! look, in one read transaction ── nothing to do ──► done: no lock, no write
//! launch lock ── write lock ── an open run? undo it ── plan again ── refuse early ── copy ── run ── rotate
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::finish::resume_restore;
use super::fresh;
use super::left::warn_of_copies;
use super::outcome::{failed_run, finished, nothing_to_do};
use super::recover::undo_open_run;
use super::space::Budget;
use crate::backup::{Backups, Copying, MIGRATE, Staging, Taken};
use crate::engine::{
    Before, Run, Session, Settings, begin_immediate, compile, copy_depth, group, hashing, is_split, note_all,
};
use crate::error::{Error, Problem, Result, described};
use crate::event::Event;
use crate::file::{
    DatabasePath, LaunchLock, Purpose, create_folder, may_be_unwritable, may_be_written, remove_with_sidecars,
    size_under_lock, sqlite_problem, write_problem,
};
use crate::migration::{Migrations, Plan, Record, Target, committed_backups, is_plainly_up_to_date, plan, read_record};
use crate::report::{Outcome, Report};

/// A launch of one app on one file.
pub(crate) struct Launch<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) migrations: &'a Migrations,
    pub(crate) path: &'a Path,
    pub(crate) target: Target,
}

/// What a first look found.
pub(crate) enum Ready {
    /// Nothing to do.
    UpToDate(Box<Looked>),
    /// So many migrations to run, or a run to undo.
    Pending(usize),
    /// There is no file.
    Absent,
}

/// A look that found nothing to do.
pub(crate) struct Looked {
    pub(crate) connection: Connection,
    /// What the connection was opened for.
    pub(crate) purpose: Purpose,
    pub(crate) database: DatabasePath,
    /// How many pending migrations lie beyond the target.
    pub(crate) later: usize,
}

impl Launch<'_> {
    /// The first look: one read transaction on one connection, nothing else.
    pub(crate) fn look(&self) -> Result<Ready> {
        self.migrations.check()?;
        let database = DatabasePath::resolve(self.path)?;
        if database.metadata().is_none() {
            // What will be refused is refused before a folder or a lock is made.
            plan(self.migrations.as_slice(), &[]).aim(self.target)?;
            return Ok(Ready::Absent);
        }
        let path = database.real();
        let mut purpose = Purpose::Launch;
        let mut looked = self.glance(path, purpose);
        // On a medium that cannot be written there may still be nothing to do.
        if looked.as_ref().is_err_and(may_be_unwritable) {
            purpose = Purpose::Read;
            looked = self.glance(path, purpose);
        }
        let (connection, looked) = looked?;
        let Some((record, mut plan)) = looked else {
            return Ok(Ready::UpToDate(Box::new(Looked { connection, purpose, database, later: 0 })));
        };
        if record.open_run.is_some() || record.open_restore.is_some() {
            return Ok(Ready::Pending(plan.pending.len().max(1)));
        }
        if let Some(refusal) = plan.refusal(path) {
            return Err(refusal.into());
        }
        // Also with nothing pending: a version that is none, or that the file is past, must not look like success.
        let pending = plan.pending.len();
        plan.aim(self.target)?;
        Ok(if plan.pending.is_empty() {
            Ready::UpToDate(Box::new(Looked { connection, purpose, database, later: pending }))
        } else {
            Ready::Pending(plan.pending.len())
        })
    }

    /// Opens the file, and reads what it says of itself; no further than to see that there is plainly nothing to do.
    fn glance(&self, path: &Path, purpose: Purpose) -> Result<(Connection, Option<(Record, Plan)>), Problem> {
        telling_the_wait(|| {
            let connection = self.settings.connector.open(path, purpose, self.settings.wait)?;
            let (table, known) = (&self.settings.history_table, self.migrations.as_slice());
            let plain = self.target == Target::Latest
                && is_plainly_up_to_date(&connection, table, known)
                    .map_err(|error| sqlite_problem(path, "read", &error))?;
            let looked = if plain { None } else { Some(self.plan(&connection, path)?) };
            Ok((connection, looked))
        })
    }

    /// Opens the file, and reads what it says of itself.
    pub(crate) fn look_as(&self, path: &Path, purpose: Purpose) -> Result<(Connection, Record, Plan), Problem> {
        telling_the_wait(|| {
            let connection = self.settings.connector.open(path, purpose, self.settings.wait)?;
            let (record, plan) = self.plan(&connection, path)?;
            Ok((connection, record, plan))
        })
    }

    /// Brings the file to its schema.
    pub(crate) fn migrate(&self) -> Result<Report> {
        let result = match self.look() {
            Ok(Ready::UpToDate(looked)) => Ok(nothing_to_do(looked.later)),
            Ok(Ready::Absent) if self.migrations.is_empty() => Ok(finished(Outcome::UpToDate, Vec::new(), None)),
            Ok(Ready::Absent | Ready::Pending(_)) => self.migrate_under_lock(),
            Err(error) => Err(error),
        };
        match &result {
            Ok(report) => {
                let message = report.message.clone();
                self.settings.emitter.emit(Event::Finished { outcome: report.outcome, message, failed: false });
            }
            Err(error) => self.tell_failure(error),
        }
        result
    }

    /// The last event of a call that fails.
    pub(crate) fn tell_failure(&self, error: &Error) {
        let message = format!("{}; {}", described(error), error.state());
        self.settings.emitter.emit(Event::Finished { outcome: error.outcome(), message, failed: true });
    }

    fn migrate_under_lock(&self) -> Result<Report> {
        let database = DatabasePath::resolve(self.path)?;
        create_folder(database.folder())
            .map_err(|source| Error::from(write_problem(database.folder(), "create", source)))?;
        // Before the lock: where nothing may be written, it may not be made either.
        refuse_unwritable(&database)?;
        let _lock = self.lock(&database)?;
        // Twice: another program than lifeboat may make the file while we make it.
        for _ in 0..2 {
            let database = DatabasePath::resolve(self.path)?;
            if database.metadata().is_some() {
                // What a process left that was killed while it made this file: perhaps another name of it.
                let _ = remove_with_sidecars(&database.sidecar(fresh::SUFFIX));
                return self.migrate_existing(&DatabasePath::resolve(self.path)?);
            }
            if let Some(report) = fresh::create(self, &database)? {
                return Ok(report);
            }
        }
        self.migrate_existing(&DatabasePath::resolve(self.path)?)
    }

    pub(crate) fn lock(&self, database: &DatabasePath) -> Result<LaunchLock, Problem> {
        let settings = self.settings;
        LaunchLock::acquire(
            &database.lock_file(),
            database.real(),
            database.metadata(),
            settings.wait,
            |holder| settings.emitter.emit(Event::Waiting { lock: "launch lock", holder, at_most: settings.wait }),
            || settings.cancel.is_cancelled(),
        )
    }

    pub(crate) fn plan(&self, connection: &Connection, path: &Path) -> Result<(Record, Plan), Problem> {
        let record = read_record(connection, path, &self.settings.history_table)?;
        let plan = plan(self.migrations.as_slice(), &record.applied);
        Ok((record, plan))
    }

    fn migrate_existing(&self, database: &DatabasePath) -> Result<Report> {
        let path = database.real();
        if database.has_other_names() {
            self.settings.emitter.warn(format!(
                "`{}` has other names (hard links); whoever opens it by another one does not see its log",
                path.display()
            ));
        }
        let mut session = telling_the_wait(|| Session::open(self.settings, path))?;
        warn_of_old_library(self.settings);
        let mut recovered = false;
        loop {
            match self.attempt(database, &mut session) {
                Ok(Attempt::Done(report)) => return Ok(Report { recovered, ..report }),
                Ok(Attempt::Again) => {}
                Ok(Attempt::Recovered) => recovered = true,
                Err(error) => return Err(error.with_recovered(recovered)),
            }
        }
    }

    /// One try under both locks.
    fn attempt(&self, database: &DatabasePath, session: &mut Session) -> Result<Attempt> {
        let path = database.real();
        let settings = self.settings;
        let failed = |error: rusqlite::Error| Error::from(sqlite_problem(path, "read", &error));
        let keys_on = telling_the_wait(|| self.first_wants_keys_on(session, path))?;
        session.set_foreign_keys(keys_on).map_err(failed)?;
        begin_immediate(&session.connection, settings, path)?;
        let planned = self.plan_under_locks(session, path, keys_on);
        let (record, plan) = match planned {
            Ok(Planned::Run(planned)) => *planned,
            Ok(Planned::OpenRun(open)) => {
                let _ = session.connection.execute_batch("ROLLBACK");
                undo_open_run(self, database, session, &open)?;
                return Ok(Attempt::Recovered);
            }
            Ok(Planned::OpenRestore(open)) => {
                let _ = session.connection.execute_batch("ROLLBACK");
                resume_restore(self, database, session, &open)?;
                return Ok(Attempt::Again);
            }
            Ok(Planned::OtherKeys) => {
                let _ = session.connection.execute_batch("ROLLBACK");
                return Ok(Attempt::Again);
            }
            Ok(Planned::Nothing) => {
                let _ = session.connection.execute_batch("ROLLBACK");
                return Ok(Attempt::Done(finished(Outcome::UpToDate, Vec::new(), None)));
            }
            Err(problem) => {
                let _ = session.connection.execute_batch("ROLLBACK");
                return Err(problem.into());
            }
        };
        // What a restore left that was killed before it changed anything.
        if let Err(problem) = Staging::of(database).discard() {
            settings.emitter.warn(described(&problem));
        }
        if size_under_lock(&session.connection, path).is_ok_and(|bytes| bytes == 0) {
            warn_of_copies(self, database);
        }
        let groups = group(&plan.pending, settings.atomicity);
        let backups = Backups::of(database, settings.backups.as_deref());
        let prepared = size_under_lock(&session.connection, path).and_then(|bytes| {
            let (copy, before) = self.prepare(database, session, &backups, &record, &plan, bytes, is_split(&groups))?;
            Ok((bytes, copy, before))
        });
        let (bytes, copy, before) = match prepared {
            Ok(prepared) => prepared,
            Err(problem) => {
                let _ = session.connection.execute_batch("ROLLBACK");
                return Err(problem.into());
            }
        };
        let run = Run {
            settings,
            path,
            id: run_id(settings),
            pending: &plan.pending,
            groups: &groups,
            has_history: record.has_history,
            width: plan.foreign_width,
            copy: copy.as_ref(),
            before,
            journal_mode: session.journal_mode().map_err(failed)?,
        };
        let (started, at) = (Instant::now(), settings.now());
        let ran = run.execute(session);
        let log = super::outcome::Log { backups: &backups, settings, run: &run, database, started, at };
        match ran {
            Ok(results) => {
                let outcome = if bytes == 0 { Outcome::Created } else { Outcome::Migrated };
                let report = finished(outcome, results, copy.as_ref().map(|copy| copy.path.clone()));
                log.succeeded(&report);
                Ok(Attempt::Done(report))
            }
            Err(failure) => Err(failed_run(log, *failure, session)),
        }
    }

    fn first_wants_keys_on(&self, session: &Session, path: &Path) -> Result<bool, Problem> {
        let (_, mut plan) = self.plan(&session.connection, path)?;
        // A target that cannot be reached is said under the locks, after a run that was cut off is undone.
        let _ = plan.aim(self.target);
        Ok(wants_keys_on(&plan))
    }

    fn plan_under_locks(&self, session: &Session, path: &Path, keys_on: bool) -> Result<Planned, Problem> {
        let (record, mut plan) = self.plan(&session.connection, path)?;
        if let Some(open) = record.open_run {
            return Ok(Planned::OpenRun(open));
        }
        if let Some(open) = record.open_restore {
            return Ok(Planned::OpenRestore(open));
        }
        if let Some(refusal) = plan.refusal(path) {
            return Err(refusal);
        }
        plan.aim(self.target)?;
        if plan.pending.is_empty() {
            return Ok(Planned::Nothing);
        }
        Ok(if wants_keys_on(&plan) == keys_on { Planned::Run(Box::new((record, plan))) } else { Planned::OtherKeys })
    }

    /// What stands between the plan and the run, all under the write lock: the trial, and the copy.
    #[allow(clippy::too_many_arguments)]
    fn prepare(
        &self,
        database: &DatabasePath,
        session: &Session,
        backups: &Backups,
        record: &Record,
        plan: &Plan,
        bytes: u64,
        split: bool,
    ) -> Result<(Option<Taken>, Before), Problem> {
        let settings = self.settings;
        if split && !settings.backup {
            return Err(Problem::Unsupported {
                what: "a run of several transactions cannot be undone without a backup".to_owned(),
            });
        }
        settings.emitter.emit(Event::CheckStarted { name: "that the migrations compile".to_owned() });
        compile(&session.connection, settings, &plan.pending)?;
        Budget::of(database, &backups.folder, bytes, split).spend(settings)?;
        if !(settings.backup && (bytes > 0 || split)) {
            let noted = note_all(&session.connection)
                .map_err(|error| sqlite_problem(database.real(), "check the foreign keys of", &error))?;
            return Ok((None, Before::Noted(noted)));
        }
        let copy = backups.take(&Copying {
            connector: &settings.connector,
            database,
            emitter: &settings.emitter,
            cancel: &settings.cancel,
            depth: copy_depth(settings.check, bytes),
            now: (settings.clock)(),
            wait: settings.wait,
            reason: MIGRATE,
            note: None,
            from: record.applied.last().map(crate::migration::Applied::id),
            to: plan.pending.last().map(crate::migration::Migration::id),
            app_version: settings.app_version.clone(),
            amend: None,
            refuse_damage: true,
            hashing: hashing(settings.check, split),
        })?;
        let tidied = committed_backups(&session.connection)
            .map_err(|error| sqlite_problem(database.real(), "read", &error))
            .and_then(|committed| backups.forget_failed_runs(&copy.name, &committed, &settings.emitter));
        if let Err(problem) = tidied {
            settings.emitter.warn(format!("the backups were not tidied: {problem}"));
        }
        let before =
            Before::Copy { connector: settings.connector.clone(), path: copy.path.clone(), wait: settings.wait };
        Ok((Some(copy), before))
    }
}

enum Attempt {
    Done(Report),
    Again,
    Recovered,
}

enum Planned {
    Run(Box<(Record, Plan)>),
    OpenRun(crate::migration::OpenRun),
    OpenRestore(crate::migration::OpenRestore),
    OtherKeys,
    Nothing,
}

/// Where SQLite itself waited for a lock, it does not say for how long.
pub(super) fn telling_the_wait<T>(look: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    let started = Instant::now();
    look().map_err(|problem| match problem {
        Problem::Locked { path, lock, holder, waited: Duration::ZERO } => {
            Problem::Locked { path, lock, holder, waited: started.elapsed() }
        }
        other => other,
    })
}

fn wants_keys_on(plan: &Plan) -> bool {
    plan.pending.first().is_some_and(|first| first.directives.foreign_keys_on)
}

pub(crate) fn refuse_unwritable(database: &DatabasePath) -> Result<(), Problem> {
    let file = database.metadata().map(|_| database.real());
    for path in file.into_iter().chain([database.folder()]) {
        if !may_be_written(path) {
            return Err(Problem::ReadOnly { path: path.to_owned(), why: "its permissions do not allow it".to_owned() });
        }
    }
    Ok(())
}

/// Unique among the runs of a file.
pub(crate) fn run_id(settings: &Settings) -> String {
    format!("{}-{}", (settings.clock)().format("%Y%m%dT%H%M%S%.6f"), std::process::id())
}

/// SQLite before 3.51.3 can corrupt a database in WAL mode when two connections reset the log at once
/// (<https://sqlite.org/wal.html#walresetbug>); 3.44.6 and 3.50.7 have the repair too.
fn warn_of_old_library(settings: &Settings) {
    let version = rusqlite::version_number();
    let repaired =
        version >= 3_051_003 || (3_050_007..3_051_000).contains(&version) || (3_044_006..3_045_000).contains(&version);
    if !repaired {
        settings
            .emitter
            .warn(format!("SQLite {} can damage a WAL database in rare cases; 3.51.3 does not", rusqlite::version()));
    }
}
