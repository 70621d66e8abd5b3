//! A file at a glance. Writes nothing, and needs no migrations.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde::Serialize;

use super::inspect::in_one_moment;
use super::launch::Launch;
use crate::backup::Backups;
use crate::error::{Problem, Result};
use crate::file::{DatabasePath, Depth, examine, is_about_sql, recorded_journal_mode, size_of, sqlite_problem};

/// How thoroughly [`Database::stats`](crate::Database::stats) looks whether the file is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Soundness {
    /// Not at all.
    #[default]
    Unasked,
    /// `PRAGMA quick_check`: pages, b-trees, rows; not that indexes agree with their tables.
    Quick,
    /// `PRAGMA integrity_check` and `PRAGMA foreign_key_check`.
    Full,
}

/// A file at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Stats {
    /// The bytes of its pages, as its header and its log say.
    pub size: u64,
    /// The bytes of the file itself, without the log.
    pub file_size: u64,
    /// The bytes of its write-ahead log.
    pub wal_size: u64,
    /// The bytes of a page.
    pub page_size: u64,
    /// Its pages.
    pub pages: u64,
    /// The pages that hold nothing; `VACUUM` gives them back.
    pub free_pages: u64,
    /// Of the pages that are read one after the other, the share that do not lie so: 0 to 1. Nothing where SQLite was built
    /// without `dbstat`, or the file is too small to tell.
    pub fragmentation: Option<f64>,
    /// The encoding of its texts.
    pub encoding: String,
    /// `wal`, `delete` and so on.
    pub journal_mode: String,
    /// `none`, `full` or `incremental`.
    pub auto_vacuum: &'static str,
    /// The app's own number in the header.
    pub user_version: i64,
    /// What tells the app's files from others.
    pub application_id: i64,
    /// It moves with every change of the schema.
    pub schema_version: i64,
    /// Its backups.
    pub backups: BackupStats,
    /// Whether it is sound, where that was asked.
    pub integrity: Option<Integrity>,
}

/// The automatic backups of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BackupStats {
    /// How many there are.
    pub count: usize,
    /// Their bytes in all.
    pub size: u64,
    /// When the oldest was taken, as far as it is known: RFC 3339, UTC.
    pub oldest: Option<String>,
    /// When the newest was taken.
    pub newest: Option<String>,
    /// Where they lie.
    #[serde(serialize_with = "lossy")]
    pub folder: PathBuf,
}

/// Whether a file is sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Integrity {
    /// Nothing was found that means damage.
    pub ok: bool,
    /// What SQLite found, a thousand at the most. That a row breaks a `NOT NULL` or a `CHECK` is no damage.
    pub findings: Vec<String>,
    /// The rows that refer to no parent, where that was asked.
    pub dangling_rows: Option<u64>,
}

pub(crate) fn stats(launch: &Launch<'_>, soundness: Soundness) -> Result<Stats> {
    let database = DatabasePath::resolve(launch.path)?;
    let mut stats = in_one_moment(launch, |connection, path| {
        let failed = |error: rusqlite::Error| sqlite_problem(path, "read", &error);
        look(connection, path).map_err(failed).and_then(|mut stats| {
            stats.integrity = integrity(connection, soundness).map_err(failed)?;
            Ok(stats)
        })
    })?;
    stats.backups = backups(&database, launch.settings.backups.as_deref())?;
    Ok(stats)
}

fn look(connection: &Connection, path: &Path) -> rusqlite::Result<Stats> {
    let number = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let size = size_of(connection)?; // the first read: from here on it is one moment
    let length = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(PathBuf::from(name)).map_or(0, |metadata| metadata.len())
    };
    Ok(Stats {
        size,
        file_size: length(""),
        wal_size: length("-wal"),
        page_size: number("page_size")?.unsigned_abs(),
        pages: number("page_count")?.unsigned_abs(),
        free_pages: number("freelist_count")?.unsigned_abs(),
        fragmentation: fragmentation(connection)?,
        encoding: connection.query_row("PRAGMA encoding", [], |row| row.get(0))?,
        journal_mode: recorded_journal_mode(connection, path)?,
        auto_vacuum: match number("auto_vacuum")? {
            0 => "none",
            1 => "full",
            _ => "incremental",
        },
        user_version: number("user_version")?,
        application_id: number("application_id")?,
        schema_version: number("schema_version")?,
        backups: BackupStats::default(),
        integrity: None,
    })
}

/// `dbstat` walks each b-tree as a reader of all rows does.
fn fragmentation(connection: &Connection) -> rusqlite::Result<Option<f64>> {
    let asked = connection.prepare("SELECT name, pageno FROM dbstat WHERE schema = 'main'");
    let mut statement = match asked {
        Ok(statement) => statement,
        Err(error) if is_about_sql(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut rows = statement.query([])?;
    let (mut steps, mut jumps) = (0_u32, 0_u32);
    let mut before: Option<(Vec<u8>, i64)> = None;
    while let Some(row) = rows.next()? {
        let (name, page) = (row.get_ref(0)?.as_bytes().unwrap_or_default(), row.get(1)?);
        match &mut before {
            Some((tree, last)) if tree.as_slice() == name => {
                steps += 1;
                jumps += u32::from(page != *last + 1);
                *last = page;
            }
            _ => before = Some((name.to_vec(), page)),
        }
    }
    Ok((steps > 0).then(|| f64::from(jumps) / f64::from(steps)))
}

fn integrity(connection: &Connection, soundness: Soundness) -> rusqlite::Result<Option<Integrity>> {
    let depth = match soundness {
        Soundness::Unasked => return Ok(None),
        Soundness::Quick => Depth::Quick,
        Soundness::Full => Depth::Full,
    };
    let found = examine(connection, &depth)?;
    let dangling_rows = match soundness {
        Soundness::Full => dangling_rows(connection)?,
        _ => None,
    };
    Ok(Some(Integrity { ok: found.damage().is_none(), findings: found.0.into_iter().collect(), dangling_rows }))
}

/// Nothing where a foreign key itself is wrong, so that SQLite cannot look.
fn dangling_rows(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let counted = connection
        .prepare("SELECT count(*) FROM pragma_foreign_key_check")
        .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)));
    match counted {
        Ok(count) => Ok(Some(count.unsigned_abs())),
        Err(error) if is_about_sql(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn backups(database: &DatabasePath, folder: Option<&Path>) -> Result<BackupStats, Problem> {
    let backups = Backups::of(database, folder);
    let list = backups.list()?;
    let taken = |backup: Option<&crate::backup::Backup>| {
        backup.map(|backup| backup.taken_at().to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    };
    Ok(BackupStats {
        count: list.len(),
        size: list.iter().map(|backup| backup.size).sum(),
        oldest: taken(list.first()),
        newest: taken(list.last()),
        folder: backups.folder,
    })
}

/// A path that is no text is written as near to it as it comes: a document must not fail for it.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    path.to_string_lossy().serialize(serializer)
}
