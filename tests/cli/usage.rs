//! Arguments, help, names.

use super::{TWO, lifeboat};
use crate::support::Project;

#[test]
fn arguments_that_are_none_end_with_2_and_touch_nothing() {
    let project = Project::with(TWO);
    for arguments in [
        &["frobnicate"][..],
        &["migrate", "--to", "x"],
        &["migrate", "--to", "1", "--steps", "1"],
        &["migrate", "--steps", "0"],
        &["--keep", "0", "migrate"],
        &["--wait", "-1", "migrate"],
        &["migrate", "--atomicity", "half"],
        &["migrate", "--allow-destructive"],
        &["create"],
        &[],
    ] {
        let ran = lifeboat(project.path(), arguments).ends_with(2);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.contains("Usage") || ran.stderr.contains("--help"), "{arguments:?}: {}", ran.stderr);
        let with_json = [arguments, &["--json"]].concat();
        let ran = lifeboat(project.path(), &with_json).ends_with(2);
        let error = &ran.json()["error"];
        assert_eq!((error["kind"].as_str(), error["outcome"].as_str()), (Some("usage"), Some("untouched")));
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert_eq!(ran.stderr, "", "the document says it all");
    }
    assert_eq!(std::fs::read_dir(project.path()).unwrap().count(), 1, "only the migrations are there");
}

#[test]
fn a_command_goes_by_all_of_its_names() {
    let project = Project::with(TWO);
    for (name, steps) in [("migrate", 1), ("run", 1), ("up", 0), ("apply", 0)] {
        let document = lifeboat(project.path(), &[name, "-d", "app.db", "--steps", "1", "--json"]).ends_with(0).json();
        assert_eq!(document["results"].as_array().unwrap().len(), steps, "{name}");
    }
    for name in ["status", "info", "show", "list"] {
        let document = lifeboat(project.path(), &[name, "-d", "app.db", "--json"]).ends_with(0).json();
        assert_eq!(document["status"]["isUpToDate"], true, "{name}");
    }
    for (name, version) in [("create", 3), ("new", 4), ("add", 5)] {
        let document = lifeboat(project.path(), &[name, "x", "--json"]).ends_with(0).json();
        assert_eq!(document["name"], format!("V{version}__x"));
    }
}

#[test]
fn help_says_what_every_exit_code_means_and_json_keeps_its_form() {
    let project = Project::new();
    let help = lifeboat(project.path(), &["--help"]).ends_with(0).stdout;
    for word in ["migrate", "status", "create", "recover", "130", "--data-dir", "DATABASE_URL"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let document = lifeboat(project.path(), &["--version", "--json"]).ends_with(0).json();
    assert_eq!(document["message"], concat!("lifeboat ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_database_that_is_no_file_is_refused_and_a_url_of_a_file_means_the_file() {
    let project = Project::with(&[("V1__a", "CREATE TABLE a (b);")]);
    for (given, code) in [(":memory:", 1), ("sqlite::memory:", 1), ("postgres://host/db", 1), ("sqlite:named.db", 0)] {
        let output = super::command(project.path(), &["migrate", "-d", given]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{given}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!project.path().join(given).exists(), "{given}");
    }
    assert!(project.path().join("named.db").is_file());
}
