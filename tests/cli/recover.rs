//! `lifeboat recover`

use std::fs;

use super::{TWO, lifeboat};
use crate::support::Project;

#[test]
fn recover_says_when_nothing_was_cut_off_and_needs_no_migrations() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    let bytes = fs::read(project.db()).unwrap();
    let ran = lifeboat(project.path(), &["recover", "-d", "app.db", "-m", "nowhere"]).ends_with(0);
    assert_eq!(ran.stdout, "`app.db`: no run was interrupted\n");
    let document = lifeboat(project.path(), &["recover", "-d", "app.db", "--json"]).ends_with(0).json();
    assert_eq!(document["outcome"], "untouched");
    assert_eq!(fs::read(project.db()).unwrap(), bytes);
}

/// A run of two transactions that is killed in the second.
#[cfg(unix)]
fn cut_off() -> (Project, String) {
    use std::time::{Duration, Instant};
    let project = Project::with(&TWO[..1]);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    project.sql("INSERT INTO person (email) VALUES ('a@x')");
    let before = crate::support::picture(&project.db());
    project.write(TWO[1].0, TWO[1].1);
    project.write("V3__slow", super::interrupt::SLOW);
    let step = ["migrate", "-d", "app.db", "--atomicity", "step"];
    let mut child = super::command(project.path(), &step).stderr(std::process::Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let committed = || {
        let connection = rusqlite::Connection::open(project.db()).unwrap();
        connection.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'pet'", [], |_| Ok(())).is_ok()
    };
    while !committed() {
        assert!(started.elapsed() < Duration::from_secs(60), "the second migration never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    (project, before)
}

#[cfg(unix)]
#[test]
fn a_run_that_was_cut_off_is_told_by_status_and_undone_by_recover() {
    let (project, before) = cut_off();
    let ran = lifeboat(project.path(), &["status", "-d", "app.db", "--exit-code"]).ends_with(3);
    assert!(ran.stdout.contains("a run was cut off"), "{}", ran.stdout);
    let ran = lifeboat(project.path(), &["recover", "-d", "app.db"]).ends_with(0);
    assert!(ran.stdout.starts_with("`app.db`: the interrupted run is undone\nbackup: `backups/app-"), "{}", ran.stdout);
    assert_eq!(crate::support::picture(&project.db()), before);
    let document = lifeboat(project.path(), &["status", "-d", "app.db", "--json"]).ends_with(0).json();
    assert_eq!(document["status"]["interrupted"], false);
}

#[cfg(unix)]
#[test]
fn without_its_backup_a_run_that_was_cut_off_ends_with_5_and_the_way_by_hand() {
    let (project, _) = cut_off();
    fs::rename(project.backups_dir(), project.path().join("elsewhere")).unwrap();
    for name in ["migrate", "recover"] {
        let ran = lifeboat(project.path(), &[name, "-d", "app.db"]).ends_with(5);
        assert!(ran.stderr.contains("error: a run on `app.db` was cut off"), "{}", ran.stderr);
        assert!(ran.stderr.contains("  state: `app.db` is between two schemas"), "{}", ran.stderr);
        assert!(ran.stderr.contains("By hand: stop the app"), "{}", ran.stderr);
        let document = lifeboat(project.path(), &[name, "-d", "app.db", "--json"]).ends_with(5).json();
        assert_eq!(document["outcome"], "needs-recovery");
        assert_eq!(document["error"]["kind"], "needs-recovery");
    }
}
