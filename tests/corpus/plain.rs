//! What a driver does that only hands a file's text to SQLite: the measure for what lifeboat does.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::Value;
use rusqlite::{Connection, MAIN_DB, params_from_iter};

use super::rows;

/// What came of handing a file to SQLite.
pub enum Ran {
    Through(Connection),
    /// With SQLite's message.
    Failed(String),
    /// With the references that led nowhere afterwards and did not before.
    Dangling(BTreeMap<Reference, usize>),
}

/// Child table, parent table.
pub type Reference = (String, String);

/// The functions that a history calls, with the clock standing still and chance doing the same each time, so that two
/// runs of one file give the same rows.
pub fn functions(connection: &Connection) -> rusqlite::Result<()> {
    app_functions(connection)?;
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    for name in ["datetime", "date", "strftime", "unixepoch", "julianday"] {
        connection.create_scalar_function(name, -1, pure, move |context| at_a_fixed_time(name, context))?;
    }
    connection.create_scalar_function("current_timestamp", 0, pure, |_| Ok("2026-01-15 14:30:00"))?;
    let drawn = RefCell::new(0_u64);
    connection.create_scalar_function("randomblob", 1, FunctionFlags::SQLITE_UTF8, move |context| {
        let mut drawn = drawn.borrow_mut();
        *drawn += 1;
        let mut blob = drawn.to_be_bytes().to_vec();
        blob.resize(usize::from(context.get::<u16>(0)?), 0xab);
        Ok(blob)
    })
}

/// screenpipe's triggers call a function of its vector extension.
pub fn app_functions(connection: &Connection) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("vec_length", 1, pure, |context| {
        Ok(context.get::<Vec<u8>>(0).map_or(0, |vector| i64::try_from(vector.len() / 4).unwrap()))
    })
}

/// SQLite's own function of that name, with `now` replaced.
fn at_a_fixed_time(name: &str, context: &Context<'_>) -> rusqlite::Result<Value> {
    thread_local!(static PLAIN: Connection = Connection::open_in_memory().unwrap());
    let arguments = (0..context.len()).map(|at| context.get::<Value>(at)).collect::<Result<Vec<_>, _>>()?;
    let arguments = arguments.into_iter().map(|argument| match argument {
        Value::Text(text) if text.eq_ignore_ascii_case("now") => Value::Text("2026-01-15 14:30:00".to_owned()),
        other => other,
    });
    let places = vec!["?"; context.len()].join(",");
    PLAIN.with(|plain| {
        plain.query_row(&format!("SELECT {name}({places})"), params_from_iter(arguments), |row| row.get(0))
    })
}

/// The database whose file has these bytes, in memory.
pub fn in_memory(bytes: &[u8]) -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    if !bytes.is_empty() {
        connection.deserialize_read_exact(MAIN_DB, bytes, bytes.len(), false).unwrap();
    }
    functions(&connection).unwrap();
    connection
}

/// Hands `text` to SQLite with foreign keys off, whatever the text says to that.
pub fn run_with_keys_off(bytes: &[u8], text: &str) -> Ran {
    let mut connection = in_memory(bytes);
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let keep_off = |context: AuthContext<'_>| match context.action {
        AuthAction::Pragma { pragma_name: "foreign_keys", pragma_value: Some(_) } => Authorization::Ignore,
        _ => Authorization::Allow,
    };
    let before = dangling(&connection);
    connection.authorizer(Some(keep_off)).unwrap();
    if let Err(error) = run(&connection, text) {
        return Ran::Failed(error.sqlite_error().map_or_else(|| error.to_string(), |_| message(&error)));
    }
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
    let mut new = dangling(&connection);
    new.retain(|reference, count| before.get(reference).is_none_or(|stood| stood < count));
    if new.is_empty() { Ran::Through(connection) } else { Ran::Dangling(new) }
}

/// Hands `text` to SQLite as rusqlite bundles it, foreign keys on.
pub fn run_with_keys_on(bytes: &[u8], text: &str) -> Result<Connection, String> {
    let connection = in_memory(bytes);
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    run(&connection, text).map_err(|error| message(&error)).map(|()| connection)
}

/// In a transaction, unless the file begins one itself.
fn run(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    if begins_a_transaction(text) {
        return connection.execute_batch(text);
    }
    connection.execute_batch("BEGIN")?;
    connection.execute_batch(text)?;
    connection.execute_batch("COMMIT")
}

/// Whether `BEGIN` stands before any `COMMIT`. (A trigger's has no semicolon.)
fn begins_a_transaction(text: &str) -> bool {
    text.lines().map(|line| line.trim().to_ascii_uppercase()).find_map(|line| match line.as_str() {
        "BEGIN;" | "BEGIN TRANSACTION;" => Some(true),
        "COMMIT;" | "COMMIT TRANSACTION;" => Some(false),
        _ => None,
    }) == Some(true)
}

fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

/// How many references lead nowhere, by child and parent.
pub fn dangling(connection: &Connection) -> BTreeMap<Reference, usize> {
    let mut found = BTreeMap::new();
    for table in rows::tables(connection) {
        let mut statement = connection.prepare("SELECT parent FROM pragma_foreign_key_check(?1)").unwrap();
        let parents = statement.query_map([&table], |row| row.get::<_, String>(0)).unwrap();
        // An error here is a key that no unique index covers.
        for parent in parents.map_while(Result::ok) {
            *found.entry((table.clone(), parent)).or_default() += 1;
        }
    }
    found
}

/// How many rows each table has.
pub fn counts(connection: &Connection) -> BTreeMap<String, i64> {
    let count = |table: String| {
        let sql = format!("SELECT count(*) FROM {}", rows::quoted(&table));
        let count = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        (table, count)
    };
    rows::tables(connection).into_iter().map(count).collect()
}
