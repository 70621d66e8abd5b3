//! The automatic copies, when somebody asks for one, looks at them or prunes them.

use std::time::Duration;

use super::launch::{Launch, telling_the_wait};
use super::left::absent;
use super::near::not_found;
use super::space::Budget;
use crate::backup::{Backup, Backups, Copying, MANUAL, NOTE_AT_MOST, Said, Verified, pin};
use crate::engine::{copy_depth, hashing};
use crate::error::{Problem, Result};
use crate::event::Event;
use crate::file::{DatabasePath, Purpose, size_of, sqlite_problem};
use crate::migration::{Applied, Record, committed_backups, read_record};

/// What the database says, to those who look at its backups.
struct Looked {
    record: Record,
    said: Said,
    bytes: u64,
}

/// Takes a backup now.
pub(crate) fn back_up(launch: &Launch<'_>, reason: Option<&str>) -> Result<Backup> {
    let settings = launch.settings;
    let note = reason.map(str::trim).filter(|reason| !reason.is_empty());
    if let Some(long) = note.map(|note| note.chars().count()).filter(|count| *count > NOTE_AT_MOST) {
        let what = format!("a reason has at most {NOTE_AT_MOST} characters, and this one has {long}");
        return Err(Problem::Unsupported { what }.into());
    }
    let database = DatabasePath::resolve(launch.path)?;
    if database.metadata().is_none() {
        return Err(absent(launch).into());
    }
    // Before the lock is made: what is no database gets none.
    look(launch, &database, settings.wait)?;
    let _lock = launch.lock(&database)?;
    let Looked { record, said, bytes } = look(launch, &database, settings.wait)?;
    if said.open_run.is_some() {
        let what = format!(
            "a run on `{}` was cut off; it is undone by the next `migrate`, or by `recover`, before a backup can be taken",
            database.real().display()
        );
        return Err(Problem::Unsupported { what }.into());
    }
    let backups = Backups::of(&database, settings.backups.as_deref());
    Budget::of_copy(&backups.folder, bytes).spend(settings)?;
    let had: Vec<String> = backups.list()?.iter().map(Backup::name).collect();
    let copying = Copying {
        connector: &settings.connector,
        database: &database,
        emitter: &settings.emitter,
        cancel: &settings.cancel,
        depth: copy_depth(settings.check, bytes),
        now: (settings.clock)(),
        wait: settings.wait,
        reason: MANUAL,
        note: note.map(ToOwned::to_owned),
        from: record.applied.last().map(Applied::id),
        to: None,
        app_version: settings.app_version.clone(),
        amend: None,
        refuse_damage: true,
        hashing: hashing(settings.check, false),
    };
    let taken = telling_the_wait(|| backups.take(&copying))?;
    if had.contains(&taken.name) {
        backups.mark_asked_for(&taken.name, note)?;
    }
    if let Err(problem) = backups.rotate(&taken.name, &said, &settings.rules()) {
        settings.emitter.warn(format!("old backups were not removed: {problem}"));
    }
    let mut all = backups.list()?;
    pin(&mut all, &said);
    let backup = all.into_iter().find(|backup| backup.name() == taken.name);
    // Whoever took it away was nobody of ours, who wait for the launch lock.
    backup.ok_or_else(|| not_found(&taken.path).into())
}

/// The backups, from the oldest to the newest. Also where the database is lost or cannot be read: then they are wanted
/// most.
pub(crate) fn backups(launch: &Launch<'_>) -> Result<Vec<Backup>> {
    let database = DatabasePath::resolve(launch.path)?;
    let mut all = Backups::of(&database, launch.settings.backups.as_deref()).list()?;
    if all.is_empty() && database.metadata().is_none() {
        return Err(absent(launch).into());
    }
    if !all.is_empty() {
        // Not waited for: what the list says of pins without it is nearly always the same.
        let said = if database.metadata().is_some() { look(launch, &database, Duration::ZERO).ok() } else { None };
        let unknown = Said { open_run: None, committed: Some(std::collections::BTreeSet::new()) };
        pin(&mut all, &said.map_or(unknown, |looked| looked.said));
    }
    Ok(all)
}

/// Looks whether the newest backup, or each, is whole.
pub(crate) fn verify_backups(launch: &Launch<'_>, all: bool) -> Result<Vec<Verified>> {
    let settings = launch.settings;
    let backups = backups(launch)?;
    let first = if all { 0 } else { backups.len().saturating_sub(1) };
    let mut verified = Vec::new();
    for backup in backups.into_iter().skip(first) {
        settings.emitter.emit(Event::CheckStarted { name: format!("backup `{}`", backup.path.display()) });
        verified.extend(verify(launch, backup)?);
    }
    Ok(verified)
}

/// Nothing, if another process has pruned it meanwhile; it may also have compressed it.
fn verify(launch: &Launch<'_>, backup: Backup) -> Result<Option<Verified>> {
    let settings = launch.settings;
    let mut next = Some(backup);
    while let Some(backup) = next.take() {
        let (name, path, pin) = (backup.name(), backup.path.clone(), backup.pin);
        match backup.verify(&settings.connector, settings.wait, &settings.cancel) {
            Ok(verified) => return Ok(Some(verified)),
            Err(problem) if matches!(problem, Problem::Cancelled {}) => return Err(problem.into()),
            Err(_) => {
                let database = DatabasePath::resolve(launch.path)?;
                let now = Backups::of(&database, settings.backups.as_deref()).list()?;
                next = now.into_iter().find(|now| now.name() == name && now.path != path);
                next = next.map(|now| Backup { pin, ..now });
            }
        }
    }
    Ok(None)
}

/// Removes what the retention, or `keep` in its place, does not keep; or only says what that is. From the oldest to the
/// newest, then what goes for its size.
pub(crate) fn prune_backups(launch: &Launch<'_>, keep: Option<usize>, dry_run: bool) -> Result<Vec<Backup>> {
    let settings = launch.settings;
    let retention = match keep {
        Some(keep) => settings.retention.clone().only_last(keep),
        None => settings.retention.clone(),
    };
    let database = DatabasePath::resolve(launch.path)?;
    if database.metadata().is_none() {
        return Err(absent(launch).into());
    }
    // A database that cannot be read may need any of them, and is not the moment to have fewer.
    look(launch, &database, settings.wait)?;
    let backups = Backups::of(&database, settings.backups.as_deref());
    if backups.list()?.is_empty() {
        return Ok(Vec::new());
    }
    let _lock = if dry_run { None } else { Some(launch.lock(&database)?) };
    let said = look(launch, &database, settings.wait)?.said;
    let Some(verified) = newest_whole(launch, &backups)? else {
        settings.emitter.warn("no backup can be seen to be whole, so none is removed");
        return Ok(Vec::new());
    };
    if dry_run {
        return Ok(backups.going(&retention, &verified, &said, true)?);
    }
    Ok(backups.rotate(&verified, &said, &crate::backup::Rules { retention: &retention, ..settings.rules() })?)
}

/// The newest backup that is what was taken; of one without metadata, that SQLite finds sound.
fn newest_whole(launch: &Launch<'_>, backups: &Backups) -> Result<Option<String>> {
    let settings = launch.settings;
    for backup in backups.countable()?.into_iter().rev() {
        let name = backup.name();
        settings.emitter.emit(Event::CheckStarted { name: format!("backup `{}`", backup.path.display()) });
        let whole = if backup.metadata.is_some() {
            backup.has_recorded_content()
        } else {
            match backup.verify(&settings.connector, settings.wait, &settings.cancel) {
                Err(problem @ Problem::Cancelled {}) => return Err(problem.into()),
                verified => verified.is_ok_and(|verified| verified.is_ok()),
            }
        };
        if whole {
            return Ok(Some(name));
        }
        settings.emitter.warn(format!("`{name}` is not what it was when it was taken, and takes no other's place"));
    }
    Ok(None)
}

fn look(launch: &Launch<'_>, database: &DatabasePath, wait: Duration) -> Result<Looked, Problem> {
    let (settings, path) = (launch.settings, database.real());
    let failed = |error: rusqlite::Error| sqlite_problem(path, "read", &error);
    let (connection, record) = telling_the_wait(|| {
        let connection = settings.connector.open(path, Purpose::Read, wait)?;
        let record = read_record(&connection, path, &settings.history_table)?;
        Ok((connection, record))
    })?;
    let said = Said {
        open_run: record.open_run.as_ref().map(|open| open.backup.clone()),
        committed: Some(committed_backups(&connection).map_err(failed)?),
    };
    let bytes = size_of(&connection).map_err(failed)?;
    Ok(Looked { record, said, bytes })
}
