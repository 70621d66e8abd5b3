//! Writes that the kernel cuts short, really: it writes as many bytes of a file as a process may (`RLIMIT_FSIZE`), and
//! refuses the rest. From the start, at any byte; or from one write on, found with strace.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};

use super::Finding;
use super::cases::{Case, End};
use super::inject::{Point, broken};
use super::picture::content;
use super::verdict;

/// Without the signal that ends a process at its limit; that is inherited.
const UNSIGNALLED: [&str; 4] = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];

/// What the process behind `--limited` does: becomes the command, with files of so many bytes at most.
pub fn become_limited(bytes: &str, command: &[std::ffi::OsString]) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: Some(bytes.parse().unwrap()), maximum }).unwrap();
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    panic!("{error}");
}

/// One case, in which no file can grow beyond so many bytes; then without that.
pub fn try_limit(case: &Case, bytes: usize, without_backup: bool, workshop: &Path) -> Option<Finding> {
    let data = workshop.join("limited");
    let option: &[&str] = if without_backup { &["--no-backup"] } else { &[] };
    let what = format!("files of {bytes} bytes at most {}", option.concat());
    broken(case, what, || {
        case.before.write_to(&data);
        let this = std::env::current_exe().unwrap();
        let bytes = bytes.to_string();
        let before: Vec<&str> = UNSIGNALLED.into_iter().chain([this.to_str().unwrap(), "--limited", &bytes]).collect();
        let output = case.prepared(&data, &before, option).output().unwrap();
        verdict::is_true_of_the_file(case, &data, &output);
    })
}

/// Cuts one write short after `kept` bytes. The rest of it can then be written, as after a signal, and nothing may have
/// happened; or it is refused with all that would make a file longer, and what is reported must be true.
pub fn cut_short(case: &Case, point: &Point, kept: usize, rest_fails: bool, workshop: &Path) -> Option<Finding> {
    let data = workshop.join("short");
    let rest = if rest_fails { "the rest refused" } else { "the rest written" };
    let what = format!("{} number {} cut short at {kept} bytes, {rest}", point.call, point.number);
    broken(case, what, || {
        case.before.write_to(&data);
        let output = stopped(case, &data, point, kept, rest_fails);
        if !rest_fails {
            let wanted = if case.end == End::New { &case.new } else { &case.old };
            assert!(content(&data.join("app.db")) == *wanted, "a write in two parts was not as one");
        }
        verdict::is_true_of_the_file(case, &data, &output);
    })
}

/// Runs a case, stopped before a write to set the limit, and after it to lift it again.
fn stopped(case: &Case, data: &Path, point: &Point, kept: usize, rest_fails: bool) -> std::process::Output {
    let write = point.write.as_ref().unwrap();
    let (call, number) = point.previous.as_ref().unwrap();
    let stop = |call: &str, first: usize, last: usize| format!("inject={call}:signal=SIGSTOP:when={first}..{last}");
    let injections = match (rest_fails, *call == point.call) {
        (true, _) => vec![stop(call, *number, *number)],
        (false, true) => vec![stop(call, *number, point.number)],
        (false, false) => vec![stop(call, *number, *number), stop(&point.call, point.number, point.number)],
    };
    let calls = format!("trace={call},{}", point.call);
    let mut before = UNSIGNALLED.to_vec();
    before.extend(["strace", "-f", "-qq", "-e", &calls, "-e", "signal=SIGSTOP"]);
    before.extend(injections.iter().flat_map(|injection| ["-e", injection]));
    before.push("--");
    let mut child = case.prepared(data, &before, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let strace = child.id();
    let (mut stops, mut was_cut, mut errors) = (0, false, String::new());
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        let text = String::from_utf8_lossy(&line).into_owned();
        line.clear();
        let answer = text.rsplit_once(" = ").map(|(_, answer)| answer.trim_end());
        was_cut |= stops > 0 && text.contains(&point.call) && answer == Some(&kept.to_string());
        if let Some((thread, _)) = text.split_once("--- stopped by SIGSTOP") {
            // A thread's word of a stop that is over may come after the end of the process.
            let Some(process) = child_of(strace) else { continue };
            // Each thread stops, and says so.
            let thread =
                thread.rsplit_once("[pid").and_then(|(_, number)| number.trim_matches([' ', ']']).parse().ok());
            if thread.is_none_or(|thread: i32| thread == process) {
                let pid = Pid::from_raw(process).unwrap();
                let limit = (stops == 0).then(|| write.at.unwrap_or_else(|| position(process, write.fd)) + kept as u64);
                prlimit(
                    Some(pid),
                    Resource::Fsize,
                    Rlimit { current: limit, maximum: getrlimit(Resource::Fsize).maximum },
                )
                .unwrap();
                stops += 1;
                kill_process(pid, Signal::CONT).unwrap();
            }
        } else {
            errors.push_str(&text);
        }
    }
    let mut stdout = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    let status = child.wait().unwrap();
    assert!(was_cut, "the write was not cut short after {stops} stops: {errors}");
    std::process::Output { status, stdout, stderr: errors.into_bytes() }
}

/// The one process that strace runs, if it still does. The list of its children is exact only while none of them comes or
/// goes.
fn child_of(strace: u32) -> Option<i32> {
    for _ in 0..100 {
        let list = std::fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).unwrap_or_default();
        if let Ok(process) = list.trim().parse() {
            return Some(process);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    None
}

/// Where a descriptor of a process would write next.
fn position(process: i32, fd: usize) -> u64 {
    let info = std::fs::read_to_string(format!("/proc/{process}/fdinfo/{fd}")).unwrap();
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    const APPEND: u64 = 0o2000;
    if u64::from_str_radix(&field("flags:"), 8).unwrap() & APPEND != 0 {
        return std::fs::metadata(format!("/proc/{process}/fd/{fd}")).unwrap().len();
    }
    field("pos:").parse().unwrap()
}
