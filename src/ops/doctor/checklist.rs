//! The checklist: each check once, in one order, whatever the order in which things come to light.

use super::finding::{Finding, Severity};
use crate::error::{Error, described};

/// Every check of the library. The names are in the documentation, and stay.
const CHECKS: [&str; 14] = [
    "paths",
    "rights",
    "migrations",
    "launch-lock",
    "write-lock",
    "integrity",
    "history",
    "divergence",
    "open-run",
    "foreign-keys",
    "drift",
    "disk-space",
    "backups",
    "backups-recent",
];

#[derive(Debug, Default)]
pub(super) struct Checklist(Vec<Finding>);

impl Checklist {
    pub(super) fn has(&self, check: &str) -> bool {
        self.0.iter().any(|finding| finding.check == check)
    }

    pub(super) fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Finding::new(check, Severity::Ok, found));
    }

    pub(super) fn skip(&mut self, check: &'static str, why: impl Into<String>) {
        self.0.push(Finding::new(check, Severity::Skipped, why));
    }

    pub(super) fn add(&mut self, check: &'static str, severity: Severity, found: impl Into<String>, advice: &str) {
        self.0.push(Finding::new(check, severity, found).advised(Some(advice)));
    }

    /// What would be an error elsewhere, with its hint.
    pub(super) fn error(&mut self, check: &'static str, error: &Error) {
        self.0.push(Finding::new(check, Severity::Problem, described(error)).advised(error.hint()));
    }

    /// All checks; those that nothing was said of were skipped, because `why`.
    pub(super) fn finish(mut self, why: &str) -> Vec<Finding> {
        let mut all = Vec::with_capacity(CHECKS.len());
        for check in CHECKS {
            match self.0.iter().position(|finding| finding.check == check) {
                Some(at) => all.push(self.0.remove(at)),
                None => all.push(Finding::new(check, Severity::Skipped, why)),
            }
        }
        debug_assert!(self.0.is_empty(), "said twice, or of no check: {:?}", self.0);
        all
    }
}
