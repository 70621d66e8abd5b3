//! Snapshots and restores, broken at every system call: killed there, or the call made to fail. A data directory is looked
//! at as a whole, its other files too: the database is old or new at once, the files with it after the next launch.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use lifeboat::{Migrations, Migrator, RestoreFrom, RestoreOptions, SnapshotOptions};
use rusqlite::Connection;
use serde_json::Value;

use super::Finding;
use super::disk::{Disk, Luck, State};
use super::inject::{BROKEN, Point, errors_of, numbered};
use super::picture::{Content, content};
use super::trace;

/// How many were tried.
#[derive(Default)]
pub struct Tried {
    pub killed: usize,
    pub failed: usize,
    pub states: usize,
}

/// A data directory as a person sees it: the database, and the other files.
type Seen = (Content, BTreeMap<PathBuf, Option<Vec<u8>>>);

struct Scene {
    name: String,
    arguments: Vec<&'static str>,
    before: State,
    migrations: PathBuf,
    old: Seen,
    /// After a restore; of the snapshot itself after a snapshot.
    new: Seen,
    restores: bool,
}

/// Breaks all of them, every `step`-th call, until the budget is spent.
pub fn run(room: &Path, step: usize, budget: Duration) -> (Tried, Vec<Finding>) {
    let scenes: Vec<Scene> = ["delete", "wal"].into_iter().flat_map(|journal| scenes(room, journal)).collect();
    let (mut tried, mut findings) = (Tried::default(), Vec::new());
    for scene in &scenes {
        let started = Instant::now();
        let folder = room.join("broken");
        if scene.restores {
            let (states, found) = scene.cut_the_power(room, &folder, step, budget / 4);
            tried.states += states;
            findings.extend(found);
        }
        let points = scene.points(&room.join("counted"));
        for (number, point) in points.iter().enumerate().skip(points.len() % step).step_by(step) {
            if started.elapsed() > budget / u32::try_from(scenes.len()).unwrap() {
                break;
            }
            tried.killed += 1;
            findings.extend(scene.broken(&format!("killed at {} number {}", point.call, point.number), || {
                scene.begin(&folder);
                scene.strace(&folder, point, "signal=SIGKILL", "");
                scene.look_after_a_kill(&folder);
            }));
            let errors = errors_of(point);
            if let Some(error) = errors.get(number % errors.len().max(1)) {
                tried.failed += 1;
                let what = format!("{error} from {} number {}", point.call, point.number);
                findings.extend(scene.broken(&what, || {
                    scene.begin(&folder);
                    let output = scene.strace(&folder, point, &format!("error={error}"), "");
                    scene.look_after_a_failure(&folder, &output);
                }));
            }
        }
    }
    (tried, findings)
}

/// A snapshot, one that replaces another, and a restore.
fn scenes(room: &Path, journal: &str) -> Vec<Scene> {
    let folder = room.join(format!("scene {journal}"));
    let data = folder.join("data");
    let migrations = room.join("migrations of copies");
    fs::create_dir_all(&migrations).unwrap();
    fs::create_dir_all(data.join("attachments/deep")).unwrap();
    fs::write(migrations.join("V1__note.sql"), "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)").unwrap();
    let migrator = Migrator::new(Migrations::from_dir(&migrations).unwrap()).data_dir(&data);
    let db = migrator.at(data.join("app.db"));
    db.migrate().unwrap();
    let sql = |sql: &str| Connection::open(data.join("app.db")).unwrap().execute_batch(sql).unwrap();
    sql(&format!("PRAGMA journal_mode = {journal}"));
    sql("WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 200)
         INSERT INTO note (body) SELECT 'note ' || x || hex(zeroblob(40)) FROM n");
    fs::write(data.join("attachments/deep/one"), "one").unwrap();
    fs::write(data.join("two"), "two").unwrap();
    let _ = fs::remove_dir_all(data.join("backups"));
    let first = seen(&data);
    let bare = State::of(&folder);
    db.snapshot("here", SnapshotOptions::default()).unwrap();
    sql("DELETE FROM note WHERE id % 3 = 0; CREATE TABLE later (x)");
    fs::write(data.join("two"), "changed").unwrap();
    fs::remove_dir_all(data.join("attachments")).unwrap();
    fs::write(data.join("attachments"), "a file where a folder was").unwrap();
    fs::write(data.join("three"), "three").unwrap();
    let second = seen(&data);
    let changed = State::of(&folder);
    let scene = |what: &str, arguments: &[&'static str], before: &State, old: &Seen, new: &Seen| Scene {
        name: format!("{what} ({journal})"),
        arguments: arguments.to_vec(),
        before: before.clone(),
        migrations: migrations.clone(),
        old: old.clone(),
        new: new.clone(),
        restores: what == "restore",
    };
    let absent = (Content::absent(), BTreeMap::new());
    vec![
        scene("restore", &["restore", "--name", "here", "--exact"], &changed, &second, &first),
        scene("snapshot", &["snapshot", "--name", "here"], &bare, &absent, &first),
        scene("snapshot, replacing", &["snapshot", "--name", "here", "--replace"], &changed, &first, &second),
    ]
}

/// Without what a snapshot leaves out. A copy says nothing of the journal mode.
fn seen(data: &Path) -> Seen {
    let database = content(&data.join("app.db"));
    let mut files = State::of(data).0;
    files.retain(|path, _| !path.starts_with("backups") && !path.to_string_lossy().starts_with("app.db"));
    (database, files)
}

fn is(one: &Seen, other: &Seen) -> bool {
    one.0.without_mode() == other.0.without_mode() && one.1 == other.1
}

impl Scene {
    fn begin(&self, folder: &Path) {
        self.before.write_to(folder);
    }

    fn command(&self, folder: &Path) -> Vec<std::ffi::OsString> {
        let mut command: Vec<std::ffi::OsString> = vec![env!("CARGO_BIN_EXE_lifeboat").into(), "--no-env-file".into()];
        command.extend(["--data-dir".into(), folder.join("data").into(), "-m".into(), self.migrations.clone().into()]);
        command.extend(["--wait".into(), "1".into(), "--json".into(), "--yes".into()]);
        command.extend(self.arguments.iter().map(Into::into));
        command
    }

    fn run(&self, folder: &Path, strace: &[&str]) -> Output {
        let mut run = Command::new("strace");
        run.args(strace).arg("--").args(self.command(folder)).current_dir("/").env_clear();
        run.envs(std::env::vars_os().filter(|(name, _)| ["PATH", "HOME", "TMPDIR"].iter().any(|kept| name == kept)));
        run.output().unwrap()
    }

    fn points(&self, folder: &Path) -> Vec<Point> {
        self.begin(folder);
        let log = folder.with_extension("trace");
        let trace = format!("trace={BROKEN},unlinkat,rmdir,symlink,utimensat,getdents64,openat");
        let log_name = log.to_str().unwrap();
        let output = self.run(folder, &["-f", "-qq", "-y", "-o", log_name, "-e", &trace, "-e", "signal=none"]);
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stdout));
        let (before, after) = (self.old.clone(), self.result(folder));
        assert!(is(&after, &self.new) && !is(&after, &before), "{} does what it should", self.name);
        numbered(&String::from_utf8_lossy(&fs::read(&log).unwrap()), folder.to_str().unwrap())
    }

    /// The power is cut while a restore runs: of what was not synced, none, all, or any part is there afterwards.
    fn cut_the_power(&self, room: &Path, folder: &Path, step: usize, budget: Duration) -> (usize, Vec<Finding>) {
        let recorded = room.join("recorded");
        self.begin(&recorded);
        let (data, log) = (recorded.join("data"), room.join("recorded.trace"));
        let before = State::of(&data);
        let calls = format!("trace={}", trace::RECORDED);
        let log_name = log.to_str().unwrap();
        let strace = ["-f", "-qq", "-y", "-xx", "-s", "10000000", "-o", log_name, "-e", &calls, "-e", "signal=none"];
        assert!(self.run(&recorded, &strace).status.success());
        let disk = Disk::new(&data, &before, &trace::read(&fs::read_to_string(&log).unwrap()));
        let last = disk.last();
        let (model, real) = (disk.state(last, Luck::All, None), State::of(&data));
        let lasting = |state: &State| -> Vec<_> {
            state
                .0
                .iter()
                .filter(|(path, _)| !path.to_string_lossy().ends_with("-shm"))
                .map(|(a, b)| (a.clone(), b.clone()))
                .collect()
        };
        assert!(lasting(&model) == lasting(&real), "the model is wrong about {}", self.name);
        let started = Instant::now();
        let (mut seen, mut findings) = (HashSet::new(), Vec::new());
        for moment in (0..last).step_by(step.min(17)).chain([last]) {
            let random = (0..2).map(Luck::Random);
            for luck in [Luck::None, Luck::All, Luck::NamesOnly, Luck::DataOnly].into_iter().chain(random) {
                let state = disk.state(moment, luck, None);
                if started.elapsed() > budget || !seen.insert((state.fingerprint(), moment == last)) {
                    continue;
                }
                findings.extend(self.broken(&format!("power cut at {moment} of {last}, {luck:?}"), || {
                    self.begin(folder);
                    state.write_to(&folder.join("data"));
                    if moment == last {
                        assert!(self.result(folder) == self.new, "what was reported is not durable");
                    }
                    self.look_after_a_kill(folder);
                }));
            }
        }
        (seen.len(), findings)
    }

    fn strace(&self, folder: &Path, point: &Point, injected: &str, often: &str) -> Output {
        let inject = format!("inject={}:{injected}:when={}{often}", point.call, point.number);
        let trace = format!("trace={}", point.call);
        self.run(folder, &["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject])
    }

    fn migrator(&self, folder: &Path) -> Migrator {
        Migrator::new(Migrations::from_dir(&self.migrations).unwrap()).data_dir(folder.join("data"))
    }

    /// What the command is about: the data directory, or the snapshot, wherever it is found.
    fn result(&self, folder: &Path) -> Seen {
        let data = folder.join("data");
        if self.restores {
            return seen(&data);
        }
        let listed = self.migrator(folder).at(data.join("app.db")).snapshots().unwrap();
        assert!(listed.len() <= 1, "more than one snapshot");
        listed.first().map_or((Content::absent(), BTreeMap::new()), |snapshot| seen(&snapshot.path))
    }

    fn look_after_a_kill(&self, folder: &Path) {
        let live = seen(&folder.join("data"));
        let now = self.result(folder);
        if !self.restores {
            assert!(is(&now, &self.old) || is(&now, &self.new), "the snapshot is neither the old one nor the new one");
            self.again(folder);
            assert!(is(&live, &seen(&folder.join("data"))), "the data directory is another");
            return;
        }
        let is_new = now.0 == self.new.0;
        assert!(is_new || now.0 == self.old.0, "the database is neither old nor new");
        assert!(is_new || now.1 == self.old.1, "the database is old, and the files are not");
        self.follow(folder, is_new);
    }

    /// The next launch: the files are what the database is; and the restore can be undone, or done.
    fn follow(&self, folder: &Path, is_new: bool) {
        let (migrator, path) = (self.migrator(folder), folder.join("data/app.db"));
        migrator.at(&path).migrate().unwrap_or_else(|error| panic!("the next launch fails: {error:?}"));
        let wanted = if is_new { &self.new } else { &self.old };
        assert!(seen(&folder.join("data")) == *wanted, "after the next launch, the files did not follow");
        if is_new {
            let undone = migrator.at(&path).restore(&RestoreFrom::Latest, RestoreOptions::default().exact(true));
            undone.unwrap_or_else(|error| panic!("it cannot be undone: {error:?}"));
            assert!(seen(&folder.join("data")) == self.old, "undone, it is not what it was");
        } else {
            self.again(folder);
        }
        assert!(!folder.join("data/app.db-lifeboat-restore").exists());
    }

    /// The same command, unbroken.
    fn again(&self, folder: &Path) {
        let (migrator, path) = (self.migrator(folder), folder.join("data/app.db"));
        let db = migrator.at(&path);
        if self.restores {
            let again = db.restore(&RestoreFrom::Snapshot("here".to_owned()), RestoreOptions::default().exact(true));
            again.unwrap_or_else(|error| panic!("the next restore fails: {error:?}"));
        } else {
            let again = db.snapshot("here", SnapshotOptions::default().replace(true));
            again.unwrap_or_else(|error| panic!("the next snapshot fails: {error:?}"));
        }
        assert!(is(&self.result(folder), &self.new), "done again, it is not what it should be");
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.contains("lifeboat")).collect();
        assert!(left.is_empty(), "{left:?} is left");
    }

    /// What is reported is true.
    fn look_after_a_failure(&self, folder: &Path, output: &Output) {
        let code = output.status.code().unwrap_or_else(|| panic!("it was killed: {:?}", output.status));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|_| {
            panic!("exit {code} without a document: {text}{}", String::from_utf8_lossy(&output.stderr))
        });
        let outcome = json["error"]["outcome"].as_str().unwrap_or("done").to_owned();
        let now = self.result(folder);
        match (outcome.as_str(), code) {
            ("done", 0) => assert!(is(&now, &self.new), "said to be done"),
            ("untouched", 1) if self.restores => assert!(now == self.old, "said to be untouched: {text}"),
            // The new one may have its name although something failed after that.
            ("untouched", 1) => assert!(is(&now, &self.old) || is(&now, &self.new), "neither: {text}"),
            ("needs-recovery", 5) if self.restores => {
                let is_new = now.0 == self.new.0;
                assert!(is_new || now.0 == self.old.0, "the database is neither old nor new: {text}");
            }
            _ => panic!("exit {code} with outcome {outcome}: {text}"),
        }
        if self.restores {
            self.follow(folder, now.0 == self.new.0);
        } else {
            self.again(folder);
        }
    }

    fn broken(&self, what: &str, run: impl FnOnce()) -> Option<Finding> {
        let message = super::look(run)?;
        Some(Finding { case: self.name.clone(), what: what.to_owned(), message })
    }
}
