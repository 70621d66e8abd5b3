//! What a command ends with.

use lifeboat::{Error, Problem};

use super::exit::Exit;

/// A command that did its job: the text for stdout, already in the form that was asked for.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) exit: Exit,
}

impl Answer {
    pub(super) fn done(text: String) -> Self {
        Answer { text, exit: Exit::Done }
    }
}

/// A command that did not.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// A better hint than the library's, which does not know the command line.
    pub(super) hint: Option<String>,
}

impl Failure {
    /// What to do next.
    pub(super) fn hint(&self) -> Option<String> {
        self.hint.clone().or_else(|| self.error.hint())
    }

    /// What led to it, from the outside to the inside.
    pub(super) fn causes(&self) -> Vec<String> {
        let first = std::error::Error::source(&self.error);
        std::iter::successors(first, |error| error.source()).map(ToString::to_string).collect()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = match error.problem() {
            lifeboat::Problem::NoMigrations { .. } => Some("`--migrations DIR` names the folder".to_owned()),
            _ => None,
        };
        Failure { error, hint }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Error::from(problem).into()
    }
}
