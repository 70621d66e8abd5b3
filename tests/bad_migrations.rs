//! Migrations that are no good as files: their names, their bytes, their size, their number, and what the history says
//! of them.

use std::fs;
use std::time::{Duration, Instant};

use lifeboat::{Error, ErrorKind, Migrations, Migrator, Outcome, Problem};
use rusqlite::Connection;

use crate::support::folder::Folder;
use crate::support::{Project, picture};

const FIRST: (&str, &str) =
    ("V1__old", "CREATE TABLE old (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO old (a) VALUES ('one');");

/// A project whose database has the first migration.
fn begun() -> Project {
    let project = Project::with(&[FIRST]);
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, Outcome::Created);
    project
}

/// The folder is refused as it is read; the error names the file.
#[track_caller]
fn assert_bad_file(project: &Project, file: &str, why: &str) -> Error {
    let error = Migrations::from_dir(project.migrations_dir()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadMigration);
    assert_eq!(error.outcome(), Outcome::Untouched);
    let text = error.to_string();
    assert!(text.contains(&project.migrations_dir().join(file).display().to_string()), "{text}");
    assert!(text.contains(why), "{text}");
    error
}

/// The launch is refused, nothing is touched, and no backup was taken.
#[track_caller]
pub fn assert_refused(project: &Project, kind: ErrorKind) -> Error {
    let before = Folder::of(project.path());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!((error.outcome(), error.backup()), (Outcome::Untouched, None), "{error}");
    before.assert_unchanged();
    error
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_sql() {
    let project = begun();
    project.write("V2__marked", "\u{feff}-- lifeboat: foreign-keys on\nINSERT INTO old (a) VALUES ('two');");
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().results.len(), 1);
    assert_eq!(project.number("SELECT count(*) FROM old"), 2);
    project.write("V3__marked_and_wrong", "\u{feff}SELECT nothing FROM old;");
    let error = assert_refused(&project, ErrorKind::StepFailed);
    let Problem::StepFailed { at, .. } = error.problem() else { unreachable!() };
    assert_eq!((at.line, at.column), (1, 8));
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let utf_16: Vec<u8> = "CREATE TABLE a (b);".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark = [&[0xff, 0xfe][..], &utf_16].concat();
    for (content, why) in [
        (b"CREATE TABLE a (b);\0DROP TABLE old;".to_vec(), "a NUL byte (byte 19)"),
        (b"CREATE TABLE a (b); -- caf\xe9\n".to_vec(), "not valid UTF-8 (byte 26)"),
        (b"\xc3".to_vec(), "not valid UTF-8 (byte 0)"),
        (with_mark, "UTF-16; save it as UTF-8"),
        (utf_16, "a NUL byte (byte 1)"),
    ] {
        let project = begun();
        project.write("V2__bytes", &content);
        assert_bad_file(&project, "V2__bytes.sql", why);
        // A down script is as much a part of it.
        project.write("V2__bytes", "SELECT 1;");
        project.write("V2__bytes.down", &content);
        assert_bad_file(&project, "V2__bytes.down.sql", why);
    }
}

#[test]
fn an_empty_migration_is_applied_and_does_nothing() {
    let project = begun();
    for (version, text) in
        ["", " \n\t", "-- only a comment", "/* nor\nhere */ ;;", "\u{feff}", "-- lifeboat: foreign-keys on"]
            .iter()
            .enumerate()
    {
        project.write(&format!("V{}__nothing", version + 2), text);
    }
    let report = project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(report.results.len(), 6);
    assert!(project.migrator().at(project.db()).status().unwrap().is_up_to_date);
    assert_eq!(project.number("SELECT count(*) FROM refinery_schema_history"), 7);
}

#[test]
fn version_0_and_the_largest_one_are_versions() {
    let project =
        Project::with(&[("V0__zero", "CREATE TABLE zero (a);"), ("V2147483647__last", "CREATE TABLE last (a);")]);
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().results.len(), 2);
    assert_eq!(project.number("SELECT min(version) FROM refinery_schema_history"), 0);
    let status = project.migrator().at(project.db()).status().unwrap();
    assert_eq!(status.last_migration.as_deref(), Some("V2147483647__last"));
}

#[test]
fn a_name_that_nearly_is_one_is_refused_with_the_right_one() {
    for (file, right) in [
        ("V2_add.sql", "V2__add.sql"),
        ("v2__x.sql", "V2__x.sql"),
        ("V3__a-b.sql", "V3__a_b.sql"),
        ("V4__a b.sql", "V4__a_b.sql"),
        ("V5___c.sql", "V5__c.sql"),
        ("u6__d.down.sql", "U6__d.down.sql"),
        ("V7__e.SQL", "V7__e.sql"),
        ("V8__.sql", "V8__name.sql"),
    ] {
        let project = begun();
        fs::write(project.migrations_dir().join(file), "SELECT 1;").unwrap();
        let error = assert_bad_file(&project, file, "");
        assert_eq!(error.hint().unwrap(), format!("the right name would be `{right}`"));
        let Problem::BadMigration { right: Some(told), .. } = error.problem() else { unreachable!() };
        assert_eq!(told, right);
    }
    for (file, why) in [
        ("V2147483648__too_large.sql", "the largest version is 2147483647"),
        ("V99999999999999999999999__x.sql", "the largest version is 2147483647"),
        ("V1.5__between.sql", "versions are whole numbers"),
    ] {
        let project = begun();
        fs::write(project.migrations_dir().join(file), "SELECT 1;").unwrap();
        let error = assert_bad_file(&project, file, why);
        assert_eq!(error.hint(), None);
    }
    let project = begun();
    for file in ["README.md", "notes.sql", "V", "V1__x.sql~", ".V9__x.sql.swp", "schema.rs"] {
        fs::write(project.migrations_dir().join(file), b"\0\xff").unwrap();
    }
    assert_eq!(Migrations::from_dir(project.migrations_dir()).unwrap().len(), 1, "other files are no business of ours");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_utf_8_is_not_passed_over() {
    use std::os::unix::ffi::OsStrExt;
    let project = begun();
    let name = std::ffi::OsStr::from_bytes(b"V2__caf\xe9.sql");
    fs::write(project.migrations_dir().join(name), "SELECT 1;").unwrap();
    assert_bad_file(&project, "V2__caf\u{fffd}.sql", "not valid UTF-8");
}

#[test]
fn equal_versions_are_refused_with_both_names() {
    for other in ["V1__other", "U1__other", "V01__other"] {
        let project = Project::with(&[FIRST, (other, "SELECT 1;")]);
        let error = Migrations::from_dir(project.migrations_dir()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DuplicateVersion);
        let text = error.to_string();
        assert!(text.contains("`V1__old`") && text.contains(&other.replace("01", "1")), "{text}");
    }
    let project = Project::with(&[FIRST, ("V01__old", "SELECT 1;")]);
    let text = Migrations::from_dir(project.migrations_dir()).unwrap_err().to_string();
    assert!(text.contains("/V1__old.sql`") && text.contains("/V01__old.sql`"), "the same name: {text}");
    // A step in Rust and a file.
    let project = Project::with(&[FIRST]);
    let error = project.migrator().step(1, "again", |_| Ok(())).at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::DuplicateVersion, Outcome::Untouched));
    assert!(!project.db().exists());
}

#[test]
fn a_down_script_without_its_up_is_refused() {
    let project = Project::with(&[FIRST, ("V2__lost.down", "DROP TABLE lost;")]);
    assert_bad_file(&project, "V2__lost.down.sql", "there is no migration V2__lost that it would undo");
    let project = Project::with(&[FIRST, ("V1__renamed.down", "DROP TABLE old;")]);
    let error = assert_bad_file(&project, "V1__renamed.down.sql", "no migration V1__renamed");
    assert_eq!(error.hint().unwrap(), "the right name would be `V1__old.down.sql`");
}

#[test]
fn a_migration_in_rust_in_a_folder_is_refused_when_it_would_have_to_run() {
    let project = begun();
    fs::write(project.migrations_dir().join("V2__code.rs"), "pub fn migration() -> String { todo!() }").unwrap();
    let error = assert_refused(&project, ErrorKind::BadMigration);
    let text = error.to_string();
    assert!(text.contains("V2__code.rs") && text.contains("written in Rust"), "{text}");
    // One that has it compiled in can run it, and then the folder alone knows it by name.
    let ran = project.migrator().step(2, "code", |tx| Ok(tx.execute_batch("INSERT INTO old (a) VALUES ('code')")?));
    assert_eq!(ran.at(project.db()).migrate().unwrap().results.len(), 1);
    assert!(project.migrator().at(project.db()).status().unwrap().is_up_to_date);
}

#[test]
fn an_unknown_directive_is_refused_before_anything_runs() {
    let project = begun();
    project.write("V2__typo", "-- lifeboat: no-transation\nVACUUM;");
    let text = assert_refused(&project, ErrorKind::BadMigration).to_string();
    assert!(text.contains("V2__typo.sql") && text.contains("`lifeboat: no-transation`"), "{text}");
    project.write("V2__typo", "-- lifeboat: no-transaction\n-- lifeboat: foreign-keys on\nVACUUM;");
    let text = assert_refused(&project, ErrorKind::BadMigration).to_string();
    assert!(text.contains("do not go together"), "{text}");
}

#[test]
fn a_folder_of_migrations_that_is_none_is_named() {
    let project = begun();
    let missing = project.path().join("no such folder");
    let error = Migrations::from_dir(&missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoMigrations);
    assert!(error.to_string().contains("no such folder"), "{error}");
    let file = project.path().join("app.db");
    let error = Migrations::from_dir(&file).unwrap_err();
    assert!(error.kind() == ErrorKind::NoMigrations && error.to_string().contains("app.db"), "{error}");
}

#[test]
fn what_the_history_and_the_app_disagree_on_is_refused() {
    let three = || {
        let project = begun();
        project.write("V2__two", "CREATE TABLE two (a);");
        project.write("V3__three", "CREATE TABLE three (a);");
        project.migrator().at(project.db()).migrate().unwrap();
        fs::remove_dir_all(project.backups_dir()).unwrap();
        project
    };
    let remove = |project: &Project, name: &str| {
        fs::remove_file(project.migrations_dir().join(format!("{name}.sql"))).unwrap();
    };
    let named = |project: &Project, error: &Error| {
        let text = error.to_string();
        assert!(text.contains(&project.db().display().to_string()), "the file is not named: {text}");
        assert!(project.migrator().open(project.db()).is_err_and(|again| again.kind() == error.kind()));
        text
    };

    let project = three();
    project.write("V2__two", "CREATE TABLE two (a, b);");
    let text = named(&project, &assert_refused(&project, ErrorKind::Divergent));
    assert!(text.contains("`V2__two`"), "{text}");

    let project = three();
    remove(&project, "V2__two");
    project.write("V2__two_renamed", "CREATE TABLE two (a);");
    let text = named(&project, &assert_refused(&project, ErrorKind::Divergent));
    assert!(text.contains("`V2__two`"), "{text}");

    let project = three();
    remove(&project, "V2__two");
    let text = named(&project, &assert_refused(&project, ErrorKind::Missing));
    assert!(text.contains("`V2__two`"), "{text}");

    let project = three();
    remove(&project, "V3__three");
    let error = assert_refused(&project, ErrorKind::Newer);
    let text = named(&project, &error);
    assert!(text.contains("`V3__three`") && text.contains("up to `V2__two`"), "{text}");
    assert!(error.hint().unwrap().contains("newer version of the app"));

    // A version that came late: `V` is refused, `U` may come when it likes.
    let project = three();
    remove(&project, "V2__two");
    project.sql("DELETE FROM refinery_schema_history WHERE version = 2; DROP TABLE two;");
    project.write("V2__late", "CREATE TABLE late (a);");
    let text = named(&project, &assert_refused(&project, ErrorKind::OutOfOrder));
    assert!(text.contains("`V2__late`") && text.contains("`V3__three`"), "{text}");
    remove(&project, "V2__late");
    project.write("U2__late", "CREATE TABLE late (a);");
    let report = project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(report.results[0].name, "U2__late");
    assert!(project.migrator().at(project.db()).status().unwrap().is_up_to_date);
}

/// In debug and with its two texts in memory; in release it is a tenth of it.
const LONG: Duration = Duration::from_secs(45);

/// 50 MB in half a million statements.
fn fifty_megabytes() -> String {
    let mut text = String::with_capacity(53 << 20);
    text.push_str("CREATE TABLE many (id INTEGER PRIMARY KEY, a TEXT NOT NULL);\n");
    for number in 0..500_000 {
        text.push_str("INSERT INTO many VALUES (");
        text.push_str(&number.to_string());
        text.push_str(", 'a row with some text in it; and a semicolon, and a quote: '' -- no comment');\n");
    }
    assert!(text.len() > 50_000_000, "{}", text.len());
    text
}

#[test]
fn a_migration_of_50_mb_runs_and_a_mistake_in_its_last_line_is_found_there() {
    let project = begun();
    let mut text = fifty_megabytes();
    text.push_str("  INSERT INTO many VALUES (7, 'again');\n");
    project.write("V2__many", &text);
    let before = picture(&project.db());
    let started = Instant::now();
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    let took = started.elapsed();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack));
    let Problem::StepFailed { at, source, .. } = error.problem() else { unreachable!() };
    assert_eq!((at.statement, at.line, at.column), (500_002, 500_002, 3));
    assert_eq!(source.code, 1555); // SQLITE_CONSTRAINT_PRIMARYKEY
    assert!(error.to_string().len() < 300, "the text is not in the message");
    assert!(took < LONG, "{took:?}");
    assert_eq!(picture(&project.db()), before);

    text.truncate(text.len() - "  INSERT INTO many VALUES (7, 'again');\n".len());
    project.write("V2__many", &text);
    let started = Instant::now();
    project.migrator().at(project.db()).migrate().unwrap();
    let took = started.elapsed();
    assert_eq!(project.number("SELECT count(*) FROM many"), 500_000);
    assert!(took < LONG, "{took:?}");
    let ledger = project.number("SELECT count(*) FROM lifeboat_ledger WHERE version = 2 AND up IS NULL");
    assert_eq!(ledger, 1, "a text of this size is not kept a second time in the file");
}

#[test]
fn one_statement_of_many_megabytes_is_one_statement() {
    let project = begun();
    // Under SQLite's limits: a million bytes of SQL a statement are not one of them, a thousand million are.
    let long = "x".repeat(8 << 20);
    project.write("V2__long", format!("INSERT INTO old (a) VALUES ('{long}');\nINSERT INTO old (a) VALUES ('after');"));
    project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(project.number("SELECT max(length(a)) FROM old"), 8 << 20);
    let values: Vec<String> = (0..100_000).map(|number| format!("({number}, 'value')")).collect();
    project.write("V3__values", format!("CREATE TABLE v (id, a);\nINSERT INTO v VALUES\n{}, (1);", values.join(",\n")));
    let error = assert_refused(&project, ErrorKind::StepFailed);
    assert!(error.to_string().len() < 300, "{}", error.to_string().len());
    project.write("V3__values", format!("CREATE TABLE v (id, a);\nINSERT INTO v VALUES\n{};", values.join(",\n")));
    project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM v"), 100_000);
}

#[test]
fn ten_thousand_migrations_run_and_are_looked_at_in_no_time() {
    let project = Project::new();
    for version in 1..=10_000 {
        let text = match version {
            1 => "CREATE TABLE t (id INTEGER PRIMARY KEY, a)".to_owned(),
            _ if version % 1000 == 0 => format!("CREATE TABLE t{version} (a REFERENCES t);"),
            _ => format!("INSERT INTO t (a) VALUES ({version});"),
        };
        project.write(&format!("V{version}__n{version}"), text);
    }
    let migrator = Migrator::new(Migrations::from_dir(project.migrations_dir()).unwrap());
    let started = Instant::now();
    let report = migrator.at(project.db()).migrate().unwrap();
    let took = started.elapsed();
    assert_eq!((report.outcome, report.results.len()), (Outcome::Created, 10_000));
    assert!(took < LONG, "{took:?}");
    let started = Instant::now();
    assert_eq!(migrator.at(project.db()).migrate().unwrap().outcome, Outcome::UpToDate);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    let connection = Connection::open(project.db()).unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM refinery_schema_history", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 10_000);
}
