//! Everything about a file that can be checked without writing: what was found, the state that follows, and what can be
//! done about it.

mod checklist;
mod content;
mod copies;
mod drift;
mod finding;
mod look;
mod state;
mod surroundings;
mod verdict;

pub use finding::{Diagnosis, Finding, Severity};
pub use state::{Action, State};

pub(crate) use look::diagnose;
