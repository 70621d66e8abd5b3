//! Killed, or failed, at a call to the operating system: finer than any event. By `strace`, where it is on the machine.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::scene::{Scene, State, names};
use crate::child::{Ended, Job, What};
use crate::support::Project;

const CALLS: &[&str] = &[
    "write",
    "pwrite64",
    "copy_file_range",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "ftruncate",
    "link",
    "linkat",
    "openat",
];
/// Calls that change something on disk, and may say that they could not.
const FAILING: &[&str] = &["pwrite64", "fsync", "fdatasync", "unlink", "ftruncate", "rename"];

pub fn there_is_strace() -> bool {
    let works = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let works = cfg!(target_os = "linux") && works.is_ok_and(|output| output.status.success());
    if !works {
        crate::support::skipped("there is no `strace` here that may trace a child");
    }
    works
}

/// How often the thread that does the job makes each call.
fn count(job: &Job) -> BTreeMap<&'static str, usize> {
    let log = job.folder.join("strace.log");
    let trace = format!("trace={}", CALLS.join(","));
    let arguments = ["-f", "-qq", "-o", log.to_str().unwrap(), "-e", &trace].map(ToOwned::to_owned);
    Ended::of(job.command_under("strace", &arguments).output().unwrap());
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    let mut counts: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { continue };
        if let Some(name) = CALLS.iter().find(|name| call.trim_start().starts_with(&format!("{name}("))) {
            *counts.entry((thread, name)).or_default() += 1;
        }
    }
    let busiest = counts.iter().filter(|((_, call), _)| *call == "pwrite64").max_by_key(|(_, count)| **count);
    let busiest = busiest.map(|((thread, _), _)| *thread).unwrap_or_default();
    counts.iter().filter(|((thread, _), _)| *thread == busiest).map(|((_, call), count)| (*call, *count)).collect()
}

/// At most `most` of the calls, the first and the last among them. All, where `LIFEBOAT_EVERY_CALL` is set: some minutes.
fn sample(count: usize, most: usize) -> Vec<usize> {
    if count <= most || std::env::var_os("LIFEBOAT_EVERY_CALL").is_some() {
        return (1..=count).collect();
    }
    let mut points: Vec<usize> = (0..most).map(|at| 1 + at * (count - 1) / (most - 1)).collect();
    points.dedup();
    points
}

pub fn inject(job: &Job, call: &str, what: &str, number: usize) -> Ended {
    let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"].map(ToOwned::to_owned);
    let injection = format!("inject={call}:{}", what.replace("when=N", &format!("when={number}")));
    Ended::of(job.command_under("strace", &[&arguments[..], &[injection]].concat()).output().unwrap())
}

fn at_sampled_calls(
    scene: &Scene,
    most: usize,
    what: &str,
    calls: &[&str],
    arrange: impl Fn() -> Project,
    job: impl Fn(&Project) -> Job,
    after: impl Fn(&Project, &Ended, &str),
) {
    let counts = count(&job(&arrange()));
    let mut tried = 0;
    for (call, count) in counts.into_iter().filter(|(call, _)| calls.contains(call)) {
        for number in sample(count, most) {
            let project = arrange();
            let ended = inject(&job(&project), call, what, number);
            let place = format!("{}, {what} at {call} {number} of {count}: {}", scene.name, ended.said);
            after(&project, &ended, &place);
            tried += 1;
        }
    }
    eprintln!("{}: {what} at {tried} calls", scene.name);
    assert!(tried >= 10, "{}: only {tried} calls", scene.name);
}

#[test]
fn a_run_that_is_killed_at_a_system_call_leaves_the_file_wholly_old_or_wholly_new() {
    if !there_is_strace() {
        return;
    }
    for wal in [false, true] {
        let scene = Scene::whole(wal);
        let job = |project: &Project| scene.job(What::Migrate, project);
        at_sampled_calls(
            &scene,
            7,
            "signal=SIGKILL:when=N",
            CALLS,
            || scene.arrange(),
            job,
            |project, _, what| {
                assert_ne!(scene.state(project), State::Between, "{what}");
                scene.backups_are_whole(project, what);
                scene.finish(project, what);
            },
        );
    }
}

#[test]
fn a_new_file_is_there_whole_or_not_at_all_after_a_kill_at_a_system_call() {
    if !there_is_strace() {
        return;
    }
    let scene = Scene::bare(false);
    let arrange = || {
        let project = scene.arrange();
        fs::remove_file(project.db()).unwrap();
        project
    };
    let job = |project: &Project| scene.job(What::Migrate, project);
    at_sampled_calls(&scene, 5, "signal=SIGKILL:when=N", CALLS, arrange, job, |project, _, what| {
        let there = project.db().exists();
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('note', 'tag', 'tally')";
        if there {
            assert_eq!(project.number(tables), 3, "{what}");
        }
        let ended = job(project).run();
        assert_eq!(ended.outcome, if there { "up-to-date" } else { "created" }, "{what}: {}", ended.said);
        assert_eq!(project.number(tables), 3, "{what}");
        // A launch with nothing to do looks at no other file. The next one with something to do does.
        project.write("V9__later", "CREATE TABLE later (id)");
        let ended = job(project).run();
        assert_eq!(ended.outcome, "migrated", "{what}: {}", ended.said);
        assert!(!ended.said.contains("other names"), "{what}: {}", ended.said);
        assert_eq!(names(project.path()), ["app.db", "app.db-lifeboat", "backups", "migrations"], "{what}");
    });
}

#[test]
fn a_way_back_that_is_killed_at_a_system_call_is_finished_by_the_next_launch() {
    if !there_is_strace() {
        return;
    }
    let scene = Scene::other_journal(true).failing();
    let job = |project: &Project| scene.job(What::Migrate, project);
    at_sampled_calls(
        &scene,
        6,
        "signal=SIGKILL:when=N",
        CALLS,
        || scene.arrange(),
        job,
        |project, _, what| {
            let ended = scene.job(What::Recover, project).run();
            assert!(["restored", "untouched"].contains(&ended.outcome.as_str()), "{what}: {}", ended.said);
            assert_eq!(scene.state(project), State::Old, "{what}: {}", ended.said);
            scene.finish(project, what);
        },
    );
}

#[test]
fn a_recovery_that_is_killed_at_a_system_call_is_finished_by_the_next() {
    if !there_is_strace() {
        return;
    }
    for scene in [Scene::stepwise(false), Scene::bare(true), Scene::other_journal(true), Scene::other_format(false)] {
        let project = scene.arrange();
        let killed = Job { kill_on: "StepFinished { name: \"V5".to_owned(), ..scene.job(What::Migrate, &project) };
        assert!(killed.run().killed);
        let cut_off = || {
            let again = scene.arrange();
            for entry in fs::read_dir(project.path()).unwrap().chain(fs::read_dir(project.backups_dir()).unwrap()) {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_file() {
                    let to = again.path().join(entry.path().strip_prefix(project.path()).unwrap());
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    fs::copy(entry.path(), to).unwrap();
                }
            }
            again
        };
        let recover = |project: &Project| scene.job(What::Recover, project);
        at_sampled_calls(&scene, 5, "signal=SIGKILL:when=N", CALLS, cut_off, recover, |project, _, what| {
            scene.backups_are_whole(project, what);
            let ended = recover(project).run();
            assert!(["restored", "untouched"].contains(&ended.outcome.as_str()), "{what}: {}", ended.said);
            assert_eq!(scene.state(project), State::Old, "{what}: {}", ended.said);
        });
    }
}

/// One call fails, or all from one on.
#[test]
fn what_a_launch_says_of_the_file_is_true_when_the_disk_fails() {
    if !there_is_strace() {
        return;
    }
    for (scene, most, fault) in [
        (Scene::whole(false), 5, "error=EIO:when=N"),
        (Scene::whole(true), 5, "error=EIO:when=N"),
        (Scene::stepwise(false), 4, "error=EIO:when=N"),
        (Scene::whole(false), 3, "error=ENOSPC:when=N+"),
        (Scene::other_format(true), 3, "error=ENOSPC:when=N+"),
    ] {
        let job = |project: &Project| scene.job(What::Migrate, project);
        at_sampled_calls(
            &scene,
            most,
            fault,
            FAILING,
            || scene.arrange(),
            job,
            |project, ended, what| {
                let expected = match ended.outcome.as_str() {
                    "migrated" => State::New,
                    "untouched" | "rolled-back" | "restored" => State::Old,
                    "needs-recovery" => return scene.finish(project, what),
                    _ => panic!("{what}"),
                };
                assert_eq!(scene.state(project), expected, "{what}");
                scene.finish(project, what);
            },
        );
    }
}

/// The content that is put back takes the ledger's note away that a run is open. If the journal mode came after it, whoever
/// was killed between the two would leave the old rows in the wrong mode for good.
#[test]
fn a_recovery_that_is_killed_near_its_end_leaves_the_right_journal_mode() {
    if !there_is_strace() {
        return;
    }
    for scene in [Scene::other_journal(false), Scene::other_journal(true)] {
        let cut_off = || {
            let project = scene.arrange();
            let killed = Job { kill_on: "StepFinished { name: \"V5".to_owned(), ..scene.job(What::Migrate, &project) };
            assert!(killed.run().killed);
            project
        };
        let recover = |project: &Project| scene.job(What::Recover, project);
        let counts = count(&recover(&cut_off()));
        for call in ["pwrite64", "fdatasync", "fsync", "unlink"] {
            let Some(&last) = counts.get(call) else { continue };
            for number in last.saturating_sub(7).max(1)..=last {
                let project = cut_off();
                let what = format!("{}, {call} {number} of {last}", scene.name);
                inject(&recover(&project), call, "signal=SIGKILL:when=N", number);
                let ended = recover(&project).run();
                assert!(["restored", "untouched"].contains(&ended.outcome.as_str()), "{what}: {}", ended.said);
                assert_eq!(scene.state(&project), State::Old, "{what}: {}", ended.said);
            }
        }
    }
}

/// SQLite commits by removing the journal, then syncs the folder. When that fails it reports an I/O error, although the
/// transaction is in the file.
#[test]
fn a_commit_that_reports_an_error_after_the_fact_is_not_called_rolled_back() {
    if !there_is_strace() {
        return;
    }
    let scene = Scene::whole(false);
    let last = count(&scene.job(What::Migrate, &scene.arrange()))["fsync"];
    let project = scene.arrange();
    let ended = inject(&scene.job(What::Migrate, &project), "fsync", "error=EIO:when=N", last);
    assert!(ended.said.contains("power cut"), "{}", ended.said);
    assert_eq!(ended.outcome, "migrated", "{}", ended.said);
    assert_eq!(scene.state(&project), State::New);
    scene.finish(&project, scene.name);
}

/// A launch was killed after it gave its copy a name and before that name was durable. The next one takes the copy as its
/// own; a power cut must not take it away once a transaction relies on it.
#[test]
fn a_copy_that_is_reused_is_made_durable_first() {
    if !there_is_strace() {
        return;
    }
    let scene = Scene::stepwise(false);
    let project = scene.arrange();
    let killed = Job { kill_on: "RunStarted".to_owned(), ..scene.job(What::Migrate, &project) };
    assert!(killed.run().killed);
    let copy = project.backups_dir().join(&project.backups()[0]);
    let log = project.path().join("strace.log");
    let arguments = ["-f", "-qq", "-y", "-o", log.to_str().unwrap(), "-e", "trace=fsync,fdatasync"];
    let job = scene.job(What::Migrate, &project);
    let ended = Ended::of(job.command_under("strace", &arguments.map(ToOwned::to_owned)).output().unwrap());
    assert!(ended.said.contains("reused: true"), "{}", ended.said);
    let text = fs::read_to_string(&log).unwrap();
    let line_of = |path: &std::path::Path| {
        let path = format!("<{}>", path.display());
        text.lines().position(|line| line.contains(&path)).unwrap_or_else(|| panic!("{path} is not synced:\n{text}"))
    };
    let first_commit = line_of(&project.db());
    assert!(line_of(&copy) < first_commit, "{text}");
    assert!(line_of(&project.backups_dir()) < first_commit, "{text}");
}
