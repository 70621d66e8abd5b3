//! What a restore makes ready before anything changes: a copy of the copy, checked, and the files that follow it.

use std::path::Path;

use rusqlite::Connection;

use super::copies::Chosen;
use super::launch::Launch;
use super::snapshot::{Around, Looked, application_id_of, look_into, tables_of};
use crate::backup::{Files, Progress, Staging, copy_moment};
use crate::engine::{Check, Settings, open_restore};
use crate::error::Problem;
use crate::event::Event;
use crate::file::{
    Depth, Descriptor, Purpose, available_bytes, examine, give_same_access, io_problem, is_about_sql,
    on_same_file_system, settle_header, sqlite_problem,
};
use crate::migration::OpenRestore;

/// It waits in the staging folder.
pub(crate) struct Prepared {
    pub(crate) bytes: u64,
    pub(crate) files: Files,
    pub(crate) schema_version: Option<String>,
    pub(crate) pending: Vec<String>,
    pub(crate) hint: Option<String>,
}

pub(crate) fn prepare(
    launch: &Launch<'_>,
    around: &Around,
    staging: &Staging,
    chosen: &Chosen,
    id: &str,
    exact: bool,
) -> Result<Prepared, Problem> {
    let settings = launch.settings;
    let source =
        std::fs::metadata(&chosen.database).map_err(|source| io_problem(&chosen.database, "look at", source))?;
    // Also before the staging folder: on a full disk it could not be made, and nobody would be told how much is missing.
    refuse_want_of_room(around, source.len(), 0)?;
    staging.begin(id)?;
    let files = match (&around.directory, &chosen.files) {
        (Some(directory), Some(wanted)) => staging.plan(directory, wanted, settings.wait, &settings.cancel)?,
        _ => Files::default(),
    };
    if let Some((path, why)) = around.directory.as_ref().and_then(|live| files.unwritable(live, exact)) {
        return Err(Problem::ReadOnly { path, why });
    }
    refuse_want_of_room(around, source.len(), files.bring.bytes())?;
    let bytes = source.len();
    let total = bytes + files.bring.bytes();
    let mut progress = Progress::new(&settings.emitter, total, |done, total| Event::RestoreProgress { done, total });
    let copy = staging.database();
    let descriptor = chosen.is_ours.then_some(Descriptor::Closed);
    let (connector, cancel) = (&settings.connector, &settings.cancel);
    copy_moment(connector, &chosen.database, &copy, descriptor, settings.wait, cancel, |done, _| progress.at(done))?;
    // Where there is no database, it becomes one.
    give_same_access(&source, &copy).map_err(|source| io_problem(&copy, "set the mode of", source))?;
    let looked = check(launch, around, &copy, chosen)?;
    if let Some(wanted) = &chosen.files {
        progress.begin(bytes);
        staging.stage(wanted, &files, exact, settings.wait, &settings.cancel, &mut progress)?;
    }
    let pending = looked.plan.pending.iter().map(crate::migration::Migration::id).collect::<Vec<_>>();
    let hint = hint(launch, &looked, &pending);
    Ok(Prepared { bytes, files, schema_version: looked.schema_version, pending, hint })
}

/// Refuses a copy that is damaged, of another app, or newer than this one. `copy` is looked at, `said` is named.
fn check(launch: &Launch<'_>, around: &Around, copy: &Path, chosen: &Chosen) -> Result<Looked, Problem> {
    let settings = launch.settings;
    let said = chosen.database.as_path();
    settings.emitter.emit(Event::CheckStarted { name: "the copy".to_owned() });
    let connection = settings.connector.open(copy, Purpose::Read, settings.wait).map_err(|problem| match problem {
        Problem::Corrupt { detail, .. } => Problem::Corrupt { path: said.to_owned(), detail },
        Problem::NotADatabase { .. } => Problem::NotADatabase { path: said.to_owned() },
        other => other,
    })?;
    let depths: &[Depth] =
        if settings.check == Check::Off { &[Depth::Schema] } else { &[Depth::Full, Depth::Quick, Depth::Schema] };
    for depth in depths {
        match examine(&connection, depth) {
            Ok(findings) => {
                if let Some(damage) = findings.damage() {
                    return Err(Problem::Corrupt { path: said.to_owned(), detail: damage.to_owned() });
                }
                break;
            }
            // A collation or a function that only the app has.
            Err(error) if is_about_sql(&error) && *depth != Depth::Schema => {
                settings.emitter.warn(format!("`{}` could not be checked in full: {error}", said.display()));
            }
            Err(error) => return Err(sqlite_problem(said, "check", &error)),
        }
    }
    let looked = match look_into(launch, &connection, said, application_id_of(launch, &around.database)) {
        Err(Problem::BadHistory { path, table, why }) if launch.migrations.is_empty() => {
            settings.emitter.warn(Problem::BadHistory { path, table, why }.to_string());
            Looked { schema_version: None, rows: None, plan: crate::migration::Plan::default(), refusal: None }
        }
        other => other?,
    };
    match looked.refusal {
        Some(refusal @ (Problem::Newer { .. } | Problem::ForeignCopy { .. })) => Err(refusal),
        _ if !chosen.is_ours => refuse_stranger(launch, around, &connection, said).map(|()| looked),
        _ => Ok(looked),
    }
}

/// Refuses a file from anywhere that has no table of the database, which has some: a path that was mistyped, say. Of one
/// that is damaged or not there nobody can tell.
fn refuse_stranger(launch: &Launch<'_>, around: &Around, copy: &Connection, said: &Path) -> Result<(), Problem> {
    let (settings, database) = (launch.settings, &around.database);
    if database.metadata().is_none() || database.is_log_alone() {
        return Ok(());
    }
    let live = settings.connector.open(database.real(), Purpose::Read, settings.wait).ok();
    let live = live.and_then(|live| tables_of(&live, &settings.history_table).ok()).unwrap_or_default();
    let Ok(theirs) = tables_of(copy, &settings.history_table) else { return Ok(()) };
    let is_there = |table: &String| theirs.iter().any(|other| other.eq_ignore_ascii_case(table));
    if live.is_empty() || live.iter().any(is_there) {
        return Ok(());
    }
    let why = "it has none of its tables".to_owned();
    Err(Problem::ForeignCopy { path: said.to_owned(), database: launch.path.to_owned(), why })
}

/// What migrating would do, or why it could not.
fn hint(launch: &Launch<'_>, looked: &Looked, pending: &[String]) -> Option<String> {
    const SHOWN: usize = 3;
    if let Some(refusal) = &looked.refusal {
        return Some(format!("this app cannot migrate it: {refusal}"));
    }
    if launch.migrations.is_empty() || pending.is_empty() {
        return None;
    }
    let names = pending.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = pending.len().saturating_sub(SHOWN);
    let names = if more == 0 { names } else { format!("{names} and {more} more") };
    let count = if pending.len() == 1 { "1 migration".to_owned() } else { format!("{} migrations", pending.len()) };
    Some(format!("it has an older schema; migrating would apply {count}: {names}"))
}

/// The copy of the copy, the journal or log of the whole database, the files; and the backup.
fn refuse_want_of_room(around: &Around, bytes: u64, files: u64) -> Result<(), Problem> {
    const SLACK: u64 = 256 * 1024;
    let live = around.database.metadata().map_or(0, std::fs::Metadata::len);
    let here = around.database.folder();
    let there = around.backups.folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(here);
    let (at_home, backup) = (bytes + bytes.max(live) + files + SLACK, live + SLACK);
    let needs = if on_same_file_system(here, there) {
        vec![(here, at_home + backup)]
    } else {
        vec![(here, at_home), (there, backup)]
    };
    for (folder, needed) in needs {
        // A file system that does not say is no reason to refuse.
        if let Ok(available) = available_bytes(folder)
            && available < needed
        {
            return Err(Problem::NoSpace { path: folder.to_owned(), available, needed });
        }
    }
    Ok(())
}

impl Prepared {
    /// Writes into it that files follow, and what they replace is kept beside `open.backup`.
    pub(crate) fn note(&self, settings: &Settings, copy: &Path, open: &OpenRestore) -> Result<(), Problem> {
        let failed = |error: rusqlite::Error| sqlite_problem(copy, "write", &error);
        let connection = settings.connector.open(copy, Purpose::Write, settings.wait)?;
        connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(failed)?;
        connection.execute_batch("PRAGMA synchronous = OFF; BEGIN").map_err(failed)?;
        open_restore(&connection, settings, open).map_err(failed)?;
        connection.execute_batch("COMMIT").map_err(failed)?;
        connection.close().map_err(|(_, error)| failed(error))?;
        settle_header(copy).map_err(|source| io_problem(copy, "sync", source))
    }
}
