//! What a check found.

use serde::Serialize;

use super::state::State;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong.
    Ok,
    /// It could not be looked at, and why.
    Skipped,
    /// Good to know.
    Note,
    /// Somebody should look at it; the app can go on.
    Warning,
    /// It stands in the way, or data is in danger.
    Problem,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Finding {
    /// Which check: `paths`, `integrity` and so on. These names stay.
    pub check: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, in one line.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Finding {
    /// A finding without advice.
    pub fn new(check: &'static str, severity: Severity, found: impl Into<String>) -> Self {
        Finding { check, severity, found: found.into(), advice: None }
    }

    /// The same with advice, if there is some.
    #[must_use]
    pub fn advised(mut self, advice: Option<impl Into<String>>) -> Self {
        self.advice = advice.map(Into::into);
        self
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub fn matters(&self) -> bool {
        self.severity >= Severity::Warning
    }
}

/// What [`Database::diagnose`](crate::Database::diagnose) found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Diagnosis {
    /// The state of the file: for a dialog.
    pub state: State,
    /// One finding a check, always in the same order: for a list.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// What a check found, by its name.
    #[must_use]
    pub fn finding(&self, check: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == check)
    }

    /// Whether nothing needs to be done and nobody needs to look at anything.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.state == State::Ready && !self.findings.iter().any(Finding::matters)
    }
}
