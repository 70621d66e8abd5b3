//! The launch lock: one process at a time brings a database to its schema.
//!
//! It is an operating-system lock on a file that is created once and never deleted: deleting it would let two
//! processes hold locks on two files of one name. The kernel frees it when its holder dies, so it cannot be stale;
//! its content (the holder's process id) is for a message and never for a decision.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connect::is_busy;
use super::durable::give_same_access;
use super::identity::io_problem;
use crate::error::Problem;

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct LaunchLock(#[allow(dead_code)] File);

impl LaunchLock {
    /// Waits for the lock until `at_most` has passed or `cancelled` says so. `on_wait` is called once, when it is
    /// not free at once, with the holder's process id.
    pub(crate) fn acquire(
        path: &Path,
        database: &Path,
        like: Option<&Metadata>,
        at_most: Duration,
        on_wait: impl FnOnce(Option<u32>),
        cancelled: impl Fn() -> bool,
    ) -> Result<Self, Problem> {
        let new = !path.exists();
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(|source| {
                match source.kind() {
                    std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                        Problem::ReadOnly {
                            path: database.to_owned(),
                            why: format!("no file can be made in its folder ({source})"),
                        }
                    }
                    _ => io_problem(path, "create", source),
                }
            })?;
        if let (true, Some(like)) = (new, like) {
            // Whoever may open the database must be able to take its lock.
            let _ = give_same_access(like, path);
        }
        let started = Instant::now();
        let mut on_wait = Some(on_wait);
        let mut pause = Duration::from_millis(2);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(io_problem(path, "lock", source)),
                Err(TryLockError::WouldBlock) => {}
            }
            if let Some(on_wait) = on_wait.take() {
                on_wait(holder(&mut file));
            }
            if cancelled() {
                return Err(Problem::Cancelled {});
            }
            let waited = started.elapsed();
            if waited >= at_most {
                let holder = holder(&mut file);
                return Err(Problem::Locked { path: database.to_owned(), lock: "launch lock", holder, waited });
            }
            std::thread::sleep(pause.min(at_most.saturating_sub(waited)));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        // A note for whoever waits; that it fails (a full disk) is no reason not to go on.
        let _ = file.set_len(0);
        let _ = file.rewind();
        let _ = writeln!(file, "{}", std::process::id());
        Ok(LaunchLock(file))
    }
}

/// Whoever has a lock for longer is at work. For less there may be another one who looks; or a process that was being
/// forked when its parent let the lock go, and has it until it runs its own program.
const INSTANT: Duration = Duration::from_millis(100);

/// Whether somebody has the launch lock, and who, as far as the file tells. It is never made, and what is taken to find
/// out is let go at once. It is a shared lock, so that two who look do not see each other.
pub(crate) fn look_at_launch_lock(path: &Path) -> io::Result<Option<Option<u32>>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        // Opening a pipe would wait for ever.
        Ok(_) => return Err(io::Error::other("it is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut file = File::open(path)?;
    let started = Instant::now();
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() >= INSTANT => return Ok(Some(holder(&mut file))),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Whether another connection has SQLite's write lock, or keeps it from being taken. `BEGIN IMMEDIATE` writes neither to
/// the file nor to a journal until a page is changed; an empty file would be changed, and is not to be asked about.
pub(crate) fn write_lock_is_taken(connection: &Connection, busy: Duration) -> rusqlite::Result<bool> {
    connection.busy_timeout(INSTANT)?;
    connection.pragma_update(None, "query_only", false)?;
    let began = connection.execute_batch("BEGIN IMMEDIATE");
    if began.is_ok() {
        connection.execute_batch("ROLLBACK")?;
    }
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(busy)?;
    match began {
        Ok(()) => Ok(false),
        Err(error) if is_busy(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

fn holder(file: &mut File) -> Option<u32> {
    file.rewind().ok()?;
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
