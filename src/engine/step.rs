//! One migration: its text or code, then its history row, through refinery.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use refinery_core::traits::sync::{Migrate, Query, Transaction, migrate};
use refinery_core::{Migration as TheirMigration, SchemaVersion, Target};
use rusqlite::Connection;

use super::guard::guarded;
use super::policy::Rules;
use super::script::run_script;
use super::settings::Settings;
use super::watch::Watch;
use crate::error::Problem;
use crate::file::sqlite_problem;
use crate::migration::{Body, HashWidth, LEDGER_TABLE, Migration, Prefix, checksum};

/// How a migration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Outside any transaction of ours.
    pub(crate) bare: bool,
    pub(crate) keys_on: bool,
}

/// What of refinery's two parts is done by the one call that it makes.
enum Work<'a> {
    /// refinery's own statements.
    Statements,
    /// First the migration, then refinery's history row.
    Migration { migration: &'a Migration, settings: &'a Settings, watch: &'a Watch, manner: Manner },
}

/// What refinery gets for a connection. We own the transaction around it; refinery's own implementation commits a
/// migration and its history row one after the other.
struct Applier<'a> {
    connection: &'a Connection,
    /// The database, for messages.
    path: &'a Path,
    work: Work<'a>,
    problem: Option<Problem>,
}

/// Goes through refinery's error and back; the problem itself waits in the [`Applier`].
#[derive(Debug)]
struct Halted;

impl fmt::Display for Halted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("halted")
    }
}

impl std::error::Error for Halted {}

impl Transaction for Applier<'_> {
    type Error = Halted;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize, Halted> {
        let mut done = 0;
        for query in queries {
            let ran = match &self.work {
                Work::Migration { migration, settings, watch, manner } if done == 0 => {
                    run_body(self.connection, self.path, settings, watch, migration, *manner)
                }
                _ => self
                    .connection
                    .execute_batch(query)
                    .map_err(|error| sqlite_problem(self.path, "write the history of", &error)),
            };
            ran.map_err(|problem| {
                self.problem = Some(problem);
                Halted
            })?;
            done += 1;
        }
        Ok(done)
    }
}

impl Query<Vec<TheirMigration>> for Applier<'_> {
    /// refinery's reader panics on a damaged table; ours has read it before.
    fn query(&mut self, _: &str) -> Result<Vec<TheirMigration>, Halted> {
        Err(Halted)
    }
}

impl Migrate for Applier<'_> {}

/// Makes refinery's history table, if it is not there.
pub(crate) fn create_history(connection: &Connection, path: &Path, table: &str) -> Result<(), Problem> {
    let mut applier = Applier { connection, path, work: Work::Statements, problem: None };
    applier
        .assert_migrations_table(table)
        .map(drop)
        .map_err(|error| applier.problem.take().unwrap_or_else(|| foreign(&error)))
}

/// Runs a migration and writes its history row. In a bare group the row gets a transaction of its own, which stays open.
pub(crate) fn apply(
    connection: &Connection,
    path: &Path,
    settings: &Settings,
    watch: &Watch,
    migration: &Migration,
    manner: Manner,
    width: Option<HashWidth>,
) -> Result<(), Problem> {
    let text = migration.hashed_text().unwrap_or_default();
    // Where the table belongs to an app whose refinery hashes versions in another width, it must know the row again.
    let wanted = checksum(migration.name(), migration.version(), text, width.unwrap_or(HashWidth::BUILD));
    let theirs = match without_parser(migration, wanted) {
        Some(theirs) => theirs,
        None => TheirMigration::unapplied(&migration.id(), text).map_err(|error| foreign(&error))?,
    };
    #[allow(clippy::useless_conversion)] // i64 with `int8-versions`
    let version = i64::from(theirs.version());
    if version != migration.version() || theirs.name() != migration.name() {
        return Err(Problem::BadMigration {
            path: migration.origin.to_path_buf(),
            why: format!("refinery would call it `{theirs}`"),
            right: None,
        });
    }
    let known = theirs.checksum() == wanted;
    let table = &settings.history_table;
    let mut applier =
        Applier { connection, path, work: Work::Migration { migration, settings, watch, manner }, problem: None };
    migrate(&mut applier, vec![theirs], Target::Latest, table, true)
        .map_err(|error| applier.problem.take().unwrap_or_else(|| foreign(&error)))?;
    if !known {
        connection
            .execute(
                &format!("UPDATE \"{table}\" SET checksum = ?1 WHERE version = ?2"),
                (wanted.to_string(), migration.version()),
            )
            .map_err(|error| sqlite_problem(path, "write the history of", &error))?;
    }
    Ok(())
}

/// The migration in refinery's form, by its serde form: its parser of names builds a regular expression once a process,
/// which takes longer than a whole run of small migrations. Without the text, which [`Applier`] has. Nothing, if refinery's
/// form is no longer this one.
fn without_parser(migration: &Migration, checksum: u64) -> Option<TheirMigration> {
    let prefix = match migration.prefix() {
        Prefix::Versioned => "Versioned",
        Prefix::Unversioned => "Unversioned",
    };
    serde_json::from_value(serde_json::json!({
        "state": "Unapplied",
        "name": migration.name(),
        "checksum": checksum,
        "version": migration.version(),
        "prefix": prefix,
        "sql": "",
        "applied_on": null,
    }))
    .ok()
}

/// Sees that the history has the rows of these migrations. A trigger on the table may have thrown them away; the next
/// launch would run the migrations again.
pub(crate) fn see_history(
    connection: &Connection,
    path: &Path,
    table: &str,
    migrations: &[Migration],
) -> Result<(), Problem> {
    let failed = |error: rusqlite::Error| sqlite_problem(path, "write the history of", &error);
    let mut statement = connection.prepare(&format!("SELECT 1 FROM \"{table}\" WHERE version = ?1")).map_err(failed)?;
    for migration in migrations {
        if !statement.exists([migration.version()]).map_err(failed)? {
            return Err(Problem::BadHistory {
                path: path.to_owned(),
                table: table.to_owned(),
                why: format!("it does not keep the row of `{}`", migration.id()),
            });
        }
    }
    Ok(())
}

fn foreign(error: &refinery_core::Error) -> Problem {
    Problem::Unsupported { what: format!("refinery: {error}") }
}

fn run_body(
    connection: &Connection,
    path: &Path,
    settings: &Settings,
    watch: &Watch,
    migration: &Migration,
    manner: Manner,
) -> Result<(), Problem> {
    let rules = script_rules(settings, migration, manner);
    let id = migration.id();
    match &migration.body {
        Body::Sql(text) => {
            run_script(connection, watch, &id, text, &rules, !manner.bare, None).map_err(|stopped| stopped.problem)?;
        }
        Body::Code { run, .. } => {
            guarded(connection, watch, rules, &id, "the step", |connection| run(connection))?;
        }
        // The plan refuses these before anything runs.
        Body::Elsewhere => {
            return Err(Problem::Unsupported { what: format!("`{id}` is compiled into another binary") });
        }
    }
    if manner.bare {
        let left_open = !connection.is_autocommit();
        if left_open {
            return Err(Problem::Unsupported {
                what: format!("migration `{id}` leaves a transaction open at its end"),
            });
        }
        super::session::begin_immediate(connection, settings, path)?;
    }
    Ok(())
}

/// What this migration may do.
pub(crate) fn script_rules(settings: &Settings, migration: &Migration, manner: Manner) -> Rules {
    let mut rules = plain_rules(settings);
    if let Rules::Script { bare, keys_on, allowed, .. } = &mut rules {
        (*bare, *keys_on) = (manner.bare, manner.keys_on);
        Arc::make_mut(allowed).extend(migration.directives.allow.iter().cloned());
    }
    rules
}

/// What foreign code may do inside the run's transaction.
pub(crate) fn plain_rules(settings: &Settings) -> Rules {
    Rules::Script {
        bare: false,
        keys_on: false,
        vacuum: false,
        allowed: Arc::new(settings.allow.clone()),
        protected: Arc::new([settings.history_table.to_lowercase(), LEDGER_TABLE.to_owned()]),
    }
}

/// The message of a panic.
pub(crate) fn said(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned())
}

// The version in refinery's own width; checked against ours when the migration is made.
const _: () = assert!(size_of::<SchemaVersion>() == 4 || size_of::<SchemaVersion>() == 8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Migrations;

    /// Otherwise every run would take the slow way, and nobody would notice.
    #[test]
    fn refinery_still_has_the_form_that_needs_no_parser() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["V3__größe_2.sql", "U7__late.sql"] {
            std::fs::write(folder.path().join(name), "SELECT 1").unwrap();
        }
        let migrations = Migrations::from_dir(folder.path()).unwrap();
        for migration in migrations.iter() {
            let sum = checksum(migration.name(), migration.version(), "SELECT 1", HashWidth::BUILD);
            let ours = without_parser(migration, sum).unwrap();
            let theirs = TheirMigration::unapplied(&migration.id(), "SELECT 1").unwrap();
            assert_eq!((ours.to_string(), ours.checksum()), (theirs.to_string(), theirs.checksum()));
            assert_eq!(ours, theirs);
        }
    }
}
