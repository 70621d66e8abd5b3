//! A sound file in bad company: others that hold it, writers that died on it, logs of a file that is gone, a full disk.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use lifeboat::{ErrorKind, Outcome, Problem};
use rusqlite::Connection;

use crate::support::folder::Folder;
use crate::support::{Project, child, picture};

const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);"),
    ("V2__first_note", "INSERT INTO notes (body) SELECT text FROM old ORDER BY id LIMIT 1;"),
];

fn with_rows(count: usize) -> Project {
    let project = Project::with(MIGRATIONS);
    project.sql(&format!(
        "CREATE TABLE old (id INTEGER PRIMARY KEY, text TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO old SELECT i, printf('committed %d %.80c', i, 'x') FROM n;"
    ));
    project
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn ready_file(folder: &Path) -> std::path::PathBuf {
    folder.join("ready")
}

/// Waits to be killed.
fn hold(folder: &Path) -> ! {
    fs::write(ready_file(folder), b"").unwrap();
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn child_that_dies_in_a_transaction() {
    let Some(folder) = child::told() else { return };
    let connection = Connection::open(folder.join("app.db")).unwrap();
    connection
        .execute_batch(
            // So small a cache that the changed pages are in the file, and the journal synced, before the commit.
            "PRAGMA cache_size = 5; PRAGMA cache_spill = 1; PRAGMA wal_autocheckpoint = 0;
             INSERT INTO old (text) VALUES ('committed by the child');
             BEGIN; UPDATE old SET text = 'never committed ' || text; DELETE FROM old WHERE id % 2; CREATE TABLE never (a);",
        )
        .unwrap();
    hold(&folder)
}

#[test]
fn what_a_killed_writer_had_not_committed_is_in_neither_the_file_nor_the_backup() {
    for mode in ["DELETE", "PERSIST", "WAL"] {
        let project = with_rows(3000);
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let ready = ready_file(project.path());
        let mut writer = child::start("bad_surroundings::child_that_dies_in_a_transaction", project.path(), &ready);
        writer.kill().unwrap();
        writer.wait().unwrap();
        let left = if mode == "WAL" { "app.db-wal" } else { "app.db-journal" };
        assert!(fs::metadata(project.path().join(left)).unwrap().len() > 100_000, "{mode}: a log was left");
        let report = project.migrator().at(project.db()).migrate().unwrap();
        assert_eq!(report.outcome, Outcome::Migrated, "{mode}");
        for path in [project.db(), report.backup.unwrap()] {
            assert_eq!(number(&path, "SELECT count(*) FROM old"), 3001, "{mode}");
            assert_eq!(number(&path, "SELECT count(*) FROM old WHERE text LIKE 'committed %'"), 3001, "{mode}");
            assert_eq!(number(&path, "SELECT count(*) FROM sqlite_schema WHERE name = 'never'"), 0, "{mode}");
            picture(&path);
        }
        assert_eq!(project.number("SELECT count(*) FROM notes"), 1);
    }
}

#[test]
fn a_hot_journal_where_nothing_can_be_written_is_an_error_and_not_old_rows() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let project = with_rows(3000);
        let ready = ready_file(project.path());
        let mut writer = child::start("bad_surroundings::child_that_dies_in_a_transaction", project.path(), &ready);
        writer.kill().unwrap();
        writer.wait().unwrap();
        fs::set_permissions(project.db(), fs::Permissions::from_mode(0o444)).unwrap();
        fs::set_permissions(project.path(), fs::Permissions::from_mode(0o555)).unwrap();
        let error = project.migrator().at(project.db()).migrate().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::ReadOnly, Outcome::Untouched), "{error}");
        fs::set_permissions(project.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn child_that_holds_a_log_open() {
    let Some(folder) = child::told() else { return };
    let connection = Connection::open(folder.join("app.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA wal_autocheckpoint = 0; INSERT INTO old (text) VALUES ('committed into the log');
             BEGIN; SELECT count(*) FROM old;",
        )
        .unwrap();
    let first: i64 = connection.query_row("SELECT count(*) FROM old", [], |row| row.get(0)).unwrap();
    assert_eq!(first, 301);
    hold(&folder)
}

#[test]
fn a_log_that_another_process_holds_open_is_in_the_backup_and_in_nobody_s_way() {
    let project = with_rows(300);
    project.sql("PRAGMA journal_mode = WAL");
    let ready = ready_file(project.path());
    let mut reader = child::start("bad_surroundings::child_that_holds_a_log_open", project.path(), &ready);
    let main_file = fs::read(project.db()).unwrap();
    assert!(fs::metadata(project.path().join("app.db-wal")).unwrap().len() > 0);
    assert!(!main_file.windows(22).any(|bytes| bytes == b"committed into the log"));
    let started = Instant::now();
    let report = project.migrator().at(project.db()).migrate().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "it waited for the reader: {:?}", started.elapsed());
    assert_eq!(report.outcome, Outcome::Migrated);
    assert_eq!(number(&report.backup.unwrap(), "SELECT count(*) FROM old"), 301);
    // A failing run beside the same reader.
    project.write("V3__fails", "DELETE FROM old; INSERT INTO notes (body) VALUES (NULL);");
    let before = picture(&project.db());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(picture(&project.db()), before);
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn child_that_holds_the_write_lock() {
    let Some(folder) = child::told() else { return };
    let exclusive = folder.join("exclusive").exists();
    let connection = Connection::open(folder.join("app.db")).unwrap();
    connection.execute_batch(if exclusive { "BEGIN EXCLUSIVE" } else { "BEGIN IMMEDIATE" }).unwrap();
    connection.execute_batch("INSERT INTO old (text) VALUES ('of another program')").unwrap();
    hold(&folder)
}

#[test]
fn a_writer_that_stays_is_waited_for_and_then_named_as_the_cause() {
    for (mode, exclusive) in [("DELETE", false), ("DELETE", true), ("WAL", false), ("WAL", true)] {
        let project = with_rows(10);
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        if exclusive {
            fs::write(project.path().join("exclusive"), b"").unwrap();
        }
        let ready = ready_file(project.path());
        let mut writer = child::start("bad_surroundings::child_that_holds_the_write_lock", project.path(), &ready);
        let wait = Duration::from_millis(400);
        let started = Instant::now();
        let error = project.migrator().wait(wait).at(project.db()).migrate().unwrap_err();
        let took = started.elapsed();
        let text = error.to_string();
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Locked, Outcome::Untouched),
            "{mode} {exclusive}: {text}"
        );
        assert!(took >= wait && took < Duration::from_secs(4), "{mode} {exclusive}: {took:?}");
        assert!(text.contains(&format!("`{}` is in use", project.db().display())), "{text}");
        let Problem::Locked { waited, .. } = error.problem() else { unreachable!() };
        assert!(*waited >= wait && *waited <= took, "{mode} {exclusive}: {text}");
        assert!(error.hint().unwrap().contains("close the other program"), "{:?}", error.hint());
        assert_eq!(project.backups(), Vec::<String>::new());
        if mode == "DELETE" && exclusive {
            // Nobody can read it meanwhile either.
            let error = project.migrator().wait(wait).at(project.db()).status().unwrap_err();
            let Problem::Locked { waited, .. } = error.problem() else { panic!("{error}") };
            assert!(*waited >= wait, "{error}");
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let report = project.migrator().at(project.db()).migrate().unwrap();
        assert_eq!(report.outcome, Outcome::Migrated);
        assert_eq!(project.number("SELECT count(*) FROM old"), 10);
    }
}

#[test]
fn a_writer_that_ends_in_time_is_waited_for() {
    let project = with_rows(10);
    let writer = Connection::open(project.db()).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE; INSERT INTO old (text) VALUES ('in time')").unwrap();
    let (migrator, path) = (project.migrator(), project.db());
    let launch = std::thread::spawn(move || migrator.at(path).migrate().map(|report| report.backup));
    std::thread::sleep(Duration::from_millis(300));
    writer.execute_batch("COMMIT").unwrap();
    let backup = launch.join().unwrap().unwrap().unwrap();
    assert_eq!(number(&backup, "SELECT count(*) FROM old"), 11, "its row is in the backup");
    assert_eq!(project.number("SELECT count(*) FROM old"), 11);
}

#[test]
fn what_is_left_of_a_database_that_is_gone_is_kept_and_not_replayed() {
    for (mode, suffix) in [("WAL", "-wal"), ("DELETE", "-journal")] {
        let project = with_rows(3000);
        project.write("V2__first_note", "INSERT INTO notes (body) VALUES ('new');");
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let ready = ready_file(project.path());
        let mut writer = child::start("bad_surroundings::child_that_dies_in_a_transaction", project.path(), &ready);
        writer.kill().unwrap();
        writer.wait().unwrap();
        fs::remove_file(project.db()).unwrap();
        let stale = fs::read(project.path().join(format!("app.db{suffix}"))).unwrap();
        let before = Folder::of(project.path());
        let report = project.migrator().at(project.db()).migrate().unwrap();
        assert_eq!(report.outcome, Outcome::Created);
        picture(&project.db());
        assert_eq!(project.number("SELECT count(*) FROM notes"), 1);
        assert_eq!(project.number("SELECT count(*) FROM sqlite_schema WHERE name = 'old'"), 0);
        let kept: Vec<String> =
            before.new_names().into_iter().filter(|name| name.starts_with(&format!("app.db{suffix}.left-"))).collect();
        assert_eq!(kept.len(), 1, "{:?}", before.new_names());
        assert_eq!(fs::read(project.path().join(&kept[0])).unwrap(), stale, "not a byte of it is lost");
    }
}

/// A small file system of its own.
#[cfg(target_os = "linux")]
struct Disk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Disk {
    fn of(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::TempDir::with_prefix("lifeboat-disk-").unwrap();
        let option = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Disk(folder));
        }
        crate::support::skipped("a small file system cannot be mounted here");
        None
    }

    fn grow(&self, mebibytes: u32) {
        let option = format!("remount,size={mebibytes}m");
        assert!(Command::new("mount").args(["-o", &option]).arg(self.0.path()).status().unwrap().success());
    }

    fn db(&self) -> std::path::PathBuf {
        self.0.path().join("app.db")
    }

    /// A database of about as many MiB.
    fn fill(&self, mebibytes: u32, mode: &str) {
        let connection = Connection::open(self.db()).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = {mode}; CREATE TABLE old (id INTEGER PRIMARY KEY, text TEXT);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
                 INSERT INTO old SELECT i, hex(randomblob(500)) FROM n;",
                mebibytes * 1024
            ))
            .unwrap();
    }
}

#[cfg(target_os = "linux")]
impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_too_full_for_the_backup_is_refused_in_figures() {
    let Some(disk) = Disk::of(7) else { return };
    let project = Project::with(MIGRATIONS);
    disk.fill(4, "DELETE");
    let before = Folder::of(disk.0.path());
    let error = project.migrator().at(disk.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::NoSpace, Outcome::Untouched), "{error}");
    let Problem::NoSpace { available, needed, .. } = error.problem() else { unreachable!() };
    assert!(*needed > 4 << 20 && *needed < 6 << 20 && available < needed, "{available} {needed}");
    let text = error.to_string();
    assert!(text.contains(&disk.0.path().display().to_string()), "{text}");
    // As in "has 2.4 MiB free, and the backup needs 4.6 MiB": never the same figure twice.
    let figures: Vec<f64> =
        text.split(" MiB").filter_map(|part| part.rsplit(' ').next().and_then(|figure| figure.parse().ok())).collect();
    assert_eq!(figures.len(), 2, "{text}");
    assert!(figures[0] < figures[1] && figures[0] > 0.5, "{text}");
    assert!(error.hint().unwrap().contains("free some disk space"));
    before.assert_unchanged();
    disk.grow(100);
    let report = project.migrator().at(disk.db()).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::Migrated);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_during_a_migration_costs_nothing_and_space_mends_it() {
    for mode in ["DELETE", "WAL"] {
        for atomicity in [lifeboat::Atomicity::Run, lifeboat::Atomicity::Step] {
            let Some(disk) = Disk::of(24) else { return };
            disk.fill(4, mode);
            let project = Project::with(MIGRATIONS);
            project
                .write("V3__grows", "CREATE TABLE copy AS SELECT hex(randomblob(20000)) AS text FROM old LIMIT 1000;");
            let before = picture(&disk.db());
            let migrator = project.migrator().atomicity(atomicity);
            let error = migrator.at(disk.db()).migrate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StepFailed, "{mode}: {error}: {:?}", std::error::Error::source(&error));
            let outcome = if atomicity == lifeboat::Atomicity::Run { Outcome::RolledBack } else { Outcome::Restored };
            assert_eq!(error.outcome(), outcome, "{mode}: {error}");
            assert!(error.to_string().contains("V3__grows"), "{error}");
            assert!(error.hint().unwrap().contains("free some disk space"), "{:?}", error.hint());
            assert_eq!(picture(&disk.db()), before, "{mode}");
            assert_eq!(picture(error.backup().unwrap()).replace("delete", "wal"), before.replace("delete", "wal"));
            // A second launch does not fill the disk further.
            let used = Folder::of(disk.0.path());
            let error = migrator.at(disk.db()).migrate().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::StepFailed | ErrorKind::NoSpace), "{mode}: {error}");
            assert_eq!(picture(&disk.db()), before, "{mode}");
            assert_eq!(used.new_names(), Vec::<String>::new(), "{mode}");
            disk.grow(400);
            let report = migrator.at(disk.db()).migrate().unwrap();
            assert_eq!(report.outcome, Outcome::Migrated, "{mode}");
            assert_eq!(number(&disk.db(), "SELECT count(*) FROM copy"), 1000);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_database_on_a_full_disk_is_not_created_at_all() {
    let Some(disk) = Disk::of(3) else { return };
    let project =
        Project::with(&[("V1__large", "CREATE TABLE big (a); INSERT INTO big VALUES (randomblob(8000000));")]);
    let error = project.migrator().at(disk.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack), "{error}");
    let left: Vec<_> = fs::read_dir(disk.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "app.db-lifeboat" || name == "backups"), "{left:?}");
    disk.grow(50);
    assert_eq!(project.migrator().at(disk.db()).migrate().unwrap().outcome, Outcome::Created);
}

#[cfg(unix)]
#[test]
fn child_that_may_not_write_large_files() {
    let Some(folder) = child::told() else { return };
    let migrations = lifeboat::Migrations::from_dir(folder.join("migrations")).unwrap();
    let error = lifeboat::Migrator::new(migrations).at(folder.join("app.db")).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Untouched, "{error}");
    assert!(matches!(error.kind(), ErrorKind::Sqlite | ErrorKind::NoSpace | ErrorKind::Io), "{error}");
    assert!(error.to_string().contains(&folder.display().to_string()), "{error}");
    assert!(std::error::Error::source(&error).is_some() || error.kind() == ErrorKind::NoSpace);
}

/// `ulimit -f`: what the file system says is free is not what can be written.
#[cfg(unix)]
#[test]
fn a_copy_that_cannot_be_written_is_removed_and_the_file_untouched() {
    let project = with_rows(20_000);
    assert!(fs::metadata(project.db()).unwrap().len() > 1 << 20);
    let before = Folder::of(project.path());
    let program = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" --exact bad_surroundings::child_that_may_not_write_large_files --nocapture"])
        .arg(program)
        .env("LIFEBOAT_TEST_CHILD", project.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    before.assert_unchanged();
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
}
