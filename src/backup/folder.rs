//! The backups folder of one database, as it lies there.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use serde::{Deserialize, Serialize};

use super::name::{Moment, Names, packed};
use crate::error::Problem;
use crate::file::{DatabasePath, allocate_exclusively, give_same_access, io_problem, short_hash};

/// What lies beside a backup as `….json`: for lists and for people. A backup counts without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Metadata {
    /// The version of this document: 1. Fields are only ever added.
    pub format: u32,
    /// Why it was taken: `migrate`; `manual`, because somebody asked for it; `restore` for what a restore replaced;
    /// `restore-table`, before rows of one table were brought back; or `interrupted` for what a run that was cut off had
    /// left.
    pub reason: String,
    /// What whoever asked for it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The file that it is a copy of.
    pub database: String,
    /// The whole path of that file when the copy was taken, as far as text can say it. In a folder that several databases
    /// may share it tells whose copy this is.
    #[serde(default)]
    pub path: Option<String>,
    /// When it was taken, RFC 3339, UTC. Later than that of every older backup, even if the clock went back.
    pub taken_at: String,
    /// The newest migration in it.
    pub from: Option<String>,
    /// The newest migration of the run that it was taken for.
    pub to: Option<String>,
    /// Bytes, before it is compressed.
    pub size: u64,
    /// SHA-256 of its content, with those bytes of SQLite's header as zero that move by themselves (18–19, 24–27,
    /// 40–43, 92–99). Nothing for one that was not read when it was taken, as [`Check`](crate::Check) says; what reads
    /// it back checks it first.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The app's version, where the app told it.
    pub app_version: Option<String>,
    /// Whether the run that it was taken for did not succeed. True from the start, so that it holds for a run that was
    /// killed.
    #[serde(default)]
    pub run_failed: bool,
    /// Whether it undoes the last run that failed, though it was taken for another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
}

impl Metadata {
    /// Whether this is the content that the copy had when it was taken, as far as that is known.
    pub(crate) fn tells_of(&self, size: u64, hash: &str) -> bool {
        self.size == size && self.sha256.as_deref().is_none_or(|said| said == hash)
    }
}

/// Why a backup is never pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pin {
    /// A run was cut off, and this undoes it.
    OpenRun,
    /// It is the state before the last run that failed.
    FailedRun,
}

/// A backup in the folder.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Backup {
    /// The file: a plain SQLite file, or a compressed one.
    pub path: PathBuf,
    /// Its size in bytes, as it lies there.
    pub size: u64,
    /// Whether it is compressed (zstd).
    pub compressed: bool,
    /// Why it is never pruned, if it is not.
    pub pin: Option<Pin>,
    /// What is known about it beside its content.
    pub metadata: Option<Metadata>,
    pub(crate) moment: Moment,
}

/// Where the backups of one database lie.
#[derive(Debug, Clone)]
pub(crate) struct Backups {
    pub(crate) folder: PathBuf,
    pub(crate) names: Names,
    /// The real path of the database, as its metadata says it.
    pub(super) identity: String,
    /// What tells the temporary files of this database from those of another one of the same name.
    pub(super) tag: String,
    /// Whether the folder was given by the app, so that other databases of the same name may have theirs in it too.
    pub(super) shared: bool,
}

impl Backups {
    pub(crate) fn of(database: &DatabasePath, folder: Option<&Path>) -> Self {
        let usual = database.folder().join("backups");
        let folder = folder.map_or_else(|| usual.clone(), ToOwned::to_owned);
        // Absolute: its parent is to be synced, and its paths are to be told.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let same = |one: &Path, other: &Path| matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other);
        let shared = folder != usual && !same(&folder, &usual);
        let real = real_path(database);
        Backups {
            folder,
            names: Names::of(database.real()),
            identity: real.to_string_lossy().into_owned(),
            tag: short_hash(real.as_os_str().as_encoded_bytes()),
            shared,
        }
    }

    /// The backups of this database, from the oldest to the newest, with those of which nobody knows whose they are. A
    /// folder that is not there has none.
    pub(crate) fn list(&self) -> Result<Vec<Backup>, Problem> {
        let mut backups = self.all()?;
        backups.retain(|backup| path_of(backup).is_none() || self.is_ours(backup));
        Ok(backups)
    }

    /// Those that this database may reuse, change and remove.
    pub(super) fn ours(&self) -> Result<Vec<Backup>, Problem> {
        let mut backups = self.all()?;
        backups.retain(|backup| self.is_ours(backup));
        Ok(backups)
    }

    /// In its own folder every copy of its name is the database's, whatever path it had: the data directory may have been
    /// moved. In a folder that was given, only what names this very file: another profile's may be called the same.
    fn is_ours(&self, backup: &Backup) -> bool {
        !self.shared || path_of(backup) == Some(self.identity.as_str())
    }

    /// Whether this metadata is of a copy of ours, by the same rule.
    pub(super) fn describes_ours(&self, copy: &Path) -> bool {
        !self.shared || read_metadata(copy).and_then(|metadata| metadata.path).as_deref() == Some(&self.identity)
    }

    /// Every copy of such a name, another database's too.
    pub(super) fn all(&self) -> Result<Vec<Backup>, Problem> {
        let failed = |source| io_problem(&self.folder, "list", source);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut backups = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Some((moment, compressed)) = self.names.read_either(&entry.file_name()) else { continue };
            // A link or a folder of such a name is nothing that we made.
            let Some(size) = entry.metadata().ok().filter(fs::Metadata::is_file).map(|m| m.len()) else { continue };
            let backup = Backup { path: entry.path(), size, compressed, pin: None, metadata: None, moment };
            backups.push(Backup { metadata: read_metadata(&backup.plain_path()), ..backup });
        }
        // Numerically: as text, `…-00_10` would come before `…-00_2`. Of a copy that lies there in both forms (whoever
        // compressed it was killed) the plain one.
        backups.sort_by_key(|backup| (backup.order(), backup.compressed));
        backups.dedup_by_key(|backup| backup.moment);
        Ok(backups)
    }

    /// The newest backup beside the one at `but` that has the length it was taken with: what can be told without reading
    /// any. Of a compressed one the length is not known before it is read.
    pub(crate) fn newest_of_its_size(&self, but: &Path) -> Option<Backup> {
        let others = self.list().ok()?.into_iter().rev().filter(|backup| backup.path != but);
        others.into_iter().find(|backup| backup.metadata.is_some() && backup.refuse_other_size().is_ok())
    }

    /// The backup of this name, if it is one of ours: a file in the folder, compressed or not. It is looked for among the files that
    /// are there, so that no name, wherever it came from, leads out of the folder or through a link. Whoever asks knows
    /// its hash: it need not name this database, which may have been moved.
    pub(crate) fn named(&self, name: &str) -> Option<Backup> {
        self.all().ok()?.into_iter().find(|backup| backup.name() == name)
    }
}

impl Backup {
    /// A file that need not lie in the backups folder.
    pub(crate) fn at(path: PathBuf) -> Self {
        let compressed = path.extension().is_some_and(|extension| extension == "zst");
        let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let backup = Backup { path, size, compressed, pin: None, metadata: None, moment: Moment::default() };
        Backup { metadata: read_metadata(&backup.plain_path()), ..backup }
    }

    /// Its name, which stays the same when it is compressed: the file's name without `.zst`.
    #[must_use]
    pub fn name(&self) -> String {
        self.plain_path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// When it was taken: what the metadata says, else what the name does.
    #[must_use]
    pub fn taken_at(&self) -> DateTime<Utc> {
        self.said_at().unwrap_or(self.moment.0.and_utc())
    }

    fn said_at(&self) -> Option<DateTime<Utc>> {
        self.metadata.as_ref().and_then(|metadata| metadata.taken_at.parse().ok())
    }

    /// Where its plain form is, or would be.
    pub(crate) fn plain_path(&self) -> PathBuf {
        if self.compressed { self.path.with_extension("") } else { self.path.clone() }
    }

    /// Both forms that it may have.
    pub(super) fn forms(&self) -> [PathBuf; 2] {
        let plain = self.plain_path();
        [packed(&plain), plain]
    }

    /// What the metadata says goes before what the name says. In whole seconds, as in a name: else a copy whose metadata
    /// was never written (a kill) would come before an older one of the same second.
    pub(crate) fn order(&self) -> (NaiveDateTime, Moment) {
        (self.said_at().and_then(|at| at.naive_utc().with_nanosecond(0)).unwrap_or(self.moment.0), self.moment)
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

/// Says for the first time what a copy is, and so reserves its name: fails where another process has said so. Written
/// without a sync: a backup whose metadata is lost or torn is judged by its content. It is as readable as `like`.
pub(crate) fn write_metadata(backup: &Path, metadata: &Metadata, like: &Path) -> std::io::Result<()> {
    let path = metadata_file(backup);
    let mut file = allocate_exclusively(&path)?;
    file.write_all(&serde_json::to_vec_pretty(metadata)?)?;
    drop(file);
    give_same_access(&fs::metadata(like)?, &path)
}

/// Says it anew, in place: a kill leaves the old text or the new one.
pub(crate) fn rewrite_metadata(backup: &Path, metadata: &Metadata) -> std::io::Result<()> {
    let text = serde_json::to_vec_pretty(metadata)?;
    let mut file = OpenOptions::new().write(true).open(metadata_file(backup))?;
    file.write_all(&text)?;
    file.set_len(text.len() as u64)
}

/// Without links on the way too: one file has one path, however the app spells it.
fn real_path(database: &DatabasePath) -> PathBuf {
    let real = database.real();
    let in_folder = || Some(database.folder().canonicalize().ok()?.join(real.file_name()?));
    real.canonicalize().ok().or_else(in_folder).unwrap_or_else(|| real.to_owned())
}

fn path_of(backup: &Backup) -> Option<&str> {
    backup.metadata.as_ref()?.path.as_deref()
}
