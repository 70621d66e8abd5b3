//! What is left of a database that is not there, or is empty: its backups and snapshots.

use super::launch::Launch;
use super::near::not_found;
use crate::backup::{Backups, Snapshots, is_example};
use crate::error::{Problem, copies};
use crate::file::DatabasePath;

/// How many backups and snapshots there are. What cannot be listed counts as none: this is advice.
fn counted(launch: &Launch<'_>, database: &DatabasePath) -> (usize, usize) {
    let settings = launch.settings;
    let backups = Backups::of(database, settings.backups.as_deref()).list().map_or(0, |list| list.len());
    (backups, snapshots(launch, database).len())
}

/// The snapshots, the newest first; but for the example, which is nobody's data.
pub(super) fn snapshots(launch: &Launch<'_>, database: &DatabasePath) -> Vec<(String, std::path::PathBuf)> {
    let places = Snapshots::of(database, launch.settings.data_dir.as_deref());
    let Ok((places, mut list)) = places.and_then(|places| places.list().map(|list| (places, list))) else {
        return Vec::new();
    };
    list.retain(|(name, _)| !is_example(name));
    list.sort_by_key(|(_, path)| {
        let taken = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        std::cmp::Reverse(taken)
    });
    list.into_iter().map(|(name, path)| (name, places.database_in(&path))).collect()
}

/// There is no database; perhaps there are copies of one.
pub(super) fn absent(launch: &Launch<'_>) -> Problem {
    match (not_found(launch.path), DatabasePath::resolve(launch.path)) {
        (Problem::NotFound { path, near, .. }, Ok(database)) => {
            let (backups, snapshots) = counted(launch, &database);
            Problem::NotFound { path, near, backups, snapshots }
        }
        (problem, _) => problem,
    }
}

/// Says that a launch begins anew where there are copies of what was there.
pub(super) fn warn_of_copies(launch: &Launch<'_>, database: &DatabasePath) {
    let (backups, snapshots) = counted(launch, database);
    if let Some(there) = copies(backups, snapshots) {
        let path = database.real().display();
        launch.settings.emitter.warn(format!("`{path}` begins anew, and {there}"));
    }
}
