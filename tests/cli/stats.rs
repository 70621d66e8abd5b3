//! `lifeboat stats`

use super::{lifeboat, tree};
use crate::support::Project;

/// What a test cannot know.
fn steady(text: &str) -> String {
    let share = regex::Regex::new(r"fragmentation    \d+ %").unwrap();
    share.replace(text, "fragmentation    SHARE").into_owned()
}

#[test]
fn a_file_at_a_glance() {
    let project = Project::example();
    project.sql("PRAGMA user_version = 12; PRAGMA application_id = 0x4e4f5445; CREATE TABLE gone AS SELECT zeroblob(10000); DROP TABLE gone");
    let before = tree(project.path());
    let ran = lifeboat(project.path(), &["stats", "-d", "app.db", "--integrity"]).ends_with(0);
    assert_eq!(
        steady(&ran.stdout),
        "\
`app.db`
  size             260 KiB
  pages            65 of 4,096 bytes each, 3 free (5 %)
  fragmentation    SHARE
  write-ahead log  none
  journal mode     delete
  auto-vacuum      none
  encoding         UTF-8
  user_version     12
  application_id   1313821765 (`NOTE`)
  schema version   30
  backups          none
  integrity        sound
"
    );
    assert_eq!(ran.stderr, "");
    assert!(!lifeboat(project.path(), &["stats", "-d", "app.db"]).ends_with(0).stdout.contains("integrity"));
    lifeboat(project.path(), &["stats", "-d", "app.db", "--integrity=half"]).ends_with(2);
    assert_eq!(tree(project.path()), before);
}

#[test]
fn backups_are_counted_with_their_size_and_age() {
    let project = Project::with(super::TWO);
    lifeboat(project.path(), &["migrate", "-d", "app.db", "--to", "1"]).ends_with(0);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    let ran = lifeboat(project.path(), &["stats", "-d", "app.db"]).ends_with(0);
    assert!(
        ran.stdout.ends_with("  backups          1, 28 KiB; the newest less than a minute ago\n"),
        "{}",
        ran.stdout
    );
    let document =
        lifeboat(project.path(), &["stats", "-d", "app.db", "--json", "--integrity=quick"]).ends_with(0).json();
    let stats = &document["stats"];
    assert_eq!((&stats["backups"]["count"], &stats["journalMode"]), (&1.into(), &"delete".into()));
    assert_eq!(stats["integrity"], serde_json::json!({"ok": true, "findings": [], "danglingRows": null}));
    assert_eq!(stats["size"], std::fs::metadata(project.db()).unwrap().len());
    assert!(document["message"].as_str().unwrap().ends_with(", 1 backup, sound"));
}

#[test]
fn damage_ends_with_1_and_is_told() {
    let project = Project::new();
    project.sql(
        "CREATE TABLE t (a, b); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1, 7), (2, 8);
         PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (b)' WHERE name = 'i';",
    );
    let ran = lifeboat(project.path(), &["stats", "-d", "app.db", "--integrity"]).ends_with(1);
    assert!(ran.stdout.contains("  integrity        damaged\n    row 1 missing from index i\n"), "{}", ran.stdout);
    let document = lifeboat(project.path(), &["stats", "-d", "app.db", "--integrity", "--json"]).ends_with(1).json();
    assert_eq!(document["stats"]["integrity"]["ok"], false);
    lifeboat(project.path(), &["stats", "-d", "app.db"]).ends_with(0);
}

/// A reader who may not write takes the file for one that nobody changes; the header knows better.
#[cfg(unix)]
#[test]
fn the_journal_mode_is_the_files_also_for_whoever_may_not_write_it() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let project = Project::with(super::TWO);
    lifeboat(project.path(), &["migrate", "-q"]).ends_with(0);
    let db = project.path().join(".data/app.db");
    rusqlite::Connection::open(&db).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
    if std::fs::metadata(&db).unwrap().uid() != 0 {
        return crate::support::skipped("only root can make a file that another user may only read");
    }
    let allow = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(project.path(), 0o755);
    let as_nobody = |arguments: &[&str]| {
        super::Ran::of(super::command(project.path(), arguments).uid(65534).gid(65534).output().unwrap())
    };
    let shown = as_nobody(&["stats"]).ends_with(0).stdout;
    assert!(shown.contains("journal mode     wal"), "{shown}");
    // What lacks is said where it may not even be read.
    for (path, mode) in [(db.clone(), 0o600), (project.path().join(".data"), 0o700)] {
        allow(&path, mode);
        let ran = as_nobody(&["stats"]).ends_with(1);
        assert!(ran.stderr.contains("hint: give the file, and every folder that leads to it,"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("immutable"), "{}", ran.stderr);
    }
    allow(&project.migrations_dir(), 0o700);
    let ran = as_nobody(&["migrate", "-d", "new.db"]).ends_with(1);
    assert!(ran.stderr.contains("hint: give the folder to the user that runs this"), "{}", ran.stderr);
}
