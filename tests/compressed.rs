//! Older copies, compressed: smaller, as private, and a copy as any other.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat::{Backup, Defect, Retention};

use crate::support::Project;

const NOTE: (&str, &str) = ("V1__note", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT UNIQUE)");

fn with_rows() -> Project {
    let project = Project::with(&[NOTE]);
    project.migrator().at(project.db()).migrate().unwrap();
    project.sql(
        "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 300)
         INSERT INTO note (body) SELECT 'a note that says much the same as the one before: ' || x FROM n",
    );
    project
}

fn all(project: &Project) -> Vec<Backup> {
    project.migrator().at(project.db()).backups().unwrap()
}

fn with_zst(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".zst");
    PathBuf::from(path)
}

/// A frame of zstd without compression, made by hand: what any build can write.
fn stored(content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    let mut chunks = content.chunks(100_000).peekable();
    while let Some(chunk) = chunks.next() {
        let header = (u32::try_from(chunk.len()).unwrap() << 3) | u32::from(chunks.peek().is_none());
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(chunk);
    }
    frame
}

#[cfg(not(feature = "zstd"))]
#[test]
fn without_the_feature_a_compressed_backup_is_listed_and_what_is_missing_is_said() {
    let project = with_rows();
    let backup = project.migrator().at(project.db()).backup(None).unwrap();
    fs::write(with_zst(&backup.path), stored(&fs::read(&backup.path).unwrap())).unwrap();
    fs::remove_file(&backup.path).unwrap();
    let listed = all(&project);
    assert!(listed[0].compressed && listed[0].name() == backup.name());
    let verified = project.migrator().at(project.db()).verify_backups(true).unwrap();
    let Some(Defect::Unreadable(why)) = &verified[0].defect else { panic!("{verified:?}") };
    assert!(why.contains("is compressed, which this build of lifeboat cannot read"), "{why}");
    assert!(
        lifeboat::ErrorKind::ALL.contains(&lifeboat::ErrorKind::Compressed)
            && Retention::default() == Retention::last(5)
    );
}

#[cfg(feature = "zstd")]
mod with_zstd {
    use lifeboat::{Atomicity, Migrator, Outcome};

    use super::*;
    use crate::support::folder::Folder;
    use crate::support::picture;

    fn migrator(project: &Project) -> Migrator {
        project.migrator().retention(Retention::last(5).compress_older_than(2))
    }

    fn one_more(project: &Project) -> String {
        project.sql("INSERT INTO note (body) SELECT 'row ' || count(*) FROM note");
        let before = picture(&project.db());
        migrator(project).at(project.db()).backup(None).unwrap();
        before
    }

    /// What `zstd -d` gives.
    fn decompressed(path: &Path) -> PathBuf {
        let to = tempfile::tempdir().unwrap().keep().join("copy.db");
        fs::write(&to, zstd::decode_all(fs::File::open(path).unwrap()).unwrap()).unwrap();
        to
    }

    #[test]
    fn older_copies_become_smaller_and_stay_what_they_were() {
        let project = with_rows();
        let mut pictures = Vec::new();
        for _ in 0..8 {
            pictures.push(one_more(&project));
        }
        let backups = all(&project);
        assert_eq!(backups.iter().map(|one| one.compressed).collect::<Vec<_>>(), [true, true, true, false, false]);
        for (backup, before) in backups.iter().zip(&pictures[3..]) {
            let said = backup.metadata.as_ref().unwrap();
            if backup.compressed {
                assert!(backup.size < said.size / 2, "{} of {}", backup.size, said.size);
                assert_eq!(&picture(&decompressed(&backup.path)), before);
                assert!(backup.path.to_string_lossy().ends_with(".db.zst") && !backup.name().ends_with(".zst"));
            } else {
                assert_eq!(&picture(&backup.path), before);
            }
        }
        let names = fs::read_dir(project.backups_dir()).unwrap().count();
        assert_eq!(names, 5 + 5 + 1, "a copy, its metadata, the log of runs");
        let before = Folder::of(project.path());
        assert!(
            project.migrator().at(project.db()).verify_backups(true).unwrap().iter().all(lifeboat::Verified::is_ok)
        );
        before.assert_unchanged();
        assert_eq!(before.new_names(), [""; 0], "what was decompressed to be looked at is gone");
    }

    #[cfg(unix)]
    #[test]
    fn a_compressed_copy_is_no_more_readable_than_it_was() {
        use std::os::unix::fs::PermissionsExt;
        let project = with_rows();
        fs::set_permissions(project.db(), fs::Permissions::from_mode(0o600)).unwrap();
        for _ in 0..3 {
            one_more(&project);
        }
        let oldest = all(&project).remove(0);
        assert!(oldest.compressed);
        assert_eq!(fs::metadata(&oldest.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_compressed_copy_that_is_damaged_torn_or_swapped_is_found_out() {
        let project = with_rows();
        for _ in 0..5 {
            one_more(&project);
        }
        let backups = all(&project);
        let bytes = fs::read(&backups[0].path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 0x10;
        fs::write(&backups[0].path, flipped).unwrap();
        fs::write(&backups[1].path, &bytes).unwrap();
        let torn = fs::read(&backups[2].path).unwrap();
        fs::write(&backups[2].path, &torn[..torn.len() - 10]).unwrap();
        let verified = project.migrator().at(project.db()).verify_backups(true).unwrap();
        for one in &verified[..3] {
            assert!(matches!(one.defect, Some(Defect::Damaged(_))), "{one:?}");
        }
        assert!(verified[3].is_ok() && verified[4].is_ok());
        // More than there was is not written out to the end of the disk.
        let huge = vec![0_u8; 40_000_000];
        fs::write(&backups[0].path, zstd::encode_all(&huge[..], 1).unwrap()).unwrap();
        let verified = project.migrator().at(project.db()).verify_backups(true).unwrap();
        let Some(Defect::Damaged(why)) = &verified[0].defect else { panic!("{verified:?}") };
        assert_eq!(why, "it is longer than it was when it was taken");
        assert_eq!(fs::read_dir(project.backups_dir()).unwrap().count(), 11);
    }

    #[test]
    fn a_copy_in_both_forms_is_one_and_the_next_rotation_leaves_the_one_that_is_whole() {
        let project = with_rows();
        for _ in 0..5 {
            one_more(&project);
        }
        let backups = all(&project);
        let plain = |backup: &Backup| backup.path.with_extension("");
        // The first: killed before the plain one went. The second: a plain one that was not written to its end.
        let whole = zstd::decode_all(fs::File::open(&backups[0].path).unwrap()).unwrap();
        fs::write(plain(&backups[0]), &whole).unwrap();
        let torn = zstd::decode_all(fs::File::open(&backups[1].path).unwrap()).unwrap();
        fs::write(plain(&backups[1]), &torn[..torn.len() / 2]).unwrap();
        // The third: neither is what it was.
        fs::write(plain(&backups[2]), "torn").unwrap();
        fs::write(&backups[2].path, "torn too").unwrap();
        let listed = all(&project);
        assert_eq!(listed.len(), 5, "each is listed once");
        assert!(!listed[0].compressed);
        project.migrator().at(project.db()).prune_backups(Some(9), false).unwrap();
        assert!(plain(&backups[0]).exists() && !backups[0].path.exists());
        assert!(!plain(&backups[1]).exists() && backups[1].path.exists());
        assert!(plain(&backups[2]).exists() && backups[2].path.exists(), "people may find something in them");
        // Both forms go together.
        project.migrator().at(project.db()).prune_backups(Some(1), false).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(project.backups_dir()).unwrap().map(|one| one.unwrap().file_name()).collect();
        left.sort();
        let newest = backups[4].name();
        assert_eq!(left, [newest.as_str(), &format!("{newest}.json"), "runs.jsonl"]);
    }

    #[test]
    fn a_run_that_was_cut_off_is_undone_by_a_copy_that_somebody_compressed() {
        let project = with_rows();
        project.write("V2__stars", "ALTER TABLE note ADD COLUMN stars");
        project.write("V3__more", "INSERT INTO note (body) VALUES ('more')");
        let before = picture(&project.db());
        let (db, aside) = (project.db(), project.path().join("aside"));
        fs::create_dir(&aside).unwrap();
        let (kept, folder) = (aside.clone(), project.backups_dir());
        let cut = project.migrator().atomicity(Atomicity::Step).on_event(move |event| {
            if format!("{event:?}").starts_with("StepStarted { name: \"V3") {
                fs::copy(&db, kept.join("app.db")).unwrap();
                for entry in fs::read_dir(&folder).unwrap() {
                    let path = entry.unwrap().path();
                    let bytes = fs::read(&path).unwrap();
                    fs::write(kept.join(path.file_name().unwrap()), bytes).unwrap();
                }
            }
        });
        cut.at(project.db()).migrate().unwrap();
        fs::copy(aside.join("app.db"), project.db()).unwrap();
        let backup = all(&project).remove(0).path;
        let bytes = fs::read(aside.join(backup.file_name().unwrap())).unwrap();
        fs::remove_file(&backup).unwrap();
        fs::write(with_zst(&backup), "rubbish").unwrap();
        let error = project.migrator().at(project.db()).recover().unwrap_err();
        assert_eq!(error.outcome(), Outcome::NeedsRecovery, "{error}");
        fs::write(with_zst(&backup), stored(&bytes)).unwrap();
        assert_eq!(project.migrator().at(project.db()).recover().unwrap().outcome, Outcome::Restored);
        assert_eq!(picture(&project.db()), before);
        assert!(with_zst(&backup).exists());
        let names = fs::read_dir(project.backups_dir()).unwrap().map(|one| one.unwrap().file_name());
        assert_eq!(names.filter(|name| name.to_string_lossy().starts_with('.')).count(), 0);
    }

    #[test]
    fn a_full_disk_of_temporary_copies_is_tidied_a_day_later() {
        let project = with_rows();
        one_more(&project);
        let left = project.backups_dir().join(format!(".{}.0123abcd.plain", all(&project)[0].name()));
        let foreign = project.backups_dir().join(".app.db.0123abcd.plain");
        for path in [&left, &foreign] {
            fs::write(path, "of a process that was killed").unwrap();
        }
        one_more(&project);
        assert!(left.exists(), "somebody may be looking at it");
        project.sql("INSERT INTO note (body) VALUES ('later')");
        let later = chrono::Utc::now() + chrono::TimeDelta::days(2);
        migrator(&project).clock(move || later).at(project.db()).backup(None).unwrap();
        assert!(!left.exists());
        assert!(foreign.exists(), "only names of exactly our form");
    }

    #[test]
    fn a_database_without_an_extension_keeps_its_copies_plain() {
        let project = with_rows();
        let bare = project.path().join("notes");
        fs::rename(project.db(), &bare).unwrap();
        for round in 0..4 {
            let connection = rusqlite::Connection::open(&bare).unwrap();
            connection.execute("INSERT INTO note (body) VALUES (?1)", [format!("round {round}")]).unwrap();
            drop(connection);
            migrator(&project).at(&bare).backup(None).unwrap();
        }
        let backups = migrator(&project).at(&bare).backups().unwrap();
        assert_eq!(backups.iter().filter(|backup| !backup.compressed).count(), 4);
    }

    #[test]
    fn what_is_compressed_counts_with_what_it_takes_now() {
        let project = with_rows();
        for _ in 0..5 {
            one_more(&project);
        }
        let plain = all(&project)[4].size;
        let fits = Retention::last(5).compress_older_than(1).at_most_bytes(plain * 2);
        let gone = project.migrator().retention(fits).at(project.db()).prune_backups(None, false).unwrap();
        assert!(gone.is_empty(), "{gone:?}");
        assert_eq!(all(&project).iter().filter(|backup| backup.compressed).count(), 4);
    }
}
