//! Whether SQLite finds a database sound.

use std::collections::BTreeSet;

use rusqlite::Connection;

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
        self.0.iter().map(String::as_str).find(|line| !is_about_constraints(line))
    }

    /// The first finding that `before` does not have.
    pub(crate) fn new_since<'a>(&'a self, before: &'a Findings) -> Option<&'a str> {
        self.0.difference(&before.0).next().map(String::as_str)
    }
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
