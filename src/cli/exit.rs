//! Exit codes.

use lifeboat::{Error, ErrorKind, Outcome};

use super::answer::Failure;

/// What the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Done = 0,
    /// Refused or failed: the file is as it was.
    Failed = 1,
    Usage = 2,
    /// Under `--exit-code`.
    Finding = 3,
    /// Failed after something was committed; the backup was put back.
    Restored = 4,
    NeedsRecovery = 5,
    /// The file is as it was.
    Interrupted = 130,
}

impl Exit {
    pub(super) fn of_failure(failure: &Failure) -> Self {
        if failure.is_usage { Exit::Usage } else { Self::of(&failure.error) }
    }

    fn of(error: &Error) -> Self {
        match (error.outcome(), error.kind()) {
            (Outcome::NeedsRecovery, _) => Exit::NeedsRecovery,
            (_, ErrorKind::Cancelled) => Exit::Interrupted,
            (Outcome::Restored, _) => Exit::Restored,
            _ => Exit::Failed,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}
