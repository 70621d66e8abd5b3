//! `lifeboat backup`

mod commands;
mod human;
mod json;
mod prune;

pub(super) use commands::backup;
