//! lifeboat, as an app embeds it.

#[path = "../../contender.rs"]
mod contender;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contender::{Fallible, Open, Request, answer, cpu_ns, peak_kib, run};
use lifeboat::{Check, Embedded, Event, Migrator, RestoreFrom, RestoreOptions, SnapshotOptions, embed, rusqlite};

static ONE: Embedded = embed!("$CARGO_MANIFEST_DIR/../../generated/refinery/1");
static HUNDRED: Embedded = embed!("$CARGO_MANIFEST_DIR/../../generated/refinery/100");
static THOUSAND: Embedded = embed!("$CARGO_MANIFEST_DIR/../../generated/refinery/1000");
static PENDING: Embedded = embed!("$CARGO_MANIFEST_DIR/../../generated/refinery/pending");
static FAILING: Embedded = embed!("$CARGO_MANIFEST_DIR/../../generated/refinery/failing");
static KEYS: Embedded = embed!("$CARGO_MANIFEST_DIR/../../generated/refinery/keys");

fn main() -> Fallible<()> {
    let request = Request::read()?;
    let phases = Arc::new(Mutex::new(Vec::new()));
    if request.command != "launch" {
        return copy(&request);
    }
    let launch = |set: &str, path: &Path| {
        let migrations = match set {
            "1" => &ONE,
            "100" => &HUNDRED,
            "1000" => &THOUSAND,
            "pending" => &PENDING,
            "failing" => &FAILING,
            "keys" => &KEYS,
            other => return Err(format!("no such set: {other}").into()),
        };
        let mut migrator = Migrator::new(migrations);
        migrator = migrator.check_level(check(&request));
        if request.option("backup") == Some("no") {
            migrator = migrator.no_backup();
        }
        if request.option("phases").is_some() {
            let (phases, started) = (phases.clone(), Instant::now());
            migrator = migrator.on_event(move |event| {
                if let Some(name) = name_of(event) {
                    phases.lock().expect("one thread").push((started.elapsed(), name));
                }
            });
        }
        let db = migrator.open(path)?;
        db.query_row("SELECT count(*) FROM t1", [], |row| row.get::<_, i64>(0))?;
        Ok(Box::new(db) as Open)
    };
    run(&request, launch, || Ok(rusqlite::version().to_owned()))?;
    let mut last = Duration::ZERO;
    for (at, name) in phases.lock().expect("one thread").iter() {
        println!("phase {} {name}", (*at - last).as_nanos());
        last = *at;
    }
    Ok(())
}

fn check(request: &Request) -> Check {
    match request.option("check") {
        Some("quick") => Check::Quick,
        Some("full") => Check::Full,
        Some("off") => Check::Off,
        _ => Check::Auto,
    }
}

/// A backup or a snapshot of one file, or the restore of its newest backup.
fn copy(request: &Request) -> Fallible<()> {
    let migrator = Migrator::new(&ONE).check_level(check(request));
    let db = migrator.at(&request.file);
    let (before, cpu, started) = (peak_kib(), cpu_ns(), Instant::now());
    match request.command.as_str() {
        "backup" => drop(db.backup(None)?),
        "snapshot" => drop(db.snapshot("bench", SnapshotOptions::default())?),
        "restore" => drop(db.restore(&RestoreFrom::Latest, RestoreOptions::default())?),
        other => return Err(format!("no such command: {other}").into()),
    }
    answer(started.elapsed(), cpu_ns().saturating_sub(cpu), before);
    println!("sqlite {}", rusqlite::version());
    Ok(())
}

/// What the time up to this event went into.
fn name_of(event: &Event) -> Option<String> {
    Some(match event {
        Event::BackupStarted { .. } => "before the backup".to_owned(),
        Event::BackupFinished { .. } => "checking, hashing, naming the backup".to_owned(),
        Event::CheckStarted { name } if name == "the backup" => "copying".to_owned(),
        Event::CheckStarted { name } => format!("up to the check `{name}`"),
        Event::StepStarted { .. } => "up to a step".to_owned(),
        Event::StepFinished { name, .. } => name.clone(),
        Event::StepFailed { name, .. } => format!("{name} (fails)"),
        Event::Committed => "checks and commit".to_owned(),
        Event::RolledBack => "rolling back and seeing that it is as it was".to_owned(),
        Event::Finished { .. } => "after that".to_owned(),
        _ => return None,
    })
}
