//! One file of an app, to do one operation at a time to: [`Database`].

use std::path::{Path, PathBuf};

use super::builder::Migrator;
use crate::backup::{Backup, Verified};
use crate::error::Result;
use crate::migration::{Migration, Target};
use crate::ops::{
    self, CompareOptions, Comparison, Diagnosis, Launch, RestoreFrom, RestoreOptions, RestoreReport, Snapshot,
    SnapshotOptions, Soundness, Stats, Status, TableReport, TableRows,
};
use crate::report::Report;
use crate::schema::{Detail, Inspection, Schema};

/// One file of an app.
///
/// ```
/// # static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations");
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("notes.db");
/// let migrator = lifeboat::Migrator::new(&MIGRATIONS);
/// let db = migrator.at(&path);
/// let report = db.migrate_to(3)?;
/// assert_eq!(report.results.len(), 3);
/// assert_eq!(db.status()?.pending_migrations.len(), 8);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Database<'a> {
    migrator: &'a Migrator,
    path: PathBuf,
}

impl<'a> Database<'a> {
    pub(crate) fn new(migrator: &'a Migrator, path: PathBuf) -> Self {
        Database { migrator, path }
    }
}

impl Database<'_> {
    /// The path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is applied, pending and wrong. Writes nothing.
    ///
    /// # Errors
    /// There is no such file, or it is not a database that can be read.
    pub fn status(&self) -> Result<Status> {
        ops::status(&self.launch(Target::Latest)?)
    }

    /// What the file holds: tables with their columns, keys, indexes, rows and bytes, views, triggers. All of it is of one
    /// moment, also while another process writes. Writes nothing, and works on any SQLite file, whatever migrations the
    /// migrator has. Every row is counted, which takes its time in a large file.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lifeboat::{Migrations, Migrator};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("any.db");
    /// # rusqlite::Connection::open(&path)?.execute_batch("CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)")?;
    /// let inspection = Migrator::new(Migrations::none()).at(&path).inspect()?;
    /// assert_eq!(inspection.schema.tables[0].columns[1].name, "body");
    /// assert_eq!(inspection.size("note").rows, Some(0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// There is no such file, or it is not a database that can be read.
    pub fn inspect(&self) -> Result<Inspection> {
        ops::inspect(&self.launch(Target::Latest)?)
    }

    /// One table or view of it, with its first `rows` rows if there shall be some. Names are compared as SQLite does.
    ///
    /// # Errors
    /// As [`inspect`](Self::inspect); and `no-such-table`.
    pub fn inspect_table(&self, name: &str, rows: Option<usize>) -> Result<Detail> {
        ops::inspect_table(&self.launch(Target::Latest)?, name, rows)
    }

    /// The schema alone: nothing is counted. Its [`script`](Schema::script) makes it anew, its
    /// [`svg`](Schema::svg) is a picture of it.
    ///
    /// # Errors
    /// As [`inspect`](Self::inspect).
    pub fn schema(&self) -> Result<Schema> {
        ops::schema(&self.launch(Target::Latest)?)
    }

    /// The file at a glance: sizes, pages, the numbers in its header, its backups; and whether it is sound, if that is
    /// asked. Writes nothing, and works on any SQLite file. Every page is read.
    ///
    /// # Errors
    /// As [`inspect`](Self::inspect). Damage that leaves the file readable is no error: [`Stats::integrity`] tells it.
    pub fn stats(&self, soundness: Soundness) -> Result<Stats> {
        ops::stats(&self.launch(Target::Latest)?, soundness)
    }

    /// Everything about the file that can be checked without writing: its state, with what can be done about it, and a
    /// finding a check. Nothing that is wrong with the file is an error, and there need be no file. Pages are looked at by
    /// `PRAGMA quick_check`, and every row that refers to another; `Migrator::cancel` ends it.
    ///
    /// The launch lock is looked at through a shared lock, SQLite's write lock by taking it; both are let go at once, and
    /// whoever waits for a lock does not notice.
    ///
    /// ```
    /// # static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("notes.db");
    /// use lifeboat::{Action, Migrator, State};
    /// let migrator = Migrator::new(&MIGRATIONS);
    /// let diagnosis = migrator.at(&path).diagnose()?;
    /// assert!(matches!(diagnosis.state, State::Absent { .. }));
    /// assert_eq!(diagnosis.state.actions(), [Action::Migrate]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Cancelled; or the migrator has a setting that cannot be used.
    pub fn diagnose(&self) -> Result<Diagnosis> {
        self.diagnose_with(Soundness::Quick)
    }

    /// The same, with as thorough a look at the pages as is asked for. With `Soundness::Unasked` neither pages nor rows
    /// are looked at.
    ///
    /// # Errors
    /// As [`diagnose`](Self::diagnose).
    pub fn diagnose_with(&self, soundness: Soundness) -> Result<Diagnosis> {
        ops::diagnose(&self.launch(Target::Latest)?, soundness)
    }

    /// Tells this file from another one: what is added is in `other` alone, what is removed in this one alone. As
    /// [`compare`](crate::compare), with the connections prepared by [`Migrator::on_connect`]. Writes nothing.
    ///
    /// # Errors
    /// One of them is not there, or is not a database that can be read. Cancelled.
    pub fn compare_with(&self, other: impl AsRef<Path>) -> Result<Comparison> {
        self.compare_in_detail(other, CompareOptions::new())
    }

    /// As [`compare_with`](Self::compare_with), with rows that differ, and what they hold.
    ///
    /// # Errors
    /// As [`compare_with`](Self::compare_with).
    pub fn compare_in_detail(&self, other: impl AsRef<Path>, options: CompareOptions) -> Result<Comparison> {
        ops::compare_launched(&self.launch(Target::Latest)?, other.as_ref(), options)
    }

    /// Applies all that is pending.
    ///
    /// # Errors
    /// As [`Migrator::open`].
    pub fn migrate(&self) -> Result<Report> {
        self.launch(Target::Latest)?.migrate()
    }

    /// Applies what is pending up to and with `version`.
    ///
    /// # Errors
    /// As [`Migrator::open`]; and `unknown-target` if there is no such version or the file is past it.
    pub fn migrate_to(&self, version: i64) -> Result<Report> {
        self.launch(Target::Version(version))?.migrate()
    }

    /// Applies the next `steps` pending migrations.
    ///
    /// # Errors
    /// As [`Migrator::open`].
    pub fn migrate_steps(&self, steps: usize) -> Result<Report> {
        self.launch(Target::Steps(steps))?.migrate()
    }

    /// The migrations that [`migrate`](Self::migrate) would apply, in order, after every refusal that needs no lock.
    /// Writes nothing. `to` and `steps` limit them as they do a run.
    ///
    /// # Errors
    /// What the run would be refused for.
    pub fn preview(&self, to: Option<i64>, steps: Option<usize>) -> Result<Vec<Migration>> {
        let target = match (to, steps) {
            (Some(version), _) => Target::Version(version),
            (None, Some(steps)) => Target::Steps(steps),
            (None, None) => Target::Latest,
        };
        ops::preview(&self.launch(target)?)
    }

    /// Undoes a run that was cut off between its transactions, without migrating. The next launch would do so too.
    ///
    /// # Errors
    /// `needs-recovery`, with what stands in the way.
    pub fn recover(&self) -> Result<Report> {
        ops::recover(&self.launch(Target::Latest)?, ops::Way::Back)
    }

    /// Takes a file as it is in which a run was cut off, and calls the run closed: for when its copy is lost. What the
    /// history names as applied is what counts from then on; a migration without a transaction may be half done. The
    /// state is kept as a backup first.
    ///
    /// # Errors
    /// The file is in use, or the backup cannot be taken.
    pub fn accept_interrupted(&self) -> Result<Report> {
        ops::recover(&self.launch(Target::Latest)?, ops::Way::Accept)
    }

    /// The backups of this file, from the oldest to the newest; also where the file itself is lost or damaged. Writes
    /// nothing.
    ///
    /// # Errors
    /// The folder cannot be read; or there is neither a backup nor the file.
    pub fn backups(&self) -> Result<Vec<Backup>> {
        ops::backups(&self.launch(Target::Latest)?)
    }

    /// Takes a backup now, under the launch lock, of a file that others may have open: of one moment, checked, durable.
    /// Where the newest backup has the same content, that one is it. It is then kept and pruned as any other, `reason`
    /// (1000 characters at most) or not, and older ones go as [`Migrator::retention`] says.
    ///
    /// In WAL mode others write meanwhile; with a rollback journal they wait to commit.
    ///
    /// # Errors
    /// There is no such file; it cannot be read, or is damaged; a run on it was cut off; or the copy cannot be written.
    /// The file is untouched.
    pub fn backup(&self, reason: Option<&str>) -> Result<Backup> {
        ops::back_up(&self.launch(Target::Latest)?, reason)
    }

    /// Looks whether the newest backup, or with `all` each from the oldest on, is what was taken, and sound to SQLite
    /// (`PRAGMA integrity_check`). It takes no lock. A compressed one is decompressed beside it for as long as that takes.
    ///
    /// # Errors
    /// As [`backups`](Self::backups); what is wrong with a backup is none. Cancelled.
    pub fn verify_backups(&self, all: bool) -> Result<Vec<Verified>> {
        ops::verify_backups(&self.launch(Target::Latest)?, all)
    }

    /// Removes the backups that [`Migrator::retention`] does not keep, or those but the newest `keep`, under the launch
    /// lock, and compresses what is to be compressed. With `dry_run` it only says which would go, at the most: what is
    /// compressed before may make room. Nothing goes that is not older than a backup that was just seen to be whole.
    ///
    /// # Errors
    /// The file is not there or cannot be read: it may need any of them. The folder cannot be read or written.
    pub fn prune_backups(&self, keep: Option<usize>, dry_run: bool) -> Result<Vec<Backup>> {
        ops::prune_backups(&self.launch(Target::Latest)?, keep, dry_run)
    }

    /// Copies the database, and with [`Migrator::data_dir`] every other file of the data directory, to a snapshot that is
    /// named: `<data directory>.<name>/`, or `<file>.<name>`. Others may go on reading and writing. It is whole or not
    /// there, and never pruned.
    ///
    /// ```
    /// # static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("notes.db");
    /// # lifeboat::Migrator::new(&MIGRATIONS).open(&path)?;
    /// use lifeboat::{RestoreFrom, RestoreOptions, SnapshotOptions};
    ///
    /// let migrator = lifeboat::Migrator::new(&MIGRATIONS);
    /// let db = migrator.at(&path);
    /// db.snapshot("before-import", SnapshotOptions::default())?;
    /// // … the import goes wrong …
    /// let report = db.restore(&RestoreFrom::Snapshot("before-import".to_owned()), RestoreOptions::default())?;
    /// assert!(report.backup.is_some()); // restoring that undoes it
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The name cannot be one (`bad-name`), is taken (`name-taken`) or reserved (`reserved-name`); the database is
    /// damaged, or a run on it was cut off (`interrupted`); the disk has too little room.
    pub fn snapshot(&self, name: &str, options: SnapshotOptions) -> Result<Snapshot> {
        ops::snapshot(&self.launch(Target::Latest)?, name, options)
    }

    /// The snapshots that there are, by their names. Writes nothing.
    ///
    /// # Errors
    /// The folder that they lie in cannot be read.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        ops::snapshots(&self.launch(Target::Latest)?)
    }

    /// Removes a snapshot, and says where it was.
    ///
    /// # Errors
    /// There is none of this name (`no-such-copy`), it is reserved (`reserved-name`), or it cannot be removed.
    pub fn delete_snapshot(&self, name: &str, options: SnapshotOptions) -> Result<PathBuf> {
        ops::delete_snapshot(&self.launch(Target::Latest)?, name, options)
    }

    /// Goes back to a copy. What is there now is backed up first, so that a restore is undone by a restore. With
    /// [`Migrator::data_dir`] the other files of the data directory are brought to the state of a snapshot too; what the
    /// snapshot lacks is kept, unless [`RestoreOptions::exact`] says otherwise.
    ///
    /// The database changes at once: whoever is killed leaves the old one or the new one, and the files follow at the
    /// latest with the next launch.
    ///
    /// # Errors
    /// The copy is not there (`no-such-copy`), damaged (`corrupt`, `not-a-database`), of another app (`foreign-copy`) or
    /// newer than this one (`newer`); another process holds a lock for longer than [`Migrator::wait`] (`locked`). Nothing
    /// was changed then. Where the outcome is `NeedsRecovery`, the database is the copy, and the next launch or
    /// [`recover`](Self::recover) brings the files.
    pub fn restore(&self, from: &RestoreFrom, options: RestoreOptions) -> Result<RestoreReport> {
        ops::restore(&self.launch(Target::Latest)?, from, options)
    }

    /// Brings the rows of one table back from a copy of the file: a plain SQLite file (of a backup that may be compressed,
    /// [`Backup::open_plain`] gives one). It happens under the launch lock, after a backup, in one transaction: the rows
    /// are those of the copy, or the file is as it was.
    ///
    /// Rows keep their keys and rowids. Values go into the columns that both have; where there are others here, they keep
    /// theirs in rows that were there, by the primary key, and get their defaults in rows that were not. Triggers do not
    /// fire, and no foreign key cascades; a full-text index whose content the table is, is built anew.
    ///
    /// # Errors
    /// `no-such-table`; `table-refused`, with the reason: a view, a virtual table, history or ledger, primary keys that are
    /// not the same, a column that must not be null and is not in the copy, a constraint that the rows break, an index kept
    /// by triggers that cannot be built anew; `table-orphans`, if rows would refer to nothing that did not before. A run was
    /// cut off, and is to be recovered first. The file is as it was.
    pub fn restore_table(&self, from: impl AsRef<Path>, table: &str, rows: TableRows) -> Result<TableReport> {
        ops::restore_table(&self.launch(Target::Latest)?, from.as_ref(), table, rows)
    }

    fn launch(&self, target: Target) -> Result<Launch<'_>> {
        self.migrator.launch(&self.path, target)
    }
}
