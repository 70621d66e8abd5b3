//! A restore where there is no database to write into: none at all, or one that SQLite cannot use.

use std::io;
use std::path::{Path, PathBuf};

use super::fresh::put_stale_sidecars_aside;
use super::launch::Launch;
use crate::error::Problem;
use crate::file::{
    DatabasePath, copy_file, io_problem, keep_second_name, link_into_place, remove_if_there, replace_file, sync_folder,
};

/// Where a damaged set of files lies now.
pub(crate) struct Aside {
    pub(crate) path: PathBuf,
}

/// Makes the prepared copy the database, where there is none.
pub(crate) fn create_from(launch: &Launch<'_>, database: &DatabasePath, prepared: &Path) -> Result<(), Problem> {
    let path = database.real();
    put_stale_sidecars_aside(launch, database)?;
    link_into_place(prepared, path).map_err(|source| io_problem(path, "create", source))?;
    if let Err(error) = sync_folder(database.folder()) {
        let message = format!("`{}` is there, but may not outlast a power cut: {error}", path.display());
        launch.settings.emitter.warn(message);
    }
    Ok(())
}

/// Makes the prepared copy the database in place of a file that SQLite finds no database in. That file is kept, with its
/// log and journal. Under the launch lock; a program that has it open goes on with the files that it has open.
///
/// The file gets a second name first, then its log and journal move, then the copy takes its name at once. Killed in
/// between, the damaged file is there, and a restore can be begun again.
pub(crate) fn put_aside(launch: &Launch<'_>, database: &DatabasePath, prepared: &Path) -> Result<Aside, Problem> {
    let path = database.real();
    let failed = |source: io::Error| io_problem(path, "put aside", source);
    let stamp = (launch.settings.clock)().format("%Y-%m-%dT%H-%M-%S");
    let mut aside = database.sidecar(&format!("-lifeboat-damaged-{stamp}"));
    let mut number = 1;
    while std::fs::symlink_metadata(&aside).is_ok() {
        number += 1;
        aside = database.sidecar(&format!("-lifeboat-damaged-{stamp}_{number}"));
    }
    if keep_second_name(path, &aside).is_err() {
        remove_if_there(&aside).and_then(|()| copy_file(path, &aside, |_| {})).map_err(failed)?;
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        let sidecar = database.sidecar(suffix);
        if std::fs::symlink_metadata(&sidecar).is_ok() {
            let mut to = aside.as_os_str().to_owned();
            to.push(suffix);
            replace_file(&sidecar, Path::new(&to)).map_err(failed)?;
        }
    }
    // Without it, a power cut could leave a log beside the copy that is not its own.
    sync_folder(database.folder()).map_err(failed)?;
    replace_file(prepared, path).map_err(failed)?;
    Ok(Aside { path: aside })
}
