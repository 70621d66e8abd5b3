//! Copies: whole by themselves, no more readable than their database, reused, rotated, never mixed up.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lifeboat::{Atomicity, ErrorKind, Migrator, Outcome};
use rusqlite::Connection;

use crate::child::{Job, What};
use crate::support::{Project, backups_in, picture, skipped};

const TABLE: (&str, &str) = ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);");

/// Fails when it runs, not when it is compiled.
const FAILS: &str = "INSERT INTO note (id, body) VALUES (1, 'a'), (1, 'b');";

fn with_rows() -> Project {
    let project = Project::with(&[TABLE]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one'), ('two')");
    project
}

#[test]
fn a_backup_of_a_wal_database_is_whole_by_itself() {
    let project = Project::with(&[TABLE]);
    let connection = Connection::open(project.db()).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE other (a); PRAGMA wal_autocheckpoint = 0")
        .unwrap();
    connection.execute_batch("INSERT INTO other SELECT value FROM generate_series(1, 10)").unwrap_or_else(|_| {
        connection.execute_batch("INSERT INTO other VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)").unwrap();
    });
    let report = project.migrator().at(project.db()).migrate().unwrap();
    let alone = project.path().join("elsewhere.db");
    fs::copy(report.backup.unwrap(), &alone).unwrap();
    let copy = Connection::open(&alone).unwrap();
    assert_eq!(copy.query_row("SELECT count(*) FROM other", [], |row| row.get::<_, i64>(0)).unwrap(), 10);
    assert_eq!(copy.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap(), "delete");
    // The other window sees the new schema in its next query, and the file is still in WAL mode.
    assert_eq!(connection.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    assert_eq!(connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap(), "wal");
    let names: Vec<_> = fs::read_dir(project.backups_dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "the copy, its metadata, the log of runs: {names:?}");
}

#[cfg(unix)]
#[test]
fn a_backup_is_no_more_readable_than_its_database() {
    use std::os::unix::fs::PermissionsExt;
    let project = with_rows();
    fs::set_permissions(project.db(), fs::Permissions::from_mode(0o600)).unwrap();
    project.write("V2__more", "ALTER TABLE note ADD COLUMN more TEXT;");
    let backup = project.migrator().at(project.db()).migrate().unwrap().backup.unwrap();
    for path in [backup.clone(), backup.with_extension("db.json")] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[test]
fn only_names_of_our_form_for_this_database_are_pruned() {
    let project = with_rows();
    fs::create_dir_all(project.backups_dir()).unwrap();
    let strangers = [
        "app-2020-01-01T00-00-00.sqlite",
        "other-2020-01-01T00-00-00.db",
        "app-before-the-holidays.db",
        "app-2020-01-01T00-00-00.db.old",
    ];
    for name in strangers {
        fs::write(project.backups_dir().join(name), "kept").unwrap();
    }
    for version in 2..=9 {
        project.write(&format!("V{version}__more"), "INSERT INTO note (body) VALUES ('x');");
        project.migrator().keep(2).at(project.db()).migrate().unwrap();
    }
    let left = project.backups();
    for name in strangers {
        assert!(left.contains(&name.to_owned()), "{name}");
    }
    assert_eq!(left.len(), strangers.len() + 2);
}

#[test]
fn two_databases_in_one_folder_do_not_share_backups() {
    let project = with_rows();
    let other = project.path().join("app.sqlite");
    fs::copy(project.db(), &other).unwrap();
    for version in 2..=8 {
        project.write(&format!("V{version}__more"), "INSERT INTO note (body) VALUES ('x');");
        project.migrator().keep(3).at(project.db()).migrate().unwrap();
        project.migrator().keep(3).at(&other).migrate().unwrap();
    }
    let count = |ending: &str| backups_in(&project.backups_dir()).iter().filter(|name| name.ends_with(ending)).count();
    assert_eq!((count(".db"), count(".sqlite")), (3, 3));
}

#[test]
fn without_a_backup_a_run_of_several_transactions_is_refused() {
    let project = with_rows();
    project.write("V2__compact", "-- lifeboat: no-transaction\nVACUUM;");
    let before = picture(&project.db());
    let error = project.migrator().no_backup().at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::Untouched));
    assert_eq!(picture(&project.db()), before);
    project.write("V2__compact", "CREATE TABLE other (a);");
    assert_eq!(project.migrator().no_backup().at(project.db()).migrate().unwrap().backup, None);
    assert!(project.backups().is_empty());
}

/// Two profiles of one app, each with its `app.db`, and one folder for the backups of both.
struct Profiles {
    one: Project,
    two: Project,
    folder: tempfile::TempDir,
}

impl Profiles {
    fn new() -> Self {
        let (one, two) = (with_rows(), with_rows());
        one.sql("UPDATE note SET body = 'of one: ' || body");
        two.sql("UPDATE note SET body = 'of two: ' || body");
        Profiles { one, two, folder: tempfile::tempdir().unwrap() }
    }

    fn migrator(&self, project: &Project, keep: usize) -> Migrator {
        project.migrator().backups(self.folder.path(), keep)
    }
}

#[test]
fn two_profiles_that_copy_at_the_same_time_get_their_own_rows_back() {
    let profiles = Profiles::new();
    for project in [&profiles.one, &profiles.two] {
        project.write("V2__stars", "ALTER TABLE note ADD COLUMN stars;");
        project.write("V3__fails", FAILS);
    }
    let befores = [&profiles.one, &profiles.two].map(|project| picture(&project.db()));
    let other = profiles.migrator(&profiles.two, 5).atomicity(Atomicity::Step);
    let other_db = profiles.two.db();
    let ran = Arc::new(AtomicI64::new(0));
    let count = Arc::clone(&ran);
    // The other profile's whole launch happens while this one's copy is being checked, before it has its name.
    let migrator = profiles.migrator(&profiles.one, 5).atomicity(Atomicity::Step).on_event(move |event| {
        if format!("{event:?}").contains("the backup") && count.fetch_add(1, Ordering::SeqCst) == 0 {
            let error = other.at(&other_db).migrate().unwrap_err();
            assert_eq!(error.outcome(), Outcome::Restored, "{error}");
        }
    });
    let error = migrator.at(profiles.one.db()).migrate().unwrap_err();
    assert!(ran.load(Ordering::SeqCst) > 0);
    assert_eq!(error.outcome(), Outcome::Restored, "{error}");
    assert_eq!(picture(&profiles.one.db()), befores[0]);
    assert_eq!(picture(&profiles.two.db()), befores[1]);
    assert_eq!(picture(error.backup().unwrap()), befores[0]);
    let of_two = profiles.migrator(&profiles.two, 5).at(profiles.two.db()).backups().unwrap();
    assert_eq!(of_two.len(), 1, "each sees its own");
    assert_eq!(picture(&of_two[0].path), befores[1]);
    assert_eq!(fs::read_dir(profiles.folder.path()).unwrap().count(), 2 + 2 + 1, "no copy in the making is left");
}

#[test]
fn another_profile_does_not_take_away_what_undoes_an_interrupted_run() {
    let profiles = Profiles::new();
    let (one, two) = (&profiles.one, &profiles.two);
    one.write("V2__stars", "ALTER TABLE note ADD COLUMN stars;");
    one.write("V3__more", "INSERT INTO note (body) VALUES ('more');");
    let before = picture(&one.db());
    // A run that is cut off before its second step: the state of the file and of the folder at that moment.
    let (db, folder, cut) = (one.db(), profiles.folder.path().to_owned(), tempfile::tempdir().unwrap());
    let kept = cut.path().to_owned();
    let migrator = profiles.migrator(one, 5).atomicity(Atomicity::Step).on_event(move |event| {
        if format!("{event:?}").starts_with("StepStarted { name: \"V3") {
            fs::copy(&db, kept.join("app.db")).unwrap();
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                fs::copy(&path, kept.join(path.file_name().unwrap())).unwrap();
            }
        }
    });
    migrator.at(one.db()).migrate().unwrap();
    for entry in fs::read_dir(cut.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        let to = if name == "app.db" { one.db() } else { profiles.folder.path().join(name) };
        fs::copy(&path, to).unwrap();
    }
    assert_eq!(one.number("SELECT count(*) FROM lifeboat_ledger WHERE is_open = 1"), 1);
    // The other profile fails, goes on, and keeps one copy at the most.
    two.write("V2__fails", FAILS);
    profiles.migrator(two, 1).at(two.db()).migrate().unwrap_err();
    two.remove("V2__fails");
    for version in 2..6 {
        two.write(&format!("V{version}__more"), "INSERT INTO note (body) VALUES ('x');");
        profiles.migrator(two, 1).at(two.db()).migrate().unwrap();
    }
    assert_eq!(profiles.migrator(two, 1).at(two.db()).backups().unwrap().len(), 1);
    let report = profiles.migrator(one, 5).at(one.db()).recover().unwrap();
    assert_eq!(report.outcome, Outcome::Restored);
    assert_eq!(picture(&one.db()), before);
}

#[test]
fn a_copy_of_the_same_content_from_another_profile_is_not_reused() {
    let profiles = Profiles::new();
    let (one, two) = (&profiles.one, &profiles.two);
    fs::copy(one.db(), two.db()).unwrap();
    for project in [one, two] {
        project.write("V2__more", "INSERT INTO note (body) VALUES ('x');");
    }
    let of_one = profiles.migrator(one, 5).at(one.db()).migrate().unwrap().backup.unwrap();
    // A copy of which nobody knows whose it is.
    let unknown = profiles.folder.path().join("app-2020-01-01T00-00-00.db");
    fs::copy(&of_one, &unknown).unwrap();
    let of_two = profiles.migrator(two, 1).at(two.db()).migrate().unwrap().backup.unwrap();
    assert_ne!(of_one, of_two);
    assert!(of_one.exists() && unknown.exists());
}

#[test]
fn backups_that_moved_with_their_data_directory_are_still_rotated() {
    let project = with_rows();
    project.write("V2__more", "INSERT INTO note (body) VALUES ('x');");
    let first = project.migrator().at(project.db()).migrate().unwrap().backup.unwrap();
    let moved = Project::new();
    fs::rename(project.db(), moved.db()).unwrap();
    fs::rename(project.backups_dir(), moved.backups_dir()).unwrap();
    // What a process left that was killed at the old place.
    fs::write(moved.backups_dir().join(".app.db.0123abcd.partial"), "torn").unwrap();
    moved.write("V1__note", TABLE.1);
    moved.write("V2__more", "INSERT INTO note (body) VALUES ('x');");
    moved.write("V3__more", "INSERT INTO note (body) VALUES ('x');");
    let second = moved.migrator().keep(1).at(moved.db()).migrate().unwrap().backup.unwrap();
    assert_eq!(moved.backups(), [second.file_name().unwrap().to_string_lossy()]);
    assert_ne!(first.file_name(), second.file_name());
}

#[cfg(unix)]
#[test]
fn a_copy_that_is_reused_is_no_more_readable_than_its_database_is_now() {
    use std::os::unix::fs::PermissionsExt;
    let project = with_rows();
    fs::set_permissions(project.db(), fs::Permissions::from_mode(0o644)).unwrap();
    project.write("V2__fails", FAILS);
    let taken = project.migrator().at(project.db()).migrate().unwrap_err().backup().unwrap().to_owned();
    let modes = || {
        [taken.clone(), taken.with_extension("db.json")]
            .map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777)
    };
    assert_eq!(modes(), [0o644, 0o644]);
    fs::set_permissions(project.db(), fs::Permissions::from_mode(0o600)).unwrap();
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!(error.backup(), Some(taken.as_path()), "reused");
    assert_eq!(modes(), [0o600, 0o600]);
}

#[test]
fn a_hook_that_keeps_journals_leaves_none_beside_the_backups() {
    for mode in ["PERSIST", "TRUNCATE", "WAL", "DELETE"] {
        let project = Project::with(&[TABLE]);
        project.sql("PRAGMA page_size = 1024; VACUUM; PRAGMA journal_mode = DELETE");
        project.migrator().at(project.db()).migrate().unwrap();
        project.sql("INSERT INTO note (body) VALUES ('one'), ('two')");
        let before = picture(&project.db());
        project.write("V2__stars", "ALTER TABLE note ADD COLUMN stars;");
        project.write("V3__fails", FAILS);
        // It asks for the answer, so that it cannot be passed over.
        let migrator = || {
            let set = move |connection: &Connection| {
                connection
                    .query_row(&format!("PRAGMA journal_mode = {mode}"), [], |row| row.get::<_, String>(0))
                    .map(drop)
            };
            project.migrator().on_connect(set)
        };
        let error = migrator().atomicity(Atomicity::Step).at(project.db()).migrate().unwrap_err();
        assert_eq!(error.outcome(), Outcome::Restored, "{mode}: {error}");
        let copy = error.backup().unwrap().to_owned();
        let rows = |text: &str| text.replace("\"wal\"", "\"delete\"");
        assert_eq!(&fs::read(&copy).unwrap()[18..20], &[1, 1], "{mode}: no log is needed to read it");
        assert_eq!(picture(&copy), before, "{mode}");
        assert_eq!(rows(&picture(&project.db())), before, "{mode}");
        project.remove("V3__fails");
        let report = migrator().at(project.db()).migrate().unwrap();
        assert_eq!(&fs::read(report.backup.unwrap()).unwrap()[18..20], &[1, 1], "{mode}");
        let names: Vec<_> = fs::read_dir(project.backups_dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 5, "{mode}: two copies, their metadata, the log of runs: {names:?}");
    }
}

fn open(project: &Project) -> Connection {
    Connection::open(project.db()).unwrap()
}

/// The copy reads the file by a descriptor of its own. Closing it would drop the locks of the whole process on the file.
#[test]
fn a_copy_takes_no_lock_away_from_the_app_that_has_the_file_open() {
    for mode in ["delete", "wal"] {
        let project = with_rows();
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let before = picture(&project.db());
        let app = Connection::open(project.db()).unwrap();
        app.execute_batch("BEGIN IMMEDIATE; UPDATE note SET body = 'not committed yet'").unwrap();
        let migrator = project.migrator();
        for reason in ["one", "two"] {
            let copy = migrator.at(project.db()).backup(Some(reason)).unwrap();
            assert_eq!(picture(&copy.path).replace("\"delete\"", &format!("\"{mode}\"")), before, "{mode}");
        }
        project.write("V2__stars", "ALTER TABLE note ADD COLUMN stars;");
        let other = Job { wait_ms: 200, ..Job::new(What::Migrate, project.path()) }.start().end();
        assert_eq!(other.outcome, "untouched", "{mode}: another process found the lock gone");
        app.execute_batch("COMMIT").unwrap();
        drop(app);
        assert_eq!(project.migrator().at(project.db()).status().unwrap().pending_migrations.len(), 1, "{mode}");
        assert_eq!(project.number("SELECT count(*) FROM note WHERE body = 'not committed yet'"), 2, "{mode}");
        let checked: String = open(&project).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(checked, "ok", "{mode}");
    }
}

/// A log that somebody reads cannot be emptied; then the file alone is not the database, and is not what is copied.
#[test]
fn a_copy_has_what_only_the_log_has() {
    let project = with_rows();
    project.sql("PRAGMA journal_mode = WAL");
    let reader = open(&project);
    reader.execute_batch("BEGIN; SELECT count(*) FROM note").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
    let writer = open(&project);
    writer.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO note (body) VALUES ('in the log alone')").unwrap();
    let copy = project.migrator().at(project.db()).backup(None).unwrap();
    let rows: i64 =
        Connection::open(&copy.path).unwrap().query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 3);
    drop((reader, writer));
    // And without it the next copy is of the file: the same content, so the same copy.
    let report = project.migrator().at(project.db()).backup(None).unwrap();
    assert_eq!(report.name(), copy.name());
}

/// A file system of our own, for as long as this lives.
#[cfg(target_os = "linux")]
struct Mounted {
    folder: tempfile::TempDir,
}

#[cfg(target_os = "linux")]
impl Mounted {
    /// XFS, on which files can share blocks; nothing, where it cannot be had.
    fn xfs() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(1 << 30).unwrap();
        fs::create_dir(folder.path().join("mounted")).unwrap();
        let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
            let output = std::process::Command::new(program).args(arguments).output();
            output.is_ok_and(|output| output.status.success())
        };
        let mounted = run("mkfs.xfs", &["-q".as_ref(), "-m".as_ref(), "reflink=1".as_ref(), image.as_ref()])
            && run("mount", &["-o".as_ref(), "loop".as_ref(), image.as_ref(), folder.path().join("mounted").as_ref()]);
        mounted.then_some(Mounted { folder })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the copy's descriptor on the database stays open as long as the process.
        let _ = std::process::Command::new("umount").arg("-l").arg(self.folder.path().join("mounted")).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_copy_that_shares_its_blocks_is_not_read_but_checked_before_it_is_put_back() {
    let Some(mounted) = Mounted::xfs() else {
        return skipped("copies that share blocks: they need root, `mkfs.xfs` and loop devices");
    };
    let project = Project::inside(&mounted.folder.path().join("mounted"));
    project.write(TABLE.0, TABLE.1);
    let migrator = || project.migrator();
    migrator().at(project.db()).migrate().unwrap();
    project.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 140)
         INSERT INTO note (body) SELECT hex(randomblob(524288)) FROM n",
    );
    let before = picture(&project.db());
    project.write("V2__stars", "ALTER TABLE note ADD COLUMN stars;");
    let copy = migrator().at(project.db()).migrate().unwrap().backup.unwrap();
    let listed = migrator().at(project.db()).backups().unwrap();
    assert_eq!(listed[0].metadata.as_ref().unwrap().sha256, None, "it was not read");
    assert_eq!(picture(&copy), before);
    assert_eq!(
        project.number("SELECT count(*) FROM pragma_table_info('note')"),
        3,
        "and the copy did not change along"
    );
    // Of a run of several transactions the copy is the only way back: it is known by its hash.
    project.write("V3__more", "UPDATE note SET stars = 1 WHERE id = 1;");
    project.write("V4__fails", FAILS);
    let middle = picture(&project.db());
    let error = migrator().atomicity(Atomicity::Step).at(project.db()).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Restored, "{error}");
    assert_eq!(picture(&project.db()), middle);
    let listed = migrator().at(project.db()).backups().unwrap();
    assert!(listed.last().unwrap().metadata.as_ref().unwrap().sha256.is_some());
}
