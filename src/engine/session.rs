//! The connection of a run: what it is set to, and the two moments at which others can be in its way.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::settings::Settings;
use super::watch::Watch;
use crate::error::Problem;
use crate::event::Event;
use crate::file::{Purpose, is_busy, journal_mode, sqlite_problem};

/// How long SQLite itself waits at a time, where we wait around it and listen for cancellation.
const TURN: Duration = Duration::from_millis(50);

/// A connection that is watched.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) watch: Arc<Watch>,
}

impl Session {
    /// Opens the file for a run. It must exist.
    pub(crate) fn open(settings: &Settings, path: &Path) -> Result<Self, Problem> {
        let connection = settings.connector.open(path, Purpose::Write, settings.wait)?;
        let failed = |error: rusqlite::Error| sqlite_problem(path, "prepare a connection to", &error);
        let session = Self::over(settings, connection).map_err(failed)?;
        // EXTRA: with a rollback journal, FULL is consistent but not durable when COMMIT returns: the journal's removal
        // is not synced, and a power cut brings the journal back. `fullfsync` is macOS's real sync (not run there).
        session.connection.execute_batch("PRAGMA synchronous = EXTRA; PRAGMA fullfsync = 1").map_err(failed)?;
        // Without a journal on disk a run that is killed leaves a file that nobody can read. Both modes are the
        // connection's own, so another writes nothing.
        if ["memory", "off"].contains(&session.journal_mode().map_err(failed)?.as_str()) {
            session.connection.execute_batch("PRAGMA journal_mode = DELETE").map_err(failed)?;
        }
        session.empty_log();
        session.connection.busy_timeout(settings.wait).map_err(failed)?;
        Ok(session)
    }

    /// A session on a connection that somebody else opened.
    pub(crate) fn over(settings: &Settings, mut connection: Connection) -> rusqlite::Result<Self> {
        let watch = Self::watch(settings, &mut connection)?;
        Ok(Session { connection, watch })
    }

    /// Begins to watch a connection.
    pub(crate) fn watch(settings: &Settings, connection: &mut Connection) -> rusqlite::Result<Arc<Watch>> {
        let watch = Watch::new(settings.cancel.clone(), settings.emitter.clone(), settings.statement_limit);
        watch.install(connection)?;
        Ok(watch)
    }

    /// Moves the write-ahead log into the file, if nobody is in the way: a shorter log makes a smaller copy to restore.
    /// Without waiting: behind a reader it would wait out the whole deadline.
    pub(crate) fn empty_log(&self) {
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// Foreign keys on or off: outside a transaction, for inside one the pragma does nothing.
    pub(crate) fn set_foreign_keys(&self, on: bool) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "foreign_keys", on)
    }

    pub(crate) fn journal_mode(&self) -> rusqlite::Result<String> {
        journal_mode(&self.connection)
    }
}

/// What only this connection sees: tables, views and triggers of `temp`.
pub(crate) type Temporary = BTreeSet<(String, String)>;

pub(crate) fn temporary(connection: &Connection) -> rusqlite::Result<Temporary> {
    let mut statement = connection.prepare(
        "SELECT type, name FROM temp.sqlite_schema WHERE type <> 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Drops what one migration has left there. In the next one it would stand before a table of the same name, and swallow
/// its rows; and what a migration does must not depend on how many ran before it in the same launch.
pub(crate) fn drop_temporary(connection: &Connection, before: &Temporary) -> rusqlite::Result<()> {
    for (kind, name) in temporary(connection)?.difference(before) {
        // A trigger goes with its table.
        connection.execute_batch(&format!("DROP {kind} IF EXISTS temp.\"{}\"", name.replace('"', "\"\"")))?;
    }
    Ok(())
}

/// Takes SQLite's write lock, and waits for it.
pub(crate) fn begin_immediate(connection: &Connection, settings: &Settings, path: &Path) -> Result<(), Problem> {
    patiently(connection, settings, path, "BEGIN IMMEDIATE", "begin a transaction on", "write lock")
}

/// Commits. With a rollback journal, a reader makes COMMIT wait; the transaction stays open meanwhile.
pub(crate) fn commit(connection: &Connection, settings: &Settings, path: &Path) -> Result<(), Problem> {
    patiently(connection, settings, path, "COMMIT", "commit to", "lock that readers share")
}

fn patiently(
    connection: &Connection,
    settings: &Settings,
    path: &Path,
    sql: &str,
    action: &'static str,
    lock: &'static str,
) -> Result<(), Problem> {
    let started = Instant::now();
    let mut told = false;
    let failed = |error: &rusqlite::Error| sqlite_problem(path, action, error);
    connection.busy_timeout(TURN).map_err(|error| failed(&error))?;
    loop {
        match connection.execute_batch(sql) {
            Ok(()) => break,
            Err(error) if is_busy(&error) => {
                if settings.cancel.is_cancelled() {
                    return Err(Problem::Cancelled {});
                }
                let waited = started.elapsed();
                if waited >= settings.wait {
                    return Err(Problem::Locked { path: path.to_owned(), lock, holder: None, waited });
                }
                if !told {
                    told = true;
                    settings.emitter.emit(Event::Waiting { lock, holder: None, at_most: settings.wait });
                }
                // A deadlock that SQLite sees is reported at once, without the time-out.
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    // Outside a transaction of ours SQLite waits by itself. Inside one it must not: with a rollback journal, a page cache
    // that is full would wait for readers at every page, each time to the deadline; without waiting it grows instead, and
    // the readers are waited for once, at the commit.
    let busy = if connection.is_autocommit() { settings.wait } else { Duration::ZERO };
    connection.busy_timeout(busy).map_err(|error| failed(&error))
}
