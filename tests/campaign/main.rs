//! The fault campaign: the real command on real files, broken at every point that can be named.
//!
//! ```text
//! cargo test --test campaign                    a sample, in a few minutes: part of `cargo test`
//! cargo test --test campaign -- --full          everything; prints the table of the README
//! cargo test --test campaign -- --only power    one part: power, kill, fail, fill, fuzz, race, copies
//! cargo test --test campaign -- --seed 7        other random choices
//! ```
//!
//! It needs `strace` (Linux). Where that is not there, it says so and passes.

#![allow(missing_docs)]

mod cases;
mod copies;
mod disk;
mod fill;
mod fuzz;
mod inject;
mod picture;
mod power;
mod race;
mod trace;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cases::Case;

/// Something that must not be.
#[derive(Debug)]
pub struct Finding {
    pub case: String,
    pub what: String,
    pub message: String,
}

thread_local! {
    /// Whether a panic on this thread is a finding, and not a fault of the campaign.
    static LOOKING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs what may find something, and says what.
pub fn look(run: impl FnOnce()) -> Option<String> {
    LOOKING.set(true);
    let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    LOOKING.set(false);
    looked.err().map(|payload| said(&*payload))
}

/// The message of a panic.
fn said(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

struct Options {
    full: bool,
    only: Option<String>,
    seed: u64,
}

/// How far the whole has come; several threads add to it.
#[derive(Default)]
struct Figures {
    states: AtomicUsize,
    syncs_left_out: AtomicUsize,
    killed: AtomicUsize,
    killed_twice: AtomicUsize,
    failed: AtomicUsize,
    levels: AtomicUsize,
    launches: AtomicUsize,
    kills_in_races: AtomicUsize,
    acknowledged: AtomicUsize,
    fuzzed: AtomicUsize,
    findings: Mutex<Vec<Finding>>,
}

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let [_, role, database, log, name] = arguments.as_slice()
        && role == "--writer"
    {
        race::writer(database.as_ref(), log.as_ref(), &name.to_string_lossy());
        return ExitCode::SUCCESS;
    }
    let Some(options) = options() else { return ExitCode::SUCCESS };
    let strace = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !strace {
        say("SKIPPED: the fault campaign needs `strace`, which is not on this machine");
        return ExitCode::SUCCESS;
    }
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !LOOKING.get() {
            loud(info);
        }
    }));
    let started = Instant::now();
    // Memory is as good as a disk here: what is durable is decided by the model, not by the machine.
    let base = PathBuf::from("/dev/shm");
    let workshop = if base.is_dir() { tempfile::tempdir_in(base) } else { tempfile::tempdir() }.unwrap();
    let rows = if options.full { 150 } else { 60 };
    let cases = cases::all(workshop.path(), rows);
    let figures = Figures::default();
    for part in ["power", "kill", "fail", "fill", "fuzz", "race", "copies"] {
        if options.only.as_deref().is_none_or(|only| only == part) {
            let budget = if options.full { Duration::MAX } else { Duration::from_secs(25) };
            let since = Instant::now();
            in_parallel(&cases, |worker, case| {
                let room = workshop.path().join(format!("room {worker}"));
                std::fs::create_dir_all(&room).unwrap();
                match part {
                    "power" => power_part(&options, case, &room, &figures),
                    "kill" => kill_part(&options, case, &room, &figures, budget / cases.len() as u32 * 2),
                    "fail" => fail_part(&options, case, &room, &figures, budget / cases.len() as u32 * 2),
                    "fill" => fill_part(&options, case, &room, &figures),
                    "fuzz" => fuzz_part(&options, case, &room, &figures),
                    "copies" if case.name == cases[0].name => copies_part(&options, &room, &figures),
                    "copies" => {}
                    _ if case.name == cases[0].name => race_part(&options, &room, &figures),
                    _ => {}
                }
            });
            say(&format!("{part}: {:.0} s", since.elapsed().as_secs_f64()));
        }
    }
    report(&options, &cases, &figures, started)
}

fn options() -> Option<Options> {
    let mut options = Options { full: false, only: None, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => options.full = true,
            "--only" => options.only = arguments.next(),
            "--seed" => options.seed = arguments.next()?.parse().ok()?,
            "--list" => return None,
            // A filter for other tests, as in `cargo test backups`.
            filter if !filter.starts_with('-') && !"campaign".contains(filter) => return None,
            _ => {}
        }
    }
    Some(options)
}

/// Two at a time: each case is one process after the other.
fn in_parallel(cases: &[Case], work: impl Fn(usize, &Case) + Sync) {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    work(worker, case);
                }
            });
        }
    });
}

fn power_part(options: &Options, case: &Case, room: &std::path::Path, figures: &Figures) {
    let disk = power::record(case, room);
    let effort = if options.full {
        power::Effort { random: 4, stride: 1, seed: options.seed }
    } else {
        power::Effort { random: 1, stride: 4, seed: options.seed }
    };
    let (states, found) = power::cut(case, &disk, room, effort, None);
    figures.states.fetch_add(states, Ordering::SeqCst);
    figures.findings.lock().unwrap().extend(found);
    // What makes a new file's name durable is the last sync of its folder, and that of a run's commit with a rollback
    // journal; the ones before it stand in for each other.
    let last = disk.syncs().iter().rfind(|sync| sync.what == "/");
    let last = last.filter(|_| case.name == "creation" || case.name == "migrate (delete)");
    for sync in disk.syncs().iter().filter(|sync| is_of_the_protocol(sync)).chain(last) {
        // A run that was rolled back has no need of its copy.
        if case.end == cases::End::Old && !case.split && sync.what == "backups/" {
            continue;
        }
        figures.syncs_left_out.fetch_add(1, Ordering::SeqCst);
        let effort = power::Effort { random: 2, stride: 1, seed: options.seed };
        let (_, found) = power::cut(case, &disk, room, effort, Some(sync));
        if found.is_empty() {
            let message = "left out, and nothing was missed".to_owned();
            let what = format!("the sync of `{}`", sync.what);
            figures.findings.lock().unwrap().push(Finding { case: case.name.clone(), what, message });
        }
    }
}

/// The syncs that lifeboat calls itself, and that a failure would follow from if they were not there.
fn is_of_the_protocol(sync: &disk::Sync) -> bool {
    sync.what.ends_with(".partial") || sync.what.ends_with("-lifeboat-new") || sync.what == "backups/"
}

fn kill_part(options: &Options, case: &Case, room: &std::path::Path, figures: &Figures, budget: Duration) {
    let points = inject::points(case, room);
    let started = Instant::now();
    for (number, point) in sample(&points, options).enumerate() {
        if started.elapsed() > budget {
            break;
        }
        let again = (case.split && (number % if options.full { 3 } else { 5 } == 0)).then_some(number * 7 + 3);
        figures.killed.fetch_add(1, Ordering::SeqCst);
        figures.killed_twice.fetch_add(usize::from(again.is_some()), Ordering::SeqCst);
        figures.findings.lock().unwrap().extend(inject::kill(case, point, room, again));
    }
}

fn fail_part(options: &Options, case: &Case, room: &std::path::Path, figures: &Figures, budget: Duration) {
    let points = inject::points(case, room);
    let started = Instant::now();
    for (number, point) in sample(&points, options).enumerate() {
        for (variant, error) in inject::errors_of(&point.call).iter().enumerate() {
            for for_ever in [false, true] {
                // Every call fails in some way; with all errors, once and for ever, it would be a night's work.
                let taken = (number + variant) % 4 == usize::from(for_ever);
                if !taken || started.elapsed() > budget {
                    continue;
                }
                // Tried again for ever, and rightly; waited for to the deadline, each time; and a command that cannot write
                // cannot report.
                if for_ever && (["EINTR", "ENOLCK"].contains(error) || point.call == "write") {
                    continue;
                }
                figures.failed.fetch_add(1, Ordering::SeqCst);
                figures.findings.lock().unwrap().extend(inject::fail(case, point, error, for_ever, room));
            }
        }
    }
}

fn fill_part(options: &Options, case: &Case, room: &std::path::Path, figures: &Figures) {
    if fill::Disk::mount(&room.join("probe"), 64).is_none() {
        say("SKIPPED: no file system can be mounted here, so no full disk was tried");
        return;
    }
    // From no room beside the database to some times its size.
    let step = if options.full { 8 } else { 96 };
    let bytes: usize = case.before.0.values().flatten().map(Vec::len).sum();
    for level in (0..(bytes / 1024 * 4 + 512)).step_by(step) {
        figures.levels.fetch_add(1, Ordering::SeqCst);
        figures.findings.lock().unwrap().extend(fill::try_level(case, level, room));
    }
}

fn fuzz_part(options: &Options, case: &Case, room: &std::path::Path, figures: &Figures) {
    let count = if options.full { 4000 } else { 40 };
    for number in 0..count {
        figures.fuzzed.fetch_add(1, Ordering::SeqCst);
        figures.findings.lock().unwrap().extend(fuzz::mutate(case, options.seed * 1_000_000 + number, room));
    }
}

fn race_part(options: &Options, room: &std::path::Path, figures: &Figures) {
    let at_most = Duration::from_secs(if options.full { 120 } else { 8 });
    let (raced, found) = race::race(room, options.seed, at_most);
    figures.launches.fetch_add(raced.launches, Ordering::SeqCst);
    figures.kills_in_races.fetch_add(raced.killed, Ordering::SeqCst);
    figures.acknowledged.fetch_add(raced.rows, Ordering::SeqCst);
    figures.findings.lock().unwrap().extend(found);
}

fn copies_part(options: &Options, room: &std::path::Path, figures: &Figures) {
    let (step, budget) = if options.full { (1, Duration::MAX) } else { (89, Duration::from_secs(25)) };
    let (tried, found) = copies::run(room, step, budget);
    figures.states.fetch_add(tried.states, Ordering::SeqCst);
    figures.killed.fetch_add(tried.killed, Ordering::SeqCst);
    figures.failed.fetch_add(tried.failed, Ordering::SeqCst);
    figures.findings.lock().unwrap().extend(found);
}

/// All points, or some spread over the run in an order that begins anywhere: a budget then cuts no part of it off.
fn sample<'a>(points: &'a [inject::Point], options: &Options) -> impl Iterator<Item = &'a inject::Point> {
    let step = if options.full { 1 } else { 89 };
    let count = points.len();
    let shared =
        (1..=count.max(1)).find(|candidate| gcd(count.max(1), step + candidate - 1) == 1).map_or(1, |c| step + c - 1);
    (0..count).map(move |at| &points[(at * shared + usize::try_from(options.seed).unwrap_or(0)) % count])
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn report(options: &Options, cases: &[Case], figures: &Figures, started: Instant) -> ExitCode {
    let findings = figures.findings.lock().unwrap();
    let number = |figure: &AtomicUsize| figure.load(Ordering::SeqCst);
    let mut text = format!(
        "fault campaign ({}, seed {}, {:.0} s)\n\n| what | how often |\n|---|---|\n",
        if options.full { "full" } else { "a sample" },
        options.seed,
        started.elapsed().as_secs_f64()
    );
    for (what, count) in [
        ("cases", cases.len()),
        ("states after a power cut looked at", number(&figures.states)),
        ("syncs left out to see them missed", number(&figures.syncs_left_out)),
        ("system calls that the process was killed at", number(&figures.killed)),
        ("of these, the launch after it killed too", number(&figures.killed_twice)),
        ("system calls made to fail", number(&figures.failed)),
        ("fill levels of a full disk", number(&figures.levels)),
        ("damaged files", number(&figures.fuzzed)),
        ("launches in races of processes", number(&figures.launches)),
        ("processes killed in them", number(&figures.kills_in_races)),
        ("acknowledged rows looked for afterwards", number(&figures.acknowledged)),
        ("defects left", findings.len()),
    ] {
        text.push_str(&format!("| {what} | {count} |\n"));
    }
    for finding in findings.iter().take(40) {
        text.push_str(&format!("\n{}: {}\n    {}\n", finding.case, finding.what, finding.message));
    }
    say(&text);
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
