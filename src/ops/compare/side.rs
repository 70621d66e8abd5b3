//! One of the two files: opened to be read, held at one moment.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::engine::Settings;
use crate::error::Problem;
use crate::file::{DatabasePath, Purpose, is_about_sql, sqlite_problem};
use crate::migration::LEDGER_TABLE;
use crate::ops::launch::telling_the_wait;
use crate::ops::near::not_found;
use crate::schema::{Schema, read_schema};

/// Virtual-machine instructions between two looks whether the caller cancelled.
const INSTRUCTIONS: i32 = 20_000;

/// A file inside one read transaction.
pub(crate) struct Side {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) schema: Schema,
}

impl Side {
    pub(crate) fn open(settings: &Settings, path: &Path) -> Result<Self, Problem> {
        let database = DatabasePath::resolve(path)?;
        if database.metadata().is_none() {
            return Err(not_found(path));
        }
        let path = database.real();
        let connection = telling_the_wait(|| {
            let mut connection = settings.connector.open(path, Purpose::Read, settings.wait)?;
            let failed = |error| sqlite_problem(path, "read", &error);
            let token = settings.cancel.clone();
            connection.progress_handler(INSTRUCTIONS, Some(move || token.is_cancelled())).map_err(failed)?;
            connection.execute_batch("BEGIN").map_err(failed)?;
            Ok(connection)
        })?;
        let schema = telling_the_wait(|| schema_of(&connection, settings, path))?;
        Ok(Side { connection, path: path.to_owned(), schema })
    }
}

pub(crate) fn schema_of(connection: &Connection, settings: &Settings, path: &Path) -> Result<Schema, Problem> {
    read_schema(connection, &[LEDGER_TABLE, &settings.history_table])
        .map_err(|error| sqlite_problem(path, "read the schema of", &error))
}

pub(crate) fn encoding(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA encoding", [], |row| row.get(0))
}

pub(crate) fn is_utf8(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(encoding(connection)? == "UTF-8")
}

/// Whether a connection has this collation: an app's own comes by `on_connect` alone.
pub(crate) fn knows(connection: &Connection, collation: &str) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 'a' < 'b' COLLATE {}", super::in_quotes(collation));
    match connection.prepare(&sql).and_then(|mut statement| statement.query_row([], |_| Ok(()))) {
        Ok(()) => Ok(true),
        Err(error) if is_about_sql(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
