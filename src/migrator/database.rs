//! One file of an app, to do one operation at a time to: [`Database`].

use std::path::{Path, PathBuf};

use super::builder::Migrator;
use crate::backup::{Backup, Backups};
use crate::error::{Error, Result};
use crate::file::DatabasePath;
use crate::migration::{Migration, Target};
use crate::ops::{self, Launch, Status};
use crate::report::{Outcome, Report};

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

    /// The backups of this file, from the oldest to the newest.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn backups(&self) -> Result<Vec<Backup>> {
        let database = DatabasePath::resolve(&self.path)?;
        let backups = Backups::of(&database, self.migrator.settings().backups.as_deref());
        backups.list().map_err(|problem| Error::new(problem, Outcome::Untouched))
    }

    fn launch(&self, target: Target) -> Result<Launch<'_>> {
        self.migrator.launch(&self.path, target)
    }
}
