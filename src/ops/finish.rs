//! The second half of a restore, after its database is in place: its files, and the end of the note that they follow. Done
//! by the restore itself or, if that was killed, by the next launch.

use super::launch::Launch;
use super::outcome::finished;
use crate::backup::{Backups, Directory, Said, Staging, set_journal_mode};
use crate::engine::{Session, begin_immediate, close_restore, commit};
use crate::error::{Error, Problem, Result, described};
use crate::event::Event;
use crate::file::{DatabasePath, sqlite_problem};
use crate::migration::{OpenRestore, committed_backups};
use crate::report::{Outcome, Report};

/// Finishes an open restore. The session has no transaction; the launch lock is held. How many files it saw to.
///
/// Killed at any point of this, the next launch finds the note again and begins again: see [`Staging::bring`].
pub(crate) fn finish_restore(
    launch: &Launch<'_>,
    database: &DatabasePath,
    session: &mut Session,
    open: &OpenRestore,
) -> Result<usize> {
    session.watch.turn_deaf(); // half of the files is no place to stop
    let done = finish(launch, database, session, open);
    session.watch.listen_again();
    done.map_err(|problem| Error::new(problem, Outcome::NeedsRecovery))
}

fn finish(
    launch: &Launch<'_>,
    database: &DatabasePath,
    session: &mut Session,
    open: &OpenRestore,
) -> Result<usize, Problem> {
    let settings = launch.settings;
    let path = database.real();
    let backups = Backups::of(database, settings.backups.as_deref());
    let staging = Staging::of(database);
    let mut files = 0;
    if open.files {
        let stuck = |why: &str| Problem::RestoreUnfinished { path: path.to_owned(), why: why.to_owned() };
        // Both come from the file, and may be anything.
        if backups.names.read(open.backup.as_ref()).is_none() {
            return Err(stuck("the ledger does not say where what they replace is kept"));
        }
        if !staging.is_of(&open.id) {
            return Err(stuck("they are not where they waited"));
        }
        let directory = Directory::of(database, &backups);
        let brought = staging.bring(&directory, &backups.folder.join(&open.backup), settings.wait);
        files = brought.map_err(|problem| stuck(&described(&problem)))?;
    }
    if open.journal_mode == "wal" {
        // Whoever is in the way has a database that works; the app's hook may set the mode too.
        let _ = set_journal_mode(&session.connection, "wal");
    }
    // No run is open. What undoes the last run that failed is not known here, and is not asked for.
    let said = Said { open_run: None, committed: committed_backups(&session.connection).ok() };
    let tidied =
        backups.mark_succeeded(&open.backup).and_then(|()| backups.rotate(&open.backup, &said, &settings.rules()));
    if let Err(problem) = tidied {
        settings.emitter.warn(format!("old backups were not removed: {}", described(&problem)));
    }
    let failed = |error: rusqlite::Error| sqlite_problem(path, "write", &error);
    let uncancelled = crate::engine::Settings { cancel: crate::event::CancelToken::new(), ..settings.clone() };
    let begun = begin_immediate(&session.connection, &uncancelled, path);
    let closed = begun.and_then(|()| close_restore(&session.connection).map_err(failed));
    if let Err(problem) = closed.and_then(|()| commit(&session.connection, &uncancelled, path)) {
        let _ = session.connection.execute_batch("ROLLBACK");
        // Database and files are what they should be; what waits no more is kept for the note.
        let problem = described(&problem);
        settings.emitter.warn(format!("the restore is done, and the next launch will note so: {problem}"));
        return Ok(files);
    }
    session.empty_log();
    let _ = session.connection.busy_timeout(settings.wait);
    if let Err(problem) = staging.discard() {
        settings.emitter.warn(described(&problem)); // the next launch that writes tries again
    }
    Ok(files)
}

/// The same for a launch that finds one: says so.
pub(crate) fn resume_restore(
    launch: &Launch<'_>,
    database: &DatabasePath,
    session: &mut Session,
    open: &OpenRestore,
) -> Result<Report> {
    let files = finish_restore(launch, database, session, open)?;
    launch.settings.emitter.emit(Event::RestoreResumed { files });
    let message = "the restore that was cut off is finished".to_owned();
    Ok(Report { message, ..finished(Outcome::Restored, Vec::new(), None) })
}
