//! The question before something goes for good.

use std::io::{self, BufRead, IsTerminal};

use super::session::Session;

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    Yes,
    No,
    /// Nobody is there to be asked.
    Unasked,
}

/// Asks on a terminal, on stderr; a plain Enter is a no. `--yes` answers for it. A program that reads JSON is not asked.
pub(super) fn confirm(session: &Session, question: &str) -> Consent {
    if session.options.yes {
        return Consent::Yes;
    }
    if session.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Consent::Unasked;
    }
    session.progress.end(None); // no spinner over the question
    session.screen.ask(&format!("{question} [y/N] "));
    let mut answer = String::new();
    // The end of the input, as by Ctrl-D, is no yes.
    let read = io::stdin().lock().read_line(&mut answer);
    let yes = read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    if yes { Consent::Yes } else { Consent::No }
}
