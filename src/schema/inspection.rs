//! A schema with what its tables hold: rows, bytes, and the first rows of one table.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};
use serde::{Serialize, Serializer};

use super::model::{Schema, Table, TableKind, Trigger, View};
use crate::file::is_about_sql;

/// How much a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Size {
    /// Its rows; nothing where they cannot be counted (a virtual table whose module is not there).
    pub rows: Option<u64>,
    /// The bytes of its pages in the file; of a virtual table, those of its shadow tables. Nothing where SQLite was built
    /// without `dbstat`.
    pub bytes: Option<u64>,
    /// The bytes of its indexes.
    pub index_bytes: Option<u64>,
}

/// What a database holds, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The schema.
    pub schema: Schema,
    /// How much each table holds, by its name.
    pub sizes: BTreeMap<String, Size>,
}

/// One table or view.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Detail {
    /// What it is.
    #[serde(flatten)]
    pub object: Object,
    /// How much it holds; of a view, only its rows are counted.
    #[serde(flatten)]
    pub size: Size,
    /// The foreign keys that refer to it.
    pub referenced_by: Vec<Reference>,
    /// The triggers on it.
    pub triggers: Vec<Trigger>,
    /// Its first rows, where they were asked for.
    pub sample: Option<Sample>,
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Object {
    /// A table of any kind.
    Table(Table),
    /// A view.
    View(View),
}

impl Object {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Object::Table(table) => &table.name,
            Object::View(view) => &view.name,
        }
    }
}

/// A foreign key, seen from the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Reference {
    /// The child.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent's columns.
    pub parent_columns: Vec<String>,
    /// What becomes of the child when its parent is deleted.
    pub on_delete: String,
}

/// The first rows of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Sample {
    /// The columns that `SELECT *` gives.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// A value, or the beginning of one. In JSON a null, a number or a text; one that was cut is an object with its size, and
/// so is every blob.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)] // SQLite's own types
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    /// The first characters, and how many there are.
    Text {
        start: String,
        characters: usize,
    },
    /// The first bytes, and how many there are.
    Blob {
        start: Vec<u8>,
        bytes: usize,
    },
}

/// What is shown of a text, in characters.
const TEXT_SHOWN: usize = 200;
/// What is shown of a blob.
const BYTES_SHOWN: usize = 16;

impl Value {
    pub(crate) fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                Value::Text { start: text.chars().take(TEXT_SHOWN).collect(), characters: text.chars().count() }
            }
            ValueRef::Blob(bytes) => {
                Value::Blob { start: bytes[..bytes.len().min(BYTES_SHOWN)].to_vec(), bytes: bytes.len() }
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Cut<'a> {
            text: &'a str,
            characters: usize,
        }
        #[derive(Serialize)]
        struct Blob {
            hex: String,
            bytes: usize,
        }
        match self {
            Value::Null => serializer.serialize_none(),
            Value::Integer(number) => number.serialize(serializer),
            Value::Real(number) if number.is_finite() => number.serialize(serializer),
            Value::Real(number) => number.to_string().serialize(serializer),
            Value::Text { start, characters } if *characters <= TEXT_SHOWN => start.serialize(serializer),
            Value::Text { start, characters } => Cut { text: start, characters: *characters }.serialize(serializer),
            Value::Blob { start, bytes } => {
                let hex = start.iter().map(|byte| format!("{byte:02x}")).collect();
                Blob { hex, bytes: *bytes }.serialize(serializer)
            }
        }
    }
}

impl Inspection {
    /// How much a table holds.
    #[must_use]
    pub fn size(&self, table: &str) -> Size {
        self.sizes.get(table).copied().unwrap_or_default()
    }
}

impl Serialize for Inspection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            tables: Vec<Part<'a>>,
            views: &'a [View],
            triggers: &'a [Trigger],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Part<'a> {
            #[serde(flatten)]
            table: &'a Table,
            #[serde(flatten)]
            size: Size,
            referenced_by: Vec<Reference>,
        }
        let mut tables = Vec::with_capacity(self.schema.tables.len());
        for table in &self.schema.tables {
            let referenced_by = references(&self.schema, &table.name);
            tables.push(Part { table, size: self.size(&table.name), referenced_by });
        }
        Whole { tables, views: &self.schema.views, triggers: &self.schema.triggers }.serialize(serializer)
    }
}

fn references(schema: &Schema, parent: &str) -> Vec<Reference> {
    let reference = |(child, key): (&Table, &super::model::ForeignKey)| Reference {
        table: child.name.clone(),
        columns: key.columns.clone(),
        parent_columns: key.parent_columns.clone(),
        on_delete: key.on_delete.clone(),
    };
    schema.references_to(parent).map(reference).collect()
}

/// Counts and weighs every table.
pub(crate) fn measure(connection: &Connection, schema: Schema) -> rusqlite::Result<Inspection> {
    let weights = weights(connection)?;
    let mut sizes = BTreeMap::new();
    for table in &schema.tables {
        sizes.insert(table.name.clone(), size_of(connection, &schema, table, weights.as_ref())?);
    }
    Ok(Inspection { schema, sizes })
}

/// One table or view of a schema, with its first rows if there shall be some.
pub(crate) fn detail(
    connection: &Connection,
    schema: &Schema,
    object: Object,
    rows: Option<usize>,
) -> rusqlite::Result<Detail> {
    let size = match &object {
        Object::Table(table) => size_of(connection, schema, table, weights(connection)?.as_ref())?,
        Object::View(view) => Size { rows: count(connection, &view.name)?, ..Size::default() },
    };
    let sample = match rows {
        Some(rows) => sample(connection, object.name(), rows)?,
        None => None,
    };
    let referenced_by = references(schema, object.name());
    let triggers = schema.triggers_on(object.name()).cloned().collect();
    Ok(Detail { object, size, referenced_by, triggers, sample })
}

fn size_of(
    connection: &Connection,
    schema: &Schema,
    table: &Table,
    weights: Option<&BTreeMap<String, u64>>,
) -> rusqlite::Result<Size> {
    let weight = |name: &str| weights.and_then(|weights| weights.get(name).copied());
    let sum = |names: Vec<&str>| weights.map(|_| names.into_iter().filter_map(weight).sum());
    let indexes = |table: &'_ Table| table.indexes.iter().map(|index| index.name.clone()).collect::<Vec<_>>();
    let is_part = |other: &&Table| matches!(&other.kind, TableKind::Shadow { of: Some(of) } if *of == table.name);
    let (bytes, index_names) = match table.kind {
        TableKind::Virtual { .. } => {
            let parts: Vec<&Table> = schema.tables.iter().filter(is_part).collect();
            (sum(parts.iter().map(|part| part.name.as_str()).collect()), parts.into_iter().flat_map(indexes).collect())
        }
        _ => (sum(vec![&table.name]), indexes(table)),
    };
    let index_bytes = sum(index_names.iter().map(String::as_str).collect());
    Ok(Size { rows: count(connection, &table.name)?, bytes, index_bytes })
}

/// The bytes of the pages of each b-tree, where SQLite was built to tell.
fn weights(connection: &Connection) -> rusqlite::Result<Option<BTreeMap<String, u64>>> {
    let asked = connection.prepare("SELECT name, pgsize FROM dbstat WHERE schema = 'main' AND aggregate = TRUE");
    let Some(mut statement) = unless_about_sql(asked)? else { return Ok(None) };
    let weights = statement
        .query_map([], |row| {
            let name = String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default()).into_owned();
            Ok((name, row.get::<_, i64>(1)?.unsigned_abs()))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(weights))
}

fn count(connection: &Connection, table: &str) -> rusqlite::Result<Option<u64>> {
    let sql = format!("SELECT count(*) FROM main.{}", in_quotes(table));
    let counted = connection.prepare(&sql).and_then(|mut statement| {
        statement.query_row([], |row| row.get::<_, i64>(0)).optional().map(|count| count.map(i64::unsigned_abs))
    });
    Ok(unless_about_sql(counted)?.flatten())
}

fn sample(connection: &Connection, table: &str, rows: usize) -> rusqlite::Result<Option<Sample>> {
    let asked = connection.prepare(&format!("SELECT * FROM main.{} LIMIT ?1", in_quotes(table)));
    let Some(mut statement) = unless_about_sql(asked)? else { return Ok(None) };
    let columns: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let limit = i64::try_from(rows).unwrap_or(i64::MAX);
    let rows = statement
        .query_map([limit], |row| (0..columns.len()).map(|at| row.get_ref(at).map(Value::of)).collect())
        .and_then(Iterator::collect);
    Ok(unless_about_sql(rows)?.map(|rows| Sample { columns, rows }))
}

/// Nothing where it is the SQL that SQLite has something against, and not the file.
fn unless_about_sql<T>(result: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_about_sql(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// In quotes always: what names a table here is whatever the file says.
fn in_quotes(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
