//! `lifeboat snapshot` and `lifeboat restore`

use std::fs;

use super::{TWO, lifeboat, tree};
use crate::support::Project;

/// A project with a migrated `.data`, an attachment in it, and the snapshot `before`.
fn project() -> Project {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate"]).ends_with(0);
    fs::create_dir(project.path().join(".data/attachments")).unwrap();
    fs::write(project.path().join(".data/attachments/a.txt"), "a").unwrap();
    let ran = lifeboat(project.path(), &["snapshot", "create", "before"]).ends_with(0);
    assert!(ran.stdout.starts_with("took the snapshot `.data.before` ("), "{}", ran.stdout);
    project
}

#[test]
fn a_snapshot_is_taken_listed_and_deleted() {
    let project = project();
    lifeboat(project.path(), &["snapshot", "--name", "again", "--json"]).ends_with(0);
    let document = lifeboat(project.path(), &["snapshot", "list", "--json"]).ends_with(0).json();
    let listed = document["snapshots"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    for (field, value) in [("name", "again"), ("schemaVersion", "V2__pet")] {
        assert_eq!(listed[0][field], value);
    }
    assert_eq!((&listed[0]["files"], &listed[0]["rows"]), (&1.into(), &0.into()));
    assert_eq!((&listed[0]["openable"], &listed[0]["whyNot"]), (&true.into(), &serde_json::Value::Null));
    assert!(listed[0]["takenAt"].as_str().unwrap().ends_with('Z') && listed[0]["bytes"].as_u64().unwrap() > 8192);
    let before = tree(project.path());
    let ran = lifeboat(project.path(), &["snapshot", "list"]).ends_with(0);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert_eq!(tree(project.path()), before, "looking writes nothing");

    let ran = lifeboat(project.path(), &["snapshot", "delete", "again"]).ends_with(2);
    assert!(ran.stderr.contains("`--yes` says that it is"), "{}", ran.stderr);
    let document = lifeboat(project.path(), &["snapshot", "delete", "again", "--json"]).ends_with(2).json();
    assert_eq!(document["error"]["kind"], "usage");
    assert_eq!(tree(project.path()), before);
    let document = lifeboat(project.path(), &["snapshot", "delete", "again", "-y", "--json"]).ends_with(0).json();
    assert_eq!((&document["name"], &document["success"]), (&"again".into(), &true.into()));
    assert!(!project.path().join(".data.again").exists());
}

#[test]
fn refusals_end_with_1_and_say_what_helps() {
    let project = project();
    for (arguments, kind, hint) in [
        (&["snapshot", "create", "before"][..], "name-taken", "--replace"),
        (&["snapshot", "create", "a/b"], "bad-name", "a name such as"),
        (&["snapshot", "delete", "befor", "-y"], "no-such-copy", "there is `before`"),
        (&["restore", "--name", "befor", "-y"], "no-such-copy", "there is `before`"),
        (&["restore", "--backup", "9", "-y"], "no-such-copy", "there is none yet"),
    ] {
        let before = tree(project.path());
        let ran = lifeboat(project.path(), arguments).ends_with(1);
        assert!(ran.stderr.contains(hint), "{}", ran.stderr);
        let document = lifeboat(project.path(), &[arguments, &["--json"]].concat()).ends_with(1).json();
        assert_eq!((&document["error"]["kind"], &document["error"]["outcome"]), (&kind.into(), &"untouched".into()));
        assert_eq!(tree(project.path()), before, "{arguments:?}");
    }
    lifeboat(project.path(), &["snapshot", "create", "example"]).ends_with(0);
    for arguments in [&["snapshot", "create", "example", "--replace"][..], &["snapshot", "delete", "example", "-y"]] {
        let ran = lifeboat(project.path(), arguments).ends_with(1);
        assert!(ran.stderr.contains("--allow-example"), "{}", ran.stderr);
        lifeboat(project.path(), &[arguments, &["--allow-example"]].concat()).ends_with(0);
    }
    lifeboat(project.path(), &["snapshot"]).ends_with(2);
    lifeboat(project.path(), &["restore", "--backup", "0", "-y"]).ends_with(2);
    lifeboat(project.path(), &["restore", "--name", "a", "--backup", "b", "-y"]).ends_with(2);
}

#[test]
fn a_restore_brings_the_files_back_and_says_what_it_kept() {
    let project = project();
    let data = project.path().join(".data");
    let old = crate::support::picture(&data.join("app.db"));
    rusqlite::Connection::open(data.join("app.db")).unwrap().execute_batch("DROP TABLE pet").unwrap();
    fs::remove_file(data.join("attachments/a.txt")).unwrap();
    fs::write(data.join("new.txt"), "new").unwrap();
    let ran = lifeboat(project.path(), &["restore", "--name", "before"]).ends_with(2);
    assert!(ran.stderr.contains("`--yes`"), "{}", ran.stderr);

    let ran = lifeboat(project.path(), &["restore", "--name", "before", "--yes"]).ends_with(0);
    assert!(ran.stdout.starts_with("`.data/app.db`: restored from `.data.before`, with 1 file\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("not in the copy, and kept (`--exact` removes them):\n  new.txt\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("backup: `.data/backups/app-"), "{}", ran.stdout);
    assert_eq!(crate::support::picture(&data.join("app.db")), old);
    assert_eq!(fs::read(data.join("attachments/a.txt")).unwrap(), b"a");

    let latest = ["restore", "--backup", "latest", "-y", "--json", "--exact"];
    let document = lifeboat(project.path(), &latest).ends_with(0).json();
    assert_eq!(document["removedFiles"], serde_json::json!(["attachments/a.txt"]));
    for field in ["database", "from", "backup", "aside", "schemaVersion", "pendingMigrations", "keptFiles", "hint"] {
        assert!(document.get(field).is_some(), "{field}");
    }
    assert_eq!((&document["broughtFiles"], &document["success"]), (&0.into(), &true.into()));
    assert!(!data.join("attachments/a.txt").exists() && data.join("new.txt").exists());
    lifeboat(project.path(), &["restore", "--backup", "1st", "-y"]).ends_with(0);
    assert_eq!(crate::support::picture(&data.join("app.db")), old);
}

#[test]
fn bare_restore_lists_what_there_is_and_changes_nothing() {
    let project = project();
    lifeboat(project.path(), &["restore", "--name", "before", "-y"]).ends_with(0);
    let before = tree(project.path());
    let ran = lifeboat(project.path(), &["restore"]).ends_with(2);
    assert_eq!(ran.stdout, "");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "backups and snapshots:");
    assert!(lines[1].starts_with("  1  app-") && lines[1].contains("restore"), "{}", ran.stderr);
    assert!(lines[2].starts_with("     before"), "{}", ran.stderr);
    assert!(ran.stderr.lines().take(3).all(|line| line.chars().count() <= 80), "{}", ran.stderr);
    // Even with a yes: what to is not said.
    let document = lifeboat(project.path(), &["restore", "--json", "-y"]).ends_with(2).json();
    let choices = &document["error"]["choices"];
    assert_eq!(choices["snapshots"][0]["name"], "before");
    assert_eq!(choices["backups"][0]["reason"], "restore");
    assert_eq!(tree(project.path()), before);
}

#[test]
fn a_lone_file_has_snapshots_of_its_own_and_its_folder_is_not_copied() {
    let project = Project::with(TWO);
    lifeboat(project.path(), &["migrate", "-d", "home/notes.db"]).ends_with(0);
    fs::write(project.path().join("home/letter.txt"), "private").unwrap();
    lifeboat(project.path(), &["snapshot", "--name", "x", "-d", "home/notes.db"]).ends_with(0);
    assert!(project.path().join("home/notes.db.x").is_file() && !project.path().join("home.x").exists());
    fs::write(project.path().join("home/letter.txt"), "changed").unwrap();
    lifeboat(project.path(), &["restore", "--name", "x", "-d", "home/notes.db", "-y", "--exact"]).ends_with(0);
    assert_eq!(fs::read(project.path().join("home/letter.txt")).unwrap(), b"changed");
    // Named, it is covered.
    let named = ["--data-dir", "home", "-d", "home/notes.db", "snapshot", "--name", "y"];
    lifeboat(project.path(), &named).ends_with(0);
    assert!(project.path().join("home.y/letter.txt").is_file());
    assert!(!project.path().join("home.y/backups").exists());
}

#[test]
fn on_a_terminal_a_person_is_asked() {
    let probe = std::process::Command::new("script").args(["-qec", "true", "/dev/null"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return crate::support::skipped("`script` makes no terminal here");
    }
    let project = project();
    let in_terminal = |command: &str, typed: &str| {
        let line = format!("{} {command}", env!("CARGO_BIN_EXE_lifeboat"));
        let mut child = std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(project.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = in_terminal("snapshot delete before", "n\n");
    assert!(code == Some(0) && said.contains("[y/N]") && said.contains("nothing was changed"), "{said}");
    assert!(project.path().join(".data.before").exists());
    fs::write(project.path().join(".data/attachments/a.txt"), "changed").unwrap();
    let (code, said) = in_terminal("restore", "before\ny\n");
    assert!(code == Some(0) && said.contains("which one?") && said.contains("restored from `.data.before`"), "{said}");
    assert_eq!(fs::read(project.path().join(".data/attachments/a.txt")).unwrap(), b"a");
    let (code, said) = in_terminal("restore", "\n");
    assert!(code == Some(0) && said.contains("nothing was changed"), "{said}");
    let (code, _) = in_terminal("snapshot delete before", "y\n");
    assert!(code == Some(0) && !project.path().join(".data.before").exists());
}

#[test]
fn the_rows_of_one_table_come_back_from_a_snapshot_or_a_backup() {
    let project = project();
    let db = project.path().join(".data/app.db");
    let sql = |sql: &str| rusqlite::Connection::open(&db).unwrap().execute_batch(sql).unwrap();
    let names = || -> String {
        let connection = rusqlite::Connection::open(&db).unwrap();
        connection
            .query_row("SELECT group_concat(name, ' ') FROM (SELECT name FROM pet ORDER BY id)", [], |row| row.get(0))
            .unwrap()
    };
    sql("INSERT INTO pet (id, name) VALUES (1, 'Ann'), (2, 'Bo')");
    lifeboat(project.path(), &["backup", "create"]).ends_with(0);
    sql("UPDATE pet SET name = 'Anna' WHERE id = 1; DELETE FROM pet WHERE id = 2");
    let asked = lifeboat(project.path(), &["restore", "--backup", "latest", "--table", "pet"]).ends_with(2);
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert_eq!(names(), "Anna");
    let rest = ["restore", "--backup", "1", "--table", "pet", "--missing", "--yes", "--json"];
    let document = lifeboat(project.path(), &rest).ends_with(0).json();
    assert_eq!((&document["added"], &document["changed"]), (&1.into(), &0.into()));
    assert_eq!(names(), "Anna Bo");
    // The newest backup is now the one that this restore has made; the one before has all rows as they were.
    lifeboat(project.path(), &["restore", "--backup", "2", "--table", "pet", "--yes"]).ends_with(0);
    assert_eq!(names(), "Ann Bo");
    lifeboat(project.path(), &["restore", "--name", "before", "--table", "pet", "--yes"]).ends_with(0);
    let connection = rusqlite::Connection::open(&db).unwrap();
    assert_eq!(connection.query_row("SELECT count(*) FROM pet", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    let wrong = lifeboat(project.path(), &["restore", "--name", "before", "--table", "pte", "--yes"]).ends_with(1);
    assert!(wrong.stderr.contains("pet"), "{}", wrong.stderr);
}

#[test]
fn a_restore_of_a_data_directory_that_is_gone_has_nothing_to_warn_of() {
    let project = Project::with(super::TWO);
    lifeboat(project.path(), &["migrate", "-q"]).ends_with(0);
    lifeboat(project.path(), &["snapshot", "create", "s"]).ends_with(0);
    fs::remove_dir_all(project.path().join(".data")).unwrap();
    let ran = lifeboat(project.path(), &["restore", "--name", "s", "--yes", "-q"]).ends_with(0);
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_backup_that_is_not_what_was_taken_is_put_back_by_no_command_and_another_one_is_named() {
    let project = project();
    let db = project.path().join(".data/app.db");
    let sql = |sql: &str| rusqlite::Connection::open(&db).unwrap().execute_batch(sql).unwrap();
    sql("INSERT INTO pet (id, name) VALUES (1, 'Ann')");
    let first = lifeboat(project.path(), &["backup", "create", "--json"]).ends_with(0).json();
    sql("INSERT INTO pet (id, name) VALUES (2, 'Unmistakable')");
    lifeboat(project.path(), &["backup", "create"]).ends_with(0);
    let newest = || {
        let document = lifeboat(project.path(), &["backup", "list", "--json"]).ends_with(0).json();
        std::path::PathBuf::from(document["backups"][0]["path"].as_str().unwrap())
    };
    let copy = project.path().join(newest());
    let whole = fs::read(&copy).unwrap();
    let mut flipped = whole.clone();
    let at = whole.windows(12).position(|window| window == b"Unmistakable").unwrap();
    flipped[at] = b'u';
    let other = first["backup"]["name"].as_str().unwrap_or_else(|| panic!("{first}")).to_owned();
    for changed in [&[][..], &whole[..whole.len() / 2], &flipped] {
        fs::write(&copy, changed).unwrap();
        let before = tree(&project.path().join(".data"));
        let path = copy.to_string_lossy().into_owned();
        for arguments in [
            &["restore", "--backup", "latest", "--yes"][..],
            &["restore", "--backup", &path, "--yes"],
            &["restore", "--backup", "latest", "--table", "pet", "--yes"],
            &["restore", "--backup", &path, "--table", "pet", "--yes"],
        ] {
            let document = lifeboat(project.path(), &[arguments, &["--json"]].concat()).ends_with(1).json();
            let error = &document["error"];
            assert_eq!((&error["kind"], &error["outcome"]), (&"corrupt".into(), &"untouched".into()), "{arguments:?}");
            assert!(error["hint"].as_str().unwrap().contains(&other), "{error}");
            let mut after = tree(&project.path().join(".data"));
            after.retain(|path, _| before.contains_key(path) && !path.ends_with("runs.jsonl"));
            after.remove(&project.path().join(".data/app.db-lifeboat"));
            assert!(after.iter().all(|(path, bytes)| before[path] == *bytes), "{arguments:?}");
        }
    }
    fs::write(&copy, &whole).unwrap();
    lifeboat(project.path(), &["restore", "--backup", "latest", "--table", "pet", "--yes"]).ends_with(0);
    lifeboat(project.path(), &["restore", "--backup", "latest", "--yes"]).ends_with(0);
}

#[test]
fn a_restore_whose_files_cannot_be_brought_is_told_by_every_command_and_finished_when_that_is_mended() {
    let project = project();
    let (data, file) = (project.path().join(".data"), project.path().join(".data/attachments/a.txt"));
    let old = crate::support::picture(&data.join("app.db"));
    rusqlite::Connection::open(data.join("app.db")).unwrap().execute_batch("DROP TABLE pet").unwrap();
    fs::write(&file, "changed").unwrap();
    // Where what the files replace is to be kept, there is something else by then.
    let block = |event: &lifeboat::Event| {
        if let lifeboat::Event::BackupFinished { path, .. } = event {
            fs::write(format!("{}.files", path.display()), "in the way").unwrap();
        }
    };
    let migrator = project.migrator().data_dir(&data).on_event(block);
    let error = migrator
        .at(data.join("app.db"))
        .restore(&lifeboat::RestoreFrom::Snapshot("before".to_owned()), lifeboat::RestoreOptions::default())
        .unwrap_err();
    assert_eq!(error.kind(), lifeboat::ErrorKind::RestoreUnfinished, "{error:?}");
    assert!(error.state().starts_with("the file is the copy; its files are not all in place"), "{error:?}");
    assert!(error.hint().unwrap().contains("`lifeboat recover`"), "{error:?}");
    assert_eq!(crate::support::picture(&data.join("app.db")).contains("pet"), old.contains("pet"));

    let ran = lifeboat(project.path(), &["status"]).ends_with(0);
    assert!(ran.stdout.contains("a restore was cut off") && ran.stdout.contains("finishes it"), "{}", ran.stdout);
    let ran = lifeboat(project.path(), &["doctor"]);
    assert!(ran.stdout.contains("is a copy whose files are not all in place"), "{}", ran.stdout);
    let document = lifeboat(project.path(), &["doctor", "--json"]).json();
    assert_eq!((&document["state"]["is"], &document["state"]["restorable"]), (&"interrupted".into(), &true.into()));
    // Nor does another restore throw away what waits.
    for arguments in [&["recover"][..], &["migrate"], &["restore", "--name", "before", "--yes"]] {
        let ran = lifeboat(project.path(), arguments).ends_with(5);
        assert!(ran.stderr.contains("state: `.data/app.db` is the copy; its files are not all in place"), "{ran:?}");
        assert!(ran.stderr.contains("then `lifeboat recover`"), "{ran:?}");
    }
    let accepted = Project::new();
    super::copy_tree(project.path(), accepted.path());
    let ran = lifeboat(accepted.path(), &["recover", "--accept"]).ends_with(0);
    assert!(ran.stdout.contains("1 file that it had yet to see to is left out"), "{}", ran.stdout);
    assert_eq!(fs::read(accepted.path().join(".data/attachments/a.txt")).unwrap(), b"changed");

    let mut kept = fs::read_dir(data.join("backups")).unwrap().flatten().map(|entry| entry.path());
    let obstacle = kept.find(|path| path.extension().is_some_and(|end| end == "files")).unwrap();
    fs::remove_file(obstacle).unwrap();
    lifeboat(project.path(), &["recover"]).ends_with(0);
    assert_eq!(fs::read(&file).unwrap(), b"a");
    assert_eq!(crate::support::picture(&data.join("app.db")), old);
    let document = lifeboat(project.path(), &["doctor", "--json"]).ends_with(0).json();
    assert_eq!(document["state"]["is"], "ready");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named_before_a_restore_changes_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let project = project();
    let data = project.path().join(".data");
    let mode = |mode| fs::set_permissions(data.join("attachments"), fs::Permissions::from_mode(mode)).unwrap();
    for change in [true, false] {
        rusqlite::Connection::open(data.join("app.db")).unwrap().execute_batch("DROP TABLE pet").unwrap();
        let file = data.join("attachments").join(if change { "a.txt" } else { "more.txt" });
        fs::write(file, "changed").unwrap();
        mode(0o555);
        let before = crate::support::picture(&data.join("app.db"));
        let document =
            lifeboat(project.path(), &["restore", "--name", "before", "--exact", "-y", "--json"]).ends_with(1);
        let error = &document.json()["error"];
        assert_eq!((&error["kind"], &error["outcome"]), (&"read-only".into(), &"untouched".into()), "{error}");
        assert!(error["message"].as_str().unwrap().contains(".data/attachments"), "{error}");
        assert_eq!(crate::support::picture(&data.join("app.db")), before);
        mode(0o755);
        lifeboat(project.path(), &["restore", "--name", "before", "--exact", "-y"]).ends_with(0);
    }
}

#[test]
fn a_file_with_other_tables_is_no_copy_of_the_database_and_nothing_but_a_snapshot_is_replaced() {
    let project = project();
    let stranger = project.path().join("z.db");
    rusqlite::Connection::open(&stranger).unwrap().execute_batch("CREATE TABLE theirs (id)").unwrap();
    let before = crate::support::picture(&project.path().join(".data/app.db"));
    let document = lifeboat(project.path(), &["restore", "--backup", "z.db", "-y", "--json"]).ends_with(1).json();
    let error = &document["error"];
    assert_eq!((&error["kind"], &error["outcome"]), (&"foreign-copy".into(), &"untouched".into()), "{error}");
    assert_eq!(crate::support::picture(&project.path().join(".data/app.db")), before);
    // One table in common is enough: it may have had that one alone.
    rusqlite::Connection::open(&stranger).unwrap().execute_batch("CREATE TABLE PERSON (id)").unwrap();
    lifeboat(project.path(), &["restore", "--backup", "z.db", "-y"]).ends_with(0);

    fs::create_dir(project.path().join(".data.theirs")).unwrap();
    fs::write(project.path().join(".data.theirs/letter.txt"), "private").unwrap();
    fs::create_dir(project.path().join(".data.empty")).unwrap();
    fs::write(project.path().join(".data.file"), "text").unwrap();
    for name in ["theirs", "empty", "file"] {
        for arguments in [&["snapshot", "create", name][..], &["snapshot", "create", name, "--replace"]] {
            let ran = lifeboat(project.path(), arguments).ends_with(1);
            assert!(ran.stderr.contains("is not a snapshot") && !ran.stderr.contains("--replace"), "{}", ran.stderr);
        }
    }
    assert_eq!(fs::read(project.path().join(".data.theirs/letter.txt")).unwrap(), b"private");
}

#[test]
fn into_an_empty_place_a_snapshot_goes_without_a_warning() {
    let project = project();
    fs::remove_dir_all(project.path().join(".data")).unwrap();
    let ran = lifeboat(project.path(), &["restore", "--name", "before", "-y"]).ends_with(0);
    assert!(!ran.stderr.contains("warn") && !ran.stderr.contains("not removed"), "{}", ran.stderr);
    assert_eq!(fs::read(project.path().join(".data/attachments/a.txt")).unwrap(), b"a");
}

#[test]
fn a_lock_that_was_waited_for_is_told_with_the_time_it_took() {
    let project = project();
    let holder = rusqlite::Connection::open(project.path().join(".data/app.db")).unwrap();
    holder.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
    for arguments in [&["restore", "--name", "before", "-y"][..], &["snapshot", "create", "x"]] {
        let ran = lifeboat(project.path(), &[arguments, &["--wait", "1"]].concat());
        assert!(ran.code != 0 && ran.stderr.contains("is in use"), "{ran:?}");
        assert!(!ran.stderr.contains("within 0.0 s"), "{ran:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_snapshot_that_must_not_be_read_is_not_lost_and_one_that_cannot_be_removed_stays_whole() {
    use std::os::unix::fs::PermissionsExt;
    if !std::process::Command::new("setpriv").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return crate::support::skipped("there is no setpriv");
    }
    let project = project();
    let mode = |path: &str, mode| {
        fs::set_permissions(project.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    // Under another user everything but what is looked at may be written.
    for path in tree(project.path()).keys().filter(|path| path.is_dir()) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    for path in tree(project.path()).keys().filter(|path| path.is_file()) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    }
    mode("", 0o777);
    let as_nobody = |arguments: &[&str]| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_lifeboat")]);
        let output = command.args(arguments).current_dir(project.path()).output().unwrap();
        super::Ran::of(output)
    };
    if as_nobody(&["snapshot", "list"]).code != 0 {
        return crate::support::skipped("another user cannot be taken on here");
    }
    mode(".data.before/attachments", 0o555);
    let ran = as_nobody(&["snapshot", "delete", "before", "-y"]).ends_with(1);
    assert!(ran.stderr.contains("attachments` cannot be written"), "{}", ran.stderr);
    assert!(project.path().join(".data.before/attachments/a.txt").is_file());
    assert!(!project.path().join(".data.before.lifeboat-gone").exists());
    mode(".data.before", 0o700);
    let ran = as_nobody(&["snapshot", "list"]).ends_with(0);
    assert!(ran.stdout.contains("before") && ran.stdout.contains("cannot open it"), "{}", ran.stdout);
    let ran = as_nobody(&["restore", "--name", "before", "-y"]).ends_with(1);
    assert!(ran.stderr.to_lowercase().contains("permission denied"), "{}", ran.stderr);
}
