//! The fault campaign: the real command on real files, broken at every point that can be named.
//!
//! ```text
//! cargo test --test campaign                    a sample, in a few minutes: part of `cargo test`
//! cargo test --test campaign -- --full          everything; prints the table of the README
//! cargo test --test campaign -- --only power    one part: power, kill, fail, short, fill, fuzz, race, copies
//! cargo test --test campaign -- --full --minutes 9   each part of it ends after nine minutes, an even share of it done
//! cargo test --test campaign -- --case large    the cases with this in their name, to see a finding again
//! cargo test --test campaign -- --seed 7        other random choices
//! ```
//!
//! The runs: `migrate`, one transaction or one a step, with a file that cannot be in one, succeeding and failing; the launch
//! after a run that was cut off; the creation of a file. Each on a small file whose rows refer to each other, on one whose
//! rows do not, and (but for two of the failing ones) on a large one, of 4.5 MiB, more than SQLite's cache; with a rollback
//! journal and in WAL mode.
//!
//! On a small file `--full` leaves out: of errors that would be met for ever, those that are tried again for ever or until
//! the deadline; of a write, all but one of the places where it can be cut short (at its first byte, its last, its middle,
//! in turn); and where rows do not refer to each other, each call fails in one of its ways, in turn. On a large one, and
//! the table says so: its calls are thousands that are alike. Renames, links, removals, changes of a length or a mode and
//! syncs are all taken; of the others, in each stretch between two of these, the first, the last and one in the middle of
//! each kind: the same call with the same answer on the same file, so that a page is one kind, a header another. The power
//! is cut before the writes chosen so. Every third of these calls is made to fail, in one of its ways; a write is cut short
//! once; a full disk and a limit are tried in coarse steps; and damage is not tried: a large file's pages are as those of a
//! small one.
//!
//! It needs `strace` (Linux). Where that is not there, it says so and passes.

#![allow(missing_docs)]
// Without `strace` most of it has no caller that is compiled.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod cases;
mod copies;
mod disk;
mod fill;
mod fuzz;
mod inject;
#[cfg(target_os = "linux")]
mod limit;
mod picture;
mod power;
mod race;
mod thin;
mod trace;
mod verdict;

use std::io::Write;
use std::path::{Path, PathBuf};
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
    case: Option<String>,
    minutes: Option<u64>,
    seed: u64,
}

/// How far the whole has come; several threads add to it.
#[derive(Default)]
struct Figures {
    states: AtomicUsize,
    syncs_left_out: AtomicUsize,
    killed: AtomicUsize,
    killed_large: AtomicUsize,
    killed_twice: AtomicUsize,
    failed: AtomicUsize,
    failed_large: AtomicUsize,
    cut_short: AtomicUsize,
    levels: AtomicUsize,
    launches: AtomicUsize,
    copies_in_races: AtomicUsize,
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
    #[cfg(target_os = "linux")]
    if let [_, role, bytes, command @ ..] = arguments.as_slice()
        && role == "--limited"
    {
        limit::become_limited(&bytes.to_string_lossy(), command);
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
    let campaign = Campaign {
        cases: cases::all(workshop.path(), rows, options.case.as_deref()),
        rooms: workshop.path().to_owned(),
        options,
        figures: Figures::default(),
    };
    say(&format!("{} cases: {:.0} s", campaign.cases.len(), started.elapsed().as_secs_f64()));
    type Part = fn(&Campaign);
    let parts: [(&str, Part); 8] = [
        ("power", Campaign::power),
        ("kill", Campaign::kill),
        ("fail", Campaign::fail),
        ("short", Campaign::short),
        ("fill", Campaign::fill),
        ("fuzz", Campaign::fuzz),
        ("race", Campaign::race),
        ("copies", Campaign::copies),
    ];
    for (name, part) in parts {
        if campaign.options.only.as_deref().is_none_or(|only| only == name) {
            let since = Instant::now();
            part(&campaign);
            say(&format!("{name}: {:.0} s", since.elapsed().as_secs_f64()));
        }
    }
    campaign.report(started)
}

fn options() -> Option<Options> {
    let mut options = Options { full: false, only: None, case: None, minutes: None, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => options.full = true,
            "--only" => options.only = arguments.next(),
            "--case" => options.case = arguments.next(),
            "--minutes" => options.minutes = Some(arguments.next()?.parse().ok()?),
            "--seed" => options.seed = arguments.next()?.parse().ok()?,
            "--list" => return None,
            // A filter for other tests, as in `cargo test backups`.
            filter if !filter.starts_with('-') && !"campaign".contains(filter) => return None,
            _ => {}
        }
    }
    Some(options)
}

/// Two at a time, or as many as the machine has processors: a launch is one process after the other. Each worker has a
/// number.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, work, done) = (&next, &work, &done);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(item) = items.get(at) else { break };
                    let result = work(worker, item);
                    done.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The whole.
struct Campaign {
    cases: Vec<Case>,
    /// Where the workers' folders are.
    rooms: PathBuf,
    options: Options,
    figures: Figures,
}

/// How many of a case's breaks the sample takes of a large file.
const OF_LARGE: usize = 2;
/// How many large files the sample takes, others with another seed.
const LARGE: usize = 3;

impl Campaign {
    fn room(&self, worker: usize) -> PathBuf {
        let room = self.rooms.join(format!("room {worker}"));
        std::fs::create_dir_all(&room).unwrap();
        room
    }

    fn found(&self, findings: impl IntoIterator<Item = Finding>) {
        self.figures.findings.lock().unwrap().extend(findings);
    }

    fn is_full(&self) -> bool {
        self.options.full
    }

    fn seed(&self) -> usize {
        usize::try_from(self.options.seed).unwrap_or(0)
    }

    /// The cases of a part: all of them; of the large ones a few in the sample.
    fn taken(&self) -> Vec<&Case> {
        let small = self.cases.iter().filter(|case| !case.large);
        let large: Vec<&Case> = self.cases.iter().filter(|case| case.large).collect();
        let count = if self.is_full() { large.len() } else { LARGE.min(large.len()) };
        // A large one takes longest: not at the end, where one worker would wait for the other.
        let every = (0..count).map(|at| large[(self.seed() + at * large.len() / count) % large.len()]);
        every.chain(small).collect()
    }

    /// Breaks a run of each case in turn, at all of what `of` lists, or, in the sample, at what there is time for.
    fn breaks<P: Sync + Send>(
        &self,
        seconds: u64,
        of: impl Fn(&Case, &Path) -> Vec<P> + Sync,
        work: impl Fn(&Case, usize, &P, &Path) + Sync,
    ) {
        let cases = self.taken();
        let points: Vec<Vec<P>> = in_parallel(&cases, |worker, case| of(case, &self.room(worker)));
        let mut jobs = Vec::new();
        for turn in 0..points.iter().map(Vec::len).max().unwrap_or(0) {
            for (case, points) in cases.iter().zip(&points) {
                if turn < points.len() && (self.is_full() || !case.large || turn < OF_LARGE) {
                    jobs.push((*case, turn, &points[self.scattered(turn, points.len())]));
                }
            }
        }
        let started = Instant::now();
        let minutes = self.options.minutes.map(|minutes| minutes * 60);
        let seconds = if self.is_full() { minutes } else { Some(minutes.unwrap_or(seconds)) };
        let done = AtomicUsize::new(0);
        in_parallel(&jobs, |worker, (case, turn, point)| {
            if seconds.is_none_or(|seconds| started.elapsed() < Duration::from_secs(seconds)) {
                work(case, *turn, point, &self.room(worker));
                done.fetch_add(1, Ordering::SeqCst);
            }
        });
        let done = done.into_inner();
        if self.is_full() && done < jobs.len() {
            say(&format!("stopped after {done} of {}", jobs.len()));
        }
    }

    /// The turn's place in an order that begins anywhere and goes over the whole run again and again: wherever the time is
    /// over, no part of it was left out.
    fn scattered(&self, turn: usize, count: usize) -> usize {
        let step = (89..).find(|step| gcd(count, *step) == 1).unwrap_or(1);
        (turn * step + self.seed()) % count
    }

    fn power(&self) {
        let cases: Vec<(usize, &Case)> = self.taken().into_iter().enumerate().collect();
        in_parallel(&cases, |worker, (number, case)| self.cut_power(case, *number, &self.room(worker)));
    }

    fn cut_power(&self, case: &Case, number: usize, room: &Path) {
        let (options, figures) = (&self.options, &self.figures);
        let disk = power::record(case, room);
        let (random, stride) = match (options.full, case.large) {
            (true, false) => (4, 1),
            (true, true) => (3, 1),
            (false, false) => (1, 11),
            (false, true) => (0, 80),
        };
        let effort = power::Effort { random, stride, seed: options.seed };
        let (states, found) = power::cut(case, &disk, room, effort, None);
        figures.states.fetch_add(states, Ordering::SeqCst);
        self.found(found);
        if !options.full && (case.large || !(number + self.seed()).is_multiple_of(3)) {
            return;
        }
        // What makes a new file's name durable is the last sync of its folder, and that of a run's commit with a rollback
        // journal; the ones before it stand in for each other.
        let last = disk.syncs().iter().rfind(|sync| sync.what == "/");
        let last = last.filter(|_| case.name.starts_with("creation") || case.name == "migrate (delete)");
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
                self.found([Finding { case: case.name.clone(), what, message }]);
            }
        }
    }

    fn kill(&self) {
        self.breaks(20, inject::points, |case, turn, point, room| {
            let often = if case.large || !self.is_full() { 5 } else { 3 };
            let again = (case.split && turn % often == 0).then_some(turn * 7 + 3);
            self.figures.killed.fetch_add(1, Ordering::SeqCst);
            self.figures.killed_large.fetch_add(usize::from(case.large), Ordering::SeqCst);
            self.figures.killed_twice.fetch_add(usize::from(again.is_some()), Ordering::SeqCst);
            self.found(inject::kill(case, point, room, again));
        });
    }

    fn fail(&self) {
        let failures = |case: &Case, room: &Path| {
            let mut failures = Vec::new();
            for (number, point) in inject::points(case, room).into_iter().enumerate() {
                let mut ways = inject::failures_of(&point);
                if case.large {
                    let one = (number % 3 == 0 && !ways.is_empty()).then(|| ways[number / 3 % ways.len()]);
                    ways = Vec::from_iter(one);
                } else if self.is_full() && !case.children && !ways.is_empty() {
                    // The calls are those of its sibling with children, of which each is made to fail in all ways.
                    ways = vec![ways[number % ways.len()]];
                } else if !self.is_full() && point.unlocks() {
                    // SQLite waits up to ten seconds, three times, for a lock that so stays with its own process.
                    ways.clear();
                }
                failures.extend(ways.into_iter().map(|way| (point.clone(), way)));
            }
            failures
        };
        self.breaks(20, failures, |case, _, (point, failure), room| {
            self.figures.failed.fetch_add(1, Ordering::SeqCst);
            self.figures.failed_large.fetch_add(usize::from(case.large), Ordering::SeqCst);
            self.found(inject::fail(case, point, *failure, room));
        });
    }

    #[cfg(target_os = "linux")]
    fn short(&self) {
        enum Cut {
            At { point: inject::Point, kept: usize, rest_fails: bool },
            Limit { bytes: usize, without_backup: bool },
        }
        let cuts = |case: &Case, room: &Path| {
            let points = inject::points(case, room).into_iter().filter(|point| point.previous.is_some());
            let mut cuts = Vec::new();
            for (number, point) in points.enumerate() {
                // One byte cannot be cut short.
                let Some(length) = point.write.as_ref().map(|write| write.length).filter(|length| *length > 1) else {
                    continue;
                };
                // What is written by position has the same length in each run.
                let exact = point.call == "pwrite64";
                let kept = [1, length / 2, if exact { length - 1 } else { 1 }][number % 3];
                for rest_fails in [false, true] {
                    if !case.large || rest_fails == (number / 3 % 2 == 0) {
                        cuts.push(Cut::At { point: point.clone(), kept, rest_fails });
                    }
                }
            }
            let size = case.size();
            let step = if case.large { 400_009 } else { 2_039 };
            // In the first of these steps lie all the small files and the journal's header.
            for bytes in
                (0..if case.large { 0 } else { step }).step_by(127).chain((step..size * 3 + 65536).step_by(step))
            {
                cuts.push(Cut::Limit { bytes, without_backup: false });
                // Without the copy, which is the first to be cut short, the journal is.
                if !case.split {
                    cuts.push(Cut::Limit { bytes, without_backup: true });
                }
            }
            cuts
        };
        self.breaks(15, cuts, |case, _, cut, room| {
            self.figures.cut_short.fetch_add(1, Ordering::SeqCst);
            self.found(match cut {
                Cut::At { point, kept, rest_fails } => limit::cut_short(case, point, *kept, *rest_fails, room),
                Cut::Limit { bytes, without_backup } => limit::try_limit(case, *bytes, *without_backup, room),
            });
        });
    }

    #[cfg(not(target_os = "linux"))]
    fn short(&self) {
        say("SKIPPED: no process's limits can be set from outside here, so no write was cut short");
    }

    fn fill(&self) {
        if fill::Disk::mount(&self.room(0).join("probe"), 64).is_none() {
            say("SKIPPED: no file system can be mounted here, so no full disk was tried");
            return;
        }
        let levels = |case: &Case, _: &Path| {
            // From no room beside the database to some times its size.
            let step = if case.large { 512 } else { 8 };
            (0..(case.size() / 1024 * 4 + 512)).step_by(step).collect()
        };
        self.breaks(15, levels, |case, _, level, room| {
            self.figures.levels.fetch_add(1, Ordering::SeqCst);
            self.found(fill::try_level(case, *level, room));
        });
    }

    fn fuzz(&self) {
        let count = if self.is_full() { 2000 } else { 40 };
        let numbers = |case: &Case, _: &Path| {
            let first = self.options.seed * 1_000_000;
            (first..first + if case.large { 0 } else { count }).collect()
        };
        self.breaks(15, numbers, |case, _, number, room| {
            self.figures.fuzzed.fetch_add(1, Ordering::SeqCst);
            self.found(fuzz::mutate(case, *number, room));
        });
    }

    fn race(&self) {
        let at_most = Duration::from_secs(if self.is_full() { 120 } else { 8 });
        let (raced, found) = race::race(&self.room(0), self.options.seed, at_most);
        self.figures.launches.fetch_add(raced.launches, Ordering::SeqCst);
        self.figures.copies_in_races.fetch_add(raced.copies, Ordering::SeqCst);
        self.figures.kills_in_races.fetch_add(raced.killed, Ordering::SeqCst);
        self.figures.acknowledged.fetch_add(raced.rows, Ordering::SeqCst);
        self.found(found);
    }

    /// Snapshots and restores.
    fn copies(&self) {
        let minutes = self.options.minutes.map(|minutes| Duration::from_secs(minutes * 60));
        let (step, budget) =
            if self.is_full() { (1, minutes.unwrap_or(Duration::MAX)) } else { (89, Duration::from_secs(20)) };
        let (tried, found) = copies::run(&self.room(0), step, budget);
        self.figures.states.fetch_add(tried.states, Ordering::SeqCst);
        self.figures.killed.fetch_add(tried.killed, Ordering::SeqCst);
        self.figures.failed.fetch_add(tried.failed, Ordering::SeqCst);
        self.found(found);
    }

    fn report(&self, started: Instant) -> ExitCode {
        let Campaign { cases, options, figures, .. } = self;
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
            ("of these, on a large file", cases.iter().filter(|case| case.large).count()),
            ("states after a power cut looked at", number(&figures.states)),
            ("syncs left out to see them missed", number(&figures.syncs_left_out)),
            ("system calls that the process was killed at", number(&figures.killed)),
            ("of these, on a large file", number(&figures.killed_large)),
            ("of all these, the launch after it killed too", number(&figures.killed_twice)),
            ("system calls made to fail", number(&figures.failed)),
            ("of these, on a large file", number(&figures.failed_large)),
            ("writes cut short", number(&figures.cut_short)),
            ("fill levels of a full disk", number(&figures.levels)),
            ("damaged files, tables, descriptions of backups and configurations", number(&figures.fuzzed)),
            ("launches in races of processes", number(&figures.launches)),
            ("snapshots and restores in them", number(&figures.copies_in_races)),
            ("processes killed in them", number(&figures.kills_in_races)),
            ("acknowledged rows looked for afterwards", number(&figures.acknowledged)),
            ("defects left", findings.len()),
        ] {
            // Of a part that was not run there is nothing to say.
            if options.only.is_none() || count > 0 || what == "defects left" {
                text.push_str(&format!("| {what} | {count} |\n"));
            }
        }
        text.push_str(if options.minutes.is_some() {
            "\nEach part until its time was over, spread over all runs.\n"
        } else if options.full {
            "\nOn a small file: every change, call, error and write. On a large one, of the calls between two that change a name \
             or a length or sync: the first, the last and one in the middle of each kind (the same call, file and answer); \
             every third of these made to fail, in one way; full disks and limits in coarse steps; no damage.\n"
        } else {
            "\nA sample: of each part what there was time for, spread over all runs; of the large files, a few.\n"
        });
        for finding in findings.iter().take(40) {
            text.push_str(&format!("\n{}: {}\n    {}\n", finding.case, finding.what, finding.message));
        }
        say(&text);
        if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The syncs that lifeboat calls itself, and that a failure would follow from if they were not there.
fn is_of_the_protocol(sync: &disk::Sync) -> bool {
    sync.what.ends_with(".partial") || sync.what.ends_with("-lifeboat-new") || sync.what == "backups/"
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
