//! `lifeboat recover`

use lifeboat::Migrations;

use super::answer::{Answer, Failure};
use super::args::Recover;
use super::session::Session;
use super::{human, json};

pub(super) fn recover(session: &Session, args: &Recover) -> Result<Answer, Failure> {
    // Going back needs no migrations, and must not fail for one that was mistyped.
    let migrator = session.migrator(Migrations::none());
    let database = migrator.at(&session.options.database);
    let report = if args.accept { database.accept_interrupted()? } else { database.recover()? };
    session.progress.end(None);
    Ok(Answer::done(if session.json {
        json::run(&report, "")
    } else {
        human::run(&session.screen, &session.options.database, &report, "")
    }))
}
