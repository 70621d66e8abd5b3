//! Code of the app's inside a run, and other programs beside it, that do what nobody would do on purpose.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lifeboat::{Atomicity, CancelToken, ErrorKind, Event, Outcome};
use rusqlite::Connection;

use crate::support::{Project, picture};

const TABLE: (&str, &str) = ("V1__n", "CREATE TABLE n (x INTEGER PRIMARY KEY, t TEXT);");

fn with_rows() -> Project {
    let project = Project::with(&[TABLE]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO n (x) VALUES (1), (2), (3)");
    project
}

#[test]
fn a_step_that_goes_on_after_sqlite_ended_the_transaction_changes_nothing() {
    let project = with_rows();
    let before = picture(&project.db());
    let migrator = project.migrator().step(2, "passes_over", |tx| {
        let _ = tx.execute("INSERT OR ROLLBACK INTO n (x) VALUES (1)", []);
        let _ = tx.execute("DELETE FROM n WHERE x > 1", []);
        Ok(())
    });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::CodeFailed, Outcome::RolledBack));
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn a_hook_that_goes_on_after_sqlite_ended_the_transaction_changes_nothing() {
    for before_it in [true, false] {
        let project = with_rows();
        let before = picture(&project.db());
        project.write("V2__more", "UPDATE n SET t = 'migrated';");
        let hook = |db: &Connection, _: &lifeboat::StepContext| {
            let _ = db.execute("INSERT OR ROLLBACK INTO n (x) VALUES (1)", []);
            let _ = db.execute("DELETE FROM n", []);
            Ok(())
        };
        let migrator =
            if before_it { project.migrator().before_each(hook) } else { project.migrator().after_each(hook) };
        let error = migrator.at(project.db()).migrate().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::CodeFailed, Outcome::RolledBack));
        assert_eq!(picture(&project.db()), before);
    }
}

#[test]
fn a_step_that_tolerates_errors_is_cancelled_all_the_same() {
    let project = with_rows();
    project.sql(
        "WITH RECURSIVE i(x) AS (SELECT 10 UNION ALL SELECT x + 1 FROM i LIMIT 2000) INSERT INTO n (x) SELECT x FROM i",
    );
    let before = picture(&project.db());
    let token = CancelToken::new();
    let cancel = token.clone();
    let migrator = project.migrator().cancel(token).step(2, "tolerant", move |tx| {
        for x in 10..1000 {
            if x == 20 {
                cancel.cancel();
                // Long enough to be interrupted.
                let _ = tx.execute(
                    "UPDATE n SET t = (WITH RECURSIVE i(y) AS (SELECT 1 UNION ALL SELECT y + 1 FROM i LIMIT 100000) SELECT max(y) FROM i)",
                    [],
                );
            }
            let _ = tx.execute("UPDATE n SET t = 'lost' WHERE x = ?1", [x]);
        }
        Ok(())
    });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Cancelled, Outcome::RolledBack));
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn a_hook_whose_rollback_was_refused_fails_the_run() {
    let project = with_rows();
    let before = picture(&project.db());
    project.write("V2__more", "UPDATE n SET t = 'migrated';");
    let migrator = project.migrator().after_each(|db, _| {
        let tx = db.unchecked_transaction()?;
        tx.execute("DELETE FROM n", [])?;
        drop(tx); // it believes to have changed its mind
        Ok(())
    });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::CodeFailed, Outcome::RolledBack));
    assert_eq!(picture(&project.db()), before);
}

/// Rows of `n` in any of the backups.
fn kept_somewhere(project: &Project, text: &str) -> bool {
    project.backups().iter().any(|name| {
        let copy = Connection::open(project.backups_dir().join(name)).unwrap();
        copy.prepare("SELECT 1 FROM n WHERE t = ?1").unwrap().exists([text]).unwrap()
    })
}

#[test]
fn what_others_write_between_any_two_transactions_of_a_failing_run_is_kept() {
    for bare in [false, true] {
        for which in 0..2 {
            let project = with_rows();
            let path = project.db();
            project.write("V2__a", "CREATE TABLE a (x);");
            project.write("V3__b", if bare { "-- lifeboat: no-transaction\nVACUUM;" } else { "CREATE TABLE b (x);" });
            project.write("V4__c", "INSERT INTO n (x) VALUES (900), (900);");
            let commits = Arc::new(AtomicUsize::new(0));
            let migrator = project.migrator().atomicity(Atomicity::Step).on_event(move |event| {
                if matches!(event, Event::Committed) && commits.fetch_add(1, Ordering::SeqCst) == which {
                    Connection::open(&path).unwrap().execute("INSERT INTO n (t) VALUES ('theirs')", []).unwrap();
                }
            });
            let error = migrator.at(project.db()).migrate().unwrap_err();
            assert_eq!(error.outcome(), Outcome::Restored, "{error}");
            assert!(kept_somewhere(&project, "theirs"), "bare {bare}, after commit {which}");
        }
    }
}

#[test]
fn what_others_write_between_the_rollback_and_the_restore_is_kept() {
    let project = with_rows();
    let path = project.db();
    project.write("V2__a", "CREATE TABLE a (x);");
    project.write("V3__b", "INSERT INTO n (x) VALUES (900), (900);");
    let migrator = project.migrator().atomicity(Atomicity::Step).on_event(move |event| {
        if matches!(event, Event::RestoreStarted { .. }) {
            Connection::open(&path).unwrap().execute("INSERT INTO n (t) VALUES ('theirs')", []).unwrap();
        }
    });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Restored);
    assert!(kept_somewhere(&project, "theirs"));
}

#[test]
fn no_setting_of_like_or_lower_hides_a_dangling_row() {
    let tables = (
        "V1__t",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p (id)); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);",
    );
    for (name, sql) in [
        ("V2__sensitive", "PRAGMA case_sensitive_like = ON; DELETE FROM p;"),
        (
            "V2__capital",
            "CREATE TABLE neu (p REFERENCES p (id)); INSERT INTO neu VALUES (77); ALTER TABLE neu RENAME TO \"Ämter\";",
        ),
    ] {
        let project = Project::with(&[tables]);
        project.migrator().at(project.db()).migrate().unwrap();
        project.write(name, sql);
        let before = picture(&project.db());
        let migrator = project.migrator().on_connect(|db| {
            let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
            db.create_scalar_function("lower", 1, flags, |_| Ok("no"))
        });
        let error = migrator.at(project.db()).migrate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignKey, "{name}: {error}");
        assert_eq!(picture(&project.db()), before);
    }
}

#[test]
fn a_database_that_on_connect_attached_is_written_once() {
    let project = with_rows();
    let other = project.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE log (a)").unwrap();
    project.write("V2__log", "INSERT INTO other.log VALUES (1); UPDATE n SET t = 'migrated';");
    let path = other.clone();
    let migrator =
        project.migrator().on_connect(move |db| db.execute("ATTACH ?1 AS other", [path.to_str().unwrap()]).map(drop));
    let rows =
        || Connection::open(&other).unwrap().query_row("SELECT count(*) FROM log", [], |r| r.get::<_, i64>(0)).unwrap();
    migrator.at(project.db()).preview(None, None).unwrap();
    assert_eq!(rows(), 0, "a look writes nowhere");
    migrator.at(project.db()).migrate().unwrap();
    assert_eq!(rows(), 1);
}

#[test]
fn a_row_that_broke_a_check_long_ago_blocks_no_run() {
    for no_backup in [false, true] {
        let project = Project::with(&[("V1__n", "CREATE TABLE n (x INTEGER CHECK (x > 0));")]);
        project.migrator().at(project.db()).migrate().unwrap();
        project.sql("PRAGMA ignore_check_constraints = ON; INSERT INTO n VALUES (-1)");
        project.write("V2__rename", "ALTER TABLE n RENAME TO m; CREATE INDEX m_x ON m (x);");
        let migrator = if no_backup { project.migrator().no_backup() } else { project.migrator() };
        assert_eq!(migrator.at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    }
}

#[test]
fn a_search_index_that_disagrees_with_its_content_can_be_mended_by_a_migration() {
    let project = Project::with(&[(
        "V1__n",
        "CREATE TABLE n (x INTEGER PRIMARY KEY, t TEXT); CREATE VIRTUAL TABLE f USING fts5(t, content='n', content_rowid='x');",
    )]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO n VALUES (1, 'not in the index')");
    project.sql("INSERT INTO f (rowid, t) VALUES (2, 'in the index alone')");
    project.write("V2__mend", "INSERT INTO f (f) VALUES ('rebuild');");
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    assert_eq!(project.number("SELECT count(*) FROM f WHERE f MATCH 'index'"), 1);
}

#[test]
fn statements_that_a_plain_driver_runs_are_not_refused_by_the_trial() {
    let project = Project::with(&[("V1__n", "CREATE TABLE n (x INTEGER PRIMARY KEY AUTOINCREMENT);")]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO n DEFAULT VALUES; DROP TABLE n");
    project.write("V2__sequence", "DELETE FROM sqlite_sequence WHERE name = 'n';");
    project.write(
        "V3__settings",
        "PRAGMA count_changes = 1; CREATE TEMP TABLE t (a); PRAGMA temp_store = MEMORY; CREATE TABLE m (a);",
    );
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().results.len(), 2);
}

#[test]
fn a_listener_that_panics_does_not_cost_the_connection_that_was_lent() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (1); PRAGMA busy_timeout = 1234").unwrap();
    let project = Project::with(&[TABLE]);
    let once = Mutex::new(true);
    let migrator = project.migrator().on_event(move |event| {
        if matches!(event, Event::StepStarted { .. }) && std::mem::take(&mut *once.lock().unwrap()) {
            panic!("a listener");
        }
    });
    let run = std::panic::AssertUnwindSafe(|| migrator.apply_to(&mut connection));
    let panicked = std::panic::catch_unwind(run);
    assert!(panicked.is_err());
    assert_eq!(connection.query_row("SELECT a FROM mine", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    let _ = connection.execute_batch("ROLLBACK");
    migrator.apply_to(&mut connection).unwrap();
    assert_eq!(connection.query_row("PRAGMA busy_timeout", [], |row| row.get::<_, i64>(0)).unwrap(), 1234);
}

#[test]
fn a_file_without_the_history_that_its_ledger_tells_of_is_refused() {
    let project = Project::with(&[("V1__seed", "CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES ('seed');")]);
    project.migrator().at(project.db()).migrate().unwrap();
    let error = project.migrator().history_table("another_name").at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::BadHistory, Outcome::Untouched));
    assert_eq!(project.number("SELECT count(*) FROM t"), 1, "nothing ran twice");
}

#[test]
fn a_refusal_of_open_is_an_event_too() {
    let project = with_rows();
    std::fs::write(project.db(), "no database at all, but long enough to be looked at as one").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    let migrator =
        project.migrator().on_event(move |event| into.lock().unwrap().push((event.level(), event.to_string())));
    let error = migrator.open(project.db()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotADatabase);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].0, lifeboat::Level::Error);
    let shown = format!("{error:?}");
    assert!(shown.contains("state: the file is as it was"), "{shown}");
}
