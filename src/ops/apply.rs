//! Migrating a connection that the caller has open: for a database in memory, in a test.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::launch::{Launch, run_id};
use super::outcome::finished;
use crate::engine::{Before, Run, Session, Watch, group, is_split, note_all};
use crate::error::{Error, Problem, Result};
use crate::file::sqlite_problem;
use crate::report::{Outcome, Report};

/// Runs what is pending, without lock and backup; the connection keeps its setting of foreign keys.
pub(crate) fn apply_to(launch: &Launch<'_>, connection: &mut Connection) -> Result<Report> {
    launch.migrations.check()?;
    let path = Path::new(":memory:");
    let failed = |error: rusqlite::Error| Error::from(sqlite_problem(path, "migrate", &error));
    if !connection.is_autocommit() {
        return Err(Problem::Unsupported { what: "the connection has a transaction open".to_owned() }.into());
    }
    let keys: bool = connection.query_row("PRAGMA foreign_keys", [], |row| row.get(0)).map_err(failed)?;
    let busy: i64 = connection.query_row("PRAGMA busy_timeout", [], |row| row.get(0)).map_err(failed)?;
    let in_memory = connection.path().is_none_or(str::is_empty);
    let watch = Session::watch(launch.settings, connection).map_err(failed)?;
    let own = std::mem::replace(connection, Connection::open_in_memory().map_err(failed)?);
    let mut lent = Lent { session: Some(Session { connection: own, watch }), owner: connection };
    let result = match &mut lent.session {
        Some(session) => run(launch, session, path, in_memory),
        None => Err(Problem::Unsupported { what: "the connection is lent already".to_owned() }.into()),
    };
    drop(lent);
    Watch::remove(connection)
        .and_then(|()| connection.pragma_update(None, "foreign_keys", keys))
        .and_then(|()| connection.busy_timeout(Duration::from_millis(u64::try_from(busy).unwrap_or(0))))
        .map_err(failed)?;
    result
}

/// The caller's connection while a session has it. Given back also when a listener of the app's panics.
struct Lent<'a> {
    session: Option<Session>,
    owner: &'a mut Connection,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            *self.owner = session.connection;
        }
    }
}

fn run(launch: &Launch<'_>, session: &mut Session, path: &Path, in_memory: bool) -> Result<Report> {
    let settings = launch.settings;
    let failed = |error: rusqlite::Error| Error::from(sqlite_problem(path, "migrate", &error));
    let (record, mut plan) = launch.plan(&session.connection, path)?;
    if let Some(refusal) = plan.refusal(path) {
        return Err(refusal.into());
    }
    plan.aim(launch.target)?;
    if plan.pending.is_empty() {
        return Ok(finished(Outcome::UpToDate, Vec::new(), None));
    }
    let groups = group(&plan.pending, settings.atomicity);
    if is_split(&groups) && !in_memory {
        let what = "a run of several transactions needs the backup that `open` and `at` take".to_owned();
        return Err(Problem::Unsupported { what }.into());
    }
    let before = Before::Noted(note_all(&session.connection).map_err(failed)?);
    session
        .set_foreign_keys(groups.first().is_some_and(|first| first.manner.keys_on))
        .and_then(|()| session.connection.execute_batch("BEGIN IMMEDIATE"))
        .map_err(failed)?;
    let run = Run {
        settings,
        path,
        id: run_id(settings),
        pending: &plan.pending,
        groups: &groups,
        has_history: record.has_history,
        width: plan.foreign_width,
        copy: None,
        before,
        journal_mode: String::new(),
    };
    run.execute(session).map(|results| finished(Outcome::Migrated, results, None)).map_err(|failure| {
        let outcome = if failure.restore { Outcome::NeedsRecovery } else { Outcome::RolledBack };
        Error::new(failure.problem, outcome).with_results(failure.results)
    })
}
