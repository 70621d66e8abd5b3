//! What a database contains, read by plain SQLite and nothing of ours.

use std::fmt::Write;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

/// Schema, rows, journal mode and the versions of the history; without what differs from run to run (when and how long).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(Option<String>);

impl Content {
    /// No file, or one without anything in it.
    pub fn absent() -> Self {
        Content(None)
    }

    /// A copy is never in WAL mode, whatever its database is in.
    pub fn without_mode(&self) -> Option<&str> {
        self.0.as_deref().map(|text| text.rsplit_once("Text(").map_or(text, |(rest, _)| rest))
    }
}

/// Reads a database as any program would: SQLite recovers a hot journal, joins a log. Damage is a panic.
pub fn content(path: &Path) -> Content {
    if std::fs::metadata(path).map_or(0, |metadata| metadata.len()) == 0 {
        return Content::absent();
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "{} is damaged", path.display());
    let dangling = connection.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!dangling, "{} has rows that refer to nothing", path.display());
    let mut text = String::new();
    let mut objects = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE tbl_name NOT IN ('lifeboat_ledger', 'refinery_schema_history') ORDER BY name")
        .unwrap();
    let objects: Vec<(String, Option<String>)> =
        objects.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    for (name, sql) in &objects {
        writeln!(text, "{name}: {sql:?}").unwrap();
        if sql.as_ref().is_some_and(|sql| sql.starts_with("CREATE TABLE")) {
            rows(&connection, &format!("SELECT * FROM \"{name}\""), &mut text);
        }
    }
    let history = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    if connection.prepare(history).unwrap().exists([]).unwrap() {
        rows(&connection, "SELECT version, name, checksum FROM refinery_schema_history ORDER BY version", &mut text);
    }
    rows(&connection, "PRAGMA journal_mode", &mut text);
    Content(Some(text))
}

fn rows(connection: &Connection, sql: &str, text: &mut String) {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            match row.get::<_, Value>(column).unwrap() {
                // A large file's picture is not as large.
                Value::Text(long) if long.len() > 100 => {
                    write!(text, "{} bytes, {:x}|", long.len(), hash(&long)).unwrap()
                }
                value => write!(text, "{value:?}|").unwrap(),
            }
        }
        text.push('\n');
    }
}

fn hash(text: &str) -> u64 {
    u64::from_le_bytes(Sha256::digest(text)[..8].try_into().unwrap())
}
