//! What a file holds is told as it is, whatever made it, and nothing of it is changed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat::schema::{Deferral, Owner, Schema, TableKind, Value};
use lifeboat::{CancelToken, ErrorKind, Migrations, Migrator, Outcome, Soundness};
use rusqlite::Connection;

use crate::support::folder::Folder;
use crate::support::{NOTEBOOK, Project};

/// Everything that a schema can have and that is easily got wrong.
pub const NASTY: &str = include_str!("fixtures/nasty.sql");

fn migrator() -> Migrator {
    Migrator::new(Migrations::none())
}

fn schema_of(sql: &str) -> Schema {
    let project = Project::new();
    project.sql(sql);
    migrator().at(project.db()).schema().unwrap()
}

/// The schema as the app has it: without what SQLite and the migrations keep for themselves.
fn own(mut schema: Schema) -> Schema {
    schema.tables.retain(|table| table.owner == Owner::App);
    schema
}

/// A schema's script, run on an empty file, gives the schema again. `prepare` brings what the app registers.
#[track_caller]
pub fn is_made_again_by_its_script(migrator: &Migrator, db: &Path, prepare: impl Fn(&Connection)) {
    let schema = own(migrator.at(db).schema().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let connection = Connection::open(&copy).unwrap();
    prepare(&connection);
    connection.execute_batch(&schema.script()).unwrap();
    drop(connection);
    let again = own(migrator.at(&copy).schema().unwrap());
    for (one, other) in schema.tables.iter().zip(&again.tables) {
        assert_eq!(one, other);
        assert_eq!(one.opaque, None, "`{}` was taken apart", one.name);
    }
    assert_eq!(schema, again);
    assert_eq!(schema.script(), again.script());
}

#[test]
fn the_script_of_a_schema_makes_it_again() {
    let project = Project::new();
    Migrator::new(&NOTEBOOK).at(project.db()).migrate().unwrap();
    is_made_again_by_its_script(&migrator(), &project.db(), |_| {});
    let nasty = Project::new();
    nasty.sql(NASTY);
    is_made_again_by_its_script(&migrator(), &nasty.db(), |_| {});
    let tables = migrator().at(project.db()).schema().unwrap();
    assert_eq!(tables.table("lifeboat_ledger").unwrap().owner, Owner::Lifeboat);
    assert_eq!(tables.table("refinery_schema_history").unwrap().owner, Owner::Lifeboat);
    assert!(!tables.script().contains("lifeboat_ledger"));
}

#[test]
fn tables_come_after_those_that_they_refer_to_and_views_after_those_that_they_read() {
    let script = schema_of(
        "CREATE VIEW a_view AS SELECT * FROM \"Z_View\"; CREATE VIEW z_view AS SELECT 1 AS one;
         CREATE TABLE a (b REFERENCES b); CREATE TABLE b (c REFERENCES C); CREATE TABLE c (id INTEGER PRIMARY KEY);
         CREATE INDEX a_b ON a (b); CREATE TRIGGER t INSTEAD OF INSERT ON a_view BEGIN SELECT 1; END;",
    )
    .script();
    let at = |text: &str| script.find(text).unwrap_or_else(|| panic!("{text} in {script}"));
    let order = ["TABLE c", "TABLE b", "TABLE a", "INDEX a_b", "VIEW z_view", "VIEW a_view", "TRIGGER t"].map(at);
    assert!(order.is_sorted(), "{script}");
}

#[test]
fn what_the_pragmas_do_not_tell_is_read_from_the_text() {
    let schema = schema_of(NASTY);
    let table = |name: &str| schema.table(name).unwrap();
    let notes = table("my \"notes\" 📝");
    assert_eq!(notes.checks[0].name.as_deref(), Some("only \"positive\""));
    assert_eq!(notes.checks[0].expression.text(), "\"e`f\" > 0");
    assert!(notes.primary_key.as_ref().unwrap().autoincrement);
    assert_eq!(notes.column("A B").unwrap().default.as_ref().unwrap().text(), "'x''y'");
    assert_eq!(notes.column("c d").unwrap().collation.as_deref(), Some("NOCASE"));
    let made = table("gen");
    let (area, half) = (made.column("area").unwrap(), made.column("half").unwrap());
    let generated = |column: &lifeboat::schema::Column| {
        let generated = column.generated.clone().unwrap();
        (generated.stored, generated.expression.unwrap().text().to_owned())
    };
    assert_eq!((generated(area), generated(half)), ((true, "w * h".to_owned()), (false, "w / 2.0".to_owned())));
    assert_eq!(half.comment.text(), Some("half the width"));
    let index = made.indexes.iter().find(|index| index.name == "lower_note").unwrap();
    assert_eq!(index.columns[0].expression.as_ref().unwrap().text(), "lower(note)");
    assert_eq!((index.columns[0].collation.as_deref(), index.columns[0].descending), (Some("NOCASE"), true));
    assert_eq!(index.partial.as_ref().unwrap().text(), "h IS NOT NULL AND w > 0");
    assert_eq!(table("egg").foreign_keys[0].deferral, Deferral::Deferred);
    let hen = &table("hen").foreign_keys[0];
    assert_eq!((hen.parent_columns[0].as_str(), hen.on_delete.as_str()), ("id", "CASCADE"), "the key that is meant");
    let lost = &table("lost").foreign_keys;
    assert_eq!(
        (lost[0].parent.as_str(), lost[1].columns.join(" "), lost[1].match_name.as_deref()),
        ("not there", "b a".to_owned(), Some("FULL"))
    );
    let pair = table("pair");
    assert_eq!((pair.without_rowid, pair.primary_key.as_ref().unwrap().columns.join(" ")), (true, "b a".to_owned()));
    assert!(table("strict_one").strict);
    assert!(
        matches!(&table("search").kind, TableKind::Virtual { module, arguments } if module == "fts5" && arguments.len() == 2)
    );
    assert_eq!(table("area_node").kind, TableKind::Shadow { of: Some("area".to_owned()) });
    assert!(schema.view("broken").unwrap().broken.as_ref().unwrap().contains("nowhere"));
    let trigger = schema.triggers_on("gen").next().unwrap();
    assert_eq!(trigger.fires, "BEFORE UPDATE OF w, h");
    assert_eq!(trigger.condition.as_ref().unwrap().text(), "old.w <> new.w");
}

#[test]
fn two_schemas_are_equal_when_they_mean_the_same() {
    let one = schema_of(
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b VARCHAR(10) DEFAULT (1+1) CHECK (b <> 'X'), c REFERENCES t (a), UNIQUE (b), UNIQUE (c));
         CREATE INDEX i ON t (lower(b)) WHERE c > 0; CREATE VIEW v AS SELECT a FROM t;",
    );
    let same = schema_of(
        "CREATE VIEW  v  as select \"a\" from [t] /* all */;
         CREATE TABLE \"t\" (\"a\" INTEGER primary key, -- the key
            b varchar (10) UNIQUE default ( 1 + 1 ) check(B<>'X'), c UNIQUE references T);
         CREATE INDEX i ON t(LOWER(\"b\")) where C>0;",
    );
    assert_eq!(one, same);
    for other in [
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b CHECK (b <> 'x'))",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b CHECK (b <> 'X'), c)",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b NOT NULL CHECK (b <> 'X'))",
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b CHECK (b <> 'X'))",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b COLLATE NOCASE CHECK (b <> 'X'))",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b CHECK (b <> 'X')) STRICT",
        "CREATE TABLE t (a INTEGER PRIMARY KEY ON CONFLICT REPLACE, b CHECK (b <> 'X'))",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b CONSTRAINT k CHECK (b <> 'X'))",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b CHECK (b <> 'X') UNIQUE)",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b CHECK (b <> 'X') REFERENCES t)",
    ] {
        let plain = schema_of("CREATE TABLE t (a INTEGER PRIMARY KEY, b CHECK (b <> 'X'))");
        // A table that is refused as STRICT for want of types makes no schema at all.
        let project = Project::new();
        let connection = Connection::open(project.db()).unwrap();
        if connection.execute_batch(other).is_ok() {
            drop(connection);
            assert_ne!(plain, migrator().at(project.db()).schema().unwrap(), "{other}");
        }
    }
}

#[test]
fn a_text_that_cannot_be_taken_apart_is_compared_as_a_whole() {
    let project = Project::new();
    project.sql(
        "CREATE TABLE t (a CHECK (a > 0)); PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a CHECK (a > 0)' || char(10) || 'CHECK (1), b)' WHERE name = 't';
         INSERT INTO sqlite_schema VALUES ('table', 'm', 'm', 0, 'CREATE VIRTUAL TABLE m USING no_such_module(a, b)');",
    );
    let inspection = migrator().at(project.db()).inspect().unwrap();
    let (t, m) = (inspection.schema.table("t").unwrap(), inspection.schema.table("m").unwrap());
    assert_eq!(t.columns[0].checks.len(), 2);
    assert!(m.broken.as_ref().unwrap().contains("no such module"), "{m:?}");
    assert_eq!((inspection.size("t").rows, inspection.size("m").rows), (Some(0), None));
    assert!(inspection.schema.svg().contains("no_such_module"));
}

#[test]
fn rows_and_bytes_are_told() {
    let project = Project::example();
    let inspection = migrator().at(project.db()).inspect().unwrap();
    let number = |sql: &str| u64::try_from(project.number(sql)).unwrap();
    let rows = number("SELECT count(*) FROM notes");
    let bytes = number("SELECT sum(pgsize) FROM dbstat WHERE name = 'notes'");
    let size = inspection.size("notes");
    assert_eq!((size.rows, size.bytes), (Some(rows), Some(bytes)));
    assert!(size.index_bytes.unwrap() > 0 && inspection.size("notes_fts").bytes.unwrap() > 0);
    let all = number("SELECT sum(pgsize) FROM dbstat WHERE name <> 'sqlite_schema'");
    let ordinary = inspection.schema.tables.iter().filter(|table| !matches!(table.kind, TableKind::Virtual { .. }));
    let told: u64 = ordinary
        .map(|table| inspection.size(&table.name))
        .map(|size| size.bytes.unwrap() + size.index_bytes.unwrap())
        .sum();
    assert_eq!(told, all, "every byte is some table's");
    let detail = migrator().at(project.db()).inspect_table("NOTES", Some(2)).unwrap();
    assert_eq!(detail.object.name(), "notes");
    assert_eq!(detail.sample.unwrap().rows.len(), 2);
    let error = migrator().at(project.db()).inspect_table("nots", None).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::NoSuchTable, Outcome::Untouched));
    assert_eq!(error.hint().unwrap(), "near it there is `notes`");
}

#[test]
fn values_are_shown_from_their_beginning() {
    let project = Project::new();
    project.sql(
        "CREATE TABLE t (a); INSERT INTO t VALUES (1), (0.5), (NULL), (zeroblob(1000)), (printf('%.*c', 1000, 'é'))",
    );
    let sample = migrator().at(project.db()).inspect_table("t", Some(9)).unwrap().sample.unwrap();
    let values: Vec<&Value> = sample.rows.iter().map(|row| &row[0]).collect();
    assert_eq!(values[..3], [&Value::Integer(1), &Value::Real(0.5), &Value::Null]);
    let cut = |value: &Value| match value {
        Value::Blob { start, bytes } => (start.len(), *bytes),
        Value::Text { start, characters } => (start.chars().count(), *characters),
        other => panic!("{other:?}"),
    };
    assert_eq!((cut(values[3]), cut(values[4])), ((16, 1000), (200, 1000)));
}

#[test]
fn looking_leaves_file_and_folder_as_they_are() {
    for mode in ["delete", "wal"] {
        let project = Project::example();
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let before = Folder::of(project.path());
        let database = migrator();
        let database = database.at(project.db());
        database.inspect().unwrap();
        database.inspect_table("notes", Some(3)).unwrap();
        assert!(database.schema().unwrap().svg().contains("notebook_id"));
        let stats = database.stats(Soundness::Full).unwrap();
        assert!(stats.integrity.unwrap().ok);
        assert_eq!(stats.journal_mode, mode);
        before.assert_unchanged();
        assert_eq!(before.new_names(), Vec::<String>::new(), "{mode}");
    }
}

#[test]
fn what_is_seen_is_of_one_moment_while_another_connection_writes() {
    let project = Project::new();
    project.sql("PRAGMA journal_mode = WAL; CREATE TABLE a (x); CREATE TABLE b (x);");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let writer = Connection::open(project.db()).unwrap();
            while !stop.load(Ordering::Relaxed) {
                writer.execute_batch("BEGIN; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); COMMIT;").unwrap();
            }
        });
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 20 {
            let inspection = migrator().at(project.db()).inspect().unwrap();
            assert_eq!(inspection.size("a").rows, inspection.size("b").rows);
            seen.insert(inspection.size("a").rows.unwrap());
            migrator().at(project.db()).stats(Soundness::Quick).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_look_can_be_cancelled() {
    let project = Project::new();
    project.sql("CREATE TABLE t (a); WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000) INSERT INTO t SELECT i FROM n");
    let token = CancelToken::new();
    token.cancel();
    let error = migrator().cancel(token).at(project.db()).stats(Soundness::Full).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn bad_files_are_refused_by_their_kind_and_stay_as_they_are() {
    let project = Project::example();
    let place = |name: &str, bytes: &[u8]| {
        let path = project.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let whole = fs::read(project.db()).unwrap();
    let mut holed = whole.clone();
    holed[8192..].fill(0xa5);
    let cases = [
        (
            place("text.db", b"this is no database, but it is long enough to be looked at as one, or nearly so"),
            ErrorKind::NotADatabase,
        ),
        (
            place("encrypted.db", &(0..8192_u32).map(|i| (i * 193 % 251) as u8).collect::<Vec<_>>()),
            ErrorKind::NotADatabase,
        ),
        (place("truncated.db", &whole[..whole.len() / 2]), ErrorKind::Corrupt),
        (place("holed.db", &holed), ErrorKind::Corrupt),
        (project.path().to_owned(), ErrorKind::NotAFile),
        (project.path().join("ap.db"), ErrorKind::NotFound),
    ];
    let before = Folder::of(project.path());
    for (path, kind) in &cases {
        let database = migrator();
        let database = database.at(path);
        let inspected = database.inspect().unwrap_err();
        assert_eq!((inspected.kind(), inspected.outcome()), (*kind, Outcome::Untouched), "{}", path.display());
        let error = database.stats(Soundness::Full).unwrap_err();
        assert_eq!(error.kind(), *kind, "{}", path.display());
    }
    let empty = place("empty.db", b"");
    assert_eq!(migrator().at(&empty).inspect().unwrap().schema, Schema::default());
    assert_eq!(migrator().at(&empty).stats(Soundness::Full).unwrap().pages, 0);
    fs::remove_file(empty).unwrap();
    before.assert_unchanged();
}

#[test]
fn damage_that_leaves_the_file_readable_is_told_and_is_no_error() {
    let project = Project::new();
    project.sql(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (a, p REFERENCES p); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1, 7), (2, 8);
         PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (p)' WHERE name = 'i';",
    );
    let integrity = migrator().at(project.db()).stats(Soundness::Full).unwrap().integrity.unwrap();
    assert!(!integrity.ok && !integrity.findings.is_empty(), "{integrity:?}");
    assert_eq!(integrity.dangling_rows, Some(2));
    assert_eq!(migrator().at(project.db()).stats(Soundness::Unasked).unwrap().integrity, None);
}

#[test]
fn a_file_at_a_glance() {
    let project = Project::example();
    project.sql("PRAGMA user_version = 7; PRAGMA application_id = 0x4e4f5445; CREATE TABLE big AS SELECT zeroblob(100000); DROP TABLE big");
    Migrator::new(&NOTEBOOK).at(project.db()).migrate().unwrap();
    let stats = Migrator::new(&NOTEBOOK).at(project.db()).stats(Soundness::Unasked).unwrap();
    assert_eq!((stats.user_version, stats.application_id, stats.page_size), (7, 0x4e4f_5445, 4096));
    assert_eq!((stats.encoding.as_str(), stats.journal_mode.as_str(), stats.auto_vacuum), ("UTF-8", "delete", "none"));
    let number = |pragma: &str| u64::try_from(project.number(pragma)).unwrap();
    assert_eq!((stats.pages, stats.free_pages), (number("PRAGMA page_count"), number("PRAGMA freelist_count")));
    assert_eq!((stats.size, stats.file_size), (fs::metadata(project.db()).unwrap().len(), stats.size));
    assert_eq!((stats.schema_version, stats.wal_size), (project.number("PRAGMA schema_version"), 0));
    assert!(stats.fragmentation.is_some_and(|share| (0.0..=1.0).contains(&share)));
    let backup = project.backups_dir().join(&project.backups()[0]);
    assert_eq!((stats.backups.count, stats.backups.size), (1, fs::metadata(&backup).unwrap().len()));
    assert_eq!(stats.backups.newest, stats.backups.oldest);
    // The backup is a database like any other.
    let of_backup = migrator().at(&backup).stats(Soundness::Full).unwrap();
    assert!(of_backup.integrity.unwrap().ok);
}

#[test]
fn a_table_of_two_thousand_columns_is_read_and_drawn() {
    let columns: Vec<String> = (0..2000).map(|at| format!("column_{at} TEXT")).collect();
    let schema = schema_of(&format!("CREATE TABLE wide ({})", columns.join(", ")));
    assert_eq!(schema.tables[0].columns.len(), 2000);
    assert!(schema.svg().contains("… 1952 more columns"));
    assert!(schema.mermaid().contains("column_47") && schema.dot().contains("more"));
}

#[test]
fn pictures_are_well_formed_and_leave_nothing_unescaped() {
    let name = "<script>&\"'\u{1}";
    let schema = schema_of(&format!(
        "CREATE TABLE \"{}\" (\"{}\" TEXT REFERENCES \"<gone>\")",
        name.replace('"', "\"\""),
        name.replace('"', "\"\"")
    ));
    let svg = schema.svg();
    assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;&amp;&quot;"), "{svg}");
    assert!(!svg.chars().any(|c| c.is_control() && c != '\n'));
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    assert!(!schema.dot().contains("<script>"));
    assert!(schema.mermaid().lines().all(|line| line.matches('"').count() % 2 == 0));
    for empty in [schema_of(""), schema_of("CREATE VIEW v AS SELECT 1")] {
        assert!(empty.svg().ends_with("</svg>\n"));
        assert!(empty.mermaid().starts_with("erDiagram\n") && empty.dot().ends_with("}\n"));
    }
}

#[test]
fn in_a_picture_no_box_lies_on_another_and_no_line_crosses_a_box() {
    for sql in [fs::read_to_string("tests/fixtures/nasty.sql").unwrap(), many_tables(40, 3), many_tables(25, 1)] {
        let svg = schema_of(&sql).svg();
        let boxes = boxes(&svg);
        assert!(boxes.len() > 5);
        for (at, one) in boxes.iter().enumerate() {
            for other in &boxes[at + 1..] {
                let apart = one.0 + one.2 <= other.0
                    || other.0 + other.2 <= one.0
                    || one.1 + one.3 <= other.1
                    || other.1 + other.3 <= one.1;
                assert!(apart, "{one:?} lies on {other:?}");
            }
        }
        let mut lines = 0;
        for points in paths(&svg) {
            for pair in points.windows(2) {
                lines += 1;
                for (x, y, width, height) in &boxes {
                    let inside =
                        |from: f64, to: f64, low: f64, high: f64| from.min(to) < high - 1.0 && from.max(to) > low + 1.0;
                    let crosses =
                        inside(pair[0].0, pair[1].0, *x, x + width) && inside(pair[0].1, pair[1].1, *y, y + height);
                    assert!(!crosses, "{pair:?} crosses {:?}", (x, y, width, height));
                }
            }
        }
        assert!(lines > 5);
    }
}

/// Tables that refer to earlier ones, and a circle.
fn many_tables(count: usize, keys: usize) -> String {
    let table = |at: usize| {
        let key = |key: usize| format!(", k{key} INTEGER REFERENCES t{}", (at * 7 + key * 5) % at.max(1));
        let keys: String = (0..keys).map(key).collect();
        let more: String = (0..at % 9).map(|column| format!(", column_{column} TEXT")).collect();
        format!("CREATE TABLE t{at} (id INTEGER PRIMARY KEY{keys}{more});")
    };
    (0..count).map(table).collect::<String>()
        + "CREATE TABLE x (id INTEGER PRIMARY KEY, y REFERENCES z); CREATE TABLE z (id INTEGER PRIMARY KEY, x REFERENCES x);"
}

/// Left, top, width, height of each box.
fn boxes(svg: &str) -> Vec<(f64, f64, f64, f64)> {
    let shape = regex::Regex::new("<g transform=\"translate\\(([\\d.]+) ([\\d.]+)\\)\">\n<title>[^<]*</title>\n<rect class=\"b[ d]*\" width=\"([\\d.]+)\" height=\"([\\d.]+)\"").unwrap();
    let number = |text: &str| text.parse::<f64>().unwrap();
    shape
        .captures_iter(svg)
        .map(|found| (number(&found[1]), number(&found[2]), number(&found[3]), number(&found[4])))
        .collect()
}

/// The corners of each line.
fn paths(svg: &str) -> Vec<Vec<(f64, f64)>> {
    let line = regex::Regex::new("<path class=\"e\"(?: stroke-dasharray=\"5 3\")? d=\"([^\"]+)\"/><path").unwrap();
    let point = regex::Regex::new("[MLQ]([\\d.-]+) ([\\d.-]+)").unwrap();
    let number = |text: &str| text.parse::<f64>().unwrap();
    let points = |path: &str| point.captures_iter(path).map(|found| (number(&found[1]), number(&found[2]))).collect();
    line.captures_iter(svg).map(|found| points(&found[1])).collect()
}
