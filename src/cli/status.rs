//! `lifeboat status`

use lifeboat::{Problem, Status};

use super::answer::{Answer, Failure};
use super::args;
use super::exit::Exit;
use super::session::Session;
use super::{human, json};

pub(super) fn status(session: &Session, args: &args::Status) -> Result<Answer, Failure> {
    let migrator = session.migrator(session.migrations()?);
    let path = &session.options.database;
    let status = migrator.at(path).status().map_err(|error| with_example(session, error))?;
    let message = message(&status);
    let text = if session.json {
        json::status(path, &status, args.sql, &message)
    } else {
        human::status(&session.screen, path, &status, &message, args.sql)
    };
    let exit = if args.exit_code && !status.is_up_to_date { Exit::Finding } else { Exit::Done };
    Ok(Answer { text, exit })
}

pub(super) fn with_example(session: &Session, error: lifeboat::Error) -> Failure {
    let hint = match (error.problem(), session.options.example()) {
        (Problem::NotFound { backups: 0, snapshots: 0, .. }, Some(example)) => {
            Some(format!("`lifeboat migrate` makes it, from a copy of `{}`", example.display()))
        }
        _ => None,
    };
    let failure = Failure::from(error);
    Failure { hint: hint.or(failure.hint), ..failure }
}

fn message(status: &Status) -> String {
    let mut parts = vec![format!("{} applied", status.applied_migrations.len())];
    for (migrations, what) in [
        (&status.pending_migrations, "pending"),
        (&status.divergent_migrations, "divergent"),
        (&status.missing_migrations, "missing"),
        (&status.newer_migrations, "newer than these migrations"),
        (&status.out_of_order_migrations, "out of order"),
        (&status.not_embedded_migrations, "not built in"),
    ] {
        if !migrations.is_empty() {
            parts.push(format!("{} {what}", migrations.len()));
        }
    }
    if status.is_up_to_date {
        parts.push("up to date".to_owned());
    }
    if status.restore_unfinished {
        let what = "a restore was cut off before its files were in place: the next `migrate` finishes it";
        parts.push(format!("{what}, or `lifeboat recover` now"));
    } else if status.interrupted {
        parts.push("a run was cut off: the next `migrate` undoes it, or `lifeboat recover` now".to_owned());
    }
    parts.join(", ")
}
