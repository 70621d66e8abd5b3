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
    /// Some megabytes: its pages do not fit into SQLite's cache, its calls are too many to break at each of them.
    pub large: bool,
    /// Has rows that refer to others.
    pub children: bool,
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

const NOTE: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT);";
const TAG: &str = "CREATE TABLE tag (note INTEGER NOT NULL REFERENCES note (id) ON DELETE CASCADE, name TEXT NOT NULL);
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
const COMPACT_ALONE: &str = "-- lifeboat: no-transaction\nDELETE FROM note WHERE id % 7 = 0;\nVACUUM;";
/// The content that a new app comes with.
const SEED: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO note (id, title, body) SELECT i, 'Title ' || i, hex(zeroblob(7000 + i)) FROM n;";

/// The files that a case starts from.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// What its name says of it.
    name: &'static str,
    /// A second table, whose rows refer to those of the first.
    children: bool,
    large: bool,
}

const KINDS: [Kind; 3] = [
    Kind { name: "", children: true, large: false },
    Kind { name: ", no children", children: false, large: false },
    Kind { name: ", large", children: true, large: true },
];

/// A run, a file to run it on, and what it is called.
struct Plan {
    name: String,
    kind: Kind,
    journal: &'static str,
    files: Vec<(&'static str, &'static str)>,
    atomicity: &'static str,
    rows: u32,
}

/// The cases: small databases with `rows` rows and large ones, with and without rows that refer to others, each in both
/// journal modes; with `named`, those of that name.
pub fn all(workshop: &Path, rows: u32, named: Option<&str>) -> Vec<Case> {
    let mut plans = Vec::new();
    for kind in KINDS {
        let Kind { name: suffix, children, large } = kind;
        let compact = if children { COMPACT } else { COMPACT_ALONE };
        let plain = [("V2__rebuild", REBUILD), ("V3__words", FILL), ("V4__index", INDEX)];
        let failing = [("V2__rebuild", REBUILD), ("V3__words", FILL), ("V4__fails", FAILS)];
        let bare = [("V2__rebuild", REBUILD), ("V3__compact", compact), ("V4__index", INDEX)];
        let bare_failing = [("V2__rebuild", REBUILD), ("V3__compact", compact), ("V4__fails", FAILS)];
        // With a row of 15 KiB on average: 4.5 MiB.
        let rows = if large { 300 } else { rows };
        for journal in ["delete", "wal"] {
            for (name, files, atomicity) in [
                ("migrate", plain, "run"),
                ("migrate, failing", failing, "run"),
                ("step by step", plain, "step"),
                ("step by step, failing", failing, "step"),
                ("no-transaction", bare, "run"),
                ("no-transaction, failing", bare_failing, "run"),
                ("recovery", plain, "step"),
            ] {
                // Each launch on a large file takes a while, and these end as the small ones do.
                if large && ["step by step, failing", "no-transaction, failing"].contains(&name) {
                    continue;
                }
                let name = format!("{name}{suffix} ({journal})");
                plans.push(Plan { name, kind, journal, files: files.to_vec(), atomicity, rows });
            }
        }
        let mut files = plain.to_vec();
        if large {
            files = vec![("V2__seed", SEED), ("V3__rebuild", REBUILD), ("V4__words", FILL), ("V5__index", INDEX)];
        }
        let name = format!("creation{suffix}");
        plans.push(Plan { name, kind, journal: "delete", files, atomicity: "run", rows: 0 });
    }
    plans.retain(|plan| named.is_none_or(|named| plan.name.contains(named)));
    super::in_parallel(&plans, |_, plan| {
        let folder = workshop.join(&plan.name);
        match plan.name.split([',', ' ']).next() {
            Some("recovery") => Case::recovery(&folder, plan),
            Some("creation") => Case::creation(&folder, plan),
            _ => Case::build(&folder, plan),
        }
    })
}

impl Case {
    fn build(folder: &Path, plan: &Plan) -> Self {
        let Plan { name, kind, journal, files, atomicity, rows } = plan;
        let (migrations, mended) = (folder.join("migrations"), folder.join("mended"));
        let fails = files.iter().any(|(name, _)| name.ends_with("fails"));
        for (target, with_failing) in [(&migrations, true), (&mended, false)] {
            fs::create_dir_all(target).unwrap();
            let tables = if kind.children { format!("{NOTE}\n{TAG}") } else { NOTE.to_owned() };
            fs::write(target.join("V1__note.sql"), tables).unwrap();
            for (name, sql) in files.iter().filter(|(name, _)| with_failing || !name.ends_with("fails")) {
                fs::write(target.join(format!("{name}.sql")), sql).unwrap();
            }
        }
        let data = folder.join("data");
        fs::create_dir_all(&data).unwrap();
        let database = data.join("app.db");
        Migrator::new(Migrations::from_dir(&migrations).unwrap()).at(&database).migrate_to(1).unwrap();
        fill(&database, journal, *rows, *kind);
        fs::remove_dir_all(data.join("backups")).unwrap();
        let before = State::of(&data);
        let old = content(&database);
        // Without anything that breaks it, by the library.
        let migrator = Migrator::new(Migrations::from_dir(&mended).unwrap());
        let step = if *atomicity == "step" { Atomicity::Step } else { Atomicity::Run };
        migrator.atomicity(step).at(&database).migrate().unwrap();
        let new = content(&database);
        let split = *atomicity == "step" || files.iter().any(|(name, _)| name.ends_with("compact"));
        Case {
            name: name.clone(),
            end: if fails { End::Old } else { End::New },
            split,
            large: kind.large,
            children: kind.children,
            arguments: vec!["--atomicity".to_owned(), (*atomicity).to_owned()],
            before,
            migrations,
            mended,
            untouched: old.clone(),
            old,
            new,
        }
    }

    /// A launch that finds a run cut off after its first commit, and must undo it.
    fn recovery(folder: &Path, plan: &Plan) -> Self {
        let mut case = Self::build(folder, plan);
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

    fn creation(folder: &Path, plan: &Plan) -> Self {
        let mut case = Self::build(folder, plan);
        let fresh = folder.join("fresh");
        // With the folder for the log of runs there, whose making would sync the new file's name along.
        fs::create_dir_all(fresh.join("backups")).unwrap();
        case.before = State::of(&fresh);
        case.old = Content::absent();
        case.untouched = Content::absent();
        case
    }

    /// How many bytes there are before.
    pub fn size(&self) -> usize {
        self.before.0.values().flatten().map(Vec::len).sum()
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

    /// It, behind `before` (strace and its arguments, say).
    pub fn prepared(&self, data: &Path, before: &[&str], after: &[&str]) -> Command {
        let mut command = before.iter().map(Into::into).chain(self.command(data)).chain(after.iter().map(Into::into));
        // No setting of whoever runs the campaign may change what is run.
        let mut run = Command::new(command.next().unwrap());
        run.args(command).current_dir("/").env_clear();
        run.envs(std::env::vars_os().filter(|(name, _)| ["PATH", "HOME", "TMPDIR"].iter().any(|kept| name == kept)));
        run
    }

    /// Runs it so.
    pub fn run(&self, data: &Path, before: &[&str]) -> Output {
        self.prepared(data, before, &[]).output().unwrap()
    }

    /// The launch after the crash, with the mended migrations, in this process; and again, to see that all is done.
    pub fn next_launch(&self, data: &Path) -> Result<lifeboat::Report, lifeboat::Error> {
        Migrator::new(Migrations::from_dir(&self.mended).unwrap()).at(data.join("app.db")).migrate()
    }
}

/// Rows in both tables, from a fixed sequence.
fn fill(database: &Path, journal: &str, rows: u32, kind: Kind) {
    let connection = Connection::open(database).unwrap();
    connection.execute_batch(&format!("PRAGMA journal_mode = {journal}; BEGIN")).unwrap();
    let mut note = connection.prepare("INSERT INTO note (id, title, body) VALUES (?1, ?2, ?3)").unwrap();
    for id in 1..=rows {
        let times = (id as usize % 13 + 1) * if kind.large { 300 } else { 1 };
        let body = format!("note {id} ").repeat(times);
        note.execute((id, format!("Title {id}"), (id % 5 != 0).then_some(body))).unwrap();
    }
    if kind.children {
        let mut tag = connection.prepare("INSERT INTO tag (note, name) VALUES (?1, ?2)").unwrap();
        for id in 1..=rows {
            for name in ["red", "blue", "green"].iter().take(id as usize % 4) {
                tag.execute((id, name)).unwrap();
            }
        }
    }
    drop(note);
    connection.execute_batch("COMMIT").unwrap();
}
