//! Every system call that touches the data directory: the process killed at it, or the call made to fail.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Finding;
use super::cases::Case;
use super::picture::content;

/// Calls to break at.
pub const BROKEN: &str = "openat,read,pread64,write,pwrite64,lseek,ftruncate,fsync,fdatasync,rename,link,unlink,mkdir,\
                      fcntl,flock,close,chmod,fchmod,fchown,chown,statx,newfstatat,mmap,munmap,statfs";

/// The n-th call of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub call: String,
    pub number: usize,
}

/// The calls of one run that name the data directory, or a file in it.
pub fn points(case: &Case, workshop: &Path) -> Vec<Point> {
    let data = workshop.join("counted");
    case.before.write_to(&data);
    points_of(case, &data, workshop)
}

fn points_of(case: &Case, data: &Path, workshop: &Path) -> Vec<Point> {
    let log = workshop.join("counted.trace");
    case.run(
        data,
        &[
            "strace",
            "-f",
            "-qq",
            "-y",
            "-o",
            log.to_str().unwrap(),
            "-e",
            &format!("trace={BROKEN}"),
            "-e",
            "signal=none",
            "--",
        ],
    );
    numbered(&String::from_utf8_lossy(&fs::read(&log).unwrap()), data.to_str().unwrap())
}

/// The calls of a trace that name `folder`, or a file in it.
pub fn numbered(trace: &str, folder: &str) -> Vec<Point> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut points = Vec::new();
    for line in trace.lines() {
        let Some((head, rest)) = line.split_once('(') else { continue };
        let Some(call) = head.split_whitespace().last() else { continue };
        if call.contains("resumed") {
            continue;
        }
        let count = counts.entry(call.to_owned()).or_default();
        *count += 1;
        if rest.contains(folder) {
            points.push(Point { call: call.to_owned(), number: *count });
        }
    }
    points
}

/// Kills a run at a call, looks at the file, launches again. With `again`, the launch after it is killed too, at a call
/// chosen by the same number, before the one that must succeed.
pub fn kill(case: &Case, point: &Point, workshop: &Path, again: Option<usize>) -> Option<Finding> {
    let data = workshop.join("killed");
    let what = format!("killed at {} number {}", point.call, point.number);
    broken(case, what, || {
        case.before.write_to(&data);
        let inject = format!("inject={}:signal=SIGKILL:when={}", point.call, point.number);
        strace(case, &data, &point.call, &inject);
        if let Some(number) = again {
            let recovery = points_of_copy(case, &data, workshop);
            if !recovery.is_empty() {
                let second = &recovery[number % recovery.len()];
                let inject = format!("inject={}:signal=SIGKILL:when={}", second.call, second.number);
                strace(case, &data, &second.call, &inject);
            }
        }
        old_or_new_then_new(case, &data);
    })
}

/// The calls of the launch that would follow, counted on a copy.
fn points_of_copy(case: &Case, data: &Path, workshop: &Path) -> Vec<Point> {
    let copy = workshop.join("counted again");
    super::disk::State::of(data).write_to(&copy);
    points_of(case, &copy, workshop)
}

fn strace(case: &Case, data: &Path, call: &str, inject: &str) -> std::process::Output {
    case.run(data, &["strace", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", inject, "--"])
}

fn old_or_new_then_new(case: &Case, data: &Path) {
    let database = data.join("app.db");
    if !case.split {
        let now = content(&database);
        assert!(now == case.old || now == case.new, "neither old nor new");
    }
    case.next_launch(data).unwrap_or_else(|error| panic!("the next launch fails: {error:?}"));
    assert!(content(&database) == case.new, "the next launch did not end in the new state");
}

/// Makes a call fail, once or from then on; what is reported must be true of the file.
pub fn fail(case: &Case, point: &Point, error: &str, for_ever: bool, workshop: &Path) -> Option<Finding> {
    let data = workshop.join("failed");
    let often = if for_ever { "+" } else { "" };
    let what = format!("{error} from {} number {}{often}", point.call, point.number);
    broken(case, what, || {
        case.before.write_to(&data);
        let inject = format!("inject={}:error={error}:when={}{often}", point.call, point.number);
        let output = strace(case, &data, &point.call, &inject);
        let code = output.status.code().unwrap_or_else(|| panic!("it was killed: {:?}", output.status));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|_| {
            panic!("exit {code} without a document: {text}{}", String::from_utf8_lossy(&output.stderr))
        });
        let outcome = json["outcome"].as_str().or(json["error"]["outcome"].as_str()).unwrap_or("none").to_owned();
        let now = (outcome != "needs-recovery").then(|| content(&data.join("app.db")));
        match (outcome.as_str(), code) {
            ("migrated" | "created", 0) => assert!(now.as_ref() == Some(&case.new), "said to be {outcome}"),
            ("untouched", 1) => assert!(now.as_ref() == Some(&case.untouched), "said to be {outcome}: {text}"),
            ("rolled-back", 1) | ("restored", 4) => {
                assert!(now.as_ref() == Some(&case.old), "said to be {outcome}: {text}");
            }
            ("needs-recovery", 5) => {}
            _ => panic!("exit {code} with outcome {outcome}: {text}"),
        }
        case.next_launch(&data).unwrap_or_else(|error| panic!("the next launch fails: {error:?}"));
        assert!(content(&data.join("app.db")) == case.new, "the next launch did not end in the new state");
    })
}

/// Which errors a call can give.
pub fn errors_of(call: &str) -> &'static [&'static str] {
    match call {
        "write" | "pwrite64" => &["ENOSPC", "EIO", "EINTR"],
        "fsync" | "fdatasync" | "ftruncate" => &["EIO", "ENOSPC"],
        "openat" => &["EACCES", "ENOSPC", "EMFILE"],
        "rename" | "link" | "mkdir" | "chmod" | "fchmod" => &["EACCES", "EIO"],
        "unlink" => &["EACCES", "EIO"],
        "read" | "pread64" => &["EIO"],
        "fcntl" | "flock" => &["EINTR", "ENOLCK"],
        _ => &[],
    }
}

fn broken(case: &Case, what: String, run: impl FnOnce()) -> Option<Finding> {
    let message = super::look(run)?;
    Some(Finding { case: case.name.clone(), what, message })
}
