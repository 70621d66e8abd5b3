//! The doctor sees in which state a file is, says what can be done, and leaves it as it is. One test a state.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use lifeboat::{
    Action, Atomicity, CancelToken, Diagnosis, ErrorKind, Migrations, Migrator, Retention, Severity, Soundness, State,
};
use rusqlite::Connection;

use crate::child::{Job, What};
use crate::support::folder::Folder;
use crate::support::{NOTEBOOK, Project, skipped};

const TWO: &[(&str, &str)] = &[
    ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT); CREATE INDEX note_body ON note (body)"),
    ("V2__star", "CREATE TABLE star (id INTEGER PRIMARY KEY, note INTEGER REFERENCES note (id))"),
];

/// A file with both applied, and a backup of the state between.
fn migrated() -> Project {
    let project = Project::with(TWO);
    project.migrator().at(project.db()).migrate_to(1).unwrap();
    project.sql("INSERT INTO note (body) VALUES ('one'), ('two'), ('three')");
    project.migrator().at(project.db()).migrate().unwrap();
    project
}

/// Looks, and sees to it that nothing is another than it was.
#[track_caller]
fn look(migrator: &Migrator, path: &Path, root: &Path) -> Diagnosis {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let (before, time) = (Folder::of(root), modified(path));
    let diagnosis = migrator.at(path).diagnose().unwrap();
    assert_eq!(Folder::of(root), before);
    assert_eq!(modified(path), time);
    assert_eq!(diagnosis.findings.len(), 14, "{:#?}", diagnosis.findings);
    diagnosis
}

#[track_caller]
fn doctor(project: &Project) -> Diagnosis {
    look(&project.migrator(), &project.db(), project.path())
}

/// What a check found, in words.
#[track_caller]
fn found(diagnosis: &Diagnosis, check: &str, severity: Severity) -> String {
    let finding = diagnosis.finding(check).unwrap();
    assert_eq!(finding.severity, severity, "{finding:?}");
    finding.found.clone()
}

fn restore(project: &Project) -> Action {
    Action::RestoreBackup { backup: project.backups().pop().unwrap() }
}

#[test]
fn a_migrated_file_is_ready_in_every_journal_mode() {
    for mode in ["delete", "truncate", "persist", "wal"] {
        let project = migrated();
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let diagnosis = doctor(&project);
        assert_eq!((&diagnosis.state, diagnosis.state.actions()), (&State::Ready, vec![Action::Open]));
        assert!(diagnosis.is_healthy(), "{mode}: {diagnosis:#?}");
        for finding in &diagnosis.findings {
            assert_eq!(finding.severity, Severity::Ok, "{mode}: {finding:?}");
        }
    }
}

#[test]
fn nothing_is_made_where_there_is_no_file() {
    let project = Project::with(TWO);
    let diagnosis = doctor(&project);
    let pending = vec!["V1__note".to_owned(), "V2__star".to_owned()];
    assert_eq!(diagnosis.state, State::Absent { pending, backups: Vec::new(), snapshots: Vec::new() });
    assert_eq!(diagnosis.state.actions(), [Action::Migrate]);
    assert!(!diagnosis.is_healthy());
    let far = look(&project.migrator(), &project.path().join("no/such/folder/app.db"), project.path());
    assert!(matches!(far.state, State::Absent { .. }));
}

#[test]
fn the_backup_of_a_file_that_is_gone_is_the_first_thing_to_try() {
    let project = migrated();
    fs::remove_file(project.db()).unwrap();
    assert_eq!(doctor(&project).state.actions(), [restore(&project), Action::Migrate]);
    fs::write(project.path().join("app.db-wal"), "of whom?").unwrap();
    assert!(found(&doctor(&project), "paths", Severity::Problem).contains("log or journal"));
}

#[test]
fn what_is_pending_is_named_and_tried() {
    let project = migrated();
    project.write("V3__more", "CREATE TABLE more (id)");
    let diagnosis = doctor(&project);
    assert_eq!(diagnosis.state, State::NeedsMigration { pending: vec!["V3__more".to_owned()] });
    assert_eq!(diagnosis.state.actions(), [Action::Migrate]);
    assert_eq!(found(&diagnosis, "history", Severity::Warning), "2 applied, the newest `V2__star`; 1 pending");
    project.migrator().at(project.db()).migrate().unwrap();
    assert!(doctor(&project).is_healthy());
}

#[test]
fn migrations_that_cannot_run_are_found_before_they_do() {
    let project = migrated();
    project.write("V3__more", "ALTER TABLE nobody ADD COLUMN x");
    let diagnosis = doctor(&project);
    let State::BadMigrations { why } = &diagnosis.state else { panic!("{diagnosis:?}") };
    assert!(why.contains("V3__more") && why.contains("no such table: nobody"), "{why}");
    assert_eq!(found(&diagnosis, "migrations", Severity::Problem), *why);
    project.write("V2__again", "SELECT 1");
    let unchecked = || Migrator::new(Migrations::from_dir_unchecked(project.migrations_dir()));
    let diagnosis = look(&unchecked(), &project.db(), project.path());
    assert!(matches!(&diagnosis.state, State::BadMigrations { why } if why.contains("same version")), "{diagnosis:?}");
    // What does not depend on them is looked at all the same.
    assert_eq!(found(&diagnosis, "integrity", Severity::Ok), "`quick_check` finds nothing");
    assert_eq!(found(&diagnosis, "drift", Severity::Skipped), "the app's migrations cannot be used");
    fs::remove_dir_all(project.migrations_dir()).unwrap();
    let diagnosis = look(&unchecked(), &project.db(), project.path());
    assert!(found(&diagnosis, "migrations", Severity::Problem).starts_with("cannot read the migrations in"));
    let error = unchecked().at(project.db()).migrate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoMigrations);
}

#[test]
fn a_newer_file_is_told_with_the_backup_that_this_app_knows() {
    let project = migrated();
    project.write("V3__more", "CREATE TABLE more (id)");
    project.migrator().at(project.db()).migrate().unwrap();
    project.write("V4__most", "CREATE TABLE most (id)");
    project.migrator().at(project.db()).migrate().unwrap();
    project.remove("V3__more");
    project.remove("V4__most");
    let diagnosis = doctor(&project);
    // The newest backup has version 3, which this app does not know either.
    let [of_1, of_2, of_3] = project.backups().try_into().unwrap();
    let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        diagnosis.state,
        State::NewerThanApp {
            newest_known: Some("V2__star".to_owned()),
            newer: names(&["V3__more", "V4__most"]),
            backups: vec![of_2.clone(), of_1],
        }
    );
    assert_eq!(diagnosis.state.actions(), [Action::UpdateApp, Action::RestoreBackup { backup: of_2 }]);
    assert!(diagnosis.finding("backups").unwrap().found.starts_with("3 backups"), "{of_3}");
}

#[test]
fn a_changed_and_a_lost_migration_are_told_apart() {
    let project = migrated();
    project.write("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL)");
    let divergent = vec!["V1__note".to_owned()];
    let diagnosis = doctor(&project);
    assert_eq!(diagnosis.state, State::Diverged { divergent, missing: Vec::new() });
    assert!(diagnosis.finding("divergence").unwrap().advice.as_ref().unwrap().contains("put its text back"));
    project.remove("V1__note");
    let missing = vec!["V1__note".to_owned()];
    assert_eq!(doctor(&project).state, State::Diverged { divergent: Vec::new(), missing });
}

#[test]
fn a_migration_that_came_too_late_is_out_of_order() {
    let project = Project::with(&[("V5__five", "CREATE TABLE five (id)")]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.write("V2__two", "CREATE TABLE two (id)");
    let state = State::OutOfOrder { migrations: vec!["V2__two".to_owned()], newest_applied: "V5__five".to_owned() };
    assert_eq!(doctor(&project).state, state);
}

#[test]
fn a_run_that_was_cut_off_can_be_undone_as_long_as_its_backup_is_there() {
    if !cfg!(unix) {
        return skipped("there is no SIGKILL here");
    }
    let project = migrated();
    project.write("V3__more", "CREATE TABLE more (id)");
    project.write("V4__most", "CREATE TABLE most (id)");
    let job = Job::new(What::Migrate, project.path());
    let killed = Job { step: true, kill_on: "StepStarted { name: \"V4".to_owned(), ..job }.run();
    assert!(killed.killed, "{}", killed.said);
    let migrator = project.migrator().atomicity(Atomicity::Step);
    let [other, copy] = project.backups().try_into().unwrap();
    let diagnosis = look(&migrator, &project.db(), project.path());
    assert_eq!(diagnosis.state.actions(), [Action::Recover]);
    assert_eq!(found(&diagnosis, "open-run", Severity::Problem), format!("a run was cut off; `{copy}` undoes it"));
    let kept = fs::read(project.backups_dir().join(&copy)).unwrap();
    let mut changed = kept.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(project.backups_dir().join(&copy), changed).unwrap();
    let diagnosis = look(&migrator, &project.db(), project.path());
    let State::Interrupted { restorable: false, why: Some(why), backups, .. } = &diagnosis.state else {
        panic!("{diagnosis:?}")
    };
    assert!(why.contains("not what it was"), "{why}");
    assert_eq!(*backups, vec![other.clone()]);
    let actions = [Action::RestoreBackup { backup: other }, Action::AcceptAsIs, Action::ContactSupport];
    assert_eq!(diagnosis.state.actions(), actions);
    // What is said to be possible is possible.
    fs::write(project.backups_dir().join(&copy), kept).unwrap();
    migrator.at(project.db()).recover().unwrap();
    assert!(matches!(look(&migrator, &project.db(), project.path()).state, State::NeedsMigration { .. }));
}

#[test]
fn damage_is_told_with_the_backups_that_would_do() {
    let project = migrated();
    let whole = fs::read(project.db()).unwrap();
    fs::write(project.db(), &whole[..whole.len() - 5000]).unwrap();
    assert_eq!(doctor(&project).state.actions(), [restore(&project), Action::ContactSupport]);
    // The last page ends too early: SQLite itself would not mind.
    fs::write(project.db(), &whole[..whole.len() - 100]).unwrap();
    let diagnosis = doctor(&project);
    assert!(matches!(&diagnosis.state, State::Corrupt { detail, .. } if detail.contains("100 bytes too early")));
    // A log without its file.
    fs::write(project.db(), "").unwrap();
    fs::write(project.path().join("app.db-wal"), "a log").unwrap();
    assert_eq!(doctor(&project).state.actions(), [restore(&project), Action::ContactSupport]);
}

#[test]
fn an_index_that_disagrees_is_found_by_the_full_look_alone() {
    let project = migrated();
    project.sql("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX note_body ON note (id)' WHERE name = 'note_body'");
    let at = project.migrator();
    let quick = at.at(project.db()).diagnose().unwrap();
    assert_eq!(quick.state, State::Ready);
    assert_eq!(found(&quick, "drift", Severity::Warning), "index `note_body` is another than migrations give");
    let full = at.at(project.db()).diagnose_with(Soundness::Full).unwrap();
    assert!(matches!(&full.state, State::Corrupt { detail, .. } if detail.contains("missing from index")), "{full:?}");
    let unasked = at.at(project.db()).diagnose_with(Soundness::Unasked).unwrap();
    assert_eq!(found(&unasked, "integrity", Severity::Skipped), "not asked for");
    assert_eq!(found(&unasked, "foreign-keys", Severity::Skipped), "not asked for");
}

#[test]
fn what_is_no_database_is_said_to_be_none() {
    let project = migrated();
    for content in [
        &b"plain text, and more than a hundred bytes of it, so that there might be a header in it somewhere; but no"[..],
        &[0x5a; 9000],
    ] {
        fs::write(project.db(), content).unwrap();
        assert_eq!(doctor(&project).state, State::NotADatabase { backups: project.backups(), snapshots: Vec::new() });
    }
}

#[test]
fn a_path_that_can_be_no_file_is_no_state_of_a_file() {
    let project = Project::with(TWO);
    let diagnosis = look(&project.migrator(), project.path(), project.path());
    assert_eq!(diagnosis.state, State::NotAFile { what: "a folder".to_owned() });
    let below = project.migrations_dir().join("V1__note.sql").join("app.db");
    let diagnosis = look(&project.migrator(), &below, project.path());
    assert!(matches!(diagnosis.state, State::Unreadable { denied: false, .. }), "{diagnosis:?}");
    #[cfg(unix)]
    {
        let link = project.path().join("link 🛟.db");
        std::os::unix::fs::symlink("gone.db", &link).unwrap();
        let diagnosis = look(&project.migrator(), &link, project.path());
        assert!(matches!(&diagnosis.state, State::NotAFile { what } if what.contains("gone.db")), "{diagnosis:?}");
    }
}

#[test]
fn a_history_that_is_none_is_a_state_of_its_own() {
    let project = migrated();
    project
        .sql("ALTER TABLE refinery_schema_history RENAME TO h; CREATE VIEW refinery_schema_history AS SELECT * FROM h");
    let diagnosis = doctor(&project);
    assert!(matches!(&diagnosis.state, State::BadHistory { why, .. } if why == "it is a view"), "{diagnosis:?}");
    assert_eq!(diagnosis.state.actions(), [restore(&project), Action::ContactSupport]);
}

#[test]
fn locks_are_seen_and_only_matter_where_something_is_to_do() {
    for mode in ["delete", "wal"] {
        let project = migrated();
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        let migrator = || project.migrator().wait(std::time::Duration::ZERO);
        let lock = File::options().write(true).open(project.path().join("app.db-lifeboat")).unwrap();
        fs::write(project.path().join("app.db-lifeboat"), "4711\n").unwrap();
        lock.lock().unwrap();
        let diagnosis = migrator().at(project.db()).diagnose().unwrap();
        assert_eq!(diagnosis.state, State::Ready);
        assert!(found(&diagnosis, "launch-lock", Severity::Note).starts_with("process 4711 has it"));
        project.write("V3__more", "CREATE TABLE more (id)");
        let state = migrator().at(project.db()).diagnose().unwrap().state;
        assert_eq!(state, State::Locked { lock: "launch lock", holder: Some(4711) });
        assert_eq!(state.actions(), [Action::Wait, Action::Retry]);
        lock.unlock().unwrap();
        let other = Connection::open(project.db()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; INSERT INTO note (body) VALUES ('four')").unwrap();
        let state = migrator().at(project.db()).diagnose().unwrap().state;
        assert_eq!(state, State::Locked { lock: "write lock", holder: None }, "{mode}");
        // The other one can go on, and so can the launch after it.
        other.execute_batch("COMMIT").unwrap();
        drop(other);
        assert!(matches!(migrator().at(project.db()).diagnose().unwrap().state, State::NeedsMigration { .. }));
        migrator().at(project.db()).migrate().unwrap();
    }
}

#[test]
fn a_file_that_another_program_keeps_for_itself_is_locked() {
    let project = migrated();
    let other = Connection::open(project.db()).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let migrator = project.migrator().wait(std::time::Duration::ZERO);
    let diagnosis = migrator.at(project.db()).diagnose().unwrap();
    assert_eq!(diagnosis.state, State::Locked { lock: "write lock", holder: None });
    assert_eq!(found(&diagnosis, "integrity", Severity::Skipped), "the file cannot be read");
}

#[test]
fn looking_again_and_again_keeps_no_launch_from_migrating() {
    let project = migrated();
    let database = project.db();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                project.migrator().at(&database).diagnose().unwrap();
            }
        });
        for version in 3..8 {
            project.write(&format!("V{version}__t"), format!("CREATE TABLE t{version} (id)"));
            project.migrator().at(&database).migrate().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    assert_eq!(project.number("SELECT count(*) FROM refinery_schema_history"), 7);
}

/// Unmounts whatever happens.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

fn mount(arguments: &[&str], path: &Path) -> bool {
    Command::new("mount").args(arguments).arg(path).output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_read_only_medium_is_told_from_a_ready_file() {
    for mode in ["delete", "wal"] {
        let project = migrated();
        project.sql(&format!("PRAGMA journal_mode = {mode}"));
        if !mount(&["--bind", project.path().to_str().unwrap()], project.path()) {
            return skipped("nothing can be mounted here, so a read-only medium was not tried");
        }
        let mounted = Mounted(project.path());
        assert!(mount(&["-o", "remount,ro,bind"], project.path()));
        let diagnosis = doctor(&project);
        assert!(matches!(diagnosis.state, State::ReadOnly { up_to_date: true, .. }), "{diagnosis:#?}");
        assert_eq!(diagnosis.state.actions()[0], Action::OpenReadOnly);
        project.migrator().open(project.db()).unwrap();
        let more = Project::with(&[TWO[0], TWO[1], ("V3__more", "CREATE TABLE more (id)")]);
        let diagnosis = look(&more.migrator(), &project.db(), project.path());
        assert_eq!(diagnosis.state.actions(), [Action::GrantAccess, Action::Retry]);
        drop(mounted);
    }
}

#[test]
fn a_file_that_was_marked_read_only_cannot_be_migrated() {
    let project = migrated();
    project.write("V3__more", "CREATE TABLE more (id)");
    let mut permissions = fs::metadata(project.db()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(project.db(), permissions).unwrap();
    let diagnosis = doctor(&project);
    assert!(matches!(diagnosis.state, State::ReadOnly { up_to_date: false, .. }), "{diagnosis:?}");
    assert!(found(&diagnosis, "rights", Severity::Problem).contains("its permissions do not allow it"));
}

#[test]
fn a_folder_for_copies_that_cannot_be_written_stands_in_the_way_of_a_run_alone() {
    let project = migrated();
    let mut permissions = fs::metadata(project.backups_dir()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(project.backups_dir(), permissions).unwrap();
    let diagnosis = doctor(&project);
    assert_eq!(diagnosis.state, State::Ready);
    assert!(found(&diagnosis, "rights", Severity::Problem).starts_with("no backup can be written to"));
    project.write("V3__more", "CREATE TABLE more (id)");
    assert!(matches!(doctor(&project).state, State::ReadOnly { up_to_date: false, .. }));
}

#[test]
fn too_little_room_is_seen_before_a_run() {
    let project = migrated();
    project.sql("CREATE TABLE large AS SELECT zeroblob(2000000)");
    project.write("V3__more", "CREATE TABLE more (id)");
    let disk = tempfile::tempdir().unwrap();
    if !mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], disk.path()) {
        return skipped("a small file system cannot be mounted here");
    }
    let _mounted = Mounted(disk.path());
    let migrator = project.migrator().backups(disk.path().join("backups"), 5);
    let diagnosis = migrator.at(project.db()).diagnose().unwrap();
    let State::NoSpace { needed, available, .. } = diagnosis.state else { panic!("{diagnosis:?}") };
    assert!(needed > 2_000_000 && available <= 1024 * 1024, "{needed} of {available}");
    assert_eq!(diagnosis.state.actions()[0], Action::FreeSpace { bytes: needed - available });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "the launch says the same");
}

#[test]
fn what_drifted_is_named() {
    let project = migrated();
    project.sql(
        "DROP INDEX note_body; ALTER TABLE star ADD COLUMN colour TEXT; CREATE TABLE scratch (id);
         CREATE VIEW starred AS SELECT * FROM star;
         CREATE TRIGGER forget AFTER DELETE ON note BEGIN DELETE FROM star WHERE note = old.id; END",
    );
    let diagnosis = doctor(&project);
    assert_eq!(diagnosis.state, State::Ready);
    assert_eq!(
        found(&diagnosis, "drift", Severity::Warning),
        "table `star` is another than migrations give, table `scratch` is from no migration, index `note_body` is \
         missing, view `starred` is from no migration, trigger `forget` is from no migration"
    );
    assert!(!diagnosis.is_healthy());
}

#[test]
fn drift_is_not_guessed_at_where_migrations_are_code_or_need_rows() {
    let project = Project::new();
    let code = Migrator::new(Migrations::none()).step(1, "code", |db| Ok(db.execute_batch("CREATE TABLE a (b)")?));
    code.at(project.db()).migrate().unwrap();
    let diagnosis = look(&code, &project.db(), project.path());
    assert!(found(&diagnosis, "drift", Severity::Skipped).contains("`V1__code` is written in Rust"));
    let project = Project::with(&[("V1__a", "CREATE TABLE a (b NOT NULL)")]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql("INSERT INTO a VALUES (1)");
    project.write("V2__rows", "INSERT INTO a VALUES ((SELECT b FROM a LIMIT 1))");
    project.migrator().at(project.db()).migrate().unwrap();
    let why = found(&doctor(&project), "drift", Severity::Skipped);
    assert!(why.starts_with("the migrations do not run on an empty database: "), "{why}");
}

#[test]
fn the_example_app_has_not_drifted() {
    let project = Project::example();
    let migrator = Migrator::new(&NOTEBOOK);
    assert_eq!(
        found(&look(&migrator, &project.db(), project.path()), "drift", Severity::Ok),
        "the schema is what the applied migrations give"
    );
    migrator.at(project.db()).migrate().unwrap();
    assert!(look(&migrator, &project.db(), project.path()).is_healthy());
}

#[test]
fn rows_that_refer_to_none_are_counted_by_table() {
    let project = migrated();
    project.sql("INSERT INTO star (note) VALUES (1), (77), (78)");
    let diagnosis = doctor(&project);
    assert_eq!(diagnosis.state, State::Ready);
    assert_eq!(found(&diagnosis, "foreign-keys", Severity::Warning), "2 rows of `star` refer to no row of `note`");
}

#[test]
fn backups_are_opened_and_the_broken_ones_are_not_offered() {
    let project = migrated();
    project.write("V3__more", "CREATE TABLE more (id)");
    project.migrator().at(project.db()).migrate().unwrap();
    let [older, newer] = project.backups().try_into().unwrap();
    let path = project.backups_dir().join(&newer);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..4096]).unwrap();
    let diagnosis = doctor(&project);
    let told = found(&diagnosis, "backups", Severity::Warning);
    assert!(told.starts_with(&format!("1 of 2 backups cannot be read: `{newer}`: it had ")), "{told}");
    fs::write(project.db(), "x".repeat(999)).unwrap();
    assert_eq!(doctor(&project).state, State::NotADatabase { backups: vec![older], snapshots: Vec::new() });
}

#[cfg(feature = "zstd")]
#[test]
fn a_compressed_backup_is_looked_at_where_it_lies() {
    let project = migrated();
    project.write("V3__more", "CREATE TABLE more (id)");
    let migrator = project.migrator().retention(Retention::last(5).compress_older_than(1));
    migrator.at(project.db()).migrate().unwrap();
    let compressed = project.backups().into_iter().find(|name| name.ends_with(".zst")).unwrap();
    let compressed = project.backups_dir().join(compressed);
    assert!(look(&migrator, &project.db(), project.path()).is_healthy());
    fs::write(&compressed, "not compressed").unwrap();
    let diagnosis = look(&migrator, &project.db(), project.path());
    assert!(found(&diagnosis, "backups", Severity::Warning).starts_with("1 of 2 backups cannot be read"));
}

#[test]
fn an_old_backup_and_none_at_all_are_notes() {
    let project = migrated();
    let later = project.migrator().clock(|| chrono::Utc::now() + chrono::TimeDelta::days(45));
    let diagnosis = look(&later, &project.db(), project.path());
    assert_eq!(found(&diagnosis, "backups-recent", Severity::Note), "the newest was taken 45 days ago");
    fs::remove_dir_all(project.backups_dir()).unwrap();
    let diagnosis = doctor(&project);
    assert_eq!(found(&diagnosis, "backups", Severity::Note), "there is none");
    assert!(diagnosis.is_healthy());
}

#[test]
fn a_look_can_be_cancelled() {
    let project = migrated();
    let token = CancelToken::new();
    let migrator = project.migrator().cancel(token.clone());
    token.cancel();
    let error = migrator.at(project.db()).diagnose().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn no_damage_makes_a_look_fail_or_change_anything() {
    let project = migrated();
    project.write("V3__more", "CREATE TABLE more (id)");
    let migrator = project.migrator().wait(std::time::Duration::ZERO);
    let whole = fs::read(project.db()).unwrap();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    let mut sound = 0;
    for round in 0..120 {
        let mut damaged = whole.clone();
        // Half of it where it tells: headers of the file and of its pages.
        for _ in 0..=random(6) {
            let at = if round % 2 == 0 { random(whole.len()) } else { random(whole.len() / 4096) * 4096 + random(110) };
            damaged[at] = u8::try_from(random(256)).unwrap();
        }
        if round % 7 == 0 {
            damaged.truncate(random(whole.len()));
        }
        fs::write(project.db(), &damaged).unwrap();
        let diagnosis = migrator.at(project.db()).diagnose().unwrap();
        assert_eq!(fs::read(project.db()).unwrap(), damaged, "round {round}: {diagnosis:?}");
        assert!(!diagnosis.state.actions().is_empty());
        assert_eq!(diagnosis.findings.len(), 14);
        sound += usize::from(matches!(diagnosis.state, State::NeedsMigration { .. }));
    }
    assert!((1..110).contains(&sound), "some damage is found, and some is none: {sound}");
}

#[test]
fn every_state_and_action_is_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let source = fs::read_to_string(root.join("src/ops/doctor/state.rs")).unwrap();
    let variant = regex::Regex::new(r"(?m)^    ([A-Z][A-Za-z]+)(,| \{)$").unwrap();
    // As serde does it.
    let kebab = |name: &str| {
        let parts =
            name.chars().map(|c| if c.is_uppercase() { format!("-{}", c.to_lowercase()) } else { c.to_string() });
        parts.collect::<String>().trim_start_matches('-').to_owned()
    };
    let names: Vec<String> = variant.captures_iter(&source).map(|found| kebab(&found[1])).collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}
