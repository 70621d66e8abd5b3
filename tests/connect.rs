//! The connections of an app, and of others that are at work at the same time.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifeboat::{ErrorKind, Event, Migrations, Migrator, Outcome};
use rusqlite::{Connection, ffi};

use crate::child::{Job, What};
use crate::support::folder::Folder;
use crate::support::{Project, picture};

fn migrated(mode: &str) -> Project {
    let project = Project::with(&[("V1__note", "CREATE TABLE note (body TEXT); INSERT INTO note VALUES ('old');")]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql(&format!("PRAGMA journal_mode = {mode}"));
    project
}

fn mode_of(project: &Project) -> String {
    let connection = Connection::open(project.db()).unwrap();
    connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap()
}

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

#[test]
fn a_hook_that_fails_once_never_leaves_the_app_with_a_connection_that_cannot_write() {
    for mode in ["delete", "wal"] {
        for code in [ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY, ffi::SQLITE_IOERR, ffi::SQLITE_ERROR] {
            for failing in 1..=2 {
                let project = migrated(mode);
                let calls = AtomicUsize::new(0);
                let migrator = project.migrator().on_connect(move |_| {
                    if calls.fetch_add(1, Ordering::SeqCst) + 1 == failing {
                        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("not now".to_owned())));
                    }
                    Ok(())
                });
                let error = migrator.open(project.db()).unwrap_err();
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Sqlite, Outcome::Untouched), "{mode} {code}");
                assert!(error.to_string().contains("on_connect"), "{error}");
                let db = migrator.open(project.db()).unwrap();
                db.execute_batch("INSERT INTO note VALUES ('new')").unwrap();
                assert_eq!(project.number("SELECT count(*) FROM note"), 2);
            }
        }
    }
}

#[test]
fn a_hook_that_asks_for_the_journal_modes_answer_leaves_a_run_its_journal_on_disk_and_a_look_no_trace() {
    for before in ["delete", "wal"] {
        for asked in ["wal", "delete", "memory", "off", "persist", "truncate"] {
            let project = migrated(before);
            project.write("V2__more", "INSERT INTO note VALUES ('new');");
            let modes = Arc::new(Mutex::new(Vec::new()));
            let into = Arc::clone(&modes);
            let migrator = project
                .migrator()
                .on_connect(move |connection| {
                    let sql = format!("PRAGMA journal_mode = {asked}");
                    connection.query_row(&sql, [], |row| row.get::<_, String>(0)).map(drop)
                })
                .before_each(move |tx, _| {
                    let mode: String = tx.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
                    into.lock().unwrap().push(mode);
                    Ok(())
                });
            assert_eq!(migrator.at(project.db()).status().unwrap().pending_migrations.len(), 1);
            assert_eq!(mode_of(&project), before, "{asked}: after looking");
            let report = migrator.at(project.db()).migrate().unwrap();
            let on_disk = if asked == "wal" { "wal" } else { "delete" };
            assert_eq!(*modes.lock().unwrap(), [on_disk], "{before} {asked}: in the run");
            assert_eq!(mode_of(&project), on_disk, "{before} {asked}: after the run");
            let copy = Connection::open(report.backup.unwrap()).unwrap();
            assert_eq!(copy.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
            let db = migrator.open(project.db()).unwrap();
            let own: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
            assert_eq!(own, asked, "the app's own connection");
            assert_eq!(db.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
        }
    }
}

#[test]
fn a_hook_that_locks_the_file_for_itself_does_not_shut_out_the_copy() {
    for mode in ["delete", "wal"] {
        for asks in [false, true] {
            let project = migrated(mode);
            project.write("V2__more", "INSERT INTO note VALUES ('new');");
            let migrator = project.migrator().wait(Duration::from_secs(2)).on_connect(move |connection| {
                if asks {
                    connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))
                } else {
                    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM sqlite_schema")
                }
            });
            let report = migrator.at(project.db()).migrate().unwrap();
            assert_eq!((report.outcome, report.backup.is_some()), (Outcome::Migrated, true), "{mode} {asks}");
            assert_eq!(project.number("SELECT count(*) FROM note"), 2);
            let db = migrator.open(project.db()).unwrap();
            let own: String = db.query_row("PRAGMA locking_mode", [], |row| row.get(0)).unwrap();
            assert_eq!(own, "exclusive", "the app's own connection");
        }
    }
}

#[test]
fn a_hook_that_leaves_a_transaction_open_is_refused() {
    let project = migrated("delete");
    project.write("V2__more", "INSERT INTO note VALUES ('new');");
    let before = Folder::of(project.path());
    let migrator = project.migrator().on_connect(|connection| connection.execute_batch("BEGIN"));
    let error = migrator.open(project.db()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::Untouched));
    assert!(error.to_string().contains("on_connect"), "{error}");
    before.assert_unchanged();
}

#[test]
fn a_file_that_is_migrated_and_cannot_be_opened_for_the_app_is_said_to_be_migrated() {
    for outcome in [Outcome::Created, Outcome::Migrated] {
        let project = migrated("delete");
        project.write("V2__more", "INSERT INTO note VALUES ('new');");
        if outcome == Outcome::Created {
            fs::remove_file(project.db()).unwrap();
        }
        let done = Arc::new(AtomicBool::new(false));
        let into = Arc::clone(&done);
        let migrator = project
            .migrator()
            .on_event(move |event| {
                if matches!(event, Event::Finished { .. }) {
                    into.store(true, Ordering::SeqCst);
                }
            })
            .on_connect(move |_| if done.load(Ordering::SeqCst) { Err(rusqlite::Error::InvalidQuery) } else { Ok(()) });
        let error = migrator.open(project.db()).unwrap_err();
        assert_eq!((error.outcome(), error.kind()), (outcome, ErrorKind::Sqlite));
        assert_eq!(error.state(), "the file is migrated");
        assert_eq!(error.results().len(), if outcome == Outcome::Created { 2 } else { 1 });
        assert_eq!(error.backup().is_some(), outcome == Outcome::Migrated);
        assert_eq!(project.number("SELECT count(*) FROM note"), 2);
    }
}

#[test]
fn the_connection_that_an_app_gets_is_what_sqlite_gives() {
    let project = migrated("delete");
    project.write("V2__more", "INSERT INTO note VALUES ('new');");
    for name in ["after a run", "with nothing to do"] {
        let db = project.migrator().wait(Duration::from_millis(1234)).open(project.db()).unwrap();
        let other = project.path().join(format!("{name}.db"));
        db.execute("ATTACH ?1 AS other", [other.to_str().unwrap()]).unwrap();
        db.execute_batch("CREATE TABLE other.copied AS SELECT * FROM note").unwrap();
        db.execute_batch("ATTACH 'file:here?mode=memory' AS here; CREATE TABLE here.a (a)").unwrap();
        drop(db);
        let other = Connection::open(other).unwrap();
        assert_eq!(
            other.query_row("SELECT count(*) FROM copied", [], |row| row.get::<_, i64>(0)).unwrap(),
            2,
            "{name}"
        );
        let db = project.migrator().wait(Duration::from_millis(1234)).open(project.db()).unwrap();
        assert_eq!(db.query_row("PRAGMA busy_timeout", [], |row| row.get::<_, i64>(0)).unwrap(), 1234);
    }
    assert!(!std::path::Path::new("here").exists());
}

#[test]
fn a_refusal_after_a_cut_off_run_was_undone_says_both() {
    if !cfg!(unix) {
        return eprintln!("NOT RUN: there is no SIGKILL here");
    }
    let project = migrated("delete");
    let before = picture(&project.db());
    project.write("V2__more", "INSERT INTO note VALUES ('new');");
    project.write("V3__other", "CREATE TABLE other (a);");
    let job = Job::new(What::Migrate, project.path());
    let killed = Job { step: true, kill_on: "StepStarted { name: \"V3".to_owned(), ..job }.run();
    assert!(killed.killed, "{}", killed.said);
    assert_eq!(project.number("SELECT count(*) FROM note"), 2, "it was killed between its transactions");
    project.write("V1__note", "CREATE TABLE note (body);");
    let error = project.migrator().open(project.db()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Divergent, Outcome::Restored));
    assert!(error.recovered());
    assert!(error.state().contains("that run was undone first"), "{}", error.state());
    assert_eq!(picture(&project.db()), before);
}

/// The descriptors of a process that look into this folder, at files that have no name any more.
#[cfg(target_os = "linux")]
fn nameless(folder: &std::path::Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links.filter(|link| link.starts_with(folder) && link.to_string_lossy().ends_with(" (deleted)")).count()
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_lives_long_keeps_no_room_for_databases_that_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let migrations = folder.join("migrations");
    fs::create_dir(&migrations).unwrap();
    fs::write(migrations.join("V1__a.sql"), "CREATE TABLE a (b)").unwrap();
    let first = Migrator::new(Migrations::from_dir(&migrations).unwrap());
    fs::write(migrations.join("V2__c.sql"), "CREATE TABLE c (d)").unwrap();
    let second = Migrator::new(Migrations::from_dir(&migrations).unwrap());
    for number in 0..20 {
        let data = folder.join(number.to_string());
        fs::create_dir(&data).unwrap();
        let database = data.join("app.db");
        drop(first.open(&database).unwrap());
        // With the backup before it, for which the file is read as it lies there.
        drop(second.open(&database).unwrap());
        fs::remove_dir_all(&data).unwrap();
        assert!(nameless(&folder) <= 1, "after {number}: {}", nameless(&folder));
    }
}
