//! The next migration file and its down script.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Utc};

use crate::error::{Problem, Result};
use crate::file::{create_folder, io_problem, link_into_place, remove_if_there, sync_folder, write_beside};
use crate::migration::{Migrations, max_version, right_name};

/// The two files that [`create`] made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Created {
    /// As in `V2__add_users`.
    pub name: String,
    /// The migration.
    pub up: PathBuf,
    /// Its down script.
    pub down: PathBuf,
}

/// Writes `V{next}__{name}.sql` and its `.down.sql` into `folder`, which is made if it is not there. With `timestamp`
/// the version has the form YYYYMMDDnn, so that two branches seldom choose the same.
///
/// # Errors
/// The name has no letter or digit, the migrations that are there cannot be read, the version would be too large, or the
/// files cannot be written.
pub fn create(folder: &Path, name: &str, timestamp: bool, now: DateTime<Utc>) -> Result<Created> {
    // Asked of the name as it was given: a name without any letter would be given one.
    if !name.chars().any(char::is_alphanumeric) {
        return Err(Problem::Unsupported { what: "a migration's name needs a letter or a digit".to_owned() }.into());
    }
    let name = name.trim().to_lowercase().replace([' ', '-', '.'], "_");
    let name = right_name(name.trim_matches('_')).trim_matches('_').to_owned();
    create_folder(folder).map_err(|source| io_problem(folder, "create", source))?;
    let newest = Migrations::from_dir(folder)?.iter().next_back().map(crate::migration::Migration::version);
    let next = newest.map_or(1, |newest| newest.saturating_add(1));
    let version = if timestamp { next.max(day(now)) } else { next };
    if version > max_version() {
        return Err(Problem::Unsupported { what: format!("the largest version is {}", max_version()) }.into());
    }
    let id = format!("V{version}__{name}");
    let up = folder.join(format!("{id}.sql"));
    let down = folder.join(format!("{id}.down.sql"));
    let up_text = format!("-- {}: what changes for the user, and why.\n\n", name.replace('_', " "));
    let down_text = format!("-- Undoes {id}; say here what it cannot bring back.\n\n");
    write_both(folder, [(&down, &down_text), (&up, &up_text)])?;
    Ok(Created { name: id, up, down })
}

/// YYYYMMDD01.
fn day(now: DateTime<Utc>) -> i64 {
    ((i64::from(now.year()) * 100 + i64::from(now.month())) * 100 + i64::from(now.day())) * 100 + 1
}

/// Both files or none: half a pair, or an empty file, would count as a migration.
fn write_both(folder: &Path, files: [(&Path, &str); 2]) -> Result<(), Problem> {
    let mut made: Vec<PathBuf> = Vec::new();
    let mut write = || {
        let mut ready = Vec::new();
        for (path, text) in files {
            let beside = write_beside(path, text).map_err(|source| io_problem(path, "write", source))?;
            made.push(beside.clone());
            ready.push((beside, path));
        }
        for (beside, path) in ready {
            link_into_place(&beside, path).map_err(|source| io_problem(path, "create", source))?;
            made.push(path.to_owned());
        }
        sync_folder(folder).map_err(|source| io_problem(folder, "sync", source))
    };
    let written = write();
    if written.is_err() {
        for path in &made {
            let _ = remove_if_there(path);
        }
    }
    written
}
