//! Which copy a restore means: a snapshot, a backup by its place in the list, or a file.

use std::path::{Path, PathBuf};

use super::snapshot::{Around, refuse_itself};
use crate::backup::{Backup, Backups, PlainCopy, Wanted, is_folder, kept_files, new_names};
use crate::error::{Error, Problem};
use crate::event::CancelToken;

/// What [`Database::restore`](crate::Database::restore) goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreFrom {
    /// The snapshot of this name.
    Snapshot(String),
    /// The newest backup there is before the restore makes its own.
    Latest,
    /// The n-th newest backup, from 1.
    Nth(usize),
    /// A file; or the name of a backup in the backups folder.
    File(PathBuf),
}

/// A copy that was found.
pub(crate) struct Chosen {
    /// What it is called by people: the snapshot, or the file.
    pub(crate) path: PathBuf,
    /// A plain SQLite file.
    pub(crate) database: PathBuf,
    /// Whether it is a backup or a snapshot, and not a file that somebody may have open.
    pub(crate) is_ours: bool,
    /// The files that belong to it.
    pub(crate) files: Option<Wanted>,
    /// What a compressed one was decompressed to, as long as this lives.
    _plain: Option<PlainCopy>,
}

/// Finds it. It is also decompressed, if need be, where somebody can `cancel` that; else it is only seen to be there.
pub(crate) fn choose(around: &Around, from: &RestoreFrom, cancel: Option<&CancelToken>) -> Result<Chosen, Problem> {
    match from {
        RestoreFrom::Snapshot(name) => {
            let path = around.snapshots.find(name)?;
            let database = around.snapshots.database_in(&path);
            // It has no metadata; an empty file is no copy of anything.
            if std::fs::metadata(&database).is_ok_and(|metadata| metadata.len() == 0) {
                return Err(Problem::Corrupt { path: database, detail: "it is empty".to_owned() });
            }
            let files = around.directory.as_ref().map(|directory| {
                let contents = directory.contents_of(&path)?;
                Ok::<_, Problem>(Wanted { root: path.clone(), contents, lacks: None })
            });
            Ok(Chosen { database, files: files.transpose()?, path, is_ours: true, _plain: None })
        }
        RestoreFrom::Latest => nth(around, 1, "latest", cancel),
        RestoreFrom::Nth(number) => nth(around, *number, &number.to_string(), cancel),
        RestoreFrom::File(given) => {
            let named = || around.backups.list().ok()?.into_iter().find(|backup| Path::new(&backup.name()) == given);
            if given.is_file() {
                let path = std::path::absolute(given).unwrap_or_else(|_| given.clone());
                refuse_itself(&path, &around.database)?;
                let is_ours = path.parent() == Some(&around.backups.folder);
                return Ok(Chosen { is_ours, ..of_backup(around, &Backup::at(path), cancel)? });
            }
            match named() {
                Some(backup) => of_backup(around, &backup, cancel),
                None => Err(unknown(around, &given.display().to_string())),
            }
        }
    }
}

fn nth(around: &Around, number: usize, said: &str, cancel: Option<&CancelToken>) -> Result<Chosen, Problem> {
    let backups = around.backups.list()?;
    match backups.len().checked_sub(number).and_then(|at| backups.get(at)) {
        Some(backup) => of_backup(around, backup, cancel),
        None => Err(unknown(around, said)),
    }
}

/// A backup has files where it is what a restore replaced.
fn of_backup(around: &Around, backup: &Backup, cancel: Option<&CancelToken>) -> Result<Chosen, Problem> {
    let beside = backup.plain_path();
    let root = kept_files(&beside);
    let has_files = is_folder(&root)?;
    let files = around.directory.as_ref().filter(|_| has_files).map(|directory| {
        let contents = directory.contents_of(&root)?;
        Ok::<_, Problem>(Wanted { root, contents, lacks: Some(new_names(&beside)) })
    });
    let files = files.transpose()?;
    backup.refuse_other_size()?;
    let plain = cancel.map(|cancel| backup.as_taken(cancel)).transpose()?;
    let database = plain.as_ref().map_or_else(|| backup.path.clone(), |plain| plain.path().to_owned());
    Ok(Chosen { database, files, path: backup.path.clone(), is_ours: true, _plain: plain })
}

/// Names the backups that there are, the newest first.
fn unknown(around: &Around, name: &str) -> Problem {
    let known = around.backups.list().unwrap_or_default().iter().rev().map(Backup::name).collect();
    Problem::NoSuchCopy { what: "backup", name: name.to_owned(), known }
}

/// To an error that says a copy is damaged: which other one may not be.
pub(crate) fn naming_another(error: Error, backups: &Backups, database: &Path) -> Error {
    let Problem::Corrupt { path, .. } = error.problem() else { return error };
    if path == database {
        return error;
    }
    let hint = backups.newest_of_its_size(path).map(|other| {
        format!(
            "the newest backup that has its size is `{}`; `lifeboat backup verify` reads them all, and says which are whole",
            other.name()
        )
    });
    error.with_hint(hint)
}
