//! A path that is not there, and what may have been meant.

use std::path::{Path, PathBuf};

use crate::error::Problem;

/// Names the databases near a mistyped path.
pub(crate) fn not_found(path: &Path) -> Problem {
    Problem::NotFound { path: path.to_owned(), near: near(path), backups: 0, snapshots: 0 }
}

const SHOWN: usize = 3;

fn near(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        return in_near_folders(path, folder);
    }
    let wanted = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut found: Vec<(usize, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_symlink()))
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let is_database = Path::new(&name)
                .extension()
                .is_some_and(|extension| ["db", "sqlite", "sqlite3", "db3"].iter().any(|known| extension == *known));
            let distance = strsim::damerau_levenshtein(&name, &wanted);
            (is_database || distance <= 2).then(|| (distance, folder.join(entry.file_name())))
        })
        .collect();
    found.sort();
    found.into_iter().take(SHOWN).map(|(_, path)| path).collect()
}

/// The file of that name in folders whose names are near the folder's.
fn in_near_folders(path: &Path, folder: &Path) -> Vec<PathBuf> {
    let (Some(file), Some(wanted)) = (path.file_name(), folder.file_name()) else { return Vec::new() };
    let wanted = wanted.to_string_lossy().to_lowercase();
    let above = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found: Vec<(usize, PathBuf)> = std::fs::read_dir(above)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let distance = strsim::damerau_levenshtein(&entry.file_name().to_string_lossy().to_lowercase(), &wanted);
            let path = above.join(entry.file_name()).join(file);
            (distance <= 2 && path.is_file()).then_some((distance, path))
        })
        .collect();
    found.sort();
    found.into_iter().take(SHOWN).map(|(_, path)| path).collect()
}
