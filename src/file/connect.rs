//! Connections to a database file, each prepared by the app's `on_connect` hook.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::durable::remove_if_there;
use crate::error::{Problem, SqliteCause};

/// Prepares a connection: functions, collations, extensions, a key, pragmas.
pub(crate) type ConnectHook = Arc<dyn Fn(&Connection) -> rusqlite::Result<()> + Send + Sync>;

/// What a connection is for, which decides what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The app itself will have it, and there need not be a file yet: the hook does as it likes.
    AppCreates,
    /// A run, a restore, or the writing of a copy: never makes a file.
    Write,
    /// Looks and never writes of its own accord.
    Read,
}

/// Opens connections.
#[derive(Clone, Default)]
pub(crate) struct Connector {
    hook: Option<ConnectHook>,
}

impl Connector {
    pub(crate) fn new(hook: Option<ConnectHook>) -> Self {
        Connector { hook }
    }

    /// A connection to the file at `path`, which is absolute. Statements wait `busy` for other connections' locks.
    pub(crate) fn open(&self, path: &Path, purpose: Purpose, busy: Duration) -> Result<Connection, Problem> {
        // Without the URI flag: `?` and `%` in a name are just that. NO_MUTEX: one thread has a connection at a time.
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if purpose == Purpose::AppCreates {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let opened = Connection::open_with_flags(path, flags)
            .map_err(|error| sqlite_problem(path, "open", &error))
            .and_then(|mut connection| {
                refuse_read_only(&connection, path, purpose)?;
                self.prepare(&mut connection, path, purpose, busy)?;
                if purpose == Purpose::Read {
                    first_look(&connection, path)?;
                }
                Ok(connection)
            });
        match opened {
            // A medium or folder that cannot be written: SQLite cannot make a WAL's shared memory there. Or a file that
            // cannot: there it makes it, and does not take it away again.
            Err(Problem::ReadOnly { .. } | Problem::Sqlite { .. }) if purpose == Purpose::Read && is_quiet(path) => {
                self.open_immutable(path, busy)
            }
            other => other,
        }
    }

    /// `immutable` shows old rows while a log has content, so it is only for a file without one.
    fn open_immutable(&self, path: &Path, busy: Duration) -> Result<Connection, Problem> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let mut connection = Connection::open_with_flags(immutable_uri(path), flags)
            .map_err(|error| sqlite_problem(path, "open", &error))?;
        self.prepare(&mut connection, path, Purpose::Read, busy)?;
        first_look(&connection, path)?;
        Ok(connection)
    }

    /// A connection for the app on a file that cannot be written, where SQLite can read it by itself: unlike a reader's,
    /// it sees what others write.
    pub(crate) fn open_for_app(&self, path: &Path, busy: Duration) -> Result<Connection, Problem> {
        let connection = self.open(path, Purpose::AppCreates, busy)?;
        first_look(&connection, path)?;
        Ok(connection)
    }

    /// Gives a connection that was opened for `Write` to the app: now the hook may set the journal mode too.
    pub(crate) fn hand_over(&self, connection: &Connection, path: &Path) -> Result<(), Problem> {
        match &self.hook {
            Some(hook) => hook(connection).map_err(|error| sqlite_problem(path, "run `on_connect` on", &error)),
            None => Ok(()),
        }
    }

    /// A private database in memory.
    pub(crate) fn memory(&self) -> Result<Connection, Problem> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|error| sqlite_problem(path, "open", &error))?;
        if let Some(hook) = &self.hook {
            hook(&connection).map_err(|error| sqlite_problem(path, "run `on_connect` on", &error))?;
        }
        Ok(connection)
    }

    fn prepare(
        &self,
        connection: &mut Connection,
        path: &Path,
        purpose: Purpose,
        busy: Duration,
    ) -> Result<(), Problem> {
        let failed = |error: rusqlite::Error| sqlite_problem(path, "prepare a connection to", &error);
        connection.busy_timeout(busy).map_err(failed)?;
        if let Some(hook) = &self.hook {
            let hooked = if purpose == Purpose::AppCreates {
                hook(connection)
            } else {
                hook_without_journal_mode(connection, hook)
            };
            hooked.map_err(|error| sqlite_problem(path, "run `on_connect` on", &error))?;
        }
        if purpose == Purpose::Read {
            connection.pragma_update(None, "query_only", true).map_err(failed)?;
        }
        Ok(())
    }
}

/// A hook that sets `journal_mode` would rewrite the header of a file that is only looked at, of a copy, and of a
/// database before its run: the pragma is passed over here, and takes effect on the connection that the app gets.
fn hook_without_journal_mode(connection: &mut Connection, hook: &ConnectHook) -> rusqlite::Result<()> {
    connection.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Pragma { pragma_name, pragma_value: Some(_) }
            if pragma_name.eq_ignore_ascii_case("journal_mode") =>
        {
            Authorization::Ignore
        }
        _ => Authorization::Allow,
    }))?;
    let hooked = hook(connection);
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    match hooked {
        // It asked the pragma for its answer, and there was none: then the app has its way.
        Err(rusqlite::Error::QueryReturnedNoRows) => hook(connection),
        other => other,
    }
}

/// SQLite opens a file that it may not write for reading alone, and does not say so. To be asked before the first read:
/// a reader of a WAL database leaves `-wal` and `-shm` behind, which then belong to the wrong user.
fn refuse_read_only(connection: &Connection, path: &Path, purpose: Purpose) -> Result<(), Problem> {
    let read_only = purpose != Purpose::AppCreates
        && connection.is_readonly("main").map_err(|error| sqlite_problem(path, "open", &error))?;
    if read_only && (purpose == Purpose::Write || is_quiet(path)) {
        return Err(Problem::ReadOnly { path: path.to_owned(), why: "its permissions do not allow it".to_owned() });
    }
    Ok(())
}

/// Reads the first page: SQLite opens a file without looking at it.
fn first_look(connection: &Connection, path: &Path) -> Result<(), Problem> {
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map(drop)
        .map_err(|error| sqlite_problem(path, "read", &error))
}

/// Neither a journal nor a log with content beside the file.
fn is_quiet(path: &Path) -> bool {
    ["-wal", "-journal"].iter().all(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(PathBuf::from(name)).map_or(true, |metadata| metadata.len() == 0)
    })
}

fn immutable_uri(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b':' => uri.push(char::from(*byte)),
            b'\\' if cfg!(windows) => uri.push('/'), // not run there
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    PathBuf::from(uri)
}

/// Removes what SQLite may have left beside a temporary database.
pub(crate) fn remove_with_sidecars(path: &Path) -> std::io::Result<()> {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        remove_if_there(Path::new(&name))?;
    }
    Ok(())
}

/// Whether SQLite gave up because somebody else has a lock.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether SQLite has nothing against the file or the machine, but against the SQL: "no such column" and the like.
/// (rusqlite has two errors for it, and `sqlite_error_code` knows one.)
pub(crate) fn is_about_sql(error: &rusqlite::Error) -> bool {
    let plain = |code| code & 0xff == rusqlite::ffi::SQLITE_ERROR;
    matches!(error, rusqlite::Error::SqlInputError { .. }) || error.sqlite_extended_error_code().is_some_and(plain)
}

/// What a failure of SQLite outside any migration means for the file at `path`.
pub(crate) fn sqlite_problem(path: &Path, action: &'static str, error: &rusqlite::Error) -> Problem {
    let path = path.to_owned();
    let source = SqliteCause::from(error);
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Problem::NotADatabase { path },
        Some(ErrorCode::DatabaseCorrupt) => Problem::Corrupt { path, detail: source.message },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Problem::Locked { path, lock: "write lock", holder: None, waited: Duration::ZERO }
        }
        Some(ErrorCode::ReadOnly) => Problem::ReadOnly { path, why: source.message },
        Some(ErrorCode::OperationInterrupted) => Problem::Cancelled {},
        Some(ErrorCode::DiskFull) => Problem::DiskFull { path, source },
        _ => Problem::Sqlite { path, action, source },
    }
}
