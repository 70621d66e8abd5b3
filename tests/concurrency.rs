//! Several processes at one file.

use std::fs;
use std::time::{Duration, Instant};

use lifeboat::{Atomicity, ErrorKind, Outcome, Problem};
use rusqlite::Connection;

use crate::child::{Job, Started, What, raise};
use crate::support::{Project, picture};

const NOTE: (&str, &str) = ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)");
const COLUMN: (&str, &str) = ("V2__column", "ALTER TABLE note ADD COLUMN stars DEFAULT 3");
/// Says that it ran, and takes its time.
const SLOW: &str = "
    CREATE TABLE IF NOT EXISTS ran (step);
    INSERT INTO ran VALUES ('slow');
    WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 1500000)
    INSERT INTO ran SELECT 'counted' FROM n WHERE x = 1500000;";
const A_MOMENT: Duration = Duration::from_millis(300);

fn with_rows(wal: bool) -> Project {
    let project = Project::with(&[NOTE]);
    if wal {
        project.sql("PRAGMA journal_mode = WAL");
    }
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one'), ('two'), ('three')");
    project
}

fn hold(project: &Project, sql: &str, then: &str) -> Started {
    let job = Job::new(What::Hold, project.path());
    Job { sql: sql.to_owned(), then: then.to_owned(), ..job }.start().until_ready()
}

fn twenty_launches(project: &Project, step: bool, first: &str) {
    let job = Job { at_the_gate: true, step, ..Job::new(What::Migrate, project.path()) };
    let children: Vec<Started> = (0..20).map(|_| job.start()).collect();
    std::thread::sleep(A_MOMENT); // so that most of them stand at the gate
    raise(&project.path().join("go"));
    let outcomes: Vec<String> = children.into_iter().map(|child| child.end().outcome).collect();
    let count = |outcome: &str| outcomes.iter().filter(|it| *it == outcome).count();
    assert_eq!((count(first), count("up-to-date")), (1, 19), "{outcomes:?}");
    assert_eq!(project.number("SELECT count(*) FROM ran WHERE step = 'slow'"), 1);
    assert_eq!(project.number("SELECT count(*) FROM ran WHERE step = 'counted'"), 1);
    assert_eq!(project.number("SELECT count(*) FROM refinery_schema_history"), 3);
    assert_eq!(project.number("SELECT count(*) FROM refinery_schema_history WHERE version = 2"), 1);
    assert_eq!(project.number("SELECT count(*) FROM lifeboat_ledger WHERE kind = 'migration' AND version = 2"), 1);
    picture(&project.db());
}

#[test]
fn of_twenty_processes_that_launch_at_once_one_migrates_and_the_others_find_it_done() {
    for (wal, step) in [(false, false), (true, false), (true, true)] {
        let project = with_rows(wal);
        project.write("V2__slow", SLOW);
        project.write("V3__after", "CREATE TABLE after_it (id)");
        let backups = project.backups().len();
        twenty_launches(&project, step, "migrated");
        assert_eq!(project.backups().len(), backups + 1);
        assert_eq!(project.number("SELECT count(*) FROM note"), 3);
    }
}

#[test]
fn of_twenty_processes_that_launch_without_a_file_one_makes_it() {
    let project = Project::with(&[NOTE, ("V2__slow", SLOW), ("V3__after", "CREATE TABLE after_it (id)")]);
    twenty_launches(&project, false, "created");
    assert!(project.backups().is_empty());
}

#[test]
fn a_launch_that_waits_too_long_for_another_one_says_so() {
    let project = with_rows(false);
    project.write(COLUMN.0, COLUMN.1);
    let bytes = fs::read(project.db()).unwrap();
    let other = Job::new(What::MigrateSlowly, project.path()).start().until_ready();
    let started = Instant::now();
    let error = project.migrator().wait(A_MOMENT).at(project.db()).migrate().unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Locked, Outcome::Untouched));
    match error.problem() {
        Problem::Locked { lock, holder, waited, .. } => {
            assert_eq!(*lock, "launch lock");
            assert!(holder.is_some());
            assert!(*waited >= A_MOMENT);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(project.db()).unwrap(), bytes);
    raise(&project.path().join("go"));
    assert_eq!(other.end().outcome, "migrated");
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, Outcome::UpToDate);
}

#[test]
fn a_launch_that_waits_too_long_for_a_writer_says_so() {
    for (wal, begin) in [(false, "BEGIN IMMEDIATE"), (false, "BEGIN EXCLUSIVE"), (true, "BEGIN IMMEDIATE")] {
        let project = with_rows(wal);
        project.write(COLUMN.0, COLUMN.1);
        let (bytes, backups) = (fs::read(project.db()).unwrap(), project.backups());
        let sql = format!("{begin}; UPDATE note SET body = 'not committed yet' WHERE id = 1");
        let other = hold(&project, &sql, "ROLLBACK");
        let started = Instant::now();
        let error = project.migrator().wait(A_MOMENT).at(project.db()).migrate().unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(20));
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Locked, Outcome::Untouched), "{begin}");
        match error.problem() {
            Problem::Locked { lock: "write lock", waited, .. } => assert!(*waited >= A_MOMENT, "{waited:?}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read(project.db()).unwrap(), bytes);
        assert_eq!(project.backups(), backups);
        raise(&project.path().join("go"));
        other.end();
        assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    }
}

#[test]
fn a_writer_that_ends_in_time_is_waited_for() {
    let project = with_rows(false);
    project.write(COLUMN.0, COLUMN.1);
    let other = hold(&project, "BEGIN IMMEDIATE; INSERT INTO note (body) VALUES ('just in time')", "COMMIT");
    let go = project.path().join("go");
    let waiting = move |event: &lifeboat::Event| {
        if matches!(event, lifeboat::Event::Waiting { lock: "write lock", .. }) {
            raise(&go);
        }
    };
    let migrator = project.migrator().wait(Duration::from_secs(60)).on_event(waiting);
    assert_eq!(migrator.at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    other.end();
    assert_eq!(project.number("SELECT count(*) FROM note WHERE stars = 3"), 4);
}

#[test]
fn a_second_window_that_is_idle_blocks_nothing_and_sees_the_new_schema() {
    for atomicity in [Atomicity::Run, Atomicity::Step] {
        let project = with_rows(true);
        project.write(COLUMN.0, COLUMN.1);
        project.write("V3__more", "CREATE TABLE more (id)");
        let then =
            "CREATE TEMP TABLE seen AS SELECT stars FROM note; INSERT INTO note (body, stars) VALUES ('window', 5)";
        let window = hold(&project, "SELECT count(*) FROM note", then);
        let here = Connection::open(project.db()).unwrap();
        here.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap();
        let report = project.migrator().wait(A_MOMENT).atomicity(atomicity).at(project.db()).migrate().unwrap();
        assert_eq!(report.outcome, Outcome::Migrated);
        let stars: i64 = here.query_row("SELECT sum(stars) FROM note", [], |row| row.get(0)).unwrap();
        assert_eq!(stars, 9);
        raise(&project.path().join("go"));
        window.end();
        assert_eq!(project.number("SELECT sum(stars) FROM note"), 14);
    }
}

#[test]
fn a_reader_in_its_transaction_makes_the_commit_wait_and_then_give_up() {
    let project = with_rows(false);
    project.write(COLUMN.0, COLUMN.1);
    let before = picture(&project.db());
    let reader = hold(&project, "BEGIN; SELECT count(*) FROM note", "COMMIT");
    let error = project.migrator().wait(A_MOMENT).at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Locked, Outcome::RolledBack));
    assert!(matches!(error.problem(), Problem::Locked { lock: "lock that readers share", .. }));
    assert_eq!(error.results().len(), 1);
    assert_eq!(picture(&project.db()), before);
    raise(&project.path().join("go"));
    reader.end();
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
}

#[test]
fn a_reader_in_its_transaction_on_a_log_goes_on_reading_the_old_state() {
    let project = with_rows(true);
    project.write(COLUMN.0, COLUMN.1);
    let window = Connection::open(project.db()).unwrap();
    window.execute_batch("BEGIN; SELECT count(*) FROM note").unwrap();
    let report = project.migrator().wait(A_MOMENT).at(project.db()).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::Migrated);
    window.prepare("SELECT stars FROM note").unwrap_err();
    window.execute_batch("COMMIT").unwrap();
    window.prepare("SELECT stars FROM note").unwrap();
}

#[test]
fn a_reader_in_its_transaction_on_a_log_does_not_keep_a_failed_run_from_going_back() {
    let project = with_rows(true);
    project.write(COLUMN.0, COLUMN.1);
    project.write("V3__wrong", "UPDATE note SET id = 7 WHERE id > 1");
    let before = picture(&project.db());
    let window = Connection::open(project.db()).unwrap();
    window.execute_batch("BEGIN; SELECT count(*) FROM note").unwrap();
    let migrator = project.migrator().wait(A_MOMENT).atomicity(Atomicity::Step);
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::Restored));
    window.execute_batch("COMMIT").unwrap();
    drop(window);
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn what_others_wrote_between_two_transactions_of_a_failed_run_is_kept() {
    for wal in [false, true] {
        let project = with_rows(wal);
        project.write(COLUMN.0, COLUMN.1);
        project.write("V3__wrong", "UPDATE note SET id = 7 WHERE id > 1");
        let before = picture(&project.db());
        let db = project.db();
        let migrator = project.migrator().atomicity(Atomicity::Step).on_event(move |event| {
            if matches!(event, lifeboat::Event::Committed) {
                let other = Connection::open(&db).unwrap();
                other.execute("INSERT INTO note (body) VALUES ('acknowledged')", []).unwrap();
            }
        });
        let backups = project.backups().len();
        let error = migrator.at(project.db()).migrate().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::Restored), "{error}");
        assert_eq!(picture(&project.db()), before);
        assert_eq!(project.backups().len(), backups + 2, "the copy before, and what was there");
        let newest = project.backups_dir().join(project.backups().pop().unwrap());
        assert!(picture(&newest).contains("acknowledged"));
        // Without a writer there is nothing to keep.
        let alone = project.migrator().atomicity(Atomicity::Step);
        for _ in 0..2 {
            assert_eq!(alone.at(project.db()).migrate().unwrap_err().outcome(), Outcome::Restored);
            assert_eq!(project.backups().len(), backups + 2);
        }
    }
}

#[test]
fn when_the_one_that_migrates_is_killed_one_of_those_that_wait_goes_on() {
    for wal in [false, true] {
        let project = with_rows(wal);
        project.write("V2__slow", SLOW);
        project.write("V3__after", "CREATE TABLE after_it (id)");
        let first = Job { step: true, ..Job::new(What::MigrateSlowly, project.path()) }.start().until_ready();
        let job = Job { step: true, ..Job::new(What::Migrate, project.path()) };
        let others: Vec<Started> = (0..3).map(|_| job.start()).collect();
        std::thread::sleep(A_MOMENT);
        drop(first); // killed
        let mut outcomes: Vec<String> = others.into_iter().map(|child| child.end().outcome).collect();
        outcomes.sort();
        assert_eq!(outcomes, ["migrated", "up-to-date", "up-to-date"]);
        assert_eq!(project.number("SELECT count(*) FROM ran WHERE step = 'slow'"), 1);
    }
}

#[test]
fn no_row_that_a_writer_was_told_is_committed_is_lost() {
    for wal in [false, true] {
        let project = with_rows(wal);
        // So large that copying and failing take a while.
        project.sql(
            "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 6000)
             INSERT INTO note (body) SELECT hex(zeroblob(100)) FROM n",
        );
        let writer = Job::new(What::Write, project.path()).start();
        let reader = Job::new(What::Read, project.path()).start();
        for round in 0..8 {
            let version = round + 2;
            let told = fs::read_to_string(project.path().join("told")).unwrap_or_default().lines().count();
            if round % 2 == 0 {
                let name = format!("V{version}__wrong");
                project.write(&name, "ALTER TABLE note ADD COLUMN wrong; UPDATE note SET id = 7 WHERE id IN (1, 2)");
                let error = project.migrator().at(project.db()).migrate().unwrap_err();
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack), "{error}");
                project.remove(&name);
            } else {
                let rebuild = format!(
                    "CREATE TABLE note_new (id INTEGER PRIMARY KEY, body TEXT, c{version} DEFAULT {version});
                     INSERT INTO note_new (id, body) SELECT id, body FROM note;
                     DROP TABLE note; ALTER TABLE note_new RENAME TO note;"
                );
                project.write(&format!("V{}__gap", version - 1), "SELECT 1");
                project.write(&format!("V{version}__rebuild"), rebuild);
                let report = project.migrator().at(project.db()).migrate().unwrap();
                assert_eq!(report.outcome, Outcome::Migrated);
            }
            // The writer gets its turn between two launches.
            let started = Instant::now();
            while fs::read_to_string(project.path().join("told")).unwrap_or_default().lines().count() < told + 5 {
                assert!(started.elapsed() < Duration::from_secs(60), "the writer never came to write");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        raise(&project.path().join("stop"));
        writer.end();
        reader.end();
        let connection = Connection::open(project.db()).unwrap();
        let mut statement = connection.prepare("SELECT 1 FROM note WHERE id = ?1").unwrap();
        let told = fs::read_to_string(project.path().join("told")).unwrap();
        assert!(told.lines().count() >= 40);
        for id in told.lines() {
            assert!(statement.exists([id.parse::<i64>().unwrap()]).unwrap(), "row {id} is lost");
        }
        drop(statement);
        assert_eq!(project.number("SELECT count(*) FROM note WHERE id < 1000000"), 6_003);
        picture(&project.db());
    }
}
