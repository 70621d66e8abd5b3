//! What tells two schemas apart, object by object. Pure.

use serde::Serialize;

use super::model::{Column, Index, Origin, PrimaryKey, Schema, Table, TableKind};

/// What became of something on the way from one schema, or one file, to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Change {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, and not the same.
    Changed,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
        }
    }
}

/// A kind of thing in a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
#[allow(missing_docs)] // SQLite's own words
pub enum ObjectKind {
    Table,
    Column,
    Index,
    View,
    Trigger,
}

impl ObjectKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Table => "table",
            ObjectKind::Column => "column",
            ObjectKind::Index => "index",
            ObjectKind::View => "view",
            ObjectKind::Trigger => "trigger",
        }
    }
}

/// A thing that only one of two schemas has, or that means something else in each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SchemaDifference {
    /// What it is.
    pub object: ObjectKind,
    /// The table that it belongs to: its own name for a table or a view.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// What of it is another one: `primary key`, `foreign keys`, `type` and so on. Empty for what one side lacks.
    pub parts: Vec<&'static str>,
}

/// The differences, tables first, in the order of names. What SQLite, its modules and lifeboat make is left out, and so
/// is everything that is only spelled otherwise.
pub(crate) fn differences(a: &Schema, b: &Schema) -> Vec<SchemaDifference> {
    let mut found = Vec::new();
    let own =
        |schema: &'_ Schema| schema.tables.iter().filter(|table| table.is_apps_own()).cloned().collect::<Vec<_>>();
    let (tables_a, tables_b) = (own(a), own(b));
    pairs(&tables_a, &tables_b, |table| &table.name, &mut |one, other| match (one, other) {
        (Some(one), Some(other)) => of_tables(one, other, &mut found),
        (Some(one), None) => found.push(difference(ObjectKind::Table, &one.name, &one.name, Change::Removed)),
        (None, Some(other)) => found.push(difference(ObjectKind::Table, &other.name, &other.name, Change::Added)),
        (None, None) => {}
    });
    pairs(&a.views, &b.views, |view| &view.name, &mut |one, other| {
        let same = |a: &super::View, b: &super::View| {
            if a.definition == b.definition { Vec::new() } else { vec!["definition"] }
        };
        found.extend(of_pair(ObjectKind::View, one, other, |view| (view.name.clone(), view.name.clone()), same));
    });
    pairs(&a.triggers, &b.triggers, |trigger| &trigger.name, &mut |one, other| {
        let same = |a: &super::Trigger, b: &super::Trigger| {
            if a.definition == b.definition { Vec::new() } else { vec!["definition"] }
        };
        found.extend(of_pair(
            ObjectKind::Trigger,
            one,
            other,
            |trigger| (trigger.table.clone(), trigger.name.clone()),
            same,
        ));
    });
    found
}

fn difference(object: ObjectKind, table: &str, name: &str, change: Change) -> SchemaDifference {
    SchemaDifference { object, table: table.to_owned(), name: name.to_owned(), change, parts: Vec::new() }
}

/// Calls `each` with what bears the same name, as SQLite compares names; first what the first list has.
fn pairs<T>(a: &[T], b: &[T], name: impl Fn(&T) -> &String, each: &mut dyn FnMut(Option<&T>, Option<&T>)) {
    for one in a {
        each(Some(one), b.iter().find(|other| name(other).eq_ignore_ascii_case(name(one))));
    }
    for other in b.iter().filter(|other| !a.iter().any(|one| name(one).eq_ignore_ascii_case(name(other)))) {
        each(None, Some(other));
    }
}

fn of_pair<T>(
    object: ObjectKind,
    one: Option<&T>,
    other: Option<&T>,
    names: impl Fn(&T) -> (String, String),
    parts: impl Fn(&T, &T) -> Vec<&'static str>,
) -> Option<SchemaDifference> {
    let (present, change) = match (one, other) {
        (Some(_), Some(other)) => (other, Change::Changed),
        (Some(one), None) => (one, Change::Removed),
        (None, other) => (other?, Change::Added),
    };
    let parts = if let (Some(one), Some(other)) = (one, other) { parts(one, other) } else { Vec::new() };
    if change == Change::Changed && parts.is_empty() {
        return None;
    }
    let (table, name) = names(present);
    Some(SchemaDifference { parts, ..difference(object, &table, &name, change) })
}

fn of_tables(a: &Table, b: &Table, found: &mut Vec<SchemaDifference>) {
    let mut parts = Vec::new();
    let mut part = |differs: bool, name: &'static str| parts.extend(differs.then_some(name));
    part(a.kind != b.kind, if is_virtual(a) == is_virtual(b) { "module" } else { "kind" });
    part(a.strict != b.strict, "strict");
    part(a.without_rowid != b.without_rowid, "without rowid");
    part(key(a) != key(b), "primary key");
    part(a.checks != b.checks, "checks");
    part(a.foreign_keys != b.foreign_keys, "foreign keys");
    part(constraints(a) != constraints(b), "unique");
    part(order(a, b) != order(b, a), "order of columns");
    part(a.opaque != b.opaque, "definition");
    if !parts.is_empty() {
        let table = difference(ObjectKind::Table, &b.name, &b.name, Change::Changed);
        found.push(SchemaDifference { parts, ..table });
    }
    pairs(&a.columns, &b.columns, |column| &column.name, &mut |one, other| {
        found.extend(of_pair(
            ObjectKind::Column,
            one,
            other,
            |column| (b.name.clone(), column.name.clone()),
            of_columns,
        ));
    });
    let created = |table: &Table| -> Vec<Index> {
        table.indexes.iter().filter(|index| index.origin == Origin::Created).cloned().collect()
    };
    pairs(&created(a), &created(b), |index| &index.name, &mut |one, other| {
        let same = |a: &Index, b: &Index| {
            let mut parts = Vec::new();
            parts.extend((a.unique != b.unique).then_some("unique"));
            parts.extend((a.columns != b.columns).then_some("columns"));
            parts.extend((a.partial != b.partial).then_some("where"));
            parts
        };
        found.extend(of_pair(ObjectKind::Index, one, other, |index| (b.name.clone(), index.name.clone()), same));
    });
}

/// Names are no difference where SQLite sees none.
fn key(table: &Table) -> Option<PrimaryKey> {
    let lower = |key: &PrimaryKey| PrimaryKey {
        columns: key.columns.iter().map(|name| name.to_ascii_lowercase()).collect(),
        ..key.clone()
    };
    table.primary_key.as_ref().map(lower)
}

fn is_virtual(table: &Table) -> bool {
    matches!(table.kind, TableKind::Virtual { .. })
}

/// Those that stand in the statement of the table, without the primary key, which is compared by itself.
fn constraints(table: &Table) -> Vec<&Index> {
    table.indexes.iter().filter(|index| index.origin == Origin::Unique).collect()
}

/// The columns that the other has too, in their order.
fn order(table: &Table, other: &Table) -> Vec<String> {
    let shared = table.columns.iter().filter(|column| other.column(&column.name).is_some());
    shared.map(|column| column.name.to_ascii_lowercase()).collect()
}

fn of_columns(a: &Column, b: &Column) -> Vec<&'static str> {
    let mut parts = Vec::new();
    let mut part = |differs: bool, name: &'static str| parts.extend(differs.then_some(name));
    part(a.declared_type != b.declared_type, "type");
    part(a.not_null != b.not_null || a.not_null_conflict != b.not_null_conflict, "not null");
    part(a.default != b.default, "default");
    part(a.collation != b.collation, "collation");
    part(a.generated != b.generated, "generated");
    part(a.hidden != b.hidden, "hidden");
    part(a.checks != b.checks, "checks");
    parts
}
