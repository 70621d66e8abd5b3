//! `lifeboat status`

use std::fs;

use super::{TWO, lifeboat, tree};
use crate::support::Project;

#[test]
fn status_lists_what_is_applied_and_pending_and_writes_nothing() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "--to", "1"]).ends_with(0);
    let before = tree(project.path());
    let ran = lifeboat(project.path(), &["status"]).ends_with(0);
    assert!(ran.stdout.starts_with("`.data/app.db`: 1 applied, 1 pending\n  applied  V1__person  "), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("  pending  V2__pet\n"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
    let ran = lifeboat(project.path(), &["status", "--sql"]).ends_with(0);
    assert!(ran.stdout.ends_with(&format!("\n-- V2__pet\n{}\n", TWO[1].1)), "{}", ran.stdout);
    assert!(!ran.stdout.contains("CREATE TABLE person"));
    let document = lifeboat(project.path(), &["status", "--json"]).ends_with(0).json();
    let expected = serde_json::json!({
        "appliedMigrations": ["V1__person"], "pendingMigrations": ["V2__pet"], "divergentMigrations": [],
        "missingMigrations": [], "newerMigrations": [], "outOfOrderMigrations": [], "notEmbeddedMigrations": [],
        "interrupted": false, "lastMigration": "V1__person", "isUpToDate": false,
    });
    assert_eq!(document["status"], expected);
    assert_eq!(document["database"], project.path().canonicalize().unwrap().join(".data/app.db").to_str().unwrap());
    assert_eq!(document["message"], "1 applied, 1 pending");
    assert!(document.get("sql").is_none());
    let document = lifeboat(project.path(), &["status", "--json", "--sql"]).ends_with(0).json();
    assert_eq!(document["sql"], serde_json::json!([{"name": "V2__pet", "sql": TWO[1].1}]));
    assert_eq!(tree(project.path()), before);
}

#[test]
fn the_exit_code_tells_a_script_whether_there_is_something_to_do() {
    let project = Project::with(TWO);
    let status = |code| lifeboat(project.path(), &["status", "-d", "app.db", "--exit-code"]).ends_with(code);
    lifeboat(project.path(), &["migrate", "-d", "app.db", "--to", "1"]).ends_with(0);
    status(3);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    assert!(status(0).stdout.contains("2 applied, up to date"));
    project.write("V2__pet", "CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);");
    let ran = status(3);
    assert!(ran.stdout.contains("2 applied, 1 divergent\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("  divergent  V2__pet"), "{}", ran.stdout);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(1);
    fs::remove_file(project.migrations_dir().join("V2__pet.sql")).unwrap();
    assert!(status(3).stdout.contains("newer"));
    project.write("V3__toy", "CREATE TABLE toy (a);");
    assert!(status(3).stdout.contains("missing"));
    lifeboat(project.path(), &["status", "-d", "app.db"]).ends_with(0);
}

#[test]
fn a_mistyped_path_is_refused_with_the_names_that_are_near() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate"]).ends_with(0);
    let before = tree(project.path());
    for (arguments, wanted) in [
        (["status", "-d", ".data/ap.db"], ".data/ap.db"),
        (["status", "--data-dir", ".dta"], ".dta/app.db"),
        (["recover", "--data-dir", ".dta"], ".dta/app.db"),
    ] {
        let ran = lifeboat(project.path(), &arguments).ends_with(1);
        let expected = format!("error: there is no database `{wanted}`\nhint: near it there is `.data/app.db`\n");
        assert_eq!(ran.stderr, expected);
        let document = lifeboat(project.path(), &[&arguments[..], &["--json"]].concat()).ends_with(1).json();
        assert_eq!(document["error"]["kind"], "not-found");
        assert_eq!(document["success"], false);
    }
    assert_eq!(tree(project.path()), before);
}

#[test]
fn a_name_in_the_history_cannot_steer_the_terminal() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    project.sql("INSERT INTO refinery_schema_history SELECT 9, char(27) || '[2J' || char(10) || 'x', applied_on, checksum FROM refinery_schema_history LIMIT 1");
    let ran = lifeboat(project.path(), &["status", "-d", "app.db"]).ends_with(0);
    assert!(ran.stdout.contains("V9__\\u{1b}[2J\\nx"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'));
}
