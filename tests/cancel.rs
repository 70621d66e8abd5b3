//! Everything that can stop a run from inside the process: the file is as it was, and the error says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifeboat::{Atomicity, CancelToken, Error, ErrorKind, Event, Migrator, Outcome, Problem};

use crate::support::{Project, picture};

const BEGIN: (&str, &str) = ("V1__begin", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)");
const ADD: (&str, &str) = ("V2__add", "ALTER TABLE note ADD COLUMN stars; UPDATE note SET stars = id");
const LAST: (&str, &str) = ("V4__last", "CREATE TABLE last (id)");
/// Never ends by itself; without rows, where it is tried first, it does.
const ENDLESS: (&str, &str) = (
    "V3__endless",
    "CREATE TABLE n AS WITH RECURSIVE n(x) AS (SELECT id FROM note UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n",
);

fn project(middle: &[(&str, &str)]) -> Project {
    let project = Project::with(&[BEGIN]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql(
        "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 500)
         INSERT INTO note (body) SELECT hex(zeroblob(400)) FROM n",
    );
    for (name, sql) in [&[ADD], middle, &[LAST]].concat() {
        project.write(name, sql);
    }
    project
}

/// Tries it in one transaction and with one a step, on a journal and on a log.
fn stopped(middle: &[(&str, &str)], prepare: impl Fn(Migrator) -> Migrator, check: impl Fn(&Error)) {
    for wal in [false, true] {
        for atomicity in [Atomicity::Run, Atomicity::Step] {
            let project = project(middle);
            if wal {
                project.sql("PRAGMA journal_mode = WAL");
            }
            let before = picture(&project.db());
            let error = prepare(project.migrator()).atomicity(atomicity).at(project.db()).migrate().unwrap_err();
            check(&error);
            let gone_back = match atomicity {
                Atomicity::Step => [Outcome::Restored, Outcome::RolledBack, Outcome::Untouched].as_slice(),
                _ => [Outcome::RolledBack, Outcome::Untouched].as_slice(),
            };
            assert!(gone_back.contains(&error.outcome()), "{:?}: {error}", error.outcome());
            assert_eq!(picture(&project.db()), before, "{error}");
            if let Some(backup) = error.backup() {
                assert_eq!(picture(backup).replace("\"delete\"", "\"wal\""), before.replace("\"delete\"", "\"wal\""));
            }
            for (name, _) in middle {
                project.remove(name);
            }
            assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
            assert_eq!(project.number("SELECT count(*) FROM note WHERE stars = id"), 500);
        }
    }
}

#[test]
fn a_long_statement_is_cancelled_in_its_middle() {
    let cancelling = |migrator: Migrator| {
        let token = CancelToken::new();
        let button = token.clone();
        migrator.cancel(token).on_event(move |event| {
            if matches!(event, Event::StatementRunning { name, .. } if name == ENDLESS.0) {
                let button = button.clone();
                std::thread::spawn(move || button.cancel());
            }
        })
    };
    stopped(&[ENDLESS], cancelling, |error| {
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(error.backup().is_some());
    });
}

#[test]
fn a_run_is_cancelled_between_two_steps() {
    let cancelling = |migrator: Migrator| {
        let token = CancelToken::new();
        let button = token.clone();
        migrator.cancel(token).on_event(move |event| {
            if matches!(event, Event::StepFinished { name, .. } if name == ADD.0) {
                button.cancel();
            }
        })
    };
    stopped(&[], cancelling, |error| assert_eq!(error.kind(), ErrorKind::Cancelled));
}

#[test]
fn a_copy_is_cancelled_and_leaves_nothing() {
    for event_name in ["BackupStarted", "BackupProgress"] {
        let project = project(&[]);
        let before = picture(&project.db());
        let token = CancelToken::new();
        let button = token.clone();
        let migrator = project.migrator().cancel(token).on_event(move |event| {
            if format!("{event:?}").starts_with(event_name) {
                button.cancel();
            }
        });
        let error = migrator.at(project.db()).migrate().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Cancelled, Outcome::Untouched), "{event_name}");
        assert_eq!(picture(&project.db()), before);
        assert_eq!(project.backups(), [""; 0]);
    }
}

#[test]
fn the_way_back_is_not_cancelled() {
    let project = project(&[("V3__wrong", "UPDATE note SET id = 7 WHERE id > 400")]);
    let before = picture(&project.db());
    let token = CancelToken::new();
    let button = token.clone();
    let migrator = project.migrator().atomicity(Atomicity::Step).cancel(token).on_event(move |event| {
        if matches!(event, Event::StepFailed { .. } | Event::RestoreStarted { .. }) {
            button.cancel();
        }
    });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::Restored));
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn a_statement_that_takes_longer_than_it_may_is_stopped() {
    stopped(
        &[ENDLESS],
        |migrator| migrator.statement_limit(Duration::from_millis(300)),
        |error| match error.problem() {
            Problem::TimedOut { migration, limit, .. } => {
                assert_eq!((migration.as_str(), *limit), (ENDLESS.0, Duration::from_millis(300)));
            }
            other => panic!("{other:?}"),
        },
    );
}

#[test]
fn a_panic_in_a_step_of_rust_is_a_failure_of_that_step() {
    let asked = Arc::new(AtomicBool::new(false));
    let once = Arc::clone(&asked);
    // The step itself is part of no later migrator here, so each try needs it to have failed.
    let project = project(&[]);
    let before = picture(&project.db());
    for atomicity in [Atomicity::Run, Atomicity::Step] {
        let once = Arc::clone(&once);
        let migrator = project.migrator().atomicity(atomicity).step(3, "panics", move |tx| {
            once.store(true, Ordering::SeqCst);
            tx.execute("DELETE FROM note", [])?;
            panic!("a bug in the app")
        });
        let error = migrator.at(project.db()).migrate().unwrap_err();
        assert!(asked.swap(false, Ordering::SeqCst));
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(error.to_string().contains("a bug in the app"), "{error}");
        assert_eq!(picture(&project.db()), before);
    }
}

#[test]
fn an_error_or_a_panic_in_the_apps_own_code_goes_back() {
    type Prepare = fn(Migrator) -> Migrator;
    let cases: [(Prepare, ErrorKind); 6] = [
        (|m| m.before_each(|_, step| if step.index == 2 { Err("no".into()) } else { Ok(()) }), ErrorKind::CodeFailed),
        (|m| m.after_each(|_, step| if step.index == 2 { Err("no".into()) } else { Ok(()) }), ErrorKind::CodeFailed),
        (|m| m.check("enough notes", |_| Err("too few".into())), ErrorKind::CheckFailed),
        (|m| m.before_each(|_, step| if step.index == 2 { panic!("oh") } else { Ok(()) }), ErrorKind::Panicked),
        (|m| m.after_each(|_, step| if step.index == 2 { panic!("oh") } else { Ok(()) }), ErrorKind::Panicked),
        (|m| m.check("enough notes", |_| panic!("oh")), ErrorKind::Panicked),
    ];
    for (prepare, kind) in cases {
        stopped(&[], prepare, |error| assert_eq!(error.kind(), kind));
    }
}

#[test]
fn a_copy_that_vanishes_during_a_failing_run_of_one_transaction_is_not_missed() {
    let project = project(&[("V3__wrong", "UPDATE note SET id = 7 WHERE id > 400")]);
    let before = picture(&project.db());
    let copy = Arc::new(Mutex::new(None));
    let migrator = project.migrator().on_event(move |event| match event {
        Event::BackupFinished { path, .. } => *copy.lock().unwrap() = Some(path.clone()),
        Event::StepFailed { .. } => std::fs::remove_file(copy.lock().unwrap().take().unwrap()).unwrap(),
        _ => {}
    });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack));
    assert_eq!(picture(&project.db()), before);
}
