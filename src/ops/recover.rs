//! A run that was cut off between its transactions: what it left is kept, and its copy is put back.

use std::path::PathBuf;

use super::finish::resume_restore;
use super::launch::{Launch, refuse_unwritable};
use super::outcome::finished;
use crate::backup::{Backups, Copying, Directory, Hashing, INTERRUPTED, Original, Staging, put_back};
use crate::engine::{CLOSE_ALL, Session, Settings, begin_immediate, commit};
use crate::error::{Error, Problem, Result, described};
use crate::event::Event;
use crate::file::{DatabasePath, Depth, Purpose, sqlite_problem};
use crate::migration::{OpenRun, Record};
use crate::report::{Outcome, Report};

/// Undoes the open run. The session has no transaction; the launch lock is held.
///
/// Killed at any point of this, the next launch finds the ledger's open run again, or the old state without one: the copy
/// that was restored was taken before the run was opened, and the restore is one transaction.
pub(crate) fn undo_open_run(
    launch: &Launch<'_>,
    database: &DatabasePath,
    session: &mut Session,
    open: &OpenRun,
) -> Result<Option<PathBuf>> {
    let settings = launch.settings;
    let path = database.real();
    let stuck = |problem: Problem| Error::new(problem, Outcome::NeedsRecovery);
    let backups = Backups::of(database, settings.backups.as_deref());
    let original_at = backups.folder.join(&open.backup);
    settings.emitter.emit(Event::RecoveryStarted { backup: original_at });
    let original = Original {
        name: &open.backup,
        size: u64::try_from(open.size).unwrap_or(0),
        hash: Some(open.hash.as_str()).filter(|hash| !hash.is_empty()),
        journal_mode: &open.journal_mode,
    };
    // Before anything is written: without it there is no way back, and no launch may fill the disk over it.
    original.find(&backups, path, &settings.connector, settings.wait).map_err(stuck)?;
    settings.emitter.emit(Event::RestoreStarted { backup: backups.folder.join(&open.backup) });
    let kept = keep_what_is_there(settings, database, &backups, session, &open.backup);
    let kept = kept.map_err(stuck)?;
    session.watch.turn_deaf();
    let back = put_back(
        &backups,
        &original,
        &settings.connector,
        &mut session.connection,
        path,
        settings.wait,
        &settings.emitter,
    );
    session.watch.listen_again();
    back.map_err(stuck)?;
    settings.emitter.emit(Event::RecoveryFinished { kept: kept.clone() });
    Ok(kept)
}

/// Keeps the state between two groups of a run before the copy `original` is put back: what others have written meanwhile
/// is in it. Nothing, if it is too damaged to be copied: that is what the restore mends; anything else can be mended first.
pub(crate) fn keep_what_is_there(
    settings: &Settings,
    database: &DatabasePath,
    backups: &Backups,
    session: &Session,
    original: &str,
) -> Result<Option<PathBuf>, Problem> {
    begin_immediate(&session.connection, settings, database.real())?;
    let kept = backups.take(&Copying {
        connector: &settings.connector,
        database,
        emitter: &settings.emitter,
        cancel: &settings.cancel,
        depth: Depth::Schema,
        now: (settings.clock)(),
        wait: settings.wait,
        reason: INTERRUPTED,
        note: None,
        from: None,
        to: None,
        app_version: settings.app_version.clone(),
        amend: Some(CLOSE_ALL),
        refuse_damage: false,
        hashing: Hashing::Always,
    });
    let _ = session.connection.execute_batch("ROLLBACK");
    match kept {
        Ok(kept) => {
            // Now, not after the restore: whoever is killed between the two, again and again, must not fill the disk.
            if let Err(problem) = backups.forget_interrupted_runs(&kept.name, original, &settings.emitter) {
                settings.emitter.warn(format!("the backups were not tidied: {problem}"));
            }
            Ok(Some(kept.path))
        }
        Err(Problem::Corrupt { detail, .. }) => {
            settings.emitter.warn(format!("what the interrupted run left is damaged and was not kept: {detail}"));
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}

/// What to do with a run that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Put its copy back.
    Back,
    /// Take the file as it is: for a person who has lost the copy and has looked at the file.
    Accept,
}

/// Finishes an interrupted run now, without migrating.
pub(crate) fn recover(launch: &Launch<'_>, way: Way) -> Result<Report> {
    let database = DatabasePath::resolve(launch.path)?;
    if database.metadata().is_none() {
        return Err(super::near::not_found(launch.path).into());
    }
    let (_, record, _) = launch.look_as(database.real(), Purpose::Read)?;
    if record.open_run.is_none() && record.open_restore.is_none() {
        return Ok(nothing());
    }
    refuse_unwritable(&database)?;
    let _lock = launch.lock(&database).map_err(|problem| Error::new(problem, Outcome::NeedsRecovery))?;
    let mut session = Session::open(launch.settings, database.real())?;
    let (record, _) = launch.plan(&session.connection, database.real())?;
    if way == Way::Accept && (record.open_run.is_some() || record.open_restore.is_some()) {
        let report = accept(launch, &database, &session, &record)?;
        if let Err(problem) = Staging::of(&database).discard() {
            launch.settings.emitter.warn(described(&problem));
        }
        return Ok(report);
    }
    let Some(open) = record.open_run else {
        let Some(open) = record.open_restore else { return Ok(nothing()) };
        let report = resume_restore(launch, &database, &mut session, &open)?;
        let message = report.message.clone();
        launch.settings.emitter.emit(Event::Finished { outcome: report.outcome, message, failed: false });
        return Ok(report);
    };
    let kept = undo_open_run(launch, &database, &mut session, &open)?;
    let report = Report { recovered: true, ..finished(Outcome::Restored, Vec::new(), kept) };
    let message = report.message.clone();
    launch.settings.emitter.emit(Event::Finished { outcome: report.outcome, message, failed: false });
    Ok(report)
}

/// Closes the open run. The state that is accepted is kept as a backup first.
fn accept(launch: &Launch<'_>, database: &DatabasePath, session: &Session, record: &Record) -> Result<Report> {
    let settings = launch.settings;
    let path = database.real();
    let stuck = |problem: Problem| Error::new(problem, Outcome::NeedsRecovery);
    let backups = Backups::of(database, settings.backups.as_deref());
    let kept = keep_what_is_there(settings, database, &backups, session, "").map_err(stuck)?;
    let left_out = match &record.open_restore {
        Some(open) if open.files => Staging::of(database).waiting(&Directory::of(database, &backups)),
        _ => 0,
    };
    begin_immediate(&session.connection, settings, path).map_err(stuck)?;
    session.connection.execute_batch(CLOSE_ALL).map_err(|error| stuck(sqlite_problem(path, "write", &error)))?;
    commit(&session.connection, settings, path).map_err(stuck)?;
    let message = match (&record.open_run, left_out) {
        (Some(_), 0) => "the file is taken as it is; the interrupted run is closed".to_owned(),
        (None, 0) => "the file is taken as it is; the interrupted restore is closed".to_owned(),
        (_, 1) => "the file is taken as it is; the restore is closed, and 1 file that it had yet to see to is left out"
            .to_owned(),
        (_, more) => format!(
            "the file is taken as it is; the restore is closed, and {more} files that it had yet to see to are left out"
        ),
    };
    let report = Report { message: message.clone(), ..finished(Outcome::Untouched, Vec::new(), kept) };
    settings.emitter.emit(Event::Finished { outcome: report.outcome, message, failed: false });
    Ok(report)
}

fn nothing() -> Report {
    Report { message: "no run was interrupted".to_owned(), ..finished(Outcome::Untouched, Vec::new(), None) }
}
