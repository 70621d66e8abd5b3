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
    /// The arguments leave something open: the library has no kind for that.
    pub(super) is_usage: bool,
    /// What there is to choose from: as text, and as JSON.
    pub(super) choices: Option<(String, serde_json::Value)>,
}

impl Failure {
    /// Arguments that do not say enough, or not surely enough.
    pub(super) fn usage(what: &str, hint: &str) -> Self {
        let error = Error::from(Problem::Unsupported { what: what.to_owned() });
        Failure { error, hint: Some(hint.to_owned()), is_usage: true, choices: None }
    }

    pub(super) fn with_choices(self, text: String, json: serde_json::Value) -> Self {
        Failure { choices: Some((text, json)), ..self }
    }

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
            lifeboat::Problem::NoMigrations { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Some("give the folder to the user that runs this, at least to be read".to_owned())
            }
            lifeboat::Problem::NoMigrations { .. } => Some("`--migrations DIR` names the folder".to_owned()),
            // There is no `on_connect` on the command line.
            lifeboat::Problem::NotADatabase { path } if path.extension().is_none_or(|extension| extension != "zst") => {
                let hint =
                    "if it was overwritten, `lifeboat restore` puts a copy back; what is encrypted only its app opens";
                Some(hint.to_owned())
            }
            _ => None,
        };
        Failure { error, hint, is_usage: false, choices: None }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Error::from(problem).into()
    }
}
