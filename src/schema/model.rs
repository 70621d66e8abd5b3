//! A schema as plain data. Two of them are equal when they mean the same: how something is spelled is kept beside it.

use std::fmt;

use serde::{Serialize, Serializer};

use super::token::meaning;

/// A piece of SQL: a default, an expression, a body. Equal to another that differs in white space, comments, quotes that
/// need not be, or the case of keywords and names.
#[derive(Clone)]
pub struct Sql(String);

impl Sql {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Sql(text.into())
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// In one line, without comments, as two of them are compared.
    #[must_use]
    pub fn meaning(&self) -> String {
        meaning(&self.0)
    }
}

impl PartialEq for Sql {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.meaning() == other.meaning()
    }
}

impl Eq for Sql {}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Sql {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// How something was written. Any two are equal, since it is not what is meant.
#[derive(Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Spelling(pub Option<String>);

impl PartialEq for Spelling {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Spelling {}

impl fmt::Debug for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Spelling {
    /// The text, where there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// All that a database's schema holds, each list in the order of names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Schema {
    /// Tables of every kind.
    pub tables: Vec<Table>,
    /// Views.
    pub views: Vec<View>,
    /// Triggers, on tables and on views.
    pub triggers: Vec<Trigger>,
}

/// Whose a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Owner {
    /// The app's.
    App,
    /// SQLite's: `sqlite_sequence`, `sqlite_stat1` and the like.
    Sqlite,
    /// The history of migrations, or the ledger.
    Lifeboat,
}

/// What kind a table is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
#[non_exhaustive]
pub enum TableKind {
    /// It holds its own rows.
    Ordinary,
    /// A module holds them: full-text search, an R*Tree and so on.
    Virtual {
        /// The module, such as `fts5`.
        module: String,
        /// What it was given.
        arguments: Vec<Sql>,
    },
    /// A module keeps the content of a virtual table in it.
    Shadow {
        /// The virtual table, as far as the name tells.
        of: Option<String>,
    },
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it is `STRICT`.
    pub strict: bool,
    /// Whether it is `WITHOUT ROWID`.
    pub without_rowid: bool,
    /// In their order.
    pub columns: Vec<Column>,
    /// Its primary key.
    pub primary_key: Option<PrimaryKey>,
    /// The checks that stand behind the columns.
    pub checks: Vec<Check>,
    /// In the order of their declaration.
    pub foreign_keys: Vec<ForeignKey>,
    /// Those that were created, by name; then those that `UNIQUE` and `PRIMARY KEY` made.
    pub indexes: Vec<Index>,
    /// Why SQLite could not tell its columns: the module of a virtual table is not there, say.
    pub broken: Option<String>,
    /// The whole statement, where the text could not be taken apart: then it is compared.
    pub opaque: Option<Sql>,
    /// The statement as SQLite keeps it.
    pub sql: Spelling,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type that was declared.
    #[serde(rename = "type")]
    pub declared_type: Option<Sql>,
    /// Whether null is refused.
    pub not_null: bool,
    /// What happens then, where it says so.
    pub not_null_conflict: Option<Conflict>,
    /// The default, as SQL.
    pub default: Option<Sql>,
    /// The collation, where it is not `BINARY`.
    pub collation: Option<String>,
    /// Its place in the primary key, from 1.
    pub primary_key: Option<usize>,
    /// How its value is computed.
    pub generated: Option<Generated>,
    /// Whether `SELECT *` passes over it: a hidden column of a virtual table.
    pub hidden: bool,
    /// The checks that stand in its definition.
    pub checks: Vec<Check>,
    /// The comments in its definition and behind it.
    pub comment: Spelling,
}

/// A computed value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Generated {
    /// Whether it is stored, or computed when it is read.
    pub stored: bool,
    /// How; nothing where the text could not be taken apart.
    pub expression: Option<Sql>,
}

/// What becomes of a statement that breaks a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // SQLite's own words
pub enum Conflict {
    Rollback,
    Abort,
    Fail,
    Ignore,
    Replace,
}

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PrimaryKey {
    /// The constraint's name.
    pub name: Option<String>,
    /// In their order.
    pub columns: Vec<String>,
    /// Whether numbers are never given twice.
    pub autoincrement: bool,
    /// What happens to a second row of the same key, where it says so.
    pub on_conflict: Option<Conflict>,
}

/// A condition on a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Check {
    /// The constraint's name.
    pub name: Option<String>,
    /// The condition.
    pub expression: Sql,
}

/// A reference to a row of a parent table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: Option<String>,
    /// The child's columns.
    pub columns: Vec<String>,
    /// The table referred to, which need not be there.
    pub parent: String,
    /// Its columns; nothing where the primary key is meant and there is no such table.
    pub parent_columns: Vec<String>,
    /// What becomes of the row when its parent is deleted: `CASCADE` and so on.
    pub on_delete: String,
    /// What becomes of it when the parent's key changes.
    pub on_update: String,
    /// The `MATCH` clause, which SQLite reads and passes over.
    #[serde(rename = "match")]
    pub match_name: Option<String>,
    /// When it is checked.
    pub deferral: Deferral,
}

/// When a foreign key is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Deferral {
    /// At the end of the statement.
    #[default]
    Immediate,
    /// At the commit: `DEFERRABLE INITIALLY DEFERRED`.
    Deferred,
}

/// Where an index comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Origin {
    /// `CREATE INDEX`.
    Created,
    /// A `UNIQUE` constraint.
    Unique,
    /// A `PRIMARY KEY`.
    PrimaryKey,
}

/// An index.
#[derive(Debug, Clone, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Index {
    /// Its name. That of one which a constraint made is SQLite's choice, and is not compared.
    pub name: String,
    /// Whether no two rows may be the same in it.
    pub unique: bool,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is over.
    pub columns: Vec<IndexColumn>,
    /// The rows that are in it: `WHERE …`.
    pub partial: Option<Sql>,
    /// The name of the constraint that made it.
    pub constraint: Option<String>,
    /// What happens to a second row of the same values, where the constraint says so.
    pub on_conflict: Option<Conflict>,
    /// The statement as SQLite keeps it.
    pub sql: Spelling,
}

impl PartialEq for Index {
    fn eq(&self, other: &Self) -> bool {
        let Index { name, unique, origin, columns, partial, constraint, on_conflict, sql: _ } = self;
        (*origin != Origin::Created || *name == other.name)
            && *unique == other.unique
            && *origin == other.origin
            && *columns == other.columns
            && *partial == other.partial
            && *constraint == other.constraint
            && *on_conflict == other.on_conflict
    }
}

/// A part of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IndexColumn {
    /// The column; nothing where it is an expression.
    pub column: Option<String>,
    /// The expression.
    pub expression: Option<Sql>,
    /// Whether it goes from the greatest to the least.
    pub descending: bool,
    /// The collation, where it is not `BINARY`.
    pub collation: Option<String>,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct View {
    /// Its name.
    pub name: String,
    /// The columns that it has.
    pub columns: Vec<ViewColumn>,
    /// What stands behind its name.
    pub definition: Sql,
    /// Why it cannot be read: a table is missing, say.
    pub broken: Option<String>,
    /// The statement as SQLite keeps it.
    pub sql: Spelling,
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// The type of the column that it shows.
    #[serde(rename = "type")]
    pub declared_type: Option<Sql>,
}

/// A trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The table or view that it stands on.
    pub table: String,
    /// When it fires, such as `AFTER UPDATE OF title`.
    pub fires: String,
    /// On which rows: `WHEN …`.
    pub condition: Option<Sql>,
    /// What stands behind its name.
    pub definition: Sql,
    /// The statement as SQLite keeps it.
    pub sql: Spelling,
}

impl Schema {
    /// The table of this name, as SQLite compares names.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// The view of this name.
    #[must_use]
    pub fn view(&self, name: &str) -> Option<&View> {
        self.views.iter().find(|view| view.name.eq_ignore_ascii_case(name))
    }

    /// The foreign keys that refer to a table, each with the table that it is of.
    pub fn references_to<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a Table, &'a ForeignKey)> {
        self.tables.iter().flat_map(move |child| {
            let refers = |key: &&ForeignKey| key.parent.eq_ignore_ascii_case(table);
            child.foreign_keys.iter().filter(refers).map(move |key| (child, key))
        })
    }

    /// The triggers on a table or view.
    pub fn triggers_on<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Trigger> {
        self.triggers.iter().filter(move |trigger| trigger.table.eq_ignore_ascii_case(table))
    }
}

impl Table {
    /// The column of this name, as SQLite compares names.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Whether no two rows may be the same in just these columns, of all rows.
    #[must_use]
    pub fn is_unique(&self, columns: &[String]) -> bool {
        let same = |other: &[&str]| {
            other.len() == columns.len()
                && columns.iter().all(|column| other.iter().any(|name| name.eq_ignore_ascii_case(column)))
        };
        let key = self.primary_key.as_ref().map(|key| key.columns.iter().map(String::as_str).collect::<Vec<_>>());
        key.is_some_and(|key| same(&key))
            || self.indexes.iter().filter(|index| index.unique && index.partial.is_none()).any(|index| {
                let names: Option<Vec<&str>> = index.columns.iter().map(|column| column.column.as_deref()).collect();
                names.is_some_and(|names| same(&names))
            })
    }

    /// One of the app's, with rows or columns of its own to show: none of SQLite's, of a module's, or lifeboat's.
    #[must_use]
    pub fn is_apps_own(&self) -> bool {
        self.owner == Owner::App && !matches!(self.kind, TableKind::Shadow { .. })
    }
}
