//! Killed at an event: each event of a run in turn.

use std::fs;

use super::scene::{Scene, State, names, weight};
use crate::child::{Job, What};
use crate::support::{Project, picture};

/// Kills `job` at each of its events, each time on a file as `arrange` leaves it; how many events it has.
fn at_each_event(
    arrange: impl Fn() -> Project,
    job: impl Fn(&Project) -> Job,
    after: impl Fn(&Project, &str),
) -> usize {
    if !cfg!(unix) {
        crate::support::skipped("there is no SIGKILL here");
        return 99;
    }
    for number in 1.. {
        let project = arrange();
        let ended = Job { kill_at: number, ..job(&project) }.run();
        if !ended.killed {
            return number - 1;
        }
        after(&project, &format!("killed at event {number}:\n{}", ended.said));
    }
    unreachable!()
}

#[test]
fn a_run_that_is_killed_leaves_the_file_wholly_old_or_wholly_new_at_once() {
    for wal in [false, true] {
        let scene = Scene::whole(wal);
        let job = |project: &Project| scene.job(What::Migrate, project);
        let events = at_each_event(
            || scene.arrange(),
            job,
            |project, what| {
                let what = format!("{}, {what}", scene.name);
                assert_ne!(scene.state(project), State::Between, "{what}");
                let done = what.contains("event Committed");
                assert_eq!(scene.state(project), if done { State::New } else { State::Old }, "{what}");
                scene.backups_are_whole(project, &what);
                scene.finish(project, &what);
            },
        );
        assert!(events >= 12, "{}: only {events} events", scene.name);
    }
}

#[test]
fn a_run_of_several_transactions_that_is_killed_is_undone_by_the_next_launch() {
    for wal in [false, true] {
        for scene in [Scene::stepwise(wal), Scene::bare(wal), Scene::other_journal(wal), Scene::other_format(wal)] {
            let job = |project: &Project| scene.job(What::Migrate, project);
            let events = at_each_event(
                || scene.arrange(),
                job,
                |project, what| {
                    let what = format!("{}, {what}", scene.name);
                    scene.backups_are_whole(project, &what);
                    let ended = scene.job(What::Recover, project).run();
                    assert!(["restored", "untouched"].contains(&ended.outcome.as_str()), "{what}: {}", ended.said);
                    assert_ne!(scene.state(project), State::Between, "{what}: {}", ended.said);
                    scene.finish(project, &what);
                },
            );
            assert!(events >= 12, "{}: only {events} events", scene.name);
        }
    }
}

#[test]
fn a_recovery_that_is_killed_again_and_again_still_ends_well() {
    if !cfg!(unix) {
        return crate::support::skipped("there is no SIGKILL here");
    }
    for wal in [false, true] {
        for scene in [Scene::stepwise(wal), Scene::bare(wal), Scene::other_format(wal)] {
            let cut_off = || {
                let project = scene.arrange();
                let killed =
                    Job { kill_on: "StepFinished { name: \"V5".to_owned(), ..scene.job(What::Migrate, &project) };
                assert!(killed.run().killed);
                assert_eq!(scene.state(&project), State::Between, "{}", scene.name);
                project
            };
            // Each event of the recovery on a file of its own.
            let recovering = |project: &Project| scene.job(What::Recover, project);
            let events = at_each_event(cut_off, recovering, |project, what| {
                let what = format!("{}, the recovery {what}", scene.name);
                scene.backups_are_whole(project, &what);
                let ended = scene.job(What::Recover, project).run();
                assert!(["restored", "untouched"].contains(&ended.outcome.as_str()), "{what}: {}", ended.said);
                assert_eq!(scene.state(project), State::Old, "{what}: {}", ended.said);
            });
            assert!(events >= 6, "{}: only {events} events", scene.name);
            // All of a recovering launch, one after the other, on one file.
            let project = cut_off();
            let what = format!("{}, a launch after the other is killed", scene.name);
            for number in 1.. {
                if !(Job { kill_at: number, ..scene.job(What::Migrate, &project) }).run().killed {
                    break;
                }
                scene.backups_are_whole(&project, &what);
            }
            scene.finish(&project, &what);
        }
    }
}

#[test]
fn a_way_back_that_is_killed_is_gone_by_the_next_launch() {
    for wal in [false, true] {
        for scene in [Scene::stepwise(wal).failing(), Scene::other_format(wal).failing()] {
            let job = |project: &Project| scene.job(What::Migrate, project);
            at_each_event(
                || scene.arrange(),
                job,
                |project, what| {
                    let what = format!("{}, failing, {what}", scene.name);
                    let ended = scene.job(What::Recover, project).run();
                    assert!(["restored", "untouched"].contains(&ended.outcome.as_str()), "{what}: {}", ended.said);
                    assert_eq!(scene.state(project), State::Old, "{what}: {}", ended.said);
                    scene.finish(project, &what);
                },
            );
            let project = scene.arrange();
            let ended = job(&project).run();
            assert_eq!(ended.outcome, "restored", "{}: {}", scene.name, ended.said);
            assert_eq!(picture(&project.db()), scene.old, "{}", scene.name);
        }
    }
}

#[test]
fn a_new_file_is_there_whole_or_not_at_all() {
    for scene in [Scene::whole(false), Scene::stepwise(false), Scene::bare(false), Scene::other_format(false)] {
        let arrange = || {
            let project = scene.arrange();
            fs::remove_file(project.db()).unwrap();
            project
        };
        let whole = arrange();
        assert_eq!(scene.job(What::Migrate, &whole).run().outcome, "created", "{}", scene.name);
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
        let count = whole.number(tables);
        let events = at_each_event(
            arrange,
            |project| scene.job(What::Migrate, project),
            |project, what| {
                let what = format!("{}, a new file, {what}", scene.name);
                let there = project.db().exists();
                assert_eq!(there, what.contains("Finished { outcome"), "{what}");
                if there {
                    assert_eq!(project.number(tables), count, "{what}");
                }
                let ended = scene.job(What::Migrate, project).run();
                assert_eq!(ended.outcome, if there { "up-to-date" } else { "created" }, "{what}: {}", ended.said);
                assert_eq!(project.number(tables), count, "{what}");
                let left: Vec<String> =
                    names(project.path()).into_iter().filter(|name| name.contains("-lifeboat-new")).collect();
                assert!(left.is_empty(), "{what}: {left:?}");
            },
        );
        assert!(events >= 8, "{}: only {events} events", scene.name);
    }
}

#[test]
fn being_killed_again_and_again_leaves_the_disk_no_fuller_than_the_first_time() {
    if !cfg!(unix) {
        return crate::support::skipped("there is no SIGKILL here");
    }
    for (scene, event) in [
        (Scene::whole(false), "BackupStarted"),
        (Scene::whole(true), "BackupProgress"),
        (Scene::whole(false), "StepStarted"),
        (Scene::stepwise(true), "StepFinished { name: \"V3"),
    ] {
        let project = scene.arrange();
        let killed = Job { kill_on: event.to_owned(), ..scene.job(What::Migrate, &project) };
        // The state that an interrupted run left is kept three times.
        for _ in 0..5 {
            assert!(killed.run().killed);
        }
        let after_five = weight(&project.backups_dir());
        for _ in 0..45 {
            assert!(killed.run().killed);
        }
        let after_fifty = weight(&project.backups_dir());
        // Texts of metadata differ by a byte or two.
        assert!(after_fifty <= after_five + 4096, "{}, {event}: {after_five}, then {after_fifty} bytes", scene.name);
        scene.finish(&project, scene.name);
    }
}

#[test]
fn being_killed_again_and_again_while_the_file_grows_keeps_the_older_backups_and_one_copy() {
    if !cfg!(unix) {
        return crate::support::skipped("there is no SIGKILL here");
    }
    let scene = Scene::whole(false);
    let project = scene.arrange();
    let earlier = project.migrator().at(project.db()).migrate_to(2).unwrap().backup.unwrap();
    let killed = Job { kill_on: "StepStarted".to_owned(), ..scene.job(What::Migrate, &project) };
    for round in 0..10 {
        project.sql(&format!("INSERT INTO note (body, stars) VALUES ('between the crashes, {round}', 1)"));
        assert!(killed.run().killed);
        let backups = project.backups();
        assert!(backups.len() <= 2, "{backups:?}");
        assert!(earlier.exists());
    }
    assert_eq!(project.migrator().at(project.db()).migrate().unwrap().outcome, lifeboat::Outcome::Migrated);
    assert_eq!(project.number("SELECT count(*) FROM note"), 310);
}
