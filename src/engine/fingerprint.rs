//! What a file looked like before a run, to see after going back that it looks so again.

use std::hash::Hash;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::watch::Touched;

/// Schema, history and the numbers in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u128);

impl Fingerprint {
    pub(crate) fn of(connection: &Connection, history_table: Option<&str>) -> rusqlite::Result<Self> {
        let mut hasher = SipHasher13::new();
        for pragma in ["user_version", "application_id", "page_size", "encoding"] {
            add_rows(connection, &format!("PRAGMA {pragma}"), &mut hasher)?;
        }
        add_rows(
            connection,
            "SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema ORDER BY rowid",
            &mut hasher,
        )?;
        if let Some(table) = history_table {
            add_rows(connection, &format!("SELECT * FROM \"{table}\" ORDER BY version"), &mut hasher)?;
        }
        Ok(Fingerprint(hasher.finish128().as_u128()))
    }
}

fn add_rows(connection: &Connection, sql: &str, hasher: &mut SipHasher13) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => 0_u8.hash(hasher),
                ValueRef::Integer(number) => (1_u8, number).hash(hasher),
                ValueRef::Real(number) => (2_u8, number.to_bits()).hash(hasher),
                ValueRef::Text(bytes) => (3_u8, bytes).hash(hasher),
                ValueRef::Blob(bytes) => (4_u8, bytes).hash(hasher),
            }
        }
    }
    Ok(())
}

/// The first of the touched tables whose number of rows differs between the file and its copy.
pub(crate) fn different_count(
    file: &Connection,
    copy: &Connection,
    touched: &Touched,
) -> rusqlite::Result<Option<String>> {
    let mut tables = copy.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'")?;
    let names = tables.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    for name in names {
        if name.starts_with("sqlite_") || !touched.all && !touched.tables.contains(&name.to_ascii_lowercase()) {
            continue;
        }
        let sql = format!("SELECT count(*) FROM main.\"{}\"", name.replace('"', "\"\""));
        let count = |connection: &Connection| connection.query_row(&sql, [], |row| row.get::<_, i64>(0));
        if count(file)? != count(copy)? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
