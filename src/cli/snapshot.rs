//! `lifeboat snapshot create|list|delete`

use lifeboat::{Migrations, SnapshotOptions};

use super::answer::{Answer, Failure};
use super::args;
use super::confirm::confirm;
use super::session::Session;
use super::{human_copies, json};

pub(super) fn snapshot(session: &Session, args: &args::Snapshot) -> Result<Answer, Failure> {
    match &args.what {
        None => create(session, args.name.as_deref().unwrap_or_default(), args.leave),
        Some(args::SnapshotCommand::Create { name, leave }) => create(session, name, *leave),
        Some(args::SnapshotCommand::List) => list(session),
        Some(args::SnapshotCommand::Delete { name, allow_example }) => delete(session, name, *allow_example),
    }
}

fn create(session: &Session, name: &str, leave: args::Leave) -> Result<Answer, Failure> {
    let options = SnapshotOptions::default().replace(leave.replace).allow_example(leave.allow_example);
    let migrator = session.migrator(known(session));
    session.progress.doing(&format!("looking at `{}`", session.options.database.display()));
    let snapshot = migrator.at(&session.options.database).snapshot(name, options)?;
    session.progress.end(None);
    Ok(Answer::done(if session.json {
        json::snapshot(&snapshot, &format!("took the snapshot {}", snapshot.name))
    } else {
        human_copies::snapshot(&session.screen, &snapshot)
    }))
}

fn list(session: &Session) -> Result<Answer, Failure> {
    let migrator = session.migrator(known(session));
    let snapshots = migrator.at(&session.options.database).snapshots()?;
    let message = match snapshots.len() {
        0 => "there are no snapshots".to_owned(),
        1 => "there is 1 snapshot".to_owned(),
        more => format!("there are {more} snapshots"),
    };
    Ok(Answer::done(if session.json {
        json::snapshots(&snapshots, &message)
    } else {
        human_copies::snapshots(&session.screen, &snapshots, &message)
    }))
}

fn delete(session: &Session, name: &str, allow_example: bool) -> Result<Answer, Failure> {
    if !confirm(session, &format!("delete the snapshot `{name}`? It is kept nowhere else"))? {
        return Ok(unchanged(session));
    }
    let migrator = session.migrator(Migrations::none());
    let options = SnapshotOptions::default().allow_example(allow_example);
    let path = migrator.at(&session.options.database).delete_snapshot(name, options)?;
    Ok(Answer::done(if session.json {
        json::snapshot_deleted(name, &path, &format!("deleted the snapshot {name}"))
    } else {
        format!("deleted the snapshot {}\n", session.screen.path(&path))
    }))
}

/// A person said no.
pub(super) fn unchanged(session: &Session) -> Answer {
    let message = "nothing was changed";
    Answer::done(if session.json { json::text(message) } else { format!("{message}\n") })
}

/// The migrations, if there are any: what can be copied and looked at without them must not fail for want of them.
pub(super) fn known(session: &Session) -> Migrations {
    let folder = &session.options.migrations;
    Migrations::from_dir(folder).unwrap_or_else(|error| {
        if folder.exists() {
            session.progress.warn(&format!("a copy is not compared with the migrations: {error}"));
        }
        Migrations::none()
    })
}
