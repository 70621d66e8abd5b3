//! What a file says of the migrations that were applied to it: refinery's table, read by us, read-only.
//!
//! refinery's own reader creates the table, panics on a date that is none and on a damaged checksum, and cannot tell a
//! file that is newer than the app from one that lacks a migration.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::ledger::{LEDGER_TABLE, OpenRestore, OpenRun, has_migrations, read_open};
use super::types::{HashWidth, Migration, checksum};
use crate::error::{Problem, SqliteCause};
use crate::file::{is_about_sql, sqlite_problem};

/// refinery's default name for the table.
pub(crate) const DEFAULT_HISTORY_TABLE: &str = "refinery_schema_history";

/// A row of the history, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) version: i64,
    pub(crate) name: String,
    /// RFC 3339 as refinery writes it; whatever stands there, if not.
    pub(crate) applied_on: String,
    /// Nothing where what stands there is no checksum.
    pub(crate) checksum: Option<u64>,
}

impl Applied {
    pub(crate) fn id(&self) -> String {
        format!("V{}__{}", self.version, self.name)
    }

    /// The width with which `known` gives this row's checksum; nothing if it was applied with another text or name.
    /// Line ends are no difference: a checkout may turn them either way.
    pub(crate) fn width_of(&self, known: &Migration) -> Option<HashWidth> {
        if self.name != known.name {
            return None;
        }
        let Some(text) = known.hashed_text() else { return Some(HashWidth::BUILD) };
        let stored = self.checksum?;
        let matches = |text: &str| {
            [HashWidth::BUILD, HashWidth::BUILD.other()]
                .into_iter()
                .find(|width| checksum(&known.name, known.version, text, *width) == stored)
        };
        matches(text).or_else(|| {
            let lf = text.replace("\r\n", "\n");
            matches(&lf).or_else(|| matches(&lf.replace('\n', "\r\n")))
        })
    }
}

/// All that the history and the ledger say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) applied: Vec<Applied>,
    pub(crate) has_history: bool,
    pub(crate) open_run: Option<OpenRun>,
    pub(crate) open_restore: Option<OpenRestore>,
}

/// Reads history and ledger in one read transaction; in the one that is open, if one is.
pub(crate) fn read_record(connection: &Connection, path: &Path, table: &str) -> Result<Record, Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(path, "read", &error);
    let own_transaction = connection.is_autocommit();
    if own_transaction {
        connection.execute_batch("BEGIN").map_err(failed)?;
    }
    let record = read(connection, path, table);
    if own_transaction {
        // Ends a transaction that only read; it cannot lose anything.
        let ended = connection.execute_batch("COMMIT");
        if record.is_ok() {
            ended.map_err(failed)?;
        }
    }
    record
}

fn read(connection: &Connection, path: &Path, table: &str) -> Result<Record, Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(path, "read", &error);
    let bad = |table: &str, why: String| Problem::BadHistory { path: path.to_owned(), table: table.to_owned(), why };
    let mut record = Record::default();
    let mut has_ledger = false;
    {
        let mut statement = connection
            .prepare(
                "SELECT name, type FROM sqlite_schema
                 WHERE type IN ('table', 'view') AND (name = ?1 COLLATE NOCASE OR name = ?2 COLLATE NOCASE)",
            )
            .map_err(failed)?;
        let mut rows = statement.query([table, LEDGER_TABLE]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let name = text(row.get_ref(0).map_err(failed)?);
            if text(row.get_ref(1).map_err(failed)?) == "view" {
                return Err(bad(&name, "it is a view".to_owned()));
            }
            record.has_history |= name.eq_ignore_ascii_case(table);
            has_ledger |= name.eq_ignore_ascii_case(LEDGER_TABLE);
        }
    }
    if record.has_history {
        record.applied = read_applied(connection, path, table)?;
    }
    if has_ledger && !record.has_history && has_migrations(connection).map_err(failed)? {
        let why = format!("there is no such table, but `{LEDGER_TABLE}` tells of migrations; is it the right name?");
        return Err(bad(table, why));
    }
    if has_ledger {
        let open = read_open(connection).map_err(|error| {
            if is_about_sql(&error) { bad(LEDGER_TABLE, SqliteCause::from(&error).message) } else { failed(error) }
        })?;
        (record.open_run, record.open_restore) = (open.run, open.restore);
    }
    Ok(record)
}

fn read_applied(connection: &Connection, path: &Path, table: &str) -> Result<Vec<Applied>, Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(path, "read", &error);
    let bad = |why: String| Problem::BadHistory { path: path.to_owned(), table: table.to_owned(), why };
    // The name is the app's setting, checked to be a plain identifier.
    let sql = format!("SELECT version, name, applied_on, checksum FROM \"{table}\"");
    let mut statement = connection
        .prepare(&sql)
        .map_err(|error| if is_about_sql(&error) { bad(SqliteCause::from(&error).message) } else { failed(error) })?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut applied: Vec<Applied> = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let value = row.get_ref(0).map_err(failed)?;
        let version = integer(value).ok_or_else(|| bad(format!("{} is no version", shown(value))))?;
        let checksum = match row.get_ref(3).map_err(failed)? {
            // As refinery would have written the same 64 bits in another column type.
            #[allow(clippy::cast_sign_loss)]
            ValueRef::Integer(number) => Some(number as u64),
            other => text(other).trim().parse().ok(),
        };
        let name = text(row.get_ref(1).map_err(failed)?);
        let applied_on = text(row.get_ref(2).map_err(failed)?);
        applied.push(Applied { version, name, applied_on, checksum });
    }
    applied.sort_by_key(|row| row.version);
    if let Some(pair) = applied.windows(2).find(|pair| pair[0].version == pair[1].version) {
        return Err(bad(format!("version {} stands in it twice", pair[0].version)));
    }
    Ok(applied)
}

fn integer(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Integer(number) => Some(number),
        #[allow(clippy::cast_possible_truncation)] // a whole number of a size that doubles hold exactly
        ValueRef::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(number as i64),
        ValueRef::Text(_) => text(value).trim().parse().ok(),
        _ => None,
    }
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Null => String::new(),
    }
}

fn shown(value: ValueRef<'_>) -> String {
    let text = text(value);
    match value {
        ValueRef::Null => "NULL".to_owned(),
        _ => format!("`{}`", text.chars().take(40).collect::<String>()),
    }
}
