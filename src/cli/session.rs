//! A command at work: its options, its streams, and the migrator that they make.

use std::sync::Arc;

use lifeboat::{CancelToken, Migrations, Migrator};

use super::answer::Failure;
use super::interrupt;
use super::log_file::LogFile;
use super::options::Options;
use super::progress::Progress;
use super::screen::Screen;

pub(super) struct Session {
    pub(super) options: Options,
    pub(super) screen: Screen,
    pub(super) json: bool,
    pub(super) progress: Arc<Progress>,
    pub(super) cancel: CancelToken,
}

impl Session {
    pub(super) fn new(
        options: Options,
        screen: Screen,
        json: bool,
        shown: bool,
        writes: bool,
        tidies: bool,
    ) -> Result<Self, Failure> {
        // What only looks writes nothing, not even a log.
        let log = options.log_file.as_deref().filter(|_| writes).map(LogFile::open).transpose()?;
        let progress = Arc::new(Progress::new(screen.clone(), shown, log));
        let cancel = CancelToken::new();
        // What has something to take back is not ended at once by Ctrl-C.
        if writes || tidies {
            interrupt::listen(&cancel, &progress);
            progress.keep_telling();
        }
        Ok(Session { options, screen, json, progress, cancel })
    }

    /// The database for people, as it lies from here.
    pub(super) fn database(&self) -> String {
        self.screen.path(&self.options.database)
    }

    /// The migrations of the folder.
    pub(super) fn migrations(&self) -> Result<Migrations, Failure> {
        let folder = &self.options.migrations;
        let migrations = Migrations::from_dir(folder)?;
        if migrations.is_empty() {
            self.progress.warn(&format!("there are no migrations in `{}`", folder.display()));
        }
        Ok(migrations)
    }

    /// How the options want these migrations to be run.
    pub(super) fn migrator(&self, migrations: Migrations) -> Migrator {
        self.migrator_with(migrations, self.options.history_table.as_deref())
    }

    /// The same with another history table.
    pub(super) fn migrator_with(&self, migrations: Migrations, history_table: Option<&str>) -> Migrator {
        let options = &self.options;
        let progress = Arc::clone(&self.progress);
        let mut migrator = Migrator::new(migrations)
            .wait(options.wait)
            .atomicity(options.atomicity)
            .check_level(options.check)
            .cancel(self.cancel.clone())
            .on_event(move |event| progress.event(event));
        if let Some(folder) = &options.backups {
            migrator = migrator.backups(folder, 1);
        }
        migrator = migrator.retention(options.retention.clone());
        if options.covers_data_dir() {
            migrator = migrator.data_dir(&options.data_dir);
        }
        if let Some(name) = history_table {
            migrator = migrator.history_table(name);
        }
        migrator = options.allow.iter().fold(migrator, |migrator, name| migrator.allow(name));
        migrator = options.no_transaction.iter().fold(migrator, |migrator, version| migrator.no_transaction(*version));
        options.foreign_keys_on.iter().fold(migrator, |migrator, version| migrator.foreign_keys_on(*version))
    }
}
