//! Two files are told apart by what they hold, and by nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lifeboat::schema::{Change, ObjectKind, Value as Shown};
use lifeboat::{
    CancelToken, CompareOptions, Comparison, ErrorKind, Event, Identity, Migrations, Migrator, Outcome, TableRows,
    compare,
};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use crate::support::Project;
use crate::support::folder::Folder;

/// Two files in a folder.
struct Pair {
    folder: TempDir,
}

impl Pair {
    /// Both are made by `both`, and then each by its own.
    #[track_caller]
    fn of(both: &str, a: &str, b: &str) -> Self {
        let pair = Pair { folder: tempfile::tempdir().unwrap() };
        for (path, own) in [(pair.a(), a), (pair.b(), b)] {
            let connection = Connection::open(path).unwrap();
            connection.execute_batch(both).unwrap();
            connection.execute_batch(own).unwrap();
        }
        pair
    }

    fn a(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    fn b(&self) -> PathBuf {
        self.folder.path().join("b 📝.db")
    }

    #[track_caller]
    fn compared(&self) -> Comparison {
        let before = Folder::of(self.folder.path());
        let comparison = compare(self.a(), self.b()).unwrap();
        before.assert_unchanged();
        comparison
    }
}

/// Added, removed, changed.
#[track_caller]
fn counts(comparison: &Comparison, table: &str) -> (u64, u64, u64) {
    let table = comparison.tables.iter().find(|found| found.name == table).unwrap();
    assert_eq!(table.unread, None);
    (table.added, table.removed, table.changed)
}

#[test]
fn rows_are_known_by_their_primary_key() {
    let pair = Pair::of(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, x);
         CREATE TABLE pair (a TEXT, b INT, x, PRIMARY KEY (b, a)) WITHOUT ROWID;
         CREATE TABLE named (k TEXT PRIMARY KEY, x);
         INSERT INTO plain VALUES (1, 'a'), (2, 'b'), (3, NULL), (-5, x'00');
         INSERT INTO pair VALUES ('x', 1, 1), ('x', 2, 1), ('y', 1, 1);
         INSERT INTO named VALUES ('one', 1), ('two', 2)",
        "",
        "DELETE FROM plain WHERE id = 1; UPDATE plain SET x = 0 WHERE id IN (3, -5); INSERT INTO plain VALUES (9, 9), (8, 8);
         UPDATE pair SET x = 2 WHERE a = 'x' AND b = 2; UPDATE named SET k = 'three' WHERE k = 'two'",
    );
    let comparison = pair.compared();
    assert_eq!(counts(&comparison, "plain"), (2, 1, 2));
    assert_eq!(counts(&comparison, "pair"), (0, 0, 1));
    assert_eq!(counts(&comparison, "named"), (1, 1, 0));
    assert!(!comparison.equal && comparison.schema.is_empty());
    let plain = comparison.tables.iter().find(|table| table.name == "plain").unwrap();
    assert_eq!((plain.rows_a, plain.rows_b, plain.identity), (Some(4), Some(5), Identity::Key));
    assert_eq!(plain.key, ["id"]);
}

#[test]
fn a_value_is_the_same_if_its_class_and_its_bits_are() {
    let pair = Pair::of(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
        "INSERT INTO t VALUES (1, 1), (2, 0.0), (3, 'a'), (4, NULL), (5, 9007199254740993), (6, 1e400), (7, 'a' || char(0) || 'b'), (8, 0.5)",
        "INSERT INTO t VALUES (1, 1.0), (2, -0.0), (3, x'61'), (4, ''), (5, 9007199254740992), (6, -1e400), (7, 'a'), (8, 0.5)",
    );
    assert_eq!(counts(&pair.compared(), "t"), (0, 0, 7));
}

#[test]
fn a_key_is_the_same_if_sqlite_calls_it_so() {
    let pair = Pair::of(
        "CREATE TABLE nocase (k TEXT PRIMARY KEY COLLATE NOCASE, x);
         CREATE TABLE numeric (k PRIMARY KEY, x) WITHOUT ROWID;
         CREATE TABLE inner (k TEXT, x, PRIMARY KEY (k COLLATE NOCASE));
         CREATE TABLE trimmed (k TEXT NOT NULL COLLATE RTRIM PRIMARY KEY, x)",
        "INSERT INTO nocase VALUES ('Bob', 1), ('alice', 1); INSERT INTO numeric VALUES (1, 1), ('1', 2), (x'31', 3);
         INSERT INTO inner VALUES ('A', 1), ('b', 1); INSERT INTO trimmed VALUES ('a', 1)",
        "INSERT INTO nocase VALUES ('bob', 1), ('ALICE', 2), ('carl', 3); INSERT INTO numeric VALUES (1.0, 1), ('1', 2), (x'31', 4);
         INSERT INTO inner VALUES ('a', 1), ('b', 1); INSERT INTO trimmed VALUES ('a  ', 1)",
    );
    let comparison = pair.compared();
    assert_eq!(counts(&comparison, "nocase"), (1, 0, 2));
    assert_eq!(counts(&comparison, "numeric"), (0, 0, 2));
    assert_eq!(counts(&comparison, "inner"), (0, 0, 1));
    assert_eq!(counts(&comparison, "trimmed"), (0, 0, 1));
}

#[test]
fn rows_without_a_key_are_counted_by_what_they_hold() {
    let pair = Pair::of(
        "CREATE TABLE t (x, y); CREATE TABLE nulls (k TEXT PRIMARY KEY, x)",
        "INSERT INTO t VALUES (1, 'a'), (1, 'a'), (1, 'a'), (2, 'b'), (1.0, 'a');
         INSERT INTO nulls VALUES (NULL, 1), (NULL, 1), (NULL, 2), ('k', 1)",
        "INSERT INTO t VALUES (1.0, 'a'), (2, 'c'), (1, 'a'), (1.0, 'a');
         INSERT INTO nulls VALUES (NULL, 1), ('k', 2), (NULL, 3)",
    );
    let comparison = pair.compared();
    assert_eq!(counts(&comparison, "t"), (2, 3, 0));
    assert_eq!(comparison.tables[1].identity, Identity::Content);
    assert_eq!(counts(&comparison, "nulls"), (1, 2, 1));
}

#[test]
fn the_encoding_of_a_file_is_a_setting_and_no_difference_of_rows() {
    let rows = "CREATE TABLE t (k TEXT PRIMARY KEY, x TEXT) WITHOUT ROWID; CREATE TABLE loose (x);
                INSERT INTO t VALUES ('a', 'é'), ('a ', '𝄞'), ('𝄞', ''), ('\u{ffff}', 'x'), ('ä', 'y'), ('Ā', 'z');
                INSERT INTO loose VALUES ('𝄞'), ('\u{ffff}'), ('b  '), ('b'), ('b')";
    for (one, other) in
        [("UTF-16le", "UTF-8"), ("UTF-8", "UTF-16be"), ("UTF-16le", "UTF-16be"), ("UTF-16le", "UTF-16le")]
    {
        let pragma = |encoding: &str| format!("PRAGMA encoding = '{encoding}'; {rows}");
        let pair = Pair::of("", &pragma(one), &pragma(other));
        let comparison = pair.compared();
        assert_eq!(counts(&comparison, "t"), (0, 0, 0), "{one} {other}");
        assert_eq!(counts(&comparison, "loose"), (0, 0, 0), "{one} {other}");
        assert_eq!(comparison.settings.len(), usize::from(one != other));
        Connection::open(pair.b())
            .unwrap()
            .execute_batch("UPDATE t SET x = 'w' WHERE k = '𝄞'; DELETE FROM t WHERE k = 'a '; UPDATE loose SET x = 'c' WHERE x = 'b  '")
            .unwrap();
        let comparison = pair.compared();
        assert_eq!(counts(&comparison, "t"), (0, 1, 1), "{one} {other}");
        assert_eq!(counts(&comparison, "loose"), (1, 1, 0), "{one} {other}");
    }
}

#[test]
fn what_both_compute_is_left_out_and_what_only_one_has_too() {
    let pair = Pair::of(
        "",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x, twice AS (x * 2), old TEXT);
         INSERT INTO t (id, x, old) VALUES (1, 1, 'a'), (2, 2, 'b')",
        "CREATE TABLE T (new TEXT, X, Twice AS (x * 3) STORED, ID INTEGER PRIMARY KEY);
         INSERT INTO T (id, x, new) VALUES (1, 1, 'c'), (2, 3, 'd')",
    );
    let comparison = pair.compared();
    assert_eq!(counts(&comparison, "t"), (0, 0, 1));
    assert_eq!(comparison.tables[0].columns, ["ID", "X"]);
    let said: Vec<_> = comparison
        .schema
        .iter()
        .map(|found| (found.object, found.name.as_str(), found.change, found.parts.clone()))
        .collect();
    assert_eq!(
        said,
        [
            (ObjectKind::Table, "T", Change::Changed, vec!["order of columns"]),
            (ObjectKind::Column, "Twice", Change::Changed, vec!["generated"]),
            (ObjectKind::Column, "old", Change::Removed, vec![]),
            (ObjectKind::Column, "new", Change::Added, vec![]),
        ]
    );
}

#[test]
fn schemas_settings_and_histories_are_compared_object_by_object() {
    let both = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE gone (x); CREATE INDEX i ON gone (x);
                CREATE TABLE refinery_schema_history (version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255));
                INSERT INTO refinery_schema_history VALUES (1, 'a', '2024-01-01T00:00:00Z', '1'), (2, 'b', '2024-01-01T00:00:00Z', '2');
                INSERT INTO gone VALUES (1), (2); CREATE VIEW v AS SELECT 1";
    let pair = Pair::of(
        both,
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p, n TEXT); CREATE TRIGGER tr AFTER DELETE ON p BEGIN SELECT 1; END",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INT, n INT NOT NULL DEFAULT 3, CHECK (n > 0)); DROP TABLE gone; DROP VIEW v;
         CREATE VIEW v AS  select 2; CREATE TRIGGER tr AFTER DELETE ON p BEGIN select  1; END; CREATE INDEX cn ON c (n);
         PRAGMA user_version = 7; DELETE FROM refinery_schema_history WHERE version = 2;
         UPDATE refinery_schema_history SET checksum = '9'; INSERT INTO refinery_schema_history VALUES (3, 'c', '2024-01-01T00:00:00Z', '3')",
    );
    let comparison = pair.compared();
    let mut said: Vec<_> = comparison
        .schema
        .iter()
        .map(|found| {
            format!("{} {} {} {}", found.object.as_str(), found.name, found.change.as_str(), found.parts.join("+"))
        })
        .collect();
    said.sort();
    assert_eq!(
        said,
        [
            "column n changed type+not null+default",
            "index cn added ",
            "table c changed checks+foreign keys",
            "table gone removed ",
            "view v changed definition",
        ]
    );
    assert_eq!(counts(&comparison, "gone"), (0, 2, 0));
    let setting = &comparison.settings[0];
    assert_eq!((setting.name, setting.a.as_str(), setting.b.as_str()), ("user_version", "0", "7"));
    let history = &comparison.history;
    assert_eq!((&history.only_a[..], &history.only_b[..]), (&["V2__b".to_owned()][..], &["V3__c".to_owned()][..]));
    assert_eq!(history.divergent, ["V1__a"]);
    assert!(comparison.tables.iter().all(|table| !table.name.starts_with("refinery")), "it is no table of the app's");
}

#[test]
fn a_full_text_table_is_compared_by_itself_and_its_parts_are_not() {
    let pair = Pair::of(
        "CREATE VIRTUAL TABLE s USING fts5 (body); INSERT INTO s (rowid, body) VALUES (1, 'one'), (2, 'two'), (3, 'three');
         CREATE VIRTUAL TABLE r USING rtree (id, x0, x1); INSERT INTO r VALUES (1, 0, 1), (2, 0, 1)",
        "",
        // Other segments, the same content.
        "INSERT INTO s (s) VALUES ('optimize'); UPDATE s SET body = 'zwei' WHERE rowid = 2; DELETE FROM r WHERE id = 2",
    );
    let comparison = pair.compared();
    assert_eq!(comparison.tables.len(), 2);
    assert_eq!(counts(&comparison, "s"), (0, 0, 1));
    assert_eq!(counts(&comparison, "r"), (0, 1, 0));
    let found = comparison.tables.iter().find(|table| table.name == "s").unwrap();
    assert_eq!((found.identity, found.key.clone()), (Identity::Rowid, vec!["rowid".to_owned()]));
    assert!(comparison.schema.is_empty());
}

#[test]
fn a_table_that_only_the_app_can_read_does_not_hide_the_others() {
    let project = Project::new();
    let hook = |connection: &Connection| {
        connection.create_collation("backwards", |a, b| b.cmp(a))?;
        connection.create_collation("length", |a, b| a.len().cmp(&b.len()))
    };
    let (a, b) = (project.path().join("a.db"), project.path().join("b.db"));
    for (path, rows) in [(&a, "('a', 1), ('bb', 1), ('ccc', 1)"), (&b, "('x', 1), ('yy', 2), ('dddd', 1)")] {
        let connection = Connection::open(path).unwrap();
        hook(&connection).unwrap();
        connection
            .execute_batch(&format!(
                "CREATE TABLE back (k TEXT COLLATE backwards PRIMARY KEY, x) WITHOUT ROWID; INSERT INTO back VALUES {rows};
                 CREATE TABLE len (k TEXT COLLATE length PRIMARY KEY, x) WITHOUT ROWID; INSERT INTO len VALUES {rows};
                 CREATE TABLE plain (id INTEGER PRIMARY KEY)"
            ))
            .unwrap();
    }
    let migrator = Migrator::new(Migrations::none()).on_connect(hook);
    let comparison = migrator.at(&a).compare_with(&b).unwrap();
    assert_eq!(counts(&comparison, "back"), (3, 3, 0));
    // `x` is as long as `a`: to the app it is the same key.
    assert_eq!(counts(&comparison, "len"), (1, 1, 2));
    let without = compare(&a, &b).unwrap();
    assert_eq!(counts(&without, "plain"), (0, 0, 0));
    assert!(without.tables[0].unread.as_deref().unwrap().contains("no such collation"), "{without:?}");
    assert!(!without.equal);
}

#[test]
fn rows_that_differ_are_shown_when_it_is_asked() {
    let pair = Pair::of(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x, y); CREATE TABLE loose (x)",
        "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'); INSERT INTO loose VALUES (1), (1)",
        "INSERT INTO t VALUES (1, 1, 'z'), (3, 3, 'c'), (4, 4, 'd'); INSERT INTO loose VALUES (2)",
    );
    let migrator = Migrator::new(Migrations::none());
    let database = migrator.at(pair.a());
    let comparison = database.compare_in_detail(pair.b(), CompareOptions::new().rows(2)).unwrap();
    let table = comparison.tables.iter().find(|table| table.name == "t").unwrap();
    let said: Vec<_> = table.rows.iter().map(|row| (row.change, row.key.clone(), row.columns.clone())).collect();
    let key = |number| vec![Shown::Integer(number)];
    assert_eq!(said, [(Change::Changed, key(1), vec!["y".to_owned()]), (Change::Removed, key(2), vec![])]);
    assert!(table.rows.iter().all(|row| row.a.is_none() && row.b.is_none()), "no content unless it is asked");
    let options = CompareOptions::new().rows(9).values(true);
    let comparison = database.compare_in_detail(pair.b(), options).unwrap();
    let table = comparison.tables.iter().find(|table| table.name == "t").unwrap();
    assert_eq!(table.rows[1].a.as_ref().unwrap()[1], Shown::Integer(2));
    assert_eq!((table.rows[1].b.is_none(), table.rows.len()), (true, 3));
    let loose = comparison.tables.iter().find(|table| table.name == "loose").unwrap();
    assert_eq!(loose.rows.iter().map(|row| row.key.len()).sum::<usize>(), 0);
    assert_eq!(loose.rows.len(), 3);
}

#[test]
fn a_file_that_is_being_written_is_seen_at_one_moment() {
    let pair = Pair::of(
        "PRAGMA journal_mode = WAL; CREATE TABLE a_first (id INTEGER PRIMARY KEY); CREATE TABLE b_second (id INTEGER PRIMARY KEY);
         INSERT INTO a_first VALUES (1); INSERT INTO b_second VALUES (1)",
        "",
        "",
    );
    let writer = Connection::open(pair.a()).unwrap();
    let path = pair.a();
    // Between the two tables another connection writes to both.
    let migrator = Migrator::new(Migrations::none()).on_event(move |event| {
        if matches!(event, Event::Comparing { table, rows: 0 } if table == "b_second") {
            let other = Connection::open(&path).unwrap();
            other.execute_batch("INSERT INTO a_first VALUES (2); INSERT INTO b_second VALUES (2)").unwrap();
        }
    });
    assert!(migrator.at(pair.a()).compare_with(pair.b()).unwrap().equal);
    let again = compare(pair.a(), pair.b()).unwrap();
    assert_eq!((counts(&again, "a_first"), counts(&again, "b_second")), ((0, 1, 0), (0, 1, 0)));
    drop(writer);
}

#[test]
fn it_can_be_cancelled() {
    let pair = Pair::of(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO t SELECT i, i FROM n",
        "",
        "",
    );
    let token = CancelToken::new();
    let inner = token.clone();
    let migrator = Migrator::new(Migrations::none()).cancel(token).on_event(move |event| {
        if matches!(event, Event::Comparing { .. }) {
            inner.cancel();
        }
    });
    let error = migrator.at(pair.a()).compare_with(pair.b()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Cancelled, Outcome::Untouched));
}

#[test]
fn what_is_no_database_is_refused_on_either_side() {
    let pair = Pair::of("CREATE TABLE t (x)", "", "");
    let folder = pair.folder.path();
    std::fs::write(folder.join("text.db"), "not a database at all, but long enough to be looked at as one").unwrap();
    std::fs::write(folder.join("empty.db"), "").unwrap();
    let mut torn = std::fs::read(pair.a()).unwrap();
    torn.truncate(4500);
    torn[100..200].fill(0xff);
    std::fs::write(folder.join("torn.db"), torn).unwrap();
    let before = Folder::of(folder);
    for (name, kind) in [
        ("missing.db", ErrorKind::NotFound),
        ("text.db", ErrorKind::NotADatabase),
        ("torn.db", ErrorKind::Corrupt),
        ("", ErrorKind::NotAFile),
    ] {
        let bad: &Path = &folder.join(name);
        for error in [compare(bad, pair.b()).unwrap_err(), compare(pair.a(), bad).unwrap_err()] {
            assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Untouched), "{name}");
        }
    }
    let empty = compare(folder.join("empty.db"), pair.b()).unwrap();
    assert_eq!(empty.schema[0].change, Change::Added);
    before.assert_unchanged();
}

#[test]
fn a_large_blob_is_compared() {
    let pair = Pair::of(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE TABLE loose (x);
         INSERT INTO t VALUES (1, zeroblob(5000000)), (2, zeroblob(5000000)); INSERT INTO loose VALUES (zeroblob(5000000))",
        "",
        "UPDATE t SET x = CAST(zeroblob(4999999) || x'01' AS BLOB) WHERE id = 2; UPDATE loose SET x = zeroblob(4999999)",
    );
    let comparison = pair.compared();
    assert_eq!((counts(&comparison, "t"), counts(&comparison, "loose")), ((0, 0, 1), (1, 1, 0)));
}

/// How a table of the property test knows its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rowid,
    Named,
    Composite,
    Keyless,
    /// A key that may be null.
    Loose,
}

const KINDS: [Kind; 5] = [Kind::Rowid, Kind::Named, Kind::Composite, Kind::Keyless, Kind::Loose];

impl Kind {
    fn table(self) -> &'static str {
        match self {
            Kind::Rowid => "CREATE TABLE t (id INTEGER PRIMARY KEY, k, x, y)",
            Kind::Named => "CREATE TABLE t (id, k TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, x, y) WITHOUT ROWID",
            Kind::Composite => "CREATE TABLE t (id INT NOT NULL, k TEXT NOT NULL, x, y, PRIMARY KEY (k, id))",
            Kind::Keyless => "CREATE TABLE t (id, k, x, y)",
            Kind::Loose => "CREATE TABLE t (id, k TEXT PRIMARY KEY, x, y)",
        }
    }
}

type Content = (i64, Option<String>, Value, Value);

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (0_i64..3).prop_map(Value::Integer),
        prop::sample::select(vec![0.0, -0.0, 1.0, 0.5, 1e300]).prop_map(Value::Real),
        text().prop_map(Value::Text),
        prop::collection::vec(0_u8..3, 0..3).prop_map(Value::Blob),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "A", "a ", "b", "é", "\u{ffff}", "𝄞", "𝄞 ", "a\u{0}b"]).prop_map(str::to_owned)
}

fn content() -> impl Strategy<Value = Content> {
    (0_i64..8, prop::option::weighted(0.9, text()), value(), value())
}

/// Puts the rows into a new file; those that its constraints refuse are left out, as the model leaves them out.
fn file(path: &Path, kind: Kind, encoding: &str, rows: &[Content]) -> Vec<Content> {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(&format!("PRAGMA encoding = '{encoding}'; PRAGMA synchronous = OFF; {}", kind.table()))
        .unwrap();
    connection.execute_batch("BEGIN").unwrap();
    let mut kept = Vec::new();
    for (id, k, x, y) in rows {
        if connection
            .execute("INSERT OR IGNORE INTO t VALUES (?1, ?2, ?3, ?4)", rusqlite::params![id, k, x, y])
            .unwrap()
            == 1
        {
            kept.push((*id, k.clone(), x.clone(), y.clone()));
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    kept
}

/// What the counts must be: a second way to them, without order, merging or SQLite.
fn model(kind: Kind, a: &[Content], b: &[Content]) -> (u64, u64, u64) {
    let exact = |row: &Content| format!("{row:?}");
    let key = |row: &Content| match (kind, &row.1) {
        (Kind::Rowid, _) => row.0.to_string(),
        (Kind::Named, Some(k)) => k.to_ascii_lowercase(),
        (Kind::Composite, Some(k)) => format!("{k:?} {}", row.0),
        (Kind::Loose, Some(k)) => format!("{k:?}"),
        _ => format!("by content {}", exact(row)),
    };
    let mut all: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    a.iter().for_each(|row| all.entry(key(row)).or_default().0.push(exact(row)));
    b.iter().for_each(|row| all.entry(key(row)).or_default().1.push(exact(row)));
    all.values().fold((0, 0, 0), |(added, removed, changed), (a, b)| {
        let less = |a: &[String], b: &[String]| a.len().saturating_sub(b.len()) as u64;
        let differs = u64::from(a.len() == 1 && b.len() == 1 && a != b);
        (added + less(b, a), removed + less(a, b), changed + differs)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_a_model_and_a_table_that_is_brought_back_is_equal(
        kind in prop::sample::select(KINDS.to_vec()),
        encodings in prop::sample::select(vec![("UTF-8", "UTF-8"), ("UTF-8", "UTF-16le"), ("UTF-16be", "UTF-16le"), ("UTF-16le", "UTF-16le")]),
        rows in prop::collection::vec(content(), 0..20),
        edits in prop::collection::vec((0_usize..20, prop::option::of(content())), 0..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let in_a = file(&a, kind, encodings.0, &rows);
        let mut edited = in_a.clone();
        for (at, row) in edits {
            match row {
                Some(row) if at < edited.len() => edited[at] = row,
                Some(row) => edited.push(row),
                None if at < edited.len() => drop(edited.remove(at)),
                None => {}
            }
        }
        let in_b = file(&b, kind, encodings.1, &edited);
        let comparison = compare(&a, &b).unwrap();
        prop_assert_eq!(counts(&comparison, "t"), model(kind, &in_a, &in_b));
        let table = &comparison.tables[0];
        prop_assert_eq!((table.rows_a, table.rows_b), (Some(in_a.len() as u64), Some(in_b.len() as u64)));
        let back = compare(&b, &a).unwrap();
        let (added, removed, changed) = counts(&comparison, "t");
        prop_assert_eq!(counts(&back, "t"), (removed, added, changed));

        let migrator = Migrator::new(Migrations::none()).no_backup();
        let report = migrator.at(&a).restore_table(&b, "t", TableRows::All).unwrap();
        prop_assert_eq!((report.added, report.removed, report.changed, report.converted), (added, removed, changed, 0));
        let after = compare(&a, &b).unwrap();
        prop_assert!(after.tables[0].is_equal(), "{:?}", after);
    }
}
