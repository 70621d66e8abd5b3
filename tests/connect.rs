//! The connections of an app, and of others that are at work at the same time.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifeboat::{Migrations, Migrator, Outcome};
use rusqlite::Connection;

use crate::support::{Project, picture};

#[test]
fn a_database_that_another_program_makes_meanwhile_keeps_its_log() {
    let project = Project::with(&[("V1__note", "CREATE TABLE note (body TEXT);")]);
    fs::write(project.path().join("app.db-wal"), "left by a database that was here before").unwrap();
    let (path, other) = (project.db(), Arc::new(Mutex::new(None)));
    let into = Arc::clone(&other);
    let migrator = project.migrator().step(2, "meanwhile", move |_| {
        if !path.exists() {
            let theirs = Connection::open(&path)?;
            theirs.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE own (a); INSERT INTO own VALUES (1)")?;
            *into.lock().unwrap() = Some(theirs);
        }
        Ok(())
    });
    let report = migrator.at(project.db()).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::Migrated);
    let theirs = other.lock().unwrap().take().unwrap();
    theirs.execute_batch("INSERT INTO own VALUES (2); INSERT INTO note VALUES ('theirs')").unwrap();
    drop(theirs);
    assert!(picture(&project.db()).contains("Integer(2)|"));
    assert_eq!(project.number("SELECT count(*) FROM own"), 2);
    assert_eq!(project.number("SELECT count(*) FROM note"), 1);
    let mut left: Vec<_> = fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap()).collect();
    left.retain(|entry| entry.file_name().to_string_lossy().contains(".left-"));
    assert_eq!(left.len(), 1, "what was there before, and nothing of theirs: {left:?}");
    assert_eq!(fs::read(left[0].path()).unwrap(), b"left by a database that was here before");
    assert!(!project.path().join("app.db-lifeboat-new").exists());
}

#[test]
fn a_wait_without_end_is_a_long_one() {
    let migrator =
        Migrator::new(Migrations::none()).step(1, "note", |tx| Ok(tx.execute_batch("CREATE TABLE note (a)")?));
    let project = Project::new();
    let db = migrator.wait(Duration::MAX).open(project.db()).unwrap();
    db.execute_batch("INSERT INTO note VALUES (1)").unwrap();
    let waits: i64 = db.query_row("PRAGMA busy_timeout", [], |row| row.get(0)).unwrap();
    assert_eq!(waits, i64::from(i32::MAX));
}
