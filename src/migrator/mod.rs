//! The face of the library: [`Migrator`] says how an app migrates, [`Database`] is one file to do it to.

mod builder;
mod database;

pub use builder::{Environment, Migrator};
pub use database::Database;
