//! This binary again, in a process of its own with a job to do: to be killed, or to be in another's way.
//!
//! A test starts it with the name of the one test below and the job in the environment; without a job that test does
//! nothing.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lifeboat::{Atomicity, Event, Migrations, Migrator, Result};
use rusqlite::{Connection, ErrorCode};
use serde::{Deserialize, Serialize};

const VARIABLE: &str = "LIFEBOAT_TEST_JOB";
const ENTRY: &str = "child::a_child_does_its_job";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum What {
    /// A launch.
    #[default]
    Migrate,
    /// `recover` alone.
    Recover,
    /// `prune`, which compresses all but the newest backup.
    #[cfg(feature = "zstd")]
    Compress,
    /// A launch that stays in its first migration until the file `go` is there.
    MigrateSlowly,
    /// Runs `sql` on a connection of its own, holds it until `go` is there, then runs `then`.
    Hold,
    /// Inserts rows until `stop` is there, and writes down every id that SQLite said was committed.
    Write,
    /// Counts rows until `stop` is there, and writes down every error.
    Read,
}

/// What a child does in a project's folder.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Job {
    pub what: What,
    pub folder: PathBuf,
    pub step: bool,
    /// Ends its own process at its so manieth event; 0 is never.
    pub kill_at: usize,
    /// Ends its own process at the first event whose name begins so, if it is not empty.
    pub kill_on: String,
    pub wait_ms: u64,
    /// Waits for `go` before it begins.
    pub at_the_gate: bool,
    pub sql: String,
    pub then: String,
}

impl Job {
    pub fn new(what: What, folder: &Path) -> Self {
        Job { what, folder: folder.to_owned(), wait_ms: 60_000, ..Job::default() }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        self.describe(&mut command);
        command
    }

    /// The same under another program, which starts the last of its arguments.
    pub fn command_under(&self, program: &str, arguments: &[String]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).arg(std::env::current_exe().unwrap());
        self.describe(&mut command);
        command
    }

    fn describe(&self, command: &mut Command) {
        command
            .args(["--exact", ENTRY, "--nocapture"])
            .env(VARIABLE, serde_json::to_string(self).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    pub fn run(&self) -> Ended {
        Ended::of(self.command().output().unwrap())
    }

    pub fn start(&self) -> Started {
        Started { child: Some(self.command().spawn().unwrap()), folder: self.folder.clone() }
    }
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    pub killed: bool,
    /// `migrated`, `rolled-back`, …; empty if it never came to say.
    pub outcome: String,
    pub said: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let find = |key: &str| {
            said.lines().find_map(|line| line.strip_prefix(key)).map_or_else(String::new, |rest| rest.trim().to_owned())
        };
        #[cfg(unix)]
        let killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9);
        #[cfg(not(unix))]
        let killed = false;
        assert!(killed || output.status.success(), "a child failed: {}\n{said}", output.status);
        Ended { killed, outcome: find("outcome: "), said }
    }
}

/// A child at work; ended when it is dropped.
pub struct Started {
    child: Option<Child>,
    folder: PathBuf,
}

impl Started {
    /// Waits until the child has put up the file `ready`.
    pub fn until_ready(self) -> Self {
        wait_for(&self.folder.join("ready"));
        self
    }

    pub fn end(mut self) -> Ended {
        Ended::of(self.child.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn raise(file: &Path) {
    fs::write(file, "").unwrap();
}

fn wait_for(file: &Path) {
    let started = Instant::now();
    while !file.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "`{}` never came", file.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(unix)]
fn kill_self() {
    use rustix::process::{Signal, getpid, kill_process};
    kill_process(getpid(), Signal::KILL).unwrap();
    // The signal is on its way; nothing may happen meanwhile.
    std::thread::sleep(Duration::from_secs(60));
}

#[cfg(not(unix))]
fn kill_self() {
    panic!("nobody asks for this where there is no SIGKILL");
}

#[test]
fn a_child_does_its_job() {
    let Ok(job) = std::env::var(VARIABLE) else { return };
    let job: Job = serde_json::from_str(&job).unwrap();
    if job.at_the_gate {
        wait_for(&job.folder.join("go"));
    }
    match job.what {
        What::Migrate => said(&migrator(&job).at(job.folder.join("app.db")).migrate()),
        What::Recover => said(&migrator(&job).at(job.folder.join("app.db")).recover()),
        #[cfg(feature = "zstd")]
        What::Compress => {
            let keep = lifeboat::Retention::last(9).compress_older_than(1);
            let pruned = migrator(&job).retention(keep).at(job.folder.join("app.db")).prune_backups(None, false);
            eprintln!("pruned: {pruned:?}");
        }
        What::MigrateSlowly => {
            let folder = job.folder.clone();
            let slow = migrator(&job).before_each(move |_, _| {
                raise(&folder.join("ready"));
                wait_for(&folder.join("go"));
                Ok(())
            });
            said(&slow.at(job.folder.join("app.db")).migrate());
        }
        What::Hold => {
            let connection = Connection::open(job.folder.join("app.db")).unwrap();
            connection.execute_batch(&job.sql).unwrap();
            raise(&job.folder.join("ready"));
            wait_for(&job.folder.join("go"));
            connection.execute_batch(&job.then).unwrap();
        }
        What::Write => write_rows(&job.folder),
        What::Read => read_rows(&job.folder),
    }
}

fn migrator(job: &Job) -> Migrator {
    let events = AtomicUsize::new(0);
    let (kill_at, kill_on) = (job.kill_at, job.kill_on.clone());
    let migrator = Migrator::new(Migrations::from_dir(job.folder.join("migrations")).unwrap())
        .wait(Duration::from_millis(job.wait_ms))
        .on_event(move |event: &Event| {
            let name = format!("{event:?}");
            eprintln!("event {name}");
            let number = events.fetch_add(1, Ordering::SeqCst) + 1;
            if number == kill_at || (!kill_on.is_empty() && name.starts_with(&kill_on)) {
                kill_self();
            }
        });
    if job.step { migrator.atomicity(Atomicity::Step) } else { migrator }
}

fn said(result: &Result<lifeboat::Report>) {
    let outcome = match result {
        Ok(report) => report.outcome,
        Err(error) => {
            eprintln!("error: {}", error.kind());
            eprintln!("problem: {error}");
            error.outcome()
        }
    };
    eprintln!("outcome: {}", serde_json::to_value(outcome).unwrap().as_str().unwrap());
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn write_rows(folder: &Path) {
    let connection = Connection::open(folder.join("app.db")).unwrap();
    let mut told = OpenOptions::new().append(true).create(true).open(folder.join("told")).unwrap();
    let mut id = 1_000_000;
    while !folder.join("stop").exists() {
        id += 1;
        match connection.execute("INSERT INTO note (id, body) VALUES (?1, 'while migrating')", [id]) {
            Ok(_) => writeln!(told, "{id}").unwrap(),
            Err(error) if is_busy(&error) => {}
            Err(error) => panic!("the writer: {error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn read_rows(folder: &Path) {
    let connection = Connection::open(folder.join("app.db")).unwrap();
    let mut seen = 0_i64;
    let mut looks = 0;
    while !folder.join("stop").exists() {
        match connection.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)) {
            Ok(count) => {
                assert!(count >= seen, "the reader: {seen} rows became {count}");
                seen = count;
                looks += 1;
            }
            Err(error) if is_busy(&error) => {}
            Err(error) => panic!("the reader: {error}"),
        }
    }
    assert!(looks > 0, "the reader never came to read");
}
