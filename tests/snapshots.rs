//! Snapshots: named copies of a data directory, or of a database alone.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat::{ErrorKind, Migrator, Outcome, Problem, SnapshotOptions};
use rusqlite::Connection;

use crate::support::folder::Folder;
use crate::support::{Project, picture};

const NOTE: (&str, &str) = ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)");

/// A data directory `data` with a database of three notes, and files of several kinds.
pub struct Data {
    pub project: Project,
}

impl Data {
    pub fn new(wal: bool) -> Self {
        let data = Data { project: Project::with(&[NOTE]) };
        fs::create_dir_all(data.path().join("attachments/deep")).unwrap();
        if wal {
            data.sql("PRAGMA journal_mode = WAL");
        }
        data.migrator().at(data.db()).migrate().unwrap();
        data.sql("INSERT INTO note (body) VALUES ('one'), ('two'), ('three')");
        data.write("attachments/one.txt", "the first");
        data.write("attachments/deep/two.bin", [0_u8, 159, 146, 150]);
        data.write("settings.toml", "theme = \"dark\"");
        data.write("empty", "");
        fs::create_dir(data.path().join("nothing")).unwrap();
        data
    }

    /// The data directory.
    pub fn path(&self) -> PathBuf {
        self.project.path().join("data")
    }

    pub fn db(&self) -> PathBuf {
        self.path().join("app.db")
    }

    pub fn snapshot_path(&self, name: &str) -> PathBuf {
        self.project.path().join(format!("data.{name}"))
    }

    pub fn migrator(&self) -> Migrator {
        self.project.migrator().data_dir(self.path())
    }

    pub fn sql(&self, sql: &str) {
        Connection::open(self.db()).unwrap().execute_batch(sql).unwrap();
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).unwrap();
    }

    pub fn snapshot(&self, name: &str) -> lifeboat::Snapshot {
        self.migrator().at(self.db()).snapshot(name, SnapshotOptions::default()).unwrap()
    }
}

type Files = Vec<(PathBuf, Option<Vec<u8>>)>;

/// The files of a data directory, without what a snapshot leaves out, and the picture of its database.
pub fn state(folder: &Path) -> (Files, String) {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_owned();
            if name.starts_with("backups") || name.to_string_lossy().starts_with("app.db") {
                continue;
            }
            let kind = fs::symlink_metadata(&path).unwrap();
            if kind.is_symlink() {
                found.push((name, Some(fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())));
            } else if kind.is_dir() {
                found.push((name, None));
                folders.push(path);
            } else {
                found.push((name, Some(fs::read(&path).unwrap())));
            }
        }
    }
    found.sort();
    let picture = picture(&folder.join("app.db"));
    // A copy says nothing of the journal mode.
    (found, picture.lines().filter(|line| !line.starts_with("journal_mode")).map(|line| format!("{line}\n")).collect())
}

#[test]
fn a_snapshot_is_the_data_directory_without_backups_locks_and_logs() {
    for wal in [false, true] {
        let data = Data::new(wal);
        let open = Connection::open(data.db()).unwrap();
        open.execute_batch("INSERT INTO note (body) VALUES ('still in the log')").unwrap();
        let before = state(&data.path());
        let snapshot = data.snapshot("before-update");
        assert_eq!(state(&data.snapshot_path("before-update")), before);
        assert_eq!(state(&data.path()), before);
        let mut names: Vec<_> = fs::read_dir(&snapshot.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["app.db", "attachments", "empty", "nothing", "settings.toml"]);
        assert_eq!((snapshot.files, snapshot.rows), (4, Some(4)));
        assert_eq!(snapshot.schema_version.as_deref(), Some("V1__note"));
        assert!(snapshot.openable && snapshot.why_not.is_none());
        // A copy that is opened makes no log.
        assert_eq!(&fs::read(&snapshot.database).unwrap()[18..20], [1, 1]);
    }
}

#[test]
fn without_a_data_directory_the_database_alone_is_copied() {
    let data = Data::new(true);
    let migrator = data.project.migrator();
    let snapshot = migrator.at(data.db()).snapshot("alone", SnapshotOptions::default()).unwrap();
    assert_eq!(snapshot.path, data.path().join("app.db.alone"));
    assert_eq!(state(&data.path()).1, {
        fs::create_dir(data.project.path().join("x")).unwrap();
        fs::copy(&snapshot.path, data.project.path().join("x/app.db")).unwrap();
        state(&data.project.path().join("x")).1
    });
    assert!(!data.snapshot_path("alone").exists());
    let listed = migrator.at(data.db()).snapshots().unwrap();
    assert_eq!(listed.iter().map(|snapshot| snapshot.name.as_str()).collect::<Vec<_>>(), ["alone"]);
    let replace = SnapshotOptions::default().replace(true);
    data.sql("DELETE FROM note");
    assert_eq!(migrator.at(data.db()).snapshot("alone", replace).unwrap().rows, Some(0));
    migrator.at(data.db()).delete_snapshot("alone", SnapshotOptions::default()).unwrap();
    assert!(!snapshot.path.exists());
}

#[test]
fn a_name_that_is_taken_is_refused_unless_it_is_to_be_replaced() {
    let data = Data::new(true);
    data.snapshot("here");
    let before = Folder::of(&data.snapshot_path("here"));
    data.sql("DELETE FROM note WHERE id = 2");
    let migrator = data.migrator();
    let db = migrator.at(data.db());
    let error = db.snapshot("here", SnapshotOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::NameTaken, Outcome::Untouched));
    before.assert_unchanged();
    let replaced = db.snapshot("here", SnapshotOptions::default().replace(true)).unwrap();
    assert_eq!(replaced.rows, Some(2));
    assert_eq!(state(&replaced.path), state(&data.path()));
    // What is no snapshot is somebody's, and stays.
    fs::create_dir(data.snapshot_path("mine")).unwrap();
    fs::write(data.snapshot_path("mine").join("diary"), "x").unwrap();
    let error = db.snapshot("mine", SnapshotOptions::default().replace(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(fs::read(data.snapshot_path("mine").join("diary")).unwrap(), b"x");
    assert_eq!(db.delete_snapshot("mine", SnapshotOptions::default()).unwrap_err().kind(), ErrorKind::NoSuchCopy);
}

#[test]
fn the_example_is_replaced_and_deleted_only_with_leave() {
    let data = Data::new(false);
    data.snapshot("example");
    let migrator = data.migrator();
    let db = migrator.at(data.db());
    let replace = SnapshotOptions::default().replace(true);
    for error in [
        db.snapshot("example", replace).unwrap_err(),
        db.delete_snapshot("example", SnapshotOptions::default()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ReservedName);
        assert!(error.hint().unwrap().contains("--allow-example"));
    }
    data.sql("DELETE FROM note");
    assert_eq!(db.snapshot("example", replace.allow_example(true)).unwrap().rows, Some(0));
    db.delete_snapshot("example", SnapshotOptions::default().allow_example(true)).unwrap();
    assert!(!data.snapshot_path("example").exists());
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_ones_and_bad_names_are_refused() {
    let data = Data::new(false);
    for name in ["before-update", "2026", "\u{1f6df} ring"] {
        data.snapshot(name);
    }
    let migrator = data.migrator();
    let db = migrator.at(data.db());
    let error = db.delete_snapshot("before-updat", SnapshotOptions::default()).unwrap_err();
    let Problem::NoSuchCopy { known, .. } = error.problem() else { panic!("{error}") };
    assert_eq!(known.len(), 3);
    assert_eq!(known[0], "before-update");
    let untouched = Folder::of(data.project.path());
    for name in ["", "..", "../x", "a/b", "nul", "a.", &"x".repeat(200), "lifeboat-new"] {
        let error = db.snapshot(name, SnapshotOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadName, "{name}");
        let error = db.delete_snapshot(name, SnapshotOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSuchCopy, "{name}");
    }
    untouched.assert_unchanged();
}

#[test]
fn the_list_says_what_this_app_cannot_open() {
    let data = Data::new(false);
    data.snapshot("fits");
    data.snapshot("newer");
    let newer = Connection::open(data.snapshot_path("newer").join("app.db")).unwrap();
    let row = "INSERT INTO refinery_schema_history VALUES (9, 'later', '2026-01-01T00:00:00Z', '1')";
    newer.execute_batch(row).unwrap();
    drop(newer);
    data.snapshot("foreign");
    let pragma = |path: PathBuf, id: u32| {
        Connection::open(path).unwrap().execute_batch(&format!("PRAGMA application_id = {id}")).unwrap();
    };
    pragma(data.snapshot_path("foreign").join("app.db"), 7);
    pragma(data.db(), 8);
    data.snapshot("broken");
    fs::write(data.snapshot_path("broken").join("app.db"), "this is not a database at all").unwrap();
    let before = Folder::of(data.project.path());
    let migrator = data.migrator();
    let listed = migrator.at(data.db()).snapshots().unwrap();
    let said: Vec<_> = listed.iter().map(|one| (one.name.as_str(), one.why_not.clone().unwrap_or_default())).collect();
    assert_eq!(said.len(), 4);
    for ((name, why), wanted) in
        said.iter().zip(["is not a SQLite database", "", "is of another app", "is newer than this app"])
    {
        assert!(why.contains(wanted) && why.is_empty() == wanted.is_empty(), "{name}: {why}");
    }
    before.assert_unchanged();
}

#[cfg(unix)]
#[test]
fn links_are_copied_as_links_and_pipes_are_passed_over() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let data = Data::new(false);
    fs::write(data.project.path().join("outside"), "not ours").unwrap();
    symlink("../outside", data.path().join("link")).unwrap();
    symlink("nowhere", data.path().join("dangling")).unwrap();
    symlink(data.path().join("attachments"), data.path().join("folder")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(data.path().join("pipe")).status().unwrap().success());
    fs::set_permissions(data.path().join("settings.toml"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let warned = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let into = warned.clone();
    let migrator = data.migrator().on_event(move |event| {
        if let lifeboat::Event::Warning { message } = event {
            into.lock().unwrap().push_str(message);
        }
    });
    let snapshot = migrator.at(data.db()).snapshot("links", SnapshotOptions::default()).unwrap();
    assert!(warned.lock().unwrap().contains("pipe"));
    fs::remove_file(data.path().join("pipe")).unwrap();
    assert_eq!(state(&snapshot.path), state(&data.path()));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(snapshot.path.join("settings.toml")), 0o400);
    assert_eq!(mode(snapshot.path.clone()), 0o700);
}

#[test]
fn another_database_in_the_directory_is_copied_with_what_is_in_its_log_alone() {
    let data = Data::new(false);
    let cache = Connection::open(data.path().join("cache.sqlite")).unwrap();
    cache.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    cache.execute_batch("CREATE TABLE c (x); INSERT INTO c VALUES (1), (2)").unwrap();
    let snapshot = data.snapshot("two");
    assert!(!snapshot.path.join("cache.sqlite-wal").exists());
    let copy = Connection::open(snapshot.path.join("cache.sqlite")).unwrap();
    assert_eq!(copy.query_row("SELECT count(*) FROM c", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    // Looking at it did not drop its locks: a second writer is still shut out.
    cache.execute_batch("BEGIN IMMEDIATE").unwrap();
    data.snapshot("three");
    let other = Connection::open(data.path().join("cache.sqlite")).unwrap();
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    assert!(other.execute_batch("BEGIN IMMEDIATE").is_err());
}

#[test]
fn what_a_killed_process_left_is_found_or_cleared() {
    let data = Data::new(false);
    data.snapshot("kept");
    let before = state(&data.snapshot_path("kept"));
    // Killed between the old one's going and the new one's coming.
    fs::rename(data.snapshot_path("kept"), data.snapshot_path("kept.lifeboat-old")).unwrap();
    fs::create_dir(data.snapshot_path("kept.lifeboat-new")).unwrap();
    let migrator = data.migrator();
    let db = migrator.at(data.db());
    let listed = db.snapshots().unwrap();
    assert_eq!((listed[0].name.as_str(), state(&listed[0].path)), ("kept", before));
    assert_eq!(db.snapshot("kept", SnapshotOptions::default()).unwrap_err().kind(), ErrorKind::NameTaken);
    data.sql("DELETE FROM note");
    db.snapshot("kept", SnapshotOptions::default().replace(true)).unwrap();
    assert_eq!(state(&data.snapshot_path("kept")), state(&data.path()));
    assert!(!data.snapshot_path("kept.lifeboat-new").exists() && !data.snapshot_path("kept.lifeboat-old").exists());
    // Killed while one was going.
    fs::rename(data.snapshot_path("kept"), data.snapshot_path("kept.lifeboat-gone")).unwrap();
    assert!(db.snapshots().unwrap().is_empty());
    data.snapshot("kept");
    assert!(!data.snapshot_path("kept.lifeboat-gone").exists());
}

#[test]
fn a_data_directory_that_is_not_the_databases_is_refused() {
    let data = Data::new(false);
    fs::create_dir(data.project.path().join("other")).unwrap();
    let migrator = data.project.migrator().data_dir(data.project.path().join("other"));
    let error = migrator.at(data.db()).snapshot("x", SnapshotOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = data.migrator().at(data.path().join("none.db")).snapshot("x", SnapshotOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_cancelled_snapshot_leaves_nothing() {
    let data = Data::new(false);
    let token = lifeboat::CancelToken::new();
    let button = token.clone();
    let migrator = data.migrator().cancel(token).on_event(move |event| {
        if matches!(event, lifeboat::Event::SnapshotStarted { .. }) {
            button.cancel();
        }
    });
    let before = Folder::of(data.project.path());
    let error = migrator.at(data.db()).snapshot("never", SnapshotOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    before.assert_unchanged();
}
