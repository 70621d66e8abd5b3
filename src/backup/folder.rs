//! The backups folder of one database, as it lies there.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use serde::{Deserialize, Serialize};

use super::name::{Moment, Names};
use crate::error::Problem;
use crate::file::{DatabasePath, io_problem};

/// What lies beside a backup as `….json`: for lists and for people. A backup counts without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Metadata {
    /// The version of this document: 1. Fields are only ever added.
    pub format: u32,
    /// Why it was taken: `migrate`, or `interrupted` for what a run that was cut off had left.
    pub reason: String,
    /// The file that it is a copy of.
    pub database: String,
    /// When it was taken, RFC 3339, UTC. Later than that of every older backup, even if the clock went back.
    pub taken_at: String,
    /// The newest migration in it.
    pub from: Option<String>,
    /// The newest migration of the run that it was taken for.
    pub to: Option<String>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its content, with those bytes of SQLite's header as zero that move by themselves (18–19, 24–27,
    /// 40–43, 92–99).
    pub sha256: String,
    /// The app's version, where the app told it.
    pub app_version: Option<String>,
    /// Whether the run that it was taken for did not succeed. True from the start, so that it holds for a run that was
    /// killed.
    #[serde(default)]
    pub run_failed: bool,
}

/// A backup in the folder.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// What is known about it beside its content.
    pub metadata: Option<Metadata>,
    pub(crate) moment: Moment,
}

/// Where the backups of one database lie.
#[derive(Debug, Clone)]
pub(crate) struct Backups {
    pub(crate) folder: PathBuf,
    pub(crate) names: Names,
}

impl Backups {
    pub(crate) fn of(database: &DatabasePath, folder: Option<&Path>) -> Self {
        let folder = folder.map_or_else(|| database.folder().join("backups"), ToOwned::to_owned);
        // Absolute: its parent is to be synced, and its paths are to be told.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Backups { folder, names: Names::of(database.real()) }
    }

    /// All backups of this database, from the oldest to the newest. A folder that is not there has none.
    pub(crate) fn list(&self) -> Result<Vec<Backup>, Problem> {
        let failed = |source| io_problem(&self.folder, "list", source);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut backups = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Some(moment) = self.names.read(&entry.file_name()) else { continue };
            // A link or a folder of such a name is nothing that we made.
            let Some(size) = entry.metadata().ok().filter(fs::Metadata::is_file).map(|m| m.len()) else { continue };
            let path = entry.path();
            backups.push(Backup { metadata: read_metadata(&path), path, size, moment });
        }
        // Numerically: as text, `…-00_10` would come before `…-00_2`.
        backups.sort_by_key(|backup| backup.order());
        Ok(backups)
    }

    /// The backup of this name, if it is one of ours: a plain file in the folder. It is looked for among the files that
    /// are there, so that no name, wherever it came from, leads out of the folder or through a link.
    pub(crate) fn named(&self, name: &str) -> Option<PathBuf> {
        self.list().ok()?.into_iter().find(|backup| backup.name() == name).map(|backup| backup.path)
    }
}

impl Backup {
    /// The file name.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What the metadata says goes before what the name says. In whole seconds, as in a name: else a copy whose metadata
    /// was never written (a kill) would come before an older one of the same second.
    pub(crate) fn order(&self) -> (NaiveDateTime, Moment) {
        let said = self.metadata.as_ref().and_then(|metadata| metadata.taken_at.parse::<DateTime<Utc>>().ok());
        (said.and_then(|at| at.naive_utc().with_nanosecond(0)).unwrap_or(self.moment.0), self.moment)
    }
}

pub(crate) fn metadata_file(backup: &Path) -> PathBuf {
    let mut name = backup.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

fn read_metadata(backup: &Path) -> Option<Metadata> {
    let path = metadata_file(backup);
    // A few hundred bytes; anything large is not ours.
    let small = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() < 64 * 1024);
    small.then(|| serde_json::from_slice(&fs::read(&path).ok()?).ok())?
}

/// Written without a sync: a backup whose metadata is lost or torn is judged by its content. It is as readable as `like`.
pub(crate) fn write_metadata(backup: &Path, metadata: &Metadata, like: &Path) -> std::io::Result<()> {
    let path = metadata_file(backup);
    fs::write(&path, serde_json::to_vec_pretty(metadata)?)?;
    crate::file::give_same_access(&fs::metadata(like)?, &path)
}
