//! What the contenders do alike: the command line, the clock, and the answer.
//!
//! `launch SET FILE [times=N] [option=value …]` brings FILE to the newest schema of SET, as an app would when it starts, and
//! asks its first query. The answer is lines of `key value` on stdout.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub type Fallible<T> = Result<T, Box<dyn Error>>;

/// What stays open until the clock has stopped.
pub type Open = Box<dyn Any>;

/// What the driver asks for.
#[allow(dead_code)]
pub struct Request {
    pub command: String,
    pub set: String,
    pub file: PathBuf,
    pub options: BTreeMap<String, String>,
}

#[allow(dead_code)] // each contender is a crate of its own, and needs a part of this
impl Request {
    pub fn read() -> Fallible<Request> {
        let mut words = std::env::args().skip(1);
        let mut next = |what| words.next().ok_or(format!("no {what}"));
        let (command, set, file) = (next("command")?, next("set of migrations")?, next("file")?.into());
        let options = words.filter_map(|word| word.split_once('=').map(|(key, value)| (key.into(), value.into())));
        Ok(Request { command, set, file, options: options.collect() })
    }

    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }
}

/// Launches as often as asked for, and answers with the median. What `launch` returns is dropped off the clock. `sqlite`
/// tells the version, and is asked last: a database that was opened before the clock starts would have warmed SQLite up.
#[allow(dead_code)]
pub fn run(
    request: &Request,
    mut launch: impl FnMut(&str, &Path) -> Fallible<Open>,
    sqlite: impl FnOnce() -> Fallible<String>,
) -> Fallible<()> {
    let times: usize = request.option("times").unwrap_or("1").parse()?;
    let before = peak_kib();
    let mut took = Vec::with_capacity(times);
    let cpu = cpu_ns();
    let mut failure = None;
    for _ in 0..times {
        mark("begin");
        let started = Instant::now();
        let launched = launch(&request.set, &request.file);
        took.push(started.elapsed());
        mark("end");
        if let Err(error) = launched {
            failure = Some(error.to_string());
        }
    }
    let cpu = cpu_ns().saturating_sub(cpu) / times as u64;
    took.sort();
    answer(took[took.len() / 2], cpu, before);
    println!("sqlite {}", sqlite()?);
    if let Some(failure) = failure {
        println!("failed {}", failure.replace('\n', " "));
    }
    Ok(())
}

#[allow(dead_code)]
pub fn answer(took: Duration, cpu: u64, before: u64) {
    println!("ns {}", took.as_nanos());
    println!("cpu {cpu}");
    println!("peak-before {before}");
    println!("peak {}", peak_kib());
}

/// The most memory that this process has had at once, in KiB; 0 where the system does not tell.
pub fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

/// How long this thread has been on a processor, in nanoseconds; 0 where the system does not tell. Whoever else is at work
/// on the disk does not count in it.
pub fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

/// A system call that stands out in a trace, where the driver asks for one: a look at a file that is not there.
fn mark(what: &str) {
    if std::env::var_os("BENCH_MARK").is_some() {
        let _ = std::fs::metadata(format!("/lifeboat-bench-{what}"));
    }
}
