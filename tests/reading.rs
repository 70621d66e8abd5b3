//! Reading never writes of its own accord.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboat::{ErrorKind, Migrator};
use rusqlite::Connection;

use crate::support::{NOTEBOOK, Project, skipped};

/// Names, sizes, contents and times of change of a folder.
fn folder(path: &Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut files: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            (path.clone(), fs::read(&path).unwrap(), modified)
        })
        .collect();
    files.sort();
    files
}

fn look(path: &Path) {
    let migrator = Migrator::new(&NOTEBOOK);
    let status = migrator.at(path).status().unwrap();
    assert_eq!((status.applied_migrations.len(), status.pending_migrations.len()), (8, 3));
    assert_eq!(migrator.at(path).preview(None, None).unwrap().len(), 3);
    assert!(migrator.at(path).backups().unwrap().is_empty());
}

#[test]
fn status_and_preview_leave_file_and_folder_as_they_are() {
    for mode in ["delete", "wal"] {
        let project = Project::example();
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let before = folder(project.path());
        look(&project.db());
        assert_eq!(folder(project.path()), before, "{mode}");
    }
}

#[test]
fn status_works_beside_a_log_that_another_process_has_open() {
    let project = Project::example();
    let other = Connection::open(project.db()).unwrap();
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE seen_in_the_log (a)").unwrap();
    look(&project.db());
    assert!(project.path().join("app.db-wal").is_file());
}

/// Unmounts whatever happens.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Mounts a folder read-only over itself, where this process may.
fn read_only(path: &Path) -> Option<Mounted> {
    let run = |arguments: &[&str]| {
        Command::new("mount").args(arguments).arg(path).output().is_ok_and(|output| output.status.success())
    };
    if !run(&["--bind", path.to_str()?]) {
        return None;
    }
    let mounted = Mounted(path.to_owned());
    run(&["-o", "remount,ro,bind"]).then_some(mounted)
}

#[test]
fn status_on_a_read_only_medium_works_and_changes_nothing() {
    for mode in ["delete", "wal"] {
        let project = Project::example();
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let before = folder(project.path());
        let Some(_mounted) = read_only(project.path()) else {
            skipped("nothing can be mounted here, so a read-only medium was not tried");
            return;
        };
        look(&project.db());
        let error = Migrator::new(&NOTEBOOK).open(project.db()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{mode}: {error}");
        assert_eq!(folder(project.path()), before, "{mode}");
    }
}

#[test]
fn an_app_with_nothing_to_do_starts_from_a_read_only_medium() {
    for mode in ["delete", "wal"] {
        let project = Project::example();
        Migrator::new(&NOTEBOOK).at(project.db()).migrate().unwrap();
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let Some(_mounted) = read_only(project.path()) else {
            skipped("nothing can be mounted here, so a read-only medium was not tried");
            return;
        };
        let db = Migrator::new(&NOTEBOOK).open(project.db()).unwrap();
        assert_eq!(db.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).unwrap(), 240, "{mode}");
    }
}
