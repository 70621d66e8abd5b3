//! What lifeboat promises, tried on real files by real processes.

#![allow(missing_docs)]

mod backups;
mod bad_files;
mod bad_migrations;
mod bad_statements;
mod bad_surroundings;
mod cancel;
mod child;
#[cfg(feature = "cli")]
mod cli;
mod compare;
mod compressed;
mod concurrency;
mod connect;
mod corpus;
mod crash;
mod doctor;
mod embedding;
mod foreign_code;
mod foreign_keys;
mod house;
mod interrupted;
mod killed_copies;
mod launch;
mod library;
mod neighbours;
mod properties;
mod reading;
mod readme;
mod refinery;
mod restore;
mod restore_table;
mod retention;
mod rotation;
mod schema;
mod snapshots;
mod support;
mod surrounding_properties;
