//! `--log-file`: what happens in a run, one line each, for a support person to search.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::{SecondsFormat, Utc};
use lifeboat::{Event, Level, Problem};

use super::screen::harmless;

/// Open for appending.
#[derive(Debug)]
pub(super) struct LogFile(Mutex<File>);

impl LogFile {
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let file =
            opened.map_err(|source| Problem::Io { path: path.to_owned(), action: "open the log file", source })?;
        Ok(LogFile(Mutex::new(file)))
    }

    pub(super) fn event(&self, event: &Event) {
        let level = match event.level() {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Debug => "DEBUG",
            _ => "INFO",
        };
        self.line(level, &event.to_string());
    }

    pub(super) fn line(&self, level: &str, text: &str) {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let line = format!("{now} {level} lifeboat::migration {}\n", harmless(text, false));
        // One write, so that lines of several processes do not mix. A log that cannot be written stops no migration.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}
