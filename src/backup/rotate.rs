//! Which backups go, and which are compressed. Never before a newer one is durable, never any that is not exactly ours.

use std::collections::BTreeSet;

use super::bring::files_of;
use super::folder::{Backup, Backups, Metadata, Pin, metadata_file, rewrite_metadata};
use super::retention::{Held, Retention};
use super::take::INTERRUPTED;
use crate::error::Problem;
use crate::event::{CancelToken, Emitter, Event};
use crate::file::{io_problem, remove_if_there, remove_tree, settle_again};

/// How many characters may say why a backup was asked for.
pub(crate) const NOTE_AT_MOST: usize = 1000;

/// What the database itself says of its backups.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// The copy that undoes the run that is open.
    pub(crate) open_run: Option<String>,
    /// The copies of the runs that were committed: what their metadata says of a failure was written before. Nothing,
    /// where the last run is known not to have failed.
    pub(crate) committed: Option<BTreeSet<String>>,
}

/// How to keep backups.
pub(crate) struct Rules<'a> {
    pub(crate) retention: &'a Retention,
    pub(crate) emitter: &'a Emitter,
    pub(crate) cancel: &'a CancelToken,
}

/// Notes which of `backups`, from the oldest to the newest, are never pruned.
pub(crate) fn pin(backups: &mut [Backup], said: &Said) {
    let undoes_failed = |backup: &Backup| {
        let (Some(committed), Some(metadata)) = (&said.committed, &backup.metadata) else { return false };
        metadata.pinned || metadata.run_failed && !committed.contains(&backup.name())
    };
    if let Some(last) = backups.iter().rposition(undoes_failed) {
        backups[last].pin = Some(Pin::FailedRun);
    }
    for backup in backups.iter_mut().filter(|backup| said.open_run.as_deref() == Some(&*backup.name())) {
        backup.pin = Some(Pin::OpenRun);
    }
}

type Decidable = (Vec<Backup>, Vec<Held>, Option<usize>);

impl Backups {
    /// Keeps what `retention` says, now that the copy `verified` is durable and was seen to be whole; compresses what is
    /// to be compressed. Gives what went. What an interrupted run had left does not count: what somebody wrote between the
    /// crash and the next launch is in there and nowhere else. There are few such copies: see
    /// [`forget_interrupted_runs`](Self::forget_interrupted_runs).
    pub(crate) fn rotate(&self, verified: &str, said: &Said, rules: &Rules<'_>) -> Result<Vec<Backup>, Problem> {
        self.remove_second_forms()?;
        let mut gone = Vec::new();
        for cap in [false, true] {
            let going = self.going(rules.retention, verified, said, cap)?;
            for backup in &going {
                remove(backup, rules.emitter)?;
            }
            gone.extend(going);
            if !cap {
                // Before the sizes are added up: what becomes smaller need not go.
                self.compress_older(verified, said, rules)?;
            }
        }
        self.remove_strays()?;
        Ok(gone)
    }

    /// What would go; with `cap` for its size too, as it is now.
    pub(crate) fn going(
        &self,
        retention: &Retention,
        verified: &str,
        said: &Said,
        cap: bool,
    ) -> Result<Vec<Backup>, Problem> {
        let (backups, held, verified) = self.held(verified, said)?;
        let goes = retention.surplus(&held, verified, cap);
        Ok(goes.into_iter().filter_map(|index| backups.get(index).cloned()).collect())
    }

    /// The backups of this database that the retention counts, from the oldest to the newest.
    pub(crate) fn countable(&self) -> Result<Vec<Backup>, Problem> {
        let mut backups = self.ours()?;
        backups.retain(|backup| !reason_is(backup, INTERRUPTED));
        Ok(backups)
    }

    /// The backups of this database, the same as the decision sees them, and which of them is `verified`.
    fn held(&self, verified: &str, said: &Said) -> Result<Decidable, Problem> {
        let mut backups = self.ours()?;
        pin(&mut backups, said);
        let held = backups.iter().map(|backup| {
            let of_interrupted = reason_is(backup, INTERRUPTED);
            Held {
                at: backup.order().0,
                bytes: backup.size,
                stays: of_interrupted || backup.pin.is_some(),
                counts: !of_interrupted,
            }
        });
        let held = held.collect();
        let verified = backups.iter().position(|backup| backup.name() == verified);
        Ok((backups, held, verified))
    }

    fn compress_older(&self, verified: &str, said: &Said, rules: &Rules<'_>) -> Result<(), Problem> {
        if !self.names.can_be_compressed() {
            return Ok(());
        }
        let (backups, held, verified) = self.held(verified, said)?;
        for index in rules.retention.to_compress(&held, verified) {
            let Some(backup) = backups.get(index).filter(|backup| !backup.compressed) else { continue };
            if rules.cancel.is_cancelled() {
                return Ok(());
            }
            // A copy that rotted is left for people to look at.
            let unknown = backup.metadata.as_ref().is_some_and(|metadata| metadata.sha256.is_none());
            if (unknown || backup.has_recorded_content())
                && let Err(problem) = self.compress(backup, rules)
            {
                rules.emitter.warn(format!("`{}` was not compressed: {problem}", backup.path.display()));
                return Ok(()); // the next one would not fare better
            }
        }
        Ok(())
    }

    #[cfg(not(feature = "zstd"))]
    fn compress(&self, backup: &Backup, _: &Rules<'_>) -> Result<(), Problem> {
        Err(Problem::Compressed { path: backup.path.clone() })
    }

    #[cfg(feature = "zstd")]
    fn compress(&self, backup: &Backup, rules: &Rules<'_>) -> Result<(), Problem> {
        let Rules { emitter, cancel, .. } = rules;
        let go_on = || if cancel.is_cancelled() { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) };
        let packed = super::name::packed(&backup.path);
        let partial = self.folder.join(self.names.partial(&self.tag));
        emitter.emit(Event::CompressStarted { path: backup.path.clone() });
        match crate::file::pack_in_place(&backup.path, &partial, &packed, go_on) {
            Ok(()) => {}
            Err(_) if cancel.is_cancelled() => return Ok(()),
            Err(source) => return Err(io_problem(&backup.path, "compress", source)),
        }
        let to = std::fs::metadata(&packed).map_or(0, |metadata| metadata.len());
        emitter.emit(Event::CompressFinished { path: packed, from: backup.size, to });
        Ok(())
    }

    /// When the copy `name` of a new run is durable: removes the copies of earlier runs that failed or were killed. A
    /// thousand failing launches so leave the good copies, and one more. `committed` are the copies of runs that the
    /// file itself says it has: a run that was killed after its commit did not come to tell.
    pub(crate) fn forget_failed_runs(
        &self,
        name: &str,
        committed: &BTreeSet<String>,
        emitter: &Emitter,
    ) -> Result<(), Problem> {
        self.remove_where(emitter, |backup, metadata| {
            metadata.run_failed && backup.name() != name && !committed.contains(&backup.name())
        })?;
        self.remove_strays()
    }

    /// When what an interrupted run left is durable as `name`: removes what earlier ones left, but for the newest three,
    /// so that a program that dies again and again does not fill the disk, and one that dies once more does not take away
    /// the rows of somebody else. Never `original`, which the ledger needs to undo the run.
    pub(crate) fn forget_interrupted_runs(&self, name: &str, original: &str, emitter: &Emitter) -> Result<(), Problem> {
        const KEPT: usize = 3;
        let mut left = self.ours()?;
        left.retain(|backup| reason_is(backup, INTERRUPTED));
        let surplus = left.len().saturating_sub(KEPT);
        for backup in left.iter().take(surplus) {
            if backup.name() != name && backup.name() != original {
                remove(backup, emitter)?;
            }
        }
        Ok(())
    }

    fn remove_where(&self, emitter: &Emitter, goes: impl Fn(&Backup, &Metadata) -> bool) -> Result<(), Problem> {
        for backup in self.ours()? {
            if backup.metadata.as_ref().is_some_and(|metadata| goes(&backup, metadata)) {
                remove(&backup, emitter)?;
            }
        }
        Ok(())
    }

    /// Removes the copy `name` of a restore that changed nothing.
    pub(crate) fn take_back(&self, name: &str, emitter: &Emitter) -> Result<(), Problem> {
        self.remove_where(emitter, |backup, metadata| metadata.run_failed && backup.name() == name)
    }

    /// Notes that the run of a copy succeeded; with that, no copy undoes the last run that failed. A copy without metadata
    /// stays without.
    pub(crate) fn mark_succeeded(&self, name: &str) -> Result<(), Problem> {
        self.describe(|backup, metadata| {
            metadata.run_failed &= backup.name() != name;
            metadata.pinned = false;
        })
    }

    /// Notes that this copy undoes the last run that failed, if it was taken for another one.
    pub(crate) fn mark_failed(&self, name: &str) -> Result<(), Problem> {
        self.describe(|backup, metadata| metadata.pinned = backup.name() == name && !metadata.run_failed)
    }

    /// Notes that somebody asked for this copy, which was there already: it goes on as one of its own, though it may have
    /// been taken for a run that failed.
    pub(crate) fn mark_asked_for(&self, name: &str, note: Option<&str>) -> Result<(), Problem> {
        self.describe(|backup, metadata| {
            if backup.name() == name {
                metadata.pinned |= metadata.run_failed;
                metadata.run_failed = false;
                metadata.note = both_notes(metadata.note.take(), note);
            }
        })
    }

    /// Changes what is said of copies, where it changes.
    fn describe(&self, change: impl Fn(&Backup, &mut Metadata)) -> Result<(), Problem> {
        for backup in self.ours()? {
            let Some(mut metadata) = backup.metadata.clone() else { continue };
            change(&backup, &mut metadata);
            if backup.metadata.as_ref() == Some(&metadata) {
                continue;
            }
            rewrite_metadata(&backup.plain_path(), &metadata)
                .map_err(|source| io_problem(&backup.path, "describe", source))?;
            if !backup.compressed {
                // A run has opened it, and `on_connect` may have turned it into a WAL database.
                settle_again(&backup.path).map_err(|source| io_problem(&backup.path, "sync", source))?;
            }
        }
        Ok(())
    }
}

/// What was said before stays, as far as there is room beside what is said now.
fn both_notes(before: Option<String>, now: Option<&str>) -> Option<String> {
    const BETWEEN: &str = "; ";
    let Some(now) = now else { return before };
    let Some(before) = before else { return Some(now.to_owned()) };
    if before.split(BETWEEN).any(|part| part == now) {
        return Some(before);
    }
    let room = NOTE_AT_MOST.saturating_sub(now.chars().count() + BETWEEN.len());
    let kept: String = match before.chars().count() {
        count if count <= room => before,
        _ if room < 2 => return Some(now.to_owned()),
        _ => before.chars().take(room - 1).chain(['…']).collect(),
    };
    Some(format!("{kept}{BETWEEN}{now}"))
}

fn remove(backup: &Backup, emitter: &Emitter) -> Result<(), Problem> {
    // The copy first: metadata without a copy is a stray file, a copy without metadata would be judged anew.
    for form in backup.forms() {
        remove_if_there(&form).map_err(|source| io_problem(&form, "remove", source))?;
    }
    let _ = remove_if_there(&metadata_file(&backup.plain_path()));
    // What files a restore had replaced, which only goes with the database that they belong to.
    let _ = remove_tree(&files_of(&backup.plain_path()));
    emitter.emit(Event::BackupPruned { path: backup.path.clone() });
    Ok(())
}

fn reason_is(backup: &Backup, reason: &str) -> bool {
    backup.metadata.as_ref().is_some_and(|metadata| metadata.reason == reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_of_a_backup_is_not_lost_when_more_is_said() {
        let both = |before: &str, now| both_notes(Some(before.to_owned()), now);
        assert_eq!(both_notes(None, Some("b")).as_deref(), Some("b"));
        assert_eq!(both("a", None).as_deref(), Some("a"));
        assert_eq!(both("a", Some("b")).as_deref(), Some("a; b"));
        assert_eq!(both("a; b", Some("b")).as_deref(), Some("a; b"));
        let long = "ä".repeat(999);
        let cut = both(&long, Some("b")).unwrap();
        assert!(cut.chars().count() == NOTE_AT_MOST && cut.ends_with("ä…; b"), "{cut}");
        assert_eq!(both("a", Some(&long)), Some(long));
    }
}
