//! What tells two files apart, as plain data.

use serde::Serialize;

use crate::schema::{Change, SchemaDifference, Value};

/// What to show of a comparison beyond the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CompareOptions {
    pub(super) rows: usize,
    pub(super) values: bool,
}

impl CompareOptions {
    /// Counts alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the first `rows` rows of each table that differ, by their keys, with the columns that changed.
    #[must_use]
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// Shows the values of those rows too; long ones are cut.
    #[must_use]
    pub fn values(mut self, values: bool) -> Self {
        self.values = values;
        self
    }
}

/// What tells the files `a` and `b` apart. What is added is in `b` alone, what is removed in `a` alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Comparison {
    /// Nothing differs, and everything could be compared.
    pub equal: bool,
    /// The objects of the schema that differ.
    pub schema: Vec<SchemaDifference>,
    /// Every table of the app's, equal ones too, in the order of names.
    pub tables: Vec<TableComparison>,
    /// The settings of the files that differ.
    pub settings: Vec<SettingDifference>,
    /// The migrations in which they differ.
    pub history: HistoryDifference,
}

/// How rows of the two files are known to be the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Identity {
    /// By the primary key, as its collations compare it.
    Key,
    /// By the rowid: a full-text table and the like.
    Rowid,
    /// By all they hold: there is no key that both have. Then no row is changed; it is removed and added.
    Content,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TableComparison {
    /// Its name.
    pub name: String,
    /// How many rows `a` has; nothing where it has no such table, or it cannot be read.
    pub rows_a: Option<u64>,
    /// How many rows `b` has.
    pub rows_b: Option<u64>,
    /// Rows that only `b` has.
    pub added: u64,
    /// Rows that only `a` has.
    pub removed: u64,
    /// Rows that both have, with other values in the columns that both have.
    pub changed: u64,
    /// How rows were told apart.
    pub identity: Identity,
    /// The columns of the key, or `rowid`.
    pub key: Vec<String>,
    /// The columns that were compared, the key's first.
    pub columns: Vec<String>,
    /// The first rows that differ, where they were asked for.
    pub rows: Vec<RowDifference>,
    /// Why the rows could not be compared: the module of a virtual table, or a collation, is not there.
    pub unread: Option<String>,
}

impl TableComparison {
    /// Whether both have the table, with the same rows.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.unread.is_none()
            && self.rows_a.is_some() == self.rows_b.is_some()
            && (self.added, self.removed, self.changed) == (0, 0, 0)
    }
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RowDifference {
    /// What became of it.
    pub change: Change,
    /// The values of its key; none where rows are known by their content.
    pub key: Vec<Value>,
    /// The columns whose values changed.
    pub columns: Vec<String>,
    /// All values in `a`, where they were asked for, in the order of [`TableComparison::columns`].
    pub a: Option<Vec<Value>>,
    /// All values in `b`.
    pub b: Option<Vec<Value>>,
}

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SettingDifference {
    /// `user_version`, `application_id`, `page_size` or `encoding`.
    pub name: &'static str,
    /// What it is in `a`.
    pub a: String,
    /// What it is in `b`.
    pub b: String,
}

/// The migrations in which two histories differ.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HistoryDifference {
    /// Applied in `a` alone.
    pub only_a: Vec<String>,
    /// Applied in `b` alone.
    pub only_b: Vec<String>,
    /// Applied in both, with another text.
    pub divergent: Vec<String>,
}

impl HistoryDifference {
    /// Whether both tell of the same migrations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.only_a.is_empty() && self.only_b.is_empty() && self.divergent.is_empty()
    }
}
