//! Killed, or failed, while an older backup is compressed: at no moment is there no whole copy of it.

use std::fs;

use super::calls::{inject, there_is_strace};
use super::scene::names;
use crate::child::{Job, What};
use crate::support::{Project, picture};

/// Three backups, and what they are copies of.
struct Backups {
    project: Project,
    pictures: Vec<(String, String)>,
}

impl Backups {
    fn new() -> Self {
        let project = Project::with(&[("V1__note", "CREATE TABLE note (body)")]);
        project.migrator().at(project.db()).migrate().unwrap();
        let mut pictures = Vec::new();
        for round in 0..3 {
            project.sql(&format!("INSERT INTO note VALUES ({round}), (zeroblob(30000))"));
            let backup = project.migrator().at(project.db()).backup(None).unwrap();
            pictures.push((backup.name(), picture(&backup.path)));
        }
        Backups { project, pictures }
    }

    fn again(&self) -> Project {
        let project = Project::new();
        fs::copy(self.project.db(), project.db()).unwrap();
        fs::create_dir(project.backups_dir()).unwrap();
        for name in names(&self.project.backups_dir()) {
            fs::copy(self.project.backups_dir().join(&name), project.backups_dir().join(name)).unwrap();
        }
        project
    }

    /// One of the two forms of each is whole, by plain SQLite and plain zstd; the list and `verify` say so too.
    fn assert_whole(&self, project: &Project, what: &str) {
        for (name, before) in &self.pictures {
            let (plain, zst) = (project.backups_dir().join(name), project.backups_dir().join(format!("{name}.zst")));
            if plain.exists() {
                assert_eq!(&picture(&plain), before, "{what}");
                continue;
            }
            let aside = tempfile::tempdir().unwrap();
            let unpacked = aside.path().join("copy.db");
            fs::write(&unpacked, zstd::decode_all(fs::File::open(&zst).unwrap()).unwrap()).unwrap();
            assert_eq!(&picture(&unpacked), before, "{what}");
        }
        let verified = project.migrator().at(project.db()).verify_backups(true).unwrap();
        assert_eq!(verified.len(), 3, "{what}");
        assert!(verified.iter().all(lifeboat::Verified::is_ok), "{what}: {verified:?}");
    }

    /// The next one finishes what was begun, and tidies.
    fn assert_finished_by_the_next(&self, project: &Project, what: &str) {
        Job::new(What::Compress, project.path()).run();
        let mut wanted = Vec::new();
        for (index, (name, _)) in self.pictures.iter().enumerate() {
            wanted.extend([if index < 2 { format!("{name}.zst") } else { name.clone() }, format!("{name}.json")]);
        }
        wanted.push("runs.jsonl".to_owned());
        wanted.sort();
        assert_eq!(names(&project.backups_dir()), wanted, "{what}");
        self.assert_whole(project, what);
    }
}

#[test]
fn a_backup_is_whole_in_one_of_its_forms_whenever_compressing_is_killed() {
    if !there_is_strace() {
        return;
    }
    let backups = Backups::new();
    let mut killed = 0;
    for (call, numbers) in [("openat", &[9][..]), ("fsync", &[1, 2, 3]), ("rename", &[1]), ("unlink", &[1, 2])] {
        for number in numbers {
            let project = backups.again();
            let ended = inject(&Job::new(What::Compress, project.path()), call, "signal=SIGKILL:when=N", *number);
            let what = format!("{call} {number}: {}, {:?}", ended.said, names(&project.backups_dir()));
            killed += usize::from(ended.killed);
            backups.assert_whole(&project, &what);
            backups.assert_finished_by_the_next(&project, &what);
        }
    }
    assert!(killed >= 6, "only {killed}");
}

#[test]
fn a_disk_that_refuses_leaves_the_plain_backup() {
    if !there_is_strace() {
        return;
    }
    let backups = Backups::new();
    for (call, error) in [("fsync", "EIO"), ("rename", "EACCES"), ("unlink", "EACCES")] {
        let project = backups.again();
        let what = format!("error={error}:when=1+");
        let ended = inject(&Job::new(What::Compress, project.path()), call, &what, 1);
        let what = format!("{call} {error}: {}, {:?}", ended.said, names(&project.backups_dir()));
        backups.assert_whole(&project, &what);
        backups.assert_finished_by_the_next(&project, &what);
    }
}
