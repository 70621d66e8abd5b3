//! Putting another database's content into a live one: one SQLite transaction, in which what was there is known to be what
//! was kept.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup as Copier, StepResult};

use super::restore::{empty_log, set_journal_mode};
use crate::error::Problem;
use crate::event::CancelToken;
use crate::file::{ChangeCounter, Connector, Purpose, io_problem, is_busy, journal_mode, sqlite_problem};

/// Whether anybody writes to a database from here on: asked again once nobody else can.
///
/// In WAL mode a second connection tells, which may read while another writes. With a rollback journal nobody may read
/// then, and the header does.
pub(crate) enum Witness {
    Log(Connection, i64),
    Header(ChangeCounter, Option<[u8; 4]>),
}

impl Witness {
    /// To be called under the write lock.
    pub(crate) fn of(
        connector: &Connector,
        connection: &Connection,
        path: &Path,
        wait: Duration,
    ) -> Result<Self, Problem> {
        let failed = |error: rusqlite::Error| sqlite_problem(path, "read", &error);
        if journal_mode(connection).map_err(failed)? == "wal" {
            let witness = connector.open(path, Purpose::Read, wait)?;
            let seen = data_version(&witness).map_err(failed)?;
            return Ok(Witness::Log(witness, seen));
        }
        let failed = |source| io_problem(path, "read", source);
        let mut counter = ChangeCounter::open(path).map_err(failed)?;
        let seen = counter.read().map_err(failed)?;
        Ok(Witness::Header(counter, seen))
    }

    fn saw_nothing(&mut self, path: &Path) -> Result<bool, Problem> {
        match self {
            Witness::Log(witness, seen) => {
                data_version(witness).map(|now| now == *seen).map_err(|error| sqlite_problem(path, "read", &error))
            }
            Witness::Header(counter, seen) => {
                counter.read().map(|now| now == *seen).map_err(|source| io_problem(path, "read", source))
            }
        }
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// How long others are waited for.
pub(crate) struct Patience<'a> {
    pub(crate) since: Instant,
    pub(crate) at_most: Duration,
    pub(crate) cancel: &'a CancelToken,
}

/// Sees to the log and the page size of a database before another one's content is put into it; before a witness is called,
/// to whom an emptied log looks like a write.
pub(crate) fn make_ready(
    source: &Connection,
    target: &Connection,
    path: &Path,
    patience: &Patience<'_>,
) -> Result<(), Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(path, "restore", &error);
    // An empty log first: else a full disk has to hold the restored pages twice.
    empty_log(target, Duration::from_millis(50));
    let page_size = |connection: &Connection| connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0));
    // The backup API cannot change the page size of a database in WAL mode; the ledger knows what mode to put back.
    while page_size(target).and_then(|have| Ok(have != page_size(source)?)).map_err(failed)? {
        match set_journal_mode(target, "delete") {
            Ok(()) => return Ok(()),
            Err(error) if is_busy(&error) => patience.wait(path)?,
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Puts the content of `source` into `target`, which has no transaction open. False, with nothing changed, if somebody has
/// written since the witness was called.
pub(crate) fn swap(
    source: &Connection,
    target: &mut Connection,
    path: &Path,
    witness: &mut Witness,
    patience: &Patience<'_>,
    mut progress: impl FnMut(i32, i32),
) -> Result<bool, Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(path, "restore", &error);
    // Around SQLite's waiting there is ours, which can be cancelled.
    target.busy_timeout(Duration::from_millis(50)).map_err(failed)?;
    let copier = Copier::new(source, target).map_err(failed)?;
    // No page yet: the lock.
    while step(&copier, 0, path)?.is_none() {
        patience.wait(path)?;
    }
    if !witness.saw_nothing(path)? {
        return Ok(false); // dropped, the copier lets go of a lock under which nothing was written
    }
    const CHUNK: i32 = 512;
    let mut told = Instant::now();
    loop {
        if patience.cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        match step(&copier, CHUNK, path)? {
            Some(true) => return Ok(true),
            Some(false) => {}
            None => patience.wait(path)?,
        }
        if told.elapsed() >= Duration::from_millis(100) {
            told = Instant::now();
            let now = copier.progress();
            progress(now.pagecount - now.remaining, now.pagecount);
        }
    }
}

/// Whether all is done; nothing, if somebody is in the way.
fn step(copier: &Copier<'_, '_>, pages: i32, path: &Path) -> Result<Option<bool>, Problem> {
    match copier.step(pages) {
        Ok(StepResult::Done) => Ok(Some(true)),
        Ok(StepResult::Busy | StepResult::Locked) => Ok(None),
        Ok(_) => Ok(Some(false)),
        Err(error) => Err(sqlite_problem(path, "restore", &error)),
    }
}

impl Patience<'_> {
    fn wait(&self, path: &Path) -> Result<(), Problem> {
        if self.cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        if self.since.elapsed() >= self.at_most {
            return Err(self.over(path, "write lock"));
        }
        std::thread::sleep(Duration::from_millis(2));
        Ok(())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.since.elapsed() >= self.at_most
    }

    /// That it is over.
    pub(crate) fn over(&self, path: &Path, lock: &'static str) -> Problem {
        Problem::Locked { path: path.to_owned(), lock, holder: None, waited: self.since.elapsed() }
    }
}
