//! `lifeboat create NAME`

use super::answer::{Answer, Failure};
use super::args::Create;
use super::session::Session;
use super::{human, json};

pub(super) fn create(session: &Session, args: &Create) -> Result<Answer, Failure> {
    let folder = &session.options.migrations;
    let is_new = !folder.exists();
    let created = lifeboat::create(folder, &args.name, args.timestamp, chrono::Utc::now())?;
    if is_new {
        session.progress.note(&format!("there was no folder `{}`, so it was made", folder.display()));
    }
    Ok(Answer::done(if session.json {
        json::created(&created, &format!("created {}", created.name))
    } else {
        human::created(&session.screen, &created)
    }))
}
