//! What holds for every input, tried with inputs that nobody would think of.

use std::fs;

use lifeboat::{ErrorKind, Migrator, Outcome};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::support::folder::Folder;
use crate::support::{Project, picture, picture_of};

const OURS: &[&str] = &["refinery_schema_history", "lifeboat_ledger"];

/// Text with all that a splitter could stumble over.
fn tricky() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'"),
        Just("\""),
        Just("`"),
        Just("["),
        Just("]"),
        Just(";"),
        Just("--"),
        Just("/*"),
        Just("*/"),
        Just("\n"),
        Just("\r\n"),
        Just(" "),
        Just("BEGIN"),
        Just("END;"),
        Just("CREATE TRIGGER"),
        Just("ü"),
        Just("🛟"),
        Just("x"),
        Just("\u{feff}"),
        Just("\\"),
        Just("%"),
        Just("?1"),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn string() -> impl Strategy<Value = String> {
    tricky().prop_map(|text| format!("'{}'", text.replace('\'', "''")))
}

/// A name in one of SQLite's four quotings.
fn name() -> impl Strategy<Value = String> {
    (tricky(), 0..3_u8).prop_map(|(text, quoting)| match quoting {
        0 => format!("\"n{}\"", text.replace('"', "\"\"")),
        1 => format!("`n{}`", text.replace('`', "``")),
        _ => format!("[n{}]", text.replace(']', "")),
    })
}

/// White space and comments.
fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(" ".to_owned()),
        1 => Just("\r\n\t\u{c}".to_owned()),
        1 => tricky().prop_map(|text| format!(" /* {} */ ", text.replace("*/", "* /"))),
        1 => tricky().prop_map(|text| format!(" -- {}\n", text.replace('\n', " "))),
        1 => Just(" \u{feff} ".to_owned()),
    ]
}

fn statement() -> impl Strategy<Value = String> {
    let word = |text: &'static str| {
        (any::<u32>()).prop_map(move |mask| {
            text.char_indices()
                .map(|(at, letter)| if mask >> (at % 32) & 1 == 1 { letter.to_ascii_lowercase() } else { letter })
                .collect::<String>()
        })
    };
    prop_oneof![
        3 => (word("INSERT INTO"), gap(), string(), gap()).prop_map(|(w, g, s, h)| format!("{w}{g}t{h}(a) VALUES{g}({s})")),
        1 => (word("CREATE TABLE IF NOT EXISTS"), gap(), name(), string())
            .prop_map(|(w, g, n, s)| format!("{w}{g}{n}{g}(a TEXT DEFAULT{g}{s}, \"end\", [begin;])")),
        2 => (word("CREATE"), prop_oneof![Just(""), Just("TEMP"), Just("temporary")], gap(), word("TRIGGER IF NOT EXISTS"), name(), string(), gap())
            .prop_map(|(w, temporary, g, trigger, n, s, h)| format!(
                "{w}{g}{temporary}{g}{trigger}{g}{n} AFTER INSERT ON t{h}BEGIN{g}SELECT CASE WHEN new.a = {s} THEN 1 ELSE 2 END;{h}INSERT INTO log VALUES({s});{g}END"
            )),
        1 => (word("UPDATE"), gap(), string()).prop_map(|(w, g, s)| format!("{w}{g}t SET a = a || {s} WHERE id % 2")),
        1 => (word("SELECT"), gap(), string(), name()).prop_map(|(w, g, s, n)| format!("{w}{g}{s} AS {n}")),
        1 => (word("EXPLAIN QUERY PLAN SELECT"), gap(), string()).prop_map(|(w, g, s)| format!("{w}{g}{s}")),
        1 => gap(),
    ]
}

fn script() -> impl Strategy<Value = String> {
    prop::collection::vec((gap(), statement(), gap()), 0..12).prop_map(|parts| {
        parts.into_iter().map(|(before, statement, after)| format!("{before}{statement}{after};")).collect()
    })
}

const TABLES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE log (what TEXT); INSERT INTO t (a) VALUES ('first');";

/// A run of `text` after the tables, by plain SQLite and by lifeboat.
fn both(text: &str) -> (rusqlite::Result<String>, lifeboat::Result<String>) {
    let plain = Connection::open_in_memory().unwrap();
    plain.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    plain.execute_batch(TABLES).unwrap();
    let plain = plain.execute_batch(text).map(|()| picture_of(&plain, OURS));
    let project = Project::with(&[("V1__tables", TABLES), ("V2__text", text)]);
    let mut connection = Connection::open_in_memory().unwrap();
    let ours = project.migrator().apply_to(&mut connection).map(|_| picture_of(&connection, OURS));
    (plain, ours)
}

fn database() -> Vec<u8> {
    let project = Project::new();
    project.sql(
        "PRAGMA page_size = 512; CREATE TABLE old (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
         INSERT INTO old SELECT i, 'row ' || i, zeroblob(i * 20) FROM n; DELETE FROM old WHERE id > 30; CREATE VIEW v AS SELECT a FROM old;",
    );
    fs::read(project.db()).unwrap()
}

const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__add", "CREATE TABLE added (a); INSERT INTO added VALUES (1);"),
    ("V2__more", "CREATE INDEX added_a ON added (a);"),
];

/// Whatever became of it: no panic, and a refused file is what it was, byte by byte.
fn assert_nothing_lost(project: &Project) -> Result<(), TestCaseError> {
    let before = fs::read(project.db()).unwrap();
    let _ = project.migrator().at(project.db()).status();
    prop_assert_eq!(&fs::read(project.db()).unwrap(), &before, "looking at it changed it");
    match project.migrator().wait(std::time::Duration::from_millis(200)).at(project.db()).migrate() {
        Ok(report) => prop_assert!(report.success),
        Err(error) => {
            prop_assert_eq!(fs::read(project.db()).unwrap(), before, "{}: {:?}", error, error.outcome());
            let text = error.to_string();
            prop_assert!(!text.is_empty() && text.len() < 2000, "{}", text);
            prop_assert!(error.outcome() != Outcome::Migrated);
        }
    }
    let left = crate::support::backups_in(&project.backups_dir());
    prop_assert!(left.iter().all(|name| !name.contains("partial")), "{left:?}");
    Ok(())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (-3_i64..6).prop_map(Value::Integer),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Real),
        (0_i64..6).prop_map(|number| Value::Text(format!(" {number}"))),
        ".{0,12}".prop_map(Value::Text),
        Just(Value::Text("run".to_owned())),
        Just(Value::Text("add".to_owned())),
        Just(Value::Text("2026-01-15T14:30:00Z".to_owned())),
        Just(Value::Text("../../../etc/passwd".to_owned())),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Value::Blob),
    ]
}

/// A table with some of these columns, in another type or not, and rows that hold anything.
fn fill(connection: &Connection, table: &str, columns: &[&str], kind: &str, rows: &[Vec<Value>]) {
    let declared: Vec<String> = columns.iter().map(|column| format!("\"{column}\" {kind}")).collect();
    connection.execute_batch(&format!("CREATE TABLE {table} ({})", declared.join(", "))).unwrap();
    let marks = vec!["?"; columns.len()].join(", ");
    for row in rows {
        let values = row.iter().take(columns.len());
        connection
            .execute(&format!("INSERT INTO {table} VALUES ({marks})"), rusqlite::params_from_iter(values))
            .unwrap();
    }
    // Text that is no text.
    let _ = connection
        .execute(&format!("UPDATE {table} SET \"{}\" = CAST(x'ff00fe' AS TEXT) WHERE rowid = 3", columns[0]), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_script_does_what_plain_sqlite_does(text in script()) {
        match both(&text) {
            (Ok(plain), Ok(ours)) => prop_assert_eq!(plain, ours),
            (plain, ours) => prop_assert!(plain.is_err() && ours.is_err(), "{plain:?}\n{ours:?}"),
        }
    }

    /// Words in any order, most of which is no SQL.
    #[test]
    fn what_plain_sqlite_refuses_is_refused_and_what_it_runs_is_run(
        words in prop::collection::vec(prop_oneof![
            Just("CREATE"), Just("TEMP"), Just("TRIGGER"), Just("x"), Just("AFTER INSERT ON t"), Just("BEGIN"), Just("END"),
            Just("SELECT 1"), Just("INSERT INTO t (a) VALUES ('v')"), Just(";"), Just(";"), Just(";"), Just("--"), Just("/*"), Just("*/"),
            Just("'"), Just("\""), Just("\n"), Just("EXPLAIN"), Just("TABLE"), Just("(a)"), Just("\u{feff}"), Just("\u{b}"), Just("é"),
            Just("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END"),
        ], 0..10),
    ) {
        let text = words.join(" ");
        match both(&text) {
            (Ok(plain), Ok(ours)) => prop_assert_eq!(plain, ours),
            (Err(plain), Ok(_)) => prop_assert!(plain.to_string().contains("transaction"), "{plain}"),
            (Ok(_), Err(ours)) => prop_assert_eq!(ours.kind(), ErrorKind::StatementRefused, "{} {:?}", ours, text),
            (Err(_), Err(_)) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_may_be_in_the_place_of_the_database(bytes in prop::collection::vec(any::<u8>(), 0..3000), begins_right: bool) {
        let project = Project::with(MIGRATIONS);
        let mut content = if begins_right { database()[..100].to_vec() } else { Vec::new() };
        content.extend(bytes);
        fs::write(project.db(), content).unwrap();
        assert_nothing_lost(&project)?;
    }

    #[test]
    fn a_database_may_be_damaged_anywhere(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_the_header in any::<bool>(),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let project = Project::with(MIGRATIONS);
        let mut bytes = database();
        let reach = if in_the_header { 120 } else { bytes.len() };
        for (at, byte) in damage {
            bytes[at.index(reach)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(project.db(), bytes).unwrap();
        assert_nothing_lost(&project)?;
    }

    #[test]
    fn any_bytes_may_lie_beside_the_database(bytes in prop::collection::vec(any::<u8>(), 0..2000), suffix in "-wal|-journal|-shm", wal: bool) {
        let project = Project::with(MIGRATIONS);
        fs::write(project.db(), database()).unwrap();
        if wal {
            project.sql("PRAGMA journal_mode = WAL");
        }
        let old = picture(&project.db());
        let mut name = project.db().into_os_string();
        name.push(suffix);
        fs::write(name, bytes).unwrap();
        match project.migrator().at(project.db()).migrate() {
            Ok(_) => prop_assert_eq!(project.number("SELECT count(*) FROM old"), 30),
            Err(error) => {
                prop_assert_eq!(error.outcome(), Outcome::Untouched, "{}", error);
                prop_assert_eq!(picture(&project.db()), old);
            }
        }
    }

    #[test]
    fn any_bytes_may_be_a_migration(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}", which: bool) {
        let project = Project::with(MIGRATIONS);
        fs::write(project.db(), database()).unwrap();
        project.write("V3__any", if which { bytes } else { text.into_bytes() });
        let before = Folder::of(project.path());
        let Ok(migrations) = lifeboat::Migrations::from_dir(project.migrations_dir()) else {
            before.assert_unchanged();
            return Ok(());
        };
        let old = picture(&project.db());
        match Migrator::new(migrations).at(project.db()).migrate() {
            Ok(report) => prop_assert_eq!(report.results.len(), 3),
            Err(error) => {
                prop_assert!(error.to_string().contains("V3__any"), "{}", error);
                prop_assert_eq!(picture(&project.db()), old);
            }
        }
    }

    #[test]
    fn any_content_may_be_in_the_history_and_in_the_ledger(
        history in prop::collection::vec(prop::collection::vec(value(), 4), 0..4),
        ledger in prop::collection::vec(prop::collection::vec(value(), 16), 0..4),
        open in any::<bool>(),
        kind in prop_oneof![Just(""), Just("TEXT"), Just("INTEGER"), Just("BLOB")],
        missing in 0..24_usize,
        as_view in prop::option::weighted(0.1, any::<bool>()),
    ) {
        let project = Project::with(MIGRATIONS);
        {
            let connection = Connection::open(project.db()).unwrap();
            let mut columns = vec!["version", "name", "applied_on", "checksum"];
            if missing < 4 {
                columns.remove(missing);
            }
            fill(&connection, "refinery_schema_history", &columns, kind, &history);
            let mut columns = vec![
                "id", "kind", "run", "is_open", "version", "name", "direction", "at", "duration_ms", "app_version", "backup",
                "backup_size", "backup_hash", "journal_mode", "up", "down",
            ];
            if (4..20).contains(&missing) {
                columns.remove(missing - 4);
            }
            fill(&connection, "lifeboat_ledger", &columns, kind, &ledger);
            if open && missing >= 20 {
                connection.execute_batch("UPDATE lifeboat_ledger SET kind = 'run', is_open = 1").unwrap();
            }
            if let Some(history) = as_view {
                let table = if history { "refinery_schema_history" } else { "lifeboat_ledger" };
                connection.execute_batch(&format!("DROP TABLE {table}; CREATE VIEW {table} AS SELECT 1 AS version")).unwrap();
            }
        }
        let before = picture(&project.db());
        assert_nothing_lost(&project)?;
        // A launch that refuses it does so each time in the same words.
        if picture(&project.db()) == before {
            let again = || project.migrator().at(project.db()).migrate().map_err(|error| error.kind());
            prop_assert_eq!(again(), again());
        }
    }
}
