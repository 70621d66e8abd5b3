//! What the file holds, looked at through one connection and of one moment.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::super::launch::{Launch, telling_the_wait};
use super::super::stats::Soundness;
use super::super::status::not_embedded;
use super::checklist::Checklist;
use super::finding::Severity;
use super::verdict::{Called, Cut, Facts};
use super::{copies, drift};
use crate::backup::{Backups, Staging};
use crate::engine::{compile, group, is_split};
use crate::error::{Error, Problem, described};
use crate::event::Event;
use crate::file::{
    DatabasePath, Depth, Findings, Purpose, examine, is_about_sql, size_under_lock, sqlite_problem, write_lock_is_taken,
};
use crate::migration::{Applied, Entry, Migration, Plan, Record, plan, read_record};

/// A look does not wait as a launch does.
const WAIT_AT_MOST: Duration = Duration::from_secs(1);
/// Virtual-machine instructions between two looks whether the caller cancelled.
const INSTRUCTIONS: i32 = 20_000;

/// The check of what the ledger says is not finished.
const OPEN_RUN: &str = "open-run";

/// What the checks of the surroundings need of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The file's bytes, and whether its run has several transactions.
    pub(super) size: (u64, bool),
    pub(super) has_history: bool,
}

/// Looks at the content; what cannot be read becomes a fact.
///
/// # Errors
/// Cancelled.
pub(super) fn look(
    launch: &Launch<'_>,
    database: &DatabasePath,
    backups: &Backups,
    soundness: Soundness,
    facts: &mut Facts,
    list: &mut Checklist,
) -> Result<Seen, Problem> {
    let length = database.metadata().map_or(0, std::fs::Metadata::len);
    let mut seen = Seen { size: (length, false), ..Seen::default() };
    let opened = telling_the_wait(|| open(launch, database.real(), facts));
    let connection = match opened {
        Ok(connection) => connection,
        Err(problem) => {
            let is_lock = matches!(problem, Problem::Locked { .. });
            unread(if is_lock { "write-lock" } else { "integrity" }, problem, facts, list)?;
            return Ok(seen);
        }
    };
    let path = database.real();
    write_lock(&connection, length, launch.settings.wait.min(WAIT_AT_MOST), facts, list);
    if let Err(error) = connection.execute_batch("BEGIN") {
        unread("integrity", sqlite_problem(path, "read", &error), facts, list)?;
        return Ok(seen);
    }
    match size_under_lock(&connection, path) {
        Ok(bytes) => seen.size.0 = bytes,
        Err(Problem::Corrupt { detail, .. }) => facts.damage = Some(detail),
        Err(problem) => {
            unread("integrity", problem, facts, list)?;
            return Ok(seen);
        }
    }
    sound(launch, &connection, path, soundness, facts, list)?;
    let record = match read_record(&connection, path, &launch.settings.history_table) {
        Ok(record) => record,
        Err(problem) => {
            // Damage was told already; this is what comes of it.
            unread("history", problem, facts, list)?;
            return Ok(seen);
        }
    };
    seen.has_history = !record.applied.is_empty();
    history(launch, &connection, path, backups, &record, facts, list, &mut seen)?;
    if soundness == Soundness::Unasked {
        list.skip("foreign-keys", "not asked for");
    } else {
        launch.settings.emitter.emit(Event::CheckStarted { name: "foreign keys".to_owned() });
        foreign_keys(&connection, list);
    }
    if launch.settings.cancel.is_cancelled() { Err(Problem::Cancelled {}) } else { Ok(seen) }
}

fn open(launch: &Launch<'_>, path: &Path, facts: &mut Facts) -> Result<Connection, Problem> {
    let settings = launch.settings;
    let mut connection = settings.connector.open(path, Purpose::Read, settings.wait.min(WAIT_AT_MOST))?;
    let failed = |error| sqlite_problem(path, "read", &error);
    let token = settings.cancel.clone();
    connection.progress_handler(INSTRUCTIONS, Some(move || token.is_cancelled())).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        facts.unwritable =
            Some(format!("`{}` can only be read: a medium or its folder refuses writing", path.display()));
    }
    Ok(connection)
}

fn unread(check: &'static str, problem: Problem, facts: &mut Facts, list: &mut Checklist) -> Result<(), Problem> {
    if matches!(problem, Problem::Cancelled {}) {
        return Err(problem);
    }
    let error = Error::from(problem);
    list.error(check, &error);
    facts.unread = Some(error);
    Ok(())
}

fn write_lock(connection: &Connection, length: u64, wait: Duration, facts: &mut Facts, list: &mut Checklist) {
    const CHECK: &str = "write-lock";
    if facts.unwritable.is_some() {
        return list.skip(CHECK, "the file can only be read");
    }
    if length <= 1 {
        return list.skip(CHECK, "the file is empty, and would not be any more");
    }
    match write_lock_is_taken(connection, wait) {
        Ok(false) => list.ok(CHECK, "it is free"),
        Ok(true) => {
            facts.writing = true;
            let advice = "a run waits for it; if it lasts, close the other program that has the file open";
            list.add(CHECK, Severity::Note, "another program is writing", advice);
        }
        Err(error) => list.skip(CHECK, format!("it cannot be looked at: {error}")),
    }
}

fn sound(
    launch: &Launch<'_>,
    connection: &Connection,
    path: &Path,
    soundness: Soundness,
    facts: &mut Facts,
    list: &mut Checklist,
) -> Result<(), Problem> {
    const CHECK: &str = "integrity";
    let said = if soundness == Soundness::Full { "integrity_check" } else { "quick_check" };
    launch.settings.emitter.emit(Event::CheckStarted { name: "integrity".to_owned() });
    // Rows that refer to none have a check of their own.
    let depth = match soundness {
        Soundness::Unasked => Depth::Schema,
        Soundness::Quick => Depth::Quick,
        Soundness::Full => Depth::Full,
    };
    let looked = if facts.damage.is_some() { Ok(Findings::default()) } else { examine(connection, &depth) };
    let (damage, oddities) = match looked {
        Ok(found) => (found.damage().map(ToOwned::to_owned).or(facts.damage.take()), found.0.len()),
        Err(_) if launch.settings.cancel.is_cancelled() => return Err(Problem::Cancelled {}),
        Err(error) => match sqlite_problem(path, "check", &error) {
            Problem::Corrupt { detail, .. } => (Some(detail), 0),
            other => {
                list.skip(CHECK, described(&other));
                return Ok(());
            }
        },
    };
    match damage {
        Some(detail) => {
            let error = Error::from(Problem::Corrupt { path: path.to_owned(), detail: detail.clone() });
            list.error(CHECK, &error);
            facts.damage = Some(detail);
        }
        None if soundness == Soundness::Unasked => list.skip(CHECK, "not asked for"),
        None if oddities > 0 => {
            let found = format!("`{said}` finds no damage, but {oddities} values that their columns do not allow");
            list.add(
                CHECK,
                Severity::Note,
                found,
                "`lifeboat stats --integrity` lists them; a migration can mend them",
            );
        }
        None => list.ok(CHECK, format!("`{said}` finds nothing")),
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn history(
    launch: &Launch<'_>,
    connection: &Connection,
    path: &Path,
    backups: &Backups,
    record: &Record,
    facts: &mut Facts,
    list: &mut Checklist,
    seen: &mut Seen,
) -> Result<(), Problem> {
    let newest = record.applied.last().map(|row: &Applied| format!(", the newest `{}`", row.id())).unwrap_or_default();
    let applied = format!("{} applied{newest}", record.applied.len());
    open_run(launch, path, backups, record, facts, list);
    if facts.bad_migrations.is_some() {
        list.ok("history", applied);
        let why = "the app's migrations cannot be used";
        list.skip("divergence", why);
        list.skip("drift", why);
        return Ok(());
    }
    let plan = plan(launch.migrations.as_slice(), &record.applied);
    seen.size.1 = is_split(&group(&plan.pending, launch.settings.atomicity));
    facts.called = called(&plan);
    match plan.refusal(path) {
        None => list.ok("divergence", "what was applied is what the app has"),
        Some(problem) => list.error("divergence", &Error::from(problem)),
    }
    match plan.pending.len() {
        0 => list.ok("history", format!("{applied}; nothing is pending")),
        pending => {
            let advice = if plan.refusal(path).is_some() {
                "what stands at `divergence` comes first"
            } else {
                "`lifeboat migrate`, or the next launch of the app, applies what is pending"
            };
            list.add("history", Severity::Warning, format!("{applied}; {pending} pending"), advice);
        }
    }
    migrations(launch, Some(connection), plan.clone(), facts, list)?;
    launch.settings.emitter.emit(Event::CheckStarted { name: "drift".to_owned() });
    drift::look(launch, connection, &plan, list)
}

fn called(plan: &Plan) -> Called {
    let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
    Called {
        pending: plan.pending.iter().map(Migration::id).collect(),
        newer: ids(&plan.newer),
        divergent: ids(&plan.divergent),
        missing: ids(&plan.missing),
        out_of_order: plan.out_of_order.clone(),
        newest_applied: plan.applied.last().map(|entry| entry.id.clone()).unwrap_or_default(),
    }
}

/// Whether what is pending can be run, as far as a trial without rows can tell. Without a file, on an empty one.
pub(super) fn migrations(
    launch: &Launch<'_>,
    connection: Option<&Connection>,
    mut plan: Plan,
    facts: &mut Facts,
    list: &mut Checklist,
) -> Result<(), Problem> {
    const CHECK: &str = "migrations";
    let settings = launch.settings;
    let tried = plan.aim(launch.target).and_then(|()| match connection {
        Some(connection) => compile(connection, settings, &plan.pending),
        None => compile(&settings.connector.memory()?, settings, &plan.pending),
    });
    let known = launch.migrations.len();
    let not_built_in = not_embedded(launch.migrations);
    match tried {
        Err(problem @ Problem::Cancelled {}) => return Err(problem),
        Err(problem) => {
            let error = Error::from(problem);
            list.error(CHECK, &error);
            facts.bad_migrations = Some(described(&error));
        }
        Ok(()) if !not_built_in.is_empty() => {
            let found = format!("in the folder, but not in this binary: {}", not_built_in.join(", "));
            list.add(CHECK, Severity::Warning, found, "build the app again");
        }
        Ok(()) if known == 0 => list.add(CHECK, Severity::Note, "there are none", "check the path of the migrations"),
        Ok(()) if plan.pending.is_empty() => list.ok(CHECK, format!("{known} known")),
        Ok(()) => list.ok(CHECK, format!("{known} known; those that are pending compile")),
    }
    Ok(())
}

fn open_run(
    launch: &Launch<'_>,
    path: &Path,
    backups: &Backups,
    record: &Record,
    facts: &mut Facts,
    list: &mut Checklist,
) {
    const CHECK: &str = OPEN_RUN;
    let Some(open) = &record.open_run else { return open_restore(path, record, facts, list) };
    let cut = copies::cut(launch, path, backups, open);
    if facts.launching.is_some() {
        let found = "a run of several transactions goes on; this is between two of them";
        list.add(CHECK, Severity::Note, found, "wait until it is done");
    } else if let Some(why) = &cut.stuck {
        list.error(
            CHECK,
            &Error::from(Problem::NeedsRecovery {
                path: path.to_owned(),
                backup: backups.folder.join(&cut.backup).display().to_string(),
                why: why.clone(),
            }),
        );
    } else {
        let found = format!("a run was cut off; `{}` undoes it", cut.backup);
        list.add(CHECK, Severity::Problem, found, "`lifeboat recover`, or the next launch of the app, puts it back");
    }
    facts.cut = Some(cut);
}

/// The other work that a ledger says is open: the files of a restore.
fn open_restore(path: &Path, record: &Record, facts: &mut Facts, list: &mut Checklist) {
    let Some(open) = &record.open_restore else { return list.ok(OPEN_RUN, "no run was cut off") };
    let waits = || DatabasePath::resolve(path).is_ok_and(|database| Staging::of(&database).is_of(&open.id));
    let stuck = (open.files && !waits()).then(|| "they are not where they waited".to_owned());
    if facts.launching.is_some() {
        list.add(OPEN_RUN, Severity::Note, "a restore goes on; its files are on their way", "wait until it is done");
    } else if let Some(why) = &stuck {
        let problem = Problem::RestoreUnfinished { path: path.to_owned(), why: why.clone() };
        list.error(OPEN_RUN, &Error::from(problem));
    } else {
        let found = "a restore was cut off; the database is the copy, and its files are not all in place";
        list.add(OPEN_RUN, Severity::Problem, found, "`lifeboat recover`, or the next launch of the app, finishes it");
    }
    // Unlike what undoes a run, what finishes a restore mends no damage.
    if facts.damage.is_none() {
        facts.cut = Some(Cut { backup: open.backup.clone(), stuck, is_restore: true });
    }
}

fn foreign_keys(connection: &Connection, list: &mut Checklist) {
    const CHECK: &str = "foreign-keys";
    const SQL: &str = "SELECT CAST(\"table\" AS TEXT), CAST(parent AS TEXT), count(*) AS found
        FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY found DESC, 1, 2";
    type Dangling = (String, String, i64);
    let dangling = connection.prepare(SQL).and_then(|mut statement| {
        statement.query_map([], |row| <Dangling>::try_from(row))?.collect::<rusqlite::Result<Vec<_>>>()
    });
    match dangling {
        Ok(rows) => match rows.first() {
            None => list.ok(CHECK, "every row refers to one that is there"),
            Some((child, parent, count)) => {
                let (rows_of, refer) = if *count == 1 { ("row", "refers") } else { ("rows", "refer") };
                let more = if rows.len() > 1 { format!(", and {} more kinds", rows.len() - 1) } else { String::new() };
                let found = format!("{count} {rows_of} of `{child}` {refer} to no row of `{parent}`{more}");
                let advice = "a migration can mend them; that they are there keeps none from running";
                list.add(CHECK, Severity::Warning, found, advice);
            }
        },
        Err(error) if is_about_sql(&error) => {
            let advice = "a parent's columns need a primary key or a unique index; a migration can make one";
            list.add(CHECK, Severity::Warning, format!("SQLite cannot look: {error}"), advice);
        }
        Err(error) => list.skip(CHECK, format!("SQLite cannot look: {error}")),
    }
}
