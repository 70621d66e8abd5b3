//! What goes where: stdout, stderr, colours, readers that went away.

use std::process::Stdio;

use super::{Ran, TWO, command, lifeboat};
use crate::support::Project;

#[test]
fn quiet_leaves_results_and_errors() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "--to", "1"]).ends_with(0);
    let ran = lifeboat(project.path(), &["migrate", "-q"]).ends_with(0);
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.contains("applied  V2__pet"), "{}", ran.stdout);
    project.write("V3__a", "CREATE TABEL a (b);");
    let ran = lifeboat(project.path(), &["migrate", "-q"]).ends_with(1);
    assert!(ran.stderr.starts_with("error: migration `V3__a` failed"), "{}", ran.stderr);
}

#[test]
fn without_progress_notes_are_left_and_verbose_says_more() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "--to", "1"]).ends_with(0);
    let ran = lifeboat(project.path(), &["migrate", "--no-progress", "-v"]).ends_with(0);
    assert!(!ran.stderr.contains("[1/1]"), "{}", ran.stderr);
    for note in ["note: database `.data/app.db`", "note: backup `.data/backups/app-", "note: committed"] {
        assert!(ran.stderr.contains(note), "{note}: {}", ran.stderr);
    }
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate"]).ends_with(0);
    let status = |arguments: &[&str], name: &str| {
        let mut command = command(project.path(), arguments);
        Ran::of(command.arg("status").env(name, "1").output().unwrap()).stdout.contains('\u{1b}')
    };
    assert!(!status(&[], "NOTHING"));
    assert!(status(&["--color", "always"], "NOTHING"));
    assert!(!status(&["--color", "never"], "CLICOLOR_FORCE"));
    assert!(!status(&["--color", "auto"], "NO_COLOR"));
}

#[cfg(unix)]
#[test]
fn a_reader_that_went_away_is_no_failure() {
    let project = Project::with(TWO);
    for arguments in [&["migrate", "-v"][..], &["status"], &["status", "--json"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        let errors = writer.try_clone().unwrap();
        drop(reader);
        let mut child = command(project.path(), arguments);
        let code = child.stdout(writer).stderr(errors).stdin(Stdio::null()).status().unwrap().code();
        assert_eq!(code, Some(0), "{arguments:?}");
    }
    assert!(project.path().join(".data/app.db").exists());
}
