//! The end of a run: its report, the way back by the copy, rotation, the line in the log.

use std::path::PathBuf;
use std::time::Instant;

use super::recover::keep_what_is_there;
use crate::backup::{Backups, Original, RunLine, Said, put_back};
use crate::engine::{Failure, Run, Session, Settings};
use crate::error::{Error, Problem, described};
use crate::event::{CancelToken, Event};
use crate::file::DatabasePath;
use crate::migration::Migration;
use crate::report::{Outcome, Report, StepReport};

/// Where a run is written down.
pub(crate) struct Log<'a> {
    pub(crate) backups: &'a Backups,
    pub(crate) settings: &'a Settings,
    pub(crate) run: &'a Run<'a>,
    pub(crate) database: &'a DatabasePath,
    pub(crate) started: Instant,
    pub(crate) at: String,
}

impl Log<'_> {
    /// Only now, with the run committed, may an old backup go.
    pub(crate) fn succeeded(&self, report: &Report) {
        let emitter = &self.settings.emitter;
        if let Some(copy) = self.run.copy {
            let kept = self
                .backups
                .mark_succeeded(&copy.name)
                // No run is open, and the last one did not fail.
                .and_then(|()| self.backups.rotate(&copy.name, &Said::default(), &self.settings.rules()));
            if let Err(problem) = kept {
                emitter.warn(format!("old backups were not removed: {problem}"));
            }
        }
        self.write(report.outcome, None);
    }

    pub(crate) fn write(&self, outcome: Outcome, error: Option<String>) {
        let line = RunLine {
            format: 1,
            run: &self.run.id,
            database: self.database.real().display().to_string(),
            started: self.at.clone(),
            duration_ms: self.started.elapsed().as_secs_f64() * 1000.0,
            count: self.run.pending.len(),
            first: self.run.pending.first().map(Migration::id),
            last: self.run.pending.last().map(Migration::id),
            backup: self.run.copy.map(|copy| copy.name.clone()),
            outcome,
            app_version: self.settings.app_version.as_deref(),
            error,
        };
        if let Err(error) = self.backups.log_run(&line, self.database.real()) {
            self.settings.emitter.warn(format!("the log of runs was not written: {error}"));
        }
    }
}

/// Goes back as far as SQLite's rollback did not, and says in what state the file is.
pub(crate) fn failed_run(log: Log<'_>, failure: Failure<'_>, session: &mut Session) -> Error {
    let settings = log.settings;
    let Failure { problem, mut results, restore, others } = failure;
    let backup = log.run.copy.map(|copy| copy.path.clone());
    let error = match (restore, log.run.copy) {
        (true, Some(copy)) => {
            let original = Original {
                name: &copy.name,
                size: copy.size,
                hash: copy.hash.as_deref(),
                journal_mode: &log.run.journal_mode,
            };
            let path = log.database.real();
            settings.emitter.emit(Event::RestoreStarted { backup: copy.path.clone() });
            // As late as can be: between the rollback and this, nobody was shut out.
            let others_wrote = others.is_some_and(|others| others.wrote(&session.connection));
            let kept = if others_wrote { keep_for_others(&log, session, &copy.name) } else { Ok(()) };
            let back = kept.and_then(|()| {
                put_back(
                    log.backups,
                    &original,
                    &settings.connector,
                    &mut session.connection,
                    path,
                    settings.wait,
                    &settings.emitter,
                )
            });
            match back {
                Ok(()) => Error::new(problem, Outcome::Restored),
                Err(stuck) => {
                    settings.emitter.warn(format!("{problem}; and {stuck}"));
                    for result in results.iter_mut().filter(|result| result.success) {
                        result.state = crate::report::StepState::Applied;
                    }
                    Error::new(stuck, Outcome::NeedsRecovery)
                }
            }
        }
        // The file could not be seen to be as it was, and the app wanted no copy.
        (true, None) => Error::new(problem, Outcome::NeedsRecovery),
        (false, _) => Error::new(problem, Outcome::RolledBack),
    };
    if let Some(Err(problem)) = log.run.copy.map(|copy| log.backups.mark_failed(&copy.name)) {
        settings.emitter.warn(format!("the backup that undoes this run is not marked: {problem}"));
    }
    log.write(error.outcome(), Some(described(&error)));
    error.with_backup(backup).with_results(results)
}

/// Another program wrote between the groups, and was told that its rows are committed: they must be somewhere. If they
/// cannot be kept, nothing is put back; the run stays open, and the next launch tries again.
fn keep_for_others(log: &Log<'_>, session: &Session, original: &str) -> Result<(), Problem> {
    // The way back is not cancelled.
    let settings = Settings { cancel: CancelToken::new(), ..log.settings.clone() };
    let kept = keep_what_is_there(&settings, log.database, log.backups, session, original)?;
    if let Some(kept) = kept {
        log.settings.emitter.warn(format!(
            "another program wrote to the file during the run; what it wrote is in `{}` alone",
            kept.display()
        ));
    }
    Ok(())
}

/// The report of a run whose target is reached already; `later` migrations are pending beyond it.
pub(crate) fn nothing_to_do(later: usize) -> Report {
    let report = finished(Outcome::UpToDate, Vec::new(), None);
    match later {
        0 => report,
        1 => Report { message: "nothing to do; 1 later migration is pending".to_owned(), ..report },
        more => Report { message: format!("nothing to do; {more} later migrations are pending"), ..report },
    }
}

/// The report of a call that succeeded.
pub(crate) fn finished(outcome: Outcome, results: Vec<StepReport>, backup: Option<PathBuf>) -> Report {
    let count = match results.len() {
        1 => "1 migration".to_owned(),
        number => format!("{number} migrations"),
    };
    let message = match outcome {
        Outcome::Created => format!("the database was created with {count}"),
        Outcome::Migrated => format!("{count} applied"),
        Outcome::Restored => "the interrupted run is undone".to_owned(),
        Outcome::Untouched => "nothing was changed".to_owned(),
        _ => "the database is up to date".to_owned(),
    };
    Report { results, backup, recovered: false, outcome, success: true, message }
}
