//! Ctrl-C, in the middle of a statement that would run for minutes.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{TWO, command, lifeboat};
use crate::support::{Project, picture};

pub const SLOW: &str = "CREATE TABLE slow (n);
WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 900000000)
INSERT INTO slow SELECT max(n) FROM counter;";

/// Starts the command, sends it `signals` when a long statement runs, and gives its code, stdout and stderr.
fn interrupted(project: &Project, arguments: &[&str], signals: &[&str]) -> (i32, String, String) {
    let mut child = command(project.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("has been running for") {
        assert_ne!(stderr.read_line(&mut text).unwrap(), 0, "it ended: {text}");
    }
    let started = Instant::now();
    for signal in signals {
        // The shell's own `kill`: no other program is needed.
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", child.id())).status().unwrap();
        assert!(sent.success());
    }
    stderr.read_to_string(&mut text).unwrap();
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    let code = child.wait().unwrap().code();
    assert!(started.elapsed() < Duration::from_secs(20), "it ended at once");
    (code.expect("it ended by itself, not by the signal"), stdout, text)
}

fn project() -> (Project, String) {
    let project = Project::with(&TWO[..1]);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    project.sql("INSERT INTO person (email) VALUES ('a@x')");
    let before = picture(&project.db());
    project.write(TWO[1].0, TWO[1].1);
    project.write("V3__slow", SLOW);
    (project, before)
}

#[test]
fn ctrl_c_rolls_back_and_ends_with_130() {
    let (project, before) = project();
    let (code, stdout, stderr) = interrupted(&project, &["migrate", "-d", "app.db"], &["INT"]);
    assert_eq!(code, 130, "{stderr}");
    assert_eq!(picture(&project.db()), before);
    assert!(stderr.contains("interrupted: going back, so that the file is as it was\n"), "{stderr}");
    assert!(stderr.contains("error: cancelled\n  state: `app.db` is as it was (rolled back; copy kept: "), "{stderr}");
    assert!(stdout.contains("rolled back  V2__pet"), "{stdout}");
}

#[test]
fn a_second_ctrl_c_does_not_kill_and_a_commit_a_step_is_undone_too() {
    let (project, before) = project();
    let arguments = ["migrate", "-d", "app.db", "--atomicity", "step", "--json"];
    let (code, stdout, stderr) = interrupted(&project, &arguments, &["INT", "TERM"]);
    assert_eq!(code, 130, "{stderr}");
    assert_eq!(picture(&project.db()), before);
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["error"]["kind"], "cancelled");
    assert_eq!(document["outcome"], "restored");
}

#[test]
fn a_long_statement_is_never_silent_for_long() {
    let (project, _) = project();
    let log = project.path().join("run.log");
    let arguments = ["migrate", "-d", "app.db", "--log-file", "run.log"];
    let (_, _, stderr) = interrupted(&project, &arguments, &["INT"]);
    assert!(stderr.contains("V3__slow: statement 2 has been running for 0.5 s"), "{stderr}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(" DEBUG lifeboat::migration V3__slow: statement 2 has been running"), "{log}");
    assert!(log.contains(" WARN lifeboat::migration interrupted: going back"), "{log}");
}
