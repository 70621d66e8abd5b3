//! The tables of a database and their foreign keys, read again only where the schema has changed: a run of a thousand
//! migrations must not read a thousand times all there is.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::watch::Touched;

/// A foreign key, as SQLite lists it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) child: String,
    pub(crate) id: i64,
    pub(crate) parent: String,
    /// Each column of the child with that of the parent, if it is named.
    pub(crate) columns: Vec<(String, Option<String>)>,
    pub(crate) cascades: bool,
}

struct Table {
    name: String,
    sql: String,
    /// Where its rows are: the one thing that stays with them through renames.
    root: i64,
    /// Nothing until somebody asks.
    keys: Option<Vec<Key>>,
}

/// Tables and keys as they were at the last look.
pub(crate) struct Keys {
    /// By names in small letters: made in Rust, since an app may have a `lower()` of its own, and pragmas change `LIKE`.
    tables: BTreeMap<String, Table>,
    /// Tables made since.
    created: BTreeSet<String>,
    schema_version: i64,
}

impl Keys {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let schema_version = schema_version(connection)?;
        Ok(Keys { tables: read_tables(connection)?, created: BTreeSet::new(), schema_version })
    }

    /// A migration that wrote no row and changed no table is not looked at; the tables that it made are remembered.
    pub(crate) fn pass_over(&mut self, touched: &Touched) {
        self.created.extend(touched.created.iter().cloned());
    }

    /// The names of the tables, in small letters.
    pub(crate) fn tables(&self) -> BTreeSet<String> {
        self.tables.keys().cloned().collect()
    }

    /// Looks again, after a migration that `touched` something. Gives the tables whose references may lead elsewhere now,
    /// or that may now be referred to otherwise, in small letters.
    pub(crate) fn refresh(&mut self, connection: &Connection, touched: &Touched) -> rusqlite::Result<BTreeSet<String>> {
        let mut suspects = touched.rows.clone();
        let schema_version = schema_version(connection)?;
        if schema_version == self.schema_version && !touched.all {
            return Ok(suspects);
        }
        let mut now = read_tables(connection)?;
        let is_new = |name: &&String| !self.tables.contains_key(*name);
        // No event tells the target of a rename. Somewhere on the way from one set of names to another a name turns up
        // that was not there before and that no CREATE made, or a table was dropped to make room.
        let renamed = touched.dropped
            || touched.altered.iter().any(|name| is_new(&name))
            || now.keys().filter(is_new).any(|name| !touched.created.contains(name) && !self.created.contains(name));
        if renamed {
            suspects.extend(touched.altered.iter().cloned());
            suspects.extend(now.keys().filter(is_new).cloned());
        } else {
            suspects.extend(touched.altered.iter().filter(|name| !self.only_gained(name, now.get(*name))).cloned());
        }
        for (name, table) in &mut now {
            if let Some(before) = self.tables.remove(name).filter(|before| before.sql == table.sql) {
                table.keys = before.keys;
            }
        }
        *self = Keys { tables: now, created: BTreeSet::new(), schema_version };
        Ok(suspects)
    }

    /// Whether all that happened to a table is that it has more columns, none of which refers to anything: then every row
    /// and every key is what it was.
    fn only_gained(&self, name: &str, now: Option<&Table>) -> bool {
        let (Some(before), Some(now)) = (self.tables.get(name), now) else { return false };
        // Another table may have taken the name, by way of one that no event tells of.
        before.root == now.root
            && gained(&before.sql, &now.sql).is_some_and(|column| !column.to_ascii_lowercase().contains("references"))
    }

    /// The keys of all tables.
    pub(crate) fn all(&mut self, connection: &Connection) -> rusqlite::Result<Vec<&Key>> {
        let mut statement = connection.prepare(
            "SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq",
        )?;
        for table in self.tables.values_mut().filter(|table| table.keys.is_none()) {
            let mut rows = statement.query([&table.name])?;
            let mut keys: Vec<Key> = Vec::new();
            while let Some(row) = rows.next()? {
                let id: i64 = row.get(0)?;
                let column = (row.get(2)?, row.get(3)?);
                match keys.last_mut() {
                    Some(key) if key.id == id => key.columns.push(column),
                    _ => {
                        let action: String = row.get(4)?;
                        let cascades = matches!(action.as_str(), "CASCADE" | "SET NULL" | "SET DEFAULT");
                        let (child, parent) = (table.name.clone(), row.get(1)?);
                        keys.push(Key { child, id, parent, columns: vec![column], cascades });
                    }
                }
            }
            table.keys = Some(keys);
        }
        Ok(self.tables.values().flat_map(|table| table.keys.iter().flatten()).collect())
    }
}

/// The column definitions that `ALTER TABLE … ADD COLUMN` has put into a table's text, if nothing else has changed in it.
fn gained<'a>(before: &str, now: &'a str) -> Option<&'a str> {
    let same = before.bytes().zip(now.bytes()).take_while(|(a, b)| a == b).count();
    let from_end = before.bytes().rev().zip(now.bytes().rev()).take_while(|(a, b)| a == b).count();
    let gained = now.len().checked_sub(before.len()).filter(|gained| *gained > 0)?;
    // Where the text repeats itself, the piece can be cut out at more than one place.
    (same + from_end >= before.len()).then_some(())?;
    let first = before.len() - from_end.min(before.len());
    (first..=same).find_map(|at| now.get(at..at + gained).filter(|piece| piece.starts_with(',')))
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA schema_version", [], |row| row.get(0))
}

fn read_tables(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Table>> {
    let mut statement =
        connection.prepare("SELECT name, sql, rootpage FROM main.sqlite_schema WHERE type = 'table'")?;
    let mut rows = statement.query([])?;
    let mut tables = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        // A schema that was written by hand may hold anything.
        let sql = String::from_utf8_lossy(row.get_ref(1)?.as_bytes_or_null()?.unwrap_or_default()).into_owned();
        let root = row.get_ref(2)?.as_i64_or_null()?.unwrap_or_default();
        tables.insert(name.to_ascii_lowercase(), Table { name, sql, root, keys: None });
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_added_column_is_told_from_every_other_change() {
        assert_eq!(gained("CREATE TABLE a (b)", "CREATE TABLE a (b, c TEXT)"), Some(", c TEXT"));
        assert_eq!(gained("CREATE TABLE a (b, b)", "CREATE TABLE a (b, b, b)"), Some(", b"));
        assert_eq!(gained("CREATE TABLE a (b, CHECK (b))", "CREATE TABLE a (b, c, CHECK (b))"), Some(", c"));
        assert_eq!(gained("CREATE TABLE a (b)", "CREATE TABLE a (bc)"), None);
        assert_eq!(gained("CREATE TABLE a (b)", "CREATE TABLE a (b)"), None);
        assert_eq!(gained("CREATE TABLE a (b, c)", "CREATE TABLE a (b)"), None);
        assert_eq!(gained("CREATE TABLE a (b)", "CREATE TABLE ab (b, c)"), None);
        assert_eq!(gained("CREATE TABLE a (b)", "CREATE TABLE a (c, b)"), None);
    }

    /// What SQLite makes of it, not what we think it makes.
    #[test]
    fn sqlite_adds_columns_as_is_thought_here() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE a (b /* , */, c INT, CHECK (b <> ')')) STRICT").unwrap_err();
        connection.execute_batch("CREATE TABLE a (b INT /* , */, c INT, CHECK (b <> ')')) STRICT").unwrap();
        let mut keys = Keys::read(&connection).unwrap();
        connection.execute_batch("ALTER TABLE a ADD COLUMN d TEXT DEFAULT ','").unwrap();
        let touched = Touched { altered: ["a".to_owned()].into(), ..Touched::default() };
        assert!(keys.refresh(&connection, &touched).unwrap().is_empty());
        connection.execute_batch("ALTER TABLE a ADD COLUMN e INT REFERENCES a").unwrap();
        assert_eq!(keys.refresh(&connection, &touched).unwrap(), ["a".to_owned()].into());
        assert_eq!(keys.all(&connection).unwrap().len(), 1);
        connection.execute_batch("ALTER TABLE a RENAME COLUMN d TO f").unwrap();
        assert_eq!(keys.refresh(&connection, &touched).unwrap(), ["a".to_owned()].into());
        connection.execute_batch("ALTER TABLE a RENAME TO g").unwrap();
        assert_eq!(keys.refresh(&connection, &touched).unwrap(), ["a".to_owned(), "g".to_owned()].into());
        assert_eq!(keys.all(&connection).unwrap()[0].parent, "g");
    }
}
