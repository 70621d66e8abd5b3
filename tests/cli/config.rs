//! Where options come from, and which goes before which.

use std::fs;

use super::{Ran, TWO, command, lifeboat};
use crate::support::Project;

/// Which database `status` looks at: its name in the refusal, since there is none.
fn database(project: &Project, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = command(project.path(), &["status", "--json"]);
    command.args(arguments).envs(environment.iter().copied());
    let document = Ran::of(command.output().unwrap()).ends_with(1).json();
    assert_eq!(document["error"]["kind"], "not-found", "{document}");
    let message = document["error"]["message"].as_str().unwrap();
    let path = message.trim_start_matches("there is no database `").trim_end_matches('`');
    let here = project.path().canonicalize().unwrap();
    std::path::Path::new(path).strip_prefix(here).unwrap().display().to_string()
}

#[test]
fn a_flag_goes_before_the_environment_before_the_configuration_before_the_default() {
    let project = Project::with(TWO);
    assert_eq!(database(&project, &[], &[]), ".data/app.db");
    fs::write(project.path().join("lifeboat.toml"), "data-dir = \"of-config\"\n").unwrap();
    assert_eq!(database(&project, &[], &[]), "of-config/app.db");
    fs::write(project.path().join("lifeboat.toml"), "database = \"config.db\"\n").unwrap();
    assert_eq!(database(&project, &[], &[]), "config.db");
    fs::write(project.path().join(".env"), "DATABASE_URL=sqlite:dotenv.db\n").unwrap();
    assert_eq!(database(&project, &["--no-env-file"], &[]), "config.db");
    assert_eq!(database(&project, &[], &[]), "dotenv.db");
    let url = ("DATABASE_URL", "file:url.db?mode=ro");
    assert_eq!(database(&project, &[], &[url]), "url.db");
    let variable = ("LIFEBOAT_DATABASE", "variable.db");
    assert_eq!(database(&project, &[], &[url, variable]), "variable.db");
    assert_eq!(database(&project, &["-d", "flag.db"], &[url, variable]), "flag.db");
    assert_eq!(database(&project, &["--data-dir", "folder"], &[url, variable]), "folder/app.db");
    assert_eq!(database(&project, &[], &[url, ("LIFEBOAT_DATA_DIR", "x")]), "x/app.db");
}

#[test]
fn every_option_of_the_configuration_arrives() {
    let project = Project::new();
    fs::create_dir(project.path().join("steps")).unwrap();
    fs::write(project.path().join("steps/V1__a.sql"), "CREATE TABLE a (b); PRAGMA trusted_schema = 1;").unwrap();
    fs::write(project.path().join("steps/V3__vacuum.sql"), "VACUUM;").unwrap();
    fs::write(project.path().join("steps/V4__x.sql"), "CREATE TEMP TABLE x (y);").unwrap();
    let config = "migrations = \"steps\"\nbackups = \"kept\"\nkeep = 2\nwait = 1.5\natomicity = \"step\"\n\
        allow = [\"trusted_schema\"]\nlog-file = \"run.log\"\ncolor = \"never\"\ncheck = \"full\"\n\
        history-table = \"history\"\nno-transaction = [3]\nforeign-keys-on = 4\ndatabase = \"app.db\"\n";
    fs::write(project.path().join("lifeboat.toml"), config).unwrap();
    fs::create_dir(project.path().join("below")).unwrap();
    // From a folder below: the configuration is looked for upwards, and its paths are its own.
    lifeboat(&project.path().join("below"), &["migrate"]).ends_with(0);
    assert_eq!(project.number("SELECT count(*) FROM history"), 3);
    for version in 5..9 {
        fs::write(project.path().join(format!("steps/V{version}__x.sql")), "CREATE TEMP TABLE x (y);").unwrap();
        lifeboat(&project.path().join("below"), &["migrate"]).ends_with(0);
    }
    assert_eq!(crate::support::backups_in(&project.path().join("kept")).len(), 2);
    assert!(project.path().join("run.log").is_file());
    assert!(!project.backups_dir().exists());
    assert_eq!(fs::read_dir(project.path().join("below")).unwrap().count(), 0);
}

#[test]
fn the_defaults_lie_beside_a_configuration_that_was_found_above() {
    let project = Project::with(TWO);
    fs::write(project.path().join("lifeboat.toml"), "").unwrap();
    fs::create_dir_all(project.path().join("src/deep")).unwrap();
    lifeboat(&project.path().join("src/deep"), &["migrate"]).ends_with(0);
    assert!(project.path().join(".data/app.db").is_file());
}

#[test]
fn what_the_configuration_cannot_mean_is_refused_with_file_line_and_the_nearest_key() {
    let project = Project::with(TWO);
    for (text, wanted) in [
        (
            "# a comment\nkeep = 3\ndatabse = \"x\"",
            "`lifeboat.toml` line 3: unknown key `databse`; did you mean `database`?",
        ),
        ("data_dir = \"x\"", "`lifeboat.toml` line 1: unknown key `data_dir`; did you mean `data-dir`?"),
        ("\n[section]\nx = 1", "`lifeboat.toml` line 2: unknown key `section`; the keys are allow, "),
        ("keep = \"3\"", "`lifeboat.toml` line 1: `keep`: it is a number, not a string"),
        ("keep = 0", "`lifeboat.toml` line 1: `keep`: it is a whole number from 1"),
        ("keep-dayly = 2", "`lifeboat.toml` line 1: unknown key `keep-dayly`; did you mean `keep-daily`?"),
        ("keep-weekly = -1", "`lifeboat.toml` line 1: `keep-weekly`: it is a whole number from 0"),
        ("max-size = \"2 GiBs\"", "`lifeboat.toml` line 1: `max-size`: it is a size, such as \"500 MB\" or \"2 GiB\""),
        ("max-size = true", "`lifeboat.toml` line 1: `max-size`: it is a number, not a boolean"),
        ("compress-older-than = 0", "`lifeboat.toml` line 1: `compress-older-than`: it is a whole number from 1"),
        ("keep = 2.5", "`lifeboat.toml` line 1: `keep`: it is a whole number from 1"),
        ("wait = -1", "`lifeboat.toml` line 1: `wait`: it is a number of seconds from 0 to 86400"),
        ("atomicity = \"half\"", "`lifeboat.toml` line 1: `atomicity`: it is one of `run`, `step`"),
        ("allow = [\n \"a\",\n 3]", "`lifeboat.toml` line 3: `allow`: it is a list of words in quotes, not an integer"),
        ("database = \"\"", "`lifeboat.toml` line 1: `database`: it is a path, and not empty"),
        ("keep = 1\nkeep = 2", "`lifeboat.toml` line 2: duplicate key"),
        ("keep = ", "`lifeboat.toml` line 1: "),
    ] {
        fs::write(project.path().join("lifeboat.toml"), text).unwrap();
        let ran = lifeboat(project.path(), &["migrate"]).ends_with(1);
        assert!(ran.stderr.starts_with(&format!("error: {wanted}")), "{text}: {}", ran.stderr);
        let document = lifeboat(project.path(), &["migrate", "--json"]).ends_with(1).json();
        assert_eq!(document["error"]["kind"], "config", "{text}");
    }
    fs::remove_file(project.path().join("lifeboat.toml")).unwrap();
    let ran = lifeboat(project.path(), &["migrate", "--config", "other.toml"]).ends_with(1);
    assert!(ran.stderr.starts_with("error: cannot read the configuration `other.toml`\n  cause: "), "{}", ran.stderr);
    assert_eq!(fs::read_dir(project.path()).unwrap().count(), 1, "nothing was made");
}

#[test]
fn a_variable_out_of_range_is_refused_and_a_misspelt_one_is_noted() {
    let project = Project::with(TWO);
    let run = |name: &str, value: &str| {
        Ran::of(command(project.path(), &["migrate", "--dry-run"]).env(name, value).output().unwrap())
    };
    let ran = run("LIFEBOAT_KEEP", "none").ends_with(1);
    assert_eq!(ran.stderr, "error: `LIFEBOAT_KEEP` in the environment is `none`: it is a whole number from 1\n");
    let ran = run("LIFEBOAT_DATABSE", "x").ends_with(0);
    assert!(ran.stderr.contains("did you mean `LIFEBOAT_DATABASE`?"), "{}", ran.stderr);
    run("LIFEBOAT_KEEP", "").ends_with(0);
}

#[test]
fn a_database_url_of_another_system_is_ignored_with_a_note_that_keeps_its_password() {
    let project = Project::with(TWO);
    fs::write(project.path().join(".env"), "DATABASE_URL=\"postgres://me:secret@host/db\"\nPORT=80\n").unwrap();
    let ran = lifeboat(project.path(), &["migrate"]).ends_with(0);
    assert!(ran.stderr.contains("note: `DATABASE_URL` in `.env` is ignored: it speaks of `postgres`, not of a file"));
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    assert!(project.path().join(".data/app.db").is_file());
    assert!(!lifeboat(project.path(), &["status", "--no-env-file"]).stderr.contains("DATABASE_URL"));
    assert!(!lifeboat(project.path(), &["status", "-d", ".data/app.db"]).stderr.contains("DATABASE_URL"));
}
