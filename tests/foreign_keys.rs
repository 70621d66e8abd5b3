//! Foreign keys are off while a migration runs, and hold nevertheless: no child is lost by a rebuild, no new dangling
//! reference is committed, and old ones keep nobody from an update.

use std::sync::{Arc, Mutex};

use lifeboat::{Error, ErrorKind, Event, Outcome, Problem};

use crate::support::{Project, picture};

/// A database that was there before lifeboat, and one migration.
fn with(before: &str, migration: &str) -> Project {
    let project = Project::with(&[("V1__change", migration)]);
    project.sql(before);
    project
}

#[track_caller]
fn migrated(before: &str, migration: &str) -> Project {
    let project = with(before, migration);
    let report = project.migrator().at(project.db()).migrate();
    let report = report.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    assert_eq!(report.outcome, Outcome::Migrated);
    picture(&project.db());
    project
}

#[track_caller]
fn refused(before: &str, migration: &str) -> Error {
    let project = with(before, migration);
    let old = picture(&project.db());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    let told = format!("{error}: {:?}", std::error::Error::source(&error));
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ForeignKey, Outcome::RolledBack), "{told}");
    assert!(told.contains("`V1__change`"), "{told}");
    assert_eq!(picture(&project.db()), old);
    error
}

/// `(child, parent, rowids, count, cascade)`
fn facts(error: &Error) -> (&str, &str, &[i64], usize, bool) {
    let Problem::ForeignKey { child, parent, rowids, count, cascade, .. } = error.problem() else { unreachable!() };
    (child, parent, rowids, *count, *cascade)
}

const FAMILY: &str = "
    CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent ON DELETE CASCADE);
    CREATE TABLE grandchild (id INTEGER PRIMARY KEY, child_id INTEGER NOT NULL REFERENCES child (id) ON DELETE CASCADE);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO parent SELECT i, 'p' || i FROM n;
    INSERT INTO child SELECT id * 10, id FROM parent;
    INSERT INTO grandchild SELECT id * 10, id FROM child;";

const REBUILD_PARENT: &str = "
    CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, added TEXT DEFAULT 'x');
    INSERT INTO parent_new (id, name) SELECT id, name FROM parent;
    DROP TABLE parent;
    ALTER TABLE parent_new RENAME TO parent;";

#[test]
fn children_behind_a_cascade_survive_a_rebuild() {
    let project = migrated(FAMILY, REBUILD_PARENT);
    assert_eq!(
        project.number(
            "SELECT count(*) FROM grandchild JOIN child ON child.id = child_id JOIN parent ON parent.id = parent_id"
        ),
        20
    );
    // Also where the file says that keys are on: it is inside a transaction, where SQLite does not listen either.
    let project = migrated(FAMILY, &format!("PRAGMA foreign_keys = ON;{REBUILD_PARENT}"));
    assert_eq!(project.number("SELECT count(*) FROM grandchild"), 20);
}

#[test]
fn new_dangling_references_are_refused_by_table_rowid_parent_and_count() {
    let error = refused(FAMILY, "INSERT INTO child VALUES (1, 1), (2, 999), (3, NULL), (4, 998);");
    assert_eq!(facts(&error), ("child", "parent", &[2, 4][..], 2, false));
    assert_eq!(
        error.to_string(),
        "migration `V1__change` leaves 2 rows in `child` that refer to no row of `parent` (rowids 2, 4)"
    );
    assert!(error.hint().unwrap().contains("mend the rows"), "{:?}", error.hint());

    let error = refused(FAMILY, "UPDATE child SET parent_id = -id;");
    assert_eq!(facts(&error), ("child", "parent", &(1..=10).map(|n| n * 10).collect::<Vec<_>>()[..], 20, false));

    // A table that refers to one that was dropped, and one that was written by a trigger.
    let error = refused(FAMILY, "DROP TABLE child;");
    assert_eq!((facts(&error).0, facts(&error).1, facts(&error).3), ("grandchild", "child", 20));
    let error = refused(
        FAMILY,
        "CREATE TABLE log (a); CREATE TRIGGER t AFTER INSERT ON log BEGIN UPDATE child SET parent_id = 77 WHERE id = 50; END;
         INSERT INTO log VALUES (1);",
    );
    assert_eq!(facts(&error), ("child", "parent", &[50][..], 1, false));
    // A new key on old rows.
    let error = refused(
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (x); INSERT INTO b VALUES (5);",
        "CREATE TABLE b2 (x REFERENCES a); INSERT INTO b2 SELECT x FROM b; DROP TABLE b; ALTER TABLE b2 RENAME TO b;",
    );
    assert_eq!(facts(&error), ("b", "a", &[1][..], 1, false));
    // Names in other letters, and with everything in them.
    let error = refused(
        "CREATE TABLE \"The \"\"Parent\" (\"the key\" TEXT PRIMARY KEY); CREATE TABLE \"C`[]\" (\"a b\" REFERENCES \"THE \"\"PARENT\");
         INSERT INTO \"The \"\"Parent\" VALUES ('ü'); INSERT INTO \"C`[]\" VALUES ('ü');",
        "DELETE FROM \"the \"\"parent\";",
    );
    assert_eq!((facts(&error).0, facts(&error).2, facts(&error).3), ("C`[]", &[1][..], 1));
}

#[test]
fn a_delete_that_relies_on_a_cascade_is_told_how_it_can_have_one() {
    let delete = "DELETE FROM parent WHERE id <= 5;";
    let error = refused(FAMILY, delete);
    assert_eq!(facts(&error), ("child", "parent", &[10, 20, 30, 40, 50][..], 5, true));
    let hint = error.hint().unwrap();
    assert!(hint.contains("nothing cascades") && hint.contains("-- lifeboat: foreign-keys on"), "{hint}");
    let project = migrated(FAMILY, &format!("-- lifeboat: foreign-keys on\n{delete}"));
    assert_eq!(project.number("SELECT count(*) FROM grandchild"), 15);
    let project = with(FAMILY, delete);
    project.migrator().foreign_keys_on(1).at(project.db()).migrate().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM child"), 15);
    // With keys on, SQLite itself refuses what dangles; the run is rolled back all the same.
    let project = with(
        FAMILY,
        "-- lifeboat: foreign-keys on\nDELETE FROM parent WHERE id = 1;\nINSERT INTO child VALUES (1, 999);",
    );
    let before = picture(&project.db());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::StepFailed, Outcome::RolledBack), "{error}");
    let Problem::StepFailed { source, at, .. } = error.problem() else { unreachable!() };
    assert_eq!((source.code, at.line), (787, 3)); // SQLITE_CONSTRAINT_FOREIGNKEY
    assert_eq!(picture(&project.db()), before);
}

#[test]
fn a_group_with_keys_on_stands_between_groups_without() {
    let project = with(FAMILY, REBUILD_PARENT);
    project.write("V2__cascade", "-- lifeboat: foreign-keys on\nDELETE FROM parent WHERE id = 1;");
    project.write(
        "V3__rebuild",
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p SELECT id, name FROM parent;
        DROP TABLE parent; ALTER TABLE p RENAME TO parent;",
    );
    project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM grandchild"), 19);
    // A failure after the second group has committed puts the copy back.
    let project = with(FAMILY, REBUILD_PARENT);
    project.write("V2__cascade", "-- lifeboat: foreign-keys on\nDELETE FROM parent WHERE id = 1;");
    project.write("V3__dangles", "INSERT INTO child VALUES (1, 999);");
    let before = picture(&project.db());
    let error = project.migrator().at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ForeignKey, Outcome::Restored));
    assert_eq!(picture(&project.db()), before);
}

const ORPHANS: &str = "INSERT INTO child VALUES (1, 900), (2, 900), (3, 901); INSERT INTO grandchild VALUES (7, 1000);";

#[test]
fn old_orphans_block_nothing() {
    let before = format!("{FAMILY}{ORPHANS}");
    for migration in [
        "UPDATE child SET id = id WHERE id = 10;",
        "INSERT INTO child VALUES (4, 1); DELETE FROM child WHERE id = 2;",
        "UPDATE child SET id = id + 5000 WHERE parent_id >= 900;", // other rowids, the same references
        REBUILD_PARENT,
        // The child rebuilt, with other rowids, with its columns the other way round.
        "CREATE TABLE c2 (parent_id INTEGER REFERENCES parent ON DELETE SET NULL, id INTEGER PRIMARY KEY);
         INSERT INTO c2 (parent_id, id) SELECT parent_id, id + 100000 FROM child; UPDATE grandchild SET child_id = child_id + 100000 WHERE child_id <> 1000;
         DROP TABLE child; ALTER TABLE c2 RENAME TO child;",
        "ALTER TABLE child RENAME TO kid;",
        "ALTER TABLE parent RENAME TO elder;",
        "ALTER TABLE parent RENAME TO elder; ALTER TABLE child RENAME TO kid; UPDATE kid SET id = id WHERE 1;",
        "ALTER TABLE child RENAME COLUMN parent_id TO elder_id;",
        "ALTER TABLE child ADD COLUMN more TEXT; UPDATE child SET more = 'x';",
        // Another type: '900' is 900.
        "CREATE TABLE c2 (id INTEGER PRIMARY KEY, parent_id TEXT REFERENCES parent);
         INSERT INTO c2 SELECT id, parent_id FROM child; DROP TABLE child; ALTER TABLE c2 RENAME TO child;",
    ] {
        let project = migrated(&before, migration);
        let orphans = project.number("SELECT count(*) FROM pragma_foreign_key_check");
        assert!((3..=4).contains(&orphans), "{orphans}: {migration}");
    }
    // One more of the same is one too many.
    let error = refused(&before, "INSERT INTO child VALUES (5, 900);");
    assert_eq!(facts(&error).3, 1, "{error}");
    let error = refused(&before, &format!("{REBUILD_PARENT} DELETE FROM parent WHERE id = 3;"));
    assert_eq!((facts(&error).2, facts(&error).3), (&[30][..], 1));
    // Without a backup they are noted before the run.
    let project = with(&before, REBUILD_PARENT);
    assert_eq!(project.migrator().no_backup().at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
}

#[test]
fn old_orphans_of_a_parent_that_never_was_block_nothing() {
    let before = "CREATE TABLE c (id INTEGER PRIMARY KEY, x REFERENCES nowhere (id)); INSERT INTO c VALUES (1, 5), (2, x'ff'), (3, CAST(x'ff' AS TEXT));";
    migrated(before, "UPDATE c SET x = x;");
    migrated(before, "ALTER TABLE c RENAME TO d; UPDATE d SET id = id + 10;");
    let error = refused(before, "INSERT INTO c VALUES (4, 6);");
    assert_eq!((facts(&error).1, facts(&error).3), ("nowhere", 1));
}

#[test]
fn composite_keys_and_children_without_rowid_are_seen() {
    let before = "
        CREATE TABLE p (a TEXT, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
        CREATE TABLE c (k TEXT PRIMARY KEY, pa TEXT, pb INTEGER, FOREIGN KEY (pa, pb) REFERENCES p (a, b)) WITHOUT ROWID;
        INSERT INTO p VALUES ('x', 1), ('x', 2), ('y', 1);
        INSERT INTO c VALUES ('one', 'x', 1), ('two', 'x', 2), ('half', 'nobody', NULL), ('old', 'gone', 9);";
    migrated(before, "UPDATE c SET pa = 'y' WHERE k = 'one';");
    migrated(
        before,
        "CREATE TABLE c2 (k TEXT PRIMARY KEY, pb INTEGER, pa TEXT, FOREIGN KEY (pa, pb) REFERENCES p) WITHOUT ROWID;
         INSERT INTO c2 SELECT k, pb, pa FROM c; DROP TABLE c; ALTER TABLE c2 RENAME TO c;",
    );
    let error = refused(before, "UPDATE c SET pb = 3 WHERE k = 'one';");
    assert_eq!(facts(&error), ("c", "p", &[][..], 1, false));
    assert_eq!(error.to_string(), "migration `V1__change` leaves 1 row in `c` that refer to no row of `p`");
    let error = refused(before, "DELETE FROM p WHERE a = 'x';");
    assert_eq!((facts(&error).0, facts(&error).3), ("c", 2));
    // The same columns in another order are another reference.
    let swapped =
        "CREATE TABLE p (a, b, PRIMARY KEY (a, b)); CREATE TABLE c (x, y, FOREIGN KEY (x, y) REFERENCES p (a, b));
        INSERT INTO p VALUES (1, 2); INSERT INTO c VALUES (1, 2), (8, 9);";
    let error = refused(swapped, "UPDATE c SET x = y, y = x;");
    assert_eq!(facts(&error).3, 2);
}

#[test]
fn a_table_that_refers_to_itself_can_be_rebuilt() {
    let before = "CREATE TABLE node (id INTEGER PRIMARY KEY, up INTEGER REFERENCES node ON DELETE CASCADE);
        INSERT INTO node VALUES (1, NULL), (2, 1), (3, 2), (4, 99);";
    let project = migrated(
        before,
        "CREATE TABLE n2 (id INTEGER PRIMARY KEY, up INTEGER REFERENCES n2 ON DELETE CASCADE, label TEXT);
         INSERT INTO n2 (id, up) SELECT id, up FROM node; DROP TABLE node; ALTER TABLE n2 RENAME TO node;",
    );
    assert_eq!(project.number("SELECT count(*) FROM node"), 4);
    let error = refused(before, "DELETE FROM node WHERE id = 1;");
    assert_eq!(facts(&error), ("node", "node", &[2][..], 1, true));
}

#[test]
fn a_parent_without_a_unique_key_is_warned_of_and_its_rows_are_still_compared() {
    let before = "CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, code TEXT REFERENCES p (code));
        INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES (1, 'a'), (2, 'old orphan');";
    let warned = Arc::new(Mutex::new(Vec::new()));
    let heard = warned.clone();
    let project = with(before, "INSERT INTO c VALUES (3, 'a');");
    let migrator = project.migrator().on_event(move |event| {
        if let Event::Warning { message } = event {
            heard.lock().unwrap().push(message.clone());
        }
    });
    assert_eq!(migrator.at(project.db()).migrate().unwrap().outcome, Outcome::Migrated);
    let warned = warned.lock().unwrap();
    assert!(
        warned.iter().any(|message| message.contains("`c` refers to columns of `p` that no unique index covers")),
        "{warned:?}"
    );
    let error = refused(before, "INSERT INTO c VALUES (3, 'nobody');");
    assert_eq!((facts(&error).0, facts(&error).1, facts(&error).3), ("c", "p", 1));
    // A column that the parent does not have at all.
    migrated(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (x REFERENCES p (nowhere)); INSERT INTO c VALUES (1);",
        "UPDATE c SET x = 2;",
    );
    // A child with more columns than the parent's key.
    migrated(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (x, y, FOREIGN KEY (x, y) REFERENCES p); INSERT INTO c VALUES (1, 2);",
        "UPDATE p SET id = id; INSERT INTO p VALUES (8);",
    );
}

#[test]
fn the_rowids_told_are_those_of_the_rows_even_where_a_column_is_called_rowid() {
    let error = refused(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (rowid TEXT, x REFERENCES p); INSERT INTO c VALUES ('a', NULL);",
        "INSERT INTO c (rowid, x) VALUES ('seven', 7), ('eight', 8);",
    );
    assert_eq!(facts(&error), ("c", "p", &[2, 3][..], 2, false));
}

const PAIR: &str = "
    CREATE TABLE p (id INTEGER PRIMARY KEY);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id));
    INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (10, 1), (20, 2);";

/// SQLite looks for a name without a schema among the temporary ones first.
#[test]
fn a_temporary_table_or_view_hides_no_dangling_reference() {
    let delete = "DELETE FROM main.p WHERE id = 2;";
    for hide in ["TABLE c AS SELECT * FROM main.c", "VIEW c AS SELECT * FROM main.c", "TABLE p AS SELECT * FROM main.p"]
    {
        let error = refused(PAIR, &format!("CREATE TEMP {hide}; {delete}"));
        assert_eq!(facts(&error), ("c", "p", &[20][..], 1, false), "{hide}");
    }
}

#[test]
fn a_statement_that_was_compiled_in_an_earlier_step_is_watched_too() {
    let project = Project::new();
    project.sql(PAIR);
    project.sql("INSERT INTO p VALUES (3)");
    let delete = |id: i64| {
        move |connection: &rusqlite::Connection| -> Result<(), lifeboat::BoxError> {
            connection.prepare_cached("DELETE FROM p WHERE id = ?1")?.execute([id])?;
            Ok(())
        }
    };
    let migrator = lifeboat::Migrator::new(lifeboat::Migrations::none());
    let migrator = migrator.step(1, "unreferenced", delete(3)).step(2, "referenced", delete(2));
    let error = migrator.at(project.db()).migrate().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ForeignKey, Outcome::RolledBack), "{error}");
}

/// By way of a name that a statement seemed to make: the savepoint took it back, or it was only explained.
#[test]
fn tables_that_change_names_behind_a_table_that_never_was_are_looked_at() {
    let before = "
        CREATE TABLE p (id INTEGER PRIMARY KEY);
        CREATE TABLE r (id INTEGER PRIMARY KEY, x INT);
        CREATE TABLE c (p INTEGER REFERENCES p (id));
        INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);";
    for seemingly in ["SAVEPOINT s; CREATE TABLE q (a); ROLLBACK TO s; RELEASE s;", "EXPLAIN CREATE TABLE q (a);"] {
        refused(
            before,
            &format!(
                "{seemingly} PRAGMA legacy_alter_table = ON;
                 ALTER TABLE p RENAME TO q; ALTER TABLE r RENAME TO p;"
            ),
        );
    }
}

#[test]
fn a_parent_whose_unique_index_goes_is_warned_of() {
    let project = with(
        "CREATE TABLE p (code TEXT); CREATE UNIQUE INDEX pi ON p (code);
         CREATE TABLE c (code TEXT REFERENCES p (code)); INSERT INTO p VALUES ('a'); INSERT INTO c VALUES ('a');",
        "DROP INDEX pi;",
    );
    let warned = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&warned);
    let migrator = project.migrator().on_event(move |event| {
        if let Event::Warning { message } = event {
            told.lock().unwrap().push_str(message);
        }
    });
    migrator.at(project.db()).migrate().unwrap();
    assert!(warned.lock().unwrap().contains("no unique index covers"), "{}", warned.lock().unwrap());
}

/// What a migration does must not depend on how many ran before it in the same launch.
#[test]
fn what_a_migration_makes_for_itself_is_gone_in_the_next_one() {
    let project = Project::with(&[
        ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);"),
        ("V2__copy", "CREATE TEMP TABLE note AS SELECT * FROM main.note; CREATE TEMP VIEW v AS SELECT 1;"),
        ("V3__row", "INSERT INTO note (body) VALUES ('important');"),
        ("V4__again", "CREATE TEMP TABLE note (a); CREATE TEMP VIEW v AS SELECT 2;"),
    ]);
    project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM note WHERE body = 'important'"), 1);
    // And on a file that is there, after a trial.
    project.write("V5__copy", "CREATE TEMP TABLE note AS SELECT * FROM main.note;");
    project.write("V6__row", "INSERT INTO note (body) VALUES ('important too');");
    project.migrator().at(project.db()).migrate().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM note"), 2);
}
