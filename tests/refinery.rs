//! Databases that refinery has migrated: taken over as they are, and handed back.

use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;

use lifeboat::{ErrorKind, Migrator, Outcome, Status};
use refinery::{Migration, Runner};
use rusqlite::Connection;
use siphasher::sip::SipHasher13;

use crate::support::{Project, picture};

/// An app that used refinery for the first two.
const APP: [(&str, &str); 4] = [
    ("V1__make_notes", "CREATE TABLE note (\n    id INTEGER PRIMARY KEY,\n    body TEXT NOT NULL\n);\n"),
    ("V2__größe", "ALTER TABLE note ADD COLUMN größe INTEGER;\n"),
    ("V3__index_notes", "CREATE INDEX note_body\n    ON note (body);\n"),
    ("V4__make_tags", "CREATE TABLE tag (name TEXT PRIMARY KEY);\n"),
];

/// What refinery 0.10.1 with its feature `int8-versions` on writes for these texts.
const WIDE_LF: [u64; 4] =
    [9_907_742_730_761_535_339, 5_843_169_281_097_028_106, 11_150_130_942_523_409_193, 4_798_179_964_202_788_248];
/// And for the first two with CRLF.
const WIDE_CRLF: [u64; 2] = [3_026_283_423_684_275_230, 9_599_619_022_529_764_442];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    Lf,
    Crlf,
}

impl Ends {
    fn of(self, text: &str) -> String {
        if self == Ends::Crlf { text.replace('\n', "\r\n") } else { text.to_owned() }
    }
}

/// refinery's own, the first two with these line ends.
fn theirs(count: usize, ends: Ends) -> Vec<Migration> {
    let text = |at: usize| if at < 2 { ends.of(APP[at].1) } else { APP[at].1.to_owned() };
    (0..count).map(|at| Migration::unapplied(APP[at].0, &text(at)).unwrap()).collect()
}

fn run_refinery(db: &Path, table: &str, migrations: &[Migration]) -> usize {
    let mut connection = Connection::open(db).unwrap();
    let mut runner = Runner::new(migrations).set_abort_divergent(true).set_abort_missing(true);
    runner.set_migration_table_name(table);
    runner.run(&mut connection).unwrap().applied_migrations().len()
}

/// The app as it is now: `count` migrations for lifeboat.
fn project(count: usize, ends: Ends) -> Project {
    let project = Project::new();
    for (at, (id, text)) in APP.iter().enumerate().take(count) {
        project.write(id, if at < 2 { ends.of(text) } else { (*text).to_owned() });
    }
    project
}

/// Looks at the file by every way there is, and sees that it stays as it is.
fn is_taken_over(project: &Project, migrator: &Migrator) {
    let (bytes, folder) = (fs::read(project.db()).unwrap(), listing(project.path()));
    let status = migrator.at(project.db()).status().unwrap();
    assert!(status.is_up_to_date, "{status:?}");
    assert_eq!(status.applied_migrations, [APP[0].0, APP[1].0]);
    assert!(status.pending_migrations.is_empty() && status.divergent_migrations.is_empty());
    assert_eq!(migrator.at(project.db()).migrate().unwrap().outcome, Outcome::UpToDate);
    drop(migrator.open(project.db()).unwrap());
    assert!(fs::read(project.db()).unwrap() == bytes, "the file was written");
    assert_eq!(listing(project.path()), folder);
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_database_that_refinery_migrated_is_taken_over_unchanged_and_refinery_can_go_on_with_it() {
    for (then, now) in [(Ends::Lf, Ends::Lf), (Ends::Crlf, Ends::Crlf), (Ends::Lf, Ends::Crlf), (Ends::Crlf, Ends::Lf)]
    {
        for table in ["refinery_schema_history", "my_history"] {
            let project = project(2, now);
            assert_eq!(run_refinery(&project.db(), table, &theirs(2, then)), 2);
            project.sql("INSERT INTO note (body) VALUES ('one'), ('two')");
            let migrator = |project: &Project| project.migrator().history_table(table);
            is_taken_over(&project, &migrator(&project));

            project.write(APP[2].0, APP[2].1);
            let report = migrator(&project).at(project.db()).migrate().unwrap();
            assert_eq!((report.outcome, report.results.len()), (Outcome::Migrated, 1));

            // refinery verifies all three rows, and goes on.
            assert_eq!(run_refinery(&project.db(), table, &theirs(3, then)), 0);
            assert_eq!(run_refinery(&project.db(), table, &theirs(4, then)), 1);
            project.write(APP[3].0, APP[3].1);
            assert!(migrator(&project).at(project.db()).status().unwrap().is_up_to_date, "and back again");
            assert_eq!(project.number("SELECT count(*) FROM note"), 2);
        }
    }
}

#[test]
fn an_embedded_runner_of_refinery_is_taken_as_it_is() {
    let project = Project::new();
    run_refinery(&project.db(), "refinery_schema_history", &theirs(2, Ends::Lf));
    is_taken_over(&project, &Migrator::new(Runner::new(&theirs(2, Ends::Lf))));
    let report = Migrator::new(Runner::new(&theirs(4, Ends::Lf))).at(project.db()).migrate().unwrap();
    assert_eq!(report.results.len(), 2);
    assert_eq!(run_refinery(&project.db(), "refinery_schema_history", &theirs(4, Ends::Lf)), 0);
}

#[test]
fn a_database_that_lifeboat_made_is_one_that_refinery_could_have_made() {
    let project = project(3, Ends::Crlf);
    project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(run_refinery(&project.db(), "refinery_schema_history", &theirs(4, Ends::Crlf)), 1);
}

/// refinery's checksum with `int8-versions`: the version is hashed as eight bytes. One build has one width only, so the
/// rows are made here.
fn wide_checksum(id: &str, text: &str) -> u64 {
    let (version, name) = id[1..].split_once("__").unwrap();
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    version.parse::<i64>().unwrap().hash(&mut hasher);
    text.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn a_database_of_refinery_with_int8_versions_is_taken_over_and_keeps_the_width_of_its_checksums() {
    for (then, now) in [(Ends::Lf, Ends::Lf), (Ends::Crlf, Ends::Crlf), (Ends::Lf, Ends::Crlf), (Ends::Crlf, Ends::Lf)]
    {
        let written = if then == Ends::Lf { &WIDE_LF[..2] } else { &WIDE_CRLF };
        let project = project(2, now);
        project.sql(
            "CREATE TABLE refinery_schema_history(version int8 PRIMARY KEY, name VARCHAR(255),
                                                  applied_on VARCHAR(255), checksum VARCHAR(255))",
        );
        for ((id, text), checksum) in APP.iter().zip(written) {
            assert_eq!(wide_checksum(id, &then.of(text)), *checksum);
            let (version, name) = id[1..].split_once("__").unwrap();
            project.sql(&format!(
                "{text}; INSERT INTO refinery_schema_history
                 VALUES ({version}, '{name}', '2026-01-15T14:30:00.12345Z', '{checksum}')"
            ));
        }
        is_taken_over(&project, &project.migrator());

        for (at, (id, text)) in APP.iter().enumerate().skip(2) {
            project.write(id, text);
            project.migrator().at(project.db()).migrate().unwrap();
            assert_eq!(wide_checksum(id, text), WIDE_LF[at]);
            let sql = format!("SELECT checksum FROM refinery_schema_history WHERE version = {}", at + 1);
            let connection = Connection::open(project.db()).unwrap();
            let stored: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(stored, WIDE_LF[at].to_string());
        }
        assert!(project.migrator().at(project.db()).status().unwrap().is_up_to_date);
    }
}

/// A file with this history in place of refinery's, beside a table of the app's.
fn with_history(sql: &str) -> Project {
    let project = project(2, Ends::Lf);
    let (one, two) = (checksum(0), checksum(1));
    project.sql("CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL, größe INTEGER)");
    project.sql(&sql.replace("{one}", &one).replace("{two}", &two));
    project
}

fn checksum(at: usize) -> String {
    theirs(2, Ends::Lf)[at].checksum().to_string()
}

/// The status, and what `migrate` says; neither changes anything.
fn looked_at(project: &Project) -> (lifeboat::Result<Status>, lifeboat::Result<lifeboat::Report>) {
    let (bytes, folder) = (fs::read(project.db()).unwrap(), listing(project.path()));
    let migrator = project.migrator();
    let status = migrator.at(project.db()).status();
    let migrated = migrator.at(project.db()).migrate();
    let opened = migrator.open(project.db());
    assert_eq!(opened.is_ok(), migrated.is_ok());
    drop(opened);
    assert!(fs::read(project.db()).unwrap() == bytes, "the file was written");
    assert_eq!(listing(project.path()), folder);
    (status, migrated)
}

/// As refinery makes it.
fn strict(rows: &str) -> String {
    format!(
        "CREATE TABLE refinery_schema_history(
             version int4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255));
         INSERT INTO refinery_schema_history VALUES {rows};"
    )
}

/// As it may be after somebody has been at it: any column holds anything.
fn loose(rows: &str) -> String {
    format!(
        "CREATE TABLE refinery_schema_history(version, name, applied_on, checksum);
         INSERT INTO refinery_schema_history VALUES {rows};"
    )
}

const ONE: &str = "(1, 'make_notes', '2026-01-15T14:30:00Z', '{one}')";
const TWO: &str = "(2, 'größe', '2026-01-15T14:30:00Z', '{two}')";

#[test]
fn a_history_that_refinery_would_write_otherwise_is_read_as_what_it_means() {
    let fine = [
        ("versions as text", loose("('1', 'make_notes', '', '{one}'), (' 2 ', 'größe', '', '{two}')")),
        ("versions as real numbers", loose("(1.0, 'make_notes', '', '{one}'), (2e0, 'größe', '', '{two}')")),
        ("dates that are none", strict("(1, 'make_notes', 'yesterday', '{one}'), (2, 'größe', NULL, '{two}')")),
        (
            "blobs",
            loose(
                "(1, CAST('make_notes' AS BLOB), x'ff00', CAST('{one}' AS BLOB)),
                 (2, CAST('größe' AS BLOB), zeroblob(9), '{two}')",
            ),
        ),
        (
            "another order, and more columns",
            "CREATE TABLE refinery_schema_history(
                 note TEXT DEFAULT 'x', checksum TEXT, name TEXT, version INTEGER PRIMARY KEY, applied_on TEXT,
                 double AS (version * 2)
             ) WITHOUT ROWID;
             INSERT INTO refinery_schema_history (version, name, checksum)
             VALUES (2, 'größe', '{two}'), (1, 'make_notes', '{one}')"
                .to_owned(),
        ),
        (
            "capital letters",
            strict(&format!("{ONE}, {TWO}")).replace("refinery_schema_history", "\"Refinery_Schema_HISTORY\""),
        ),
    ];
    for (what, sql) in fine {
        let project = with_history(&sql);
        let (status, migrated) = looked_at(&project);
        assert!(status.unwrap().is_up_to_date, "{what}");
        assert_eq!(migrated.unwrap().outcome, Outcome::UpToDate, "{what}");
        // And it goes on.
        project.write(APP[2].0, APP[2].1);
        let report = project.migrator().at(project.db()).migrate().unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(report.outcome, Outcome::Migrated);
        assert!(project.migrator().at(project.db()).status().unwrap().is_up_to_date, "{what}");
    }
}

#[test]
fn a_history_that_cannot_be_understood_is_a_typed_error_and_the_file_stays_as_it_is() {
    let bad = [
        ("a word for a version", loose("('one', 'make_notes', '', '{one}')")),
        ("half a version", loose("(1.5, 'make_notes', '', '{one}')")),
        ("a version beyond all numbers", loose("(9e99, 'make_notes', '', '{one}')")),
        ("a version that is a blob", loose("(x'31', 'make_notes', '', '{one}')")),
        ("no version", strict("(NULL, 'make_notes', '', '{one}')")),
        ("a version twice", loose(&format!("{ONE}, {ONE}"))),
        ("a version twice, once as text", loose(&format!("{ONE}, ('1', 'make_notes', '', '{{one}}')"))),
        ("a column less", "CREATE TABLE refinery_schema_history(version, name, applied_on)".to_owned()),
        (
            "a view",
            "CREATE VIEW refinery_schema_history AS
             SELECT 1 AS version, 'make_notes' AS name, '' AS applied_on, '{one}' AS checksum"
                .to_owned(),
        ),
        ("a view of a table that is gone", "CREATE VIEW refinery_schema_history AS SELECT * FROM gone".to_owned()),
        ("a view for a ledger", strict(ONE) + "CREATE VIEW lifeboat_ledger AS SELECT 1 AS kind"),
        ("another's ledger", strict(ONE) + "CREATE TABLE lifeboat_ledger (date, amount)"),
    ];
    for (what, sql) in bad {
        let (status, migrated) = looked_at(&with_history(&sql));
        for error in [status.unwrap_err(), migrated.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::BadHistory, "{what}: {error}");
            assert_eq!(error.outcome(), Outcome::Untouched, "{what}");
            assert!(error.to_string().contains("app.db"), "{what}: {error}");
        }
    }
}

#[test]
fn a_row_that_this_app_cannot_have_written_is_named() {
    let row = |row: &str| loose(&format!("{ONE}, {row}"));
    let divergent = [
        row("(2, 'größe', '', 'x')"),
        row("(2, 'größe', '', '')"),
        row("(2, 'größe', '', NULL)"),
        row("(2, 'größe', '', '-1')"),
        row("(2, 'größe', '', 0.5)"),
        row("(2, 'größe', '', '99999999999999999999999')"),
        row("(2, 'größe', '', '{one}')"),
        row("(2, NULL, '', '{two}')"),
        row("(2, x'67ff', '', '{two}')"),
        row("(2, 'gro' || char(0) || 'ss', '', '{two}')"),
        row("(2, 'it''s', '', '{two}')"),
    ];
    for sql in divergent {
        let (status, migrated) = looked_at(&with_history(&sql));
        assert_eq!(status.unwrap().divergent_migrations.len(), 1, "{sql}");
        assert_eq!(migrated.unwrap_err().kind(), ErrorKind::Divergent, "{sql}");
    }
    for (version, kind) in [
        ("9223372036854775807", ErrorKind::Newer),
        ("3", ErrorKind::Newer),
        ("0", ErrorKind::Missing),
        ("-9223372036854775808", ErrorKind::Missing),
    ] {
        let sql = row(&format!("{TWO}, ({version}, 'x', '', '0')"));
        let (status, migrated) = looked_at(&with_history(&sql));
        assert!(!status.unwrap().is_up_to_date, "{version}");
        assert_eq!(migrated.unwrap_err().kind(), kind, "{version}");
    }
}

/// A migration whose row is not in the history afterwards would run again at the next launch.
#[test]
fn a_history_that_keeps_no_row_rolls_the_run_back() {
    let both = strict(&format!("{ONE}, {TWO}"));
    let raise = |what: &str| {
        format!(
            "{both} CREATE TRIGGER no BEFORE INSERT ON refinery_schema_history
             BEGIN SELECT RAISE({what}); END"
        )
    };
    let hostile = [
        both.replace("checksum VARCHAR(255)", "checksum VARCHAR(255), CHECK (version < 3)"),
        format!("{both} CREATE UNIQUE INDEX no ON refinery_schema_history (version > 1) WHERE version > 1"),
        raise("ABORT, 'no'"),
        raise("FAIL, 'no'"),
        raise("ROLLBACK, 'no'"),
        raise("IGNORE"),
        format!(
            "{both} CREATE TRIGGER no AFTER INSERT ON refinery_schema_history
             BEGIN DELETE FROM refinery_schema_history WHERE version = new.version; END"
        ),
    ];
    for sql in hostile {
        let project = with_history(&sql);
        project.write(APP[2].0, APP[2].1);
        let before = picture(&project.db());
        let error = project.migrator().at(project.db()).migrate().expect_err(&sql);
        assert_eq!(error.outcome(), Outcome::RolledBack, "{sql}: {error}");
        assert_eq!(picture(&project.db()), before, "{sql}");
    }
}

#[test]
fn a_database_in_utf_16_is_taken_over_too() {
    let project = project(2, Ends::Lf);
    project.sql("PRAGMA encoding = 'UTF-16be'; CREATE TABLE first (a)");
    run_refinery(&project.db(), "refinery_schema_history", &theirs(2, Ends::Lf));
    is_taken_over(&project, &project.migrator());
    project.write(APP[2].0, APP[2].1);
    project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(run_refinery(&project.db(), "refinery_schema_history", &theirs(4, Ends::Lf)), 1);
}

#[test]
fn a_name_that_refinery_could_not_write_into_its_sql_is_refused_for_the_history() {
    let project = project(2, Ends::Lf);
    for name in ["", "my history", "a.b", "x\"y", "x; DROP TABLE note", "größe", "1st"] {
        let error = project.migrator().history_table(name).at(project.db()).migrate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}");
    }
    for name in ["select", "sqlite_history", "lifeboat_ledger"] {
        project.migrator().history_table(name).at(project.db()).migrate().unwrap_err();
    }
    assert!(!project.db().exists());
}
