//! `lifeboat create`

use std::fs;

use super::{TWO, lifeboat};
#[cfg(unix)]
use super::{tree, without_room};
use crate::support::Project;

#[test]
fn create_writes_the_next_migration_and_its_down_script() {
    let project = Project::with(TWO);
    let ran = lifeboat(project.path(), &["create", "Add-users now"]).ends_with(0);
    assert_eq!(
        ran.stdout,
        "created `migrations/V3__add_users_now.sql`\n    and `migrations/V3__add_users_now.down.sql`\n"
    );
    assert!(project.migrations_dir().join("V3__add_users_now.down.sql").is_file());
    // It is a migration: it runs, and is then known.
    lifeboat(project.path(), &["migrate"]).ends_with(0);
    let document = lifeboat(project.path(), &["status", "--json"]).ends_with(0).json();
    assert_eq!(document["status"]["lastMigration"], "V3__add_users_now");
}

#[test]
fn a_version_of_today_is_later_than_all_that_were_counted() {
    let project = Project::with(TWO);
    let document = lifeboat(project.path(), &["create", "x", "--timestamp", "--json"]).ends_with(0).json();
    let name = document["name"].as_str().unwrap();
    let today = chrono::Utc::now().format("V%Y%m%d").to_string();
    assert!(name.starts_with(&today) && name.ends_with("01__x"), "{name}");
    let document = lifeboat(project.path(), &["create", "y", "--timestamp", "--json"]).ends_with(0).json();
    assert!(document["name"].as_str().unwrap().ends_with("02__y"), "{document}");
    assert!(fs::metadata(document["up"].as_str().unwrap()).unwrap().is_file());
    assert!(fs::metadata(document["down"].as_str().unwrap()).unwrap().is_file());
}

#[test]
fn a_name_without_a_letter_is_refused_and_a_folder_that_was_made_is_named() {
    let project = Project::new();
    let ran = lifeboat(project.path(), &["create", "--", "-.-"]).ends_with(1);
    assert_eq!(ran.stderr, "error: a migration's name needs a letter or a digit\n");
    assert_eq!(fs::read_dir(project.migrations_dir()).unwrap().count(), 0);
    let ran = lifeboat(project.path(), &["create", "x", "-m", "db/steps"]).ends_with(0);
    assert!(ran.stderr.contains("note: there was no folder `db/steps`, so it was made"), "{}", ran.stderr);
    assert!(project.path().join("db/steps/V1__x.sql").is_file());
}

#[cfg(unix)]
#[test]
fn a_migration_that_cannot_be_written_leaves_nothing() {
    let project = Project::with(TWO);
    let before = tree(project.path());
    let ran = without_room(project.path(), &["create", "abc"]).ends_with(1);
    assert!(ran.stderr.starts_with("error: cannot write `migrations/V3__abc"), "{}", ran.stderr);
    assert_eq!(tree(project.path()), before);
    // Nor is there half a pair where the name of the other half is taken.
    fs::create_dir(project.migrations_dir().join("V3__abc.sql")).unwrap();
    let before = tree(project.path());
    lifeboat(project.path(), &["create", "abc"]).ends_with(1);
    assert_eq!(tree(project.path()), before);
}
