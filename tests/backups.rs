//! Copies: whole by themselves, no more readable than their database, reused, rotated, never mixed up.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lifeboat::{ErrorKind, Outcome};
use rusqlite::Connection;

use crate::support::{Project, backups_in, picture};

const TABLE: (&str, &str) = ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);");

/// Fails when it runs, not when it is compiled.
const FAILS: &str = "INSERT INTO note (id, body) VALUES (1, 'a'), (1, 'b');";

fn with_rows() -> Project {
    let project = Project::with(&[TABLE]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one'), ('two')");
    project
}

#[test]
fn seven_runs_leave_the_newest_five_backups() {
    let project = with_rows();
    let mut taken = Vec::new();
    for version in 2..=8 {
        project.write(&format!("V{version}__more"), format!("INSERT INTO note (body) VALUES ('{version}');"));
        let report = project.migrator().at(project.db()).migrate().unwrap();
        taken.push(report.backup.unwrap().file_name().unwrap().to_string_lossy().into_owned());
    }
    assert_eq!(project.backups(), taken[2..]);
    for name in project.backups() {
        assert!(project.backups_dir().join(format!("{name}.json")).is_file(), "{name} has its metadata");
    }
    let rows = |name: &String| {
        let copy = Connection::open(project.backups_dir().join(name)).unwrap();
        copy.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(project.backups().iter().map(rows).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
}

#[test]
fn a_hundred_failing_launches_leave_the_good_backups_and_one_more() {
    let project = with_rows();
    for version in 2..=4 {
        project.write(&format!("V{version}__more"), format!("INSERT INTO note (body) VALUES ('{version}');"));
        project.migrator().at(project.db()).migrate().unwrap();
    }
    let good = project.backups();
    project.write("V5__fails", FAILS);
    for launch in 0..100 {
        if launch % 10 == 5 {
            // The user goes on working with the old version of the app meanwhile.
            project.sql(&format!("INSERT INTO note (body) VALUES ('after launch {launch}')"));
        }
        let before = picture(&project.db());
        let error = project.migrator().at(project.db()).migrate().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack));
        assert_eq!(picture(&project.db()), before);
        assert_eq!(picture(error.backup().unwrap()), before, "the copy is of the state before this launch");
    }
    let left = project.backups();
    assert_eq!(left[..good.len()], good);
    assert_eq!(left.len(), good.len() + 1);
    let lines = fs::read_to_string(project.backups_dir().join("runs.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 104, "every run left a line");
}

#[test]
fn a_backup_of_a_wal_database_is_whole_by_itself() {
    let project = Project::with(&[TABLE]);
    let connection = Connection::open(project.db()).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE other (a); PRAGMA wal_autocheckpoint = 0")
        .unwrap();
    connection.execute_batch("INSERT INTO other SELECT value FROM generate_series(1, 10)").unwrap_or_else(|_| {
        connection.execute_batch("INSERT INTO other VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)").unwrap();
    });
    let report = project.migrator().at(project.db()).migrate().unwrap();
    let alone = project.path().join("elsewhere.db");
    fs::copy(report.backup.unwrap(), &alone).unwrap();
    let copy = Connection::open(&alone).unwrap();
    assert_eq!(copy.query_row("SELECT count(*) FROM other", [], |row| row.get::<_, i64>(0)).unwrap(), 10);
    assert_eq!(copy.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap(), "delete");
    // The other window sees the new schema in its next query, and the file is still in WAL mode.
    assert_eq!(connection.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    assert_eq!(connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap(), "wal");
    let names: Vec<_> = fs::read_dir(project.backups_dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "the copy, its metadata, the log of runs: {names:?}");
}

#[cfg(unix)]
#[test]
fn a_backup_is_no_more_readable_than_its_database() {
    use std::os::unix::fs::PermissionsExt;
    let project = with_rows();
    fs::set_permissions(project.db(), fs::Permissions::from_mode(0o600)).unwrap();
    project.write("V2__more", "ALTER TABLE note ADD COLUMN more TEXT;");
    let backup = project.migrator().at(project.db()).migrate().unwrap().backup.unwrap();
    for path in [backup.clone(), backup.with_extension("db.json")] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[test]
fn only_names_of_our_form_for_this_database_are_pruned() {
    let project = with_rows();
    fs::create_dir_all(project.backups_dir()).unwrap();
    let strangers = [
        "app-2020-01-01T00-00-00.sqlite",
        "other-2020-01-01T00-00-00.db",
        "app-before-the-holidays.db",
        "app-2020-01-01T00-00-00.db.old",
    ];
    for name in strangers {
        fs::write(project.backups_dir().join(name), "kept").unwrap();
    }
    for version in 2..=9 {
        project.write(&format!("V{version}__more"), "INSERT INTO note (body) VALUES ('x');");
        project.migrator().keep(2).at(project.db()).migrate().unwrap();
    }
    let left = project.backups();
    for name in strangers {
        assert!(left.contains(&name.to_owned()), "{name}");
    }
    assert_eq!(left.len(), strangers.len() + 2);
}

#[test]
fn a_clock_that_goes_back_does_not_make_the_newest_backup_look_old() {
    let project = with_rows();
    let year = Arc::new(AtomicI64::new(2030));
    let mut newest = Vec::new();
    for version in 2..=5 {
        let now = Arc::clone(&year);
        let migrator = project.migrator();
        project.write(&format!("V{version}__more"), "INSERT INTO note (body) VALUES ('x');");
        drop(migrator);
        let migrator = project
            .migrator()
            .keep(2)
            .clock(move || format!("{}-01-01T00:00:00Z", now.fetch_sub(1, Ordering::SeqCst)).parse().unwrap());
        let backup = migrator.at(project.db()).migrate().unwrap().backup.unwrap();
        newest.push(backup.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert_eq!(project.backups(), newest[2..], "the two that were taken last");
}

#[test]
fn two_databases_in_one_folder_do_not_share_backups() {
    let project = with_rows();
    let other = project.path().join("app.sqlite");
    fs::copy(project.db(), &other).unwrap();
    for version in 2..=8 {
        project.write(&format!("V{version}__more"), "INSERT INTO note (body) VALUES ('x');");
        project.migrator().keep(3).at(project.db()).migrate().unwrap();
        project.migrator().keep(3).at(&other).migrate().unwrap();
    }
    let count = |ending: &str| backups_in(&project.backups_dir()).iter().filter(|name| name.ends_with(ending)).count();
    assert_eq!((count(".db"), count(".sqlite")), (3, 3));
}

#[test]
fn without_a_backup_a_run_of_several_transactions_is_refused() {
    let project = with_rows();
    project.write("V2__compact", "-- lifeboat: no-transaction\nVACUUM;");
    let before = picture(&project.db());
    let error = project.migrator().no_backup().at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::Untouched));
    assert_eq!(picture(&project.db()), before);
    project.write("V2__compact", "CREATE TABLE other (a);");
    assert_eq!(project.migrator().no_backup().at(project.db()).migrate().unwrap().backup, None);
    assert!(project.backups().is_empty());
}
