//! Snapshots and restores of a large data directory while another process writes to it, and killed on their way.
//!
//! `cargo test` does it with 2 MiB and 40 files; `LIFEBOAT_TEST_MIB=200 LIFEBOAT_TEST_FILES=2000` does it in full.

#![cfg(all(unix, feature = "cli"))]

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::child::{Job, What, raise};
use crate::cli::{command, lifeboat};
use crate::support::picture_of;

const MIB: usize = 2;
const FILES: usize = 40;
/// The rows of the writer begin here.
const WRITER: i64 = 1_000_000;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// `.data` in a folder, with so many bytes in its database and so many files.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new(journal: &str, mib: usize, files: usize) -> Self {
        // A kill loses nothing that was written, synced or not, so for a small one memory is as good as a disk.
        let memory = Path::new("/dev/shm");
        let folder = if mib <= MIB && memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let home = Home { folder: folder.unwrap() };
        fs::create_dir_all(home.path().join("migrations")).unwrap();
        fs::write(home.path().join("migrations/V1__note.sql"), "CREATE TABLE note (id INTEGER PRIMARY KEY, body)")
            .unwrap();
        lifeboat(home.path(), &["migrate", "-q"]).ends_with(0);
        let db = Connection::open(home.db()).unwrap();
        db.query_row(&format!("PRAGMA journal_mode = {journal}"), [], |_| Ok(())).unwrap();
        let fill = "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < ?1)
                    INSERT INTO note SELECT x, randomblob(8000) FROM n";
        db.execute(fill, [(mib * 128) as i64]).unwrap();
        for number in 0..files {
            let path = home.attachment(number);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("attachment {number} ").repeat(number % 500 + 1)).unwrap();
        }
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join(".data")
    }

    fn db(&self) -> PathBuf {
        self.data().join("app.db")
    }

    fn attachment(&self, number: usize) -> PathBuf {
        self.data().join(format!("attachments/{}/{number}.txt", number % 10))
    }

    /// Every row and every file is another, one in seven is gone, and some are new.
    fn change_everything(&self, files: usize) {
        let db = Connection::open(self.db()).unwrap();
        db.busy_timeout(Duration::from_secs(60)).unwrap();
        let change = format!(
            "DELETE FROM note WHERE id < {WRITER} AND id % 7 = 0; UPDATE note SET body = x'00' WHERE id < {WRITER}"
        );
        db.execute_batch(&change).unwrap();
        for number in 0..files {
            match number % 7 {
                0 => fs::remove_file(self.attachment(number)).unwrap(),
                _ => fs::write(self.attachment(number), format!("changed {number}")).unwrap(),
            }
        }
        for number in 0..files / 10 {
            fs::write(self.data().join(format!("attachments/new {number}")), "new").unwrap();
        }
    }
}

/// The files of a data directory.
fn files(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![data.join("attachments")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.strip_prefix(data).unwrap().to_owned(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// What the database says to any program, but for the ledger. Fails on damage.
fn rows(db: &Path) -> (String, i64, u64) {
    let db = Connection::open(db).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let mut notes = db.prepare("SELECT id, body FROM note ORDER BY id").unwrap();
    let mut rows = notes.query([]).unwrap();
    let (mut count, mut hasher) = (0, DefaultHasher::new());
    while let Some(row) = rows.next().unwrap() {
        count += 1;
        row.get::<_, i64>(0).unwrap().hash(&mut hasher);
        hasher.write(row.get_ref(1).unwrap().as_bytes().unwrap());
    }
    (picture_of(&db, &["lifeboat_ledger", "note"]), count, hasher.finish())
}

fn ids(db: &Path, which: &str) -> BTreeSet<i64> {
    let db = Connection::open(db).unwrap();
    let mut statement = db.prepare(&format!("SELECT id FROM note WHERE id {which} {WRITER}")).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn under_constant_writes_a_restore_is_the_moment_of_the_snapshot_and_no_row_is_lost() {
    let (mib, count) = (setting("LIFEBOAT_TEST_MIB", MIB), setting("LIFEBOAT_TEST_FILES", FILES));
    for journal in ["wal", "delete"] {
        let home = Home::new(journal, mib, count);
        let before = files(&home.data());
        let bodies = |db: &Path| -> (i64, i64) {
            let sql = format!("SELECT count(*), sum(length(body)) FROM note WHERE id < {WRITER}");
            Connection::open(db).unwrap().query_row(&sql, [], |row| row.try_into()).unwrap()
        };
        let old = bodies(&home.db());
        let writer = Job::new(What::Write, &home.data()).start();
        while ids(&home.db(), ">").len() < 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let started = Instant::now();
        lifeboat(home.path(), &["snapshot", "--name", "here", "--wait", "60"]).ends_with(0);
        let (snapshot, took) = (home.path().join(".data.here"), started.elapsed());
        home.change_everything(count);
        let started = Instant::now();
        let ran = lifeboat(home.path(), &["restore", "--name", "here", "--yes", "--exact", "--json", "--wait", "60"]);
        let report = ran.ends_with(0).json();
        let restored = started.elapsed();
        std::thread::sleep(Duration::from_millis(50));
        raise(&home.data().join("stop"));
        writer.end(); // it fails on anything but a wait
        assert_eq!(files(&home.data()), before);
        assert_eq!(bodies(&home.db()), old);
        rows(&home.db());
        // What the writer was told is committed is in the snapshot, in the backup, or came after.
        let kept = ids(Path::new(report["backup"].as_str().unwrap()), ">");
        let (then, now) = (ids(&snapshot.join("app.db"), ">"), ids(&home.db(), ">"));
        assert!(then.is_subset(&now) && then.is_subset(&kept));
        let after: BTreeSet<i64> = now.difference(&then).copied().collect();
        assert!(after.is_disjoint(&kept) && !after.is_empty(), "{journal}");
        // It wrote this down in a file that the restore replaced, and went on in the one that is kept.
        let told = format!("{}.files/files/told", report["backup"].as_str().unwrap());
        let told: BTreeSet<i64> = fs::read_to_string(told).unwrap().lines().map(|id| id.parse().unwrap()).collect();
        assert!(told.last() == now.last() && told.len() > then.len());
        let lost: Vec<_> = told.iter().filter(|id| !kept.contains(id) && !after.contains(id)).collect();
        assert!(lost.is_empty(), "{journal}: {lost:?} are nowhere");
        if mib > MIB {
            eprintln!("{journal}: {mib} MiB, {count} files: snapshot {took:?}, restore {restored:?}");
        }
    }
}

/// Numbers that look random, the same in every run.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn copy(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(done.success());
}

/// Runs the command and kills it after so long; whether it was still there to be killed.
fn kill_after(folder: &Path, arguments: &[&str], delay: Duration) -> bool {
    let mut child = command(folder, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(delay);
    let running = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    child.wait().unwrap();
    running
}

#[test]
fn killed_at_random_moments_the_database_is_old_or_new_at_once_and_the_files_follow_with_the_next_launch() {
    let (mib, count) = (setting("LIFEBOAT_TEST_MIB", MIB).min(50), setting("LIFEBOAT_TEST_FILES", FILES));
    let restore = ["restore", "--name", "here", "--yes", "--exact"];
    let mut seed = 7;
    for journal in ["wal", "delete"] {
        let home = Home::new(journal, mib, count);
        let new = (rows(&home.db()), files(&home.data()));
        lifeboat(home.path(), &["snapshot", "--name", "here"]).ends_with(0);
        home.change_everything(count);
        let old = (rows(&home.db()), files(&home.data()));
        copy(&home.data(), &home.path().join("kept"));
        let started = Instant::now();
        lifeboat(home.path(), &restore).ends_with(0);
        let whole = started.elapsed();
        assert!(rows(&home.db()) == new.0 && files(&home.data()) == new.1);
        let (mut olds, mut news) = (0, 0);
        let rounds = if journal == "wal" { 10 } else { 5 };
        for round in 0..rounds {
            fs::remove_dir_all(home.data()).unwrap();
            copy(&home.path().join("kept"), &home.data());
            // In each part of the time it takes, so that no part of it goes untried.
            let part = f64::from(round) + (random(&mut seed) % 1000) as f64 / 1000.0;
            let delay = whole.mul_f64(part / f64::from(rounds));
            kill_after(home.path(), &restore, delay);
            let seen = rows(&home.db());
            let is_new = seen == new.0;
            assert!(is_new || seen == old.0, "{journal}: killed after {delay:?}, neither old nor new");
            if !is_new {
                assert!(files(&home.data()) == old.1, "{journal}: the database is old, and a file is not");
            }
            lifeboat(home.path(), &["migrate"]).ends_with(0);
            let wanted = if is_new { &new } else { &old };
            assert!(rows(&home.db()) == wanted.0, "{journal}: killed after {delay:?}");
            assert!(files(&home.data()) == wanted.1, "{journal}: killed after {delay:?}, the files did not follow");
            if is_new {
                // It can be undone, whoever finished it.
                lifeboat(home.path(), &["restore", "--backup", "latest", "--yes", "--exact"]).ends_with(0);
                assert!(rows(&home.db()) == old.0 && files(&home.data()) == old.1, "{journal}: not undone");
                news += 1;
            } else {
                lifeboat(home.path(), &restore).ends_with(0);
                assert!(rows(&home.db()) == new.0 && files(&home.data()) == new.1);
                olds += 1;
            }
            assert!(!home.data().join("app.db-lifeboat-restore").exists());
        }
        assert!(olds > 0, "{journal}: nobody was killed early ({news} late)");
    }
}

#[test]
fn a_snapshot_that_is_killed_is_not_there_and_is_no_hindrance() {
    let home = Home::new("wal", setting("LIFEBOAT_TEST_MIB", MIB).min(50), setting("LIFEBOAT_TEST_FILES", FILES));
    let first = (rows(&home.db()), files(&home.data()));
    let started = Instant::now();
    lifeboat(home.path(), &["snapshot", "--name", "here"]).ends_with(0);
    let whole = started.elapsed();
    home.change_everything(setting("LIFEBOAT_TEST_FILES", FILES));
    let second = (rows(&home.db()), files(&home.data()));
    let mut seed = 11;
    for round in 0..8 {
        let delay = whole.mul_f64((f64::from(round) + (random(&mut seed) % 1000) as f64 / 1000.0) / 8.0);
        kill_after(home.path(), &["snapshot", "--name", "here", "--replace"], delay);
        let document = lifeboat(home.path(), &["snapshot", "list", "--json"]).ends_with(0).json();
        let listed = document["snapshots"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "{document}");
        let path = PathBuf::from(listed[0]["path"].as_str().unwrap());
        let seen = (rows(&path.join("app.db")), files(&path));
        assert!(seen == first || seen == second, "killed after {delay:?}: neither the old one nor the new one");
    }
    lifeboat(home.path(), &["snapshot", "--name", "here", "--replace"]).ends_with(0);
    let mut names: Vec<_> = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".data"))
        .collect();
    names.sort();
    assert_eq!(names, [".data", ".data.here"]);
}
