//! One place that options come from: the arguments, the environment or the configuration. What is said in a higher
//! place goes before what is said in a lower one.

use std::path::PathBuf;
use std::time::Duration;

use lifeboat::{Atomicity, Check};

use super::value::Color;

/// What one place says; paths are absolute.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) database: Option<PathBuf>,
    pub(super) migrations: Option<PathBuf>,
    pub(super) backups: Option<PathBuf>,
    pub(super) keep: Option<usize>,
    pub(super) keep_daily: Option<usize>,
    pub(super) keep_weekly: Option<usize>,
    /// Bytes.
    pub(super) max_size: Option<u64>,
    pub(super) compress_older_than: Option<usize>,
    pub(super) color: Option<Color>,
    pub(super) wait: Option<Duration>,
    pub(super) atomicity: Option<Atomicity>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) check: Option<Check>,
    pub(super) history_table: Option<String>,
    /// These add up.
    pub(super) allow: Vec<String>,
    pub(super) no_transaction: Vec<i64>,
    pub(super) foreign_keys_on: Vec<i64>,
}

impl Layer {
    /// This, and below it `lower`.
    pub(super) fn above(mut self, mut lower: Layer) -> Layer {
        if self.data_dir.is_some() {
            // Who names the data directory means the database in it, whatever a lower place says of another.
            lower.database = None;
        }
        self.allow.append(&mut lower.allow);
        self.no_transaction.append(&mut lower.no_transaction);
        self.foreign_keys_on.append(&mut lower.foreign_keys_on);
        Layer {
            data_dir: self.data_dir.or(lower.data_dir),
            database: self.database.or(lower.database),
            migrations: self.migrations.or(lower.migrations),
            backups: self.backups.or(lower.backups),
            keep: self.keep.or(lower.keep),
            keep_daily: self.keep_daily.or(lower.keep_daily),
            keep_weekly: self.keep_weekly.or(lower.keep_weekly),
            max_size: self.max_size.or(lower.max_size),
            compress_older_than: self.compress_older_than.or(lower.compress_older_than),
            color: self.color.or(lower.color),
            wait: self.wait.or(lower.wait),
            atomicity: self.atomicity.or(lower.atomicity),
            log_file: self.log_file.or(lower.log_file),
            check: self.check.or(lower.check),
            history_table: self.history_table.or(lower.history_table),
            ..self
        }
    }
}
