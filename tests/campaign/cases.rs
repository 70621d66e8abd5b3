//! The runs that the campaign breaks: each a data directory as it is before, and a command on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use lifeboat::{Atomicity, Event, Migrations, Migrator};
use rusqlite::Connection;

use super::disk::State;
use super::picture::{Content, content};

/// What a case ends in when nothing breaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    New,
    /// A migration fails, and the file is as it was.
    Old,
}

/// A run.
pub struct Case {
    pub name: String,
    pub end: End,
    /// More than one transaction: after a crash, the file may be between until the next launch.
    pub split: bool,
    arguments: Vec<String>,
    /// The data directory before.
    pub before: State,
    pub migrations: PathBuf,
    /// The migrations without the one that fails, for the launch that must succeed in the end.
    pub mended: PathBuf,
    pub old: Content,
    pub new: Content,
    /// What the file contains before the command: the old state, but where a run had been cut off.
    pub untouched: Content,
}

const NOTE: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT);
CREATE TABLE tag (note INTEGER NOT NULL REFERENCES note (id) ON DELETE CASCADE, name TEXT NOT NULL);
CREATE INDEX tag_note ON tag (note);";

const REBUILD: &str =
    "CREATE TABLE note_new (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, words INTEGER);
INSERT INTO note_new (id, title, body) SELECT id, title, ifnull(body, '') FROM note;
DROP TABLE note;
ALTER TABLE note_new RENAME TO note;";

const FILL: &str = "UPDATE note SET words = length(body) - length(replace(body, ' ', '')) + 1;";
const INDEX: &str = "CREATE INDEX note_title ON note (title);";
/// Runs into its constraint, not into the compiler.
const FAILS: &str = "INSERT INTO note (id, title, body) VALUES (1000000, 'a', ''), (1000000, 'b', '');";
const COMPACT: &str =
    "-- lifeboat: no-transaction\nDELETE FROM note WHERE id % 7 = 0 AND id NOT IN (SELECT note FROM tag);\nVACUUM;";

/// The cases, with databases of about `rows` rows. All of them: for each journal mode.
pub fn all(workshop: &Path, rows: u32) -> Vec<Case> {
    let mut cases = Vec::new();
    for journal in ["delete", "wal"] {
        let plain: &[(&str, &str)] = &[("V2__rebuild", REBUILD), ("V3__words", FILL), ("V4__index", INDEX)];
        let failing: &[(&str, &str)] = &[("V2__rebuild", REBUILD), ("V3__words", FILL), ("V4__fails", FAILS)];
        let bare: &[(&str, &str)] = &[("V2__rebuild", REBUILD), ("V3__compact", COMPACT), ("V4__index", INDEX)];
        let bare_failing: &[(&str, &str)] = &[("V2__rebuild", REBUILD), ("V3__compact", COMPACT), ("V4__fails", FAILS)];
        for (name, files, atomicity) in [
            ("migrate", plain, "run"),
            ("migrate, failing", failing, "run"),
            ("step by step", plain, "step"),
            ("step by step, failing", failing, "step"),
            ("no-transaction", bare, "run"),
            ("no-transaction, failing", bare_failing, "run"),
        ] {
            let folder = workshop.join(format!("{name} {journal}"));
            cases.push(Case::build(&folder, format!("{name} ({journal})"), journal, files, atomicity, rows));
        }
    }
    for journal in ["delete", "wal"] {
        cases.push(Case::recovery(&workshop.join(format!("recovery {journal}")), journal, rows));
    }
    cases.push(Case::creation(&workshop.join("creation")));
    cases
}

impl Case {
    fn build(folder: &Path, name: String, journal: &str, files: &[(&str, &str)], atomicity: &str, rows: u32) -> Self {
        let (migrations, mended) = (folder.join("migrations"), folder.join("mended"));
        let fails = files.iter().any(|(name, _)| name.ends_with("fails"));
        for (target, with_failing) in [(&migrations, true), (&mended, false)] {
            fs::create_dir_all(target).unwrap();
            fs::write(target.join("V1__note.sql"), NOTE).unwrap();
            for (name, sql) in files.iter().filter(|(name, _)| with_failing || !name.ends_with("fails")) {
                fs::write(target.join(format!("{name}.sql")), sql).unwrap();
            }
        }
        let data = folder.join("data");
        fs::create_dir_all(&data).unwrap();
        let database = data.join("app.db");
        Migrator::new(Migrations::from_dir(&migrations).unwrap()).at(&database).migrate_to(1).unwrap();
        fill(&database, journal, rows);
        fs::remove_dir_all(data.join("backups")).unwrap();
        let before = State::of(&data);
        let old = content(&database);
        // Without anything that breaks it, by the library.
        let migrator = Migrator::new(Migrations::from_dir(&mended).unwrap());
        let step = if atomicity == "step" { Atomicity::Step } else { Atomicity::Run };
        migrator.atomicity(step).at(&database).migrate().unwrap();
        let new = content(&database);
        let split = atomicity == "step" || files.iter().any(|(name, _)| name.ends_with("compact"));
        Case {
            name,
            end: if fails { End::Old } else { End::New },
            split,
            arguments: vec!["--atomicity".to_owned(), atomicity.to_owned()],
            before,
            migrations,
            mended,
            untouched: old.clone(),
            old,
            new,
        }
    }

    /// A launch that finds a run cut off after its first commit, and must undo it.
    fn recovery(folder: &Path, journal: &str, rows: u32) -> Self {
        let files: &[(&str, &str)] = &[("V2__rebuild", REBUILD), ("V3__words", FILL), ("V4__index", INDEX)];
        let mut case = Self::build(folder, format!("recovery ({journal})"), journal, files, "step", rows);
        let data = folder.join("cut off");
        case.before.write_to(&data);
        let kept = Arc::new(Mutex::new(None));
        let (into, from) = (Arc::clone(&kept), data.clone());
        let migrator = Migrator::new(Migrations::from_dir(&case.mended).unwrap()).atomicity(Atomicity::Step);
        let migrator = migrator.on_event(move |event| {
            // The folder as a kill at this moment would leave it.
            if matches!(event, Event::Committed) {
                into.lock().unwrap().get_or_insert_with(|| State::of(&from));
            }
        });
        migrator.at(data.join("app.db")).migrate().unwrap();
        case.before = kept.lock().unwrap().take().unwrap();
        case.before.write_to(&data);
        case.untouched = content(&data.join("app.db"));
        assert!(case.untouched != case.old && case.untouched != case.new);
        case
    }

    fn creation(folder: &Path) -> Self {
        let mut case = Self::build(
            folder,
            "creation".to_owned(),
            "delete",
            &[("V2__rebuild", REBUILD), ("V3__words", FILL), ("V4__index", INDEX)],
            "run",
            0,
        );
        let fresh = folder.join("fresh");
        // With the folder for the log of runs there, whose making would sync the new file's name along.
        fs::create_dir_all(fresh.join("backups")).unwrap();
        case.before = State::of(&fresh);
        case.old = Content::absent();
        case.untouched = Content::absent();
        case
    }

    /// The command on a data directory.
    pub fn command(&self, data: &Path) -> Vec<std::ffi::OsString> {
        let mut command: Vec<std::ffi::OsString> = vec![env!("CARGO_BIN_EXE_lifeboat").into(), "--no-env-file".into()];
        command.extend(["-d".into(), data.join("app.db").into(), "-m".into(), self.migrations.clone().into()]);
        command.extend(self.arguments.iter().map(Into::into));
        // A lock that fails for ever is not worth ten seconds.
        command.extend(["--wait".into(), "1".into(), "--json".into(), "migrate".into()]);
        command
    }

    /// Runs it, behind `before` (strace and its arguments, say).
    pub fn run(&self, data: &Path, before: &[&str]) -> Output {
        let command = self.command(data);
        let (program, rest) = match before.split_first() {
            Some((program, rest)) => ((*program).into(), rest.iter().map(Into::into).chain(command).collect()),
            None => (command[0].clone(), command[1..].to_vec()),
        };
        // No setting of whoever runs the campaign may change what is run.
        let mut run = Command::new(program);
        run.args(rest).current_dir("/").env_clear();
        run.envs(std::env::vars_os().filter(|(name, _)| ["PATH", "HOME", "TMPDIR"].iter().any(|kept| name == kept)));
        run.output().unwrap()
    }

    /// The launch after the crash, with the mended migrations, in this process; and again, to see that all is done.
    pub fn next_launch(&self, data: &Path) -> Result<lifeboat::Report, lifeboat::Error> {
        Migrator::new(Migrations::from_dir(&self.mended).unwrap()).at(data.join("app.db")).migrate()
    }
}

/// Rows in both tables, from a fixed sequence.
fn fill(database: &Path, journal: &str, rows: u32) {
    let connection = Connection::open(database).unwrap();
    connection.execute_batch(&format!("PRAGMA journal_mode = {journal}; BEGIN")).unwrap();
    let mut note = connection.prepare("INSERT INTO note (id, title, body) VALUES (?1, ?2, ?3)").unwrap();
    let mut tag = connection.prepare("INSERT INTO tag (note, name) VALUES (?1, ?2)").unwrap();
    for id in 1..=rows {
        let body = format!("note {id} ").repeat(id as usize % 13 + 1);
        note.execute((id, format!("Title {id}"), (id % 5 != 0).then_some(body))).unwrap();
        for name in ["red", "blue", "green"].iter().take(id as usize % 4) {
            tag.execute((id, name)).unwrap();
        }
    }
    drop((note, tag));
    connection.execute_batch("COMMIT").unwrap();
}
