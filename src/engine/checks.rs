//! The checks of a run: what is looked at in the copy before, and in the file before its commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rusqlite::Connection;

use super::policy::Rules;
use super::settings::{Check, Settings};
use super::step::{plain_rules, said};
use super::watch::{Touched, Watch};
use crate::backup::Hashing;
use crate::error::Problem;
use crate::event::Event;
use crate::file::{Depth, Findings, examine, sqlite_problem};

const MIB: u64 = 1024 * 1024;
/// Up to here `Check::Auto` looks at all.
const ALL_UP_TO: u64 = 128 * MIB;
/// Up to here it looks at the tables that were written.
const TABLES_UP_TO: u64 = 512 * MIB;

/// What is looked at in a copy of `bytes`.
pub(crate) fn copy_depth(check: Check, bytes: u64) -> Depth {
    match check {
        Check::Full => Depth::Full,
        Check::Quick => Depth::Quick,
        Check::Auto if bytes <= ALL_UP_TO => Depth::Quick,
        Check::Auto | Check::Off => Depth::Schema,
    }
}

/// Whether a copy that is taken for a run is hashed; `split`, if the run can be undone by it alone.
pub(crate) fn hashing(check: Check, split: bool) -> Hashing {
    match check {
        _ if split => Hashing::Always,
        Check::Off => Hashing::Never,
        Check::Auto | Check::Quick | Check::Full => Hashing::WithCheck,
    }
}

fn file_depth(check: Check, bytes: u64, connection: &Connection, touched: &Touched) -> rusqlite::Result<Depth> {
    Ok(match check {
        Check::Full => Depth::Full,
        Check::Quick => Depth::Quick,
        Check::Auto if bytes <= ALL_UP_TO => Depth::Quick,
        Check::Auto if bytes <= TABLES_UP_TO => Depth::Tables(existing(connection, touched)?),
        Check::Auto | Check::Off => Depth::Schema,
    })
}

fn existing(connection: &Connection, touched: &Touched) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names
        .filter(|name| {
            name.as_ref().map_or(true, |name| touched.all || touched.tables.contains(&name.to_ascii_lowercase()))
        })
        .collect()
}

/// Runs the checks that stand before the commit; the first that fails, fails the run. `before` is what was found in the
/// copy: a row that broke a constraint then may go on doing so.
pub(crate) fn post_checks(
    connection: &Connection,
    settings: &Settings,
    watch: &Watch,
    path: &Path,
    touched: &Touched,
    before: &Findings,
) -> Result<(), Problem> {
    let rules = plain_rules(settings);
    if settings.check != Check::Off {
        settings.emitter.emit(Event::CheckStarted { name: "integrity".to_owned() });
        let looked = crate::file::size_of(connection)
            .and_then(|bytes| file_depth(settings.check, bytes, connection, touched))
            .and_then(|depth| examine(connection, &depth));
        let findings = looked.map_err(|error| {
            let _ = watch.take_interrupt();
            sqlite_problem(path, "check", &error)
        })?;
        if let Some(new) = findings.new_since(before) {
            return Err(Problem::CheckFailed { check: "integrity".to_owned(), detail: new.to_owned() });
        }
    }
    for (name, check) in &settings.checks {
        settings.emitter.emit(Event::CheckStarted { name: name.clone() });
        // It looks; the run's transaction is not its to end, nor the rows its to change.
        let query_only = |on: bool| {
            connection
                .pragma_update(None, "query_only", on)
                .map_err(|error| sqlite_problem(path, "prepare a check of", &error))
        };
        query_only(true)?;
        watch.set_rules(rules.clone());
        let ran = catch_unwind(AssertUnwindSafe(|| check(connection)));
        watch.set_rules(Rules::Own);
        query_only(false)?;
        match ran {
            Ok(Ok(())) => {}
            Ok(Err(_)) if watch.is_cancelled() => return Err(Problem::Cancelled {}),
            Ok(Err(error)) => return Err(Problem::CheckFailed { check: name.clone(), detail: error.to_string() }),
            Err(payload) => {
                return Err(Problem::Panicked { what: format!("the check `{name}`"), message: said(&*payload) });
            }
        }
    }
    Ok(())
}
