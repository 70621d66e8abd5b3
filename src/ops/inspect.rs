//! What a file holds: its schema, its rows, its bytes. Writes nothing, and needs no migrations.

use std::path::Path;

use rusqlite::Connection;

use super::launch::{Launch, telling_the_wait};
use super::left::absent;
use crate::engine::Settings;
use crate::error::{Problem, Result};
use crate::file::{DatabasePath, Purpose, sqlite_problem};
use crate::migration::LEDGER_TABLE;
use crate::schema::{self, Detail, Inspection, Object, Schema};

/// Virtual-machine instructions between two looks whether the caller cancelled: counting rows may take long.
const INSTRUCTIONS: i32 = 20_000;

/// Looks at a file inside one read transaction, so that all that is seen is of one moment.
pub(super) fn in_one_moment<T>(
    launch: &Launch<'_>,
    look: impl FnOnce(&Connection, &Path) -> Result<T, Problem>,
) -> Result<T> {
    let database = DatabasePath::resolve(launch.path)?;
    if database.metadata().is_none() {
        return Err(absent(launch).into());
    }
    let path = database.real();
    let settings = launch.settings;
    let seen = telling_the_wait(|| {
        let mut connection = settings.connector.open(path, Purpose::Read, settings.wait)?;
        let failed = |error| sqlite_problem(path, "read", &error);
        let token = settings.cancel.clone();
        connection.progress_handler(INSTRUCTIONS, Some(move || token.is_cancelled())).map_err(failed)?;
        connection.execute_batch("BEGIN").map_err(failed)?;
        look(&connection, path)
    });
    Ok(seen?)
}

/// The schema alone.
pub(crate) fn schema(launch: &Launch<'_>) -> Result<Schema> {
    in_one_moment(launch, |connection, path| read(launch.settings, connection, path))
}

/// The schema, and how much each table holds.
pub(crate) fn inspect(launch: &Launch<'_>) -> Result<Inspection> {
    in_one_moment(launch, |connection, path| {
        let schema = read(launch.settings, connection, path)?;
        schema::measure(connection, schema).map_err(|error| sqlite_problem(path, "read", &error))
    })
}

/// One table or view, and its first rows if there shall be some.
pub(crate) fn inspect_table(launch: &Launch<'_>, name: &str, rows: Option<usize>) -> Result<Detail> {
    in_one_moment(launch, |connection, path| {
        let schema = read(launch.settings, connection, path)?;
        let table = schema.table(name).map(|table| Object::Table(table.clone()));
        let object = table.or_else(|| schema.view(name).map(|view| Object::View(view.clone())));
        let Some(object) = object else { return Err(no_such_table(&schema, path, name)) };
        schema::detail(connection, &schema, object, rows).map_err(|error| sqlite_problem(path, "read", &error))
    })
}

fn read(settings: &Settings, connection: &Connection, path: &Path) -> Result<Schema, Problem> {
    schema::read_schema(connection, &[LEDGER_TABLE, &settings.history_table])
        .map_err(|error| sqlite_problem(path, "read the schema of", &error))
}

/// The nearest name is the one that was meant, or nearly so.
pub(super) fn no_such_table(schema: &Schema, path: &Path, name: &str) -> Problem {
    let wanted = name.to_lowercase();
    let names = schema.tables.iter().map(|table| &table.name).chain(schema.views.iter().map(|view| &view.name));
    let mut near: Vec<(usize, &String)> = names
        .map(|known| (strsim::damerau_levenshtein(&wanted, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 3.min(known.chars().count() / 2).max(1))
        .collect();
    near.sort();
    let near = near.into_iter().take(3).map(|(_, known)| known.clone()).collect();
    Problem::NoSuchTable { path: path.to_owned(), table: name.to_owned(), near }
}
