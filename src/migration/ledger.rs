//! The ledger as it is read: one table of ours, `lifeboat_ledger`, written by the engine alone.

use std::collections::BTreeSet;

use rusqlite::Connection;

/// The ledger's table.
pub(crate) const LEDGER_TABLE: &str = "lifeboat_ledger";

/// A run of several groups whose last one has not committed: it died on the way, or is on its way now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenRun {
    pub(crate) run: String,
    /// The file name of its copy in the backups folder. Text from a file: not trusted, see `Backups::named`.
    pub(crate) backup: String,
    pub(crate) size: i64,
    pub(crate) hash: String,
    /// The journal mode that the database had.
    pub(crate) journal_mode: String,
}

/// A restore whose database is in place and whose files are not all: it died on the way, or is on its way now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenRestore {
    /// Also in the folder where its files wait: only they are meant.
    pub(crate) id: String,
    /// The name of the copy of what was there before. Text from a file: not trusted.
    pub(crate) backup: String,
    /// The journal mode that the database had, if it is to have it again.
    pub(crate) journal_mode: String,
    /// Whether files wait.
    pub(crate) files: bool,
}

/// What the ledger says of work that is not finished.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) run: Option<OpenRun>,
    pub(crate) restore: Option<OpenRestore>,
}

/// Finds what is open, in whatever the table holds.
pub(crate) fn read_open(connection: &Connection) -> rusqlite::Result<Open> {
    // `CAST` and `ifnull`, because any column may hold anything; `+id`, or SQLite walks all rows backwards in their order,
    // texts and all, instead of the index that has the open ones alone.
    let mut statement = connection.prepare(
        "SELECT CAST(run AS TEXT), CAST(ifnull(backup, '') AS TEXT), CAST(ifnull(backup_size, 0) AS INTEGER),
                CAST(ifnull(backup_hash, '') AS TEXT), CAST(ifnull(journal_mode, '') AS TEXT),
                kind = 'restore', ifnull(direction, '') = 'files'
         FROM lifeboat_ledger WHERE is_open <> 0 AND kind IN ('run', 'restore') ORDER BY +id DESC",
    )?;
    let mut rows = statement.query([])?;
    let mut open = Open::default();
    while let Some(row) = rows.next()? {
        let text = |index| {
            row.get_ref(index).map(|value| {
                value
                    .as_bytes_or_null()
                    .ok()
                    .flatten()
                    .map_or_else(String::new, |b| String::from_utf8_lossy(b).into_owned())
            })
        };
        let (id, backup, journal_mode) = (text(0)?, text(1)?, text(4)?);
        if row.get(5)? {
            let files = row.get(6)?;
            open.restore.get_or_insert(OpenRestore { id, backup, journal_mode, files });
        } else {
            let (size, hash) = (row.get(2)?, text(3)?);
            open.run.get_or_insert(OpenRun { run: id, backup, size, hash, journal_mode });
        }
        if open.run.is_some() && open.restore.is_some() {
            break;
        }
    }
    Ok(open)
}

/// The copies of all runs that the file says were committed.
pub(crate) fn committed_backups(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let there =
        connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?.exists([LEDGER_TABLE])?;
    if !there {
        return Ok(BTreeSet::new());
    }
    let mut statement = connection.prepare(
        "SELECT CAST(backup AS TEXT) FROM lifeboat_ledger WHERE kind = 'run' AND is_open = 0 AND backup IS NOT NULL",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Whether the ledger knows of an applied migration. Anything that cannot be read is no such knowledge.
pub(crate) fn has_migrations(connection: &Connection) -> rusqlite::Result<bool> {
    match connection.prepare("SELECT 1 FROM lifeboat_ledger WHERE kind = 'migration' LIMIT 1") {
        Ok(mut statement) => statement.exists([]),
        Err(_) => Ok(false),
    }
}
