//! A new file is created whole or not at all: it is made under another name beside its own, synced, and linked into
//! place. Nobody ever sees a half of it, whatever kills the process, and however many transactions its run has.

use std::fs::{File, OpenOptions};
use std::io;
use std::time::Instant;

use super::launch::{Launch, run_id};
use super::left::warn_of_copies;
use super::outcome::{Log, finished};
use crate::backup::Backups;
use crate::engine::{Before, Run, Session, group};
use crate::error::{Error, Problem, Result, described};
use crate::file::{
    DatabasePath, Purpose, aside_stale_sidecars, has_sidecars, io_problem, link_into_place, remove_with_sidecars,
    sqlite_problem, sync_file, sync_folder, write_problem,
};
use crate::migration::plan;
use crate::report::{Outcome, Report, StepState};

/// Behind the database's name while it is made.
pub(crate) const SUFFIX: &str = "-lifeboat-new";

/// Makes the file. Nothing, if somebody else made one meanwhile.
pub(crate) fn create(launch: &Launch<'_>, database: &DatabasePath) -> Result<Option<Report>> {
    let temporary = database.sidecar(SUFFIX);
    let clear = || remove_with_sidecars(&temporary).map_err(|source| io_problem(&temporary, "remove", source));
    clear()?;
    let made = make(launch, database);
    if !matches!(made, Ok(Some(_))) {
        clear()?;
    }
    made
}

fn make(launch: &Launch<'_>, database: &DatabasePath) -> Result<Option<Report>> {
    let settings = launch.settings;
    let (path, temporary) = (database.real(), database.sidecar(SUFFIX));
    let mut plan = plan(launch.migrations.as_slice(), &[]);
    plan.aim(launch.target)?;
    if plan.pending.is_empty() {
        return Ok(Some(finished(Outcome::UpToDate, Vec::new(), None)));
    }
    // With the permissions that SQLite would give it.
    File::create_new(&temporary).map_err(|source| write_problem(&temporary, "create", source))?;
    let failed = |error: rusqlite::Error| sqlite_problem(path, "create", &error);
    let connection = settings.connector.open(&temporary, Purpose::Write, settings.wait)?;
    let mut session = Session::over(settings, connection).map_err(failed)?;
    put_stale_sidecars_aside(launch, database)?;
    warn_of_copies(launch, database);
    let groups = group(&plan.pending, settings.atomicity);
    session
        .connection
        // Nobody sees the file before it is synced as a whole, so SQLite need neither sync nor keep a journal on disk.
        .execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
        .and_then(|()| session.set_foreign_keys(groups.first().is_some_and(|first| first.manner.keys_on)))
        .and_then(|()| session.connection.execute_batch("BEGIN IMMEDIATE"))
        .map_err(failed)?;
    let run = Run {
        settings,
        path,
        id: run_id(settings),
        pending: &plan.pending,
        groups: &groups,
        has_history: false,
        width: None,
        copy: None,
        before: Before::Nothing,
        journal_mode: String::new(),
    };
    let backups = Backups::of(database, settings.backups.as_deref());
    let log = Log { backups: &backups, settings, run: &run, database, started: Instant::now(), at: settings.now() };
    let results = match run.execute(&mut session) {
        Ok(results) => results,
        Err(mut failure) => {
            for result in failure.results.iter_mut().filter(|result| result.state == StepState::Restored) {
                result.state = StepState::RolledBack;
            }
            log.write(Outcome::RolledBack, Some(described(&failure.problem)));
            return Err(Error::new(failure.problem, Outcome::RolledBack).with_results(failure.results));
        }
    };
    // A migration may have turned it into a WAL database; all of it must be in the one file.
    let _ = session.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    session.connection.close().map_err(|(_, error)| failed(error))?;
    if !put_into_place(launch, database)? {
        return Ok(None);
    }
    let report = finished(Outcome::Created, results, None);
    log.write(report.outcome, None);
    Ok(Some(report))
}

/// What lies beside a name that no file has was left by a database that was here before. To be seen to before the run:
/// while it runs another program may make the file, and then what lies beside it is its own.
pub(crate) fn put_stale_sidecars_aside(launch: &Launch<'_>, database: &DatabasePath) -> Result<(), Problem> {
    let path = database.real();
    if std::fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let stamp = (launch.settings.clock)().format("%Y-%m-%dT%H-%M-%S").to_string();
    let aside =
        aside_stale_sidecars(database, &stamp).map_err(|source| io_problem(path, "move sidecars of", source))?;
    for stale in aside {
        launch
            .settings
            .emitter
            .warn(format!("a database of this name was here before; what was left of it is now `{}`", stale.display()));
    }
    Ok(())
}

/// Whether the name was free.
fn put_into_place(launch: &Launch<'_>, database: &DatabasePath) -> Result<bool, Problem> {
    let (path, temporary) = (database.real(), database.sidecar(SUFFIX));
    let file = OpenOptions::new().write(true).open(&temporary);
    file.and_then(|file| sync_file(&file)).map_err(|source| io_problem(&temporary, "sync", source))?;
    // Then somebody else is at work under this name: SQLite makes the file before its log.
    if has_sidecars(database) {
        return Ok(false);
    }
    match link_into_place(&temporary, path) {
        Ok(()) => {
            // The file is there, whole, for everybody: an error would not be true of it.
            if let Err(error) = sync_folder(database.folder()) {
                let message = format!("`{}` is there, but may not outlast a power cut: {error}", path.display());
                launch.settings.emitter.warn(message);
            }
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(io_problem(path, "create", source)),
    }
}
