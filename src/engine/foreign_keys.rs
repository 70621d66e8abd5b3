//! Foreign keys are off while a migration runs; here it is seen that they hold nevertheless.
//!
//! Rows that referred to nothing before the run do not count: an app lived with them, and they must not keep a user from
//! an update. What is compared is child, parent and key values, for a rebuild may change rowids and the order of keys.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use siphasher::sip::SipHasher13;

use super::keys::{Key, Keys};
use super::watch::Touched;
use crate::error::Problem;
use crate::event::Emitter;
use crate::file::{Connector, Purpose, is_about_sql, sqlite_problem};

/// Where the violations that stood before the run can be found.
pub(crate) enum Before {
    /// The database was empty.
    Nothing,
    /// In the copy, which is opened only when a check finds something.
    Copy { connector: Connector, path: PathBuf, wait: Duration },
    /// Noted before the run, for want of a copy.
    Noted(Dangling),
}

/// A reference that leads nowhere.
#[derive(Debug, Clone)]
struct Reference {
    child: String,
    rowid: Option<i64>,
    parent: String,
    values: String,
    cascades: bool,
}

/// The references of a database that lead nowhere, and its tables, in small letters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dangling {
    references: Vec<Reference>,
    tables: BTreeSet<String>,
}

/// All dangling references there are.
pub(crate) fn note_all(connection: &Connection) -> rusqlite::Result<Dangling> {
    let mut known = Keys::read(connection)?;
    let (references, _) = find(connection, &known.all(connection)?, |_| true)?;
    Ok(Dangling { references, tables: known.tables() })
}

/// The dangling references from and to one table.
pub(crate) fn note_around(connection: &Connection, table: &str) -> rusqlite::Result<Dangling> {
    let mut known = Keys::read(connection)?;
    let is_meant = |key: &Key| key.child.eq_ignore_ascii_case(table) || key.parent.eq_ignore_ascii_case(table);
    let (references, _) = find(connection, &known.all(connection)?, is_meant)?;
    Ok(Dangling { references, tables: known.tables() })
}

/// References between two tables that lead nowhere, and did not before.
pub(crate) struct Orphans {
    pub(crate) child: String,
    pub(crate) parent: String,
    /// The first of them, where the child has rowids.
    pub(crate) rowids: Vec<i64>,
    pub(crate) count: usize,
}

impl Dangling {
    /// The first pair of tables between which there are more than `before`.
    pub(crate) fn new_since(&self, before: &Dangling) -> Option<Orphans> {
        let new = new_since(self, before);
        let first = new.first()?;
        let same: Vec<&Reference> =
            new.iter().filter(|other| other.child == first.child && other.parent == first.parent).collect();
        let rowids = same.iter().filter_map(|reference| reference.rowid).take(10).collect();
        Some(Orphans { child: first.child.clone(), parent: first.parent.clone(), rowids, count: same.len() })
    }
}

/// Looks at the tables that a migration touched and at those that refer to them. `known` is what was there before.
pub(crate) fn check(
    connection: &Connection,
    path: &Path,
    migration: &str,
    touched: &Touched,
    known: &mut Keys,
    before: &Before,
    emitter: &Emitter,
) -> Result<(), Problem> {
    if touched.is_nothing() {
        known.pass_over(touched);
        return Ok(());
    }
    let failed = |error: rusqlite::Error| sqlite_problem(path, "check the foreign keys of", &error);
    let suspects = known.refresh(connection, touched).map_err(failed)?;
    if suspects.is_empty() && !touched.all {
        return Ok(());
    }
    let tables = known.tables();
    let keys = known.all(connection).map_err(failed)?;
    let of_interest = |key: &Key| {
        touched.all
            || suspects.contains(&key.child.to_ascii_lowercase())
            || suspects.contains(&key.parent.to_ascii_lowercase())
    };
    let (found, mismatched) = find(connection, &keys, of_interest).map_err(failed)?;
    for (child, parent) in mismatched {
        emitter.warn(format!(
            "`{child}` refers to columns of `{parent}` that no unique index covers; with foreign keys on, SQLite will \
             refuse to write to `{child}`"
        ));
    }
    if found.is_empty() {
        return Ok(());
    }
    let after = Dangling { references: found, tables };
    let new = match before {
        Before::Nothing => after.references,
        Before::Noted(before) => new_since(&after, before),
        Before::Copy { connector, path: copy, wait } => {
            let copy = connector.open(copy, Purpose::Read, *wait)?;
            new_since(&after, &note_all(&copy).map_err(failed)?)
        }
    };
    match new.first() {
        None => Ok(()),
        Some(first) => Err(violation(migration, touched, first, &new)),
    }
}

fn violation(migration: &str, touched: &Touched, first: &Reference, new: &[Reference]) -> Problem {
    let same: Vec<&Reference> =
        new.iter().filter(|other| other.child == first.child && other.parent == first.parent).collect();
    Problem::ForeignKey {
        migration: migration.to_owned(),
        child: first.child.clone(),
        parent: first.parent.clone(),
        rowids: same.iter().filter_map(|reference| reference.rowid).take(10).collect(),
        count: same.len(),
        cascade: first.cascades && touched.deleted_from.contains(&first.parent.to_ascii_lowercase()),
    }
}

/// What is in `after` more often than in `before`. A table that only one of the two has was renamed, or is new or gone:
/// its name is left out of the comparison.
fn new_since(after: &Dangling, before: &Dangling) -> Vec<Reference> {
    let key = |reference: &Reference, other: &Dangling| {
        let mut hasher = SipHasher13::new();
        for table in [&reference.child, &reference.parent] {
            let table = table.to_ascii_lowercase();
            other.tables.contains(&table).then_some(table).hash(&mut hasher);
        }
        reference.values.hash(&mut hasher);
        hasher.finish()
    };
    let mut stood: HashMap<u64, usize> = HashMap::new();
    for reference in &before.references {
        *stood.entry(key(reference, after)).or_default() += 1;
    }
    let new = |reference: &&Reference| match stood.get_mut(&key(reference, before)) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    };
    after.references.iter().filter(new).cloned().collect()
}

type Mismatches = BTreeSet<(String, String)>;

/// The dangling references behind those keys; and the keys whose parent has no unique index for them, for which SQLite's
/// own check gives up.
fn find(
    connection: &Connection,
    keys: &[&Key],
    of_interest: impl Fn(&Key) -> bool,
) -> rusqlite::Result<(Vec<Reference>, Mismatches)> {
    let mut by_child: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
    for key in keys.iter().copied().filter(|key| of_interest(key)) {
        by_child.entry(&key.child).or_default().push(key);
    }
    let mut references = Vec::new();
    let mut mismatches = BTreeSet::new();
    let mut seen = HashSet::new();
    for (child, wanted) in by_child {
        let keys_of_child: Vec<&Key> = keys.iter().copied().filter(|key| key.child == child).collect();
        match sqlite_check(connection, child) {
            Ok(rows) => {
                let mut listed = BTreeSet::new();
                for (rowid, id) in rows {
                    let Some(key) = keys_of_child.iter().find(|key| key.id == id) else { continue };
                    match rowid {
                        Some(rowid) => {
                            let values = values_of(connection, key, rowid)?;
                            // The same key declared twice is one reference.
                            if seen.insert((child.to_owned(), rowid, key.parent.to_ascii_lowercase(), values.clone())) {
                                references.push(reference(key, Some(rowid), values));
                            }
                        }
                        // WITHOUT ROWID: SQLite does not say which row.
                        None if listed.insert(id) => references.extend(list(connection, key)?),
                        None => {}
                    }
                }
            }
            // "foreign key mismatch"; an error of the disk or a cancelled check is none.
            Err(error) if is_about_sql(&error) => {
                for key in wanted {
                    mismatches.insert((child.to_owned(), key.parent.clone()));
                    match list(connection, key) {
                        Ok(found) => references.extend(found),
                        // A parent column that does not exist cannot be compared with; the warning says it.
                        Err(error) if is_about_sql(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok((references, mismatches))
}

fn reference(key: &Key, rowid: Option<i64>, values: String) -> Reference {
    Reference { child: key.child.clone(), rowid, parent: key.parent.clone(), values, cascades: key.cascades }
}

fn sqlite_check(connection: &Connection, child: &str) -> rusqlite::Result<Vec<(Option<i64>, i64)>> {
    let mut statement = connection.prepare("SELECT rowid, fkid FROM pragma_foreign_key_check(?1, 'main')")?;
    statement.query_map([child], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// As text, so that a rebuild that gives a column another type changes no value; in hexadecimal, since text need not be
/// valid UTF-8.
fn values_sql(key: &Key) -> String {
    let value = |(from, _): &(String, Option<String>)| format!("hex(CAST(child.{} AS TEXT))", quoted(from));
    key.columns.iter().map(value).collect::<Vec<_>>().join("||','||")
}

fn values_of(connection: &Connection, key: &Key, rowid: i64) -> rusqlite::Result<String> {
    // A column may bear one of the three names of the rowid, hardly all of them.
    let columns: BTreeSet<String> = connection
        .prepare("SELECT name FROM pragma_table_xinfo(?1, 'main')")?
        .query_map([&key.child], |row| Ok(row.get::<_, String>(0)?.to_ascii_lowercase()))?
        .collect::<Result<_, _>>()?;
    let rowid_name = ["rowid", "_rowid_", "oid"].into_iter().find(|name| !columns.contains(*name)).unwrap_or("rowid");
    let sql =
        format!("SELECT {} FROM main.{} AS child WHERE child.{rowid_name} = ?1", values_sql(key), quoted(&key.child));
    connection.prepare(&sql)?.query_row([rowid], |row| row.get(0))
}

/// Finds the dangling references of one key by a query of ours.
fn list(connection: &Connection, key: &Key) -> rusqlite::Result<Vec<Reference>> {
    let set: Vec<String> = key.columns.iter().map(|(from, _)| format!("child.{} IS NOT NULL", quoted(from))).collect();
    let there = connection
        .prepare("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE")?
        .exists([&key.parent])?;
    let dangles = if there {
        let parent_key = primary_key(connection, &key.parent)?;
        let pairs: Vec<String> = key
            .columns
            .iter()
            .enumerate()
            .map(|(at, (from, to))| {
                let to = to.clone().or_else(|| parent_key.get(at).cloned()).unwrap_or_else(|| "rowid".to_owned());
                format!("parent.{} = child.{}", quoted(&to), quoted(from))
            })
            .collect();
        format!("NOT EXISTS (SELECT 1 FROM main.{} AS parent WHERE {})", quoted(&key.parent), pairs.join(" AND "))
    } else {
        "1".to_owned()
    };
    let sql = format!(
        "SELECT {} FROM main.{} AS child WHERE {} AND {dangles}",
        values_sql(key),
        quoted(&key.child),
        set.join(" AND ")
    );
    let mut statement = connection.prepare(&sql)?;
    let references = statement.query_map([], |row| Ok(reference(key, None, row.get(0)?)))?;
    references.collect()
}

fn primary_key(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare("SELECT name FROM pragma_table_info(?1, 'main') WHERE pk > 0 ORDER BY pk")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}
