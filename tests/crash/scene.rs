//! A file with rows, the migrations that wait for it, and what it looks like before and after them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use lifeboat::Atomicity;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::child::{Job, What};
use crate::support::{Project, picture, picture_of};

const BEGINNING: &str = "
    CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE tag (note INTEGER NOT NULL REFERENCES note ON DELETE CASCADE, word TEXT NOT NULL);
    CREATE INDEX tag_word ON tag (word);";

const ROWS: &str = "
    WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 300)
    INSERT INTO note (body) SELECT 'note ' || x || hex(zeroblob(100)) FROM n;
    INSERT INTO tag SELECT id, 'word' || id % 7 FROM note;";

const ADD: (&str, &str) = ("V2__stars", "ALTER TABLE note ADD COLUMN stars INTEGER; UPDATE note SET stars = id % 5;");

/// The page cache is too small for it: pages go to the file while the transaction is open.
const REBUILD: (&str, &str) = (
    "V3__rebuild",
    "PRAGMA cache_size = 10;
     CREATE TABLE note_new (id INTEGER PRIMARY KEY, body TEXT NOT NULL, stars INTEGER NOT NULL, size INTEGER);
     INSERT INTO note_new SELECT id, body, stars, length(body) FROM note;
     DROP TABLE note;
     ALTER TABLE note_new RENAME TO note;
     PRAGMA cache_size = -2000;",
);

const COUNT: (&str, &str) = (
    "V5__count",
    "CREATE TABLE tally (word PRIMARY KEY, n); INSERT INTO tally SELECT word, count(*) FROM tag GROUP BY word;",
);

/// Fails on rows, not when it is tried without any.
const FAILING: (&str, &str) =
    ("V6__one", "CREATE TABLE one (x UNIQUE); INSERT INTO one SELECT 1 FROM note WHERE id > 2;");

/// One file and one run.
pub struct Scene {
    pub name: &'static str,
    pub step: bool,
    /// The database, and its log with rows that are not in it yet.
    files: Vec<(String, Vec<u8>)>,
    migrations: Vec<(String, String)>,
    /// The picture before.
    pub old: String,
    /// The picture after, without history and ledger, which tell times.
    pub new: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Old,
    New,
    Between,
}

impl Scene {
    /// A run of one transaction.
    pub fn whole(wal: bool) -> Self {
        let name = if wal { "one transaction, WAL" } else { "one transaction, journal" };
        Self::build(name, wal, false, &[ADD, REBUILD, COUNT])
    }

    /// A run that commits each migration.
    pub fn stepwise(wal: bool) -> Self {
        let name = if wal { "stepwise, WAL" } else { "stepwise, journal" };
        Self::build(name, wal, true, &[ADD, REBUILD, COUNT])
    }

    /// A run with a file in its middle that can have no transaction.
    pub fn bare(wal: bool) -> Self {
        let vacuum = ("V4__shrink", "-- lifeboat: no-transaction\nVACUUM;");
        let name = if wal { "a VACUUM, WAL" } else { "a VACUUM, journal" };
        Self::build(name, wal, false, &[ADD, REBUILD, vacuum, COUNT])
    }

    /// The same with another page size and another journal mode.
    pub fn other_format(wal: bool) -> Self {
        let other = if wal { "DELETE" } else { "WAL" };
        let sql = format!(
            "-- lifeboat: no-transaction\nPRAGMA journal_mode = DELETE; PRAGMA page_size = 8192; VACUUM; \
             PRAGMA journal_mode = {other};"
        );
        let name = if wal { "another format, WAL" } else { "another format, journal" };
        Self::build(name, wal, false, &[ADD, ("V4__format", &sql), COUNT])
    }

    /// The same with another journal mode alone.
    pub fn other_journal(wal: bool) -> Self {
        let other = if wal { "DELETE" } else { "WAL" };
        let sql = format!("-- lifeboat: no-transaction\nPRAGMA journal_mode = {other};");
        let name = if wal { "another journal mode, WAL" } else { "another journal mode, journal" };
        Self::build(name, wal, false, &[ADD, ("V4__journal", &sql), COUNT])
    }

    fn build(name: &'static str, wal: bool, step: bool, migrations: &[(&str, &str)]) -> Self {
        let project = Project::with(&[("V1__begin", BEGINNING)]);
        if wal {
            project.sql("PRAGMA journal_mode = WAL");
        }
        project.migrator().at(project.db()).migrate().unwrap();
        let connection = Connection::open(project.db()).unwrap();
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
        connection.execute_batch(ROWS).unwrap();
        let mut files = Vec::new();
        for file in ["app.db", "app.db-wal"] {
            if let Ok(bytes) = fs::read(project.path().join(file)) {
                files.push((file.to_owned(), bytes));
            }
        }
        assert_eq!(files.len(), 1 + usize::from(wal), "rows that are in the log only");
        drop(connection);
        let mut all = vec![("V1__begin".to_owned(), BEGINNING.to_owned())];
        all.extend(migrations.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())));
        let mut scene = Scene { name, step, files, migrations: all, old: String::new(), new: String::new() };
        let done = scene.arrange();
        scene.old = picture(&done.db());
        let migrator = done.migrator();
        let migrator = if step { migrator.atomicity(Atomicity::Step) } else { migrator };
        migrator.at(done.db()).migrate().unwrap();
        scene.new = picture_without_times(&done.db());
        assert_ne!(scene.new, scene.old);
        scene
    }

    /// The same with a last migration that fails.
    pub fn failing(mut self) -> Self {
        self.migrations.push((FAILING.0.to_owned(), FAILING.1.to_owned()));
        self
    }

    /// The file anew, in a folder of its own.
    pub fn arrange(&self) -> Project {
        let project = Project::new();
        for (name, sql) in &self.migrations {
            project.write(name, sql);
        }
        for (file, bytes) in &self.files {
            fs::write(project.path().join(file), bytes).unwrap();
        }
        project
    }

    pub fn job(&self, what: What, project: &Project) -> Job {
        Job { step: self.step, ..Job::new(what, project.path()) }
    }

    /// What a plain reader would see now. It looks at a copy of the file and its sidecars, so that undoing or finishing
    /// what a killed process left remains the next launch's business.
    pub fn state(&self, project: &Project) -> State {
        let aside = TempDir::new().unwrap();
        for suffix in ["", "-wal", "-journal"] {
            let file = format!("app.db{suffix}");
            if project.path().join(&file).exists() {
                fs::copy(project.path().join(&file), aside.path().join(&file)).unwrap();
            }
        }
        let copy = aside.path().join("app.db");
        if picture(&copy) == self.old {
            State::Old
        } else if picture_without_times(&copy) == self.new {
            State::New
        } else {
            State::Between
        }
    }

    /// One more launch brings the file where it should be, and leaves nothing lying about.
    pub fn finish(&self, project: &Project, what: &str) {
        if project.migrations_dir().join(format!("{}.sql", FAILING.0)).exists() {
            project.remove(FAILING.0);
        }
        let ended = self.job(What::Migrate, project).run();
        assert!(["migrated", "up-to-date"].contains(&ended.outcome.as_str()), "{what}: {}", ended.said);
        assert_eq!(self.state(project), State::New, "{what}: {}", ended.said);
        assert_eq!(project.number("SELECT count(*) FROM lifeboat_ledger WHERE is_open <> 0"), 0, "{what}");
        let mut left: Vec<String> = names(project.path());
        left.retain(|name| !["app.db", "app.db-lifeboat", "backups", "migrations"].contains(&name.as_str()));
        assert!(left.is_empty(), "{what}: {left:?}");
        if ended.outcome == "migrated" {
            let names = names(&project.backups_dir());
            let stray = names.iter().filter(|name| match name.strip_suffix(".json") {
                Some(copy) => !names.iter().any(|name| name == copy),
                None => name.contains(".partial") || name.contains("-journal"),
            });
            assert_eq!(stray.count(), 0, "{what}: {names:?}");
        }
        self.backups_are_whole(project, what);
    }

    /// Every backup opens as a plain file; and where the file is not as it was, one of them is.
    pub fn backups_are_whole(&self, project: &Project, what: &str) {
        let names = names(&project.backups_dir());
        let partial = names.iter().filter(|name| name.ends_with(".partial")).count();
        assert!(partial <= 1, "{what}: {names:?}");
        let kept = project.backups().into_iter().filter(|name| !name.contains(".partial"));
        let pictures: Vec<String> = kept.map(|name| picture(&project.backups_dir().join(name))).collect();
        // A copy does not say in which journal mode its database was.
        let rows = |text: &str| text.replace("journal_mode = Text(\"wal\")", "journal_mode = Text(\"delete\")");
        if self.state(project) != State::Old {
            assert!(pictures.iter().any(|picture| *picture == rows(&self.old)), "{what}: no way back in {names:?}");
        }
    }
}

pub fn picture_without_times(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut picture = picture_of(&connection, &["lifeboat_ledger", "refinery_schema_history"]);
    for pragma in ["journal_mode", "page_size"] {
        let value: rusqlite::types::Value =
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
        writeln!(picture, "{pragma} = {value:?}").unwrap();
    }
    let mut versions = connection.prepare("SELECT version FROM refinery_schema_history ORDER BY version").unwrap();
    let versions: Vec<i64> = versions.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    writeln!(picture, "{versions:?}").unwrap();
    picture
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Bytes in the backups folder.
pub fn weight(folder: &Path) -> u64 {
    fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}
