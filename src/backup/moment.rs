//! A copy of a database as it is at one moment, while others go on writing to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::take::{CopyError, copy};
use crate::error::Problem;
use crate::event::CancelToken;
use crate::file::{
    Connector, Purpose, allocate_exclusively, available_bytes, settle_header, size_of, sqlite_problem, write_problem,
};

/// Copies the database at `from` to `to`, which must be free, by SQLite's backup API within one read transaction: in WAL
/// mode others go on writing, with a rollback journal their commits wait. `progress` gets bytes done and in all. The copy
/// is plain (no journal mode in its header) and durable, but for its name.
pub(crate) fn copy_moment(
    connector: &Connector,
    from: &Path,
    to: &Path,
    wait: Duration,
    cancel: &CancelToken,
    progress: impl FnMut(u64, u64),
) -> Result<(), Problem> {
    let source = connector.open(from, Purpose::Read, wait)?;
    copy_from(connector, &source, from, to, wait, cancel, progress)
}

/// The same out of a connection that only reads.
pub(crate) fn copy_from(
    connector: &Connector,
    source: &Connection,
    from: &Path,
    to: &Path,
    wait: Duration,
    cancel: &CancelToken,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), Problem> {
    let of_source = |error: rusqlite::Error| sqlite_problem(from, "read", &error);
    // Without it, the backup API begins again whenever another process writes between two of its steps.
    source.execute_batch("BEGIN").map_err(of_source)?;
    let pinned = source.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    pinned.map_err(of_source)?;
    let bytes = size_of(source).map_err(of_source)?;
    drop(allocate_exclusively(to).map_err(|source| write_problem(to, "create", source))?);
    let failed = |error: rusqlite::Error| match sqlite_problem(to, "copy to", &error) {
        Problem::DiskFull { .. } => {
            let folder = to.parent().unwrap_or(Path::new("."));
            Problem::NoSpace { path: folder.to_owned(), available: available_bytes(folder).unwrap_or(0), needed: bytes }
        }
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
    let _ = source.execute_batch("COMMIT"); // it only read
    settle_header(to).map_err(|source| write_problem(to, "sync", source))
}
