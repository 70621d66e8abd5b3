//! `lifeboat backup create`, `list`, `verify`, `prune`

use std::fs;
use std::process::{Command, Stdio};

use regex::Regex;

use super::{Ran, TWO, command, lifeboat};
use crate::support::Project;
use crate::support::folder::Folder;

/// A database with a migration, and as many backups of different content.
fn with_backups(count: usize) -> Project {
    let project = Project::with(&TWO[..1]);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    for round in 0..count {
        project.sql(&format!("INSERT INTO person (email) VALUES ('{round}@x')"));
        backup(&project, &["create"]).ends_with(0);
    }
    project
}

fn backup(project: &Project, arguments: &[&str]) -> Ran {
    lifeboat(project.path(), &[&["backup"], arguments, &["-d", "app.db"]].concat())
}

/// The name of the newest is `N1`, of the next `N2` and so on.
fn steady(project: &Project, text: &str) -> String {
    let mut text = text.to_owned();
    // `…_2.db` before `….db`, of which it is no part, and so on.
    for (index, name) in project.backups().iter().rev().enumerate() {
        text = text.replace(name, &format!("N{}", index + 1));
    }
    let spaces = Regex::new(r" {2,}").unwrap();
    let ages = Regex::new(r"just now|\d+ (second|minute)s?").unwrap();
    let text = ages.replace_all(&text, "AGE").into_owned();
    // Where it is cut depends on the names before it.
    let text = Regex::new(r"before .*…").unwrap().replace_all(&text, "before CUT…").into_owned();
    text.lines().map(|line| format!("{}\n", spaces.replace_all(line, "  "))).collect()
}

#[test]
fn backups_are_taken_and_listed_in_eighty_columns() {
    let project = with_backups(1);
    project.sql("INSERT INTO person (email) VALUES ('more')");
    let ran = backup(&project, &["create", "--reason", "before the great\nspring cleaning of everything there is"]);
    assert_eq!(steady(&project, &ran.ends_with(0).stdout), "`app.db`: backed up 28 KiB\nbackup: `backups/N1`\n");
    let ran = backup(&project, &["create"]).ends_with(0);
    assert_eq!(
        steady(&project, &ran.stdout),
        "`app.db`: the newest backup has the same content, and no other is needed\nbackup: `backups/N1`\n"
    );
    project.write("V2__pet", "CREATE TABLE pet (id)");
    project.write("V3__wrong", "UPDATE person SET email = 'the same'");
    project.sql("INSERT INTO person (email) VALUES ('and more')");
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(1);
    let before = Folder::of(project.path());
    let ran = backup(&project, &["list"]).ends_with(0);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert_eq!(
        steady(&project, &ran.stdout),
        "`app.db`: 3 backups, 84 KiB, the newest first\n  \
         N1  AGE  28 KiB  migrate V1 → V3, pinned\n  \
         N2  AGE  28 KiB  manual V1: before CUT…\n  \
         N3  AGE  28 KiB  manual V1\n"
    );
    assert_eq!(ran.stderr, "");
    before.assert_unchanged();
    assert_eq!(before.new_names(), [""; 0]);
    let document = backup(&project, &["list", "--json"]).ends_with(0).json();
    let listed = document["backups"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    let (failed, asked) = (&listed[0], &listed[1]);
    assert_eq!((failed["pin"].as_str(), failed["metadata"]["runFailed"].as_bool()), (Some("failed-run"), Some(true)));
    assert_eq!(asked["metadata"]["note"], "before the great\nspring cleaning of everything there is");
    assert_eq!((asked["pin"].is_null(), asked["compressed"].as_bool()), (true, Some(false)));
    assert!(asked["takenAt"].as_str().unwrap().ends_with('Z') && asked["size"].as_u64().unwrap() > 0);
}

#[test]
fn create_says_in_json_what_it_took_and_whether_it_was_there() {
    let project = with_backups(0);
    project.sql("INSERT INTO person (email) VALUES ('a@x')");
    for reused in [false, true] {
        let document = backup(&project, &["create", "--reason", "why not", "--json"]).ends_with(0).json();
        assert_eq!((document["reused"].as_bool(), document["success"].as_bool()), (Some(reused), Some(true)));
        assert_eq!(document["backup"]["metadata"]["note"], "why not");
        assert!(std::path::Path::new(document["backup"]["path"].as_str().unwrap()).is_file());
    }
    let long = "long ".repeat(300);
    let ran = backup(&project, &["create", "--reason", &long]).ends_with(1);
    assert_eq!(
        ran.stderr,
        "error: a reason has at most 1000 characters, and this one has 1499\n  \
         state: `app.db` is as it was (nothing was changed)\n"
    );
    let ran = lifeboat(project.path(), &["backup", "create", "-d", "ap.db"]).ends_with(1);
    assert_eq!(ran.stderr, "error: there is no database `ap.db`\nhint: near it there is `app.db`\n");
}

#[test]
fn without_backups_there_is_nothing_to_list_verify_or_prune() {
    let project = with_backups(0);
    for (arguments, wanted) in [
        (&["list"][..], "`app.db`: there are no backups\n"),
        (&["verify", "--all"], "`app.db`: there are no backups to verify\n"),
        (&["prune"], "`app.db`: there is no backup to remove\n"),
    ] {
        assert_eq!(backup(&project, arguments).ends_with(0).stdout, wanted);
    }
    for arguments in [&["backup", "list"][..], &["backup", "verify"], &["backup", "prune", "--yes"]] {
        let document = lifeboat(project.path(), &[arguments, &["--json"]].concat()).ends_with(1).json();
        assert_eq!(document["error"]["kind"], "not-found", "{arguments:?}");
    }
    lifeboat(project.path(), &["backup"]).ends_with(2);
}

#[test]
fn verify_ends_with_1_and_names_the_backup_that_is_damaged() {
    let project = with_backups(3);
    let ran = backup(&project, &["verify"]).ends_with(0);
    assert_eq!(steady(&project, &ran.stdout), "`app.db`: the backup is whole\n  whole  N1\n");
    let oldest = project.backups_dir().join(&project.backups()[0]);
    let mut bytes = fs::read(&oldest).unwrap();
    let place = bytes.windows(3).rposition(|window| window == b"0@x").unwrap();
    bytes[place] ^= 1;
    fs::write(&oldest, bytes).unwrap();
    backup(&project, &["verify"]).ends_with(0);
    let ran = backup(&project, &["verify", "--all"]).ends_with(1);
    let text = steady(&project, &ran.stdout);
    let wanted = "`app.db`: 1 of 3 backups is not whole\n  whole  N1\n  whole  N2\n  damaged  N3  ";
    assert!(text.starts_with(wanted), "{text}");
    let document = backup(&project, &["verify", "--all", "--json"]).ends_with(1).json();
    let results = document["results"].as_array().unwrap();
    assert_eq!(document["success"], false);
    assert_eq!(results.iter().map(|one| one["ok"].as_bool().unwrap()).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!((results[2]["defect"].as_str(), results[0]["defect"].is_null()), (Some("damaged"), true));
    assert_eq!((results[0]["hasMetadata"].as_bool(), results[0]["danglingRows"].as_u64()), (Some(true), Some(0)));
}

#[test]
fn prune_wants_a_yes_where_nobody_can_be_asked_and_says_what_would_go() {
    let project = with_backups(4);
    let before = Folder::of(project.path());
    let wanted = "`app.db`: 2 backups would be removed, 56 KiB\n  N4\n  N3\n";
    let ran = backup(&project, &["prune", "--keep", "2"]).ends_with(2);
    assert_eq!(steady(&project, &ran.stdout), wanted);
    assert_eq!(ran.stderr, "error: nobody can be asked here whether this is meant\nhint: `--yes` says that it is\n");
    let document = backup(&project, &["prune", "--keep", "2", "--json"]).ends_with(2).json();
    assert_eq!((document["error"]["kind"].as_str(), document["dryRun"].as_bool()), (Some("usage"), Some(true)));
    assert_eq!(document["pruned"].as_array().unwrap().len(), 2);
    let ran = backup(&project, &["prune", "--keep", "2", "--dry-run"]).ends_with(0);
    assert_eq!(steady(&project, &ran.stdout), wanted);
    before.assert_unchanged();
    let names = project.backups();
    let ran = backup(&project, &["prune", "--keep", "2", "-y"]).ends_with(0);
    assert_eq!(ran.stdout, format!("`app.db`: 2 backups removed, 56 KiB freed\n  {}\n  {}\n", names[0], names[1]));
    assert_eq!(project.backups(), names[2..]);
    let document = backup(&project, &["prune", "--keep", "1", "--yes", "--json"]).ends_with(0).json();
    assert_eq!((document["dryRun"].as_bool(), document["pruned"][0]["name"].as_str()), (Some(false), Some(&*names[2])));
    assert_eq!(project.backups(), names[3..]);
}

/// A terminal, by `script` of util-linux.
fn on_a_terminal(project: &Project, arguments: &str, answer: &str) -> Option<(i32, String)> {
    let program = env!("CARGO_BIN_EXE_lifeboat");
    let words = ["-qec", &format!("{program} {arguments}"), "/dev/null"];
    let prepared = command(project.path(), &[]);
    let mut shell = Command::new("script");
    shell.args(words).current_dir(project.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).env("NO_COLOR", "1");
    for (name, value) in prepared.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut child = shell.spawn().ok()?;
    std::io::Write::write_all(&mut child.stdin.take()?, answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some((output.status.code()?, String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[cfg(target_os = "linux")]
#[test]
fn prune_asks_on_a_terminal_and_takes_only_a_yes_for_one() {
    let project = with_backups(3);
    let names = project.backups();
    for answer in ["n\n", "\n", "yesterday\n"] {
        let Some((code, text)) = on_a_terminal(&project, "backup prune -d app.db --keep 1", answer) else {
            return crate::support::skipped("there is no `script` here");
        };
        assert!(text.contains("Remove 2 backups of `app.db`, 56 KiB? [y/N] "), "{text}");
        assert!(text.contains(&names[0]) && text.contains("nothing was changed"), "{text}");
        assert_eq!((code, project.backups().len()), (0, 3), "{answer:?}: {text}");
    }
    let (code, text) = on_a_terminal(&project, "backup prune -d app.db --keep 1", "y\n").unwrap();
    assert_eq!((code, project.backups()), (0, names[2..].to_vec()), "{text}");
    assert!(text.contains("2 backups removed, 56 KiB freed"), "{text}");
}

#[test]
fn the_retention_of_the_configuration_and_the_environment_arrives() {
    let project = with_backups(4);
    let config = "keep = 9\nkeep-daily = 0\nkeep-weekly = 2\nmax-size = \"10 MiB\"\ncompress-older-than = 2\n";
    fs::write(project.path().join("lifeboat.toml"), config).unwrap();
    let ran = backup(&project, &["prune", "-v"]).ends_with(0);
    assert_eq!(ran.stderr.matches(" compressed: 28 KiB became ").count(), 2, "{}", ran.stderr);
    let listed = backup(&project, &["list"]).ends_with(0).stdout;
    assert_eq!(listed.matches("manual V1, zstd").count(), 2, "{listed}");
    assert!(listed.lines().all(|line| line.chars().count() <= 80), "{listed}");
    backup(&project, &["verify", "--all"]).ends_with(0);
    let going = |variable: (&str, &str)| {
        let mut command = command(project.path(), &["backup", "prune", "-d", "app.db", "--dry-run", "--json"]);
        let document = Ran::of(command.env(variable.0, variable.1).output().unwrap()).ends_with(0).json();
        document["pruned"].as_array().unwrap().len()
    };
    assert_eq!(going(("LIFEBOAT_KEEP", "3")), 1);
    assert_eq!(going(("LIFEBOAT_MAX_SIZE", "30000")), 3);
    fs::write(project.path().join("lifeboat.toml"), "keep = 1\n").unwrap();
    assert_eq!(going(("LIFEBOAT_KEEP_DAILY", "0")), 3);
    for (name, value, why) in [
        ("LIFEBOAT_KEEP_WEEKLY", "-1", "it is a whole number from 0"),
        ("LIFEBOAT_MAX_SIZE", "much", "it is a size, such as \"500 MB\" or \"2 GiB\""),
        ("LIFEBOAT_COMPRESS_OLDER_THAN", "0", "it is a whole number from 1"),
    ] {
        let ran = Ran::of(command(project.path(), &["backup", "list"]).env(name, value).output().unwrap()).ends_with(1);
        assert_eq!(ran.stderr, format!("error: `{name}` in the environment is `{value}`: {why}\n"));
    }
}

#[test]
fn all_that_was_said_of_a_backup_is_kept_and_shown_where_one_is_chosen() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-q"]).ends_with(0);
    for reason in ["first", "second", "first"] {
        lifeboat(project.path(), &["backup", "create", "--reason", reason]).ends_with(0);
    }
    let ran = lifeboat(project.path(), &["restore"]).ends_with(2);
    assert!(ran.stderr.contains("manual  first; second (V2"), "{}", ran.stderr);
    let document = lifeboat(project.path(), &["restore", "--json"]).ends_with(2).json();
    assert_eq!(document["error"]["choices"]["backups"][0]["note"], "first; second");
}

#[test]
fn what_cannot_be_looked_into_or_restored_is_named_for_what_it_is() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-q"]).ends_with(0);
    fs::write(project.path().join("old.db.zst"), [0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0]).unwrap();
    let ran = lifeboat(project.path(), &["inspect", "-d", "old.db.zst"]).ends_with(1);
    assert!(ran.stderr.contains("hint: it is compressed: "), "{}", ran.stderr);
    fs::write(project.path().join("garbage.db"), "not a database, whatever its name says").unwrap();
    let ran = lifeboat(project.path(), &["inspect", "-d", "garbage.db"]).ends_with(1);
    assert!(!ran.stderr.contains("on_connect"), "{}", ran.stderr);
    let ran = lifeboat(project.path(), &["restore", "--backup", "garbage.db", "--yes"]).ends_with(1);
    assert!(ran.stderr.contains("hint: it is no copy to go back to; "), "{}", ran.stderr);
}
