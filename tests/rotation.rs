//! Which backups stay.

use std::fs;

use chrono::{DateTime, TimeDelta, Utc};
use lifeboat::{Atomicity, ErrorKind, Outcome};

use crate::child::{Job, What};
use crate::support::{Project, picture};

const NOTE: (&str, &str) = ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT UNIQUE)");

fn with_rows() -> Project {
    let project = Project::with(&[NOTE]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one'), ('two')");
    project
}

fn add_column(project: &Project, version: usize) {
    project.write(&format!("V{version}__column"), format!("ALTER TABLE note ADD COLUMN c{version}"));
}

#[test]
fn seven_successful_runs_leave_the_newest_five_backups() {
    let project = with_rows();
    let mut taken = Vec::new();
    for version in 2..9 {
        add_column(&project, version);
        let report = project.migrator().at(project.db()).migrate().unwrap();
        taken.push(report.backup.unwrap());
    }
    let migrator = project.migrator();
    let kept: Vec<_> = migrator.at(project.db()).backups().unwrap().into_iter().map(|backup| backup.path).collect();
    assert_eq!(kept, taken[2..], "oldest first");
    for (index, backup) in kept.iter().enumerate() {
        let columns = 2 + 2 + index;
        assert!(picture(backup).contains(&format!("c{}", columns - 1)) || index == 0, "{index}");
    }
    assert_eq!(fs::read_dir(project.backups_dir()).unwrap().count(), 5 + 5 + 1, "metadata, and the log of runs");
}

#[test]
fn a_hundred_failing_launches_leave_the_earlier_backups_and_one_more() {
    let project = with_rows();
    let mut good = Vec::new();
    for version in 2..7 {
        add_column(&project, version);
        good.push(project.migrator().at(project.db()).migrate().unwrap().backup.unwrap());
    }
    // Only rows can tell: a file that cannot compile is refused before there is a copy.
    project.write("V7__wrong", "UPDATE note SET body = 'the same'");
    let mut weights = Vec::new();
    for round in 0..100 {
        if round % 2 == 0 {
            // Somebody goes on working with the older app.
            project.sql(&format!("INSERT INTO note (body) VALUES ('round {round}')"));
        }
        let before = picture(&project.db());
        let error = project.migrator().at(project.db()).migrate().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack));
        assert_eq!(picture(&project.db()), before);
        assert_eq!(picture(error.backup().unwrap()), before);
        weights.push(project.backups().len());
    }
    assert!(weights.iter().all(|count| *count == 6), "{weights:?}");
    for backup in &good {
        picture(backup);
    }
    let lines = fs::read_to_string(project.backups_dir().join("runs.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 106, "each run is written down, the one that made the file too");
    project.remove("V7__wrong");
    add_column(&project, 7);
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    assert_eq!(project.backups().len(), 5);
}

#[test]
fn a_failing_run_that_reuses_the_copy_of_a_good_one_does_not_take_it_along() {
    let project = with_rows();
    add_column(&project, 2);
    let good = project.migrator().at(project.db()).migrate().unwrap().backup.unwrap();
    // Back to the older state, by hand.
    fs::copy(&good, project.db()).unwrap();
    project.write("V3__wrong", "UPDATE note SET body = 'the same'");
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!(error.backup(), Some(good.as_path()));
    for round in 0..3 {
        project.sql(&format!("INSERT INTO note (body) VALUES ('round {round}')"));
        project.migrator().at(project.db()).migrate().unwrap_err();
    }
    assert!(good.exists());
    assert_eq!(project.backups().len(), 2);
}

#[test]
fn a_clock_that_goes_back_keeps_the_order_of_the_backups() {
    let project = with_rows();
    let noon: DateTime<Utc> = "2026-01-15T12:00:00.900Z".parse().unwrap();
    let mut taken = Vec::new();
    for (version, minutes) in [(2, 0), (3, -30), (4, 0), (5, -60), (6, -2), (7, -90), (8, -90)] {
        add_column(&project, version);
        let now = noon + TimeDelta::minutes(minutes);
        let report = project.migrator().clock(move || now).at(project.db()).migrate().unwrap();
        taken.push(report.backup.unwrap());
    }
    let migrator = project.migrator();
    let kept: Vec<_> = migrator.at(project.db()).backups().unwrap().into_iter().map(|backup| backup.path).collect();
    assert_eq!(kept, taken[2..], "as they were taken");
}

#[test]
fn a_copy_without_metadata_does_not_block_the_next_one() {
    let project = with_rows();
    let now: DateTime<Utc> = "2026-01-15T12:00:00.900Z".parse().unwrap();
    for version in 2..6 {
        add_column(&project, version);
        let report = project.migrator().clock(move || now).at(project.db()).migrate().unwrap();
        let mut metadata = report.backup.unwrap().into_os_string();
        metadata.push(".json");
        if version % 2 == 1 {
            fs::remove_file(metadata).unwrap();
        }
    }
    assert_eq!(project.backups().len(), 4);
}

#[test]
fn metadata_of_a_copy_that_is_gone_is_tidied_away() {
    let project = with_rows();
    add_column(&project, 2);
    let earlier: DateTime<Utc> = "2026-01-15T12:00:00Z".parse().unwrap();
    let first = project.migrator().clock(move || earlier).at(project.db()).migrate().unwrap().backup.unwrap();
    fs::remove_file(&first).unwrap();
    assert!(first.with_extension("db.json").exists());
    let foreign = project.backups_dir().join("my-own-2026-01-15T12-00-00.db.json");
    fs::write(&foreign, "{}").unwrap();
    add_column(&project, 3);
    project.migrator().at(project.db()).migrate().unwrap();
    assert!(!first.with_extension("db.json").exists());
    assert!(foreign.exists(), "what is not ours stays");
}

#[test]
fn rows_that_only_the_copy_of_an_interrupted_run_has_outlive_two_more_interruptions() {
    if !cfg!(unix) {
        return eprintln!("NOT RUN: there is no SIGKILL here");
    }
    let project = with_rows();
    add_column(&project, 2);
    add_column(&project, 3);
    add_column(&project, 4);
    let job =
        Job { step: true, kill_on: "StepStarted { name: \"V4".to_owned(), ..Job::new(What::Migrate, project.path()) };
    let migrator = || project.migrator().atomicity(Atomicity::Step).keep(1);
    let mut kept = Vec::new();
    for round in 0..5 {
        assert!(job.run().killed);
        project.sql(&format!("INSERT INTO note (body) VALUES ('written after crash {round}')"));
        kept.push(migrator().at(project.db()).recover().unwrap().backup.unwrap());
        assert_eq!(project.number("SELECT count(*) FROM note"), 2, "the old state is back");
        for (older, copy) in kept.iter().enumerate() {
            assert_eq!(copy.exists(), older + 3 > round, "the newest three: {older} after {round}");
        }
    }
    // Neither a run that fails nor successful ones, which keep one copy, take them away.
    project.write("V3__wrong", "UPDATE note SET body = 'the same'");
    project.remove("V3__column");
    migrator().at(project.db()).migrate().unwrap_err();
    project.remove("V3__wrong");
    for version in 5..8 {
        add_column(&project, version);
        migrator().at(project.db()).migrate().unwrap();
    }
    for (round, copy) in kept.iter().enumerate().skip(2) {
        assert!(picture(copy).contains(&format!("written after crash {round}")));
    }
    assert_eq!(project.backups().len(), 3 + 1);
}
