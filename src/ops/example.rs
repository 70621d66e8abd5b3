//! A data directory that begins as a copy of another: what a fresh checkout starts from.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_extra::dir::CopyOptions;
use rusqlite::Connection;

use crate::error::{Problem, Result};
use crate::event::CancelToken;
use crate::file::{create_folder, into_io, io_problem, publish_folder, remove_tree, settle_tree, sqlite_problem};

/// Behind the directory's name while it is made.
const SUFFIX: &str = ".lifeboat-new";

/// Makes `directory` a copy of the data directory `example`, whole or not at all: without backups, without locks, and
/// with what SQLite had still in a log or a journal brought into its database. False, if `directory` was made by somebody
/// else meanwhile. Waits for at most `wait` for another process that does the same.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join(".data");
/// let wait = std::time::Duration::from_secs(10);
/// assert!(lifeboat::start_from_example(".data.example", &data, wait, &lifeboat::CancelToken::new())?);
/// assert!(data.join("app.db").is_file());
/// # Ok(()) }
/// ```
///
/// # Errors
/// `example` cannot be read, or the folder of `directory` cannot be written (`io`), somebody else is at it for too long
/// (`locked`), or `cancel` says so (`cancelled`). `directory` does not exist then.
pub fn start_from_example(
    example: impl AsRef<Path>,
    directory: impl AsRef<Path>,
    wait: Duration,
    cancel: &CancelToken,
) -> Result<bool> {
    let (example, directory) = (example.as_ref(), directory.as_ref());
    // Beside it, also where the path ends in a slash.
    let mut temporary = directory.file_name().unwrap_or_default().to_owned();
    temporary.push(SUFFIX);
    let temporary = directory.with_file_name(temporary);
    let _lock = lock(example, wait, cancel)?;
    if fs::symlink_metadata(directory).is_ok() {
        return Ok(false);
    }
    // What a killed process left; under the lock nobody else is making one.
    let clear = || remove_tree(&temporary).map_err(|source| io_problem(&temporary, "remove", source));
    clear()?;
    let made = make(example, &temporary, cancel).and_then(|()| {
        publish_folder(&temporary, directory).map_err(|source| io_problem(directory, "rename a copy to", source))
    });
    if !matches!(made, Ok(true)) {
        clear()?;
    }
    Ok(made?)
}

fn make(example: &Path, temporary: &Path, cancel: &CancelToken) -> Result<(), Problem> {
    create_folder(temporary).map_err(|source| io_problem(temporary, "create", source))?;
    let mut unsettled = Vec::new();
    let entries = fs::read_dir(example).map_err(|source| io_problem(example, "list", source))?;
    for entry in entries {
        if cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        let path = entry.map_err(|source| io_problem(example, "list", source))?.path();
        match role(&path) {
            Role::Content => {}
            Role::Unsettled(database) => {
                unsettled.extend(database.file_name().map(|name| temporary.join(name)));
            }
            Role::Passing => continue,
        }
        fs_extra::copy_items(&[&path], temporary, &CopyOptions::new())
            .map_err(|error| io_problem(&path, "copy", into_io(error)))?;
    }
    for database in unsettled {
        settle_database(&database)?;
    }
    settle_tree(temporary).map_err(|source| io_problem(temporary, "sync", source))
}

enum Role {
    Content,
    /// A log or journal with content: without it, its database would be an older or a broken one.
    Unsettled(PathBuf),
    /// Backups, locks, shared memory: of that directory, and of no use in another.
    Passing,
}

fn role(path: &Path) -> Role {
    if path.file_name().is_some_and(|name| name == "backups") && path.is_dir() {
        return Role::Passing;
    }
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Role::Content };
    for suffix in ["-wal", "-journal", "-shm", "-lifeboat", "-lifeboat-new"] {
        let Some(database) = name.strip_suffix(suffix).map(|name| path.with_file_name(name)) else { continue };
        // `travel-journal` without a file `travel` is just a file.
        if !database.is_file() || !path.is_file() {
            continue;
        }
        let has_content = fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0);
        return match suffix {
            "-wal" | "-journal" if has_content => Role::Unsettled(database),
            _ => Role::Passing,
        };
    }
    Role::Content
}

/// SQLite brings a log or journal into the database, and removes it.
fn settle_database(path: &Path) -> Result<(), Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(path, "recover", &error);
    let connection = Connection::open(path).map_err(failed)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map_err(failed)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error))
}

/// An operating-system lock on the example's folder: it leaves no file behind. Where a folder cannot be locked, two
/// processes may copy at once; the rename still lets only one of them have the name.
fn lock(example: &Path, wait: Duration, cancel: &CancelToken) -> Result<Option<File>, Problem> {
    let Ok(folder) = File::open(example) else { return Ok(None) };
    let started = Instant::now();
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(Some(folder)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
        }
        if cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        let waited = started.elapsed();
        if waited >= wait {
            return Err(Problem::Locked { path: example.to_owned(), lock: "folder", holder: None, waited });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
