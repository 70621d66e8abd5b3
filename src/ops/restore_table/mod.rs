//! The rows of one table, brought back from a copy: all of them, or those that are missing.

mod operation;
mod plan;
mod report;
mod write;

pub use report::{TableReport, TableRows};

pub(crate) use operation::restore_table;
