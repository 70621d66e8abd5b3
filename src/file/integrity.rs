//! Whether SQLite finds a database sound.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use super::connect::sqlite_problem;
use super::identity::io_problem;
use crate::error::Problem;

/// How thoroughly to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Opens it and reads its schema.
    Schema,
    /// `PRAGMA quick_check` of these tables.
    Tables(Vec<String>),
    /// `PRAGMA quick_check` of all: pages, b-trees, rows; not that indexes agree with their tables.
    Quick,
    /// `PRAGMA integrity_check`.
    Full,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings(pub(crate) BTreeSet<String>);

impl Findings {
    /// The first finding that means damage. That a row breaks a NOT NULL, a CHECK or a type is the app's history, not
    /// damage: such rows may have stood there for years, and must not keep a user from an update.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|line| !is_about_constraints(line) && !is_about_search(line))
    }

    /// The first finding of damage that `before` does not have. An index that disagrees with its content, as of a
    /// full-text search, may have done so for long, and a migration may be there to mend it.
    pub(crate) fn new_since<'a>(&'a self, before: &'a Findings) -> Option<&'a str> {
        self.0.difference(&before.0).map(String::as_str).find(|line| !is_about_constraints(line))
    }
}

fn is_about_search(line: &str) -> bool {
    line.starts_with("malformed inverted index for FTS")
}

fn is_about_constraints(line: &str) -> bool {
    line.starts_with("NULL value in ")
        || line.starts_with("CHECK constraint failed in ")
        || line.contains(" value in ")
            && (line.starts_with("NUMERIC") || line.starts_with("TEXT") || line.starts_with("non-"))
}

/// Runs SQLite's own check.
pub(crate) fn examine(connection: &Connection, depth: &Depth) -> rusqlite::Result<Findings> {
    const FINDINGS_AT_MOST: &str = "1000";
    let mut found = BTreeSet::new();
    match depth {
        Depth::Schema => {
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        }
        Depth::Tables(tables) => {
            for table in tables {
                run(connection, "quick_check", &format!("\"{}\"", table.replace('"', "\"\"")), &mut found)?;
            }
        }
        Depth::Quick => run(connection, "quick_check", FINDINGS_AT_MOST, &mut found)?,
        Depth::Full => run(connection, "integrity_check", FINDINGS_AT_MOST, &mut found)?,
    }
    found.remove("ok");
    Ok(Findings(found))
}

fn run(connection: &Connection, pragma: &str, argument: &str, found: &mut BTreeSet<String>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA {pragma}({argument})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.insert(String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default()).into_owned());
    }
    Ok(())
}

/// A database's size in bytes, as its header says.
pub(crate) fn size_of(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    Ok(u64::try_from(number("PRAGMA page_count")? * number("PRAGMA page_size")?).unwrap_or(0))
}

/// The size in bytes of the database behind `connection`, which has the write lock; 0 for one that is still empty.
///
/// SQLite takes a last page of which the end is missing for one that ends in zeros. No write of its own leaves such a
/// file, so here it counts as damaged.
pub(crate) fn size_under_lock(connection: &Connection, path: &Path) -> Result<u64, Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(path, "read", &error);
    let length = std::fs::metadata(path).map_err(|source| io_problem(path, "look at", source))?.len();
    // BEGIN IMMEDIATE gives an empty database its first page, in memory. A single byte is SQLite's own, against a fault
    // of an old file system, and counts as nothing (<https://sqlite.org/src/file/src/os_unix.c>, `unixFileSize`).
    if length <= 1 {
        return Ok(0);
    }
    let bytes = size_of(connection).map_err(failed)?;
    let page: u64 = connection
        .query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))
        .map(|size| u64::try_from(size).unwrap_or(1).max(1))
        .map_err(failed)?;
    // A log may still hold the page whose writing into the file a power cut tore.
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = std::fs::metadata(Path::new(&log)).is_ok_and(|metadata| metadata.len() > 0);
    if !has_log && length % page != 0 && length.next_multiple_of(page) == bytes {
        let detail = format!("its last page ends {} bytes too early", bytes - length);
        return Err(Problem::Corrupt { path: path.to_owned(), detail });
    }
    Ok(bytes)
}
