//! One SQLite file on a disk: its path and sidecars, the launch lock beside it, connections to it, and the few calls
//! that make a copy durable. Syncs, locks and renames live here alone.

mod connect;
mod content;
mod counter;
mod durable;
mod hash;
mod identity;
mod integrity;
mod kept;
mod lock;
#[cfg(feature = "zstd")]
mod packed;
mod raw;
mod settle;
mod tree;

pub(crate) use connect::{
    ConnectHook, Connector, Purpose, Unlocked, is_about_sql, is_busy, is_database, journal_mode, may_be_unwritable,
    recorded_journal_mode, remove_with_sidecars, sqlite_problem,
};
#[cfg(feature = "cli")]
pub(crate) use content::into_io;
pub(crate) use content::{
    Entry, Kind, copy_file, copy_link, create_private_folder, entries, give_same_access_to_folder, is_same, kind_in,
};
pub(crate) use counter::ChangeCounter;
pub(crate) use durable::{
    allocate_exclusively, available_bytes, create_folder, give_same_access, keep_second_name, link_into_place,
    make_durable, move_into_place, on_same_file_system, publish, remove_if_there, replace_file, sync_file, sync_folder,
    write_beside,
};
pub(crate) use hash::{content_hash, header_damage, settle_again, settle_header, short_hash};
pub(crate) use identity::{DatabasePath, io_problem, write_problem};
pub(crate) use integrity::{Depth, Findings, examine, size_of, size_under_lock};
pub(crate) use lock::{LaunchLock, look_at_launch_lock, write_lock_is_taken};
#[cfg(feature = "zstd")]
pub(crate) use packed::{pack_in_place, starts_as_database, unpack};
pub(crate) use raw::{Descriptor, Raw, copy_raw, is_at_rest};
pub(crate) use settle::{aside_stale_sidecars, denies_writing, has_sidecars, may_be_written, refuses_writing};
#[cfg(feature = "cli")]
pub(crate) use tree::settle_tree;
pub(crate) use tree::{publish_folder, remove_any, remove_tree, settle_folders};
