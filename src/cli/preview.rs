//! `lifeboat migrate --dry-run`: the SQL that would run. Touches nothing.

use lifeboat::Migrations;

use super::answer::{Answer, Failure};
use super::args::Migrate;
use super::session::Session;
use super::{human, json};

pub(super) fn preview(session: &Session, args: &Migrate, migrations: Migrations) -> Result<Answer, Failure> {
    let options = &session.options;
    let example = options.example();
    // What a run would start from.
    let database = match (&example, options.database.strip_prefix(&options.data_dir)) {
        (Some(example), Ok(name)) => example.join(name),
        _ => options.database.clone(),
    };
    let migrator = session.migrator(migrations);
    let pending = migrator.at(&database).preview(args.to, args.steps)?;
    let name = options.database.display();
    let exists = std::fs::symlink_metadata(&database).is_ok();
    if exists && migrator.at(&database).status()?.interrupted {
        session.progress.warn(&format!(
            "an earlier run on `{name}` was cut off; a run would undo that first, and more may then be to run"
        ));
    }
    let mut message = match pending.len() {
        0 => format!("nothing would run on `{name}`"),
        1 => format!("1 migration would run on `{name}`"),
        number => format!("{number} migrations would run on `{name}`"),
    };
    match &example {
        Some(example) => message.push_str(&format!(", which would start as a copy of `{}`", example.display())),
        None if !exists && !pending.is_empty() => message.push_str(", which would be created"),
        None => {}
    }
    message.push_str("; nothing was changed");
    Ok(Answer::done(if session.json {
        json::preview(&pending, &message)
    } else {
        human::preview(&session.screen, &pending, &message)
    }))
}
