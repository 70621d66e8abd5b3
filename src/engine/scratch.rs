//! A trial before anything is touched: the pending texts are compiled, and run in order, on an empty copy of the schema
//! in memory. A syntax error or an unknown column is found here. What only rows can tell is not: a constraint that fails
//! for want of rows says nothing, and ends the trial without a finding.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::policy::Rules;
use super::script::{Stopped, run_script};
use super::session::{Temporary, drop_temporary, temporary};
use super::settings::Settings;
use super::step::{Manner, script_rules};
use super::watch::Watch;
use crate::error::Problem;
use crate::event::Emitter;
use crate::migration::{Body, Migration};

/// The trial must not become a second run: a text that works long without any row is left to the run.
const AT_MOST: Duration = Duration::from_secs(2);
/// Nor may it fill the memory: pages of the default size.
pub(super) const PAGES_AT_MOST: u32 = 32 * 1024;

/// Finds what cannot compile in the pending migrations. `file` is not written.
pub(crate) fn compile(file: &Connection, settings: &Settings, pending: &[Migration]) -> Result<(), Problem> {
    // Everything that is not a finding is left to the run, which knows better.
    let Ok(mut scratch) = settings.connector.memory() else { return Ok(()) };
    if !matches!(reaches_others(&scratch), Ok(false)) || build(file, &scratch).is_err() {
        return Ok(()); // a module or a collation that only the app's other code brings
    }
    let watch = Watch::new(settings.cancel.clone(), Emitter::default(), Some(AT_MOST));
    if watch.install(&mut scratch).is_err() {
        return Ok(());
    }
    let Ok(stood) = temporary(&scratch) else { return Ok(()) };
    let started = Instant::now();
    for migration in pending {
        let Body::Sql(text) = &migration.body else { return Ok(()) }; // code may do anything, and do it once
        if started.elapsed() > AT_MOST {
            return Ok(());
        }
        let manner = Manner { bare: migration.directives.no_transaction, keys_on: false };
        let rules = without_reach(script_rules(settings, migration, manner));
        if !manner.bare && scratch.execute_batch("BEGIN").is_err() {
            return Ok(());
        }
        let ran = run_script(&scratch, &watch, &migration.id(), text, &rules, !manner.bare, Some(started + AT_MOST));
        watch.set_rules(Rules::Own);
        match ran {
            Ok(()) => {}
            Err(stopped) if settings.cancel.is_cancelled() => {
                drop(stopped);
                return Err(Problem::Cancelled {});
            }
            Err(Stopped { problem: Problem::StatementRefused { allow: Some(name), .. }, .. })
                if REACHING.contains(&name.as_str()) && is_allowed(settings, migration, &name) =>
            {
                return Ok(());
            }
            Err(stopped) if stopped.at_compile => return Err(stopped.problem),
            Err(_) => return Ok(()),
        }
        if settle(&scratch, &watch, &stood).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// As between the migrations of a run.
pub(super) fn settle(scratch: &Connection, watch: &Watch, stood: &Temporary) -> rusqlite::Result<()> {
    let touched = watch.take_touched();
    if touched.temporary {
        drop_temporary(scratch, stood)?;
    }
    let reset = if touched.all { "PRAGMA writable_schema = RESET" } else { "" };
    scratch.execute_batch("PRAGMA legacy_alter_table = OFF; PRAGMA writable_schema = OFF")?;
    scratch.execute_batch(reset)?;
    if scratch.is_autocommit() { Ok(()) } else { scratch.execute_batch("COMMIT") }
}

/// What leads out of the scratch database. Where it is allowed, the run does it, once; here it ends the trial.
const REACHING: &[&str] = &["attach", "load_extension"];

pub(super) fn without_reach(mut rules: Rules) -> Rules {
    if let Rules::Script { allowed, .. } = &mut rules {
        std::sync::Arc::make_mut(allowed).retain(|name| !REACHING.contains(&name.as_str()));
    }
    rules
}

fn is_allowed(settings: &Settings, migration: &Migration, name: &str) -> bool {
    settings.allow.contains(name) || migration.directives.allow.iter().any(|allowed| allowed == name)
}

/// What `on_connect` attached is real, and a trial must not write to it.
pub(super) fn reaches_others(scratch: &Connection) -> rusqlite::Result<bool> {
    scratch.prepare("SELECT 1 FROM pragma_database_list WHERE name NOT IN ('main', 'temp')")?.exists([])
}

/// Makes the schema of `file` in `scratch`, tables first, shadow tables by their virtual tables.
fn build(file: &Connection, scratch: &Connection) -> rusqlite::Result<()> {
    scratch.execute_batch(&format!("PRAGMA foreign_keys = OFF; PRAGMA max_page_count = {PAGES_AT_MOST}"))?;
    let encoding: String = file.query_row("PRAGMA encoding", [], |row| row.get(0))?;
    scratch.pragma_update(None, "encoding", encoding)?;
    // Sorted in Rust: an app may have made `LIKE` or `lower()` something else.
    let mut shadows = file.prepare("SELECT name FROM pragma_table_list WHERE type = 'shadow'")?;
    let shadows = shadows.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<BTreeSet<_>, _>>()?;
    let mut statement = file.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let mut objects = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    let has = |name: &str| objects.iter().any(|object| object.1 == name);
    let (analyzed, numbered) = (has("sqlite_stat1"), has("sqlite_sequence"));
    objects.retain(|(kind, name, _)| !(name.starts_with("sqlite_") || kind == "table" && shadows.contains(name)));
    let is_virtual = |sql: &str| sql.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("create virtual"));
    objects.sort_by_key(|(kind, _, sql)| match kind.as_str() {
        "table" if is_virtual(sql) => 1,
        "table" => 0,
        "index" => 2,
        "view" => 3,
        _ => 4,
    });
    for (_, _, sql) in objects {
        scratch.execute_batch(&sql)?;
    }
    if numbered {
        // Only a table that has it makes SQLite keep the sequence; it stays when the table goes.
        scratch.execute_batch(
            "CREATE TABLE lifeboat_numbered (id INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE lifeboat_numbered",
        )?;
    }
    if analyzed { scratch.execute_batch("ANALYZE") } else { Ok(()) }
}
