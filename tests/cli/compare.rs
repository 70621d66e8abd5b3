//! `lifeboat compare`

use rusqlite::Connection;

use super::{Ran, TWO, command, copy_tree, lifeboat, tree};
use crate::support::Project;

/// A database with a backup, and what has become of it since.
fn grown() -> Project {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-d", "app.db", "--to", "1"]).ends_with(0);
    project
        .sql("INSERT INTO person VALUES (1, 'a@example.org'), (2, 'b@example.org'), (3, ''); CREATE TABLE log (line)");
    lifeboat(project.path(), &["backup", "create", "-d", "app.db"]).ends_with(0);
    project.sql(
        "UPDATE person SET email = 'c@example.org' WHERE id = 3; DELETE FROM person WHERE id = 1;
         INSERT INTO log VALUES ('x'), ('y'); PRAGMA user_version = 3",
    );
    project
}

#[track_caller]
fn steady(ran: &Ran) -> String {
    let stamp = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(_\d+)?").unwrap();
    stamp.replace_all(&ran.stdout, "TIME").into_owned()
}

#[test]
fn what_became_of_the_newest_backup() {
    let project = grown();
    let before = tree(project.path());
    let ran =
        lifeboat(project.path(), &["compare", "backup:latest", "-d", "app.db", "--rows", "3", "--values"]).ends_with(0);
    assert_eq!(
        steady(&ran),
        "\
a: `backups/app-TIME.db`
b: `app.db`
1 setting, 2 tables with other rows
rows: 2 added, 1 removed, 1 changed

  user_version  0 → 3

  table   rows in a  rows in b  added  removed  changed
  log             0          2      2        0        0  no key
  person          3          2      0        1        1

  log (no key)
    added
           line  x
    added
           line  y

  person (id)
    removed  1
             id     1
             email  a@example.org
    changed  3      email
             email  '' → c@example.org
"
    );
    assert_eq!(ran.stderr, "");
    assert_eq!(tree(project.path()), before, "nothing was changed");
    let keys = lifeboat(project.path(), &["compare", "backup:1", "-d", "app.db", "--rows", "3"]).ends_with(0);
    assert!(!keys.stdout.contains("@example.org"), "no content unless it is asked: {}", keys.stdout);
    assert!(keys.stdout.contains("changed  3  email"), "{}", keys.stdout);
}

#[test]
fn a_comparison_fits_the_screen_and_ends_with_3_when_that_is_asked() {
    let project = grown();
    let wide = "a_table_with_a_name_that_is_by_far_too_long_for_a_terminal_of_eighty_columns_and_more";
    project.sql(&format!(
        "CREATE TABLE {wide} (id INTEGER PRIMARY KEY, {wide}_column TEXT); INSERT INTO {wide} VALUES (1, '{wide}')"
    ));
    let ran = lifeboat(
        project.path(),
        &["compare", "backup:latest", "-d", "app.db", "--all", "--rows", "9", "--values", "--exit-code"],
    )
    .ends_with(3);
    let tables: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(tables.iter().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert!(ran.stdout.contains("table   added") || ran.stdout.contains("table  added"), "{}", ran.stdout);
    let ran = lifeboat(project.path(), &["compare", "live", "app.db", "-d", "app.db", "--exit-code"]).ends_with(0);
    assert_eq!(ran.stdout, "`app.db` and `app.db` are equal\n");
    let ran = lifeboat(project.path(), &["compare", "live", "-d", "app.db", "--all"]).ends_with(0);
    assert!(ran.stdout.contains("person"), "{}", ran.stdout);
}

#[test]
fn the_document() {
    let project = grown();
    let document = lifeboat(project.path(), &["compare", "backup:latest", "-d", "app.db", "--json", "--rows", "1"])
        .ends_with(0)
        .json();
    let comparison = &document["comparison"];
    assert_eq!(comparison["equal"], false);
    assert_eq!(
        comparison["tables"][1],
        serde_json::json!({
            "name": "person", "rowsA": 3, "rowsB": 2, "added": 0, "removed": 1, "changed": 1, "identity": "key",
            "key": ["id"], "columns": ["id", "email"], "unread": null,
            "rows": [{"change": "removed", "key": [1], "columns": [], "a": null, "b": null}]
        })
    );
    assert_eq!(comparison["settings"], serde_json::json!([{"name": "user_version", "a": "0", "b": "3"}]));
    assert_eq!(comparison["history"], serde_json::json!({"onlyA": [], "onlyB": [], "divergent": []}));
    assert!(document["b"].as_str().unwrap().ends_with("app.db"));
}

#[test]
fn snapshots_are_found_beside_the_data_directory_and_beside_a_lone_file() {
    let project = grown();
    let lone = project.path().join("app.db.before");
    std::fs::copy(project.db(), &lone).unwrap();
    Connection::open(&lone).unwrap().execute_batch("INSERT INTO log VALUES ('z')").unwrap();
    let ran = lifeboat(project.path(), &["compare", "snapshot:before", "-d", "app.db"]).ends_with(0);
    assert!(
        ran.stdout.contains("a: `app.db.before`") && ran.stdout.contains("1 table with other rows"),
        "{}",
        ran.stdout
    );
    let ran = lifeboat(project.path(), &["compare", "snapshot:befor", "-d", "app.db"]).ends_with(1);
    assert!(ran.stderr.contains("there is no snapshot `befor`; there is `before`"), "{}", ran.stderr);

    let other = Project::with(TWO);
    lifeboat(other.path(), &["migrate"]).ends_with(0);
    copy_tree(&other.path().join(".data"), &other.path().join(".data.big-update"));
    let ran = lifeboat(other.path(), &["compare", "snapshot:big-update"]).ends_with(0);
    assert_eq!(ran.stdout, "`.data.big-update/app.db` and `.data/app.db` are equal\n");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let project = grown();
    let before = tree(project.path());
    for (arguments, code, said) in [
        (&["compare", "backup:7"][..], 1, "there is no backup `7`; there is one"),
        (&["compare", "backup:0"], 1, "there is no backup `0`"),
        (&["compare", "backup:nope.db"], 1, "there is no backup `nope.db`; the newest is `app-"),
        (&["compare", "ap.db"], 1, "there is no database `ap.db`"),
        (&["compare", "migrations"], 1, "is a folder"),
        (&["compare", "migrations/V1__person.sql"], 1, "is not a SQLite database"),
        (&["compare"], 2, "required"),
        (&["compare", "live", "--values"], 2, "--rows"),
    ] {
        let ran = lifeboat(project.path(), &[arguments, &["-d", "app.db"]].concat()).ends_with(code);
        assert!(ran.stderr.contains(said) && ran.stdout.is_empty(), "{ran:?}");
    }
    assert_eq!(tree(project.path()), before);
}

#[cfg(feature = "zstd")]
#[test]
fn compressed_backups_are_read_by_every_command_that_looks_at_one() {
    let project = grown();
    let prune = ["backup", "prune", "-d", "app.db", "--yes"];
    lifeboat(project.path(), &["backup", "create", "-d", "app.db"]).ends_with(0);
    let ran = Ran::of(command(project.path(), &prune).env("LIFEBOAT_COMPRESS_OLDER_THAN", "1").output().unwrap());
    ran.ends_with(0);
    let packed = project.backups().into_iter().find(|name| name.ends_with(".db.zst")).expect("a compressed copy");
    let before = tree(project.path());
    let path = format!("backups/{packed}");
    let by_name = format!("backup:{packed}");
    for a in ["backup:2", path.as_str(), by_name.as_str()] {
        let ran = lifeboat(project.path(), &["compare", a, "-d", "app.db"]).ends_with(0);
        assert!(ran.stdout.starts_with(&format!("a: `{path}`\n")), "{}", ran.stdout);
        assert!(ran.stdout.contains("2 added, 1 removed, 1 changed"), "{}", ran.stdout);
    }
    let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "--backup", "2", "--list"]).ends_with(0);
    assert!(ran.stdout.starts_with(&format!("`{path}`: 2 tables")), "{}", ran.stdout);
    let document =
        lifeboat(project.path(), &["stats", "-d", "app.db", "--backup", &packed, "--json"]).ends_with(0).json();
    assert!(document["database"].as_str().unwrap().ends_with(&packed));
    assert_eq!(tree(project.path()), before, "what was decompressed is gone");
}

#[test]
fn a_name_that_is_not_said_in_full_is_understood_well_enough_to_help() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-q"]).ends_with(0);
    lifeboat(project.path(), &["snapshot", "create", "base"]).ends_with(0);
    for (said, meant) in [("base", "snapshot:base"), ("Live", "live"), ("latest", "backup:latest")] {
        let ran = lifeboat(project.path(), &["compare", said]).ends_with(1);
        assert!(ran.stderr.ends_with(&format!("hint: did you mean `{meant}`?\n")), "{}", ran.stderr);
    }
}
