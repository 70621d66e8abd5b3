//! Files that are not what an app hopes for. Each is migrated, or refused with an error that names it; none loses a byte.

use std::fs;
use std::path::Path;

use lifeboat::{Error, ErrorKind, Outcome};
use rusqlite::Connection;

use crate::support::folder::Folder;
use crate::support::{Project, picture};

const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL);"),
    ("V2__first_note", "INSERT INTO notes (body) VALUES ('hello');"),
];

/// A table with as many rows of about 100 bytes.
fn rows(count: usize) -> String {
    format!(
        "CREATE TABLE old (id INTEGER PRIMARY KEY, text TEXT);
         CREATE INDEX old_text ON old (text);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO old SELECT i, printf('row %d %.80c', i, 'x') FROM n;"
    )
}

/// A project whose database is a sound one with rows.
fn with_rows(count: usize) -> Project {
    let project = Project::with(MIGRATIONS);
    project.sql(&rows(count));
    project
}

/// Migrating, opening and looking are all refused; the error names the path, and nothing is another than it was.
#[track_caller]
fn assert_refused(project: &Project, path: &Path, kinds: &[ErrorKind]) -> Error {
    let before = Folder::of(project.path());
    let database = project.migrator();
    let error = database.at(path).migrate().unwrap_err();
    let told = |error: &Error| {
        let text = error.to_string();
        assert!(kinds.contains(&error.kind()), "{:?}: {text}: {:?}", error.kind(), std::error::Error::source(error));
        assert_eq!(error.outcome(), Outcome::Untouched, "{text}");
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert_eq!(error.backup(), None);
        assert!(error.state().contains("nothing was changed"), "{}", error.state());
    };
    told(&error);
    before.assert_unchanged();
    told(&database.open(path).map(drop).unwrap_err());
    before.assert_unchanged();
    told(&database.at(path).status().map(drop).unwrap_err());
    before.assert_unchanged();
    error
}

/// It is migrated, the backup is what it was, and so is all that was in it.
#[track_caller]
fn assert_migrated(project: &Project, path: &Path) {
    let before = picture(path);
    let old: i64 = Connection::open(path).unwrap().query_row("SELECT count(*) FROM old", [], |r| r.get(0)).unwrap();
    let report = project.migrator().at(path).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::Migrated);
    let without_mode = |picture: String| picture.replace("\"wal\"", "\"delete\"");
    assert_eq!(without_mode(picture(&report.backup.unwrap())), without_mode(before));
    let now = Connection::open(path).unwrap();
    let number = |sql: &str| now.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("SELECT count(*) FROM old"), old);
    assert_eq!(number("SELECT count(*) FROM notes"), 1);
}

fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    std::iter::repeat_with(|| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 32) as u8
    })
    .take(length)
    .collect()
}

#[test]
fn what_is_no_file_is_refused() {
    let project = Project::with(MIGRATIONS);
    fs::create_dir(project.db()).unwrap();
    let error = assert_refused(&project, &project.db(), &[ErrorKind::NotAFile]);
    assert!(error.to_string().contains("a folder"), "{error}");
    for path in ["", ":memory:", "/", ".", ".."] {
        assert_refused(&project, Path::new(path), &[ErrorKind::NotAFile]);
    }
    let below_a_file = project.path().join("text/app.db");
    fs::write(project.path().join("text"), "a file where a folder should be").unwrap();
    assert_refused(&project, &below_a_file, &[ErrorKind::Io]);
}

#[cfg(unix)]
#[test]
fn a_device_or_a_pipe_is_refused_at_once() {
    let project = Project::with(MIGRATIONS);
    for device in ["/dev/null", "/dev/zero"] {
        assert_refused(&project, Path::new(device), &[ErrorKind::NotAFile]);
    }
    let pipe = project.db();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Opening it would wait for a writer for ever.
    assert_refused(&project, &pipe, &[ErrorKind::NotAFile]);
    // The same for a pipe in the folder of migrations.
    let other = Project::with(MIGRATIONS);
    let pipe = other.migrations_dir().join("V3__pipe.sql");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = lifeboat::Migrations::from_dir(other.migrations_dir()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadMigration);
    assert!(error.to_string().contains("V3__pipe.sql"), "{error}");
}

#[test]
fn an_empty_file_is_a_new_database() {
    let project = Project::with(MIGRATIONS);
    for content in ["", "S"] {
        // SQLite takes a single byte for none.
        fs::write(project.db(), content).unwrap();
        let report = project.migrator().at(project.db()).migrate().unwrap();
        assert_eq!(report.outcome, Outcome::Created);
        assert_eq!(report.backup, None);
        assert_eq!(project.number("SELECT count(*) FROM notes"), 1);
        assert_eq!(project.backups(), Vec::<String>::new(), "there was nothing to keep");
    }
}

#[test]
fn an_empty_file_is_empty_again_after_a_failure() {
    let project = Project::with(MIGRATIONS);
    project.write("V3__fails", "INSERT INTO notes VALUES (1, 'again'), (1, 'again');");
    fs::write(project.db(), b"").unwrap();
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack));
    assert_eq!(fs::read(project.db()).unwrap(), b"");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    for content in [
        b"too short!".to_vec(),
        "A diary, not a database.\n".repeat(1 << 16).into_bytes()[..1 << 20].to_vec(),
        vec![0; 1 << 20],
        noise(1 << 20, 7), // what an encrypted one looks like
        noise(4096, 8),
        noise(100, 9),
    ] {
        let project = Project::with(MIGRATIONS);
        fs::write(project.db(), &content).unwrap();
        let error = assert_refused(&project, &project.db(), &[ErrorKind::NotADatabase]);
        assert!(error.hint().unwrap().contains("encrypted"), "{:?}", error.hint());
    }
}

#[test]
fn a_truncated_database_is_refused() {
    let sound = with_rows(500);
    let bytes = fs::read(sound.db()).unwrap();
    assert!(bytes.len() > 20 * 4096);
    let lengths = [
        2,
        10,
        16,
        99,
        100,
        101,
        512,
        1000,
        4095,
        4096,
        4097,
        bytes.len() / 2,
        bytes.len() / 2 + 1,
        bytes.len() - 4096,
    ];
    for length in lengths.into_iter().chain([1, 2, 100, 4000, 4095].map(|cut| bytes.len() - cut)) {
        let project = Project::with(MIGRATIONS);
        fs::write(project.db(), &bytes[..length]).unwrap();
        let before = Folder::of(project.path());
        let error = project.migrator().at(project.db()).migrate().unwrap_err();
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::NotADatabase), "{length}: {error}");
        assert!(error.to_string().contains(&project.db().display().to_string()), "{length}: {error}");
        assert_eq!(error.outcome(), Outcome::Untouched, "{length}");
        before.assert_unchanged();
    }
}

/// SQLite takes a last page of which a part is missing for one that ends in zeros.
#[test]
fn a_database_that_lost_the_end_of_its_last_page_is_refused() {
    let project = Project::with(MIGRATIONS);
    project
        .sql("CREATE TABLE old (id INTEGER PRIMARY KEY, picture BLOB); INSERT INTO old VALUES (1, randomblob(20000));");
    let bytes = fs::read(project.db()).unwrap();
    for cut in [1, 700] {
        fs::write(project.db(), &bytes[..bytes.len() - cut]).unwrap();
        let before = Folder::of(project.path());
        let error = project.migrator().at(project.db()).migrate().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::Untouched), "{error}");
        before.assert_unchanged();
    }
    fs::write(project.db(), &bytes).unwrap();
    assert_migrated(&project, &project.db());
}

#[test]
fn a_damaged_page_is_found_before_anything_is_touched() {
    for wal in [false, true] {
        let project = with_rows(5000);
        if wal {
            project.sql("PRAGMA journal_mode = WAL");
        }
        let mut bytes = fs::read(project.db()).unwrap();
        let middle = bytes.len() / 4096 / 2 * 4096;
        bytes[middle..middle + 4096].copy_from_slice(&noise(4096, 3));
        fs::write(project.db(), &bytes).unwrap();
        let before = Folder::of(project.path());
        let error = project.migrator().at(project.db()).migrate().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::Untouched));
        let text = error.to_string();
        assert!(text.contains(&format!("`{}` is damaged", project.db().display())), "{text}");
        assert!(error.hint().unwrap().contains(".recover"));
        before.assert_unchanged();
    }
}

#[test]
fn a_damaged_schema_is_refused() {
    let project = with_rows(10);
    project.sql(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE old (id INTEGER PRIMARY' WHERE name = 'old'",
    );
    assert_refused(&project, &project.db(), &[ErrorKind::Corrupt]);
}

/// SQLite takes it for UTF-8 at first, and then cannot read the schema again: neither after a step nor on the way back.
#[test]
fn a_text_encoding_that_is_none_is_refused_before_anything_is_touched() {
    let project = with_rows(3);
    let path = project.db();
    let mut bytes = fs::read(&path).unwrap();
    bytes[56..60].copy_from_slice(&[0, 0, 0, 4]);
    fs::write(&path, &bytes).unwrap();
    let error = project.migrator().at(&path).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::Untouched), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn databases_of_every_format_are_migrated() {
    let formats = [
        "PRAGMA encoding = 'UTF-16le'",
        "PRAGMA encoding = 'UTF-16be'",
        "PRAGMA page_size = 512",
        "PRAGMA page_size = 65536",
        "PRAGMA auto_vacuum = FULL",
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA page_size = 1024",
        "PRAGMA application_id = 1280262722; PRAGMA user_version = 77",
        "PRAGMA journal_mode = WAL",
        "PRAGMA page_size = 65536; PRAGMA journal_mode = WAL",
        "PRAGMA journal_mode = PERSIST",
        "PRAGMA journal_mode = TRUNCATE",
        "CREATE TABLE \"a \"\" table\" (\"b`]'\" TEXT PRIMARY KEY, \"größe\" ANY) WITHOUT ROWID, STRICT;
         INSERT INTO \"a \"\" table\" VALUES ('ключ', x'00ff')",
        "CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO numbered DEFAULT VALUES",
        "CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES ('one'), ('two')",
        "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1); INSERT INTO boxes VALUES (1, 2, 3)",
        "CREATE TABLE made (a INTEGER, b AS (a * 2) STORED); INSERT INTO made VALUES (1); ANALYZE",
        "CREATE VIEW broken AS SELECT * FROM no_such_table",
        "CREATE TABLE broken (a NOT NULL, CHECK (a > 5)); PRAGMA ignore_check_constraints = ON;
         INSERT INTO broken VALUES (1); PRAGMA ignore_check_constraints = OFF",
    ];
    for format in formats {
        let project = Project::with(MIGRATIONS);
        {
            let connection = Connection::open(project.db()).unwrap();
            connection.execute_batch(format).unwrap();
            connection.execute_batch(&rows(300)).unwrap();
        }
        if format.contains("broken") {
            // SQLite's own check, and `SELECT`, find fault with these, and they are none of the run's business.
            let report =
                project.migrator().at(project.db()).migrate().unwrap_or_else(|error| panic!("{format}: {error}"));
            assert_eq!(report.outcome, Outcome::Migrated, "{format}");
            assert_eq!(project.number("SELECT count(*) FROM old"), 300);
            continue;
        }
        assert_migrated(&project, &project.db());
        for (pragma, value) in [("encoding", "UTF-16le"), ("encoding", "UTF-16be"), ("journal_mode", "wal")] {
            let now: String = Connection::open(project.db())
                .unwrap()
                .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
                .unwrap();
            assert_eq!(
                now.eq_ignore_ascii_case(value),
                format.to_lowercase().contains(&value.to_lowercase()),
                "{format}"
            );
        }
        for (pragma, value) in
            [("page_size", 512), ("page_size", 65536), ("application_id", 1_280_262_722), ("user_version", 77)]
        {
            let wanted = format.contains(&format!("{pragma} = {value}"));
            assert_eq!(project.number(&format!("PRAGMA {pragma}")) == value, wanted, "{format}: {pragma}");
        }
        let auto_vacuum = i64::from(format.contains("FULL")) + 2 * i64::from(format.contains("INCREMENTAL"));
        assert_eq!(project.number("PRAGMA auto_vacuum"), auto_vacuum, "{format}");
    }
}

#[test]
fn a_database_without_a_table_in_wal_mode_is_migrated() {
    let project = Project::with(MIGRATIONS);
    Connection::open(project.db()).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
    assert!(fs::metadata(project.db()).unwrap().len() > 0);
    let report = project.migrator().at(project.db()).migrate().unwrap();
    assert!(matches!(report.outcome, Outcome::Migrated | Outcome::Created));
    assert_eq!(project.number("SELECT count(*) FROM notes"), 1);
    // The header alone, as a file system may leave it.
    let bytes = fs::read(project.db()).unwrap();
    let project = Project::with(MIGRATIONS);
    let mut header = bytes[..4096].to_vec();
    header[28..32].copy_from_slice(&[0; 4]);
    header[100..].fill(0);
    fs::write(project.db(), &header).unwrap();
    assert_refused(&project, &project.db(), &[ErrorKind::Corrupt]);
}

#[test]
fn a_module_that_nobody_knows_does_not_block() {
    let project = with_rows(10);
    project.sql(
        "PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
         VALUES ('table', 'places', 'places', 0, 'CREATE VIRTUAL TABLE places USING spatial(x, y)')",
    );
    let report = project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::Migrated);
    let sql: String = Connection::open(project.db())
        .unwrap()
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'places'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sql, "CREATE VIRTUAL TABLE places USING spatial(x, y)");
}

#[test]
fn a_collation_that_nobody_knows_is_named_and_the_hook_brings_it() {
    let by_length = |connection: &Connection| {
        connection.create_collation("by_length", |a: &str, b: &str| a.len().cmp(&b.len()).then_with(|| a.cmp(b)))
    };
    let project = Project::with(MIGRATIONS);
    {
        let connection = Connection::open(project.db()).unwrap();
        by_length(&connection).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE old (name TEXT COLLATE by_length); CREATE INDEX i ON old (name);
                 INSERT INTO old VALUES ('ccc'), ('a'), ('bb')",
            )
            .unwrap();
    }
    let before = Folder::of(project.path());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Untouched);
    assert!(error.to_string().contains(&format!("`{}`", project.db().display())), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("by_length"), "{cause}");
    assert!(error.hint().unwrap().contains("on_connect"), "{:?}", error.hint());
    before.assert_unchanged();
    let report = project.migrator().on_connect(by_length).at(project.db()).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::Migrated);
}

fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Migrating is refused and names `named`; looking works, and says what is pending.
#[cfg(unix)]
#[track_caller]
fn assert_read_only(project: &Project, named: &Path) {
    let before = Folder::of(project.path());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ReadOnly, Outcome::Untouched), "{error}");
    assert!(error.to_string().contains(&format!("`{}` cannot be written", named.display())), "{error}");
    assert!(error.hint().unwrap().contains("the user that runs the app"));
    assert_eq!(before.new_names(), Vec::<String>::new());
    before.assert_unchanged();
    let status = project.migrator().at(project.db()).status().unwrap();
    assert_eq!(status.pending_migrations, ["V1__notes", "V2__first_note"]);
    assert_eq!(before.new_names(), Vec::<String>::new());
    before.assert_unchanged();
}

/// The bits bind the superuser too: a file that was marked read-only was marked so by somebody.
#[cfg(unix)]
#[test]
fn a_read_only_file_or_folder_is_refused_and_can_be_looked_at() {
    for wal in [false, true] {
        let project = with_rows(10);
        if wal {
            project.sql("PRAGMA journal_mode = WAL");
        }
        set_mode(&project.db(), 0o444);
        assert_read_only(&project, &project.db());
        set_mode(&project.db(), 0o644);
        set_mode(project.path(), 0o555);
        assert_read_only(&project, project.path());
        set_mode(project.path(), 0o755);
        // No file there, and none to be made there.
        let absent = project.path().join("closed/new.db");
        fs::create_dir(absent.parent().unwrap()).unwrap();
        set_mode(absent.parent().unwrap(), 0o555);
        let before = Folder::of(project.path());
        let error = project.migrator().open(&absent).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::ReadOnly, Outcome::Untouched), "{error}");
        assert!(error.to_string().contains("closed"), "{error}");
        assert_eq!(before.new_names(), Vec::<String>::new());
        assert_migrated(&project, &project.db());
    }
}

/// What this binary does as a user who may do little; see the test below.
#[cfg(unix)]
#[test]
fn child_without_rights() {
    let Some(folder) = crate::support::child::told() else { return };
    let migrations = lifeboat::Migrations::from_dir(folder.join("migrations")).unwrap();
    let migrator = lifeboat::Migrator::new(migrations);
    for (file, named) in [
        ("a/app.db", "a"),
        ("b/app.db", "b/app.db"),
        ("wal/app.db", "wal"),
        ("wal file/app.db", "wal file/app.db"),
        ("c/app.db", "c"),
        ("c/new/app.db", "c/new"),
    ] {
        let error = migrator.at(folder.join(file)).migrate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{file}: {error}: {:?}", std::error::Error::source(&error));
        assert_eq!(error.outcome(), Outcome::Untouched, "{file}: {error}");
        assert!(error.to_string().contains(&folder.join(named).display().to_string()), "{file}: {error}");
    }
    for file in ["a/app.db", "b/app.db", "wal/app.db", "wal file/app.db"] {
        let status = migrator.at(folder.join(file)).status().unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(status.pending_migrations.len(), 2);
    }
    // A file that it may not even read, and a folder that it may not enter.
    for file in ["d/app.db", "e/app.db"] {
        let path = folder.join(file);
        let error = migrator.at(&path).migrate().unwrap_err();
        assert_eq!(error.outcome(), Outcome::Untouched);
        assert!(error.to_string().contains(&path.display().to_string()), "{file}: {error}");
        assert!(matches!(error.kind(), ErrorKind::Sqlite | ErrorKind::Io | ErrorKind::ReadOnly), "{file}: {error:?}");
    }
}

#[cfg(unix)]
#[test]
fn without_the_right_to_write_nothing_is_changed() {
    if !is_root() {
        return crate::support::skipped("only the superuser can become somebody else");
    }
    let project = with_rows(10);
    set_mode(project.path(), 0o755);
    set_mode(&project.migrations_dir(), 0o755);
    for (folder, folder_mode, file_mode) in [
        ("a", 0o755, 0o666),
        ("b", 0o777, 0o644),
        ("wal", 0o755, 0o666),
        ("wal file", 0o777, 0o644),
        ("c", 0o755, 0),
        ("d", 0o777, 0o600),
        ("e", 0o700, 0o666),
    ] {
        let folder = project.path().join(folder);
        fs::create_dir(&folder).unwrap();
        if file_mode > 0 {
            fs::copy(project.db(), folder.join("app.db")).unwrap();
            if folder.ends_with("wal") || folder.ends_with("wal file") {
                Connection::open(folder.join("app.db")).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
            }
            set_mode(&folder.join("app.db"), file_mode);
        }
        set_mode(&folder, folder_mode);
    }
    let before = Folder::of(project.path());
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    if !std::process::Command::new("setpriv").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return crate::support::skipped("there is no setpriv");
    }
    crate::support::child::run("bad_files::child_without_rights", project.path(), &nobody);
    before.assert_unchanged();
}

#[cfg(target_os = "linux")]
#[test]
fn an_immutable_file_is_refused() {
    let project = with_rows(10);
    let chattr = |flag: &str| {
        std::process::Command::new("chattr")
            .arg(flag)
            .arg(project.db())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !chattr("+i") {
        return crate::support::skipped("no chattr +i here");
    }
    let before = Folder::of(project.path());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    let status = project.migrator().at(project.db()).status().map(|status| status.pending_migrations.len());
    assert!(chattr("-i"));
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ReadOnly, Outcome::Untouched), "{error}");
    assert!(error.to_string().contains(&project.db().display().to_string()), "{error}");
    assert_eq!(status.unwrap(), 2);
    before.assert_unchanged();
}

#[test]
fn strange_names_are_only_names() {
    let names = [
        "my notes.db",
        "🛟 ключ.db",
        "100%25.db",
        "a?mode=ro.db",
        "a#b.db",
        "file:app.db",
        "file:app.db?mode=memory",
        "-app.db",
        "'quoted\".db",
        "no-extension",
        ".hidden",
        "a.b.c.db",
        "new\nline.db",
    ];
    for name in names {
        let project = with_rows(10);
        let folder = project.path().join("in % a #folder? ü");
        fs::create_dir(&folder).unwrap();
        let path = folder.join(name);
        fs::copy(project.db(), &path).unwrap();
        assert_migrated(&project, &path);
        let backups = crate::support::backups_in(&folder.join("backups"));
        assert_eq!(backups.len(), 1, "{name}: {backups:?}");
        let mut there: Vec<String> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        let mut wanted = vec![name.to_owned(), format!("{name}-lifeboat"), "backups".to_owned()];
        wanted.sort();
        assert_eq!(there, wanted);
        // Made anew, and looked at where nothing can be written (which goes through a URI).
        fs::remove_file(&path).unwrap();
        assert_eq!(project.migrator().at(&path).migrate().unwrap().outcome, Outcome::Created, "{name}");
        #[cfg(unix)]
        {
            Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
            set_mode(&folder, 0o555);
            assert!(project.migrator().at(&path).status().unwrap().is_up_to_date, "{name}");
            set_mode(&folder, 0o755);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf_8_is_only_a_name() {
    use std::os::unix::ffi::OsStrExt;
    let project = with_rows(10);
    let path = project.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9-\xff.d\xfe"));
    fs::rename(project.db(), &path).unwrap();
    assert_migrated(&project, &path);
    let report = project.migrator().at(&path).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::UpToDate);
    // Its backup is known again: nothing is copied twice, and a split run finds its copy.
    let backups = project.migrator();
    assert_eq!(backups.at(&path).backups().unwrap().len(), 1);
    project.write("V3__more", "INSERT INTO notes (body) VALUES ('more')");
    project.write("V4__fails", "INSERT INTO notes (body) VALUES (NULL)");
    let before = picture(&path);
    let error = project.migrator().atomicity(lifeboat::Atomicity::Step).at(&path).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Restored);
    assert_eq!(picture(&path), before);
}

#[cfg(unix)]
#[test]
fn through_a_link_the_real_file_is_migrated_and_the_link_stays_a_link() {
    let project = with_rows(10);
    let data = project.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::rename(project.db(), data.join("real.db")).unwrap();
    let second = project.path().join("second.db");
    std::os::unix::fs::symlink("data/real.db", project.db()).unwrap();
    std::os::unix::fs::symlink(project.db(), &second).unwrap();
    assert_migrated(&project, &second);
    for (link, target) in [(project.db(), "data/real.db".into()), (second, project.db())] {
        assert_eq!(fs::read_link(link).unwrap(), target);
    }
    let mut here: Vec<_> = fs::read_dir(project.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    here.sort();
    assert_eq!(here, ["app.db", "data", "migrations", "second.db"], "all lies beside the real file");
    let backups = crate::support::backups_in(&data.join("backups"));
    assert_eq!(backups.len(), 1);
    assert!(backups[0].starts_with("real-"), "under the real name: {backups:?}");
    assert!(data.join("real.db-lifeboat").exists());
}

#[cfg(unix)]
#[test]
fn through_a_linked_folder_everything_lies_in_the_real_one() {
    let project = with_rows(10);
    let data = project.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::rename(project.db(), data.join("app.db")).unwrap();
    let link = project.path().join("link");
    std::os::unix::fs::symlink("data", &link).unwrap();
    assert_migrated(&project, &link.join("app.db"));
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("data"));
    assert_eq!(crate::support::backups_in(&data.join("backups")).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_refused_with_its_target() {
    let project = Project::with(MIGRATIONS);
    let target = project.path().join("usb stick/app.db");
    std::os::unix::fs::symlink(&target, project.db()).unwrap();
    let error = assert_refused(&project, &project.db(), &[ErrorKind::DanglingLink]);
    assert!(error.to_string().contains("usb stick/app.db"), "{error}");
    fs::remove_file(project.db()).unwrap();
    std::os::unix::fs::symlink("app.db", project.db()).unwrap();
    assert_refused(&project, &project.db(), &[ErrorKind::Io]);
}

#[cfg(unix)]
#[test]
fn a_hard_link_is_warned_of() {
    let project = with_rows(10);
    fs::hard_link(project.db(), project.path().join("other.db")).unwrap();
    let warned = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = warned.clone();
    let migrator = project.migrator().on_event(move |event| {
        if let lifeboat::Event::Warning { message } = event {
            heard.lock().unwrap().push(message.clone());
        }
    });
    assert_eq!(migrator.at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    let warned = warned.lock().unwrap();
    assert!(warned.iter().any(|message| message.contains("hard links") && message.contains("app.db")), "{warned:?}");
    let other = Connection::open(project.path().join("other.db")).unwrap();
    assert_eq!(other.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn an_empty_file_beside_a_log_with_content_is_not_taken_for_a_new_database() {
    let project = Project::with(&[("V1__note", "CREATE TABLE note (a);")]);
    let writer = rusqlite::Connection::open(project.db()).unwrap();
    writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE old (a); INSERT INTO old VALUES (1)").unwrap();
    let log = std::fs::read(project.path().join("app.db-wal")).unwrap();
    drop(writer);
    std::fs::write(project.db(), b"").unwrap();
    std::fs::write(project.path().join("app.db-wal"), &log).unwrap();
    let migrator = project.migrator();
    for error in [migrator.at(project.db()).migrate().unwrap_err(), migrator.at(project.db()).status().unwrap_err()] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::Untouched));
    }
    assert_eq!(std::fs::read(project.path().join("app.db-wal")).unwrap(), log);
}
