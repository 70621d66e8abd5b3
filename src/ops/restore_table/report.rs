//! What is asked for, and what was done.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::report::Outcome;

/// Which rows of a table are brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TableRows {
    /// All: the table then holds the rows of the copy and no others. Columns that the copy lacks keep their values in
    /// rows that were there.
    #[default]
    All,
    /// Those whose keys are not there. No row that is there is changed.
    Missing,
}

/// What bringing back the rows of a table did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TableReport {
    /// The table.
    pub table: String,
    /// The copy that they come from.
    #[serde(serialize_with = "lossy")]
    pub copy: PathBuf,
    /// Rows that were not there.
    pub added: u64,
    /// Rows that are in no copy, and went.
    pub removed: u64,
    /// Rows that have other values now.
    pub changed: u64,
    /// Rows whose values are not those of the copy to the bit, since the columns have other types by now.
    pub converted: u64,
    /// Columns of the copy that the table has no more.
    pub left_out: Vec<String>,
    /// Triggers of the table, which did not fire.
    pub silenced: Vec<String>,
    /// Full-text indexes over the table that were built anew.
    pub rebuilt: Vec<String>,
    /// The copy of the file as it was before, where one was taken.
    #[serde(serialize_with = "lossy_if_any")]
    pub backup: Option<PathBuf>,
    /// `restored`, or `up-to-date` where there was nothing to do.
    pub outcome: Outcome,
    /// True, since a failure is an [`Error`](crate::Error).
    pub success: bool,
    /// One sentence for people.
    pub message: String,
}

/// A path that is no text is written as near to it as it comes: a document must not fail for it.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    path.to_string_lossy().serialize(serializer)
}

fn lossy_if_any<S: serde::Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}
