//! Snapshots: named copies of a data directory, or of a database alone.

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::Connection;
use serde::Serialize;

use super::finish::finish_restore;
use super::launch::{Launch, telling_the_wait};
use super::near::not_found;
use crate::backup::{Backups, Directory, Shot, Snapshots, check_name, is_example};
use crate::engine::{Session, copy_depth};
use crate::error::{Problem, Result, described};
use crate::file::{DatabasePath, Purpose, io_problem, sqlite_problem};
use crate::migration::{LEDGER_TABLE, Plan, Record, read_record};
use crate::report::lossy_path;

/// A snapshot, and what is in it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// The folder, or the file where the database alone was copied.
    #[serde(serialize_with = "lossy_path")]
    pub path: PathBuf,
    /// The database in it.
    #[serde(serialize_with = "lossy_path")]
    pub database: PathBuf,
    /// When the database in it was written last, RFC 3339, UTC: when it was taken.
    pub taken_at: Option<String>,
    /// All its files together, in bytes.
    pub bytes: u64,
    /// How many files it has beside the database.
    pub files: usize,
    /// The newest migration in it.
    pub schema_version: Option<String>,
    /// Rows in all tables of the app, if they can be counted.
    pub rows: Option<u64>,
    /// Whether this app can open it, after migrating it perhaps.
    pub openable: bool,
    /// Why not.
    pub why_not: Option<String>,
}

/// What [`Database::snapshot`](crate::Database::snapshot) and
/// [`delete_snapshot`](crate::Database::delete_snapshot) may do beyond the usual.
#[derive(Debug, Clone, Copy, Default)]
pub struct SnapshotOptions {
    pub(crate) replace: bool,
    pub(crate) allow_example: bool,
}

impl SnapshotOptions {
    /// Takes the place of a snapshot of the same name, once the new one is whole.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// The snapshot `example`, which a fresh start begins with, may be replaced and deleted.
    #[must_use]
    pub fn allow_example(mut self, allow: bool) -> Self {
        self.allow_example = allow;
        self
    }
}

/// Where the snapshots and the files of a launch's database are.
pub(crate) struct Around {
    pub(crate) database: DatabasePath,
    pub(crate) backups: Backups,
    pub(crate) snapshots: Snapshots,
    /// The data directory, where it is covered.
    pub(crate) directory: Option<Directory>,
}

impl Around {
    pub(crate) fn of(launch: &Launch<'_>) -> Result<Self, Problem> {
        Self::with(launch, DatabasePath::resolve(launch.path)?)
    }

    /// The same, also of an empty file with all that is left of its data in a log.
    pub(crate) fn of_damaged(launch: &Launch<'_>) -> Result<Self, Problem> {
        Self::with(launch, DatabasePath::resolve_damaged(launch.path)?)
    }

    fn with(launch: &Launch<'_>, database: DatabasePath) -> Result<Self, Problem> {
        let settings = launch.settings;
        let backups = Backups::of(&database, settings.backups.as_deref());
        let snapshots = Snapshots::of(&database, settings.data_dir.as_deref())?;
        let directory = snapshots.of_directory().then(|| Directory::of(&database, &backups));
        Ok(Around { database, backups, snapshots, directory })
    }
}

/// Takes one.
pub(crate) fn snapshot(launch: &Launch<'_>, name: &str, options: SnapshotOptions) -> Result<Snapshot> {
    let settings = launch.settings;
    check_name(name)?;
    let around = Around::of(launch)?;
    if around.database.metadata().is_none() {
        return Err(not_found(launch.path).into());
    }
    let place = around.snapshots.path(name);
    if std::fs::symlink_metadata(&place).is_ok() && !around.snapshots.is_one(&place) {
        let what = format!("`{}` is there already, and is not a snapshot; choose another name", place.display());
        return Err(Problem::Unsupported { what }.into());
    }
    let taken = std::fs::symlink_metadata(around.snapshots.path(name)).is_ok() || around.snapshots.find(name).is_ok();
    if taken && is_example(name) && !options.allow_example {
        return Err(Problem::ReservedName { name: name.to_owned() }.into());
    }
    if taken && !options.replace {
        return Err(Problem::NameTaken { name: name.to_owned(), path: around.snapshots.path(name) }.into());
    }
    // No run and no restore between the database and its files.
    let _lock = launch.lock(&around.database)?;
    let path = around.database.real();
    let (record, bytes) = telling_the_wait(|| {
        let connection = settings.connector.open(path, Purpose::Read, settings.wait)?;
        let record = match read_record(&connection, path, &settings.history_table) {
            // What cannot be understood can be copied.
            Err(Problem::BadHistory { .. }) => Record::default(),
            other => other?,
        };
        let bytes = crate::file::size_of(&connection).map_err(|error| sqlite_problem(path, "read", &error))?;
        Ok((record, bytes))
    })?;
    if record.open_run.is_some() {
        return Err(Problem::Interrupted { path: path.to_owned() }.into());
    }
    if let Some(open) = &record.open_restore {
        let mut session = Session::open(settings, path)?;
        finish_restore(launch, &around.database, &mut session, open)?;
    }
    let shot = Shot {
        connector: &settings.connector,
        database: &around.database,
        directory: around.directory.as_ref(),
        emitter: &settings.emitter,
        cancel: &settings.cancel,
        depth: copy_depth(settings.check, bytes),
        wait: settings.wait,
    };
    let path = around.snapshots.make(name, options.replace, &shot)?;
    Ok(describe(launch, &around, name.to_owned(), path, application_id_of(launch, &around.database)))
}

/// Those that there are.
pub(crate) fn snapshots(launch: &Launch<'_>) -> Result<Vec<Snapshot>> {
    let around = Around::of(launch)?;
    let ours = application_id_of(launch, &around.database);
    let found = around.snapshots.list()?;
    Ok(found.into_iter().map(|(name, path)| describe(launch, &around, name, path, ours)).collect())
}

/// Removes one.
pub(crate) fn delete_snapshot(launch: &Launch<'_>, name: &str, options: SnapshotOptions) -> Result<PathBuf> {
    let around = Around::of(launch)?;
    around.snapshots.find(name)?;
    if is_example(name) && !options.allow_example {
        return Err(Problem::ReservedName { name: name.to_owned() }.into());
    }
    // A data directory that is gone has no room for a lock, and nobody at work in it.
    let _lock = around.database.folder().is_dir().then(|| launch.lock(&around.database)).transpose()?;
    Ok(around.snapshots.remove(name)?)
}

fn describe(launch: &Launch<'_>, around: &Around, name: String, path: PathBuf, ours: Option<i64>) -> Snapshot {
    let database = around.snapshots.database_in(&path);
    let metadata = std::fs::metadata(&database);
    let taken_at = metadata.as_ref().ok().and_then(|metadata| metadata.modified().ok());
    let taken_at = taken_at.map(|at| DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Secs, true));
    let (bytes, files) = match &around.directory {
        Some(directory) => directory.size_of(&path),
        None => (0, 0),
    };
    let bytes = bytes + metadata.map_or(0, |metadata| metadata.len());
    let looked = look(launch, &database, ours);
    let (schema_version, rows, why_not) = match looked {
        Ok(looked) => (looked.schema_version, looked.rows, looked.refusal.map(|problem| problem.to_string())),
        Err(problem) => (None, None, Some(described(&problem))),
    };
    let openable = why_not.is_none();
    Snapshot { name, path, database, taken_at, bytes, files, schema_version, rows, openable, why_not }
}

/// What a copy of the database is.
pub(crate) struct Looked {
    pub(crate) schema_version: Option<String>,
    pub(crate) rows: Option<u64>,
    pub(crate) plan: Plan,
    /// Why this app cannot open it.
    pub(crate) refusal: Option<Problem>,
}

fn look(launch: &Launch<'_>, copy: &Path, ours: Option<i64>) -> Result<Looked, Problem> {
    let settings = launch.settings;
    let connection = settings.connector.open(copy, Purpose::Read, settings.wait)?;
    let looked = look_into(launch, &connection, copy, ours)?;
    let rows = count_rows(&connection, &settings.history_table).ok();
    Ok(Looked { rows, ..looked })
}

/// The same on a connection, without counting.
pub(crate) fn look_into(
    launch: &Launch<'_>,
    connection: &Connection,
    copy: &Path,
    ours: Option<i64>,
) -> Result<Looked, Problem> {
    let (record, plan) = launch.plan(connection, copy)?;
    let theirs = application_id(connection).map_err(|error| sqlite_problem(copy, "read", &error))?;
    let foreign = ours.filter(|ours| *ours != 0 && theirs != 0 && *ours != theirs).map(|ours| Problem::ForeignCopy {
        path: copy.to_owned(),
        database: launch.path.to_owned(),
        why: format!("its `application_id` is {theirs}, and not {ours}"),
    });
    // An app that says nothing of its migrations cannot be too old for any.
    let refusal = foreign.or_else(|| plan.refusal(copy).filter(|_| !launch.migrations.is_empty()));
    let schema_version = record.applied.last().map(crate::migration::Applied::id);
    Ok(Looked { schema_version, rows: None, plan, refusal })
}

/// That of the live database, if it can be read.
pub(crate) fn application_id_of(launch: &Launch<'_>, database: &DatabasePath) -> Option<i64> {
    let settings = launch.settings;
    database.metadata().filter(|_| !database.is_log_alone())?;
    let connection = settings.connector.open(database.real(), Purpose::Read, settings.wait).ok()?;
    application_id(&connection).ok()
}

fn application_id(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA application_id", [], |row| row.get(0))
}

/// The app's own tables.
pub(crate) fn tables_of(connection: &Connection, history: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")?;
    let mut tables = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let ours = |name: &String| {
        name.to_ascii_lowercase().starts_with("sqlite_")
            || name.eq_ignore_ascii_case(history)
            || name.eq_ignore_ascii_case(LEDGER_TABLE)
    };
    tables.retain(|name| !ours(name));
    Ok(tables)
}

/// Rows in them.
fn count_rows(connection: &Connection, history: &str) -> rusqlite::Result<u64> {
    let mut rows = 0;
    for table in tables_of(connection, history)? {
        let sql = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
        rows += connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(|count| count.unsigned_abs())?;
    }
    Ok(rows)
}

/// A copy that is the database itself cannot be put back into it.
pub(crate) fn refuse_itself(copy: &Path, database: &DatabasePath) -> Result<(), Problem> {
    let real = |path: &Path| std::fs::canonicalize(path);
    let same = match (real(copy), real(database.real())) {
        (Ok(copy), Ok(database)) => copy == database || is_same_file(&copy, &database),
        (Err(source), _) => return Err(io_problem(copy, "look at", source)),
        _ => false,
    };
    if same {
        let what = format!("`{}` is the database itself, not a copy of it", copy.display());
        return Err(Problem::Unsupported { what });
    }
    Ok(())
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let id = |path: &Path| std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
        id(one).is_some() && id(one) == id(other)
    }
    #[cfg(not(unix))] // not run elsewhere
    {
        let _ = (one, other);
        false
    }
}
