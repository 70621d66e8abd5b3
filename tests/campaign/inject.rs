//! Every system call that touches the data directory: the process killed at it, or the call made to fail.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use super::Finding;
use super::cases::Case;
use super::picture::content;
use super::thin::thin;
use super::verdict;

/// Calls to break at.
pub const BROKEN: &str = "openat,read,pread64,write,pwrite64,lseek,copy_file_range,ioctl,ftruncate,fsync,fdatasync,rename,link,unlink,mkdir,\
                      fcntl,flock,close,chmod,fchmod,fchown,chown,statx,newfstatat,mmap,munmap,statfs";
/// Those that neither change a name nor sync anything: a large file makes thousands of them.
const BULK: [&str; 13] = [
    "openat",
    "close",
    "read",
    "pread64",
    "write",
    "pwrite64",
    "lseek",
    "fcntl",
    "ioctl",
    "statx",
    "newfstatat",
    "mmap",
    "munmap",
];

/// The n-th call of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub call: String,
    pub number: usize,
    /// The call before it, on whatever file: its name and number.
    pub previous: Option<(String, usize)>,
    /// Where it writes, and how much.
    pub write: Option<Write>,
    /// Whether it asks for a lock on a part of a file.
    locks: bool,
    /// The file that it is on, and what it answered.
    on: (String, String),
}

impl Point {
    /// Whether it gives a lock back, or asks about a descriptor.
    pub fn unlocks(&self) -> bool {
        self.call == "fcntl" && !self.locks
    }
}

/// What a call writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub fd: usize,
    /// Nothing where it is the position of the descriptor.
    pub at: Option<u64>,
    pub length: usize,
}

/// The calls of one run that name the data directory, or a file in it; not all that are alike where the file is large.
pub fn points(case: &Case, workshop: &Path) -> Vec<Point> {
    let data = workshop.join("counted");
    case.before.write_to(&data);
    let points = points_of(case, &data, workshop);
    if !case.large {
        return points;
    }
    let taken = thin(points.len(), |index| {
        let point = &points[index];
        // Which descriptor or place it is does not matter.
        let answer = if ["openat", "lseek", "mmap"].contains(&point.call.as_str()) { "" } else { &point.on.1 };
        BULK.contains(&point.call.as_str()).then_some((&point.call, &point.on.0, answer))
    });
    taken.into_iter().map(|index| points[index].clone()).collect()
}

fn points_of(case: &Case, data: &Path, workshop: &Path) -> Vec<Point> {
    let log = workshop.join("counted.trace");
    let calls = format!("trace={BROKEN}");
    let log_argument = log.to_str().unwrap();
    case.run(
        data,
        &["strace", "--seccomp-bpf", "-f", "-qq", "-y", "-o", log_argument, "-e", &calls, "-e", "signal=none", "--"],
    );
    numbered(&String::from_utf8_lossy(&fs::read(&log).unwrap()), data.to_str().unwrap())
}

/// The calls of a trace that name `folder`, or a file in it.
pub fn numbered(log: &str, folder: &str) -> Vec<Point> {
    // The thread that hashes a copy reads as the other one does; a point between two such calls cannot be told by them.
    let mut threads: HashMap<&str, HashSet<&str>> = HashMap::new();
    for line in log.lines() {
        let mut words = line.split_once('(').map_or("", |(head, _)| head).split_whitespace();
        if let (Some(thread), Some(call)) = (words.next(), words.next_back()) {
            threads.entry(call).or_default().insert(thread);
        }
    }
    // strace counts for each thread.
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut last: HashMap<&str, (String, usize)> = HashMap::new();
    let mut points = Vec::new();
    for line in log.lines() {
        let Some((head, rest)) = line.split_once('(') else { continue };
        let mut words = head.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next_back()) else { continue };
        if call.contains("resumed") {
            continue;
        }
        let number = counts.entry((thread, call)).or_default();
        *number += 1;
        if threads[call].len() > 1 && !log.starts_with(thread) {
            continue; // the number would be met by the first thread
        }
        let previous = last.get(thread).cloned();
        if call == "copy_file_range" {
            // A signal makes it begin again, so nothing can be changed between it and the next call.
            last.remove(thread);
        } else if threads[call].len() == 1 {
            last.insert(thread, (call.to_owned(), *number));
        }
        if let Some((_, named)) = rest.split_once(folder) {
            let file = named.split(['>', '"']).next().unwrap_or_default();
            let (arguments, answer) = rest.rsplit_once(") = ").unwrap_or((rest, ""));
            let length = answer.parse().unwrap_or(0);
            let fd = arguments.split('<').next().and_then(|fd| fd.parse().ok());
            let write = fd.filter(|_| call == "write" || call == "pwrite64").map(|fd| Write {
                fd,
                at: (call == "pwrite64").then(|| arguments.rsplit(", ").next()?.parse().ok()).flatten(),
                length,
            });
            let on = (file.to_owned(), answer.to_owned());
            let locks = arguments.contains("l_type=F_RDLCK") || arguments.contains("l_type=F_WRLCK");
            points.push(Point { call: call.to_owned(), number: *number, previous, write, locks, on });
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
        let output = strace(case, &data, &point.call, &inject, &["-o", "/dev/null"]);
        assert!(was_killed(output.status), "it was not killed but ended with {:?}", output.status);
        if let Some(number) = again {
            let recovery = points_of_copy(case, &data, workshop);
            if !recovery.is_empty() {
                let second = &recovery[number % recovery.len()];
                let inject = format!("inject={}:signal=SIGKILL:when={}", second.call, second.number);
                strace(case, &data, &second.call, &inject, &["-o", "/dev/null"]);
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

/// Runs a case with a fault. With `--seccomp-bpf` only the call in question is stopped at, which is much faster; strace
/// then loses signals.
fn strace(case: &Case, data: &Path, call: &str, inject: &str, options: &[&str]) -> std::process::Output {
    let calls = format!("trace={call}");
    let mut before = vec!["strace", "-f", "-qq", "-e", &calls, "-e", inject];
    before.extend(options);
    before.push("--");
    case.run(data, &before)
}

/// strace ends as what it ran did.
fn was_killed(status: std::process::ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    #[cfg(not(unix))]
    return !status.success();
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

/// An error that a call gives, once or from then on.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    pub error: &'static str,
    pub for_ever: bool,
}

/// Makes a call fail; what is reported must be true of the file.
pub fn fail(case: &Case, point: &Point, failure: Failure, workshop: &Path) -> Option<Finding> {
    let data = workshop.join("failed");
    let Failure { error, for_ever } = failure;
    let often = if for_ever { "+" } else { "" };
    let what = format!("{error} from {} number {}{often}", point.call, point.number);
    broken(case, what, || {
        case.before.write_to(&data);
        let inject = format!("inject={}:error={error}:when={}{often}", point.call, point.number);
        let log = workshop.join("failed.trace");
        let options = ["--seccomp-bpf", "-o", log.to_str().unwrap()];
        let output = strace(case, &data, &point.call, &inject, &options);
        assert!(fs::read_to_string(&log).unwrap().contains("(INJECTED)"), "nothing failed");
        verdict::is_true_of_the_file(case, &data, &output);
    })
}

/// The ways in which a call can fail.
pub fn failures_of(point: &Point) -> Vec<Failure> {
    let both = errors_of(point).iter().flat_map(|error| [false, true].map(|for_ever| Failure { error, for_ever }));
    // Tried again for ever, and rightly; waited for to the deadline, each time; and a command that cannot write cannot
    // report.
    let endless = ["fcntl", "flock", "write"].contains(&point.call.as_str());
    both.filter(|failure| !failure.for_ever || !(endless || failure.error == "EINTR")).collect()
}

/// Which errors a call can give. An injected error keeps a call from being made: of `close`, `munmap` and `lseek` no
/// kernel's failure looks so.
pub fn errors_of(point: &Point) -> &'static [&'static str] {
    match point.call.as_str() {
        "write" | "pwrite64" => &["ENOSPC", "EIO", "EINTR"],
        // The last one says that it cannot be done inside the kernel.
        "copy_file_range" => &["ENOSPC", "EIO", "EINTR", "EXDEV"],
        "fsync" | "fdatasync" | "ftruncate" => &["EIO", "ENOSPC", "EINTR"],
        "openat" => &["EACCES", "ENOSPC", "EIO", "EINTR", "EMFILE"],
        "rename" | "link" | "mkdir" | "unlink" => &["EACCES", "ENOSPC", "EIO"],
        "chmod" | "fchmod" | "chown" | "fchown" => &["EACCES", "EIO"],
        "statx" | "newfstatat" => &["EACCES", "EIO"],
        "read" | "pread64" | "statfs" => &["EIO", "EINTR"],
        // The file is somebody else's.
        "fcntl" if point.locks => &["EINTR", "ENOLCK", "EACCES"],
        "fcntl" | "flock" => &["EINTR", "ENOLCK"],
        "mmap" => &["ENOMEM", "EACCES"],
        _ => &[],
    }
}

/// A finding of what a run panicked with.
pub fn broken(case: &Case, what: String, run: impl FnOnce()) -> Option<Finding> {
    let message = super::look(run)?;
    Some(Finding { case: case.name.clone(), what, message })
}
