//! Another process: this test binary again, running one test that does something only when it is told to.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const VARIABLE: &str = "LIFEBOAT_TEST_CHILD";

/// What the child was told; nothing in a run of the tests by a person.
pub fn told() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// The command that runs the test of this name as a child, in `wrapper` if one is given (`setpriv …`).
pub fn command(test: &str, what: &Path, wrapper: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut words: Vec<&OsStr> = wrapper.iter().map(OsStr::new).collect();
    words.push(program.as_os_str());
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--exact", test, "--nocapture"]).env(VARIABLE, what);
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end; what it prints is shown if it fails.
#[track_caller]
pub fn run(test: &str, what: &Path, wrapper: &[&str]) {
    let output = command(test, what, wrapper).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "the child ran no test: {text}");
}

/// Starts it and waits until it has made the file `ready`.
pub fn start(test: &str, what: &Path, ready: &Path) -> Child {
    let child = command(test, what, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !ready.exists() {
        assert!(started.elapsed() < Duration::from_secs(30), "the child did not get ready");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}
