//! What lifeboat promises, tried on real files by real processes.

#![allow(missing_docs)]

mod backups;
mod corpus;
mod house;
mod launch;
mod library;
mod reading;
mod refinery;
mod support;
