//! One app's history, and what is tried with it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;

use lifeboat::{ErrorKind, Migrations, Migrator, Outcome, Problem};
use rusqlite::Connection;
use tempfile::TempDir;

use super::plain::{self, Ran};
use super::rows::{self, Rows};
use crate::schema::is_made_again_by_its_script;
use crate::support::{picture, picture_of};

/// What the file has beside the app's own. (Statistics are gathered again for rebuilt tables; plain SQLite loses them.)
const OURS: [&str; 4] = ["lifeboat_ledger", "refinery_schema_history", "sqlite_stat1", "sqlite_stat4"];

pub struct History {
    pub name: &'static str,
    pub files: usize,
    pub refused: &'static [i64],
    pub lossy: &'static [i64],
}

impl History {
    /// Where it lies; nothing, said aloud, if there is no corpus.
    fn folder(&self) -> Option<PathBuf> {
        let corpus = std::env::var_os("LIFEBOAT_CORPUS")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
        let folder = corpus.join("histories").join(self.name);
        if corpus.is_dir() {
            return Some(folder);
        }
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            let text = format!("NOT TESTED: the histories of real apps, for there is no {}\n", corpus.display());
            // Not by `eprintln!`, which the test harness keeps to itself when a test passes.
            std::io::stderr().write_all(text.as_bytes()).unwrap();
        });
        None
    }

    fn migrator(&self, folder: &Path) -> Migrator {
        let migrations = Migrations::from_dir(folder).unwrap();
        assert_eq!(migrations.len(), self.files);
        let migrator = Migrator::new(migrations).on_connect(plain::app_functions);
        if self.name == "uptime_kuma" { migrator.allow("writable_schema") } else { migrator }
    }

    pub fn run_from_empty_at_once(&self) {
        let Some(folder) = self.folder() else { return };
        let place = TempDir::with_prefix("lifeboat-").unwrap();
        let db = place.path().join("app.db");
        let report = self.migrator(&folder).at(&db).migrate().unwrap();
        assert_eq!((report.outcome, report.results.len()), (Outcome::Created, self.files));
        is_made_again_by_its_script(&self.migrator(&folder), &db, |copy| plain::app_functions(copy).unwrap());
        assert_eq!(schema_of(&Connection::open(&db).unwrap()), final_schema(&folder));
    }

    pub fn run_from_empty_file_by_file(&self) {
        let Some(folder) = self.folder() else { return };
        let place = TempDir::with_prefix("lifeboat-").unwrap();
        let db = place.path().join("app.db");
        let migrator = self.migrator(&folder);
        for migration in migrator.migrations().iter() {
            let report = migrator.at(&db).migrate_steps(1).unwrap();
            assert_eq!(report.results[0].name, migration.id());
        }
        assert!(migrator.at(&db).status().unwrap().is_up_to_date);
        assert_eq!(schema_of(&Connection::open(&db).unwrap()), final_schema(&folder));
    }

    /// Before every file, three rows in every table. Where plain SQLite runs the file on these rows and leaves no new
    /// dangling reference, lifeboat gives the same schema and the same rows. Elsewhere it refuses, the file is as it
    /// was, and without the rows the file runs.
    pub fn run_with_rows(&self) {
        let Some(folder) = self.folder() else { return };
        let place = TempDir::with_prefix("lifeboat-").unwrap();
        let db = place.path().join("app.db");
        let migrator = self.migrator(&folder).on_connect(plain::functions);
        let mut rows = Rows::default();
        let (mut refused, mut lossy) = (Vec::new(), Vec::new());
        for migration in migrator.migrations().iter() {
            let (id, text) = (migration.id(), migration.sql().unwrap());
            if db.exists() {
                edit(&db, |connection| rows.fill(connection));
            }
            let before = fs::read(&db).unwrap_or_default();
            let mut expected = plain::run_with_keys_off(&before, text);
            if let Ran::Through(expected) = &expected {
                if plain::run_with_keys_on(&before, text).is_ok_and(|after| has_fewer_rows(&after, expected)) {
                    lossy.push(migration.version());
                }
            } else {
                refused.push(migration.version());
                is_refused(&migrator, &db, &id, &expected);
                edit(&db, rows::clear);
                expected = plain::run_with_keys_off(&fs::read(&db).unwrap(), text);
            }
            let Ran::Through(expected) = expected else { panic!("{id} fails without rows") };
            let report = migrator.at(&db).migrate_steps(1).unwrap_or_else(|error| panic!("{}", told(&error)));
            assert_eq!(report.results[0].name, id);
            let is = plain::in_memory(&fs::read(&db).unwrap());
            assert_eq!(first_difference(&picture_of(&is, &OURS), &picture_of(&expected, &OURS)), None, "{id}");
        }
        assert_eq!(rows.given_up, BTreeSet::new(), "tables that stayed empty");
        assert_eq!(schema_of(&Connection::open(&db).unwrap()), final_schema(&folder));
        assert_eq!((refused.as_slice(), lossy.as_slice()), (self.refused, self.lossy), "refused, lossy");
    }
}

/// The reason is SQLite's own, or one of the references that plain SQLite leaves behind; the file is as it was.
fn is_refused(migrator: &Migrator, db: &Path, id: &str, expected: &Ran) {
    let before = picture(db);
    let error = migrator.at(db).migrate_steps(1).expect_err(id);
    let told = told(&error);
    match expected {
        Ran::Failed(message) => {
            assert_eq!(error.kind(), ErrorKind::StepFailed, "{told}");
            assert!(told.contains(message), "{told}: not {message}");
        }
        Ran::Dangling(references) => {
            let Problem::ForeignKey { child, parent, .. } = error.problem() else { panic!("{told}") };
            assert!(references.contains_key(&(child.clone(), parent.clone())), "{told}: not {references:?}");
        }
        Ran::Through(_) => unreachable!(),
    }
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(first_difference(&picture(db), &before), None, "{id}: refused, and not as it was");
}

fn has_fewer_rows(after: &Connection, expected: &Connection) -> bool {
    let after = plain::counts(after);
    plain::counts(expected).iter().any(|(table, count)| after.get(table) < Some(count))
}

/// The first line in which two pictures differ.
fn first_difference<'a>(is: &'a str, expected: &'a str) -> Option<(&'a str, &'a str)> {
    let (mut is, mut expected) = (is.lines(), expected.lines());
    loop {
        match (is.next(), expected.next()) {
            (None, None) => return None,
            (is, expected) if is == expected => {}
            (is, expected) => return Some((is.unwrap_or("the end"), expected.unwrap_or("the end"))),
        }
    }
}

/// An error with its cause.
fn told(error: &lifeboat::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}; {}", error.state())
}

/// Writes to the file as an app would that has switched foreign keys off.
fn edit(db: &Path, change: impl FnOnce(&Connection)) {
    let connection = Connection::open(db).unwrap();
    plain::functions(&connection).unwrap();
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN")
        .unwrap();
    change(&connection);
    connection.execute_batch("COMMIT").unwrap();
}

type Object = (String, String, String, Option<String>);

/// The app's schema, however it is laid out in lines.
fn schema_of(connection: &Connection) -> Vec<Object> {
    let mut statement = connection
        .prepare(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema
             WHERE tbl_name NOT IN ('lifeboat_ledger', 'refinery_schema_history')
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             ORDER BY type, name",
        )
        .unwrap();
    let in_one_line = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<_>>(3)?.map(in_one_line))))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// What `FINAL_SCHEMA.sql` says: each object under a line with its type and name, in the order of these.
fn final_schema(folder: &Path) -> Vec<Object> {
    let text = fs::read_to_string(folder.join("FINAL_SCHEMA.sql")).unwrap();
    let mut objects: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("-- ").and_then(|header| header.split_once(' ')) {
            Some((kind @ ("table" | "index" | "view" | "trigger"), name)) if !name.contains(' ') => {
                objects.push((kind, String::new()));
            }
            _ => objects.last_mut().unwrap().1.extend([line, "\n"]),
        }
    }
    objects.sort_by_key(|(kind, _)| *kind != "table");
    let connection = Connection::open_in_memory().unwrap();
    plain::app_functions(&connection).unwrap();
    for (_, sql) in objects {
        match connection.execute_batch(&sql) {
            // A virtual table has made it.
            Err(error) if error.to_string().contains("already exists") => {}
            made => made.unwrap(),
        }
    }
    schema_of(&connection)
}
