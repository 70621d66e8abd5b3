//! The power is cut: at every change that a run makes on the disk, what was not synced is lost, kept or torn.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::Finding;
use super::cases::{Case, End};
use super::disk::{Disk, Luck, State, Sync};
use super::picture::content;
use super::trace;

/// How many states to look at.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Random choices a moment.
    pub random: u64,
    /// Every how many changes to cut at.
    pub stride: usize,
    pub seed: u64,
}

/// Records one run of a case. What strace lost or mixed up on a busy machine, the model of the disk is wrong about: then the
/// run is recorded again.
pub fn record(case: &Case, workshop: &Path) -> Disk {
    const TRIES: usize = 3;
    let mut wrong = String::new();
    for _ in 0..TRIES {
        match record_once(case, workshop) {
            Ok(disk) => return disk,
            Err(path) => wrong = path,
        }
    }
    panic!("the model is wrong about `{wrong}` of {}, {TRIES} times", case.name);
}

/// Or the file that the model is wrong about.
fn record_once(case: &Case, workshop: &Path) -> Result<Disk, String> {
    let data = workshop.join("recorded");
    case.before.write_to(&data);
    let log = workshop.join("recorded.trace");
    let calls = format!("trace={}", trace::RECORDED);
    let log_argument = log.to_str().unwrap();
    let output = case.run(
        &data,
        &[
            "strace",
            "--seccomp-bpf",
            "-f",
            "-qq",
            "-y",
            "-xx",
            "-s",
            "10000000",
            "-o",
            log_argument,
            "-e",
            &calls,
            "-e",
            "signal=none",
            "--",
        ],
    );
    let wanted = i32::from(case.end == End::Old);
    let code = output.status.code();
    assert!(
        code == Some(wanted) || (wanted == 1 && code == Some(4)),
        "{}: {code:?} {}",
        case.name,
        String::from_utf8_lossy(&output.stdout)
    );
    let calls = trace::read(&fs::read_to_string(&log).unwrap());
    // Of a large file, as much again as all that it may write.
    fs::remove_file(&log).unwrap();
    let disk = Disk::new(&data, &case.before, &calls);
    // The model says of a run without a power cut what really is there.
    let last = disk.state(disk.last(), Luck::All, None);
    for (path, bytes) in &State::of(&data).0 {
        // The shared memory of a log is written through a mapping, and means nothing after a crash.
        if !path.to_string_lossy().ends_with("-shm") && last.0.get(path) != Some(bytes) {
            return Err(path.display().to_string());
        }
    }
    Ok(disk)
}

/// Looks at the states of a recorded run; `left_out` is a sync that it is pretended not to have called. Stops at the
/// first finding if one sync is left out: that it is missed is all that is asked then.
pub fn cut(
    case: &Case,
    disk: &Disk,
    workshop: &Path,
    effort: Effort,
    left_out: Option<&Sync>,
) -> (usize, Vec<Finding>) {
    let mut seen = HashSet::new();
    let mut findings = Vec::new();
    let scratch = workshop.join("state");
    let last = disk.last();
    // Before it, nothing is different without it.
    let first = left_out.map_or(0, |sync| sync.index);
    let mut moments: Vec<usize> = disk.moments(case.large).into_iter().filter(|moment| *moment >= first).collect();
    moments.pop();
    for moment in moments.into_iter().step_by(effort.stride).chain([last]) {
        let lucks = [Luck::None, Luck::All, Luck::NamesOnly, Luck::DataOnly];
        let random = (0..effort.random).map(|seed| Luck::Random(effort.seed + seed));
        for luck in lucks.into_iter().chain(random) {
            let state = disk.state(moment, luck, left_out);
            if !seen.insert((state.fingerprint(), moment == last)) {
                continue;
            }
            if let Some(message) = super::look(|| look(case, &state, &scratch, moment == last)) {
                findings.push(Finding {
                    case: case.name.clone(),
                    what: format!("power cut at {moment} of {last}, {luck:?}"),
                    message,
                });
                if left_out.is_some() {
                    return (seen.len(), findings);
                }
            }
        }
    }
    (seen.len(), findings)
}

fn look(case: &Case, state: &State, folder: &Path, finished: bool) {
    state.write_to(folder);
    let database = folder.join("app.db");
    // Each copy under a final name is whole; and where the file is past the old state, one of them is the way back.
    let (mut way_back, mut kept) = (false, false);
    let backups = folder.join("backups");
    for entry in fs::read_dir(&backups).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".db") && !name.starts_with('.') {
            let copy = content(&path);
            // A copy says nothing of the journal mode.
            way_back |= copy.without_mode() == case.old.without_mode();
            kept |= copy.without_mode() == case.untouched.without_mode();
        }
    }
    if case.untouched != case.old {
        // What a run that was cut off had left may hold other programs' rows.
        assert!(kept || content(&database) == case.untouched, "the run is undone, and what it had left is lost");
    }
    if !case.split {
        let now = content(&database);
        assert!(now == case.old || now == case.new, "neither old nor new");
        let creation = case.old == super::picture::Content::absent();
        assert!(way_back || creation || now == case.old, "migrated, and the backup is lost");
    }
    if finished {
        let now = content(&database);
        let wanted = if case.end == End::New { &case.new } else { &case.old };
        assert!(now == *wanted, "what was reported is not durable");
    }
    case.next_launch(folder).unwrap_or_else(|error| panic!("the next launch fails: {error:?}"));
    assert!(content(&database) == case.new, "the next launch did not end in the new state");
    assert!(case.next_launch(folder).unwrap().results.is_empty());
}
