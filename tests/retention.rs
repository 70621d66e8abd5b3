//! Backups that somebody asks for, and which of all stay: by number, day, week and size, never those that are needed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lifeboat::{Backup, Defect, ErrorKind, Migrator, Outcome, Pin, Retention};
use rusqlite::Connection;

use crate::child::{Job, What};
use crate::support::folder::Folder;
use crate::support::{Project, picture};

const NOTE: (&str, &str) = ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT UNIQUE)");
/// Fails on rows, not when it is compiled.
const WRONG: (&str, &str) = ("V9__wrong", "UPDATE note SET body = 'the same'");

fn with_rows() -> Project {
    let project = Project::with(&[NOTE]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one'), ('two')");
    project
}

fn migrator(project: &Project, retention: Retention) -> Migrator {
    project.migrator().retention(retention)
}

/// One more row, and a backup of it.
fn one_more(project: &Project, retention: &Retention) -> Backup {
    project.sql("INSERT INTO note (body) SELECT 'row ' || count(*) FROM note");
    migrator(project, retention.clone()).at(project.db()).backup(None).unwrap()
}

fn paths(project: &Project) -> Vec<PathBuf> {
    project.migrator().at(project.db()).backups().unwrap().into_iter().map(|backup| backup.path).collect()
}

#[test]
fn a_backup_can_be_asked_for_and_says_why_it_was() {
    let project = with_rows();
    let before = picture(&project.db());
    let reason = "before the exam: \"50 % \u{1f600}\"\n\u{7}/../x";
    let backup = project.migrator().app_version("1.2").at(project.db()).backup(Some(reason)).unwrap();
    assert_eq!(picture(&backup.path), before);
    assert_eq!(picture(&project.db()), before);
    let metadata = backup.metadata.unwrap();
    assert_eq!((metadata.reason.as_str(), metadata.note.as_deref()), ("manual", Some(reason)));
    assert_eq!((metadata.from.as_deref(), metadata.to), (Some("V1__note"), None));
    assert_eq!(metadata.app_version.as_deref(), Some("1.2"));
    assert!(!metadata.run_failed);
    // Nothing changed since: that one is it, with both that were said.
    let again = project.migrator().at(project.db()).backup(Some("again")).unwrap();
    let both = format!("{reason}; again");
    assert_eq!((again.path, again.metadata.unwrap().note), (backup.path, Some(both)));
    let long = "x".repeat(1001);
    let error = project.migrator().at(project.db()).backup(Some(&long)).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::Untouched));
    project.sql("INSERT INTO note (body) VALUES ('three')");
    let widest = "\u{1}".repeat(1000);
    let backup = project.migrator().at(project.db()).backup(Some(&widest)).unwrap();
    assert_eq!(backup.metadata.unwrap().note.as_deref(), Some(widest.as_str()), "what is written can be read");
}

#[test]
fn a_backup_of_what_is_no_database_is_refused_and_leaves_nothing() {
    let project = Project::new();
    fs::write(project.db(), "This is a letter, and not a short one. ".repeat(50)).unwrap();
    fs::create_dir(project.path().join("folder.db")).unwrap();
    fs::write(project.path().join("torn.db"), &fs::read(".data.example/app.db").unwrap()[..5000]).unwrap();
    let before = Folder::of(project.path());
    for (name, kind) in [
        ("app.db", ErrorKind::NotADatabase),
        ("folder.db", ErrorKind::NotAFile),
        ("nowhere.db", ErrorKind::NotFound),
        ("torn.db", ErrorKind::Corrupt),
    ] {
        let database = project.path().join(name);
        let error = project.migrator().at(&database).backup(None).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Untouched), "{name}");
    }
    before.assert_unchanged();
}

#[test]
fn a_backup_is_of_one_moment_while_others_write() {
    let project = with_rows();
    project.sql("PRAGMA journal_mode = WAL");
    let before = picture(&project.db()).replace("\"wal\"", "\"delete\"");
    let other = Connection::open(project.db()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO note (body) VALUES ('not committed')").unwrap();
    let other = std::sync::Mutex::new(other);
    let writer = project.migrator().on_event(move |event| {
        // In the middle of the copy somebody commits.
        if format!("{event:?}").starts_with("BackupStarted") {
            other.lock().unwrap().execute_batch("COMMIT").unwrap();
        }
    });
    let backup = writer.at(project.db()).backup(None);
    assert_eq!(picture(&backup.unwrap().path), before);
    assert_eq!(project.number("SELECT count(*) FROM note"), 3);
}

#[test]
fn a_backup_waits_for_a_lock_and_no_longer_than_told() {
    let project = with_rows();
    let other = Connection::open(project.db()).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO note (body) VALUES ('x')")
        .unwrap();
    let error = project.migrator().wait(Duration::from_millis(50)).at(project.db()).backup(None).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Locked, Outcome::Untouched));
    assert!(project.backups().is_empty());
}

#[test]
fn the_newest_of_each_day_and_week_stays() {
    let project = with_rows();
    // A Monday.
    let start: DateTime<Utc> = "2026-06-01T08:00:00Z".parse().unwrap();
    let retention = Retention::last(2).daily(3).weekly(3);
    for half_day in 0..40 {
        project.sql(&format!("INSERT INTO note (body) VALUES ('half day {half_day}')"));
        let now = start + TimeDelta::hours(12 * half_day);
        migrator(&project, retention.clone()).clock(move || now).at(project.db()).backup(None).unwrap();
    }
    let stays = ["07T20", "14T20", "18T20", "19T20", "20T08", "20T20"];
    let names = stays.map(|at| format!("app-2026-06-{at}-00-00.db"));
    assert_eq!(project.backups(), names);
    for (name, half_day) in names.iter().zip([13, 27, 35, 37, 38, 39]) {
        let copy = picture(&project.backups_dir().join(name));
        assert!(
            copy.contains(&format!("half day {half_day}\"")) && !copy.contains(&format!("half day {}\"", half_day + 1))
        );
    }
}

#[test]
fn a_cap_on_the_size_never_takes_the_newest() {
    let project = with_rows();
    let retention = Retention::last(9);
    for _ in 0..4 {
        one_more(&project, &retention);
    }
    let all = project.migrator().at(project.db()).backups().unwrap();
    let two = all[2].size + all[3].size;
    let capped = migrator(&project, retention.clone().at_most_bytes(two + 1));
    assert_eq!(capped.at(project.db()).prune_backups(None, false).unwrap().len(), 2);
    assert_eq!(paths(&project), [all[2].path.clone(), all[3].path.clone()]);
    let newest = one_more(&project, &retention.at_most_bytes(1));
    assert_eq!(paths(&project), [newest.path]);
}

#[test]
fn the_copy_that_undoes_the_last_failed_run_stays_until_a_run_succeeds() {
    let keep_one = Retention::last(1);
    for reused in [false, true] {
        let project = with_rows();
        let good = if reused { Some(one_more(&project, &keep_one)) } else { None };
        project.write(WRONG.0, WRONG.1);
        let before = picture(&project.db());
        let failed = migrator(&project, keep_one.clone()).at(project.db()).migrate().unwrap_err();
        let failed = failed.backup().unwrap().to_owned();
        assert_eq!(good.map(|good| good.path), reused.then(|| failed.clone()));
        for _ in 0..3 {
            one_more(&project, &keep_one);
        }
        let migrator = migrator(&project, keep_one.clone());
        assert!(migrator.at(project.db()).prune_backups(None, false).unwrap().is_empty());
        let left = migrator.at(project.db()).backups().unwrap();
        assert_eq!(left.iter().map(|left| left.pin).collect::<Vec<_>>(), [Some(Pin::FailedRun), None]);
        assert_eq!(left[0].path, failed);
        assert_eq!(picture(&failed), before, "reused: {reused}");
        project.remove(WRONG.0);
        project.write("V9__right", "CREATE TABLE other (a)");
        project.sql("INSERT INTO note (body) VALUES ('meanwhile')");
        project.migrator().retention(keep_one.clone()).at(project.db()).migrate().unwrap();
        assert_eq!(paths(&project).len(), 1);
        assert!(!failed.exists());
    }
}

#[test]
fn a_backup_that_was_asked_for_outlives_a_failed_run_that_had_taken_it() {
    let project = with_rows();
    project.write(WRONG.0, WRONG.1);
    let failed = project.migrator().at(project.db()).migrate().unwrap_err().backup().unwrap().to_owned();
    let asked = project.migrator().at(project.db()).backup(Some("mine")).unwrap();
    assert_eq!((&asked.path, asked.pin), (&failed, Some(Pin::FailedRun)));
    project.sql("INSERT INTO note (body) VALUES ('more')");
    project.migrator().at(project.db()).migrate().unwrap_err();
    assert!(failed.exists(), "the copy of an earlier failed run would have gone");
    assert_eq!(project.backups().len(), 2);
}

/// A run that was killed between two transactions.
fn cut_off() -> (Project, String) {
    let project = with_rows();
    let before = picture(&project.db());
    project.write("V2__stars", "ALTER TABLE note ADD COLUMN stars");
    project.write("V3__more", "INSERT INTO note (body) VALUES ('more')");
    let kill_on = "StepStarted { name: \"V3".to_owned();
    assert!(Job { step: true, kill_on, ..Job::new(What::Migrate, project.path()) }.run().killed);
    (project, before)
}

#[cfg(unix)]
#[test]
fn what_undoes_a_run_that_was_cut_off_is_neither_pruned_nor_compressed_nor_copied_over() {
    let (project, before) = cut_off();
    let copies = paths(&project);
    let retention = Retention::last(1).at_most_bytes(1);
    #[cfg(feature = "zstd")]
    let retention = retention.compress_older_than(1);
    let migrator = migrator(&project, retention);
    let error = migrator.at(project.db()).backup(None).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::Untouched));
    // Newer copies, as if somebody had put them there.
    for name in ["app-2099-01-01T00-00-00.db", "app-2099-01-01T00-00-01.db"] {
        fs::copy(&copies[0], project.backups_dir().join(name)).unwrap();
    }
    let pins: Vec<_> = migrator.at(project.db()).backups().unwrap().into_iter().map(|backup| backup.pin).collect();
    assert_eq!(pins, [Some(Pin::OpenRun), None, None]);
    assert_eq!(migrator.at(project.db()).prune_backups(None, false).unwrap().len(), 1);
    assert_eq!(project.backups().len(), 2);
    assert!(copies[0].exists());
    assert_eq!(migrator.at(project.db()).recover().unwrap().outcome, Outcome::Restored);
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn nothing_goes_that_is_not_older_than_a_backup_that_is_whole() {
    let project = with_rows();
    let keep = Retention::last(9);
    let all: Vec<PathBuf> = (0..5).map(|_| one_more(&project, &keep).path).collect();
    for damaged in &all[3..] {
        let mut bytes = fs::read(damaged).unwrap();
        let last = bytes.len() - 100;
        bytes[last] ^= 1;
        fs::write(damaged, bytes).unwrap();
    }
    let migrator = project.migrator();
    let gone = migrator.at(project.db()).prune_backups(Some(1), false).unwrap();
    assert_eq!(gone.into_iter().map(|gone| gone.path).collect::<Vec<_>>(), all[..2]);
    assert_eq!(paths(&project), all[2..]);
    fs::write(&all[2], "no copy any more").unwrap();
    assert!(migrator.at(project.db()).prune_backups(Some(1), false).unwrap().is_empty());
    assert_eq!(paths(&project), all[2..]);
}

#[test]
fn a_dry_run_tells_what_would_go_and_touches_nothing() {
    let project = with_rows();
    let keep = Retention::last(9);
    let all: Vec<PathBuf> = (0..4).map(|_| one_more(&project, &keep).path).collect();
    let before = Folder::of(project.path());
    let migrator = project.migrator();
    let going = migrator.at(project.db()).prune_backups(Some(2), true).unwrap();
    assert_eq!(going.iter().map(|backup| &backup.path).collect::<Vec<_>>(), [&all[0], &all[1]]);
    assert!(migrator.at(project.db()).verify_backups(true).unwrap().iter().all(lifeboat::Verified::is_ok));
    before.assert_unchanged();
    assert_eq!(before.new_names(), [""; 0]);
    assert_eq!(migrator.at(project.db()).prune_backups(Some(2), false).unwrap().len(), 2);
    assert_eq!(paths(&project), all[2..]);
}

#[test]
fn a_database_that_cannot_be_read_keeps_all_its_backups_and_shows_them() {
    let project = with_rows();
    let keep = Retention::last(9);
    let all: Vec<PathBuf> = (0..3).map(|_| one_more(&project, &keep).path).collect();
    let migrator = project.migrator().keep(1);
    fs::write(project.db(), "overwritten by something else ".repeat(40)).unwrap();
    assert_eq!(migrator.at(project.db()).prune_backups(None, false).unwrap_err().kind(), ErrorKind::NotADatabase);
    assert_eq!(paths(&project), all);
    fs::remove_file(project.db()).unwrap();
    assert_eq!(migrator.at(project.db()).prune_backups(None, false).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(paths(&project), all);
    assert_eq!(migrator.at(project.db()).verify_backups(true).unwrap().len(), 3);
    let error = migrator.at(project.path().join("ap.db")).backups().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "a mistyped path is no empty list");
}

#[test]
fn another_profile_in_the_same_folder_keeps_its_backups() {
    let (one, two, folder) = (with_rows(), with_rows(), tempfile::tempdir().unwrap());
    let taken = |project: &Project, body: &str| {
        project.sql(&format!("INSERT INTO note (body) VALUES ('{body}')"));
        project.migrator().backups(folder.path(), 9).at(project.db()).backup(None).unwrap().path
    };
    let of_one: Vec<PathBuf> = (0..3).map(|at| taken(&one, &format!("one {at}"))).collect();
    let of_two: Vec<PathBuf> = (0..3).map(|at| taken(&two, &format!("two {at}"))).collect();
    one.migrator().backups(folder.path(), 1).at(one.db()).prune_backups(None, false).unwrap();
    assert_eq!(of_one.iter().map(|path| path.exists()).collect::<Vec<_>>(), [false, false, true]);
    assert!(of_two.iter().all(|path| path.exists()));
}

fn defects(project: &Project) -> Vec<Option<Defect>> {
    let verified = project.migrator().at(project.db()).verify_backups(true).unwrap();
    verified.into_iter().map(|verified| verified.defect).collect()
}

#[test]
fn a_backup_that_was_changed_since_it_was_taken_is_found_out() {
    let project = with_rows();
    project.sql("INSERT INTO note (body) SELECT hex(randomblob(3000)) FROM note, note AS other");
    let keep = Retention::last(9);
    let all: Vec<PathBuf> = (0..5).map(|_| one_more(&project, &keep).path).collect();
    assert_eq!(defects(&project), [None, None, None, None, None]);
    let bytes = fs::read(&all[0]).unwrap();
    // A byte in the middle of a text: SQLite sees nothing.
    let mut flipped = bytes.clone();
    let text = bytes.len() - 50;
    flipped[text] ^= 1;
    fs::write(&all[0], &flipped).unwrap();
    fs::write(&all[1], &bytes[..bytes.len() / 2]).unwrap();
    // Sound, but another one.
    fs::write(&all[2], &bytes).unwrap();
    fs::write(&all[3], "rubbish").unwrap();
    let found = defects(&project);
    assert!(matches!(&found[0], Some(Defect::Changed(_) | Defect::Damaged(_))), "{found:?}");
    assert!(matches!(&found[1], Some(Defect::Damaged(_))), "{found:?}");
    assert!(matches!(&found[2], Some(Defect::Changed(_))), "{found:?}");
    assert!(matches!(&found[3], Some(Defect::Damaged(_))), "{found:?}");
    assert_eq!(found[4], None);
    let newest = project.migrator().at(project.db()).verify_backups(false).unwrap();
    assert_eq!(newest.into_iter().map(|one| one.backup.path).collect::<Vec<_>>(), all[4..]);
}

#[test]
fn dangling_rows_and_missing_metadata_are_told_and_are_no_defect() {
    let project = with_rows();
    project.sql("CREATE TABLE tag (note REFERENCES note); INSERT INTO tag VALUES (77), (78)");
    let backup = one_more(&project, &Retention::last(9));
    fs::remove_file(backup.path.with_extension("db.json")).unwrap();
    let migrator = project.migrator();
    let verified = migrator.at(project.db()).verify_backups(true).unwrap();
    assert!(verified[0].is_ok() && verified[0].backup.metadata.is_none());
    assert_eq!(verified[0].dangling_rows, Some(2));
    assert_eq!(migrator.at(project.db()).prune_backups(Some(1), false).unwrap().len(), 0);
}

#[test]
fn backups_asked_for_again_and_again_leave_the_disk_no_fuller_than_the_first_five() {
    let project = with_rows();
    let mut names = 0;
    for round in 0..40 {
        one_more(&project, &Retention::default());
        project.migrator().at(project.db()).backup(None).unwrap();
        let now = fs::read_dir(project.backups_dir()).unwrap().count();
        names = if round == 4 { now } else { names };
        assert!(round < 5 || now == names, "{round}: {now} files");
    }
}
