//! What lies around the content: the path, rights, the launch lock, room on the disk.

use super::super::launch::Launch;
use super::super::left::absent;
use super::super::space::Budget;
use super::checklist::Checklist;
use super::finding::Severity;
use super::verdict::{Facts, Place, Shortage, is_denied};
use crate::backup::Backups;
use crate::error::{Error, Problem, described};
use crate::event::mebibytes;
use crate::file::{DatabasePath, has_sidecars, look_at_launch_lock, refuses_writing};

/// Finds what the path names. Nothing, if nothing can lie there.
pub(super) fn place(launch: &Launch<'_>, facts: &mut Facts, list: &mut Checklist) -> Option<DatabasePath> {
    const CHECK: &str = "paths";
    let path = launch.path;
    let database = match DatabasePath::resolve(path) {
        Ok(database) => database,
        Err(problem) => {
            let error = Error::from(problem);
            // Content that cannot be right is the business of another check.
            let is_content = matches!(error.problem(), Problem::Corrupt { .. });
            list.error(if is_content { "integrity" } else { CHECK }, &error);
            match error.problem() {
                Problem::NotAFile { what, .. } => facts.place = Place::Other((*what).to_owned()),
                Problem::DanglingLink { target, .. } => {
                    facts.place = Place::Other(format!("a link to `{}`, which does not exist", target.display()));
                }
                Problem::Corrupt { .. } => facts.unread = Some(error),
                other => facts.place = Place::Unreachable { why: described(other), denied: is_denied(other) },
            }
            return if is_content { DatabasePath::without_file(path) } else { None };
        }
    };
    let real = database.real().display();
    if database.metadata().is_none() {
        facts.place = Place::Absent;
        let absent = Error::from(absent(launch));
        if has_sidecars(&database) {
            let found = format!("there is no `{real}`, but its log or journal lies there");
            let advice = "find the file that they belong to; a migration moves them aside, and begins a new file";
            list.add(CHECK, Severity::Problem, found, advice);
        } else {
            let advice = match absent.problem() {
                Problem::NotFound { near, backups, snapshots, .. } if !near.is_empty() || backups + snapshots > 0 => {
                    absent.hint().unwrap_or_default()
                }
                _ => "check the path; `lifeboat migrate` makes it".to_owned(),
            };
            list.add(CHECK, Severity::Warning, absent.to_string(), &advice);
        }
    } else if database.has_other_names() {
        let found = format!("`{real}` has other names (hard links); whoever opens it by one does not see its log");
        list.add(CHECK, Severity::Warning, found, "keep one name");
    } else {
        let bytes = database.metadata().map_or(0, std::fs::Metadata::len);
        list.ok(CHECK, format!("`{real}`, {}", mebibytes(bytes)));
    }
    Some(database)
}

/// What SQLite found out when it opened the file, `facts.unwritable`, counts too.
pub(super) fn rights(
    launch: &Launch<'_>,
    database: &DatabasePath,
    backups: &Backups,
    facts: &mut Facts,
    list: &mut Checklist,
) {
    const CHECK: &str = "rights";
    const ADVICE: &str = "give the file and its folder to the user that runs the app";
    let there = database.metadata().map(|_| database.real());
    // Of a folder that is to be made, the one that it is made in.
    let folder = database.folder().ancestors().find(|folder| folder.exists());
    for path in there.into_iter().chain(folder) {
        if let Some(why) = refuses_writing(path) {
            let found = format!("`{}` cannot be written: {why}", path.display());
            facts.unwritable = Some(found.clone());
            return list.add(CHECK, Severity::Problem, found, ADVICE);
        }
    }
    if let Some(why) = &facts.unwritable {
        return list.add(CHECK, Severity::Problem, why.clone(), ADVICE);
    }
    match refuses_writing(&backups.folder).filter(|_| backups.folder.exists()) {
        Some(why) => {
            let found = format!("no backup can be written to `{}`: {why}", backups.folder.display());
            list.add(CHECK, Severity::Problem, found.clone(), "give the folder to the user that runs the app");
            facts.no_copy = Some(found).filter(|_| launch.settings.backup);
        }
        None if there.is_some() => list.ok(CHECK, "the file and its folder can be written"),
        None => list.ok(CHECK, "the folder can be written"),
    }
}

pub(super) fn launch_lock(database: &DatabasePath, facts: &mut Facts, list: &mut Checklist) {
    const CHECK: &str = "launch-lock";
    match look_at_launch_lock(&database.lock_file()) {
        Ok(None) => list.ok(CHECK, "it is free"),
        Ok(Some(holder)) => {
            facts.launching = Some(holder);
            let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            list.add(
                CHECK,
                Severity::Note,
                format!("{who} has it, and changes the file or its backups"),
                "wait until it is done",
            );
        }
        Err(error) => list.skip(CHECK, format!("`{}` cannot be looked at: {error}", database.lock_file().display())),
    }
}

/// The room for the next run on a file of `bytes`.
pub(super) fn space(
    launch: &Launch<'_>,
    database: &DatabasePath,
    backups: &Backups,
    (bytes, split): (u64, bool),
    facts: &mut Facts,
    list: &mut Checklist,
) {
    const CHECK: &str = "disk-space";
    let budget = Budget::of(database, &backups.folder, bytes, split);
    let mut rooms: Vec<_> = budget.rooms().collect();
    // Where it is tightest.
    rooms.sort_by_key(|(need, available)| available.saturating_sub(need.most));
    let Some((need, available)) = rooms.iter().find(|(need, available)| available < &need.least).or(rooms.first())
    else {
        return list.skip(CHECK, "the file system does not say how much is free");
    };
    let folder = need.folder.display().to_string();
    let free = mebibytes(*available);
    if launch.settings.backup && *available < need.least {
        let found = format!("`{folder}` has {free} free, and a run needs {}", mebibytes(need.least));
        let severity = if facts.called.pending.is_empty() { Severity::Warning } else { Severity::Problem };
        list.add(CHECK, severity, found, "free some disk space");
        facts.shortage = Some(Shortage { folder, needed: need.least, available: *available });
    } else if *available < need.most {
        let found = format!("`{folder}` has {free} free, and a run may need up to {}", mebibytes(need.most));
        list.add(CHECK, Severity::Note, found, "free some disk space");
    } else {
        list.ok(CHECK, format!("there is room for a run, which needs {} at the most", mebibytes(need.most)));
    }
}
