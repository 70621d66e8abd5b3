//! What a call did: the state of the user's file, and one line a migration. Plain data, serialised as the command
//! line's JSON.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// The state of the user's file when a call ends, successful or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// The file did not exist, or was empty, and now has the schema that the app needs.
    Created,
    /// The file was brought to the schema that the app needs.
    Migrated,
    /// The file was brought back to an older schema.
    Reverted,
    /// There was nothing to do, and nothing was written.
    UpToDate,
    /// Nothing of the file was changed, because the call was refused or only looked.
    Untouched,
    /// The run failed and was rolled back: the file is as it was.
    RolledBack,
    /// The run failed after a part of it was committed, and the copy was put back: the file is as it was. Of a call that
    /// was asked to bring something back: it did.
    Restored,
    /// The file is between two schemas, and the copy could not be put back. The next launch, or `lifeboat recover`,
    /// tries again.
    NeedsRecovery,
}

impl Outcome {
    /// The name in JSON and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Created => "created",
            Outcome::Migrated => "migrated",
            Outcome::Reverted => "reverted",
            Outcome::UpToDate => "up-to-date",
            Outcome::Untouched => "untouched",
            Outcome::RolledBack => "rolled-back",
            Outcome::Restored => "restored",
            Outcome::NeedsRecovery => "needs-recovery",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Direction {
    /// A migration was applied.
    Up,
    /// A migration was reverted by its down script.
    Down,
}

/// What became of a migration of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StepState {
    /// It is in the file.
    Applied,
    /// It ran, or failed, and was undone by rolling back.
    RolledBack,
    /// It ran, or failed, and was undone by putting the copy back.
    Restored,
    /// It did not run.
    Pending,
}

/// One migration of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StepReport {
    /// The migration, as in `V2__add_users`.
    pub name: String,
    /// Whether it was applied or reverted.
    pub direction: Direction,
    /// When it began (RFC 3339, UTC), or when the run ended for one that did not begin.
    pub timestamp: String,
    /// How long it ran, in milliseconds.
    pub duration_ms: f64,
    /// Whether it ran through. What became of it then is `state`.
    pub success: bool,
    /// What became of it.
    pub state: StepState,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// The migrations of the run, in the order in which they ran.
    pub results: Vec<StepReport>,
    /// The copy that was taken before the run, or that it found unchanged and reused.
    #[serde(serialize_with = "lossy")]
    pub backup: Option<PathBuf>,
    /// Whether a run that was cut off earlier was found and undone first.
    pub recovered: bool,
    /// The state of the file.
    pub outcome: Outcome,
    /// True, since a failure is an [`Error`](crate::Error).
    pub success: bool,
    /// One sentence for people.
    pub message: String,
}

/// The same for a path that is always there.
pub(crate) fn lossy_path<S: Serializer>(path: &std::path::Path, serializer: S) -> Result<S::Ok, S::Error> {
    path.to_string_lossy().serialize(serializer)
}

/// The same for several.
pub(crate) fn lossy_paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    paths.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>().serialize(serializer)
}

/// A path that is no text is written as near to it as it comes: a document must not fail for it.
pub(crate) fn lossy<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}
