//! `lifeboat backup prune`

use lifeboat::{Backup, Database};

use super::commands::{counted, total};
use super::{human, json};
use crate::cli::answer::{Answer, Failure};
use crate::cli::args::BackupPrune;
use crate::cli::confirm::{Consent, UNASKED, consent};
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::snapshot::unchanged;

pub(super) fn prune(session: &Session, database: &Database<'_>, args: &BackupPrune) -> Result<Answer, Failure> {
    let keep = session.options.keep_by_flag;
    if args.dry_run {
        let going = database.prune_backups(keep, true)?;
        return Ok(answer(session, &going, false));
    }
    if !session.options.yes {
        let going = database.prune_backups(keep, true)?;
        // With nothing to remove there may be something to compress, which loses nothing.
        if !going.is_empty() {
            let question = format!("Remove {} of {}, {}?", counted(going.len()), session.database(), total(&going));
            match consent(session, &format!("{}{question}", human::going(&session.screen, &going))) {
                Consent::Yes => {}
                Consent::No => return Ok(unchanged(session)),
                Consent::Unasked => return Ok(unasked(session, &going)),
            }
        }
    }
    let gone = database.prune_backups(keep, false)?;
    Ok(answer(session, &gone, true))
}

fn answer(session: &Session, backups: &[Backup], done: bool) -> Answer {
    session.progress.end(None);
    let message = match (backups.len(), done) {
        (0, _) => "there is no backup to remove".to_owned(),
        (count, true) => format!("{} removed, {} freed", counted(count), total(backups)),
        (count, false) => format!("{} would be removed, {}", counted(count), total(backups)),
    };
    let path = &session.options.database;
    let text = if session.json {
        json::pruned(path, backups, !done, None, &message)
    } else {
        human::pruned(&session.screen, path, backups, &message)
    };
    Answer::done(text)
}

/// Nothing goes without a yes; what would go is said all the same.
fn unasked(session: &Session, going: &[Backup]) -> Answer {
    session.progress.end(None);
    let message = format!("{} would be removed, {}", counted(going.len()), total(going));
    let (what, hint) = (UNASKED.0.to_owned(), UNASKED.1);
    let path = &session.options.database;
    if session.json {
        let text = json::pruned(path, going, true, Some((what, hint.to_owned())), &message);
        return Answer { text, exit: Exit::Usage };
    }
    // In this order, so that what is missing is the last thing that is read.
    session.screen.print(&human::pruned(&session.screen, path, going, &message));
    session.screen.tell(&human::refused(&what, hint));
    Answer { text: String::new(), exit: Exit::Usage }
}
