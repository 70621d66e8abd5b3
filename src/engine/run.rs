//! A run: its groups one after the other on one connection, and the way back as far as SQLite's own rollback goes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use super::checks::post_checks;
use super::fingerprint::{Fingerprint, different_count};
use super::foreign_keys::{self, Before};
use super::groups::{Group, is_split};
use super::guard::guarded;
use super::keys::Keys;
use super::ledger;
use super::others::Others;
use super::policy::Rules;
use super::session::{Session, Temporary, begin_immediate, commit, drop_temporary, temporary};
use super::settings::{Check, HookFunction, Settings, StepContext};
use super::statistics;
use super::step::{Manner, apply, create_history, script_rules, see_history};
use super::watch::Touched;
use crate::backup::Taken;
use crate::error::{Problem, described};
use crate::event::Event;
use crate::file::{Findings, Purpose, sqlite_problem};
use crate::migration::{HashWidth, LEDGER_TABLE, Migration};
use crate::report::{Direction, StepReport, StepState};

/// What a run needs. Its session has the write lock, and foreign keys as the first group wants them.
pub(crate) struct Run<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) path: &'a Path,
    pub(crate) id: String,
    pub(crate) pending: &'a [Migration],
    pub(crate) groups: &'a [Group],
    pub(crate) has_history: bool,
    pub(crate) width: Option<HashWidth>,
    pub(crate) copy: Option<&'a Taken>,
    pub(crate) before: Before,
    pub(crate) journal_mode: String,
}

/// A run that did not reach its end.
pub(crate) struct Failure<'a> {
    pub(crate) problem: Problem,
    pub(crate) results: Vec<StepReport>,
    /// Something was committed, or the file was seen not to be as it was: the copy is the way back.
    pub(crate) restore: bool,
    /// Whether another connection has committed something that the copy does not have.
    pub(crate) others: Option<Others<'a>>,
}

/// What is gathered on the way.
struct Progress<'a> {
    results: Vec<StepReport>,
    touched: Touched,
    keys: Keys,
    analyzed: BTreeSet<String>,
    fingerprint: Fingerprint,
    legacy_alter_table: bool,
    temporary: Temporary,
    /// What the ledger will say of the steps of this group.
    notes: Vec<ledger::Note<'a>>,
    others: Others<'a>,
    committed: bool,
}

impl<'a> Run<'a> {
    /// Runs all groups and commits the last one.
    pub(crate) fn execute(&self, session: &mut Session) -> Result<Vec<StepReport>, Box<Failure<'a>>> {
        let failed = |error: rusqlite::Error| sqlite_problem(self.path, "read", &error);
        let connection = &session.connection;
        let begin = Fingerprint::of(connection, self.has_history.then_some(self.settings.history_table.as_str()))
            .and_then(|fingerprint| {
                Ok(Progress {
                    fingerprint,
                    results: Vec::new(),
                    notes: Vec::new(),
                    touched: Touched::default(),
                    keys: Keys::read(connection)?,
                    temporary: temporary(connection)?,
                    analyzed: statistics::analyzed(connection)?,
                    legacy_alter_table: connection.query_row("PRAGMA legacy_alter_table", [], |row| row.get(0))?,
                    others: Others::watch(self.settings, self.path, connection, is_split(self.groups))?,
                    committed: false,
                })
            });
        let mut progress = match begin {
            Ok(progress) => progress,
            Err(error) => {
                let _ = connection.execute_batch("ROLLBACK");
                let results = pending_reports(self.pending, self.settings);
                return Err(Box::new(Failure { problem: failed(error), results, restore: false, others: None }));
            }
        };
        self.settings.emitter.emit(Event::RunStarted { steps: self.pending.len() });
        for index in 0..self.groups.len() {
            if let Err(problem) = self.group(session, index, &mut progress) {
                return Err(Box::new(self.go_back(session, problem, progress)));
            }
        }
        Ok(progress.results)
    }

    fn group(&self, session: &Session, index: usize, progress: &mut Progress<'a>) -> Result<(), Problem> {
        let group = &self.groups[index];
        let connection = &session.connection;
        let (first, last) = (index == 0, index + 1 == self.groups.len());
        if !first {
            session.set_foreign_keys(group.manner.keys_on).map_err(|error| self.failed(&error))?;
            if !group.manner.bare {
                begin_immediate(connection, self.settings, self.path)?;
            }
        }
        if !connection.is_autocommit() {
            self.own(connection, "SAVEPOINT lifeboat_group")?;
        }
        progress.others.group_begins(connection, group.manner.bare).map_err(|error| self.failed(&error))?;
        if first {
            self.open_run(connection)?;
            if group.manner.bare {
                // The note that a run is open must be durable before the bare file's first statement is.
                self.commit(connection, progress)?;
            }
        }
        if group.manner.bare {
            // A file may leave WAL mode. Where its log then cannot be deleted (a full disk can refuse even that), the next
            // to open the database would replay it; an empty one does no harm.
            session.empty_log();
            connection.busy_timeout(self.settings.wait).map_err(|error| self.failed(&error))?;
        }
        for step in group.steps.clone() {
            self.step(session, step, group.manner, progress)?;
        }
        // In the transaction of the steps, but not after each of them: SQLite would compile the statements each time anew,
        // since the schema has changed.
        let notes = std::mem::take(&mut progress.notes);
        see_history(connection, self.path, &self.settings.history_table, &self.pending[group.steps.clone()])?;
        ledger::note_migrations(connection, self.settings, &self.id, &notes).map_err(|error| self.failed(&error))?;
        if last {
            statistics::renew(connection, &progress.analyzed).map_err(|error| self.failed(&error))?;
            let nothing = Findings::default();
            let before = self.copy.map_or(&nothing, |copy| &copy.findings);
            post_checks(connection, self.settings, &session.watch, self.path, &progress.touched, before)?;
            if is_split(self.groups) {
                ledger::close_run(connection, &self.id).map_err(|error| self.failed(&error))?;
            }
        }
        if self.settings.cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        match self.commit(connection, progress) {
            Err(problem) if last && self.is_whole(connection) => {
                let problem = described(&problem);
                self.settings
                    .emitter
                    .warn(format!("the run is in the file, but may not outlast a power cut: {problem}"));
                self.settings.emitter.emit(Event::Committed);
                Ok(())
            }
            other => other,
        }
    }

    /// History, ledger, and the row of this run: in the transaction of the first group.
    fn open_run(&self, connection: &rusqlite::Connection) -> Result<(), Problem> {
        create_history(connection, self.path, &self.settings.history_table)?;
        let open = is_split(self.groups);
        ledger::create(connection)
            .and_then(|()| ledger::begin_run(connection, self.settings, &self.id, self.copy, &self.journal_mode, open))
            .map_err(|error| self.failed(&error))?;
        // A trigger could have thrown the row away, and with it the way back after a crash.
        match ledger::state_of(connection, &self.id) {
            Ok(Some(state)) if state == open => Ok(()),
            Ok(_) => Err(Problem::BadHistory {
                path: self.path.to_owned(),
                table: LEDGER_TABLE.to_owned(),
                why: "a row that was written is not there".to_owned(),
            }),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn commit(&self, connection: &rusqlite::Connection, progress: &mut Progress<'a>) -> Result<(), Problem> {
        if let Err(problem) = commit(connection, self.settings, self.path) {
            // The error does not say that nothing was committed: when the journal is removed and syncing its folder then
            // fails, SQLite reports an I/O error, and the file is new. The ledger's row of this run is in the same
            // transaction; what cannot be read may be there.
            if connection.is_autocommit() {
                progress.committed |= !matches!(ledger::state_of(connection, &self.id), Ok(None));
            }
            return Err(problem);
        }
        progress.committed = true;
        progress.others.we_committed();
        self.settings.emitter.emit(Event::Committed);
        Ok(())
    }

    /// Whether the last transaction is in the file although `COMMIT` reported an error.
    fn is_whole(&self, connection: &rusqlite::Connection) -> bool {
        connection.is_autocommit() && matches!(ledger::state_of(connection, &self.id), Ok(Some(false)))
    }

    fn step(
        &self,
        session: &Session,
        index: usize,
        manner: Manner,
        progress: &mut Progress<'a>,
    ) -> Result<(), Problem> {
        let migration = &self.pending[index];
        let context = StepContext {
            name: migration.id(),
            version: migration.version(),
            index: index + 1,
            of: self.pending.len(),
        };
        let emitter = &self.settings.emitter;
        if self.settings.cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        emitter.emit(Event::StepStarted { name: context.name.clone(), index: context.index, of: context.of });
        let timestamp = self.settings.now();
        let started = Instant::now();
        let ran = self.step_in_savepoint(session, migration, manner, &context, progress);
        let duration = started.elapsed();
        progress.results.push(StepReport {
            name: context.name.clone(),
            direction: Direction::Up,
            timestamp,
            duration_ms: duration.as_secs_f64() * 1000.0,
            success: ran.is_ok(),
            state: StepState::Applied,
            error: ran.as_ref().err().map(|problem| described(problem)),
        });
        match &ran {
            Ok(()) => emitter.emit(Event::StepFinished { name: context.name, duration }),
            Err(problem) => emitter.emit(Event::StepFailed { name: context.name, reason: described(problem) }),
        }
        ran
    }

    fn step_in_savepoint(
        &self,
        session: &Session,
        migration: &'a Migration,
        manner: Manner,
        context: &StepContext,
        progress: &mut Progress<'a>,
    ) -> Result<(), Problem> {
        let connection = &session.connection;
        let started = Instant::now();
        if !manner.bare {
            self.own(connection, "SAVEPOINT lifeboat_step")?;
        }
        let _ = session.watch.take_touched();
        let rules = script_rules(self.settings, migration, manner);
        self.hooks(session, &rules, &self.settings.before_each, "a `before_each` hook", context)?;
        apply(connection, self.path, self.settings, &session.watch, migration, manner, self.width)?;
        let rules = script_rules(self.settings, migration, Manner { bare: false, ..manner });
        self.hooks(session, &rules, &self.settings.after_each, "an `after_each` hook", context)?;
        let touched = session.watch.take_touched();
        if touched.pragmas {
            // What the text may have switched for itself is not for the next one.
            connection
                .pragma_update(None, "legacy_alter_table", progress.legacy_alter_table)
                .and_then(|()| connection.pragma_update(None, "writable_schema", false))
                .map_err(|error| self.failed(&error))?;
        }
        if touched.temporary {
            drop_temporary(connection, &progress.temporary).map_err(|error| self.failed(&error))?;
        }
        if touched.all {
            // SQLite goes on with the schema as it had read it; what stands there now is to be checked.
            self.own(connection, "PRAGMA writable_schema = RESET")?;
        }
        progress.touched.add(&touched);
        foreign_keys::check(
            connection,
            self.path,
            &context.name,
            &touched,
            &mut progress.keys,
            &self.before,
            &self.settings.emitter,
        )?;
        let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
        progress.notes.push(ledger::Note { migration, at: self.settings.now(), duration_ms });
        if !manner.bare {
            self.own(connection, "RELEASE lifeboat_step")?;
        }
        Ok(())
    }

    /// The app's hooks, under the same rules as the migration: what they write is checked with it.
    fn hooks(
        &self,
        session: &Session,
        rules: &Rules,
        hooks: &[HookFunction],
        what: &'static str,
        context: &StepContext,
    ) -> Result<(), Problem> {
        for hook in hooks {
            let (connection, watch) = (&session.connection, &session.watch);
            guarded(connection, watch, rules.clone(), &context.name, what, |connection| hook(connection, context))?;
        }
        Ok(())
    }

    /// Rolls back what is open, and looks, while the write lock is still held, whether the file is as it was. (After the
    /// rollback another writer's new row would look like damage.)
    fn go_back(&self, session: &Session, problem: Problem, mut progress: Progress<'a>) -> Failure<'a> {
        session.watch.turn_deaf();
        progress.touched.add(&session.watch.take_touched());
        let connection = &session.connection;
        let mut restore = progress.committed;
        if !connection.is_autocommit() {
            if !restore && connection.execute_batch("ROLLBACK TO lifeboat_group").is_ok() {
                restore = !matches!(self.is_as_it_was(connection, &progress), Ok(true));
            }
            // If this fails, closing the connection rolls back, or the next reader does, from the journal.
            let _ = connection.execute_batch("ROLLBACK");
        }
        let state = if restore { StepState::Restored } else { StepState::RolledBack };
        for result in &mut progress.results {
            result.state = state;
        }
        let done = progress.results.len();
        progress.results.extend(pending_reports(self.pending.get(done..).unwrap_or_default(), self.settings));
        if !restore {
            self.settings.emitter.emit(Event::RolledBack);
        }
        Failure { problem, results: progress.results, restore, others: Some(progress.others) }
    }

    fn is_as_it_was(&self, connection: &rusqlite::Connection, progress: &Progress<'_>) -> Result<bool, Problem> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        let history = self.has_history.then_some(self.settings.history_table.as_str());
        if Fingerprint::of(connection, history).map_err(failed)? != progress.fingerprint {
            return Ok(false);
        }
        let Some(copy) = self.copy else { return Ok(true) };
        // Counting reads whole tables: for a large file only when the app wants to look closely.
        let looks = match self.settings.check {
            Check::Off => false,
            Check::Auto => copy.size <= 128 * 1024 * 1024,
            Check::Quick | Check::Full => true,
        };
        if !looks {
            return Ok(true);
        }
        // A copy that cannot be read says nothing about the file, and is no way back either.
        let Ok(copy) = self.settings.connector.open(&copy.path, Purpose::Read, self.settings.wait) else {
            return Ok(true);
        };
        Ok(different_count(connection, &copy, &progress.touched).map_err(failed)?.is_none())
    }

    fn own(&self, connection: &rusqlite::Connection, sql: &str) -> Result<(), Problem> {
        connection.execute_batch(sql).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> Problem {
        sqlite_problem(self.path, "write", error)
    }
}

/// Reports of migrations that did not run.
fn pending_reports(pending: &[Migration], settings: &Settings) -> Vec<StepReport> {
    pending
        .iter()
        .map(|migration| StepReport {
            name: migration.id(),
            direction: Direction::Up,
            timestamp: settings.now(),
            duration_ms: 0.0,
            success: false,
            state: StepState::Pending,
            error: None,
        })
        .collect()
}
