//! A copy of a database as it is at one moment, while others go on writing to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::take::{CopyError, copy};
use crate::error::Problem;
use crate::event::CancelToken;
use crate::file::{
    Connector, Descriptor, Purpose, Unlocked, allocate_exclusively, available_bytes, copy_raw, io_problem, is_at_rest,
    settle_header, size_of, sqlite_problem, write_problem,
};

/// Copies the database at `from` to `to`, which must be free, within one read transaction: in WAL mode others go on
/// writing, with a rollback journal their commits wait. As the file lies there, where that can be done and `descriptor`
/// says how it may be read; else by SQLite's backup API. `progress` gets bytes done and in all. The copy is plain (no
/// journal mode in its header) and durable, but for its name.
pub(crate) fn copy_moment(
    connector: &Connector,
    from: &Path,
    to: &Path,
    descriptor: Option<Descriptor>,
    wait: Duration,
    cancel: &CancelToken,
    progress: impl FnMut(u64, u64),
) -> Result<(), Problem> {
    let connection = connector.open(from, Purpose::Read, wait)?;
    copy_from(connector, &Source { connection: &connection, path: from, descriptor }, to, wait, cancel, progress)
}

/// A database to copy.
pub(crate) struct Source<'a> {
    /// Only reads.
    pub(crate) connection: &'a Connection,
    pub(crate) path: &'a Path,
    /// How its file may be read, if it may.
    pub(crate) descriptor: Option<Descriptor>,
}

/// The same out of a connection that only reads.
pub(crate) fn copy_from(
    connector: &Connector,
    source: &Source<'_>,
    to: &Path,
    wait: Duration,
    cancel: &CancelToken,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), Problem> {
    let Source { connection: source, path: from, descriptor } = *source;
    let of_source = |error: rusqlite::Error| sqlite_problem(from, "read", &error);
    // Without it, the backup API begins again whenever another process writes between two of its steps.
    source.execute_batch("BEGIN").map_err(of_source)?;
    let pinned = source.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    pinned.map_err(of_source)?;
    let bytes = size_of(source).map_err(of_source)?;
    let unlocked = Unlocked::of(source, from);
    let file = allocate_exclusively(to).map_err(|source| write_problem(to, "create", source))?;
    let no_space = || {
        let folder = to.parent().unwrap_or(Path::new("."));
        Problem::NoSpace { path: folder.to_owned(), available: available_bytes(folder).unwrap_or(0), needed: bytes }
    };
    if let Some(descriptor) = descriptor.filter(|_| is_at_rest(source, from)) {
        let mut told = |done| {
            progress(done, bytes);
            if cancel.is_cancelled() { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        };
        let copied =
            copy_raw(from, &file, bytes, descriptor, false, &mut told).map_err(|error| match error.kind() {
                std::io::ErrorKind::Interrupted if cancel.is_cancelled() => Problem::Cancelled {},
                std::io::ErrorKind::StorageFull => no_space(),
                _ => io_problem(from, "copy", error),
            })?;
        if copied.is_some() {
            let _ = source.execute_batch("COMMIT"); // it only read
            return settle_header(to).map_err(|source| write_problem(to, "sync", source));
        }
    }
    drop(file);
    let failed = |error: rusqlite::Error| match sqlite_problem(to, "copy to", &error) {
        Problem::DiskFull { .. } => no_space(),
        Problem::Corrupt { detail, .. } => Problem::Corrupt { path: from.to_owned(), detail },
        other => other,
    };
    let mut target = connector.open(to, Purpose::Write, wait)?;
    // Whatever `on_connect` has set. Nobody reads the copy before it is synced as a whole.
    target
        .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .and_then(|()| target.execute_batch("PRAGMA synchronous = OFF"))
        .map_err(failed)?;
    copy(source, &mut target, wait, cancel, |done, total| {
        let part = |pages: i32| u64::try_from(pages).unwrap_or(0);
        progress(bytes.saturating_mul(part(done)) / part(total).max(1), bytes);
    })
    .map_err(|error| match error {
        CopyError::Sqlite(error) => failed(error),
        CopyError::Cancelled => Problem::Cancelled {},
        CopyError::Busy(waited) => {
            Problem::Locked { path: from.to_owned(), lock: "lock that writers share", holder: None, waited }
        }
    })?;
    target.close().map_err(|(_, error)| failed(error))?;
    if unlocked.is_some_and(|unlocked| !unlocked.is_unchanged(from)) {
        let lock = "database, which others write to and which may not be locked from here,";
        return Err(Problem::Locked { path: from.to_owned(), lock, holder: None, waited: Duration::ZERO });
    }
    let _ = source.execute_batch("COMMIT"); // it only read
    settle_header(to).map_err(|source| write_problem(to, "sync", source))
}
