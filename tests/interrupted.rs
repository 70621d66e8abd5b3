//! A run of several transactions was killed, and before the next launch something happened to the copy that undoes it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lifeboat::{Atomicity, ErrorKind, Migrator, Outcome, Problem};

use crate::child::{Job, What};
use crate::support::{Project, picture};

struct CutOff {
    project: Project,
    /// The picture before the run.
    old: String,
    /// The copy that undoes it.
    copy: PathBuf,
}

/// A file whose run was killed after its second commit.
fn cut_off(wal: bool) -> CutOff {
    let project = Project::with(&[("V1__begin", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)")]);
    if wal {
        project.sql("PRAGMA journal_mode = WAL");
    }
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one'), ('two'), ('three')");
    project.write("V2__stars", "ALTER TABLE note ADD COLUMN stars; UPDATE note SET stars = 3");
    project.write("V3__shorter", "DELETE FROM note WHERE id = 2");
    project.write("V4__more", "CREATE TABLE more (id)");
    let old = picture(&project.db());
    let job = Job::new(What::Migrate, project.path());
    let killed = Job { step: true, kill_on: "StepStarted { name: \"V4".to_owned(), ..job }.run();
    assert!(killed.killed, "{}", killed.said);
    let copy = project.backups_dir().join(project.backups().pop().unwrap());
    CutOff { project, old, copy }
}

fn migrator(project: &Project) -> Migrator {
    project.migrator().atomicity(Atomicity::Step)
}

/// The launch cannot go back, says so, and changes nothing; once `mend` has brought the copy back, it goes on.
fn stuck(damage: impl Fn(&CutOff), mend: impl Fn(&CutOff)) {
    if !cfg!(unix) {
        return crate::support::skipped("there is no SIGKILL here");
    }
    for wal in [false, true] {
        let cut_off = cut_off(wal);
        let project = &cut_off.project;
        let kept = fs::read(&cut_off.copy).unwrap();
        damage(&cut_off);
        let backups = project.backups();
        let found = picture(&project.db());
        for round in 0..3 {
            let error = migrator(project).at(project.db()).migrate().unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::NeedsRecovery, Outcome::NeedsRecovery), "{error}");
            assert!(error.hint().unwrap().contains("recover"));
            let error = migrator(project).at(project.db()).recover().unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::NeedsRecovery, Outcome::NeedsRecovery), "{error}");
            assert_eq!(picture(&project.db()), found, "round {round}");
            assert!(migrator(project).at(project.db()).status().unwrap().interrupted);
        }
        assert_eq!(project.backups(), backups);
        mend(&cut_off);
        fs::write(&cut_off.copy, kept).unwrap();
        let report = migrator(project).at(project.db()).recover().unwrap();
        assert_eq!(report.outcome, Outcome::Restored);
        assert_eq!(picture(&project.db()), cut_off.old);
        assert_eq!(picture(&report.backup.unwrap()).replace("\"delete\"", "\"wal\""), {
            // What was found, with the note closed.
            found
                .replace("\"delete\"", "\"wal\"")
                .replace("|Integer(1)|Null|Null|Null|\"2", "|Integer(0)|Null|Null|Null|\"2")
        });
        let report = migrator(project).at(project.db()).migrate().unwrap();
        assert_eq!(report.outcome, Outcome::Migrated);
        assert_eq!(project.number("SELECT count(*) FROM note WHERE stars = 3"), 2);
    }
}

#[test]
fn a_copy_that_was_deleted_needs_recovery() {
    stuck(|it| fs::remove_file(&it.copy).unwrap(), |_| {});
}

#[test]
fn a_copy_that_was_cut_short_needs_recovery() {
    stuck(
        |it| {
            let bytes = fs::read(&it.copy).unwrap();
            fs::write(&it.copy, &bytes[..bytes.len() / 2]).unwrap();
        },
        |_| {},
    );
}

#[test]
fn a_copy_that_is_another_database_needs_recovery() {
    stuck(
        |it| {
            fs::remove_file(&it.copy).unwrap();
            rusqlite::Connection::open(&it.copy).unwrap().execute_batch("CREATE TABLE other (id)").unwrap();
        },
        |_| {},
    );
}

#[cfg(unix)]
#[test]
fn a_copy_that_became_a_link_needs_recovery() {
    stuck(
        |it| {
            let elsewhere = it.project.path().join("elsewhere.db");
            fs::rename(&it.copy, &elsewhere).unwrap();
            std::os::unix::fs::symlink(&elsewhere, &it.copy).unwrap();
        },
        |it| fs::remove_file(&it.copy).unwrap(),
    );
}

#[test]
fn a_ledger_that_names_a_file_outside_the_folder_needs_recovery() {
    for name in
        ["../elsewhere.db", "/etc/hostname", "..", "", "app.db", "app-2026-01-15T14-30-00.db/../../elsewhere.db"]
    {
        if !cfg!(unix) {
            return crate::support::skipped("there is no SIGKILL here");
        }
        let cut_off = cut_off(false);
        let project = &cut_off.project;
        fs::copy(&cut_off.copy, project.path().join("elsewhere.db")).unwrap();
        let right = cut_off.copy.file_name().unwrap().to_str().unwrap();
        project.sql(&format!("UPDATE lifeboat_ledger SET backup = '{name}' WHERE is_open = 1"));
        let found = picture(&project.db());
        let error = migrator(project).at(project.db()).migrate().unwrap_err();
        assert!(matches!(error.problem(), Problem::NeedsRecovery { .. }), "`{name}`: {error}");
        assert_eq!(error.outcome(), Outcome::NeedsRecovery);
        assert_eq!(picture(&project.db()), found);
        project.sql(&format!("UPDATE lifeboat_ledger SET backup = '{right}' WHERE is_open = 1"));
        let report = migrator(project).at(project.db()).migrate().unwrap();
        assert!(report.recovered);
        assert_eq!(report.outcome, Outcome::Migrated);
        assert_eq!(project.number("SELECT count(*) FROM note WHERE stars = 3"), 2);
    }
}

#[test]
fn what_was_written_after_the_crash_is_kept_in_a_backup() {
    if !cfg!(unix) {
        return crate::support::skipped("there is no SIGKILL here");
    }
    let cut_off = cut_off(true);
    let project = &cut_off.project;
    project.sql("INSERT INTO note (body) VALUES ('written between the crash and the launch')");
    let report = migrator(project).at(project.db()).recover().unwrap();
    assert_eq!(picture(&project.db()), cut_off.old);
    assert!(picture(&report.backup.unwrap()).contains("written between the crash and the launch"));
}

#[test]
fn a_window_that_keeps_the_journal_mode_from_being_put_back_is_named_and_nothing_is_changed() {
    if !cfg!(unix) {
        return crate::support::skipped("there is no SIGKILL here");
    }
    let project = Project::with(&[("V1__begin", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)")]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one')");
    let old = picture(&project.db());
    project.write("V2__log", "-- lifeboat: no-transaction\nPRAGMA journal_mode = WAL");
    project.write("V3__more", "CREATE TABLE more (id)");
    let job = Job::new(What::Migrate, project.path());
    assert!(Job { kill_on: "StepStarted { name: \"V3".to_owned(), ..job }.run().killed);
    let window = rusqlite::Connection::open(project.db()).unwrap();
    window.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap();
    let found = picture(&project.db());
    let impatient = project.migrator().wait(Duration::from_millis(200));
    let error = impatient.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::NeedsRecovery, Outcome::NeedsRecovery));
    assert!(error.to_string().contains("in use"), "{error}");
    assert_eq!(picture(&project.db()), found);
    drop(window);
    assert_eq!(impatient.at(project.db()).recover().unwrap().outcome, Outcome::Restored);
    assert_eq!(picture(&project.db()), old);
    assert_eq!(impatient.at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
}

#[test]
fn a_window_that_is_open_does_not_keep_a_log_from_being_put_back() {
    if !cfg!(unix) {
        return crate::support::skipped("there is no SIGKILL here");
    }
    let cut_off = cut_off(true);
    let project = &cut_off.project;
    let window = rusqlite::Connection::open(project.db()).unwrap();
    window.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap();
    let report = migrator(project).at(project.db()).recover().unwrap();
    assert_eq!(report.outcome, Outcome::Restored);
    let notes: i64 = window.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
    assert_eq!(notes, 3, "the window sees what was put back");
    drop(window);
    assert_eq!(picture(&project.db()), cut_off.old);
}

#[test]
fn a_file_whose_copy_is_lost_can_be_taken_as_it_is() {
    if !cfg!(unix) {
        return crate::support::skipped("there is no SIGKILL here");
    }
    let cut_off = cut_off(false);
    let project = &cut_off.project;
    fs::remove_file(&cut_off.copy).unwrap();
    let found = project.number("SELECT count(*) FROM refinery_schema_history");
    let error = migrator(project).at(project.db()).migrate().unwrap_err();
    assert!(error.hint().unwrap().contains("--accept"), "{:?}", error.hint());
    let report = migrator(project).at(project.db()).accept_interrupted().unwrap();
    assert_eq!(report.outcome, Outcome::Untouched);
    assert_eq!(project.number("SELECT count(*) FROM refinery_schema_history"), found);
    assert!(report.backup.unwrap().is_file(), "what is accepted is kept");
    assert!(!migrator(project).at(project.db()).status().unwrap().interrupted);
    let report = migrator(project).at(project.db()).migrate().unwrap();
    assert_eq!((report.outcome, report.recovered), (Outcome::Migrated, false));
    let nothing = migrator(project).at(project.db()).accept_interrupted().unwrap();
    assert_eq!(nothing.backup, None);
}
