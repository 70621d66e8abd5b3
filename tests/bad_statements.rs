//! Statements that would end the run's transaction, switch a safety off, reach out of the file, or simply fail: each is
//! absorbed, or refused with its place, and the file is as it was.

use std::fs;

use lifeboat::{Error, ErrorKind, Location, Outcome, Problem, StepState};
use rusqlite::Connection;

use crate::support::folder::Folder;
use crate::support::{Project, picture};

const FIRST: (&str, &str) = (
    "V1__old",
    "CREATE TABLE old (id INTEGER PRIMARY KEY, a TEXT UNIQUE, CHECK (a <> 'bad'));
     INSERT INTO old VALUES (1, 'one'), (2, 'two');
     CREATE TABLE child (id INTEGER PRIMARY KEY, old_id INTEGER REFERENCES old ON DELETE CASCADE);
     INSERT INTO child VALUES (10, 1), (20, 2);",
);

fn with(text: &str) -> Project {
    let project = Project::with(&[FIRST]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.write("V2__next", text);
    project
}

fn location(error: &Error) -> Location {
    match error.problem() {
        Problem::StepFailed { at, .. }
        | Problem::StatementRefused { at, .. }
        | Problem::NeedsNoTransaction { at, .. }
        | Problem::TransactionEnded { at, .. } => *at,
        other => panic!("{other:?}"),
    }
}

/// Found before the backup: nothing was touched.
#[track_caller]
fn assert_found_before(text: &str, kind: ErrorKind, line: usize, column: usize) -> Error {
    let project = with(text);
    let before = Folder::of(project.path());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    let told = format!("{error}: {:?}", std::error::Error::source(&error));
    assert_eq!((error.kind(), error.outcome(), error.backup()), (kind, Outcome::Untouched, None), "{told}");
    assert!(error.to_string().contains("`V2__next`"), "{told}");
    let at = location(&error);
    assert_eq!((at.line, at.column), (line, column), "{told}");
    before.assert_unchanged();
    // What would run can be looked at before, and is refused in the same words.
    let preview = project.migrator().at(project.db()).preview(None, None).unwrap_err();
    assert_eq!(preview.to_string(), error.to_string());
    error
}

/// Found while it ran: rolled back, with a backup.
#[track_caller]
fn assert_rolled_back(text: &str, kind: ErrorKind, line: usize) -> Error {
    let project = with(text);
    let before = picture(&project.db());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    let told = format!("{error}: {:?}", std::error::Error::source(&error));
    assert_eq!((error.kind(), error.outcome()), (kind, Outcome::RolledBack), "{told}");
    assert_eq!(location(&error).line, line, "{told}");
    assert_eq!(picture(&project.db()), before, "{told}");
    assert_eq!(picture(error.backup().unwrap()), before);
    assert_eq!(project.backups().len(), 1);
    assert_eq!(error.results().len(), 1);
    assert_eq!((error.results()[0].success, error.results()[0].state), (false, StepState::RolledBack));
    assert!(error.results()[0].error.is_some());
    error
}

/// It runs.
#[track_caller]
fn migrated(text: &str) -> Project {
    let project = with(text);
    let report = project.migrator().at(project.db()).migrate().unwrap_or_else(|error| {
        panic!("{error}: {:?}\n{text}", std::error::Error::source(&error));
    });
    assert_eq!(report.outcome, Outcome::Migrated);
    assert_eq!(project.number("SELECT count(*) FROM refinery_schema_history"), 2);
    picture(&project.db());
    project
}

#[test]
fn a_mistake_in_the_text_is_found_before_the_backup_with_line_and_column() {
    for (text, line, column, message) in [
        ("CREATE TABEL a (b);", 1, 8, "near \"TABEL\": syntax error"),
        ("-- a\nCREATE TABLE a (b);\n  SELECT nowhere FROM a;", 3, 10, "no such column: nowhere"),
        ("SELECT 'ä🛟ß', größe FROM old;", 1, 15, "no such column: größe"),
        ("INSERT INTO old VALUES (3, 'ü'); INSERT INTO missing VALUES (1);", 1, 34, "no such table: missing"),
        ("\r\nALTER TABLE old ADD COLUMN b;\r\nUPDATE old SET c = b;", 3, 1, "no such column: c"),
        ("CREATE TABLE a (b;\nCREATE TABLE c (d);", 1, 18, "near \";\": syntax error"),
        ("SELECT 'never closed;\n", 1, 8, "unrecognized token: \"'never closed;\n\""),
        ("INSERT INTO old VALUES (1, 2, 3);", 1, 1, "table old has 2 columns but 3 values were supplied"),
        (
            "CREATE TRIGGER t AFTER INSERT ON old BEGIN\n SELECT 1;\n SELEKT 2;\nEND;",
            3,
            2,
            "near \"SELEKT\": syntax error",
        ),
        ("SELECT frobnicate(1);", 1, 8, "no such function: frobnicate"),
    ] {
        let error = assert_found_before(text, ErrorKind::StepFailed, line, column);
        let Problem::StepFailed { source, .. } = error.problem() else { unreachable!() };
        assert_eq!(source.message, message, "{text}");
        assert!(
            error
                .to_string()
                .ends_with(&format!("line {line}, column {column} (statement {})", location(&error).statement))
        );
    }
    let error = assert_found_before("SELECT frobnicate(1);", ErrorKind::StepFailed, 1, 8);
    assert!(error.hint().unwrap().contains("on_connect"), "{:?}", error.hint());
}

#[test]
fn a_constraint_that_rows_break_is_told_with_its_place_and_code() {
    for (text, line, statement, code, message) in [
        (
            "INSERT INTO old VALUES (3, 'three');\n\nINSERT INTO old VALUES (4, 'one');",
            3,
            2,
            2067,
            "UNIQUE constraint failed: old.a",
        ),
        ("INSERT INTO old VALUES (1, 'x');", 1, 1, 1555, "UNIQUE constraint failed: old.id"),
        ("/* é */\nUPDATE old SET a = 'bad' WHERE id = 2;", 2, 1, 275, "CHECK constraint failed: a <> 'bad'"),
        ("CREATE TABLE n (a NOT NULL);\n INSERT INTO n VALUES (NULL)", 2, 2, 1299, "NOT NULL constraint failed: n.a"),
        (
            "CREATE TRIGGER no BEFORE DELETE ON old BEGIN SELECT RAISE(ABORT, 'keep; it'); END;\nDELETE FROM old;",
            2,
            2,
            1811,
            "keep; it",
        ),
        ("SELECT json_extract('{', '$');", 1, 1, 1, "malformed JSON"),
    ] {
        let error = assert_rolled_back(text, ErrorKind::StepFailed, line);
        let Problem::StepFailed { at, source, .. } = error.problem() else { unreachable!() };
        assert_eq!((at.statement, source.code, source.message.as_str()), (statement, code, message), "{text}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, format!("{message} (SQLite code {code})"));
    }
}

#[test]
fn transaction_control_in_a_file_is_absorbed() {
    for text in [
        "BEGIN; INSERT INTO old VALUES (3, 'three'); COMMIT;",
        "BEGIN EXCLUSIVE TRANSACTION; INSERT INTO old VALUES (3, 'three'); END TRANSACTION;",
        "COMMIT; INSERT INTO old VALUES (3, 'three'); BEGIN IMMEDIATE;",
        "COMMIT; PRAGMA foreign_keys=OFF; BEGIN; INSERT INTO old VALUES (3, 'three'); COMMIT; PRAGMA foreign_keys=ON; BEGIN",
        "COMMIT;;;END;BEGIN;BEGIN; INSERT INTO old VALUES (3, 'three');",
        "PRAGMA foreign_keys = ON; PRAGMA defer_foreign_keys(1); PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         INSERT INTO old VALUES (3, 'three');",
        "/* BEGIN */ begin transaction /* of theirs */; INSERT INTO old VALUES (3, 'three'); -- ROLLBACK\n commit;",
    ] {
        assert_eq!(migrated(text).number("SELECT count(*) FROM old"), 3, "{text}");
        // And nothing of it is committed before the run is.
        let failing = format!("{text};\nINSERT INTO old VALUES (1, 'again');");
        let line = failing.lines().count();
        assert_rolled_back(&failing, ErrorKind::StepFailed, line);
    }
}

#[test]
fn a_rebuild_that_steps_out_of_the_transaction_keeps_the_children() {
    let project = migrated(
        "COMMIT; PRAGMA foreign_keys=OFF; BEGIN;
         CREATE TABLE old_new (id INTEGER PRIMARY KEY, a TEXT NOT NULL UNIQUE, b TEXT DEFAULT 'b');
         INSERT INTO old_new (id, a) SELECT id, a FROM old;
         DROP TABLE old;
         ALTER TABLE old_new RENAME TO old;
         COMMIT; PRAGMA foreign_keys=ON; BEGIN;",
    );
    assert_eq!(project.number("SELECT count(*) FROM child JOIN old ON old.id = old_id"), 2);
}

#[test]
fn rollback_is_refused_before_anything_is_touched() {
    for (text, line, column) in [
        ("INSERT INTO old VALUES (3, 'three');\nROLLBACK;", 2, 1),
        ("BEGIN;\nDELETE FROM old;\n  rollback transaction;\nCOMMIT", 3, 3),
    ] {
        let error = assert_found_before(text, ErrorKind::StatementRefused, line, column);
        assert!(error.to_string().contains("`ROLLBACK` is not allowed"), "{error}");
        assert!(error.hint().unwrap().contains("one transaction"));
        let Problem::StatementRefused { allow: None, .. } = error.problem() else { panic!("{error:?}") };
    }
}

#[test]
fn a_statement_that_rolls_the_transaction_back_is_named() {
    for (text, line) in [
        ("INSERT INTO old VALUES (3, 'three');\nINSERT OR ROLLBACK INTO old VALUES (4, 'one');", 2),
        ("UPDATE OR ROLLBACK old SET a = 'one';", 1),
        ("CREATE TRIGGER no BEFORE DELETE ON old BEGIN\n SELECT RAISE(ROLLBACK, 'not so');\nEND;\nDELETE FROM old;", 4),
        (
            "CREATE TABLE r (a UNIQUE ON CONFLICT ROLLBACK);\nINSERT INTO r VALUES (1);\nINSERT INTO r SELECT 1 FROM old;",
            3,
        ),
    ] {
        let error = assert_rolled_back(text, ErrorKind::TransactionEnded, line);
        assert!(error.hint().unwrap().contains("`OR ABORT`"), "{:?}", error.hint());
        assert!(std::error::Error::source(&error).is_some(), "SQLite's own words are the cause");
    }
    // Those that do not fire are as good as any.
    migrated("INSERT OR ROLLBACK INTO old VALUES (3, 'three');");
    migrated("INSERT OR IGNORE INTO old VALUES (3, 'one'); INSERT OR REPLACE INTO old VALUES (1, 'uno');");
}

#[test]
fn savepoints_of_the_file_are_its_own() {
    let project = migrated(
        "SAVEPOINT a; INSERT INTO old VALUES (3, 'three'); RELEASE a;
         SAVEPOINT b; DELETE FROM old; ROLLBACK TO b; RELEASE b;
         SAVEPOINT never_released; INSERT INTO old VALUES (4, 'four');",
    );
    assert_eq!(project.number("SELECT count(*) FROM old"), 4);
    let project =
        migrated("SAVEPOINT x; INSERT INTO old VALUES (3, 'three'); ROLLBACK TO x; INSERT INTO old VALUES (4, 'f');");
    assert_eq!(project.number("SELECT sum(id) FROM old"), 7);
    for text in ["SAVEPOINT lifeboat_x;", "RELEASE lifeboat_step;", "ROLLBACK TO \"Lifeboat_Group\";"] {
        let error = assert_found_before(text, ErrorKind::StatementRefused, 1, 1);
        assert!(error.to_string().contains("a savepoint named `"), "{error}");
    }
    assert_rolled_back("RELEASE nothing_of_that_name;", ErrorKind::StepFailed, 1);
}

fn refusal_name(error: &Error) -> String {
    let Problem::StatementRefused { allow: Some(name), .. } = error.problem() else { panic!("{error:?}") };
    name.clone()
}

#[test]
fn an_unsafe_statement_is_refused_by_a_name_that_allows_it() {
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("other.db");
    let attach = format!("ATTACH '{}' AS other;\nCREATE TABLE other.t (a);", other.display());
    for (statement, name) in [
        ("PRAGMA writable_schema = ON", "writable_schema"),
        ("pragma Writable_Schema(1)", "writable_schema"),
        ("PRAGMA schema_version = 99", "schema_version"),
        ("PRAGMA trusted_schema = OFF", "trusted_schema"),
        ("PRAGMA ignore_check_constraints = ON", "ignore_check_constraints"),
        ("PRAGMA no_such_pragma_at_all", "no_such_pragma_at_all"),
        ("PRAGMA main.journal_mode = DELETE", "journal_mode"),
        (attach.as_str(), "attach"),
        ("DELETE FROM refinery_schema_history", "history"),
        ("UPDATE lifeboat_ledger SET up = NULL", "history"),
    ] {
        let text = format!("SELECT 1;\n{statement};\nINSERT INTO old VALUES (3, 'three');");
        let error = assert_found_before(&text, ErrorKind::StatementRefused, 2, 1);
        assert_eq!(refusal_name(&error), name);
        assert!(error.hint().unwrap().contains(name), "{:?}", error.hint());
        assert!(!other.exists(), "nothing reached out of the file");
        if statement.contains("DELETE FROM") {
            continue; // it would run: and run everything again at the next launch
        }

        // `ATTACH` opens what is there; it makes no file.
        let make_other = || drop(Connection::open(&other).unwrap().execute_batch("PRAGMA user_version = 1"));
        make_other();
        let by_comment = with(&format!("-- Why it has to be.\n-- lifeboat: allow {name}\n{text}"));
        let report = by_comment.migrator().at(by_comment.db()).migrate();
        assert_eq!(
            report.unwrap_or_else(|error| panic!("{text}: {error}: {:?}", std::error::Error::source(&error))).outcome,
            Outcome::Migrated
        );
        assert_eq!(by_comment.number("SELECT count(*) FROM old"), 3);
        fs::remove_file(&other).unwrap();
        make_other();
        let by_builder = with(&text);
        let report = by_builder.migrator().allow(name).at(by_builder.db()).migrate();
        assert_eq!(
            report.unwrap_or_else(|error| panic!("{text}: {error}: {:?}", std::error::Error::source(&error))).outcome,
            Outcome::Migrated
        );
        fs::remove_file(&other).unwrap();
        let of_another_name = with(&text);
        let refused = of_another_name.migrator().allow("something_else").at(of_another_name.db()).preview(None, None);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::StatementRefused);
    }
}

#[test]
fn load_extension_is_refused_and_allowing_it_only_lets_sqlite_decide() {
    let error = assert_found_before("SELECT load_extension('evil.so');", ErrorKind::StatementRefused, 1, 1);
    assert_eq!(refusal_name(&error), "load_extension");
    let project = with("SELECT load_extension('evil.so');");
    let error = project.migrator().allow("load_extension").at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack), "{error}");
}

/// The trial before the backup must not do for real what the run will do.
#[test]
fn what_is_allowed_to_reach_out_of_the_file_does_so_once_and_only_in_the_run() {
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE log (a)").unwrap();
    let text = format!("ATTACH '{}' AS other; INSERT INTO other.log VALUES ('once');", other.display());
    let count = || -> i64 {
        Connection::open(&other).unwrap().query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap()
    };
    let project = with(&text);
    let migrator = project.migrator().allow("attach");
    assert_eq!(migrator.at(project.db()).preview(None, None).unwrap().len(), 1);
    assert_eq!(count(), 0, "a preview writes nothing");
    assert_eq!(migrator.at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    assert_eq!(count(), 1);
    // A run that fails leaves nothing there either.
    let project = with(&format!("{text} INSERT INTO old VALUES (1, 'again');"));
    let error = project.migrator().allow("attach").at(project.db()).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(count(), 1);
}

#[test]
fn harmless_pragmas_work() {
    let project = migrated(
        "PRAGMA user_version = 42; PRAGMA application_id = 7; PRAGMA table_info(old); PRAGMA foreign_key_check;
         PRAGMA cache_size = -4000; PRAGMA integrity_check; PRAGMA foreign_keys; PRAGMA journal_mode; PRAGMA page_size;",
    );
    assert_eq!(project.number("PRAGMA user_version"), 42);
    assert_eq!(project.number("PRAGMA application_id"), 7);
}

#[test]
fn legacy_alter_table_is_put_back_after_each_migration() {
    let project = with(
        "PRAGMA legacy_alter_table = ON;
         CREATE VIEW names AS SELECT a FROM old;
         ALTER TABLE old RENAME TO older; ALTER TABLE older RENAME TO old;",
    );
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = seen.clone();
    project.write("V3__after", "SELECT 1;");
    let migrator = project.migrator().before_each(move |connection, _| {
        heard.lock().unwrap().push(connection.query_row("PRAGMA legacy_alter_table", [], |row| row.get::<_, i64>(0))?);
        Ok(())
    });
    migrator.at(project.db()).migrate().unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 0]);
    assert_eq!(project.number("SELECT count(*) FROM names"), 2);
}

#[test]
fn vacuum_without_the_directive_is_told_about_it() {
    let error = assert_found_before("DELETE FROM child;\nVACUUM;", ErrorKind::NeedsNoTransaction, 2, 1);
    assert!(error.to_string().contains("`VACUUM` cannot run inside a transaction"), "{error}");
    assert!(error.hint().unwrap().contains("-- lifeboat: no-transaction"), "{:?}", error.hint());
    let error = assert_found_before("PRAGMA journal_mode = WAL;", ErrorKind::StatementRefused, 1, 1);
    assert!(error.hint().unwrap().contains("no-transaction"), "{:?}", error.hint());
    // Allowed by name it stands there, as SQLite has it inside a transaction: without effect.
    let project = migrated("-- lifeboat: allow journal_mode\nPRAGMA journal_mode = WAL;");
    let mode: String =
        Connection::open(project.db()).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
}

#[test]
fn a_file_without_a_transaction_may_vacuum_and_set_the_journal_mode() {
    let project = with(
        "-- Makes the file small.\n-- lifeboat: no-transaction\nDELETE FROM child;\nVACUUM;\nPRAGMA journal_mode = WAL;\n/* */ vacuum",
    );
    let report = project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::Migrated);
    let mode: String =
        Connection::open(project.db()).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(project.number("SELECT count(*) FROM child"), 0);
    // By the builder, for a file that was applied elsewhere and must not change.
    let project = with("VACUUM;");
    assert_eq!(project.migrator().no_transaction(2).at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    // The directive in the middle of the file is none.
    assert_found_before("SELECT 1;\n-- lifeboat: no-transaction\nVACUUM;", ErrorKind::NeedsNoTransaction, 3, 1);
}

#[test]
fn vacuum_into_is_refused_with_and_without_a_transaction() {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy.db");
    let into = format!("VACUUM INTO '{}';", copy.display());
    assert_found_before(&into, ErrorKind::NeedsNoTransaction, 1, 1);
    let text = format!("-- lifeboat: no-transaction\n{into}");
    let error = assert_found_before(&text, ErrorKind::StatementRefused, 2, 1);
    assert_eq!(refusal_name(&error), "attach");
    assert!(!copy.exists());
}

#[test]
fn a_file_that_leaves_its_own_transaction_open_is_undone() {
    for text in [
        "-- lifeboat: no-transaction\nBEGIN;\nDELETE FROM child;",
        "-- lifeboat: no-transaction\nSAVEPOINT a;\nDELETE FROM child;",
        "-- lifeboat: no-transaction\nDELETE FROM child;\nBEGIN;\nINSERT INTO old VALUES (1, 'again');",
    ] {
        let project = with(text);
        let before = picture(&project.db());
        let error = project.migrator().at(project.db()).migrate().unwrap_err();
        assert!(
            matches!(error.outcome(), Outcome::Restored | Outcome::Untouched),
            "{text}: {error}: {:?}",
            std::error::Error::source(&error)
        );
        assert!(error.to_string().contains("V2__next"), "{error}");
        assert_eq!(picture(&project.db()), before, "{text}");
        assert!(!project.migrator().at(project.db()).status().unwrap().interrupted);
    }
}

#[test]
fn a_mistake_after_something_was_written_without_a_transaction_is_restored() {
    let project = with(
        "-- lifeboat: no-transaction\nDELETE FROM child;\nPRAGMA page_size = 8192; VACUUM;\nPRAGMA journal_mode = WAL;\nINSERT INTO old VALUES (1, 'again');",
    );
    let before = picture(&project.db());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::Restored), "{error}");
    assert_eq!(location(&error).line, 5);
    assert_eq!(picture(&project.db()), before);
    assert_eq!(error.results()[0].state, StepState::Restored);
}

#[test]
fn semicolons_in_a_trigger_end_nothing() {
    let project = migrated(
        "CREATE TABLE log (what TEXT);
         CREATE TRIGGER \"end; of\" AFTER INSERT ON old WHEN new.a <> ';' BEGIN
            INSERT INTO log VALUES ('a;b'); -- END;
            INSERT INTO log SELECT CASE WHEN new.id > 2 THEN 'END;' ELSE 'begin;' END;
            /* END; */ UPDATE log SET what = what || ';' WHERE what = ';END;';
         END;
         CREATE TEMP TRIGGER temporary_one AFTER DELETE ON old BEGIN SELECT 1; END;
         CREATE TRIGGER IF NOT EXISTS [t;2] INSTEAD OF INSERT ON v BEGIN SELECT 2; SELECT 3; END;
         INSERT INTO old VALUES (3, 'three');"
            .replace("CREATE TRIGGER IF NOT EXISTS", "CREATE VIEW v AS SELECT 1 AS a; CREATE TRIGGER IF NOT EXISTS")
            .as_str(),
    );
    assert_eq!(project.number("SELECT count(*) FROM log"), 2);
    assert_eq!(project.number("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), 2);
}

#[test]
fn a_temporary_table_cannot_stand_before_the_history() {
    for text in ["CREATE TEMP TABLE refinery_schema_history (a);", "CREATE TEMP VIEW Lifeboat_Ledger AS SELECT 1;"] {
        let error = assert_found_before(text, ErrorKind::StatementRefused, 1, 1);
        assert!(error.to_string().contains("a temporary `"), "{error}");
    }
    let project =
        migrated("CREATE TEMP TABLE mine AS SELECT * FROM old; INSERT INTO old SELECT id + 5, a || '!' FROM mine;");
    assert_eq!(project.number("SELECT count(*) FROM old"), 4);
}

#[test]
fn a_check_of_the_app_rolls_the_run_back() {
    let project = with("DELETE FROM old WHERE id = 2; DELETE FROM child WHERE old_id = 2;");
    let before = picture(&project.db());
    let migrator = project.migrator().check("two rows are left", |connection| {
        let rows: i64 = connection.query_row("SELECT count(*) FROM old", [], |row| row.get(0))?;
        if rows == 2 { Ok(()) } else { Err(format!("{rows} are").into()) }
    });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::CheckFailed, Outcome::RolledBack));
    assert_eq!(error.to_string(), "the check `two rows are left` failed: 1 are");
    assert_eq!(picture(&project.db()), before);
    assert!(error.results()[0].success, "the migration itself ran through");
    assert_eq!(error.results()[0].state, StepState::RolledBack);
    // One that panics, and one that tries to write.
    let migrator = project.migrator().check("panics", |_| panic!("oh no"));
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Panicked, Outcome::RolledBack));
    assert_eq!(error.to_string(), "the check `panics` panicked: oh no");
    let migrator = project.migrator().check("writes", |connection| Ok(connection.execute_batch("DELETE FROM old")?));
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CheckFailed);
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn damage_done_by_a_migration_is_found_before_the_commit() {
    let project = with(
        "-- lifeboat: allow writable_schema\nPRAGMA writable_schema = ON;
         CREATE TABLE lone (a);
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'old') WHERE name = 'lone';",
    );
    let before = picture(&project.db());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert!(matches!(error.kind(), ErrorKind::CheckFailed | ErrorKind::Corrupt), "{error}");
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn statistics_survive_a_rebuild() {
    let project = with(
        "CREATE TABLE old_new (id INTEGER PRIMARY KEY, a TEXT UNIQUE);
         INSERT INTO old_new SELECT id, a FROM old; DROP TABLE old; ALTER TABLE old_new RENAME TO old;",
    );
    project.sql("ANALYZE");
    assert_eq!(project.number("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'old'"), 1);
    project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'old'"), 1);
}
