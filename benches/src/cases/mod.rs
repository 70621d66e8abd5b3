//! The cases, each in a file of its own, in the order in which they run.

mod again;
mod base;
mod copies;
mod creation;
mod embedding;
mod failing;
mod keys;
mod launches;
mod pending;
mod restoring;
mod sharing;
mod syscalls;

use crate::{Bench, Fallible};

pub struct Case {
    pub name: &'static str,
    /// Left out by `--quick`.
    pub long: bool,
    pub run: fn(&mut Bench) -> Fallible<()>,
}

const fn case(name: &'static str, long: bool, run: fn(&mut Bench) -> Fallible<()>) -> Case {
    Case { name, long, run }
}

pub const ALL: [Case; 11] = [
    case("launch", false, launches::run),
    case("again", false, again::run),
    case("syscalls", false, syscalls::run),
    case("create", false, creation::run),
    case("copy", false, copies::run),
    case("pending", false, pending::run),
    case("failing", false, failing::run),
    case("restore", false, restoring::run),
    case("keys", false, keys::run),
    case("sharing", false, sharing::run),
    case("embedding", true, embedding::run),
];

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

fn size_text(bytes: u64) -> String {
    if bytes >= GIB { format!("{} GiB", bytes / GIB) } else { format!("{} MiB", bytes / MIB) }
}
