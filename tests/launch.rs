//! The launch, from the app's side.

use std::fs;

use lifeboat::{Migrator, Outcome};

use crate::support::{NOTEBOOK, Project, picture};

#[test]
fn the_example_is_brought_to_the_newest_schema() {
    let project = Project::example();
    let before = picture(&project.db());
    let report = Migrator::new(&NOTEBOOK).at(project.db()).migrate().unwrap();
    assert_eq!(report.outcome, Outcome::Migrated);
    assert_eq!(report.results.len(), 3);
    let backup = report.backup.unwrap();
    assert_eq!(picture(&backup), before, "the backup is the file as it was");
    assert_eq!(project.number("SELECT count(*) FROM notes"), 240);
    assert_eq!(project.number("SELECT count(*) FROM note_tags"), 513, "children behind ON DELETE CASCADE");
    assert_eq!(project.number("SELECT count(*) FROM attachments"), 12);
    let bytes = fs::read(project.db()).unwrap();
    let again = Migrator::new(&NOTEBOOK).at(project.db()).migrate().unwrap();
    assert_eq!(again.outcome, Outcome::UpToDate);
    assert_eq!(fs::read(project.db()).unwrap(), bytes);
    assert_eq!(project.backups().len(), 1);
}
