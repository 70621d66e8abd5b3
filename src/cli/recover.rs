//! `lifeboat recover`

use lifeboat::Migrations;

use super::answer::{Answer, Failure};
use super::session::Session;
use super::{human, json};

pub(super) fn recover(session: &Session) -> Result<Answer, Failure> {
    // Going back needs no migrations, and must not fail for one that was mistyped.
    let migrator = session.migrator(Migrations::none());
    let report = migrator.at(&session.options.database).recover()?;
    session.progress.end(None);
    Ok(Answer::done(if session.json {
        json::run(&report, "")
    } else {
        human::run(&session.screen, &session.options.database, &report, "")
    }))
}
