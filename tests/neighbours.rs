//! What else lies in a data directory, and who else is at work there, while snapshots and restores go on.

use std::fs;

use lifeboat::{Migrator, RestoreFrom, RestoreOptions, SnapshotOptions};

use crate::snapshots::Data;

/// A launch lock that gets another inode locks nothing.
#[cfg(unix)]
#[test]
fn the_launch_lock_of_another_database_stays_where_it_is() {
    use std::os::unix::fs::MetadataExt;

    let data = Data::new(false);
    let other = data.path().join("other.db");
    let migrator =
        Migrator::new(lifeboat::Migrations::none()).step(1, "t", |tx| Ok(tx.execute_batch("CREATE TABLE t (a)")?));
    migrator.at(&other).migrate().unwrap();
    let lock = data.path().join("other.db-lifeboat");
    data.snapshot("old");
    fs::write(&lock, "another process").unwrap();
    let inode = fs::metadata(&lock).unwrap().ino();
    fs::create_dir(data.path().join("other.db-lifeboat-restore")).unwrap();
    fs::write(data.path().join("other.db-lifeboat-restore/id"), "on its way").unwrap();
    let options = RestoreOptions::default().exact(true);
    data.migrator().at(data.db()).restore(&RestoreFrom::Snapshot("old".to_owned()), options).unwrap();
    assert_eq!(fs::metadata(&lock).unwrap().ino(), inode);
    assert_eq!(fs::read_to_string(data.path().join("other.db-lifeboat-restore/id")).unwrap(), "on its way");
}

#[test]
fn backups_that_lie_among_the_files_are_none_of_them() {
    let data = Data::new(false);
    let migrator = || data.migrator().backups(data.path(), 5);
    let at = || migrator();
    at().at(data.db()).backup(Some("one")).unwrap();
    at().at(data.db()).snapshot("old", SnapshotOptions::default()).unwrap();
    let snapshot = data.path().with_file_name(format!("{}.old", data.path().file_name().unwrap().to_string_lossy()));
    let names = |folder: &std::path::Path| -> Vec<String> {
        let entries =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        entries.filter(|name| name.starts_with("app-2") || name == "runs.jsonl").collect()
    };
    assert!(names(&snapshot).is_empty(), "a snapshot is without backups");
    data.sql("UPDATE note SET body = 'changed'");
    let options = RestoreOptions::default().exact(true);
    let report = at().at(data.db()).restore(&RestoreFrom::Snapshot("old".to_owned()), options).unwrap();
    assert!(report.backup.as_ref().unwrap().is_file(), "the way back is where it is said to be");
    assert_eq!(at().at(data.db()).backups().unwrap().len(), 2);
    at().at(data.db()).restore(&RestoreFrom::Latest, RestoreOptions::default()).unwrap();
    let body: String = rusqlite::Connection::open(data.db())
        .unwrap()
        .query_row("SELECT body FROM note LIMIT 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(body, "changed", "a restore undoes a restore");
}

/// Whoever may read a file and not write it takes a lock all the same.
#[cfg(all(unix, feature = "cli"))]
#[test]
fn a_reader_without_the_right_to_write_waits_for_a_writer() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    let folder = tempfile::tempdir().unwrap();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        return crate::support::skipped("only root can be somebody else");
    }
    let allow = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    allow(folder.path(), 0o777);
    let db = folder.path().join("app.db");
    let writer = rusqlite::Connection::open(&db).unwrap();
    writer.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    allow(&db, 0o644);
    let snapshot = |name: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command.args(["--no-env-file", "--wait", "0.2", "snapshot", "create", name, "-d"]).arg(&db);
        command.current_dir(folder.path()).uid(65534).gid(65534).output()
    };
    writer.execute_batch("BEGIN EXCLUSIVE; INSERT INTO t VALUES (2)").unwrap();
    let Ok(output) = snapshot("torn") else {
        return crate::support::skipped("another user cannot run the command here");
    };
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!folder.path().join("app.db.torn").exists());
    writer.execute_batch("COMMIT").unwrap();
    let output = snapshot("whole").unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let copy = rusqlite::Connection::open(folder.path().join("app.db.whole")).unwrap();
    assert_eq!(copy.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
}
