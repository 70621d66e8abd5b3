//! Comparing two files.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::layout::{Layout, in_quotes};
use super::model::{CompareOptions, Comparison, HistoryDifference, Identity, SettingDifference, TableComparison};
use super::side::{Side, encoding, is_utf8, knows};
use super::walk::{Walk, WalkError};
use crate::engine::Settings;
use crate::error::{Problem, Result, SqliteCause, described};
use crate::file::{is_about_sql, sqlite_problem};
use crate::migration::{Applied, read_record};
use crate::ops::launch::Launch;
use crate::schema::{Table, differences};

/// Tells two SQLite files apart: schema, rows a table, settings, history. Each is seen at one moment, also while another
/// process writes to it; neither is written. An app with functions or collations of its own calls
/// [`Database::compare_with`](crate::Database::compare_with), which prepares both connections by `on_connect`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
/// # for (path, rows) in [(&old, "(1, 'a'), (2, 'b')"), (&new, "(2, 'c'), (3, 'd')")] {
/// #     let connection = lifeboat::rusqlite::Connection::open(path)?;
/// #     connection.execute_batch("CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)")?;
/// #     connection.execute_batch(&format!("INSERT INTO note VALUES {rows}"))?;
/// # }
/// let comparison = lifeboat::compare(&old, &new)?;
/// let note = &comparison.tables[0];
/// assert_eq!((note.added, note.removed, note.changed), (1, 1, 1));
/// # Ok(()) }
/// ```
///
/// # Errors
/// One of them is not there, or is not a database that can be read.
pub fn compare(a: impl AsRef<Path>, b: impl AsRef<Path>) -> Result<Comparison> {
    Ok(compare_files(&Settings::default(), a.as_ref(), b.as_ref(), CompareOptions::new())?)
}

pub(crate) fn compare_launched(launch: &Launch<'_>, other: &Path, options: CompareOptions) -> Result<Comparison> {
    Ok(compare_files(launch.settings, launch.path, other, options)?)
}

fn compare_files(settings: &Settings, a: &Path, b: &Path, options: CompareOptions) -> Result<Comparison, Problem> {
    let a = Side::open(settings, a)?;
    let b = Side::open(settings, b)?;
    let schema = differences(&a.schema, &b.schema);
    let tables = tables(settings, &a, &b, options)?;
    let differing = settings_of(&a)?.into_iter().zip(settings_of(&b)?).filter(|(a, b)| a != b);
    let found = differing.map(|((name, a), (_, b))| SettingDifference { name, a, b }).collect::<Vec<_>>();
    let history = histories(settings, &a, &b)?;
    let equal =
        schema.is_empty() && found.is_empty() && history.is_empty() && tables.iter().all(TableComparison::is_equal);
    Ok(Comparison { equal, schema, tables, settings: found, history })
}

fn tables(settings: &Settings, a: &Side, b: &Side, options: CompareOptions) -> Result<Vec<TableComparison>, Problem> {
    let mut names: BTreeMap<String, (Option<&Table>, Option<&Table>)> = BTreeMap::new();
    for table in a.schema.tables.iter().filter(|table| table.is_apps_own()) {
        names.entry(table.name.to_ascii_lowercase()).or_default().0 = Some(table);
    }
    for table in b.schema.tables.iter().filter(|table| table.is_apps_own()) {
        names.entry(table.name.to_ascii_lowercase()).or_default().1 = Some(table);
    }
    let exact = utf8(a)? && utf8(b)?;
    let mut compared = Vec::with_capacity(names.len());
    for pair in names.into_values() {
        if settings.cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        let one_of = |side: &Side, table: &Table, in_a: bool| -> Result<TableComparison, Problem> {
            let counted = count(&side.connection, &table.name).map_err(WalkError::A);
            let counted = or_unread(counted, side, side)?;
            let mut only = TableComparison::of(table);
            match counted {
                Ok(rows) if in_a => (only.rows_a, only.removed) = (Some(rows), rows),
                Ok(rows) => (only.rows_b, only.added) = (Some(rows), rows),
                Err(why) => only.unread = Some(why),
            }
            Ok(only)
        };
        compared.extend(match pair {
            (Some(one), Some(other)) => Some(both(settings, a, b, one, other, exact, options)?),
            (Some(one), None) => Some(one_of(a, one, true)?),
            (None, Some(other)) => Some(one_of(b, other, false)?),
            (None, None) => None,
        });
    }
    Ok(compared)
}

fn both(
    settings: &Settings,
    a: &Side,
    b: &Side,
    one: &Table,
    other: &Table,
    exact: bool,
    options: CompareOptions,
) -> Result<TableComparison, Problem> {
    let mut compared = TableComparison::of(one);
    if let Some(why) = one.broken.as_ref().or(other.broken.as_ref()) {
        compared.unread = Some(why.clone());
        return Ok(compared);
    }
    let mut unknown = None;
    let layout = Layout::of(one, other, exact, |collation| {
        let known = knows(&a.connection, collation)? && knows(&b.connection, collation)?;
        if !known {
            unknown = Some(collation.to_owned());
        }
        Ok(known)
    });
    let layout = layout.map_err(|error| sqlite_problem(&a.path, "read", &error))?;
    compared.identity = layout.identity;
    compared.columns = layout.columns.iter().map(|(_, name)| name.clone()).collect();
    compared.key = compared.columns[..layout.key].to_vec();
    let walk = Walk {
        a: &a.connection,
        b: &b.connection,
        names: (&one.name, &other.name),
        layout: &layout,
        options,
        emitter: &settings.emitter,
    };
    match or_unread(walk.run(), a, b)? {
        Ok(tally) => {
            (compared.rows_a, compared.rows_b) = (Some(tally.rows_a), Some(tally.rows_b));
            (compared.added, compared.removed, compared.changed) = (tally.added, tally.removed, tally.changed);
            compared.rows = tally.rows;
        }
        // Of a table that is its own index SQLite says "no query solution", and not why.
        Err(why) => {
            compared.unread = Some(unknown.map_or(why, |name| format!("no such collation sequence: {name}")));
        }
    }
    Ok(compared)
}

/// One table that cannot be read, for want of what only the app's code can bring, does not keep the others from being
/// compared.
fn or_unread<T>(read: Result<T, WalkError>, a: &Side, b: &Side) -> Result<Result<T, String>, Problem> {
    let (path, error) = match read {
        Ok(value) => return Ok(Ok(value)),
        Err(WalkError::A(error)) => (&a.path, error),
        Err(WalkError::B(error)) => (&b.path, error),
    };
    if is_about_sql(&error) {
        Ok(Err(SqliteCause::from(&error).message))
    } else {
        Err(sqlite_problem(path, "read", &error))
    }
}

impl TableComparison {
    fn of(table: &Table) -> Self {
        TableComparison {
            name: table.name.clone(),
            rows_a: None,
            rows_b: None,
            added: 0,
            removed: 0,
            changed: 0,
            identity: Identity::Content,
            key: Vec::new(),
            columns: Vec::new(),
            rows: Vec::new(),
            unread: None,
        }
    }
}

fn utf8(side: &Side) -> Result<bool, Problem> {
    is_utf8(&side.connection).map_err(|error| sqlite_problem(&side.path, "read", &error))
}

fn count(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let sql = format!("SELECT count(*) FROM main.{}", in_quotes(table));
    connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn settings_of(side: &Side) -> Result<Vec<(&'static str, String)>, Problem> {
    let number = |pragma: &'static str| {
        let sql = format!("PRAGMA {pragma}");
        let value = side.connection.query_row(&sql, [], |row| row.get::<_, i64>(0));
        value.map(|value| (pragma, value.to_string()))
    };
    let all = || {
        let encoding = ("encoding", encoding(&side.connection)?);
        Ok(vec![number("user_version")?, number("application_id")?, number("page_size")?, encoding])
    };
    all().map_err(|error: rusqlite::Error| sqlite_problem(&side.path, "read", &error))
}

fn histories(settings: &Settings, a: &Side, b: &Side) -> Result<HistoryDifference, Problem> {
    let applied = |side: &Side| match read_record(&side.connection, &side.path, &settings.history_table) {
        Ok(record) => Ok(record.applied),
        Err(problem @ Problem::BadHistory { .. }) => {
            settings.emitter.warn(format!("its history is not compared: {}", described(&problem)));
            Ok(Vec::new())
        }
        Err(problem) => Err(problem),
    };
    let (a, b) = (applied(a)?, applied(b)?);
    let missing = |from: &[Applied], other: &[Applied]| -> Vec<String> {
        let is_in = |row: &Applied| other.iter().any(|other| (other.version, &other.name) == (row.version, &row.name));
        from.iter().filter(|row| !is_in(row)).map(Applied::id).collect()
    };
    let diverges = |row: &&Applied| {
        b.iter().any(|other| (other.version, &other.name) == (row.version, &row.name) && other.checksum != row.checksum)
    };
    Ok(HistoryDifference {
        only_a: missing(&a, &b),
        only_b: missing(&b, &a),
        divergent: a.iter().filter(diverges).map(Applied::id).collect(),
    })
}
