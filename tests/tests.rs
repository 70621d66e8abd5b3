//! What lifeboat promises, tried on real files by real processes.

#![allow(missing_docs)]

mod backups;
#[cfg(feature = "cli")]
mod cli;
mod corpus;
mod house;
mod launch;
mod library;
mod reading;
mod refinery;
mod support;
