//! The ledger as it is read: one table of ours, `lifeboat_ledger`, written by the engine alone.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

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

/// Finds the open run, in whatever the table holds.
pub(crate) fn read_open_run(connection: &Connection) -> rusqlite::Result<Option<OpenRun>> {
    // `CAST` and `ifnull`, because any column may hold anything; `+id`, or SQLite walks all rows backwards in their order,
    // texts and all, instead of the index that has the open ones alone.
    connection
        .prepare(
            "SELECT CAST(run AS TEXT), CAST(ifnull(backup, '') AS TEXT), CAST(ifnull(backup_size, 0) AS INTEGER),
                    CAST(ifnull(backup_hash, '') AS TEXT), CAST(ifnull(journal_mode, '') AS TEXT)
             FROM lifeboat_ledger WHERE is_open <> 0 AND kind = 'run' ORDER BY +id DESC LIMIT 1",
        )?
        .query_row([], |row| {
            let text = |index| {
                row.get_ref(index).map(|value| {
                    value
                        .as_bytes_or_null()
                        .ok()
                        .flatten()
                        .map_or_else(String::new, |b| String::from_utf8_lossy(b).into_owned())
                })
            };
            Ok(OpenRun { run: text(0)?, backup: text(1)?, size: row.get(2)?, hash: text(3)?, journal_mode: text(4)? })
        })
        .optional()
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
