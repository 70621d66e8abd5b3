//! The log of runs, `runs.jsonl`: one line a run, failed ones too. A restore erases what the ledger knew of a run; this
//! file remembers.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::folder::Backups;
use crate::file::{create_folder, give_same_access};
use crate::report::Outcome;

/// One line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunLine<'a> {
    pub(crate) format: u32,
    pub(crate) run: &'a str,
    pub(crate) database: String,
    pub(crate) started: String,
    pub(crate) duration_ms: f64,
    /// How many migrations the run had, the first and the last of them: a line has few bytes whatever the run.
    pub(crate) count: usize,
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
    pub(crate) backup: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) app_version: Option<&'a str>,
    pub(crate) error: Option<String>,
}

impl Backups {
    /// Appends a line and keeps the last thousand. For people: a run is not judged by it, so it is not synced.
    /// No more readable than the database: an error may quote from it.
    pub(crate) fn log_run(&self, line: &RunLine<'_>, database: &Path) -> std::io::Result<()> {
        const KEPT: usize = 1000;
        // Not synced either, as far as it can be helped: whoever takes the first copy does that.
        if fs::create_dir(&self.folder).is_err() {
            create_folder(&self.folder)?;
        }
        let path = self.folder.join("runs.jsonl");
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(text.as_bytes())?;
        drop(file);
        if let Ok(like) = fs::metadata(database) {
            let _ = give_same_access(&like, &path);
        }
        let all = fs::read_to_string(&path)?;
        let surplus = all.lines().count().saturating_sub(KEPT);
        if surplus > 0 {
            let shorter = self.folder.join(format!(".runs.jsonl.{}.partial", self.tag));
            let kept: String = all.lines().skip(surplus).flat_map(|line| [line, "\n"]).collect();
            fs::write(&shorter, kept)?;
            give_same_access(&fs::metadata(&path)?, &shorter)?;
            fs::rename(&shorter, &path)?;
        }
        Ok(())
    }
}
