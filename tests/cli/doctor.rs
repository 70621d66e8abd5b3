//! `lifeboat doctor`

use std::fs;

use unicode_width::UnicodeWidthStr;

use super::{copy_tree, lifeboat, tree};
use crate::support::Project;

/// The example project as a checkout has it.
fn checkout() -> Project {
    let project = Project::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    copy_tree(&root.join("migrations"), &project.migrations_dir());
    copy_tree(&root.join(".data.example"), &project.path().join(".data.example"));
    project
}

/// Looks, and sees to it that nothing is another than it was.
#[track_caller]
fn doctor(project: &Project, arguments: &[&str], code: i32) -> String {
    let before = tree(project.path());
    let ran = lifeboat(project.path(), &[&["doctor"], arguments].concat()).ends_with(code);
    assert_eq!(tree(project.path()), before);
    assert!(ran.stdout.lines().all(|line| line.width() <= 80), "{}", ran.stdout);
    ran.stdout
}

#[test]
fn a_project_in_order_is_ticked_off() {
    let project = checkout();
    lifeboat(project.path(), &["migrate", "-q"]).ends_with(0);
    assert_eq!(
        doctor(&project, &["--exit-code", "--integrity", "full"], 0),
        "\
`.data/app.db`
  ok  configuration   no `lifeboat.toml`; flags, variables and defaults
  ok  paths           `.data/app.db`, 352 KiB
  ok  rights          the file and its folder can be written
  ok  migrations      11 known
  ok  launch-lock     it is free
  ok  write-lock      it is free
  ok  integrity       `integrity_check` finds nothing
  ok  history         11 applied, the newest `V11__search_and_list`; nothing is
                      pending
  ok  divergence      what was applied is what the app has
  ok  open-run        no run was cut off
  ok  foreign-keys    every row refers to one that is there
  ok  drift           the schema is what the applied migrations give
  ok  disk-space      there is room for a run, which needs 1.3 MiB at the most
  ok  backups         1 backup, 248 KiB; they can be read
  ok  backups-recent  the newest was taken within a day
`.data/app.db` is ready: nothing is to be done
"
    );
}

#[test]
fn a_fresh_checkout_is_told_where_to_start() {
    let project = checkout();
    let shown = doctor(&project, &["--exit-code"], 3);
    let end = "`.data/app.db` is not there: `lifeboat migrate` makes it, from a copy of\n`.data.example`\n";
    assert!(shown.ends_with(end), "{shown}");
    assert!(shown.contains("  -   drift           there is no file\n"), "{shown}");
    doctor(&project, &[], 0);
}

#[test]
fn a_broken_project_is_told_all_at_once() {
    let project = Project::with(super::TWO);
    lifeboat(project.path(), &["migrate", "-q", "-d", "app.db", "--to", "1"]).ends_with(0);
    project.sql("INSERT INTO person (email) VALUES ('a@example.org')");
    lifeboat(project.path(), &["migrate", "-q", "-d", "app.db"]).ends_with(0);
    project.sql(
        "CREATE TABLE visit (person INTEGER REFERENCES person (id)); INSERT INTO visit VALUES (7), (8), (1);
         CREATE INDEX pet_name ON pet (name)",
    );
    project.write("V3__owner", "ALTER TABLE pet ADD COLUMN owner INTEGER REFERENCES person (id)");
    project.write("V4__broken", "UPDATE pets SET owner = 1");
    let backup = &project.backups()[0];
    fs::write(project.backups_dir().join(backup), "lost").unwrap();
    fs::write(project.path().join("lifeboat.toml"), "keep = 5\nmigration = \"sql\"\n").unwrap();
    let shown = doctor(&project, &["-d", "app.db", "--exit-code"], 3);
    let shown = shown.replace(backup.as_str(), "app-YYYY-MM-DDThh-mm-ss.db");
    assert_eq!(
        shown,
        "\
`app.db`
  x   configuration   `lifeboat.toml` line 2: unknown key `migration`; did you
                      mean `migrations`?
                      → mend it: every other command refuses it; here its
                        defaults are used
  ok  paths           `app.db`, 40 KiB
  ok  rights          the file and its folder can be written
  x   migrations      migration `V4__broken` failed at line 1, column 1
                      (statement 1): no such table: pets (SQLite code 1)
                      → mend the migration and run again
  ok  launch-lock     it is free
  ok  write-lock      it is free
  ok  integrity       `quick_check` finds nothing
  !   history         2 applied, the newest `V2__pet`; 2 pending
                      → `lifeboat migrate`, or the next launch of the app,
                        applies what is pending
  ok  divergence      what was applied is what the app has
  ok  open-run        no run was cut off
  !   foreign-keys    2 rows of `visit` refer to no row of `person`
                      → a migration can mend them; that they are there keeps
                        none from running
  !   drift           table `visit` is from no migration, index `pet_name` is
                      from no migration
                      → undo what was changed by hand, or write a migration that
                        makes it so
  ok  disk-space      there is room for a run, which needs 376 KiB at the most
  !   backups         1 of 1 backup cannot be read:
                      `app-YYYY-MM-DDThh-mm-ss.db`: it had 28672 bytes when it
                      was taken, and has 4
                      → `lifeboat backup create` takes a new one; `lifeboat
                        backup verify --all` looks at all of each
  ok  backups-recent  the newest was taken within a day
`app.db` waits for migrations that can be run: mend the migrations
"
    );
}

#[test]
fn the_marks_say_what_the_colours_say() {
    let project = checkout();
    let plain = doctor(&project, &[], 0);
    let ran = lifeboat(project.path(), &["doctor", "--color", "always"]).ends_with(0);
    assert!(ran.stdout.contains("\u{1b}["));
    assert_eq!(anstream::adapter::strip_str(&ran.stdout).to_string(), plain);
}

#[test]
fn whatever_lies_at_the_path_gets_a_checklist() {
    let project = Project::with(super::TWO);
    let file = |name: &str, content: &[u8]| fs::write(project.path().join(name), content).unwrap();
    project.sql("CREATE TABLE t (a)");
    let whole = fs::read(project.db()).unwrap();
    file("empty.db", b"");
    file("text.db", &b"not a database at all; ".repeat(9));
    file("short.db", &whole[..whole.len() / 2]);
    file("sealed.db", &[0xa7; 8192]);
    fs::create_dir(project.path().join("folder.db")).unwrap();
    for (name, mark, end) in [
        ("empty.db", "!   history ", "needs to be migrated, 2 migrations are pending: `lifeboat migrate`"),
        ("text.db", "x   integrity ", "or it is encrypted: there is no backup to put back; keep the file as it is"),
        ("short.db", "x   integrity ", "`short.db` is damaged: there is no backup to put back; keep the file as it is"),
        ("sealed.db", "x   integrity ", "there is no backup to put back; keep the file as it is"),
        ("folder.db", "x   paths ", "`folder.db` is a folder: mend the path and look again"),
        ("no/app 🛟.db", "!   paths ", "`no/app 🛟.db` is not there: `lifeboat migrate` makes it"),
        ("text.db/app.db", "x   paths ", "`text.db/app.db` cannot be read: mend the path and look again"),
    ] {
        let shown = doctor(&project, &["-d", name, "--exit-code"], 3);
        assert!(shown.contains(&format!("\n  {mark}")), "{name}: {shown}");
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.ends_with(end), "{name}: {shown}");
        doctor(&project, &["-d", name], 0);
    }
    let shown = doctor(&project, &["-d", "app.db", "-m", "nowhere"], 0);
    assert!(shown.contains("  x   migrations      cannot read the migrations in `nowhere`: "), "{shown}");
    assert!(shown.contains("  ok  integrity       `quick_check` finds nothing\n"), "{shown}");
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_finding() {
    let project = Project::with(super::TWO);
    lifeboat(project.path(), &["migrate", "-q", "-d", "app.db"]).ends_with(0);
    for (text, said) in [
        ("keep = [", "line 1"),
        ("history-table = \"a b\"", "`a b` cannot name the history table"),
        ("wait = \"long\"", "`wait`: it is a number, not a string"),
    ] {
        fs::write(project.path().join("lifeboat.toml"), text).unwrap();
        let shown = doctor(&project, &["-d", "app.db", "--exit-code"], 3);
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(" x configuration ") && words.contains(said), "{shown}");
        assert!(
            shown.contains("  ok  history         2 applied, the newest `V2__pet`; nothing is pending\n"),
            "{shown}"
        );
    }
    fs::write(project.path().join("lifeboat.toml"), "no-transaction = [9]").unwrap();
    let shown = doctor(&project, &["-d", "app.db", "--exit-code"], 3);
    assert!(shown.contains("  x   migrations      a setting speaks of version 9"), "{shown}");
    doctor(&project, &["-d", "app.db", "--config", "none.toml", "--exit-code"], 3);
}

#[test]
fn the_document_has_the_state_its_actions_and_every_finding() {
    let project = Project::with(super::TWO);
    lifeboat(project.path(), &["migrate", "-q", "-d", "app.db", "--to", "1"]).ends_with(0);
    lifeboat(project.path(), &["migrate", "-q", "-d", "app.db"]).ends_with(0);
    project.remove("V2__pet");
    let document = lifeboat(project.path(), &["doctor", "-d", "app.db", "--json", "--exit-code"]).ends_with(3).json();
    let backup = project.backups().remove(0);
    assert_eq!(
        document["state"],
        serde_json::json!({"is": "newer-than-app", "newestKnown": "V1__person", "newer": ["V2__pet"], "backups": [backup]})
    );
    assert_eq!(
        document["actions"],
        serde_json::json!([{"do": "update-app"}, {"do": "restore-backup", "backup": backup}])
    );
    assert_eq!(document["healthy"], false);
    let findings = document["findings"].as_array().unwrap();
    let checks: Vec<&str> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    assert_eq!(checks.len(), 15);
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for check in checks {
        assert!(readme.contains(&format!("`{check}`")), "{check} is not in the README");
    }
    let divergence = findings.iter().find(|finding| finding["check"] == "divergence").unwrap();
    assert_eq!(divergence["severity"], "problem");
    assert!(divergence["advice"].as_str().unwrap().starts_with("start the newer version"));
    let message = document["message"].as_str().unwrap();
    assert!(message.ends_with("is newer than these migrations: use the migrations of the newer version"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_this_user_may_not_read_or_write_is_told() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    use super::Ran;

    let project = Project::with(super::TWO);
    lifeboat(project.path(), &["migrate", "-q", "-d", "data/app.db"]).ends_with(0);
    if fs::metadata(project.path()).unwrap().uid() != 0 {
        return crate::support::skipped("only root can be somebody else");
    }
    let allow = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let data = project.path().join("data");
    allow(project.path(), 0o755);
    let as_nobody = |mode| {
        allow(&data, mode);
        let before = tree(project.path());
        let ran = super::command(project.path(), &["doctor", "-d", "data/app.db"]).uid(65534).gid(65534).output();
        assert_eq!(tree(project.path()), before);
        ran.map(|output| Ran::of(output).ends_with(0).stdout)
    };
    // The folder can be seen through, and not written.
    let Ok(shown) = as_nobody(0o755) else {
        return crate::support::skipped("another user cannot run the command here");
    };
    assert!(shown.contains("  x   rights          `data/app.db` cannot be written: Permission denied"), "{shown}");
    assert!(shown.ends_with("`data/app.db` cannot be written: it can be read, and nothing is pending\n"), "{shown}");
    let shown = as_nobody(0o700).unwrap();
    assert!(shown.contains("  x   paths           cannot look at `data/app.db`: Permission denied"), "{shown}");
    assert!(shown.contains("`data/app.db` cannot be read: give the file"), "{shown}");
}

#[test]
fn a_snapshot_is_named_where_the_database_is_lost_or_damaged() {
    let project = checkout();
    lifeboat(project.path(), &["migrate", "-q", "--no-backup"]).ends_with(0);
    lifeboat(project.path(), &["snapshot", "create", "s"]).ends_with(0);
    let db = project.path().join(".data/app.db");
    let mut bytes = fs::read(&db).unwrap();
    bytes[100..].fill(0xee);
    fs::write(&db, &bytes).unwrap();
    let shown = doctor(&project, &[], 0).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("→ `lifeboat restore --name s` goes back to the newest snapshot"), "{shown}");
    assert!(shown.ends_with("`lifeboat restore --name s` goes back to its snapshot"), "{shown}");
    let state = lifeboat(project.path(), &["doctor", "--json"]).json();
    assert_eq!(state["actions"][0], serde_json::json!({"do": "restore-snapshot", "snapshot": "s"}));
    assert_eq!(state["state"]["snapshots"], serde_json::json!(["s"]));
    fs::remove_file(&db).unwrap();
    let hint = "there is 1 snapshot of it: `lifeboat restore`";
    for command in ["status", "inspect", "stats"] {
        let ran = lifeboat(project.path(), &[command]).ends_with(1);
        assert!(ran.stderr.ends_with(&format!("hint: {hint}\n")), "{}", ran.stderr);
    }
    // A launch begins anew, but not in silence; neither does one that finds an empty file.
    for begin in [fs::remove_file as fn(_) -> _, |path: &std::path::PathBuf| fs::write(path, "")] {
        let _ = begin(&db);
        let ran = lifeboat(project.path(), &["migrate"]).ends_with(0);
        assert!(
            ran.stderr.contains(&format!("`{}` begins anew, and {hint}", db.display()))
                || ran.stderr.contains(&format!("`.data/app.db` begins anew, and {hint}")),
            "{}",
            ran.stderr
        );
    }
}
