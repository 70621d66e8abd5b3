//! What can go wrong, said so that a user can act on it: what happened, the state of the file, what to do next.

mod failure;
mod hint;

pub use failure::{BoxError, Error, ErrorKind, Location, Problem, Result, SqliteCause};

pub(crate) use failure::described;
pub(crate) use hint::copies;
