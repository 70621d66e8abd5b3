//! `lifeboat backup create`, `list` and `verify`

use chrono::Utc;
use lifeboat::{Backup, Database, Migrations, Migrator, mebibytes};

use super::{human, json, prune};
use crate::cli::answer::{Answer, Failure};
use crate::cli::args::{BackupCommand, BackupCreate, BackupVerify};
use crate::cli::exit::Exit;
use crate::cli::session::Session;

pub(in crate::cli) fn backup(session: &Session, what: &BackupCommand) -> Result<Answer, Failure> {
    // Backups need no migrations, and must not fail for one that was mistyped.
    let migrator: Migrator = session.migrator(Migrations::none());
    let database = migrator.at(&session.options.database);
    match what {
        BackupCommand::Create(args) => create(session, &database, args),
        BackupCommand::List => list(session, &database),
        BackupCommand::Verify(args) => verify(session, &database, args),
        BackupCommand::Prune(args) => prune::prune(session, &database, args),
    }
}

fn create(session: &Session, database: &Database<'_>, args: &BackupCreate) -> Result<Answer, Failure> {
    let had: Vec<String> = database.backups().unwrap_or_default().iter().map(Backup::name).collect();
    let backup = database.backup(args.reason.as_deref())?;
    session.progress.end(None);
    let reused = had.contains(&backup.name());
    let message = if reused {
        "the newest backup has the same content, and no other is needed".to_owned()
    } else {
        format!("backed up {}", mebibytes(backup.size))
    };
    let path = &session.options.database;
    Ok(Answer::done(if session.json {
        json::created(path, &backup, reused, &message)
    } else {
        human::created(&session.screen, path, &backup, &message)
    }))
}

fn list(session: &Session, database: &Database<'_>) -> Result<Answer, Failure> {
    let backups = database.backups()?;
    let message = match backups.len() {
        0 => "there are no backups".to_owned(),
        count => format!("{}, {}, the newest first", counted(count), total(&backups)),
    };
    let path = &session.options.database;
    Ok(Answer::done(if session.json {
        json::listed(path, &backups, &message)
    } else {
        human::listed(&session.screen, path, &backups, &message, Utc::now())
    }))
}

fn verify(session: &Session, database: &Database<'_>, args: &BackupVerify) -> Result<Answer, Failure> {
    let verified = database.verify_backups(args.all)?;
    session.progress.end(None);
    let wrong = verified.iter().filter(|verified| !verified.is_ok()).count();
    let message = match (verified.len(), wrong) {
        (0, _) => "there are no backups to verify".to_owned(),
        (1, 0) => "the backup is whole".to_owned(),
        (1, _) => "the backup is not whole".to_owned(),
        (count, 0) => format!("all {count} backups are whole"),
        (count, wrong) => format!("{wrong} of {count} backups {} not whole", if wrong == 1 { "is" } else { "are" }),
    };
    let path = &session.options.database;
    let text = if session.json {
        json::verified(path, &verified, wrong == 0, &message)
    } else {
        human::verified(&session.screen, path, &verified, &message)
    };
    Ok(Answer { text, exit: if wrong == 0 { Exit::Done } else { Exit::Failed } })
}

pub(super) fn counted(count: usize) -> String {
    if count == 1 { "1 backup".to_owned() } else { format!("{count} backups") }
}

pub(super) fn total(backups: &[Backup]) -> String {
    mebibytes(backups.iter().map(|backup| backup.size).sum())
}
