//! How an app migrates its files: [`Migrator`].

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::database::Database;
use crate::backup::Retention;
use crate::engine::{Atomicity, Check, LedgerText, Settings, StepContext};
use crate::error::{BoxError, Error, Problem, Result};
use crate::event::{CancelToken, Event};
use crate::file::{ConnectHook, Connector, DatabasePath, Purpose};
use crate::migration::{Migrations, Target};
use crate::ops::{self, Launch, Looked, Ready};
use crate::report::Report;

/// Whether [`Migrator::open`] migrates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// It does.
    Normal,
    /// It does not: a test wants to say itself what its file is.
    Test,
}

/// How an app migrates its databases.
///
/// **Where migrations come from:** [`new`](Self::new) takes an [`Embedded`](crate::Embedded) folder, a
/// [`Migrations`] read from a folder, or a `refinery::Runner`; [`step`](Self::step) adds one in Rust.
///
/// **Every connection that lifeboat opens** is prepared by [`on_connect`](Self::on_connect).
///
/// **How a run goes:** [`atomicity`](Self::atomicity), [`wait`](Self::wait), [`allow`](Self::allow),
/// [`statement_limit`](Self::statement_limit), [`cancel`](Self::cancel), [`before_each`](Self::before_each),
/// [`after_each`](Self::after_each).
///
/// **What is seen to before a commit:** [`check_level`](Self::check_level), [`check`](Self::check).
///
/// **The way back:** [`backups`](Self::backups), [`retention`](Self::retention), [`no_backup`](Self::no_backup),
/// [`data_dir`](Self::data_dir).
///
/// **Doing it:** [`open`](Self::open), [`at`](Self::at), [`apply_to`](Self::apply_to).
///
/// ```
/// static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations");
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("notes.db");
/// let db: rusqlite::Connection = lifeboat::Migrator::new(&MIGRATIONS).open(&path)?;
/// let notes: i64 = db.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?;
/// assert_eq!(notes, 0);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Migrator {
    migrations: Migrations,
    settings: Settings,
    environment: Environment,
    /// A setting that cannot be used; said when it would be.
    mistake: Option<String>,
}

impl std::fmt::Debug for Migrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Migrator").field("migrations", &self.migrations).finish_non_exhaustive()
    }
}

impl Migrator {
    /// An app's migrations: `&MIGRATIONS` from [`embed!`](crate::embed), [`Migrations::from_dir`], or the `Runner` that
    /// `refinery::embed_migrations!` makes.
    #[must_use]
    pub fn new(migrations: impl Into<Migrations>) -> Self {
        let environment = if std::env::var_os("LIFEBOAT_ENV").is_some_and(|value| value.eq_ignore_ascii_case("test")) {
            Environment::Test
        } else {
            Environment::Normal
        };
        #[allow(unused_mut)]
        let mut settings = Settings::default();
        #[cfg(any(feature = "log", feature = "tracing"))]
        settings.emitter.listen(crate::log_sink::forward);
        Migrator { migrations: migrations.into(), settings, environment, mistake: None }
    }

    /// The migrations.
    #[must_use]
    pub fn migrations(&self) -> &Migrations {
        &self.migrations
    }

    /// Prepares every connection that lifeboat opens, copies and scratch databases too: functions, collations,
    /// extensions, a key, pragmas. It may run more than once on a connection, and must not leave a transaction open.
    /// `PRAGMA journal_mode = …` and `locking_mode = …` in it are passed over but on the connection that
    /// [`open`](Self::open) returns, so that looking at a file does not change it. A hook that asks `journal_mode` for its
    /// answer has its way: looking puts the mode back, and a run finds WAL mode as the app will have it, but never runs
    /// with its journal in memory or off.
    #[must_use]
    pub fn on_connect(mut self, hook: impl Fn(&Connection) -> rusqlite::Result<()> + Send + Sync + 'static) -> Self {
        let hook: ConnectHook = Arc::new(hook);
        self.settings.connector = Connector::new(Some(hook));
        self
    }

    /// A migration in Rust. It runs inside the transaction of its history row, after those with smaller versions. It has
    /// no text; see [`step_with_text`](Self::step_with_text).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lifeboat::{Migrations, Migrator};
    /// let migrator = Migrator::new(Migrations::none()).step(1, "make_notes", |tx| {
    ///     tx.execute_batch("CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)")?;
    ///     Ok(())
    /// });
    /// # let mut db = rusqlite::Connection::open_in_memory()?;
    /// migrator.apply_to(&mut db)?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn step(
        self,
        version: i64,
        name: &str,
        run: impl Fn(&Connection) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.step_with_text(version, name, "", run)
    }

    /// As [`step`](Self::step), with a text that stands for the code: the checksum covers it, so changing it makes an
    /// applied step divergent.
    #[must_use]
    pub fn step_with_text(
        mut self,
        version: i64,
        name: &str,
        text: impl Into<Cow<'static, str>>,
        run: impl Fn(&Connection) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.migrations.add_step(version, name, text.into(), Arc::new(run));
        self
    }

    /// Where backups lie (by default `backups` beside the database) and how many are kept (5, at least 1).
    #[must_use]
    pub fn backups(mut self, folder: impl Into<PathBuf>, keep: usize) -> Self {
        self.settings.backups = Some(folder.into());
        self.keep(keep)
    }

    /// The data directory, the folder of the database: snapshots and restores then cover every file in it. Without it they
    /// act on the database alone, so that no home folder is ever copied by mistake.
    #[must_use]
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.data_dir = Some(folder.into());
        self
    }

    /// How many backups are kept: 5 by default, at least 1.
    #[must_use]
    pub fn keep(mut self, keep: usize) -> Self {
        self.settings.retention = self.settings.retention.with_last(keep);
        self
    }

    /// Which backups are kept: the last five by default. [`keep`](Self::keep) changes the first of these rules alone.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Takes no backup. Rolling back still works; a run of several transactions is refused. (A restore takes one all the
    /// same.)
    #[must_use]
    pub fn no_backup(mut self) -> Self {
        self.settings.backup = false;
        self
    }

    /// How long to wait for the launch lock, and how long for SQLite's locks: 10 seconds by default, 24 days at most.
    #[must_use]
    pub fn wait(mut self, at_most: Duration) -> Self {
        // SQLite counts milliseconds in an `int`.
        self.settings.wait = at_most.min(Duration::from_millis(i32::MAX.unsigned_abs().into()));
        self
    }

    /// How much of a run is one transaction; all of it by default.
    #[must_use]
    pub fn atomicity(mut self, atomicity: Atomicity) -> Self {
        self.settings.atomicity = atomicity;
        self
    }

    /// Allows migrations what is refused otherwise: `attach`, `load_extension`, `history` (changing the history or the
    /// ledger), or a pragma by its name, such as `writable_schema`.
    #[must_use]
    pub fn allow(mut self, name: &str) -> Self {
        self.settings.allow.insert(name.to_lowercase());
        self
    }

    /// Runs one migration with foreign keys on, so that cascades happen, as `-- lifeboat: foreign-keys on` in its text.
    #[must_use]
    pub fn foreign_keys_on(mut self, version: i64) -> Self {
        self.migrations.direct(version, |directives| directives.foreign_keys_on = true);
        self
    }

    /// Runs one migration outside any transaction, as `-- lifeboat: no-transaction` in its text.
    #[must_use]
    pub fn no_transaction(mut self, version: i64) -> Self {
        self.migrations.direct(version, |directives| directives.no_transaction = true);
        self
    }

    /// refinery's history table, where the app gave it another name than `refinery_schema_history`.
    #[must_use]
    pub fn history_table(mut self, name: &str) -> Self {
        // refinery puts the name into its SQL as it is.
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if plain {
            name.clone_into(&mut self.settings.history_table);
        } else {
            self.mistake = Some(format!("`{name}` cannot name the history table: letters, digits and underscores can"));
        }
        self
    }

    /// What is checked in the copy, and in the file before the commit.
    #[must_use]
    pub fn check_level(mut self, check: Check) -> Self {
        self.settings.check = check;
        self
    }

    /// A check of the app's own before the commit. It sees the migrated state and cannot write; an error rolls the run
    /// back.
    #[must_use]
    pub fn check(
        mut self,
        name: &str,
        check: impl Fn(&Connection) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.settings.checks.push((name.to_owned(), Arc::new(check)));
        self
    }

    /// Called before each migration, in its transaction; an error rolls the run back.
    #[must_use]
    pub fn before_each(
        mut self,
        hook: impl Fn(&Connection, &StepContext) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.settings.before_each.push(Arc::new(hook));
        self
    }

    /// Called after each migration, in its transaction; an error rolls the run back.
    #[must_use]
    pub fn after_each(
        mut self,
        hook: impl Fn(&Connection, &StepContext) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.settings.after_each.push(Arc::new(hook));
        self
    }

    /// Gets every event, on the thread that runs the call; once more for each listener added.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.settings.emitter.listen(listener);
        self
    }

    /// Lets another thread cancel.
    #[must_use]
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.settings.cancel = token;
        self
    }

    /// The longest that one statement may run; without limit by default.
    #[must_use]
    pub fn statement_limit(mut self, at_most: Duration) -> Self {
        self.settings.statement_limit = Some(at_most);
        self
    }

    /// What the ledger keeps of applied SQL: texts up to 1 MiB by default.
    #[must_use]
    pub fn ledger_text(mut self, kept: LedgerText) -> Self {
        self.settings.ledger_text = kept;
        self
    }

    /// The app's version, for the ledger, the backups and the log of runs.
    #[must_use]
    pub fn app_version(mut self, version: &str) -> Self {
        self.settings.app_version = Some(version.to_owned());
        self
    }

    /// Whether [`open`](Self::open) migrates. By default it does, unless the variable `LIFEBOAT_ENV` is `test`.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Where the time comes from, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> chrono::DateTime<chrono::Utc> + Send + Sync + 'static) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Brings the file to the app's schema, makes it if it is not there, and opens it.
    ///
    /// With nothing to do this is one connection and one read transaction: no lock, no write.
    ///
    /// The connection is what `rusqlite::Connection::open` gives, prepared by [`on_connect`](Self::on_connect); its busy
    /// time-out is [`wait`](Self::wait), unless `on_connect` sets another. Only where neither the file nor its folder can
    /// be written does it read alone.
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind). [`Error::outcome`] says what state the file is in: after `Untouched`,
    /// `RolledBack` and `Restored` it is as it was; after `Created` and `Migrated` the run succeeded, and the file could
    /// not be opened for the app.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Connection> {
        let path = path.as_ref();
        let launch = self.launch(path, Target::Latest)?;
        if self.environment == Environment::Test {
            let pending = match launch.look() {
                Ok(Ready::Pending(pending)) => pending,
                Ok(Ready::Absent) => self.migrations.len(),
                _ => 0,
            };
            self.settings.emitter.emit(Event::SkippedInTest { pending });
            return Ok(self.connect(path)?);
        }
        let ready = launch.look().inspect_err(|error| launch.tell_failure(error))?;
        if let Ready::UpToDate(looked) = ready {
            let Looked { connection, purpose, database, .. } = *looked;
            let connector = &self.settings.connector;
            return Ok(connector.hand_over_looked(connection, database.real(), purpose, self.settings.wait)?);
        }
        let report = launch.migrate()?;
        // What cannot be opened now is migrated all the same.
        self.connect(path).map_err(|problem| {
            Error::new(problem, report.outcome)
                .with_backup(report.backup)
                .with_results(report.results)
                .with_recovered(report.recovered)
        })
    }

    fn connect(&self, path: &Path) -> Result<Connection, Problem> {
        let database = DatabasePath::resolve(path)?;
        self.settings.connector.open(database.real(), Purpose::AppCreates, self.settings.wait)
    }

    /// One file, for one operation at a time.
    pub fn at(&self, path: impl Into<PathBuf>) -> Database<'_> {
        Database::new(self, path.into())
    }

    /// Migrates a connection that is open, without lock and backup: for a database in memory, in a test. Its setting of
    /// foreign keys and its time-out stay; an authorizer or a progress handler of its own is removed.
    ///
    /// # Errors
    /// As [`open`](Self::open); and a run of several transactions on a database that is not in memory.
    pub fn apply_to(&self, connection: &mut Connection) -> Result<Report> {
        ops::apply_to(&self.launch(Path::new(":memory:"), Target::Latest)?, connection)
    }

    /// An empty database in memory, prepared by `on_connect`.
    pub(crate) fn scratch(&self) -> Result<Connection> {
        Ok(self.settings.connector.memory()?)
    }

    pub(crate) fn launch<'a>(&'a self, path: &'a Path, target: Target) -> Result<Launch<'a>> {
        if let Some(what) = &self.mistake {
            return Err(Problem::Unsupported { what: what.clone() }.into());
        }
        Ok(Launch { settings: &self.settings, migrations: &self.migrations, path, target })
    }
}
