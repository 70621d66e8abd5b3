//! Going back to a snapshot or a backup.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat::{ErrorKind, Migrations, Outcome, Problem, RestoreFrom, RestoreOptions, RestoreReport};
use rusqlite::Connection;

use crate::snapshots::{Data, state};
use crate::support::folder::Folder;
use crate::support::picture;

fn named(name: &str) -> RestoreFrom {
    RestoreFrom::Snapshot(name.to_owned())
}

fn restore(data: &Data, from: &RestoreFrom) -> RestoreReport {
    data.migrator().at(data.db()).restore(from, RestoreOptions::default()).unwrap()
}

/// Changes everything.
fn change(data: &Data) {
    data.sql("DELETE FROM note WHERE id = 1; UPDATE note SET body = 'changed'; CREATE TABLE extra (x)");
    data.write("attachments/one.txt", "changed");
    fs::remove_file(data.path().join("attachments/deep/two.bin")).unwrap();
    fs::remove_dir(data.path().join("attachments/deep")).unwrap();
    data.write("attachments/deep", "a file where a folder was");
    fs::remove_file(data.path().join("empty")).unwrap();
    fs::create_dir(data.path().join("empty")).unwrap();
    data.write("empty/not", "x");
    data.write("added.txt", "added");
    fs::remove_dir(data.path().join("nothing")).unwrap();
}

fn leftovers(data: &Data) {
    assert!(!data.path().join("app.db-lifeboat-restore").exists());
    let ledger = "SELECT count(*) FROM lifeboat_ledger WHERE kind = 'restore'";
    let open: i64 = Connection::open(data.db()).unwrap().query_row(ledger, [], |row| row.get(0)).unwrap();
    assert_eq!(open, 0);
}

#[test]
fn a_restore_brings_database_and_files_back_and_a_restore_undoes_it() {
    for wal in [false, true] {
        let data = Data::new(wal);
        let window = Connection::open(data.db()).unwrap();
        let old = state(&data.path());
        data.snapshot("old");
        change(&data);
        let changed = state(&data.path());
        let mode = picture(&data.db()).lines().rfind(|line| line.starts_with("journal_mode")).unwrap().to_owned();

        let report = restore(&data, &named("old"));
        assert_eq!(report.kept_files, [PathBuf::from("added.txt")]);
        assert!(report.removed_files.is_empty());
        fs::remove_file(data.path().join("added.txt")).unwrap();
        assert_eq!(state(&data.path()), old);
        data.write("added.txt", "added");
        assert!(picture(&data.db()).contains(&mode), "the journal mode stays");
        let rows: i64 = window.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 3, "a window that was open sees it");
        leftovers(&data);

        let backup = report.backup.unwrap();
        let undone = data.migrator().at(data.db()).restore(&RestoreFrom::Latest, RestoreOptions::default().exact(true));
        let undone = undone.unwrap();
        assert_eq!(undone.from, backup);
        assert_eq!(state(&data.path()), changed);
        leftovers(&data);

        let report =
            data.migrator().at(data.db()).restore(&named("old"), RestoreOptions::default().exact(true)).unwrap();
        assert_eq!(report.removed_files, [PathBuf::from("added.txt")]);
        assert_eq!(state(&data.path()), old);
        data.migrator().at(data.db()).restore(&RestoreFrom::Latest, RestoreOptions::default().exact(true)).unwrap();
        assert_eq!(state(&data.path()), changed, "what left comes back");
        leftovers(&data);
    }
}

#[test]
fn a_lone_file_is_restored_alone() {
    let data = Data::new(true);
    let migrator = data.project.migrator();
    let db = migrator.at(data.db());
    db.snapshot("alone", lifeboat::SnapshotOptions::default()).unwrap();
    let old = picture(&data.db());
    change(&data);
    let files = state(&data.path()).0;
    let report = db.restore(&named("alone"), RestoreOptions::default()).unwrap();
    assert_eq!(picture(&data.db()), old);
    assert_eq!(state(&data.path()).0, files);
    assert_eq!((report.brought_files, report.kept_files.len()), (0, 0));
    leftovers(&data);
}

#[test]
fn backups_are_restored_by_their_place_in_the_list_by_their_name_and_by_their_path() {
    let data = Data::new(false);
    let mut pictures = vec![picture(&data.db())];
    for number in 0..3 {
        data.snapshot("now");
        data.sql(&format!("INSERT INTO note (body) VALUES ('{number}')"));
        pictures.push(picture(&data.db()));
        restore(&data, &named("now")); // backs up what is there
        data.migrator().at(data.db()).delete_snapshot("now", lifeboat::SnapshotOptions::default()).unwrap();
    }
    let migrator = data.migrator();
    let db = migrator.at(data.db());
    let backups = db.backups().unwrap();
    assert_eq!(backups.len(), 3);
    let by_name = RestoreFrom::File(PathBuf::from(backups[0].name()));
    db.restore(&by_name, RestoreOptions::default()).unwrap();
    assert_eq!(picture(&data.db()), pictures[1]);
    db.restore(&RestoreFrom::File(backups[1].path.clone()), RestoreOptions::default()).unwrap();
    assert_eq!(picture(&data.db()), pictures[2]);
    let backups = db.backups().unwrap();
    db.restore(&RestoreFrom::Nth(2), RestoreOptions::default()).unwrap();
    assert_eq!(fs::read(&backups[backups.len() - 2].path).unwrap().len() as u64, backups[backups.len() - 2].size);
    let error = db.restore(&RestoreFrom::Nth(99), RestoreOptions::default()).unwrap_err();
    let Problem::NoSuchCopy { known, .. } = error.problem() else { panic!("{error}") };
    assert_eq!(known.first(), Some(&db.backups().unwrap().last().unwrap().name()));
    assert_eq!(db.restore(&RestoreFrom::Nth(0), RestoreOptions::default()).unwrap_err().kind(), ErrorKind::NoSuchCopy);
}

/// The restore is refused, and every file is byte for byte what it was.
fn refused(data: &Data, from: &RestoreFrom, kind: ErrorKind) -> lifeboat::Error {
    let before = Folder::of(data.project.path());
    let migrator = data.migrator();
    let error = migrator.at(data.db()).restore(from, RestoreOptions::default().exact(true)).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Untouched), "{error}");
    fs::remove_file(data.path().join("backups/runs.jsonl")).unwrap_or_default();
    before.assert_unchanged();
    error
}

#[test]
fn a_copy_that_is_damaged_foreign_or_newer_is_refused_and_the_file_is_untouched() {
    let data = Data::new(false);
    data.sql(
        "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 2000)
              INSERT INTO note (body) SELECT hex(randomblob(50)) FROM n; PRAGMA application_id = 77",
    );
    let _ = fs::remove_file(data.path().join("backups/runs.jsonl"));
    data.snapshot("copy");
    let copy = data.snapshot_path("copy").join("app.db");
    let whole = fs::read(&copy).unwrap();
    change(&data);

    let mut torn = whole.clone();
    torn[20 * 4096..24 * 4096].fill(0xa5);
    fs::write(&copy, &torn).unwrap();
    let error = refused(&data, &named("copy"), ErrorKind::Corrupt);
    let Problem::Corrupt { path, .. } = error.problem() else { panic!() };
    assert_eq!(*path, copy);
    fs::write(&copy, &whole[..whole.len() / 2]).unwrap();
    refused(&data, &named("copy"), ErrorKind::Corrupt);
    fs::write(&copy, "only text").unwrap();
    refused(&data, &named("copy"), ErrorKind::NotADatabase);
    fs::write(&copy, &whole).unwrap();

    let change_copy = |sql: &str| Connection::open(&copy).unwrap().execute_batch(sql).unwrap();
    change_copy("PRAGMA application_id = 78");
    refused(&data, &named("copy"), ErrorKind::ForeignCopy);
    change_copy("PRAGMA application_id = 0; INSERT INTO refinery_schema_history VALUES (9, 'later', 'x', '1')");
    refused(&data, &named("copy"), ErrorKind::Newer);
    refused(&data, &named("cop"), ErrorKind::NoSuchCopy);
    refused(&data, &RestoreFrom::File(data.db()), ErrorKind::Unsupported);
    refused(&data, &RestoreFrom::File(data.path()), ErrorKind::NoSuchCopy);
    // An app that says nothing of its migrations is too old for none.
    let any = lifeboat::Migrator::new(Migrations::none()).data_dir(data.path());
    any.at(data.db()).restore(&named("copy"), RestoreOptions::default()).unwrap();
}

#[test]
fn after_a_restore_to_an_older_schema_the_hint_says_what_migrating_would_do() {
    let data = Data::new(false);
    data.snapshot("old");
    data.project.write("V2__more", "CREATE TABLE more (x)");
    data.migrator().at(data.db()).migrate().unwrap();
    let report = restore(&data, &named("old"));
    assert_eq!(report.pending_migrations, ["V2__more"]);
    assert!(report.hint.unwrap().contains("1 migration: `V2__more`"));
    assert_eq!(data.migrator().at(data.db()).migrate().unwrap().results.len(), 1);
}

#[test]
fn a_database_that_is_gone_is_made_again_and_a_log_beside_its_name_is_not_replayed() {
    for wal in [false, true] {
        let data = Data::new(wal);
        let old = state(&data.path());
        data.snapshot("old");
        fs::remove_file(data.db()).unwrap();
        data.write("app.db-wal", "a log of something else");
        data.write("settings.toml", "changed");
        let report = restore(&data, &named("old"));
        assert_eq!(report.backup, None);
        assert_eq!(state(&data.path()), {
            let mut old = old.clone();
            old.0.sort();
            old
        });
        leftovers(&data);
        // What the files were is kept all the same.
        let kept = fs::read_dir(data.path().join("backups")).unwrap().filter_map(|entry| {
            let kept = entry.unwrap().path().join("files/settings.toml");
            fs::read_to_string(kept).ok()
        });
        assert_eq!(kept.collect::<Vec<_>>(), ["changed"]);
    }
}

#[test]
fn a_whole_data_directory_that_is_gone_comes_back() {
    let data = Data::new(true);
    let old = state(&data.path());
    data.snapshot("old");
    fs::remove_dir_all(data.path()).unwrap();
    restore(&data, &named("old"));
    assert_eq!(state(&data.path()), old);
    assert!(data.migrator().at(data.db()).migrate().unwrap().results.is_empty());
}

#[test]
fn a_damaged_database_is_kept_with_its_log_and_replaced() {
    let data = Data::new(true);
    let old = state(&data.path());
    data.snapshot("old");
    let pages = |damage: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(data.db()).unwrap();
        damage(&mut bytes);
        let _ = fs::remove_file(data.path().join("app.db-wal"));
        let _ = fs::remove_file(data.path().join("app.db-shm"));
        fs::write(data.db(), &bytes).unwrap();
        bytes
    };
    for (what, damage) in [
        ("its header is gone", (&|bytes: &mut Vec<u8>| bytes[..100].fill(0)) as &dyn Fn(&mut Vec<u8>)),
        ("it is cut short", &|bytes| bytes.truncate(5000)),
        ("it is something else", &|bytes| *bytes = b"a letter that somebody saved under this name".repeat(30)),
        ("its pages are garbage", &|bytes| bytes[4096..].fill(0x5a)),
    ] {
        let damaged = pages(damage);
        let report = restore(&data, &named("old"));
        assert_eq!(state(&data.path()), old, "{what}");
        match (&report.aside, &report.backup) {
            (Some(aside), None) => assert_eq!(fs::read(aside).unwrap(), damaged, "{what}"),
            (None, Some(backup)) => assert_eq!(fs::read(backup).unwrap().len(), damaged.len(), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        // The old window's log is gone with the file that it belonged to.
        Connection::open(data.db()).unwrap().query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        leftovers(&data);
    }
}

#[test]
fn an_empty_file_whose_log_has_all_its_data_is_kept_with_it() {
    let data = Data::new(true);
    let old = state(&data.path());
    data.snapshot("old");
    let window = Connection::open(data.db()).unwrap();
    window.execute_batch("INSERT INTO note (body) VALUES ('in the log')").unwrap();
    let log = fs::read(data.path().join("app.db-wal")).unwrap();
    drop(window);
    fs::write(data.db(), "").unwrap();
    fs::write(data.path().join("app.db-wal"), &log).unwrap();
    let aside = restore(&data, &named("old")).aside.unwrap();
    assert_eq!(state(&data.path()), old);
    assert_eq!(fs::read(format!("{}-wal", aside.display())).unwrap(), log);
}

#[cfg(unix)]
#[test]
fn a_file_whose_run_was_cut_off_can_be_restored_and_a_refusal_leaves_that_run_its_way_back() {
    use crate::child::{Job, What};
    let project =
        crate::support::Project::with(&[("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)")]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one')");
    let old = picture(&project.db());
    project.migrator().at(project.db()).snapshot("old", lifeboat::SnapshotOptions::default()).unwrap();
    project.write("V2__stars", "ALTER TABLE note ADD COLUMN stars");
    project.write("V3__more", "CREATE TABLE more (id)");
    let job =
        Job { step: true, kill_on: "StepStarted { name: \"V3".to_owned(), ..Job::new(What::Migrate, project.path()) };
    assert!(job.run().killed);
    let migrator = project.migrator();
    let db = migrator.at(project.db());
    assert!(db.status().unwrap().interrupted);
    let error = db.snapshot("between", lifeboat::SnapshotOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let original = db.backups().unwrap().pop().unwrap();

    // Somebody holds a lock at the moment when the copy is to be put into place.
    let token = lifeboat::CancelToken::new();
    let button = token.clone();
    let cancelled = project.migrator().cancel(token).on_event(move |event| {
        if matches!(event, lifeboat::Event::BackupFinished { .. }) {
            button.cancel();
        }
    });
    let error = cancelled.at(project.db()).restore(&named("old"), RestoreOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Cancelled, Outcome::Untouched));
    assert!(db.status().unwrap().interrupted && original.path.exists());

    let report = db.restore(&named("old"), RestoreOptions::default()).unwrap();
    assert_eq!(picture(&project.db()), old);
    // Going back to what was between is no interruption.
    db.restore(&RestoreFrom::File(report.backup.unwrap()), RestoreOptions::default()).unwrap();
    assert!(!db.status().unwrap().interrupted);
}

#[test]
fn a_database_in_use_is_waited_for_and_then_refused() {
    for wal in [false, true] {
        let data = Data::new(wal);
        data.snapshot("old");
        change(&data);
        let before = state(&data.path());
        let backups = data.migrator().at(data.db()).backups().unwrap().len();
        let other = Connection::open(data.db()).unwrap();
        let lock = if wal { "BEGIN IMMEDIATE" } else { "BEGIN; SELECT * FROM note" };
        other.execute_batch("INSERT INTO note (body) VALUES ('unseen')").unwrap();
        other.execute_batch("DELETE FROM note WHERE body = 'unseen'").unwrap();
        other.execute_batch(lock).unwrap();
        let mut reading = (!wal).then(|| other.prepare("SELECT * FROM note").unwrap());
        let _rows = reading.as_mut().map(|statement| {
            let mut rows = statement.query([]).unwrap();
            assert!(rows.next().unwrap().is_some());
            rows
        });
        let migrator = data.migrator().wait(Duration::from_millis(150));
        let error = migrator.at(data.db()).restore(&named("old"), RestoreOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Locked, Outcome::Untouched), "{error}");
        drop(_rows);
        drop(reading);
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(state(&data.path()), before);
        assert_eq!(data.migrator().at(data.db()).backups().unwrap().len(), backups, "no copy of what did not change");
        assert!(!data.path().join("app.db-lifeboat-restore").exists());
    }
}

#[test]
fn another_page_size_is_restored_too() {
    for wal in [false, true] {
        let data = Data::new(wal);
        data.snapshot("old");
        let copy = data.snapshot_path("old").join("app.db");
        Connection::open(&copy).unwrap().execute_batch("PRAGMA page_size = 8192; VACUUM").unwrap();
        change(&data);
        let mode = |path: &Path| -> String {
            Connection::open(path).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap()
        };
        let before = mode(&data.db());
        restore(&data, &named("old"));
        assert_eq!(mode(&data.db()), before);
        assert_eq!(state(&data.path()).1, state(&data.snapshot_path("old")).1);
    }
}

#[cfg(unix)]
#[test]
fn links_are_brought_and_never_followed() {
    use std::os::unix::fs::symlink;
    let data = Data::new(false);
    let outside = data.project.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("one.txt"), "not ours").unwrap();
    symlink("settings.toml", data.path().join("link")).unwrap();
    let old = state(&data.path());
    data.snapshot("old");
    // The folder of the attachments now leads elsewhere.
    fs::rename(data.path().join("attachments"), data.project.path().join("moved")).unwrap();
    symlink(&outside, data.path().join("attachments")).unwrap();
    fs::remove_file(data.path().join("link")).unwrap();
    symlink("elsewhere", data.path().join("link")).unwrap();
    let changed = state(&data.path());
    restore(&data, &named("old"));
    assert_eq!(state(&data.path()), old);
    assert_eq!(fs::read_to_string(outside.join("one.txt")).unwrap(), "not ours");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    data.migrator().at(data.db()).restore(&RestoreFrom::Latest, RestoreOptions::default().exact(true)).unwrap();
    let now = state(&data.path());
    assert_eq!(now.0.iter().filter(|(path, _)| path == Path::new("link")).count(), 1);
    assert_eq!(
        now.0.iter().find(|(path, _)| path == Path::new("link")),
        changed.0.iter().find(|(path, _)| path == Path::new("link"))
    );
}

#[test]
fn another_database_of_the_directory_changes_under_the_connection_that_has_it_open() {
    let data = Data::new(false);
    let cache = Connection::open(data.path().join("cache.sqlite")).unwrap();
    cache.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    cache.execute_batch("CREATE TABLE c (x); INSERT INTO c VALUES (1), (2)").unwrap();
    data.snapshot("old");
    cache.execute_batch("DELETE FROM c; INSERT INTO c VALUES (7)").unwrap();
    let report = restore(&data, &named("old"));
    let count = |db: &Connection| {
        db.query_row("SELECT count(*), max(x) FROM c", [], |row| <(i64, i64)>::try_from(row)).unwrap()
    };
    assert_eq!(count(&cache), (2, 2));
    assert_eq!(report.brought_files, 1);
    restore(&data, &RestoreFrom::Latest);
    assert_eq!(count(&cache), (1, 7));
    // Nothing to bring where nothing differs.
    data.snapshot("same");
    assert_eq!(restore(&data, &named("same")).brought_files, 0);
}

#[test]
fn a_thousand_refused_restores_leave_the_disk_as_full_as_the_first_did() {
    let data = Data::new(true);
    data.snapshot("old");
    let other = Connection::open(data.db()).unwrap();
    let migrator = data.migrator().wait(Duration::from_millis(1));
    for round in 0..8 {
        data.sql(&format!("INSERT INTO note (body) VALUES ('{round}')"));
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        migrator.at(data.db()).restore(&named("old"), RestoreOptions::default()).unwrap_err();
        other.execute_batch("ROLLBACK").unwrap();
    }
    let reason = |backup: &lifeboat::Backup| backup.metadata.as_ref().unwrap().reason.clone();
    assert!(migrator.at(data.db()).backups().unwrap().iter().all(|backup| reason(backup) != "restore"));
    for round in 0..8 {
        data.sql(&format!("INSERT INTO note (body) VALUES ('{round}')"));
        data.write("settings.toml", round.to_string());
        restore(&data, &named("old"));
    }
    assert_eq!(migrator.at(data.db()).backups().unwrap().len(), 5);
    let files = fs::read_dir(data.path().join("backups"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "files"));
    assert_eq!(files.count(), 5);
}
