//! Connections to a database file, each prepared by the app's `on_connect` hook.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::durable::remove_if_there;
use super::kept::{keep_open, read_exact_at};
use crate::error::{Problem, SqliteCause};

/// Prepares a connection: functions, collations, extensions, a key, pragmas.
pub(crate) type ConnectHook = Arc<dyn Fn(&Connection) -> rusqlite::Result<()> + Send + Sync>;

/// What a connection is for, which decides what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The app itself will have it, and there need not be a file yet: the hook does as it likes.
    AppCreates,
    /// The launch looks, and the app will have it if there is nothing to do.
    Launch,
    /// A run, a restore, or the writing of a copy: never makes a file.
    Write,
    /// Looks and never writes of its own accord.
    Read,
}

/// What was being done when a hook failed.
const HOOKING: &str = "run `on_connect` on";

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
        // The app gets what `Connection::open` gives; both flags are for its ATTACH, since an absolute path is no URI.
        // The others go without: then no file is ever made.
        let flags = match purpose {
            Purpose::AppCreates | Purpose::Launch => OpenFlags::default(),
            Purpose::Write | Purpose::Read => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        };
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
            Err(problem) if purpose == Purpose::Read && may_be_unwritable(&problem) && is_quiet(path) => {
                // With a rollback journal nothing has to be made for reading, and locks can be taken: somebody else may
                // write at any time.
                if !says_wal(path) {
                    match self.open_reading(path, busy) {
                        Err(problem) if may_be_unwritable(&problem) => {}
                        other => return other,
                    }
                }
                self.open_immutable(path, busy)
            }
            other => other,
        }
    }

    fn open_reading(&self, path: &Path, busy: Duration) -> Result<Connection, Problem> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(path, flags).map_err(|error| sqlite_problem(path, "open", &error))?;
        self.prepare(&mut connection, path, Purpose::Read, busy)?;
        first_look(&connection, path)?;
        Ok(connection)
    }

    /// `immutable` takes no lock, and shows old rows while a log has content: the last resort, for a file in WAL mode that
    /// has none, or of which nobody knows. See [`Unlocked`].
    fn open_immutable(&self, path: &Path, busy: Duration) -> Result<Connection, Problem> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let mut connection = Connection::open_with_flags(immutable_uri(path), flags).map_err(|error| {
            match sqlite_problem(path, "open", &error) {
                // Named by its path, which the problem has, and not by a URI that nobody gave.
                Problem::Sqlite { path, action, source } => {
                    let message = "unable to open database file".to_owned();
                    Problem::Sqlite { path, action, source: SqliteCause { message, ..source } }
                }
                other => other,
            }
        })?;
        self.prepare(&mut connection, path, Purpose::Read, busy)?;
        first_look(&connection, path)?;
        Ok(connection)
    }

    /// Gives the connection of a look to the app. One that only reads is the last resort: it may not see what others
    /// write.
    pub(crate) fn hand_over_looked(
        &self,
        looked: Connection,
        path: &Path,
        purpose: Purpose,
        busy: Duration,
    ) -> Result<Connection, Problem> {
        if purpose == Purpose::Read {
            let own = self.open(path, Purpose::AppCreates, busy).and_then(|own| {
                first_look(&own, path)?;
                Ok(own)
            });
            match own {
                Err(problem) if may_be_unwritable(&problem) && cannot_be_written(path) => {}
                other => return other,
            }
        }
        self.hand_over(&looked, path)?;
        Ok(looked)
    }

    /// Prepares a connection for the app: now the hook may set the journal mode too.
    fn hand_over(&self, connection: &Connection, path: &Path) -> Result<(), Problem> {
        match &self.hook {
            Some(hook) => hooked(connection, path, hook(connection)),
            None => Ok(()),
        }
    }

    /// A private database in memory.
    pub(crate) fn memory(&self) -> Result<Connection, Problem> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|error| sqlite_problem(path, "open", &error))?;
        self.hand_over(&connection, path)?;
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
            let result = if purpose == Purpose::AppCreates {
                hook(connection)
            } else {
                hook_without_modes(connection, hook, purpose, busy)
            };
            hooked(connection, path, result)?;
        }
        if purpose == Purpose::Read {
            connection.pragma_update(None, "query_only", true).map_err(failed)?;
        }
        Ok(())
    }
}

/// What has become of a hook. Its own failure never reads as if the file could not be opened or written.
fn hooked(connection: &Connection, path: &Path, result: rusqlite::Result<()>) -> Result<(), Problem> {
    let Err(error) = result else {
        if connection.is_autocommit() {
            return Ok(());
        }
        return Err(Problem::Unsupported { what: "`on_connect` leaves a transaction open".to_owned() });
    };
    let problem = sqlite_problem(path, HOOKING, &error);
    if !may_be_unwritable_by(&error) {
        return Err(problem);
    }
    // It may have been the first to read.
    match first_look(connection, path) {
        Err(of_the_file) if may_be_unwritable(&of_the_file) => Err(of_the_file),
        _ => Err(Problem::Sqlite { path: path.to_owned(), action: HOOKING, source: SqliteCause::from(&error) }),
    }
}

/// A hook that sets `journal_mode` would rewrite the header of a file that is only looked at, of a copy, and of a
/// database before its run, or leave a run without a journal on disk; one that sets `locking_mode` would shut out our
/// other connections. Both pragmas are passed over here, and take effect on the connection that the app gets.
fn hook_without_modes(
    connection: &mut Connection,
    hook: &ConnectHook,
    purpose: Purpose,
    busy: Duration,
) -> rusqlite::Result<()> {
    connection.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Pragma { pragma_name, pragma_value: Some(_) }
            if ["journal_mode", "locking_mode"].iter().any(|mode| pragma_name.eq_ignore_ascii_case(mode)) =>
        {
            Authorization::Ignore
        }
        _ => Authorization::Allow,
    }))?;
    let hooked = hook(connection);
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    match hooked {
        // It asked a pragma for its answer, and there was none: then it has its way, and afterwards it is undone.
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            let before = journal_mode(connection)?;
            let hooked = hook(connection);
            put_modes_back(connection, &before, purpose, busy)?;
            hooked
        }
        other => other,
    }
}

/// A reader leaves no trace, if others let it. Whoever writes may find WAL mode come or gone, as the app will have it: to
/// put that back takes the file for oneself, and a connection that is opened under the lock of a run could never set it
/// again. But the journal of a run must be on the disk.
fn put_modes_back(connection: &Connection, before: &str, purpose: Purpose, busy: Duration) -> rusqlite::Result<()> {
    connection.pragma_update(None, "locking_mode", "normal")?;
    // A lock that was kept is let go after the next read.
    let _ = first_look(connection, Path::new(""));
    let after = journal_mode(connection)?;
    let crossed = (after == "wal") != (before == "wal");
    let back = match after.as_str() {
        _ if !crossed || purpose == Purpose::Read => before,
        "wal" => return Ok(()),
        _ => "delete",
    };
    if after == back || !connection.is_autocommit() {
        return Ok(());
    }
    connection.busy_timeout(Duration::ZERO)?;
    let _ = connection.query_row(&format!("PRAGMA journal_mode = {back}"), [], |_| Ok(()));
    connection.busy_timeout(busy)
}

pub(crate) fn journal_mode(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))
}

/// The journal mode that the file says it has. A connection that takes it for one which nobody changes says `delete` of any:
/// then the header is asked, by a descriptor that is kept.
pub(crate) fn recorded_journal_mode(connection: &Connection, path: &Path) -> rusqlite::Result<String> {
    const VERSION: u64 = 18; // 2 is WAL
    let mode = journal_mode(connection)?;
    if mode == "wal" || !connection.is_readonly("main")? {
        return Ok(mode);
    }
    let mut version = [0];
    let read = keep_open(path).and_then(|file| read_exact_at(&file, &mut version, VERSION));
    Ok(if read.is_ok() && version == [2] { "wal".to_owned() } else { mode })
}

/// What SQLite says of a file that cannot be written, or in whose folder it cannot make what it needs to read it.
fn may_be_unwritable_by(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// The same of what has become of it, unless a hook said so.
pub(crate) fn may_be_unwritable(problem: &Problem) -> bool {
    match problem {
        Problem::ReadOnly { .. } => true,
        Problem::Sqlite { action, source, .. } => {
            *action != HOOKING && source.code & 0xff == rusqlite::ffi::SQLITE_CANTOPEN
        }
        _ => false,
    }
}

/// SQLite opens a file that it may not write for reading alone, and does not say so. To be asked before the first read:
/// a reader of a WAL database leaves `-wal` and `-shm` behind, which then belong to the wrong user.
fn refuse_read_only(connection: &Connection, path: &Path, purpose: Purpose) -> Result<(), Problem> {
    let read_only = purpose != Purpose::AppCreates
        && connection.is_readonly("main").map_err(|error| sqlite_problem(path, "open", &error))?;
    if read_only && (purpose != Purpose::Read || is_quiet(path)) {
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

/// Whether the file or its folder really cannot be written, asked of the system: permissions tell nothing of a medium.
fn cannot_be_written(path: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(path, flags).and_then(|connection| connection.is_readonly("main"));
    if file.unwrap_or(false) {
        return true;
    }
    let mut probe = path.as_os_str().to_owned();
    probe.push("-lifeboat-probe");
    match std::fs::File::create_new(&probe) {
        Ok(_) => {
            let _ = remove_if_there(Path::new(&probe));
            false
        }
        Err(error) => matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem),
    }
}

/// Neither a journal nor a log with content beside the file.
fn is_quiet(path: &Path) -> bool {
    ["-wal", "-journal"].iter().all(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(PathBuf::from(name)).map_or(true, |metadata| metadata.len() == 0)
    })
}

/// Whether a file of somebody else's is a SQLite database. Asked of SQLite, which keeps the locks of other connections in
/// this process; `immutable`, so that it takes none itself and lets a file be that happens to be called like a log.
pub(crate) fn is_database(path: &Path) -> bool {
    /// The smallest page there is.
    const LEAST: u64 = 512;
    if !std::fs::metadata(path).is_ok_and(|metadata| metadata.len() >= LEAST) {
        return false;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let looked = Connection::open_with_flags(immutable_uri(path), flags)
        .and_then(|connection| connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())));
    // A damaged one is one, and what cannot be opened is said when it is copied.
    looked.is_ok() || looked.is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt))
}

/// What is remembered of a file that is read without any lock, to see afterwards that nobody has written to it.
pub(crate) struct Unlocked(std::fs::Metadata);

impl Unlocked {
    /// Nothing for a connection that takes locks.
    pub(crate) fn of(connection: &Connection, path: &Path) -> Option<Self> {
        let without = connection.is_readonly("main").unwrap_or(false) && says_wal(path);
        without.then(|| std::fs::metadata(path).ok().map(Unlocked)).flatten()
    }

    /// Whether all that was read since is of one moment.
    pub(crate) fn is_unchanged(&self, path: &Path) -> bool {
        let same = |now: std::fs::Metadata| {
            now.len() == self.0.len()
                && matches!((now.modified(), self.0.modified()), (Ok(now), Ok(then)) if now == then)
        };
        is_quiet(path) && std::fs::metadata(path).is_ok_and(same)
    }
}

/// Whether the header says that the file is in WAL mode, or does not say (encrypted).
fn says_wal(path: &Path) -> bool {
    let mut start = [0_u8; 20];
    let read = keep_open(path).and_then(|file| read_exact_at(&file, &mut start, 0));
    read.is_err() || !start.starts_with(b"SQLite format 3\0") || start[18..20] != [1, 1]
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
