//! The backups: whether they are there, can be read, and are recent.

use std::path::Path;

use super::super::launch::Launch;
use super::super::snapshot::look_into;
use super::checklist::Checklist;
use super::content::Seen;
use super::finding::Severity;
use super::verdict::{Copy, Cut, Facts};
use crate::backup::{Backup, Backups, INTERRUPTED, Original};
use crate::engine::Settings;
use crate::error::{Error, Problem, described};
use crate::event::mebibytes;
use crate::file::{DatabasePath, Purpose};
use crate::migration::{Applied, OpenRun, read_record};

const CHECK: &str = "backups";
const RECENT: &str = "backups-recent";
/// Older than that the newest is worth a note.
const DAYS: i64 = 30;

/// Looks at every backup, the newest first.
pub(super) fn look(launch: &Launch<'_>, backups: &Backups, seen: &Seen, facts: &mut Facts, list: &mut Checklist) {
    let settings = launch.settings;
    let mut all = match backups.list() {
        Ok(all) => all,
        Err(problem) => return list.error(CHECK, &Error::from(problem)),
    };
    all.reverse();
    let Some(newest) = all.first() else {
        list.skip(RECENT, "there is none");
        if facts.unread.is_some() || facts.damage.is_some() {
            let advice = match facts.snapshots.first() {
                Some(newest) => format!("`lifeboat restore --name {newest}` goes back to the newest snapshot"),
                None => "keep the file as it is: it is all there is".to_owned(),
            };
            return list.add(CHECK, Severity::Warning, "there is none", &advice);
        }
        if seen.has_history {
            let advice = "`lifeboat backup create` takes one now; every run that changes something takes one first";
            return list.add(CHECK, Severity::Note, "there is none", advice);
        }
        return list.ok(CHECK, "there is none, and nothing that one would be of");
    };
    let days = ((settings.clock)() - newest.taken_at()).num_days();
    let taken = match days {
        ..=0 => "the newest was taken within a day".to_owned(),
        1 => "the newest was taken 1 day ago".to_owned(),
        _ => format!("the newest was taken {days} days ago"),
    };
    if days > DAYS {
        list.add(RECENT, Severity::Note, taken, "`lifeboat backup create` takes one now");
    } else {
        list.ok(RECENT, taken);
    }
    let mut broken = Vec::new();
    for backup in &all {
        match read(settings, backup) {
            Ok(newest) => {
                // What a cut-off run had left is between two schemas: kept for its rows, not to go back to.
                let is_left = backup.metadata.as_ref().is_some_and(|metadata| metadata.reason == INTERRUPTED);
                if !is_left {
                    facts.copies.push(Copy { name: backup.name(), newest });
                }
            }
            Err(why) => broken.push(format!("`{}`: {why}", backup.name())),
        }
    }
    let count = if all.len() == 1 { "1 backup".to_owned() } else { format!("{} backups", all.len()) };
    match broken.first() {
        None => {
            let bytes = all.iter().map(|backup| backup.size).sum();
            list.ok(CHECK, format!("{count}, {}; they can be read", mebibytes(bytes)));
        }
        Some(first) => {
            let found = format!("{} of {count} cannot be read: {first}", broken.len());
            let advice =
                "`lifeboat backup create` takes a new one; `lifeboat backup verify --all` looks at all of each";
            list.add(CHECK, Severity::Warning, found, advice);
        }
    }
}

/// The snapshots that can be read and that this app can open, the newest first.
pub(super) fn snapshots(launch: &Launch<'_>, database: &DatabasePath) -> Vec<String> {
    let settings = launch.settings;
    let is_good = |path: &Path| {
        let opened = settings.connector.open(path, Purpose::Read, settings.wait);
        let looked = opened.and_then(|connection| look_into(launch, &connection, path, None));
        looked.is_ok_and(|looked| looked.refusal.is_none())
    };
    super::super::left::snapshots(launch, database)
        .into_iter()
        .filter(|(_, path)| is_good(path))
        .map(|(name, _)| name)
        .collect()
}

/// The newest version in a backup, or why it cannot be read. A compressed one is not decompressed.
fn read(settings: &Settings, backup: &Backup) -> Result<Option<i64>, String> {
    let said = backup.metadata.as_ref();
    if backup.compressed {
        starts(&backup.path)?;
        return Ok(said.and_then(|said| version(said.from.as_deref()?)));
    }
    if let Some(said) = said.filter(|said| said.size != backup.size) {
        return Err(format!("it had {} bytes when it was taken, and has {}", said.size, backup.size));
    }
    // Its own connection: what is asked here, a restore would ask too.
    let connection =
        settings.connector.open(&backup.path, Purpose::Read, settings.wait).map_err(|problem| reason(&problem))?;
    let record = read_record(&connection, &backup.path, &settings.history_table).map_err(|problem| reason(&problem))?;
    Ok(record.applied.last().map(|row: &Applied| row.version))
}

/// Without the path, which the caller names.
fn reason(problem: &Problem) -> String {
    match problem {
        Problem::Corrupt { detail, .. } => detail.clone(),
        Problem::NotADatabase { .. } => "it is not a SQLite database, or it is encrypted".to_owned(),
        other => described(other),
    }
}

/// `V8__name` has version 8.
fn version(id: &str) -> Option<i64> {
    id.get(1..)?.split("__").next()?.parse().ok()
}

#[cfg(feature = "zstd")]
fn starts(path: &Path) -> Result<(), String> {
    match crate::file::starts_as_database(path) {
        Ok(true) => Ok(()),
        Ok(false) => Err("what is compressed in it is not a SQLite database".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(not(feature = "zstd"))]
fn starts(path: &Path) -> Result<(), String> {
    Err(described(&Problem::Compressed { path: path.to_owned() }))
}

/// Whether the copy of an open run can be put back.
pub(super) fn cut(launch: &Launch<'_>, database: &Path, backups: &Backups, open: &OpenRun) -> Cut {
    let settings = launch.settings;
    let there = backups.named(&open.backup);
    let stuck = match there {
        Some(backup) if backup.compressed => starts(&backup.path).err(),
        // A plain one is read as it lies there, and nothing is written.
        _ => {
            let original = Original {
                name: &open.backup,
                size: u64::try_from(open.size).unwrap_or(0),
                hash: Some(open.hash.as_str()).filter(|hash| !hash.is_empty()),
                journal_mode: &open.journal_mode,
            };
            match original.find(backups, database, &settings.connector, settings.wait) {
                Ok(_) => None,
                Err(Problem::NeedsRecovery { why, .. }) => Some(why),
                Err(problem) => Some(described(&problem)),
            }
        }
    };
    Cut { backup: open.backup.clone(), stuck, is_restore: false }
}
