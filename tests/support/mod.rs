//! What the tests share: a project in a temporary folder, and a picture of a database that leaves nothing out.

pub mod child;
pub mod folder;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use lifeboat::{Migrations, Migrator};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

/// The example app's migrations.
pub static NOTEBOOK: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations");

/// A folder with migrations and a database.
pub struct Project {
    pub folder: TempDir,
}

impl Project {
    pub fn new() -> Self {
        Self::inside(&std::env::temp_dir())
    }

    /// A project somewhere else than where temporary files lie.
    pub fn inside(place: &Path) -> Self {
        let folder = TempDir::with_prefix_in("lifeboat-", place).unwrap();
        fs::create_dir(folder.path().join("migrations")).unwrap();
        Project { folder }
    }

    /// A project with these migrations: `("V1__a", "CREATE TABLE …")`.
    pub fn with(migrations: &[(&str, &str)]) -> Self {
        let project = Self::new();
        for (name, sql) in migrations {
            project.write(name, sql);
        }
        project
    }

    /// A project whose database is a copy of the example app's, three versions back.
    pub fn example() -> Self {
        let project = Self::new();
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/.data.example/app.db"), project.db()).unwrap();
        project
    }

    pub fn write(&self, name: &str, sql: impl AsRef<[u8]>) {
        fs::write(self.migrations_dir().join(format!("{name}.sql")), sql).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.migrations_dir().join(format!("{name}.sql"))).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn migrations_dir(&self) -> PathBuf {
        self.path().join("migrations")
    }

    pub fn db(&self) -> PathBuf {
        self.path().join("app.db")
    }

    pub fn backups_dir(&self) -> PathBuf {
        self.path().join("backups")
    }

    /// A migrator for the folder's migrations.
    pub fn migrator(&self) -> Migrator {
        Migrator::new(Migrations::from_dir(self.migrations_dir()).unwrap())
    }

    /// Runs SQL on the database by plain SQLite, foreign keys off; makes the file if it is not there.
    pub fn sql(&self, sql: &str) {
        let connection = Connection::open(self.db()).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection.execute_batch(sql).unwrap();
    }

    pub fn number(&self, sql: &str) -> i64 {
        Connection::open(self.db()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The names of the backups, oldest first.
    pub fn backups(&self) -> Vec<String> {
        backups_in(&self.backups_dir())
    }
}

/// Says that something could not be tried here; past the test harness, which keeps what a passing test prints.
pub fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The database files in a backups folder.
pub fn backups_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.ends_with(".json") && !name.ends_with(".jsonl"))
        .collect();
    // `…_10` was taken after `…_9`.
    names.sort_by_key(|name| (name.split(['_', '.']).next().unwrap_or_default().to_owned(), name.len(), name.clone()));
    names
}

/// Everything that a user could call the content of a database: schema, every row of every table (in the order of the
/// table), the numbers in the header, journal mode, page size; read by plain SQLite. Fails on a damaged database.
pub fn picture(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut picture = picture_of(&connection, &[]);
    for pragma in ["journal_mode", "page_size", "auto_vacuum"] {
        let value: rusqlite::types::Value =
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
        writeln!(picture, "{pragma} = {value:?}").unwrap();
    }
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "{}", path.display());
    picture
}

/// The same without the settings of the file, and without some tables.
pub fn picture_of(connection: &Connection, without: &[&str]) -> String {
    let mut picture = String::new();
    for pragma in ["user_version", "application_id"] {
        let value: i64 = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
        writeln!(picture, "{pragma} = {value}").unwrap();
    }
    let mut objects =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    type Object = (String, String, String, Option<String>);
    let objects: Vec<Object> = objects
        .query_map([], |row| <Object>::try_from(row))
        .unwrap()
        .map(|object| object.unwrap())
        .filter(|object| !without.contains(&object.2.as_str()))
        .collect();
    for object in &objects {
        writeln!(picture, "{object:?}").unwrap();
    }
    for (_, table, ..) in objects.iter().filter(|object| object.0 == "table") {
        writeln!(picture, "-- {table}").unwrap();
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{}\"", table.replace('"', "\"\""))).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    ValueRef::Text(text) => write!(picture, "{:?}|", String::from_utf8_lossy(text)),
                    other => write!(picture, "{other:?}|"),
                }
                .unwrap();
            }
            picture.push('\n');
        }
    }
    picture
}
