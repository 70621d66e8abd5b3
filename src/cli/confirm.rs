//! Questions to a person, on a terminal; nobody else is asked.

use std::io::{self, BufRead, IsTerminal, Write};

use super::answer::Failure;
use super::session::Session;

/// Whether somebody is there to be asked.
pub(super) fn can_ask(session: &Session) -> bool {
    !session.json && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether a person agrees. `--yes` agrees to everything; where nobody can be asked, it is asked for.
pub(super) fn confirm(session: &Session, question: &str) -> Result<bool, Failure> {
    if session.yes {
        return Ok(true);
    }
    if !can_ask(session) {
        let what = "nobody can be asked here whether this is meant";
        return Err(Failure::usage(what, "`--yes` says that it is"));
    }
    let answer = ask(session, &format!("{question} [y/N] "));
    Ok(answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_lowercase().as_str())))
}

/// What a person types; nothing at the end of the input.
pub(super) fn ask(session: &Session, question: &str) -> Option<String> {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{}", session.screen.text(question)).and_then(|()| stderr.flush());
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim().to_owned())
}
