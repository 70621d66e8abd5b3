//! `lifeboat inspect`

use std::fs;

use rusqlite::Connection;

#[cfg(unix)]
use super::without_room;
use super::{TWO, command, lifeboat, tree};
use crate::schema::NASTY;
use crate::support::Project;

/// The example app's database, three versions back.
fn example() -> Project {
    Project::example()
}

#[track_caller]
fn shows(project: &Project, arguments: &[&str], expected: &str) {
    let before = tree(project.path());
    let ran = lifeboat(project.path(), arguments).ends_with(0);
    assert_eq!(ran.stdout, expected.strip_prefix('\n').unwrap());
    assert_eq!(ran.stderr, "");
    let widest = ran.stdout.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest <= 80, "{widest} columns");
    assert_eq!(tree(project.path()), before, "nothing was changed");
}

#[test]
fn the_list_of_the_example() {
    shows(
        &example(),
        &["inspect", "-d", "app.db", "--list"],
        "
`app.db`: 5 tables, 1 virtual table, 1 view, 6 indexes, 5 triggers; 796 rows

  name                     kind     rows    size  indexes  refers to
  attachments                         12   4 KiB    8 KiB  notes
  note_tags                          513  12 KiB   12 KiB  notes, tags
  notebooks                            6   4 KiB    4 KiB
  notes                              240  76 KiB   32 KiB  notebooks
  notes_fts                fts5      240  68 KiB
  tags                                25   4 KiB    4 KiB
  notes_fts_config         shadow      1   4 KiB
  notes_fts_data           shadow     14  56 KiB
  notes_fts_docsize        shadow    240   4 KiB
  notes_fts_idx            shadow     12   4 KiB
  refinery_schema_history  history     8   4 KiB    4 KiB
  note_list                view
",
    );
}

#[test]
fn one_table_with_its_first_rows() {
    shows(
        &example(),
        &["inspect", "-d", "app.db", "attachments", "--rows", "2"],
        "
attachments: 12 rows, 4 KiB, indexes 8 KiB
  column      type     null  key          default
  id          INTEGER        primary key
  note_id     INTEGER  no    → notes
  file_path   TEXT     no    unique
  media_type  TEXT     no
  byte_size   INTEGER  no
  created_at  TEXT     no                 strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
  checks
    file_path GLOB 'attachments/?*' AND instr(file_path, '..') = 0
    media_type GLOB '?*/?*'
    byte_size >= 0
  foreign keys
    (note_id) → notes (id)  on delete cascade
  indexes
    attachments_by_note (note_id)
    unique (file_path)

  id  note_id  file_path            media_type     byte_size  created_at
  1   31       attachments/garden…  image/svg+xml  1270       2024-04-11T11:46:…
  2   229      attachments/rain-2…  text/csv       141        2025-04-17T00:15:…
",
    );
}

#[test]
fn many_columns_are_shown_row_by_row() {
    let ran = lifeboat(example().path(), &["inspect", "-d", "app.db", "notes", "--rows", "1"]).ends_with(0);
    let rows = ran.stdout.split("\n\n").nth(1).unwrap();
    assert_eq!(
        rows,
        "  row 1
    id           1
    notebook_id  1
    title        Runner beans in the big pots
    body         Mulched the bed by the wall with leaf mould; it took overnight…
    source
    created_at   2024-02-11T06:34:55Z
    is_pinned    0
    updated_at   2024-02-11T06:34:55Z
    trashed_at   null
"
    );
}

#[test]
fn all_of_a_schema_that_is_hard_to_show() {
    let project = Project::new();
    project.sql(NASTY);
    shows(
        &project,
        &["inspect", "-d", "app.db"],
        "
`app.db`: 7 tables, 2 virtual tables, 3 views, 2 indexes, 2 triggers; 0 rows

  name             kind         rows    size  indexes  refers to
  area             rtree           0  12 KiB
  egg                              0   4 KiB           hen
  gen                              0   4 KiB    8 KiB
  hen                              0   4 KiB    4 KiB  egg, hen
  lost                             0   4 KiB           not there, pair
  my \"notes\" 📝                    0   4 KiB    4 KiB
  pair                             0   4 KiB
  search           fts5            0  20 KiB
  strict_one                       0   4 KiB
  area_node        shadow          1   4 KiB
  area_parent      shadow          0   4 KiB
  area_rowid       shadow          0   4 KiB
  search_config    shadow          1   4 KiB
  search_content   shadow          0   4 KiB
  search_data      shadow          2   4 KiB
  search_docsize   shadow          0   4 KiB
  search_idx       shadow          0   4 KiB
  sqlite_sequence  SQLite's        0   4 KiB
  aa               view
  broken           broken view
  zz               view

area: 0 rows, 12 KiB, virtual (rtree)
  column  type
  id      INT
  x0      REAL
  x1      REAL
  y0      REAL
  y1      REAL
  made with
    id
    x0
    x1
    y0
    y1

egg: 0 rows, 4 KiB
  column  type     key
  id      INTEGER  primary key
  hen     INTEGER  → hen
  foreign keys
    (hen) → hen (id)  deferred
  referenced by
    hen (egg) → (id)  on delete cascade

gen: 0 rows, 4 KiB, indexes 8 KiB
  column  type  key      default
  w       INT   unique
  h       INT
  area    INT   stored   = w * h
  half          virtual  = w / 2.0
  note    TEXT           upper('),(')
  indexes
    lower_note (lower(note) collate nocase desc, w) where h IS NOT NULL AND w >…
    odd, name unique (w)
  triggers
    when it \"changes\"  BEFORE UPDATE OF w, h WHEN old.w <> new.w

hen: 0 rows, 4 KiB, indexes 4 KiB
  column  type     null  key
  id      INTEGER        primary key
  egg     INTEGER  no    unique, → egg
  mother  INTEGER        → hen
  foreign keys
    (egg) → egg (id)  on delete cascade  on update set null
    (mother) → hen (id)
  referenced by
    egg (hen) → (id)
    hen (mother) → (id)
  indexes
    unique (egg)

lost: 0 rows, 4 KiB
  column  type  key
  x             → not there
  a       TEXT
  b       INT
  foreign keys
    (x) → not there (y)
    (b, a) → pair (b, a)

my \"notes\" 📝: 0 rows, 4 KiB, indexes 4 KiB, autoincrement
  column  type            null  key             default
  a b     TEXT            no                    'x''y'
  c d     VARCHAR(10, 2)        unique, nocase
  e`f     INTEGER               primary key
  checks
    only \"positive\": \"e`f\" > 0
  indexes
    unique (c d collate nocase)

pair: 0 rows, 4 KiB, without rowid
  column  type  null  key
  a       TEXT  no    primary key 2, rtrim
  b       INT   no    primary key 1
  c
  referenced by
    lost (b, a) → (b, a)

search: 0 rows, 20 KiB, virtual (fts5)
  column  key
  body
  search  hidden
  rank    hidden
  made with
    body
    tokenize = 'porter'

strict_one: 0 rows, 4 KiB, strict
  column  type     null  key
  id      INTEGER        primary key
  amount  ANY
  data    BLOB     no

aa: view
  column  type
  w       INT
  area    INT
  triggers
    t1  INSTEAD OF INSERT

broken: broken view (no such table: main.nowhere)

zz: view
  column  type
  w       INT
  area    INT
",
    );
}

#[test]
fn an_empty_file_has_nothing_in_it() {
    let project = Project::new();
    fs::write(project.db(), b"").unwrap();
    shows(&project, &["inspect", "-d", "app.db"], "\n`app.db`: 0 tables; 0 rows\n");
    shows(&project, &["inspect", "-d", "app.db", "--schema"], "\n");
}

#[test]
fn no_row_content_is_shown_that_was_not_asked_for() {
    let project = Project::new();
    project.sql("CREATE TABLE secret (a, b); INSERT INTO secret VALUES ('first', x'00ff'), ('second', zeroblob(99)), ('third', NULL)");
    for arguments in
        [&["inspect", "-d", "app.db"][..], &["inspect", "-d", "app.db", "secret"], &["stats", "-d", "app.db"]]
    {
        for json in [&[][..], &["--json"]] {
            let ran = lifeboat(project.path(), &[arguments, json].concat()).ends_with(0);
            assert!(!ran.stdout.contains("first"), "{}", ran.stdout);
        }
    }
    shows(
        &project,
        &["inspect", "-d", "app.db", "Secret", "--rows", "2"],
        "
secret: 3 rows, 4 KiB
  column
  a
  b

  a       b
  first   2 bytes 00ff
  second  99 bytes 0000000000000000…
",
    );
    let document =
        lifeboat(project.path(), &["inspect", "-d", "app.db", "secret", "--rows", "2", "--json"]).ends_with(0).json();
    let rows =
        serde_json::json!([["first", {"hex": "00ff", "bytes": 2}], ["second", {"hex": "0".repeat(32), "bytes": 99}]]);
    assert_eq!(document["detail"]["sample"]["rows"], rows);
}

#[test]
fn the_document_says_all_that_the_text_says() {
    let project = example();
    let document = lifeboat(project.path(), &["inspect", "-d", "app.db", "--json"]).ends_with(0).json();
    let tables = document["inspection"]["tables"].as_array().unwrap();
    let notes = tables.iter().find(|table| table["name"] == "notes").unwrap();
    assert_eq!(
        (&notes["rows"], &notes["kind"]["is"], &notes["owner"]),
        (&240.into(), &"ordinary".into(), &"app".into())
    );
    assert_eq!(notes["columns"][1]["type"], "INTEGER");
    assert_eq!(notes["referencedBy"][0]["table"], "attachments");
    assert_eq!(document["inspection"]["views"][0]["name"], "note_list");
    assert!(document["inspection"]["triggers"][0]["fires"].as_str().unwrap().starts_with("AFTER "));
    assert!(document["message"].as_str().unwrap().starts_with("5 tables, 1 virtual table, 1 view"));
    let script = lifeboat(project.path(), &["inspect", "-d", "app.db", "--schema"]).ends_with(0).stdout;
    let document = lifeboat(project.path(), &["inspect", "-d", "app.db", "--schema", "--json"]).ends_with(0).json();
    assert_eq!(document["schema"], script);
    Connection::open_in_memory().unwrap().execute_batch(&script).unwrap();
}

#[test]
fn a_picture_goes_to_stdout_or_to_a_file_and_never_over_a_database() {
    let project = example();
    for (kind, start) in [("svg", "<svg "), ("dot", "digraph "), ("mermaid", "erDiagram\n")] {
        let arguments = ["inspect", "-d", "app.db", "--diagram", kind];
        let ran = lifeboat(project.path(), &arguments).ends_with(0);
        assert!(ran.stdout.starts_with(start), "{}", ran.stdout);
        let again = lifeboat(project.path(), &arguments).ends_with(0);
        assert_eq!(ran.stdout, again.stdout, "the same file gives the same picture");
        let document = lifeboat(project.path(), &[&arguments[..], &["--json"]].concat()).ends_with(0).json();
        assert_eq!(document["diagram"], ran.stdout);
        for _ in 0..2 {
            let written = lifeboat(project.path(), &[&arguments[..], &["--out", "picture"]].concat()).ends_with(0);
            assert_eq!(written.stdout, "6 tables with 4 foreign keys written to `picture`\n");
            assert_eq!(fs::read_to_string(project.path().join("picture")).unwrap(), ran.stdout);
        }
    }
    let before = tree(project.path());
    let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "--schema", "--out", "app.db"]).ends_with(1);
    assert!(ran.stderr.starts_with("error: `app.db` is a database"), "{}", ran.stderr);
    let ran =
        lifeboat(project.path(), &["inspect", "-d", "app.db", "--schema", "--out", "no/such/folder"]).ends_with(1);
    assert!(ran.stderr.starts_with("error: cannot write `no/such/folder`"), "{}", ran.stderr);
    lifeboat(project.path(), &["inspect", "-d", "app.db", "--out", "picture"]).ends_with(2);
    for arguments in
        [&["inspect", "notes", "--schema"][..], &["inspect", "--rows", "2"], &["inspect", "--diagram", "png"]]
    {
        lifeboat(project.path(), arguments).ends_with(2);
    }
    assert_eq!(tree(project.path()), before);
}

#[test]
fn an_unknown_table_is_answered_with_the_names_that_are_near() {
    let project = example();
    let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "nots"]).ends_with(1);
    let expected = "error: there is no table or view `nots` in `app.db`\n  state: `app.db` is as it was (nothing was changed)\nhint: near it there is `notes`\n";
    assert_eq!(ran.stderr, expected);
    let document = lifeboat(project.path(), &["inspect", "-d", "app.db", "nots", "--json"]).ends_with(1).json();
    assert_eq!(document["error"]["kind"], "no-such-table");
    let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "xyz"]).ends_with(1);
    assert!(ran.stderr.ends_with("hint: `lifeboat inspect` lists what there is\n"), "{}", ran.stderr);
    let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "app.db"]).ends_with(1);
    assert!(ran.stderr.ends_with("hint: `-d app.db` names the database\n"), "{}", ran.stderr);
    let ran = lifeboat(project.path(), &["inspect", "-d", "ap.db"]).ends_with(1);
    assert!(ran.stderr.contains("near it there is `app.db`"), "{}", ran.stderr);
}

#[test]
fn a_backup_is_inspected_by_its_name_or_as_the_latest() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-d", "app.db", "--to", "1"]).ends_with(0);
    let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "--backup", "latest"]).ends_with(1);
    assert!(ran.stderr.contains("`app.db` has no backups") || ran.stderr.contains("has no backups"), "{}", ran.stderr);
    lifeboat(project.path(), &["migrate", "-d", "app.db"]).ends_with(0);
    let name = project.backups()[0].clone();
    for backup in ["latest", &name] {
        let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "--list", "--backup", backup]).ends_with(0);
        assert!(ran.stdout.starts_with(&format!("`backups/{name}`: 1 table; 0 rows\n")), "{}", ran.stdout);
    }
    let ran = lifeboat(project.path(), &["stats", "-d", "app.db", "--backup", "nope"]).ends_with(1);
    assert!(ran.stderr.contains(&format!("there is no backup `nope`; the newest is `{name}`")), "{}", ran.stderr);
}

#[test]
fn colour_is_a_help_and_no_part_of_the_text() {
    let project = example();
    let plain = lifeboat(project.path(), &["inspect", "-d", "app.db", "--color", "never"]).ends_with(0).stdout;
    let colored = lifeboat(project.path(), &["inspect", "-d", "app.db", "--color", "always"]).ends_with(0).stdout;
    assert!(!plain.contains('\u{1b}') && colored.contains('\u{1b}'));
    let stripped = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(&colored, "").into_owned();
    assert_eq!(stripped, plain);
    let quiet = lifeboat(project.path(), &["inspect", "-d", "app.db", "--quiet"]).ends_with(0);
    assert_eq!(
        (quiet.stdout.as_str(), quiet.stderr.as_str()),
        (plain.as_str(), ""),
        "the result is what was asked for"
    );
}

#[test]
fn a_file_that_another_process_holds_locked_is_told_as_such() {
    let project = example();
    let holder = Connection::open(project.db()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "--wait", "0", "--json"]).ends_with(1);
    assert_eq!(ran.json()["error"]["kind"], "locked");
}

#[test]
fn beside_a_process_that_writes_the_last_commit_is_seen() {
    let project = Project::new();
    let writer = Connection::open(project.db()).unwrap();
    writer
        .execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2)",
        )
        .unwrap();
    let rows = || {
        lifeboat(project.path(), &["inspect", "-d", "app.db", "t", "--json"]).ends_with(0).json()["detail"]["rows"]
            .clone()
    };
    assert_eq!(rows(), 1);
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(rows(), 2);
    let stats = lifeboat(project.path(), &["stats", "-d", "app.db", "--json"]).ends_with(0).json()["stats"].clone();
    assert_eq!((&stats["journalMode"], stats["walSize"].as_u64().unwrap() > 0), (&"wal".into(), true));
    writer.execute_batch("INSERT INTO t VALUES (3)").unwrap();
    assert_eq!(rows(), 3);
}

#[test]
fn names_in_a_file_cannot_steer_the_terminal() {
    let project = Project::new();
    project.sql("CREATE TABLE \"a\u{1b}[2J\nb\" (\"c\u{7}\" TEXT DEFAULT '\u{1b}[0m'); CREATE VIEW \"v\u{1b}\" AS SELECT * FROM nowhere");
    let output = command(project.path(), &["inspect", "-d", "app.db", "--color", "never"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("a\\u{1b}[2J\\nb") && text.contains("c\\u{7}"), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

/// A disk that is full from the first byte on.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_anew_stays_as_it_was() {
    let project = example();
    fs::write(project.path().join("picture"), "as it was").unwrap();
    let before = tree(project.path());
    let ran = without_room(project.path(), &["inspect", "-d", "app.db", "--schema", "--out", "picture"]).ends_with(1);
    assert!(ran.stderr.starts_with("error: cannot write `picture`"), "{}", ran.stderr);
    assert_eq!(tree(project.path()), before);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_written_to_and_a_link_stays_one() {
    let project = example();
    let shown = lifeboat(project.path(), &["inspect", "-d", "app.db", "--schema"]).ends_with(0).stdout;
    let ran = lifeboat(project.path(), &["inspect", "-d", "app.db", "--schema", "--out", "/dev/stdout"]).ends_with(0);
    assert!(ran.stdout.starts_with(&shown), "{}", ran.stdout);
    std::os::unix::fs::symlink("real.sql", project.path().join("link.sql")).unwrap();
    for _ in 0..2 {
        lifeboat(project.path(), &["inspect", "-d", "app.db", "--schema", "--out", "link.sql"]).ends_with(0);
        assert_eq!(fs::read_to_string(project.path().join("real.sql")).unwrap(), shown);
        assert!(fs::symlink_metadata(project.path().join("link.sql")).unwrap().is_symlink());
    }
}
