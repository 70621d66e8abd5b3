//! The schema that applied migrations give: their texts, run in order in an empty database in memory.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::policy::Rules;
use super::scratch::{PAGES_AT_MOST, reaches_others, settle, without_reach};
use super::script::run_script;
use super::session::temporary;
use super::settings::Settings;
use super::step::{Manner, script_rules};
use super::watch::Watch;
use crate::error::{Problem, described};
use crate::event::Emitter;
use crate::migration::{Body, Migration};

/// Without rows nearly every text runs in an instant; one that makes rows of its own may take for ever.
const AT_MOST: Duration = Duration::from_secs(5);

/// A database in memory with that schema; or why it cannot be known.
///
/// # Errors
/// Cancelled.
pub(crate) fn expected<'a>(
    settings: &Settings,
    applied: impl Iterator<Item = &'a Migration>,
) -> Result<Result<Connection, String>, Problem> {
    let mut scratch = match settings.connector.memory() {
        Ok(scratch) => scratch,
        Err(problem) => return Ok(Err(described(&problem))),
    };
    if !matches!(reaches_others(&scratch), Ok(false)) {
        return Ok(Err("`on_connect` attaches other databases, which nothing may be tried on".to_owned()));
    }
    let watch = Watch::new(settings.cancel.clone(), Emitter::default(), Some(AT_MOST));
    let prepared =
        scratch.execute_batch(&format!("PRAGMA foreign_keys = OFF; PRAGMA max_page_count = {PAGES_AT_MOST}"));
    if let Err(error) = prepared.and_then(|()| watch.install(&mut scratch)) {
        return Ok(Err(error.to_string()));
    }
    let stood = match temporary(&scratch) {
        Ok(stood) => stood,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let started = Instant::now();
    for migration in applied {
        let Body::Sql(text) = &migration.body else {
            return Ok(Err(format!("`{}` is written in Rust, and runs only where it counts", migration.id())));
        };
        let manner = Manner { bare: migration.directives.no_transaction, keys_on: false };
        let rules = without_reach(script_rules(settings, migration, manner));
        let begun = if manner.bare { Ok(()) } else { scratch.execute_batch("BEGIN") };
        let ran = begun.map_err(|error| error.to_string()).and_then(|()| {
            run_script(&scratch, &watch, &migration.id(), text, &rules, !manner.bare, Some(started + AT_MOST))
                .map_err(|stopped| described(&stopped.problem))
        });
        watch.set_rules(Rules::Own);
        let ran = ran.and_then(|()| settle(&scratch, &watch, &stood).map_err(|error| error.to_string()));
        if settings.cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        if let Err(why) = ran {
            return Ok(Err(format!("the migrations do not run on an empty database: {why}")));
        }
    }
    match Watch::remove(&mut scratch) {
        Ok(()) => Ok(Ok(scratch)),
        Err(error) => Ok(Err(error.to_string())),
    }
}
