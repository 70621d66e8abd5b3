//! How the rows of a table in one file are laid beside those in the other: which columns, in which order, and what makes
//! two rows the same row.

use std::cmp::Ordering;

use super::model::Identity;
use crate::schema::{Column, Origin, Table, TableKind};

/// A column by which both sides are sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sorted {
    /// The collation that sorts it, the same on both sides.
    pub(crate) collation: String,
    /// Whether texts that the collation calls equal may still be two: then their bytes tell.
    pub(crate) coarse: bool,
}

/// How a table of `a` is read beside that of `b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The columns that are read, first those of the key: their names in `a` and in `b`.
    pub(crate) columns: Vec<(String, String)>,
    /// How many of them are the key.
    pub(crate) key: usize,
    pub(crate) identity: Identity,
    /// The columns that sort: the key, or all.
    pub(crate) sorted: Vec<Sorted>,
    /// Whether no two rows of a side are equal in those.
    pub(crate) unique: bool,
}

impl Layout {
    /// `exact` says that both files keep texts as UTF-8, so that SQLite sorts both by the same bytes; `knows`, whether
    /// both connections have a collation.
    pub(crate) fn of(
        a: &Table,
        b: &Table,
        exact: bool,
        mut knows: impl FnMut(&str) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<Self> {
        // `BINARY` of UTF-16 sorts by other bytes. `RTRIM` is made for UTF-8 alone, so that SQLite turns every text into
        // it, and nothing but spaces at the end is left to tell.
        let plain = || Sorted { collation: if exact { "BINARY" } else { "RTRIM" }.to_owned(), coarse: !exact };
        let (key, identity) = match (key_of(a), key_of(b)) {
            (Some(one), Some(other)) if same(&one, &other) => (one, Identity::Key),
            _ if has_rowid_of_module(a) && has_rowid_of_module(b) => (vec![rowid()], Identity::Rowid),
            _ => (Vec::new(), Identity::Content),
        };
        let mut columns: Vec<(String, String)> = Vec::new();
        let mut sorted = Vec::new();
        for part in &key {
            let other = b.column(&part.name).map_or(&part.name, |column| &column.name);
            columns.push((part.name.clone(), other.clone()));
            let theirs = collation_in_key(b, &part.name);
            let own = part.collation.as_ref().filter(|own| {
                !own.eq_ignore_ascii_case("BINARY")
                    && theirs.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(own))
            });
            let known = match own {
                Some(own) if knows(own)? => Some(Sorted { collation: own.clone(), coarse: false }),
                _ => None,
            };
            sorted.push(known.unwrap_or_else(plain));
        }
        for column in a.columns.iter().filter(|column| is_visible(a, column)) {
            let Some(other) = b.column(&column.name).filter(|other| is_visible(b, other)) else { continue };
            // What both compute follows from the rest.
            let computed = column.generated.is_some() && other.generated.is_some();
            if !computed && !columns.iter().any(|(name, _)| name.eq_ignore_ascii_case(&column.name)) {
                columns.push((column.name.clone(), other.name.clone()));
            }
        }
        if key.is_empty() {
            sorted = columns.iter().map(|_| plain()).collect();
        }
        let unique = !key.is_empty()
            && sorted.iter().all(|sorted| !sorted.coarse)
            && (identity == Identity::Rowid || [a, b].into_iter().all(|table| never_null(table, &key)));
        Ok(Layout { columns, key: key.len(), identity, sorted, unique })
    }

    /// The query for the rows of the table in `a`, or in `b`.
    pub(crate) fn query(&self, table: &str, of_a: bool) -> String {
        let name = |at: usize| {
            let (a, b) = &self.columns[at];
            let name = if of_a { a } else { b };
            // In quotes it would be a text where the module has no such column.
            if self.identity == Identity::Rowid && at == 0 { name.clone() } else { in_quotes(name) }
        };
        let columns: Vec<String> = (0..self.columns.len()).map(name).collect();
        let columns = if columns.is_empty() { "NULL".to_owned() } else { columns.join(", ") };
        let order: Vec<String> = self
            .sorted
            .iter()
            .enumerate()
            .map(|(at, sorted)| format!("{} COLLATE {}", name(at), in_quotes(&sorted.collation)))
            .collect();
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        format!("SELECT {columns} FROM main.{}{order}", in_quotes(table))
    }
}

#[derive(Debug, Clone)]
struct KeyColumn {
    name: String,
    collation: Option<String>,
}

fn rowid() -> KeyColumn {
    KeyColumn { name: "rowid".to_owned(), collation: None }
}

/// The primary key of a table that holds its own rows.
fn key_of(table: &Table) -> Option<Vec<KeyColumn>> {
    let key = table.primary_key.as_ref().filter(|key| table.kind == TableKind::Ordinary && !key.columns.is_empty())?;
    let columns: Option<Vec<KeyColumn>> = key
        .columns
        .iter()
        .map(|name| {
            let name = table.column(name)?.name.clone();
            Some(KeyColumn { collation: collation_in_key(table, &name), name })
        })
        .collect();
    columns
}

/// The key may have a collation of its own, which its column has not.
fn collation_in_key(table: &Table, name: &str) -> Option<String> {
    let index = table.indexes.iter().find(|index| index.origin == Origin::PrimaryKey);
    let parts = index.map(|index| index.columns.as_slice()).unwrap_or_default();
    let part = parts.iter().find(|part| part.column.as_ref().is_some_and(|column| column.eq_ignore_ascii_case(name)));
    match part {
        Some(part) => part.collation.clone(),
        None => table.column(name).and_then(|column| column.collation.clone()),
    }
}

fn same(one: &[KeyColumn], other: &[KeyColumn]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.name.eq_ignore_ascii_case(&b.name))
}

/// A rowid of these stays with its row.
fn has_rowid_of_module(table: &Table) -> bool {
    const MODULES: [&str; 6] = ["fts5", "fts4", "fts3", "rtree", "rtree_i32", "geopoly"];
    match &table.kind {
        TableKind::Virtual { module, .. } => MODULES.iter().any(|known| module.eq_ignore_ascii_case(known)),
        _ => false,
    }
}

/// Whether no column of the key can be null. In a table with rowids SQLite lets them be, unless one is the rowid.
fn never_null(table: &Table, key: &[KeyColumn]) -> bool {
    table.without_rowid
        || is_rowid_alias(table)
        || key.iter().all(|part| table.column(&part.name).is_some_and(|column| column.not_null))
}

/// Whether the key is the rowid: then no index stands for it.
pub(crate) fn is_rowid_alias(table: &Table) -> bool {
    table.kind == TableKind::Ordinary
        && !table.without_rowid
        && table.primary_key.as_ref().is_some_and(|key| key.columns.len() == 1)
        && !table.indexes.iter().any(|index| index.origin == Origin::PrimaryKey)
}

/// Hidden columns of a module are its arguments, not its content.
fn is_visible(table: &Table, column: &Column) -> bool {
    !(column.hidden && matches!(table.kind, TableKind::Virtual { .. }))
}

/// In quotes always: what names a table here is whatever the file says.
pub(crate) fn in_quotes(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An integer and a real, as SQLite compares them: exactly, where a conversion of either would round.
pub(super) fn integer_and_real(integer: i64, real: f64) -> Ordering {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() || real < -BOUND {
        return Ordering::Greater;
    }
    if real >= BOUND {
        return Ordering::Less;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // inside the bounds; exact once it is equal
    {
        let whole = real as i64;
        // Not `total_cmp`: to SQLite `0` and `-0.0` are equal.
        integer.cmp(&whole).then_with(|| (whole as f64).partial_cmp(&real).unwrap_or(Ordering::Equal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_reals_are_compared_as_sqlite_does() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let integers = [i64::MIN, i64::MIN + 1, -1, 0, 1, 1 << 53, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
        let reals = [
            f64::NEG_INFINITY,
            -1e19,
            -9_223_372_036_854_775_808.0,
            -1.5,
            -0.0,
            0.0,
            0.5,
            1.0,
            9_007_199_254_740_992.0,
            9.3e18,
            f64::INFINITY,
        ];
        for integer in integers {
            for real in reals {
                let sign: i64 = connection
                    .query_row("SELECT (?1 > ?2) - (?1 < ?2)", rusqlite::params![integer, real], |row| row.get(0))
                    .unwrap();
                assert_eq!(integer_and_real(integer, real) as i64, sign, "{integer} {real}");
            }
        }
    }
}
