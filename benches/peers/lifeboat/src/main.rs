//! lifeboat, as an app embeds it.

#[path = "../../contender.rs"]
mod contender;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contender::{Fallible, Open, Request, run};
use lifeboat::{Check, Embedded, Event, Migrator, embed, rusqlite};

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
        // `backup`, `restore` and `snapshot` of one file belong here, once `Database` has them.
        return Err(format!("no such command: {}", request.command).into());
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
        match request.option("check") {
            Some("quick") => migrator = migrator.check_level(Check::Quick),
            Some("full") => migrator = migrator.check_level(Check::Full),
            Some("off") => migrator = migrator.check_level(Check::Off),
            _ => {}
        }
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
