//! A failing step 3 of 5.

use std::fs;

use super::lifeboat;
use crate::support::{Project, picture};

const BROKEN: &str =
    "INSERT INTO person (email) VALUES ('new@x');\nINSERT INTO person (email)\nSELECT email FROM person;";

/// A database with rows, and five migrations of which the third meets a constraint.
fn project() -> (Project, String) {
    let project = Project::with(&[("V1__person", "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT UNIQUE);")]);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    project.sql(
        "PRAGMA journal_mode = WAL; PRAGMA user_version = 7; PRAGMA application_id = 9;
         INSERT INTO person (email) VALUES ('a@x'), ('b@x'), (NULL);",
    );
    for (name, sql) in [
        ("V2__pet", "CREATE TABLE pet (name TEXT); INSERT INTO pet SELECT email FROM person; PRAGMA user_version = 8;"),
        ("V3__pet_names", "CREATE INDEX pet_name ON pet (name);"),
        ("V4__broken", BROKEN),
        ("V5__toy", "CREATE TABLE toy (a);"),
        ("V6__rest", "DROP TABLE pet;"),
    ] {
        project.write(name, sql);
    }
    let before = picture(&project.db());
    (project, before)
}

#[test]
fn a_failing_step_rolls_back_and_the_mended_file_runs() {
    let (project, before) = project();
    let ran = lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(1);
    assert_eq!(picture(&project.db()), before);
    let backups = project.backups();
    assert_eq!(backups.len(), 1);
    // A copy is whole by itself, so it has no log.
    let copy = picture(&project.backups_dir().join(&backups[0]));
    assert_eq!(copy, before.replace("journal_mode = Text(\"wal\")", "journal_mode = Text(\"delete\")"));
    for line in [
        "rolled back  V2__pet",
        "rolled back  V3__pet_names",
        "failed       V4__broken",
        "not run      V5__toy",
        "not run      V6__rest",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
    let error: Vec<&str> = ran.stderr.lines().skip_while(|line| !line.starts_with("error")).collect();
    assert_eq!(error[0], "error: migration `V4__broken` failed at line 2, column 1 (statement 2)");
    assert_eq!(error[1], "  cause: UNIQUE constraint failed: person.email (SQLite code 2067)");
    assert_eq!(error[2], format!("  state: `app.db` is as it was (rolled back; copy kept: `backups/{}`)", backups[0]));
    assert!(error[3].starts_with("hint: "), "{error:?}");

    project.write("V4__broken", BROKEN.replace("SELECT email", "SELECT 'of ' || email"));
    let ran = lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    assert!(ran.stdout.contains("5 migrations applied, now at V6__rest"), "{}", ran.stdout);
    assert_eq!(project.number("SELECT count(*) FROM person"), 8);
    assert_eq!(project.backups(), backups, "the same content is not kept twice");
}

#[test]
fn the_document_of_a_failed_run_has_results_and_error() {
    let (project, before) = project();
    let document = lifeboat(project.path(), &["migrate", "-d", "app.db", "--json"]).ends_with(1).json();
    assert_eq!(picture(&project.db()), before);
    let states: Vec<(&str, &str, bool)> = document["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (step["name"].as_str().unwrap(), step["state"].as_str().unwrap(), step["success"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(
        states,
        [
            ("V2__pet", "rolled-back", true),
            ("V3__pet_names", "rolled-back", true),
            ("V4__broken", "rolled-back", false),
            ("V5__toy", "pending", false),
            ("V6__rest", "pending", false),
        ]
    );
    assert_eq!((&document["success"], &document["outcome"]), (&false.into(), &"rolled-back".into()));
    let error = &document["error"];
    assert_eq!(error["kind"], "step-failed");
    assert_eq!(error["message"], "migration `V4__broken` failed at line 2, column 1 (statement 2)");
    assert_eq!(error["causes"], serde_json::json!(["UNIQUE constraint failed: person.email (SQLite code 2067)"]));
    assert_eq!(error["outcome"], "rolled-back");
    assert!(error["hint"].is_string());
    let backup = project.backups_dir().join(&project.backups()[0]);
    assert_eq!(document["backup"], backup.canonicalize().unwrap().to_str().unwrap());
}

#[test]
fn with_a_commit_a_step_the_copy_is_restored_and_the_code_is_4() {
    let (project, before) = project();
    let step = ["migrate", "-d", "app.db", "--atomicity", "step"];
    let ran = lifeboat(project.path(), &step).ends_with(4);
    assert_eq!(picture(&project.db()), before);
    assert_eq!(project.backups().len(), 1);
    assert!(ran.stdout.contains("restored  V2__pet"), "{}", ran.stdout);
    assert!(ran.stderr.contains("  state: `app.db` is as it was (restored from its backup; copy kept: `backups/app-"));

    let document = lifeboat(project.path(), &[&step[..], &["--json"]].concat()).ends_with(4).json();
    assert_eq!(picture(&project.db()), before);
    assert_eq!(document["outcome"], "restored");
    assert_eq!(document["results"][0]["state"], "restored");
    assert_eq!(document["error"]["kind"], "step-failed");

    project.write("V4__broken", "SELECT 1;");
    let ran = lifeboat(project.path(), &step).ends_with(0);
    assert!(ran.stdout.contains("5 migrations applied"), "{}", ran.stdout);
    assert_eq!(project.number("SELECT count(*) FROM toy"), 0);
}

#[test]
fn a_new_database_whose_migrations_fail_is_not_made() {
    let project = Project::with(&[("V1__a", "CREATE TABLE a (b UNIQUE); INSERT INTO a VALUES (1), (1);")]);
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(1);
    assert!(ran.stderr.contains("  state: `.data/app.db` was not made (rolled back)\n"), "{}", ran.stderr);
    assert!(!project.path().join(".data/app.db").exists());
}

#[test]
fn a_file_that_is_no_database_is_refused_as_it_is() {
    let project = Project::with(super::TWO);
    let text = "This is a letter to a friend.\n".repeat(200);
    fs::write(project.db(), &text).unwrap();
    for name in ["migrate", "status", "recover"] {
        let ran = lifeboat(project.path(), &[name, "-d", "app.db"]).ends_with(1);
        assert!(ran.stderr.starts_with("error: `app.db` is not a SQLite database"), "{}", ran.stderr);
        assert!(ran.stderr.contains("  state: `app.db` is as it was (nothing was changed)\n"), "{}", ran.stderr);
        let document = lifeboat(project.path(), &[name, "-d", "app.db", "--json"]).ends_with(1).json();
        assert_eq!(document["error"]["kind"], "not-a-database", "{name}");
    }
    assert_eq!(fs::read_to_string(project.db()).unwrap(), text);
}
