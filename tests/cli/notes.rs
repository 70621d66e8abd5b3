//! The example program: what an app developer copies.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Ran, lifeboat};
use crate::support::Project;

fn program() -> PathBuf {
    // `cargo test` builds it beside the command.
    let folder = Path::new(env!("CARGO_BIN_EXE_lifeboat")).parent().unwrap();
    folder.join("examples").join(format!("notes{}", std::env::consts::EXE_SUFFIX))
}

fn notes(project: &Project, words: &[&str]) -> Ran {
    let mut program = Command::new(program());
    Ran::of(program.args(words).env("NOTES_DB", project.db()).env_remove("LIFEBOAT_ENV").output().unwrap())
}

#[test]
fn the_notes_app_brings_old_notes_up_to_date_and_shows_how() {
    if !program().exists() {
        crate::support::skipped("the example program is not built (`cargo test` without a target builds it)");
        return;
    }
    let project = Project::example();
    let ran = notes(&project, &["Buy", "rye flour"]).ends_with(0);
    assert!(ran.stderr.contains("Updating your notes, step 1 of 3: V9__split_sources\n"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("Your notes are up to date.\n"), "{}", ran.stderr);
    assert!(ran.stdout.lines().next().unwrap().ends_with("Buy rye flour"), "{}", ran.stdout);
    assert_eq!(project.number("SELECT count(*) FROM notes"), 241);
    let again = notes(&project, &[]).ends_with(0);
    assert_eq!((again.stderr.as_str(), again.stdout.lines().count()), ("", 5));
}

#[test]
fn the_notes_app_leaves_notes_of_a_newer_version_alone() {
    if !program().exists() {
        return;
    }
    let project = Project::example();
    project.write("V99__from_the_future", "CREATE TABLE future (a);");
    super::copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"), &project.migrations_dir());
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    let bytes = std::fs::read(project.db()).unwrap();
    let ran = notes(&project, &["hello"]).ends_with(1);
    assert!(ran.stderr.starts_with("Your notes cannot be opened: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("Do not worry: the file is as it was (nothing was changed)."), "{}", ran.stderr);
    assert_eq!(std::fs::read(project.db()).unwrap(), bytes);
}
