//! Questions to a person, on a terminal; nobody else is asked.

use std::io::{self, BufRead, IsTerminal};

use super::answer::Failure;
use super::session::Session;

/// What is said where nobody can be asked, and the hint.
pub(super) const UNASKED: (&str, &str) = ("nobody can be asked here whether this is meant", "`--yes` says that it is");

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    Yes,
    No,
    /// Nobody is there to be asked.
    Unasked,
}

/// Whether somebody is there to be asked: no program that reads JSON, nor a pipe.
pub(super) fn can_ask(session: &Session) -> bool {
    !session.json && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on stderr; a plain Enter is a no. `--yes` answers for it.
pub(super) fn consent(session: &Session, question: &str) -> Consent {
    if session.options.yes {
        return Consent::Yes;
    }
    if !can_ask(session) {
        return Consent::Unasked;
    }
    let answer = ask(session, &format!("{question} [y/N] "));
    let yes = answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_lowercase().as_str()));
    if yes { Consent::Yes } else { Consent::No }
}

/// The same where a command has nothing else to say when nobody can be asked.
pub(super) fn confirm(session: &Session, question: &str) -> Result<bool, Failure> {
    match consent(session, question) {
        Consent::Yes => Ok(true),
        Consent::No => Ok(false),
        Consent::Unasked => Err(Failure::usage(UNASKED.0, UNASKED.1)),
    }
}

/// What a person types; nothing at the end of the input, as by Ctrl-D.
pub(super) fn ask(session: &Session, question: &str) -> Option<String> {
    session.progress.end(None); // no spinner over the question
    session.screen.ask(question);
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim().to_owned())
}
