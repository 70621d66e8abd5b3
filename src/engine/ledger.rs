//! Writing the ledger: one table of ours, in the same transactions as the data that it speaks of, so that it can be
//! neither stale nor lost.

use rusqlite::{Connection, OptionalExtension, params};

use super::settings::{LedgerText, Settings};
use crate::backup::Taken;
use crate::migration::{LEDGER_TABLE, Migration, OpenRestore};

/// A row of kind `run` a run, of kind `migration` a migration. A row of kind `restore` stands in it from the moment when
/// a restore has put the database into place until its files are there too; `direction` says `files` if any wait. What is looked at on every launch stands before the texts,
/// which may fill pages of their own.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS lifeboat_ledger (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    run TEXT NOT NULL,
    is_open INTEGER NOT NULL DEFAULT 0,
    version INTEGER,
    name TEXT,
    direction TEXT,
    at TEXT NOT NULL,
    duration_ms REAL,
    app_version TEXT,
    backup TEXT,
    backup_size INTEGER,
    backup_hash TEXT,
    journal_mode TEXT,
    up TEXT,
    down TEXT
);
-- Every launch asks for the open run; without the index it would read all rows, and the texts in them.
CREATE INDEX lifeboat_ledger_open ON lifeboat_ledger (is_open) WHERE is_open <> 0";

/// SQL that closes the open run in a copy of a file in which one stands open: restoring that copy must not look like
/// another interruption.
pub(crate) const CLOSE_ALL: &str = "UPDATE lifeboat_ledger SET is_open = 0 WHERE is_open <> 0";

pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    // Asked first, so that a ledger with more columns of a later lifeboat is taken as it is.
    let there = connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE")?
        .exists([LEDGER_TABLE])?;
    if there { Ok(()) } else { connection.execute_batch(CREATE) }
}

pub(crate) fn begin_run(
    connection: &Connection,
    settings: &Settings,
    run: &str,
    copy: Option<&Taken>,
    journal_mode: &str,
    open: bool,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO lifeboat_ledger (kind, run, is_open, at, app_version, backup, backup_size, backup_hash, journal_mode)
         VALUES ('run', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            run,
            open,
            settings.now(),
            settings.app_version,
            copy.map(|copy| &copy.name),
            copy.map(|copy| i64::try_from(copy.size).unwrap_or(i64::MAX)),
            copy.and_then(|copy| copy.hash.as_ref()),
            journal_mode,
        ],
    )?;
    Ok(())
}

pub(crate) fn close_run(connection: &Connection, run: &str) -> rusqlite::Result<()> {
    connection.execute("UPDATE lifeboat_ledger SET is_open = 0 WHERE kind = 'run' AND run = ?1", [run])?;
    Ok(())
}

/// Notes in a copy that is about to be put into place that its files have still to follow; the copy's own open work is
/// over.
pub(crate) fn open_restore(
    connection: &Connection,
    settings: &Settings,
    restore: &OpenRestore,
) -> rusqlite::Result<()> {
    create(connection)?;
    connection.execute_batch(CLOSE_ALL)?;
    connection.execute("DELETE FROM lifeboat_ledger WHERE kind = 'restore'", [])?;
    connection.execute(
        "INSERT INTO lifeboat_ledger (kind, run, is_open, at, app_version, backup, journal_mode, direction)
         VALUES ('restore', ?1, 1, ?2, ?3, ?4, ?5, ?6)",
        params![
            restore.id,
            settings.now(),
            settings.app_version,
            restore.backup,
            restore.journal_mode,
            restore.files.then_some("files"),
        ],
    )?;
    Ok(())
}

/// Takes that note away, so that the database is what it was copied from; and the ledger, if it was made for the note.
pub(crate) fn close_restore(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM lifeboat_ledger WHERE kind = 'restore'", [])?;
    if !connection.prepare("SELECT 1 FROM lifeboat_ledger")?.exists([])? {
        connection.execute_batch("DROP TABLE lifeboat_ledger")?;
    }
    Ok(())
}

/// What the file says of a run: nothing, or whether it is open.
pub(crate) fn state_of(connection: &Connection, run: &str) -> rusqlite::Result<Option<bool>> {
    let there = connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE")?
        .exists([LEDGER_TABLE])?;
    if !there {
        return Ok(None);
    }
    connection
        .query_row("SELECT is_open FROM lifeboat_ledger WHERE kind = 'run' AND run = ?1", [run], |row| row.get(0))
        .optional()
}

/// What is to be said of a migration that ran through.
pub(crate) struct Note<'a> {
    pub(crate) migration: &'a Migration,
    pub(crate) at: String,
    pub(crate) duration_ms: f64,
}

pub(crate) fn note_migrations(
    connection: &Connection,
    settings: &Settings,
    run: &str,
    notes: &[Note<'_>],
) -> rusqlite::Result<()> {
    let kept = |text: Option<&'_ str>| match settings.ledger_text {
        LedgerText::UpTo(bytes) => text.filter(|text| text.len() <= bytes).map(ToOwned::to_owned),
        LedgerText::Omit => None,
    };
    let mut statement = connection.prepare(
        "INSERT INTO lifeboat_ledger (kind, run, version, name, direction, at, duration_ms, app_version, up, down)
         VALUES ('migration', ?1, ?2, ?3, 'up', ?4, ?5, ?6, ?7, ?8)",
    )?;
    for Note { migration, at, duration_ms } in notes {
        statement.execute(params![
            run,
            migration.version(),
            migration.id(),
            at,
            duration_ms,
            settings.app_version,
            kept(migration.sql()),
            kept(migration.down_sql()),
        ])?;
    }
    Ok(())
}
