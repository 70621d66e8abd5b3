//! `lifeboat migrate`

use std::fs;
use std::path::Path;

use super::{TWO, command, lifeboat, tree};
use crate::support::{Project, picture};

#[test]
fn migrating_says_what_ran_what_was_made_and_what_was_kept() {
    let project = Project::with(TWO);
    let ran = lifeboat(project.path(), &["migrate", "--to", "1"]).ends_with(0);
    assert!(ran.stdout.contains("applied  V1__person"), "{}", ran.stdout);
    assert!(ran.stdout.contains("created `.data/app.db` with 1 migration, now at V1__person"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("V2__pet"));
    let before = picture(&project.path().join(".data/app.db"));

    let ran = lifeboat(project.path(), &["migrate"]).ends_with(0);
    assert!(ran.stdout.contains("`.data/app.db`: 1 migration applied, now at V2__pet"), "{}", ran.stdout);
    let backup = ran.stdout.lines().find_map(|line| line.strip_prefix("backup: `")).unwrap().trim_end_matches('`');
    assert!(backup.starts_with(".data/backups/app-"), "{backup}");
    assert_eq!(picture(&project.path().join(backup)), before);
    assert!(ran.stderr.contains("[1/1] V2__pet"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\r') && !ran.stderr.contains('\u{1b}'), "nothing is redrawn off a terminal");

    let bytes = fs::read(project.path().join(".data/app.db")).unwrap();
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("`.data/app.db` is up to date\n", ""));
    assert_eq!(fs::read(project.path().join(".data/app.db")).unwrap(), bytes);
}

#[test]
fn the_document_of_a_run_has_the_shape_that_was_promised() {
    let project = Project::with(TWO);
    let made = lifeboat(project.path(), &["migrate", "--steps", "1", "--json"]).ends_with(0).json();
    assert_eq!((&made["outcome"], &made["backup"]), (&"created".into(), &serde_json::Value::Null));
    let document = lifeboat(project.path(), &["--json", "migrate"]).ends_with(0).json();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["backup", "format", "message", "outcome", "recovered", "results", "success"]);
    assert_eq!(document["outcome"], "migrated");
    assert_eq!(document["success"], true);
    assert_eq!(document["recovered"], false);
    assert!(Path::new(document["backup"].as_str().unwrap()).is_absolute());
    let step = document["results"][0].as_object().unwrap();
    let keys: Vec<&String> = step.keys().collect();
    assert_eq!(keys, ["direction", "durationMs", "error", "name", "state", "success", "timestamp"]);
    assert_eq!(step["name"], "V2__pet");
    assert_eq!((&step["direction"], &step["state"], &step["success"]), (&"up".into(), &"applied".into(), &true.into()));
    assert!(chrono::DateTime::parse_from_rfc3339(step["timestamp"].as_str().unwrap()).is_ok());
    assert!(step["durationMs"].as_f64().unwrap() > 0.0);
    let again = lifeboat(project.path(), &["migrate", "--json"]).ends_with(0).json();
    assert_eq!((&again["outcome"], &again["results"]), (&"up-to-date".into(), &serde_json::json!([])));
}

#[test]
fn a_dry_run_shows_the_sql_and_touches_nothing() {
    let project = Project::with(TWO);
    let nothing = tree(project.path());
    let ran = lifeboat(project.path(), &["migrate", "--dry-run"]).ends_with(0);
    assert!(ran.stdout.contains("2 migrations would run on `.data/app.db`, which would be created"), "{}", ran.stdout);
    assert!(ran.stdout.contains("-- V2__pet\nCREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT);"), "{}", ran.stdout);
    assert_eq!(tree(project.path()), nothing);

    lifeboat(project.path(), &["migrate", "--to", "1"]).ends_with(0);
    let before = tree(project.path());
    let document =
        lifeboat(project.path(), &["migrate", "--dry-run", "--json", "--log-file", "x.log"]).ends_with(0).json();
    assert_eq!(document["outcome"], "untouched");
    assert_eq!(document["results"][0]["state"], "pending");
    assert_eq!(document["results"][0]["sql"], TWO[1].1);
    assert_eq!(document["results"].as_array().unwrap().len(), 1);
    assert_eq!(tree(project.path()), before);

    project.write("V2__pet", "CREATE TABEL pet (id);");
    let ran = lifeboat(project.path(), &["migrate", "--dry-run"]).ends_with(1);
    assert!(ran.stderr.starts_with("error: migration `V2__pet` failed at line 1, column 8"), "{}", ran.stderr);
}

#[test]
fn a_version_that_is_none_or_that_the_file_is_past_is_refused() {
    let project = Project::with(TWO);
    let to =
        |version: &str, code| lifeboat(project.path(), &["migrate", "-d", "app.db", "--to", version]).ends_with(code);
    assert!(to("7", 1).stderr.starts_with("error: cannot migrate to version 7: there is no such migration"));
    to("V2", 0);
    to("2", 0);
    let bytes = fs::read(project.db()).unwrap();
    assert!(to("7", 1).stderr.starts_with("error: cannot migrate to version 7: there is no such migration"));
    assert!(to("1", 1).stderr.starts_with("error: cannot migrate to version 1: the file is at version 2 already"));
    assert_eq!(fs::read(project.db()).unwrap(), bytes);
}

#[test]
fn a_file_that_was_made_for_a_mistyped_name_is_named_with_what_is_near() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-d", "notes.db"]).ends_with(0);
    let ran = lifeboat(project.path(), &["migrate", "-d", "nots.db"]).ends_with(0);
    assert!(ran.stdout.contains("created `nots.db` with 2 migrations"), "{}", ran.stdout);
    assert!(ran.stderr.contains("note: there was no `nots.db`, so it was created; near it there is `notes.db`"));
}

#[test]
fn a_missing_migrations_folder_is_said_before_anything_is_made() {
    let project = Project::new();
    for dry in [&["migrate", "-m", "migratoins"][..], &["migrate", "-m", "migratoins", "--dry-run"]] {
        let ran = lifeboat(project.path(), dry).ends_with(1);
        assert!(
            ran.stderr.starts_with("error: cannot read the migrations in `migratoins`\n  cause: "),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("hint: `--migrations DIR` names the folder"), "{}", ran.stderr);
    }
    assert_eq!(fs::read_dir(project.path()).unwrap().count(), 1);
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(0);
    assert!(ran.stderr.contains("warning: there are no migrations in `migrations`"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(project.path()).unwrap().count(), 1, "an empty database is of no use to anybody");
}

#[test]
fn without_a_backup_a_run_of_several_transactions_is_refused() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-d", "app.db", "--to", "1"]).ends_with(0);
    project.write("V3__toy", "CREATE TABLE toy (a);");
    let bytes = fs::read(project.db()).unwrap();
    let split = ["migrate", "-d", "app.db", "--no-backup", "--atomicity", "step"];
    let ran = lifeboat(project.path(), &split).ends_with(1);
    assert!(ran.stderr.contains("cannot be undone without a backup"), "{}", ran.stderr);
    assert_eq!(fs::read(project.db()).unwrap(), bytes);
    let ran = lifeboat(project.path(), &["migrate", "-d", "app.db", "--no-backup", "--json"]).ends_with(0);
    assert_eq!(ran.json()["backup"], serde_json::Value::Null);
    assert!(project.backups().is_empty());
}

#[test]
fn what_is_refused_is_allowed_by_its_name() {
    let project = Project::with(&[("V1__a", "CREATE TABLE a (b);\nPRAGMA trusted_schema = ON;")]);
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(1);
    assert!(ran.stderr.contains("--allow trusted_schema"), "{}", ran.stderr);
    assert!(!project.path().join(".data/app.db").exists());
    lifeboat(project.path(), &["migrate", "--allow", "attach", "--allow", "Trusted_Schema"]).ends_with(0);
    assert!(project.path().join(".data/app.db").exists());
}

#[test]
fn the_command_migrates_in_a_test_environment_too() {
    let project = Project::with(TWO);
    let output = command(project.path(), &["migrate", "-d", "app.db"]).env("LIFEBOAT_ENV", "test").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(project.number("SELECT count(*) FROM pet"), 0);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_migrated_and_shown_as_near_to_it_as_it_comes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let project = Project::with(TWO);
    let name = OsStr::from_bytes(b"caf\xe9.db");
    let run = |arguments: &[&str]| super::Ran::of(command(project.path(), arguments).arg(name).output().unwrap());
    let document = run(&["migrate", "--json", "--to", "1", "-d"]).ends_with(0).json();
    assert_eq!(document["outcome"], "created");
    let document = run(&["migrate", "--json", "-d"]).ends_with(0).json();
    assert!(document["backup"].as_str().unwrap().contains("caf\u{fffd}-"), "{document}");
    let document = run(&["status", "--json", "-d"]).ends_with(0).json();
    assert!(document["database"].as_str().unwrap().ends_with("caf\u{fffd}.db"), "{document}");
}
