//! The launch that has nothing to do, which is nearly every launch: a yes in one pass over the history.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::ledger::LEDGER_TABLE;
use super::types::{HashWidth, Migration, checksum};
use crate::file::is_about_sql;

/// Whether the file says that exactly the `known` migrations (sorted by version) were applied, each with the text that it
/// has now, and that nothing is open. A no means nothing: that the plan is to be asked, which takes its time and knows
/// every other case.
pub(crate) fn is_plainly_up_to_date(
    connection: &Connection,
    table: &str,
    known: &[Migration],
) -> rusqlite::Result<bool> {
    match look(connection, table, known) {
        // Another table than we think; it is not for this look to say so.
        Err(error) if is_about_sql(&error) => Ok(false),
        other => other,
    }
}

fn look(connection: &Connection, table: &str, known: &[Migration]) -> rusqlite::Result<bool> {
    // Not views of these names, which could say anything; and a file that has no ledger is a case for the longer look.
    let is_table = |name: &str| connection.table_exists(Some("main"), name);
    if known.is_empty() || !is_table(table)? || !is_table(LEDGER_TABLE)? {
        return Ok(false);
    }
    // One statement, so both are read as of one moment; what is open is answered by the ledger's partial index alone. The
    // history's name is the app's setting, checked to be a plain identifier.
    let mut statement = connection.prepare(&format!(
        "SELECT version, name, checksum, EXISTS (SELECT 1 FROM main.{LEDGER_TABLE} WHERE is_open <> 0)
         FROM main.\"{table}\""
    ))?;
    let mut rows = statement.query([])?;
    let mut seen = vec![false; known.len()];
    let mut left = known.len();
    let mut next = 0;
    while let Some(row) = rows.next()? {
        let ValueRef::Integer(version) = row.get_ref(0)? else { return Ok(false) };
        // As a rule the rows stand in the order of their versions.
        let at = match known.get(next).filter(|migration| migration.version == version) {
            Some(_) => next,
            None => match known.binary_search_by_key(&version, |migration| migration.version) {
                Ok(at) => at,
                Err(_) => return Ok(false),
            },
        };
        let something_open = left == known.len() && row.get_ref(3)? != ValueRef::Integer(0);
        let seen_twice = std::mem::replace(&mut seen[at], true);
        if something_open || seen_twice || !is_as_known(&known[at], row.get_ref(1)?, row.get_ref(2)?) {
            return Ok(false);
        }
        next = at + 1;
        left -= 1;
    }
    Ok(left == 0)
}

fn is_as_known(known: &Migration, name: ValueRef<'_>, sum: ValueRef<'_>) -> bool {
    let (ValueRef::Text(name), ValueRef::Text(sum)) = (name, sum) else { return false };
    let Some(text) = known.hashed_text() else { return false };
    name == known.name.as_bytes()
        && std::str::from_utf8(sum).ok().and_then(|sum| sum.parse().ok())
            == Some(checksum(&known.name, known.version, text, HashWidth::BUILD))
}
