//! `lifeboat migrate`

use std::path::PathBuf;

use lifeboat::{Database, Error, Outcome, Problem, Report, start_from_example};

use super::answer::{Answer, Failure};
use super::args::Migrate;
use super::session::Session;
use super::{human, json, preview};

pub(super) fn migrate(session: &Session, args: &Migrate) -> Result<Answer, Failure> {
    // First of all, so that a mistyped folder leaves nothing behind.
    let migrations = session.migrations()?;
    if args.dry_run {
        return preview::preview(session, args, migrations);
    }
    let preface = start(session)?;
    let mut migrator = session.migrator(migrations);
    if args.no_backup {
        migrator = migrator.no_backup();
    }
    let database = migrator.at(&session.options.database);
    // Before the file is made: what else may have been meant.
    let near = near(&database, session.options.database_is_named);
    // The trial of the migrations comes before all events.
    session.progress.doing(&format!("looking at `{}`", session.options.database.display()));
    let report = match (args.to, args.steps) {
        (Some(version), _) => database.migrate_to(version)?,
        (None, Some(steps)) => database.migrate_steps(steps)?,
        (None, None) => database.migrate()?,
    };
    Ok(answer(session, &report, &preface, &near))
}

fn answer(session: &Session, report: &Report, preface: &str, near: &[PathBuf]) -> Answer {
    session.progress.end(None);
    if report.outcome == Outcome::Created && !near.is_empty() {
        let database = session.options.database.display();
        let near = near.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ");
        session.progress.note(&format!("there was no `{database}`, so it was created; near it there is {near}"));
    }
    Answer::done(if session.json {
        json::run(report, preface)
    } else {
        human::run(&session.screen, &session.options.database, report, &session.screen.text(preface))
    })
}

/// The files that a mistyped name may have meant.
fn near(database: &Database<'_>, is_named: bool) -> Vec<PathBuf> {
    if !is_named || std::fs::symlink_metadata(database.path()).is_ok() {
        return Vec::new();
    }
    match database.status().as_ref().map_err(Error::problem) {
        Err(Problem::NotFound { near, .. }) => near.clone(),
        _ => Vec::new(),
    }
}

/// A fresh checkout starts from a copy of the example. Says so, as the beginning of the result.
fn start(session: &Session) -> Result<String, Failure> {
    let options = &session.options;
    let Some(example) = options.example() else { return Ok(String::new()) };
    let (from, to) = (example.display(), options.data_dir.display());
    session.progress.started(&format!("there is no `{to}` yet; starting from a copy of `{from}`"));
    let started = start_from_example(&example, &options.data_dir, options.wait, &session.cancel)?;
    Ok(if started { format!("started from a copy of `{from}`; ") } else { String::new() })
}
