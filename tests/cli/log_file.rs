//! `--log-file`

use std::fs;

use super::{TWO, lifeboat};
use crate::support::Project;

#[test]
fn a_log_has_one_line_an_event_with_time_level_and_target() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "--to", "1", "--log-file", "a.log"]).ends_with(0);
    let first = fs::read_to_string(project.path().join("a.log")).unwrap();
    project.write("V2__pet", "CREATE TABLE pet (a);\nINSERT INTO pet VALUES (abs('x', 1));");
    lifeboat(project.path(), &["migrate", "--log-file", "a.log"]).ends_with(1);
    project.write("V2__pet", "CREATE TABLE pet (a UNIQUE);\nINSERT INTO pet VALUES (1), (1);");
    lifeboat(project.path(), &["migrate", "--log-file", "a.log", "-q"]).ends_with(1);
    let log = fs::read_to_string(project.path().join("a.log")).unwrap();
    assert!(log.starts_with(&first), "it is appended to");
    for line in log.lines() {
        let mut words = line.splitn(4, ' ');
        assert!(chrono::DateTime::parse_from_rfc3339(words.next().unwrap()).is_ok(), "{line}");
        assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&words.next().unwrap()), "{line}");
        assert_eq!(words.next(), Some("lifeboat::migration"), "{line}");
        assert!(!words.next().unwrap().is_empty(), "{line}");
    }
    for text in [
        " INFO lifeboat::migration [1/1] V1__person started",
        " INFO lifeboat::migration backing up ",
        " ERROR lifeboat::migration V2__pet failed: ",
        " WARN lifeboat::migration rolled back",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
}

#[test]
fn an_error_that_no_event_tells_is_in_the_log_too() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-m", "nowhere", "--log-file", "a.log"]).ends_with(1);
    let log = fs::read_to_string(project.path().join("a.log")).unwrap();
    assert!(log.contains(" ERROR lifeboat::migration cannot read the migrations in "), "{log}");
    assert_eq!(log.lines().count(), 1);
}

#[test]
fn a_log_that_cannot_be_opened_stops_the_run_before_it_begins() {
    let project = Project::with(TWO);
    let ran = lifeboat(project.path(), &["migrate", "--log-file", "no/such/a.log"]).ends_with(1);
    assert!(ran.stderr.starts_with("error: cannot open the log file `no/such/a.log`\n  cause: "), "{}", ran.stderr);
    let document = lifeboat(project.path(), &["migrate", "--log-file", ".", "--json"]).ends_with(1).json();
    assert_eq!(document["error"]["kind"], "io");
    assert_eq!(document["results"], serde_json::json!([]));
    assert_eq!(fs::read_dir(project.path()).unwrap().count(), 1, "nothing was made");
}
