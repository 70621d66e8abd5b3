//! A fresh checkout starts from `.data.example`.

use std::fs;

use super::{copy_tree, lifeboat, tree};
use crate::support::Project;

/// A checkout of this crate's own example app, without a data directory.
fn checkout() -> Project {
    let project = Project::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    copy_tree(&root.join("migrations"), &project.migrations_dir());
    copy_tree(&root.join(".data.example"), &project.path().join(".data.example"));
    project
}

#[test]
fn the_first_migrate_starts_from_a_copy_of_the_example_and_says_so() {
    let project = checkout();
    let example = project.path().join(".data.example");
    let before = tree(&example);
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(0);
    assert!(ran.stdout.contains("started from a copy of `.data.example`; `.data/app.db`: 3 migrations applied"));
    assert!(ran.stdout.contains("backup: `.data/backups/app-"), "{}", ran.stdout);
    assert!(ran.stderr.contains("there is no `.data` yet; starting from a copy of `.data.example`"), "{}", ran.stderr);
    assert_eq!(tree(&example), before, "the example is as it was");
    let data = project.path().join(".data");
    for (path, bytes) in before.iter().filter(|(path, _)| path.starts_with(example.join("attachments"))) {
        let copy = data.join(path.strip_prefix(&example).unwrap());
        assert_eq!(fs::read(copy).ok(), *bytes, "{}", path.display());
    }
    let connection = rusqlite::Connection::open(data.join("app.db")).unwrap();
    assert_eq!(connection.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).unwrap(), 240);
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(0);
    assert_eq!(ran.stdout, "`.data/app.db` is up to date\n");
    assert!(!project.path().join(".data.lifeboat-new").exists());
}

#[test]
fn a_dry_run_previews_the_example_and_touches_nothing() {
    let project = checkout();
    let before = tree(project.path());
    let ran = lifeboat(project.path(), &["migrate", "--dry-run"]).ends_with(0);
    let first = ran.stdout.lines().next().unwrap();
    assert_eq!(
        first,
        "-- 3 migrations would run on `.data/app.db`, which would start as a copy of `.data.example`; nothing was changed"
    );
    let ran = lifeboat(project.path(), &["status"]).ends_with(1);
    assert!(ran.stderr.contains("hint: `lifeboat migrate` makes it, from a copy of `.data.example`"), "{}", ran.stderr);
    assert_eq!(tree(project.path()), before);
}

#[test]
fn who_names_a_database_or_has_a_data_directory_gets_no_example() {
    let project = checkout();
    let ran = lifeboat(project.path(), &["migrate", "-d", "notes.db"]).ends_with(0);
    assert!(ran.stdout.contains("created `notes.db` with 11 migrations"), "{}", ran.stdout);
    assert!(!project.path().join(".data").exists());
    fs::create_dir(project.path().join(".data")).unwrap();
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(0);
    assert!(ran.stdout.contains("created `.data/app.db` with 11 migrations"), "{}", ran.stdout);
}

#[test]
fn another_data_directory_has_an_example_of_its_own() {
    let project = checkout();
    fs::rename(project.path().join(".data.example"), project.path().join("userdata.example")).unwrap();
    let document = lifeboat(project.path(), &["migrate", "--data-dir", "userdata/", "--json"]).ends_with(0).json();
    assert_eq!(document["results"].as_array().unwrap().len(), 3);
    assert!(document["message"].as_str().unwrap().starts_with("started from a copy of `"), "{document}");
    assert!(project.path().join("userdata/app.db").is_file());
}

#[test]
fn a_checkout_whose_env_file_names_the_same_database_starts_from_the_example_too() {
    let project = checkout();
    fs::write(project.path().join(".env"), "DATABASE_URL=sqlite:.data/app.db\n").unwrap();
    let document = lifeboat(project.path(), &["migrate", "--json"]).ends_with(0).json();
    assert_eq!(document["results"].as_array().unwrap().len(), 3);
}

#[test]
fn backups_and_locks_stay_behind_and_a_log_is_brought_into_the_copy() {
    let project = checkout();
    let example = project.path().join(".data.example");
    fs::create_dir(example.join("backups")).unwrap();
    fs::write(example.join("backups/app-2020-01-01T00-00-00.db"), "x").unwrap();
    fs::write(example.join("app.db-lifeboat"), "1").unwrap();
    fs::write(example.join("travel-journal"), "a day at the sea").unwrap();
    // A note that is in the log alone: the files are copied while a connection still has them open.
    let elsewhere = project.path().join("elsewhere");
    copy_tree(&example, &elsewhere);
    let connection = rusqlite::Connection::open(elsewhere.join("app.db")).unwrap();
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    connection.execute_batch("INSERT INTO notes (notebook_id, title) SELECT min(id), 'late' FROM notebooks").unwrap();
    for name in ["app.db", "app.db-wal", "app.db-shm"] {
        fs::copy(elsewhere.join(name), example.join(name)).unwrap();
    }
    drop(connection);
    let before = tree(&example);

    lifeboat(project.path(), &["migrate", "--no-backup"]).ends_with(0);
    assert_eq!(tree(&example), before);
    let data = project.path().join(".data");
    assert_eq!(fs::read(data.join("travel-journal")).unwrap(), b"a day at the sea");
    assert!(!data.join("backups/app-2020-01-01T00-00-00.db").exists());
    let connection = rusqlite::Connection::open(data.join("app.db")).unwrap();
    let late = "SELECT count(*) FROM notes WHERE title = 'late'";
    assert_eq!(connection.query_row(late, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn what_a_killed_copy_left_is_no_hindrance_and_migrations_that_fail_leave_the_copy_as_it_was() {
    let project = checkout();
    fs::create_dir(project.path().join(".data.lifeboat-new")).unwrap();
    fs::write(project.path().join(".data.lifeboat-new/app.db"), "torn").unwrap();
    project.write("V12__broken", "INSERT INTO notebooks (name) SELECT name FROM notebooks;");
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(1);
    assert!(ran.stderr.contains("  state: `.data/app.db` is as it was (rolled back; copy kept: "), "{}", ran.stderr);
    let picture = |folder: &str| crate::support::picture(&project.path().join(folder).join("app.db"));
    assert_eq!(picture(".data"), picture(".data.example"));
    assert!(!project.path().join(".data.lifeboat-new").exists());
}

#[test]
fn many_that_start_at_once_make_one_copy() {
    let project = checkout();
    let children: Vec<_> = (0..6)
        .map(|_| {
            let mut command = super::command(project.path(), &["migrate", "--json", "--wait", "60"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut outcomes: Vec<String> = children
        .into_iter()
        .map(|child| super::Ran::of(child.wait_with_output().unwrap()).ends_with(0))
        .map(|ran| ran.json()["outcome"].as_str().unwrap().to_owned())
        .collect();
    outcomes.sort();
    assert_eq!(outcomes, ["migrated", "up-to-date", "up-to-date", "up-to-date", "up-to-date", "up-to-date"]);
}
