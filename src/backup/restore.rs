//! Putting a copy back: through SQLite's backup API into the open database, which is one SQLite transaction. Whoever is
//! killed on the way leaves the old content or the new, other processes' locks are respected, and the inode stays.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::folder::Backups;
use super::plain::PlainCopy;
use super::take::{CopyError, copy};
use crate::error::{Problem, described};
use crate::event::{CancelToken, Emitter, Event};
use crate::file::{Connector, Depth, Purpose, content_hash, examine, is_busy, settle_again, sqlite_problem};

/// A copy that is to be put back, and how it can be known that it is the right one.
pub(crate) struct Original<'a> {
    pub(crate) name: &'a str,
    pub(crate) size: u64,
    /// Nothing for one that was not read when it was taken.
    pub(crate) hash: Option<&'a str>,
    /// The journal mode that the database had; empty if it is not known.
    pub(crate) journal_mode: &'a str,
}

impl Original<'_> {
    /// It as a plain file, if it is what it was.
    pub(crate) fn find(
        &self,
        backups: &Backups,
        database: &Path,
        connector: &Connector,
        wait: Duration,
    ) -> Result<PlainCopy, Problem> {
        let stuck = |why: &str| self.stuck(backups, database, why.to_owned());
        // The name comes from the file. It may be anything.
        let backup =
            backups.named(self.name).ok_or_else(|| stuck("it is not there, or not a backup of this database"))?;
        let copy = backup.plain(|| Ok(())).map_err(|problem| stuck(&described(&problem)))?;
        let Some(wanted) = self.hash else {
            // Not read when it was taken: that is made up for before it is used.
            let sound = connector
                .open(copy.path(), Purpose::Read, wait)
                .and_then(|connection| {
                    let found = examine(&connection, &Depth::Quick);
                    found.map_err(|error| sqlite_problem(copy.path(), "check", &error))
                })
                .map_err(|problem| stuck(&described(&problem)))?;
            return match sound.damage() {
                Some(damage) => Err(stuck(damage)),
                None => Ok(copy),
            };
        };
        match content_hash(copy.path(), |_| Ok(())) {
            Ok((size, hash)) if size == self.size && hash == wanted => Ok(copy),
            Ok(_) => Err(stuck("its content is not what it was when it was taken")),
            Err(error) => Err(stuck(&error.to_string())),
        }
    }

    fn stuck(&self, backups: &Backups, database: &Path, why: String) -> Problem {
        let backup = backups.folder.join(self.name).display().to_string();
        Problem::NeedsRecovery { path: database.to_owned(), backup, why }
    }
}

/// Puts the copy back into `target`, a connection without an open transaction. `NeedsRecovery` if it cannot be done;
/// then nothing was changed.
pub(crate) fn put_back(
    backups: &Backups,
    original: &Original<'_>,
    connector: &Connector,
    target: &mut Connection,
    database: &Path,
    wait: Duration,
    emitter: &Emitter,
) -> Result<(), Problem> {
    let stuck = |why: String| original.stuck(backups, database, why);
    let copy = original.find(backups, database, connector, wait)?;
    let source = connector.open(copy.path(), Purpose::Read, wait).map_err(|problem| stuck(described(&problem)))?;
    let done = copy_back(&source, target, original.journal_mode, wait, database);
    drop(source);
    done.map_err(|problem| stuck(described(&problem)))?;
    if !copy.is_temporary() {
        let _ = settle_again(copy.path()); // in case `on_connect` turned it into a WAL database
    }
    // So that the file is whole without its log.
    empty_log(target, wait);
    emitter.emit(Event::RestoreFinished { backup: copy.backup().to_owned() });
    Ok(())
}

fn copy_back(
    source: &Connection,
    target: &mut Connection,
    journal_mode: &str,
    wait: Duration,
    database: &Path,
) -> Result<(), Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(database, "restore", &error);
    let page_size = |connection: &Connection| connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0));
    // An empty log first: else a full disk has to hold the restored pages twice.
    empty_log(target, wait);
    // The copy says nothing of the journal mode: its header was settled. It is set before the content comes back, for that
    // takes the ledger's open run away, and whoever is killed after it is not called back.
    let sizes_differ = page_size(target).and_then(|have| Ok(have != page_size(source)?)).map_err(failed)?;
    // The backup API cannot change the page size of a database in WAL mode: there the mode has to come last.
    match set_journal_mode(target, if sizes_differ { "delete" } else { journal_mode }) {
        Err(error) if is_busy(&error) => return Err(failed(error)),
        _ => {} // damage, perhaps, which the copy mends
    }
    // Not to be cancelled: half a way back is no place to stop, although it would be a safe one.
    copy(source, target, wait, &CancelToken::new(), |_, _| {}).map_err(|error| match error {
        CopyError::Sqlite(error) => failed(error),
        CopyError::Busy(waited) => {
            Problem::Locked { path: database.to_owned(), lock: "write lock", holder: None, waited }
        }
        CopyError::Cancelled => Problem::Cancelled {},
    })?;
    set_journal_mode(target, journal_mode).map_err(failed)
}

/// Moves the write-ahead log into the file. A reader in the way only puts it off, and is not waited for.
pub(super) fn empty_log(target: &Connection, wait: Duration) {
    let _ = target.busy_timeout(Duration::ZERO);
    let _ = target.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let _ = target.busy_timeout(wait);
}

pub(crate) fn set_journal_mode(target: &Connection, mode: &str) -> rusqlite::Result<()> {
    let now: String = target.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let wal = |mode: &str| mode.eq_ignore_ascii_case("wal");
    if mode.is_empty() || wal(&now) == wal(mode) {
        return Ok(()); // the other modes are settings of a connection, not of the file
    }
    target
        .query_row(if wal(mode) { "PRAGMA journal_mode = WAL" } else { "PRAGMA journal_mode = DELETE" }, [], |_| Ok(()))
}
