//! What lifeboat promises, tried on real files by real processes.

#![allow(missing_docs)]

mod backups;
mod bad_files;
mod bad_migrations;
mod bad_statements;
mod bad_surroundings;
mod corpus;
mod foreign_keys;
mod house;
mod launch;
mod library;
mod properties;
mod reading;
mod support;
