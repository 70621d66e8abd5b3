//! Gathers the facts, and leaves the judgement to [`state`](super::verdict::state). Reads only.

use super::super::launch::Launch;
use super::super::stats::Soundness;
use super::checklist::Checklist;
use super::content::{self, Seen};
use super::finding::Diagnosis;
use super::verdict::{Facts, Place, state};
use super::{copies, surroundings};
use crate::backup::Backups;
use crate::error::{Error, Problem, Result, described};
use crate::migration::{Migration, plan};

pub(crate) fn diagnose(launch: &Launch<'_>, soundness: Soundness) -> Result<Diagnosis> {
    let mut list = Checklist::default();
    let newest = launch.migrations.as_slice().last();
    let mut facts = Facts { newest_known: newest.map(|newest| (newest.version(), newest.id())), ..Facts::default() };
    if let Err(problem) = launch.migrations.check() {
        let error = Error::from(problem);
        list.error("migrations", &error);
        facts.bad_migrations = Some(described(&error));
    }
    let mut why = "the path names no database file";
    if let Some(database) = surroundings::place(launch, &mut facts, &mut list) {
        let backups = Backups::of(&database, launch.settings.backups.as_deref());
        surroundings::launch_lock(&database, &mut facts, &mut list);
        let mut seen = Seen::default();
        if matches!(facts.place, Place::Absent) {
            why = "there is no file";
            absent(launch, &mut facts, &mut list)?;
        } else {
            why = "the file cannot be read";
            if facts.unread.is_none() {
                seen = content::look(launch, &database, &backups, soundness, &mut facts, &mut list)?;
            }
        }
        surroundings::rights(launch, &database, &backups, &mut facts, &mut list);
        surroundings::space(launch, &database, &backups, seen.size, &mut facts, &mut list);
        if matches!(facts.place, Place::Absent) || facts.unread.is_some() || facts.damage.is_some() {
            facts.snapshots = copies::snapshots(launch, &database);
        }
        copies::look(launch, &backups, &seen, &mut facts, &mut list);
    }
    if !list.has("migrations") {
        list.ok("migrations", format!("{} known; not tried, since {why}", launch.migrations.len()));
    }
    if launch.settings.cancel.is_cancelled() {
        return Err(Problem::Cancelled {}.into());
    }
    Ok(Diagnosis { state: state(&facts), findings: list.finish(why) })
}

/// Every migration is pending.
fn absent(launch: &Launch<'_>, facts: &mut Facts, list: &mut Checklist) -> Result<(), Problem> {
    if facts.bad_migrations.is_some() {
        return Ok(());
    }
    let plan = plan(launch.migrations.as_slice(), &[]);
    facts.called.pending = plan.pending.iter().map(Migration::id).collect();
    content::migrations(launch, None, plan, facts, list)
}
