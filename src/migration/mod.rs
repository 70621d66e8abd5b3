//! Migrations: the types, where they come from, what a file says of those that were applied, and the plan that follows.

mod collection;
mod directives;
mod embedded;
mod history;
mod ledger;
mod name;
mod plain;
mod plan;
mod source;
mod types;

pub use collection::Migrations;
pub use embedded::Embedded;
pub use plan::{Entry, Plan};
pub use types::{Migration, Prefix};

pub(crate) use history::{Applied, DEFAULT_HISTORY_TABLE, Record, read_record};
pub(crate) use ledger::{LEDGER_TABLE, OpenRestore, OpenRun, committed_backups, read_open};
pub(crate) use name::{max_version, right_name};
pub(crate) use plain::is_plainly_up_to_date;
pub(crate) use plan::{Target, plan};
pub(crate) use types::{Body, HashWidth, checksum};
