//! `lifeboat doctor`

use std::path::Path;

use lifeboat::{Action, Diagnosis, Error, ErrorKind, Finding, Migrations, Severity, Soundness, State, mebibytes};
use serde::Serialize;

use super::answer::{Answer, Failure};
use super::doctor_text;
use super::exit::Exit;
use super::session::Session;
use super::table::counted;
use super::{args, json};

const CHECK: &str = "configuration";

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    database: String,
    state: &'a State,
    actions: Vec<Action>,
    findings: &'a [Finding],
    healthy: bool,
    message: String,
}

pub(super) fn doctor(session: &Session, args: &args::Doctor) -> Result<Answer, Failure> {
    let path = &session.options.database;
    let (mut diagnosis, refused) = examine(session, args.integrity.unwrap_or(Soundness::Quick))?;
    diagnosis.findings.insert(0, configuration(session, refused.as_ref()));
    let message = message(session, path, &diagnosis);
    let text = if session.json {
        json::line(&Document {
            format: json::FORMAT,
            database: json::lossy(path),
            state: &diagnosis.state,
            actions: diagnosis.state.actions(),
            findings: &diagnosis.findings,
            healthy: diagnosis.is_healthy(),
            message,
        })
    } else {
        doctor_text::human(&session.screen, path, &diagnosis.findings, &message)
    };
    let exit = if args.exit_code && !diagnosis.is_healthy() { Exit::Finding } else { Exit::Done };
    Ok(Answer { text, exit })
}

/// With what the configuration says as far as it can be used, and why the rest cannot.
fn examine(session: &Session, soundness: Soundness) -> Result<(Diagnosis, Option<Error>), Failure> {
    let options = &session.options;
    let look = |table: Option<&str>| {
        let migrations = Migrations::from_dir_unchecked(&options.migrations);
        session.migrator_with(migrations, table).at(&options.database).diagnose_with(soundness)
    };
    match look(options.history_table.as_deref()) {
        // A name that no table can have.
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok((look(None)?, Some(error))),
        other => Ok((other?, None)),
    }
}

fn configuration(session: &Session, refused: Option<&Error>) -> Finding {
    let options = &session.options;
    let mut problems: Vec<String> = options.problems.iter().map(described).collect();
    problems.extend(refused.map(ToString::to_string));
    if !problems.is_empty() {
        let advice = "mend it: every other command refuses it; here its defaults are used";
        return Finding::new(CHECK, Severity::Problem, problems.join("; ")).advised(Some(advice));
    }
    let said = match &options.config {
        Some(config) => format!("`{}`", config.display()),
        None => "no `lifeboat.toml`; flags, variables and defaults".to_owned(),
    };
    match options.notes.first() {
        Some(note) => Finding::new(CHECK, Severity::Note, format!("{said}; {note}")),
        None => Finding::new(CHECK, Severity::Ok, said),
    }
}

fn described(problem: &lifeboat::Problem) -> String {
    match std::error::Error::source(problem) {
        Some(source) => format!("{problem}: {source}"),
        None => problem.to_string(),
    }
}

/// One sentence: the state, and the first thing to do.
fn message(session: &Session, path: &Path, diagnosis: &Diagnosis) -> String {
    let first = diagnosis.state.actions().into_iter().next();
    let others = diagnosis.findings.iter().filter(|finding| finding.matters()).count();
    let file = format!("`{}`", path.display());
    let state = state(&diagnosis.state);
    if diagnosis.state == State::Ready {
        return match others {
            0 => format!("{file} is ready: nothing is to be done"),
            1 => format!("{file} is ready; look at the one finding above"),
            _ => format!("{file} is ready; look at the {others} findings above"),
        };
    }
    // In a fresh checkout there is more to start from than nothing.
    let example = matches!(diagnosis.state, State::Absent { .. }).then(|| session.options.example()).flatten();
    let example =
        example.filter(|_| !matches!(first, Some(Action::RestoreBackup { .. } | Action::RestoreSnapshot { .. })));
    match (example, first) {
        (Some(example), _) => {
            format!("{file} {state}: `lifeboat migrate` makes it, from a copy of `{}`", example.display())
        }
        (None, Some(first)) => format!("{file} {state}: {}", what_to_do(&first, &diagnosis.state)),
        (None, None) => format!("{file} {state}"),
    }
}

fn state(state: &State) -> String {
    match state {
        State::Absent { .. } => "is not there".to_owned(),
        State::NeedsMigration { pending } => {
            format!(
                "needs to be migrated, {}",
                counted(pending.len(), "migration is pending", "migrations are pending")
            )
        }
        State::NewerThanApp { .. } => "is newer than these migrations".to_owned(),
        State::Diverged { .. } => "does not go with these migrations".to_owned(),
        State::OutOfOrder { .. } => "is past migrations that are pending".to_owned(),
        State::Interrupted { restore: true, .. } => "is a copy whose files are not all in place".to_owned(),
        State::Interrupted { restorable: true, .. } => "is in the middle of a run that was cut off".to_owned(),
        State::Interrupted { .. } => "is in the middle of a run that cannot be undone".to_owned(),
        State::Corrupt { .. } => "is damaged".to_owned(),
        State::NotADatabase { .. } => "is not a SQLite database, or it is encrypted".to_owned(),
        State::NotAFile { what } => format!("is {what}"),
        State::Unreadable { .. } => "cannot be read".to_owned(),
        State::BadHistory { table, .. } => format!("has a `{table}` that cannot be understood"),
        State::BadMigrations { .. } => "waits for migrations that can be run".to_owned(),
        State::NoSpace { needed, available, .. } => {
            format!("has too little room: {} of {}", mebibytes(*available), mebibytes(*needed))
        }
        State::Locked { lock, holder: Some(pid) } => format!("is in use: process {pid} has the {lock}"),
        State::Locked { lock, holder: None } => format!("is in use: another process has the {lock}"),
        State::ReadOnly { .. } => "cannot be written".to_owned(),
        _ => "is as said above".to_owned(),
    }
}

/// For the one who has the command, and not the app.
fn what_to_do(action: &Action, state: &State) -> String {
    match action {
        Action::Open | Action::Migrate if matches!(state, State::Absent { .. }) => {
            "`lifeboat migrate` makes it".to_owned()
        }
        Action::Open | Action::OpenReadOnly => "it can be read, and nothing is pending".to_owned(),
        Action::Migrate => "`lifeboat migrate`".to_owned(),
        Action::Recover if matches!(state, State::Interrupted { restore: true, .. }) => {
            "`lifeboat recover` finishes the restore".to_owned()
        }
        Action::Recover => "`lifeboat recover` undoes it".to_owned(),
        Action::AcceptAsIs => "look at the file; `lifeboat recover --accept` takes it as it is".to_owned(),
        Action::RestoreBackup { backup } => format!("`lifeboat restore --backup {backup}` puts its backup back"),
        Action::RestoreSnapshot { snapshot } => {
            format!("`lifeboat restore --name {snapshot}` goes back to its snapshot")
        }
        Action::Wait => "wait until it is done".to_owned(),
        Action::FreeSpace { bytes } => format!("free {}", mebibytes(*bytes)),
        Action::GrantAccess => "give the file and its folder to the user that runs this".to_owned(),
        Action::UpdateApp => match state {
            State::NewerThanApp { .. } => "use the migrations of the newer version".to_owned(),
            _ => "mend the migrations".to_owned(),
        },
        Action::ContactSupport => "there is no backup to put back; keep the file as it is".to_owned(),
        _ => "mend the path and look again".to_owned(),
    }
}
