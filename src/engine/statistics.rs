//! The query planner's statistics. `DROP TABLE` takes a table's rows out of `sqlite_stat1`, so a rebuilt table would be
//! planned for as if nothing were known about it, until somebody runs ANALYZE.

use std::collections::BTreeSet;

use rusqlite::Connection;

/// The tables that have statistics, in small letters.
pub(crate) fn analyzed(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let there = connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'")?.exists([])?;
    if !there {
        return Ok(BTreeSet::new());
    }
    let mut statement =
        connection.prepare("SELECT DISTINCT CAST(tbl AS TEXT) FROM sqlite_stat1 WHERE tbl IS NOT NULL")?;
    statement.query_map([], |row| Ok(row.get::<_, String>(0)?.to_ascii_lowercase()))?.collect()
}

/// Gathers statistics again for the tables of `before` that are still there and have none now. Bounded: at most some
/// thousand rows an index are looked at, whatever its size.
pub(crate) fn renew(connection: &Connection, before: &BTreeSet<String>) -> rusqlite::Result<()> {
    if before.is_empty() {
        return Ok(());
    }
    let now = analyzed(connection)?;
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    for name in tables {
        let key = name.to_ascii_lowercase();
        if before.contains(&key) && !now.contains(&key) {
            connection.execute_batch(&format!(
                "PRAGMA analysis_limit = 1000; ANALYZE main.\"{}\"; PRAGMA analysis_limit = 0",
                name.replace('"', "\"\"")
            ))?;
        }
    }
    Ok(())
}
