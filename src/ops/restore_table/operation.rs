//! Bringing back the rows of one table: under the launch lock, after a backup of what is there, in one transaction.
//!
//! ```text
//! look at both, refuse early ── launch lock ── write lock ── look again ── backup ── rows, sequence, full-text indexes
//!    ── foreign keys, quick_check, the rows once more ── commit
//! ```

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::plan::{Both, Plan};
use super::report::{TableReport, TableRows};
use super::write::{WriteError, raise_sequence, rebuild, write};
use crate::backup::{Backup, Backups, Copying, RESTORE_TABLE, Said, Taken};
use crate::engine::{Session, Settings, begin_immediate, commit, copy_depth, hashing, note_around};
use crate::error::{Error, Problem, Result, SqliteCause, described};
use crate::event::Event;
use crate::file::{DatabasePath, Depth, examine, size_under_lock, sqlite_problem};
use crate::migration::{Applied, Record, committed_backups, read_record};
use crate::ops::compare::{CompareOptions, Layout, Side, Tally, Walk, WalkError, is_utf8, knows, schema_of};
use crate::ops::copies::naming_another;
use crate::ops::launch::{Launch, refuse_unwritable, telling_the_wait};
use crate::ops::near::not_found;
use crate::ops::space::Budget;
use crate::report::Outcome;
use crate::schema::Schema;

pub(crate) fn restore_table(launch: &Launch<'_>, from: &Path, table: &str, rows: TableRows) -> Result<TableReport> {
    let result = restore(launch, from, table, rows).map_err(|error| match DatabasePath::resolve(launch.path) {
        Ok(database) => {
            let backups = Backups::of(&database, launch.settings.backups.as_deref());
            naming_another(error, &backups, database.real())
        }
        Err(_) => error,
    });
    match &result {
        Ok(report) => {
            let message = report.message.clone();
            launch.settings.emitter.emit(Event::Finished { outcome: report.outcome, message, failed: false });
        }
        Err(error) => launch.tell_failure(error),
    }
    result
}

/// What stays the same from the first look to the commit.
struct Restore<'a> {
    settings: &'a Settings,
    database: &'a DatabasePath,
    copy: &'a Side,
    table: &'a str,
    rows: TableRows,
}

/// What was written, before it is committed.
struct Written {
    report: TableReport,
    backup: Option<Taken>,
    said: Said,
}

fn restore(launch: &Launch<'_>, from: &Path, table: &str, rows: TableRows) -> Result<TableReport> {
    let settings = launch.settings;
    let database = DatabasePath::resolve(launch.path)?;
    if database.metadata().is_none() {
        return Err(not_found(launch.path).into());
    }
    let path = database.real();
    let given = DatabasePath::resolve(from)?;
    if matches!((path.canonicalize(), given.real().canonicalize()), (Ok(one), Ok(other)) if one == other) {
        let what = format!("`{}` is the database itself, not a copy of it", from.display());
        return Err(Problem::Unsupported { what }.into());
    }
    let backup = Backup::at(given.real().to_owned());
    if given.metadata().is_some() && !backup.compressed {
        backup.as_taken(&settings.cancel)?;
    }
    let copy = Side::open(settings, from)?;
    let restore = Restore { settings, database: &database, copy: &copy, table, rows };
    // Before the lock is made: what will be refused leaves nothing behind.
    let live = Side::open(settings, launch.path)?;
    restore.plan(&live.connection, &live.schema)?;
    drop(live);
    refuse_unwritable(&database)?;
    let _lock = launch.lock(&database)?;
    let session = telling_the_wait(|| Session::open(settings, path))?;
    let failed = |error: rusqlite::Error| Error::from(sqlite_problem(path, "prepare a connection to", &error));
    // The rows are as the triggers left them: firing again, they would do their work twice. And no parent that goes may
    // take children with it.
    session.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).map_err(failed)?;
    session.set_foreign_keys(false).map_err(failed)?;
    begin_immediate(&session.connection, settings, path)?;
    let mut backup = None;
    match restore.within(&session.connection, &mut backup) {
        Ok(None) => {
            let _ = session.connection.execute_batch("ROLLBACK");
            Ok(restore.nothing())
        }
        Ok(Some(written)) => restore.finish(&session.connection, written),
        Err(problem) => Err(restore.go_back(&session, problem, backup)),
    }
}

impl Restore<'_> {
    fn path(&self) -> &Path {
        self.database.real()
    }

    fn plan(&self, live: &Connection, schema: &Schema) -> Result<Plan, Problem> {
        let both = Both { live: (schema, self.path()), copy: (&self.copy.schema, &self.copy.path) };
        both.plan(self.table, self.rows, |one, other| {
            let exact = is_utf8(live).and_then(|live| Ok(live && is_utf8(&self.copy.connection)?));
            let layout = exact.and_then(|exact| {
                Layout::of(one, other, exact, |name| Ok(knows(live, name)? && knows(&self.copy.connection, name)?))
            });
            layout.map_err(|error| sqlite_problem(self.path(), "read", &error))
        })
    }

    fn walk(&self, live: &Connection, plan: &Plan) -> Result<Tally, Problem> {
        let walk = Walk {
            a: live,
            b: &self.copy.connection,
            names: (&plan.table, &plan.table_in_copy),
            layout: &plan.layout,
            options: CompareOptions::new(),
            emitter: &self.settings.emitter,
        };
        walk.run().map_err(|error| match error {
            WalkError::A(error) => sqlite_problem(self.path(), "read", &error),
            WalkError::B(error) => sqlite_problem(&self.copy.path, "read", &error),
        })
    }

    /// All that stands in the transaction; nothing where there is nothing to do. `backup` is the copy as soon as it is
    /// taken.
    fn within(&self, live: &Connection, backup: &mut Option<PathBuf>) -> Result<Option<Written>, Problem> {
        let path = self.path();
        let failed = |error: rusqlite::Error| sqlite_problem(path, "write", &error);
        let record = read_record(live, path, &self.settings.history_table)?;
        if record.open_run.is_some() {
            let what = format!(
                "a run on `{}` was cut off; it is undone by the next `migrate`, or by `recover`, before a table can be \
                 brought back",
                path.display()
            );
            return Err(Problem::Unsupported { what });
        }
        let bytes = size_under_lock(live, path)?;
        let plan = self.plan(live, &schema_of(live, self.settings, path)?)?;
        let tally = self.walk(live, &plan)?;
        let nothing = match self.rows {
            TableRows::All => tally.is_equal(),
            TableRows::Missing => tally.added == 0,
        };
        if nothing {
            return Ok(None);
        }
        let before = note_around(live, &plan.table).map_err(failed)?;
        let said = Said { open_run: None, committed: Some(committed_backups(live).map_err(failed)?) };
        let taken = self.back_up(&record, bytes)?;
        *backup = taken.as_ref().map(|taken| taken.path.clone());

        self.settings.emitter.emit(Event::RestoreStarted { backup: self.copy.path.clone() });
        let copy = &self.copy.connection;
        let written = write(live, copy, &plan, self.rows, &self.settings.cancel)
            .and_then(|written| raise_sequence(live, copy, &plan).map(|()| written))
            .and_then(|written| rebuild(live, &plan).map(|()| written).map_err(WriteError::Live))
            .map_err(|error| self.not_written(error))?;

        self.settings.emitter.emit(Event::CheckStarted { name: format!("`{}`", plan.table) });
        let after = note_around(live, &plan.table).map_err(failed)?;
        if let Some(orphans) = after.new_since(&before) {
            let crate::engine::Orphans { child, parent, rowids, count } = orphans;
            return Err(Problem::TableOrphans { table: plan.table, child, parent, rowids, count });
        }
        let findings = examine(live, &Depth::Tables(vec![plan.table.clone()])).map_err(failed)?;
        let damage = |detail: String| Problem::CheckFailed { check: "integrity".to_owned(), detail };
        if let Some(found) = findings.damage() {
            return Err(damage(found.to_owned()));
        }
        let seen = self.walk(live, &plan)?;
        let expected = match self.rows {
            TableRows::All => seen.rows_b,
            TableRows::Missing => tally.rows_a + written,
        };
        if seen.rows_a != expected {
            return Err(damage(format!("`{}` has {} rows, and not {expected}", plan.table, seen.rows_a)));
        }
        let report = self.report(plan, &tally, &seen, written, backup.clone());
        Ok(Some(Written { report, backup: taken, said }))
    }

    fn back_up(&self, record: &Record, bytes: u64) -> Result<Option<Taken>, Problem> {
        let settings = self.settings;
        if !settings.backup {
            return Ok(None);
        }
        let backups = Backups::of(self.database, settings.backups.as_deref());
        Budget::of(self.database, &backups.folder, bytes, false).spend(settings)?;
        let copying = Copying {
            connector: &settings.connector,
            database: self.database,
            emitter: &settings.emitter,
            cancel: &settings.cancel,
            depth: copy_depth(settings.check, bytes),
            now: (settings.clock)(),
            wait: settings.wait,
            reason: RESTORE_TABLE,
            note: Some(self.table.to_owned()),
            from: record.applied.last().map(Applied::id),
            to: None,
            app_version: settings.app_version.clone(),
            amend: None,
            refuse_damage: true,
            hashing: hashing(settings.check, false),
        };
        backups.take(&copying).map(Some)
    }

    /// What a constraint says is about the rows of the copy, not about the file.
    fn not_written(&self, error: WriteError) -> Problem {
        match error {
            WriteError::Cancelled => Problem::Cancelled {},
            WriteError::Copy(error) => sqlite_problem(&self.copy.path, "read", &error),
            WriteError::Live(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::ConstraintViolation) => Problem::TableRefused {
                    copy: self.copy.path.clone(),
                    table: self.table.to_owned(),
                    why: SqliteCause::from(&error).message,
                },
                _ => sqlite_problem(self.path(), "write", &error),
            },
        }
    }

    fn finish(&self, live: &Connection, written: Written) -> Result<TableReport> {
        let Written { report, backup, said } = written;
        if let Err(problem) = commit(live, self.settings, self.path()) {
            // The error does not say that nothing was committed: where the journal is gone and syncing its folder then
            // fails, the file is new.
            let is_there = live.is_autocommit() && self.is_in_the_file(live);
            if !is_there {
                let _ = live.execute_batch("ROLLBACK");
                self.settings.emitter.emit(Event::RolledBack);
                return Err(Error::new(problem, Outcome::RolledBack).with_backup(report.backup));
            }
            let problem = described(&problem);
            self.settings.emitter.warn(format!("the rows are in the file, but may not outlast a power cut: {problem}"));
        }
        self.settings.emitter.emit(Event::Committed);
        self.settings.emitter.emit(Event::RestoreFinished { backup: self.copy.path.clone() });
        if let Some(taken) = backup {
            let backups = Backups::of(self.database, self.settings.backups.as_deref());
            if let Err(problem) = backups.rotate(&taken.name, &said, &self.settings.rules()) {
                self.settings.emitter.warn(format!("old backups were not removed: {problem}"));
            }
        }
        Ok(report)
    }

    fn is_in_the_file(&self, live: &Connection) -> bool {
        let schema = schema_of(live, self.settings, self.path());
        let tally = schema.and_then(|schema| self.plan(live, &schema)).and_then(|plan| self.walk(live, &plan));
        tally.is_ok_and(|tally| match self.rows {
            TableRows::All => tally.rows_a == tally.rows_b && tally.added == tally.removed,
            TableRows::Missing => tally.added == 0,
        })
    }

    fn go_back(&self, session: &Session, problem: Problem, backup: Option<PathBuf>) -> Error {
        session.watch.turn_deaf();
        // If this fails, closing the connection rolls back, or the next reader does, from the journal.
        let _ = session.connection.execute_batch("ROLLBACK");
        if backup.is_none() && self.settings.backup {
            return problem.into();
        }
        self.settings.emitter.emit(Event::RolledBack);
        Error::new(problem, Outcome::RolledBack).with_backup(backup)
    }

    fn report(&self, plan: Plan, tally: &Tally, seen: &Tally, written: u64, backup: Option<PathBuf>) -> TableReport {
        let (added, removed, changed, converted) = match self.rows {
            TableRows::All => (tally.added, tally.removed, tally.changed, seen.changed + seen.added),
            TableRows::Missing => (written, 0, 0, seen.added),
        };
        let message = match self.rows {
            TableRows::All => {
                let rows = if added == 1 { "row" } else { "rows" };
                format!(
                    "`{}` is as in the copy: {added} {rows} added, {removed} removed, {changed} changed",
                    plan.table
                )
            }
            TableRows::Missing if added == 1 => format!("1 row that was missing is in `{}` again", plan.table),
            TableRows::Missing => format!("{added} rows that were missing are in `{}` again", plan.table),
        };
        TableReport {
            table: plan.table,
            copy: self.copy.path.clone(),
            added,
            removed,
            changed,
            converted,
            left_out: plan.left_out,
            silenced: plan.silenced,
            rebuilt: plan.indexes,
            backup,
            outcome: Outcome::Restored,
            success: true,
            message,
        }
    }

    fn nothing(&self) -> TableReport {
        TableReport {
            table: self.table.to_owned(),
            copy: self.copy.path.clone(),
            added: 0,
            removed: 0,
            changed: 0,
            converted: 0,
            left_out: Vec::new(),
            silenced: Vec::new(),
            rebuilt: Vec::new(),
            backup: None,
            outcome: Outcome::UpToDate,
            success: true,
            message: match self.rows {
                TableRows::All => format!("`{}` has the rows of the copy already", self.table),
                TableRows::Missing => format!("no row is missing in `{}`", self.table),
            },
        }
    }
}
