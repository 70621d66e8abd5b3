//! `lifeboat restore --name N | --backup FILE|latest|N`

use lifeboat::{Database, Problem, RestoreFrom, RestoreOptions, TableRows};

use super::answer::{Answer, Failure};
use super::args;
use super::confirm::{ask, can_ask, confirm};
use super::copies::{self, Source};
use super::restore_table::restore_table;
use super::session::Session;
use super::snapshot::{known, unchanged};
use super::{human_copies, json};

pub(super) fn restore(session: &Session, args: &args::Restore) -> Result<Answer, Failure> {
    let migrator = session.migrator(known(session));
    let database = migrator.at(&session.options.database);
    let from = match (&args.name, &args.backup) {
        (Some(name), _) => RestoreFrom::Snapshot(name.clone()),
        (None, Some(backup)) => backup.clone(),
        (None, None) => match choose(session, &database)? {
            Some(from) => from,
            None => return Ok(unchanged(session)),
        },
    };
    let what = match &args.table {
        Some(table) => format!("the rows of `{table}` in {}", session.screen.path(&session.options.database)),
        None => session.screen.path(&session.options.database),
    };
    let question = format!("restore {what} from {}? What is there now is backed up first", said(session, &from));
    if !confirm(session, &question)? {
        return Ok(unchanged(session));
    }
    session.progress.doing("looking at the copy");
    if let Some(table) = &args.table {
        let copy = source_of(session, &from)?;
        let rows = if args.missing { TableRows::Missing } else { TableRows::All };
        return restore_table(session, copy.path(), table, rows);
    }
    let report = database.restore(&from, RestoreOptions::default().exact(args.exact));
    let report = report.map_err(|error| of_copy(session, error))?;
    session.progress.end(None);
    Ok(Answer::done(if session.json {
        json::restored(&report)
    } else {
        human_copies::restored(&session.screen, &session.options.database, &report)
    }))
}

/// What is wrong with the copy is not mended by putting another one back.
fn of_copy(session: &Session, error: lifeboat::Error) -> Failure {
    let is_copy = match error.problem() {
        Problem::NotADatabase { path } | Problem::Corrupt { path, .. } => {
            let real = |path: &std::path::Path| path.canonicalize().ok();
            real(path) != real(&session.options.database)
        }
        _ => false,
    };
    // It may name a copy that is whole.
    let names_another = error.hint().is_some_and(|hint| hint.contains("backup verify"));
    let mut failure = Failure::from(error);
    if is_copy && !names_another {
        failure.hint = Some("it is no copy to go back to; `lifeboat restore` lists what there is".to_owned());
    }
    failure
}

/// The copy as a file to read from.
fn source_of(session: &Session, from: &RestoreFrom) -> Result<Source, Failure> {
    match from {
        RestoreFrom::Snapshot(name) => copies::source(session, &format!("snapshot:{name}")),
        RestoreFrom::Nth(number) => copies::backup(session, &number.to_string()),
        RestoreFrom::File(path) if path.is_file() => copies::source(session, &path.to_string_lossy()),
        RestoreFrom::File(name) => copies::backup(session, &name.to_string_lossy()),
        _ => copies::backup(session, "latest"),
    }
}

fn said(session: &Session, from: &RestoreFrom) -> String {
    match from {
        RestoreFrom::Snapshot(name) => format!("the snapshot `{name}`"),
        RestoreFrom::Latest => "the latest backup".to_owned(),
        RestoreFrom::Nth(number) => format!("backup {number} of the list"),
        RestoreFrom::File(path) => session.screen.path(path),
        _ => "the copy".to_owned(),
    }
}

/// Lists what there is; on a terminal, asks.
fn choose(session: &Session, database: &Database<'_>) -> Result<Option<RestoreFrom>, Failure> {
    let (mut backups, snapshots) = (database.backups()?, database.snapshots()?);
    backups.reverse();
    let list = human_copies::choices(&session.screen, &backups, &snapshots);
    if !can_ask(session) || (backups.is_empty() && snapshots.is_empty()) {
        let hint = "`--name NAME` names a snapshot, `--backup latest`, `--backup N` or `--backup FILE` a backup";
        let failure = Failure::usage("which copy is to be restored is not said", hint);
        return Err(failure.with_choices(list, json::choices(&backups, &snapshots)));
    }
    session.screen.tell(list.trim_end());
    let answer = ask(session, "which one? a number, or the name of a snapshot [none] ").unwrap_or_default();
    if snapshots.iter().any(|snapshot| snapshot.name == answer) {
        return Ok(Some(RestoreFrom::Snapshot(answer)));
    }
    let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match number.and_then(|number| backups.get(number)) {
        Some(backup) => Ok(Some(RestoreFrom::File(backup.path.clone()))),
        None if answer.is_empty() || answer == "none" => Ok(None),
        None => {
            let hint = "a number of the list is one, or a name in it";
            Err(Failure::usage(&format!("`{answer}` is neither a number nor a name of the list"), hint))
        }
    }
}
