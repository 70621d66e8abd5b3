//! The library as an app uses it.

use std::fs;
use std::sync::{Arc, Mutex};

use lifeboat::testing::Template;
use lifeboat::{Environment, ErrorKind, Event, LedgerText, Migrations, Migrator, Outcome};
use rusqlite::Connection;

use crate::support::{NOTEBOOK, Project, picture_of};

fn events(migrator: Migrator) -> (Migrator, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    (migrator.on_event(move |event| into.lock().unwrap().push(format!("{event:?}"))), seen)
}

#[test]
fn open_creates_migrates_and_then_has_nothing_to_do() {
    let project = Project::new();
    let (migrator, seen) = events(Migrator::new(&NOTEBOOK));
    let db = migrator.open(project.db()).unwrap();
    assert!(db.query_row("PRAGMA foreign_keys", [], |row| row.get::<_, bool>(0)).unwrap());
    db.execute("INSERT INTO notebooks (name, created_at) VALUES ('Ideas', '2026-01-01T00:00:00Z')", []).unwrap();
    drop(db);
    assert!(seen.lock().unwrap().iter().any(|event| event.contains("Created")));
    seen.lock().unwrap().clear();
    let before = fs::read_dir(project.path()).unwrap().count();
    let db = migrator.open(project.db()).unwrap();
    assert_eq!(db.query_row("SELECT name FROM notebooks", [], |row| row.get::<_, String>(0)).unwrap(), "Ideas");
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new(), "a launch with nothing to do is silent");
    assert_eq!(fs::read_dir(project.path()).unwrap().count(), before, "and makes no file");
}

#[test]
fn in_a_test_environment_open_does_not_migrate() {
    let project = Project::example();
    let bytes = fs::read(project.db()).unwrap();
    let (migrator, seen) = events(Migrator::new(&NOTEBOOK).environment(Environment::Test));
    let db = migrator.open(project.db()).unwrap();
    assert_eq!(
        db.query_row("SELECT max(version) FROM refinery_schema_history", [], |r| r.get::<_, i64>(0)).unwrap(),
        8
    );
    drop(db);
    assert_eq!(fs::read(project.db()).unwrap(), bytes);
    assert!(seen.lock().unwrap().contains(&format!("{:?}", Event::SkippedInTest { pending: 3 })));
    Migrator::new(&NOTEBOOK).environment(Environment::Normal).open(project.db()).unwrap();
    assert_eq!(project.number("SELECT max(version) FROM refinery_schema_history"), 11);
}

#[test]
fn a_template_hands_out_databases_that_do_not_know_each_other() {
    let template = Template::new(&Migrator::new(&NOTEBOOK)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let one = template.in_memory().unwrap();
    let other = template.at(folder.path().join("other.db")).unwrap();
    let insert = "INSERT INTO notebooks (name, created_at) VALUES ('Ideas', '2026-01-01T00:00:00Z')";
    one.execute(insert, []).unwrap();
    one.execute(insert.replace("Ideas", "More").as_str(), []).unwrap();
    let count = |db: &Connection| db.query_row("SELECT count(*) FROM notebooks", [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!((count(&one), count(&other), count(&template.in_memory().unwrap())), (2, 0, 0));
    // The same schema as a file gets.
    let project = Project::new();
    Migrator::new(&NOTEBOOK).at(project.db()).migrate().unwrap();
    let ours = ["lifeboat_ledger", "refinery_schema_history"];
    let file = Connection::open(project.db()).unwrap();
    assert_eq!(picture_of(&other, &ours), picture_of(&file, &ours));
    assert!(template.at(folder.path().join("other.db")).is_err(), "a file that is there is not written over");
}

#[test]
fn a_step_in_rust_is_in_the_transaction_of_its_history_row() {
    let project = Project::with(&[("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);")]);
    let migrator = project
        .migrator()
        .step(2, "fill", |tx| {
            tx.execute("INSERT INTO note (body) VALUES (?1)", ["from code"])?;
            Ok(())
        })
        .step(3, "fail", |tx| {
            tx.execute("INSERT INTO note (body) VALUES (?1)", ["lost"])?;
            Err("no more".into())
        });
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::CodeFailed, Outcome::RolledBack));
    assert!(!project.db().exists(), "created whole or not at all");
    let report = migrator.at(project.db()).migrate_to(2).unwrap();
    assert_eq!(report.results.len(), 2);
    assert_eq!(project.number("SELECT count(*) FROM note"), 1);
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(project.number("SELECT count(*) FROM note"), 1);
    assert_eq!(project.number("SELECT max(version) FROM refinery_schema_history"), 2);
}

#[test]
fn a_runner_from_refinery_is_taken_as_it_is() {
    let project = Project::with(&[
        ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);"),
        ("U5__extra", "CREATE TABLE extra (a);"),
    ]);
    let theirs = refinery::load_sql_migrations(project.migrations_dir()).unwrap();
    let migrator = Migrator::new(refinery::Runner::new(&theirs));
    let names: Vec<String> = migrator.migrations().iter().map(lifeboat::Migration::id).collect();
    assert_eq!(names, ["V1__note", "U5__extra"]);
    migrator.at(project.db()).migrate().unwrap();
    let mut connection = Connection::open(project.db()).unwrap();
    assert!(refinery::Runner::new(&theirs).run(&mut connection).unwrap().applied_migrations().is_empty());
}

#[test]
fn every_connection_is_prepared_by_the_hook() {
    let project = Project::with(&[
        ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT COLLATE backwards);"),
        ("V2__index", "CREATE INDEX note_body ON note (body); INSERT INTO note (body) VALUES (shout('a'));"),
    ]);
    let prepared = project.migrator().on_connect(|connection| {
        connection.create_collation("backwards", |a, b| b.cmp(a))?;
        let flags = rusqlite::functions::FunctionFlags::SQLITE_UTF8;
        connection.create_scalar_function("shout", 1, flags, |context| Ok(context.get::<String>(0)?.to_uppercase()))?;
        connection.pragma_update(None, "journal_mode", "wal")
    });
    let migrator = prepared.clone().check("a shouted note", |connection| {
        let body: String = connection.query_row("SELECT body FROM note", [], |row| row.get(0))?;
        if body == "A" { Ok(()) } else { Err(body.into()) }
    });
    prepared.at(project.db()).migrate_to(1).unwrap();
    let mode =
        || Connection::open(project.db()).unwrap().query_row("PRAGMA journal_mode", [], |r| r.get::<_, String>(0));
    assert_eq!(mode().unwrap(), "delete", "looking and migrating leave the journal mode alone");
    migrator.at(project.db()).status().unwrap();
    assert_eq!(mode().unwrap(), "delete");
    let db = migrator.open(project.db()).unwrap();
    assert_eq!(db.query_row("SELECT shout(body) FROM note", [], |row| row.get::<_, String>(0)).unwrap(), "A");
    assert_eq!(mode().unwrap(), "wal", "the connection that the app gets is its own");
}

#[test]
fn the_ledger_keeps_what_was_applied() {
    let project = Project::with(&[("V1__note", "CREATE TABLE note (a);"), ("V2__more", "CREATE TABLE more (a);")]);
    fs::write(project.migrations_dir().join("V2__more.down.sql"), "DROP TABLE more;").unwrap();
    project.migrator().app_version("1.2.3").at(project.db()).migrate().unwrap();
    let row = |sql: &str| {
        Connection::open(project.db()).unwrap().query_row(sql, [], |row| row.get::<_, Option<String>>(0)).unwrap()
    };
    assert_eq!(row("SELECT up FROM lifeboat_ledger WHERE version = 1").as_deref(), Some("CREATE TABLE note (a);"));
    assert_eq!(row("SELECT down FROM lifeboat_ledger WHERE version = 2").as_deref(), Some("DROP TABLE more;"));
    assert_eq!(row("SELECT app_version FROM lifeboat_ledger WHERE kind = 'run'").as_deref(), Some("1.2.3"));
    assert_eq!(project.number("SELECT count(*) FROM lifeboat_ledger WHERE is_open"), 0);
    project.write("V3__secret", "CREATE TABLE secret (a);");
    project.migrator().ledger_text(LedgerText::Omit).at(project.db()).migrate().unwrap();
    assert_eq!(row("SELECT up FROM lifeboat_ledger WHERE version = 3"), None);
}

#[test]
fn hooks_stand_in_the_transaction_of_their_migration() {
    let project =
        Project::with(&[("V1__note", "CREATE TABLE note (a);"), ("V2__more", "INSERT INTO note VALUES (2);")]);
    let migrator = project.migrator().after_each(|tx, step| {
        tx.execute("INSERT INTO note VALUES (?1)", [&step.name])?;
        if step.version == 2 { Err("not this one".into()) } else { Ok(()) }
    });
    project.sql("CREATE TABLE other (a)");
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::CodeFailed, Outcome::RolledBack));
    assert_eq!(project.number("SELECT count(*) FROM sqlite_schema"), 1);
    migrator.at(project.db()).migrate_to(1).unwrap();
    assert_eq!(project.number("SELECT count(*) FROM note WHERE a = 'V1__note'"), 1);
}

#[test]
fn a_mistaken_setting_is_said_and_not_guessed() {
    let project = Project::new();
    let error = Migrator::new(Migrations::none()).history_table("a; DROP TABLE b").open(project.db()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(!project.db().exists());
    let error = Migrator::new(Migrations::none()).step(1, "a-b", |_| Ok(())).open(project.db()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadMigration);
    assert!(error.hint().unwrap().contains("V1__a_b"), "{:?}", error.hint());
}
