//! From facts to the state. Pure: no file, no clock.

use super::state::State;
use crate::error::{Error, Problem, described};

/// What lies at the path.
#[derive(Debug, Default)]
pub(super) enum Place {
    /// A file.
    #[default]
    There,
    /// Nothing, though something may be made there.
    Absent,
    /// Something that cannot be a database.
    Other(String),
    /// It cannot be told.
    Unreachable { why: String, denied: bool },
}

/// What history and migrations together call for.
#[derive(Debug, Default)]
pub(super) struct Called {
    pub(super) pending: Vec<String>,
    pub(super) newer: Vec<String>,
    pub(super) divergent: Vec<String>,
    pub(super) missing: Vec<String>,
    pub(super) out_of_order: Vec<String>,
    pub(super) newest_applied: String,
}

/// A run that was cut off, or that goes on.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) backup: String,
    /// Why its copy cannot be put back, or the files of a restore not be brought.
    pub(super) stuck: Option<String>,
    pub(super) is_restore: bool,
}

/// A backup that can be read.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    pub(super) name: String,
    /// The newest version in it; nothing where none was applied, or it is not known.
    pub(super) newest: Option<i64>,
}

/// Too little room.
#[derive(Debug)]
pub(super) struct Shortage {
    pub(super) folder: String,
    pub(super) needed: u64,
    pub(super) available: u64,
}

/// All that the state depends on.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) place: Place,
    /// Why file or folder cannot be written.
    pub(super) unwritable: Option<String>,
    /// Why the copy that a run needs cannot be written.
    pub(super) no_copy: Option<String>,
    /// Somebody has the launch lock; who.
    pub(super) launching: Option<Option<u32>>,
    pub(super) writing: bool,
    /// Why nothing can be read, or the history not be understood.
    pub(super) unread: Option<Error>,
    pub(super) damage: Option<String>,
    /// What is wrong with the app's migrations.
    pub(super) bad_migrations: Option<String>,
    pub(super) newest_known: Option<(i64, String)>,
    pub(super) called: Called,
    pub(super) cut: Option<Cut>,
    pub(super) shortage: Option<Shortage>,
    /// The newest first.
    pub(super) copies: Vec<Copy>,
    /// The newest first; looked for where the file is lost or damaged.
    pub(super) snapshots: Vec<String>,
}

impl Facts {
    /// What can be put back.
    fn backups(&self, fits: impl Fn(&Copy) -> bool) -> Vec<String> {
        let copies = if self.unwritable.is_none() { self.copies.as_slice() } else { &[] };
        copies.iter().filter(|copy| fits(copy)).map(|copy| copy.name.clone()).collect()
    }

    fn all_snapshots(&self) -> Vec<String> {
        if self.unwritable.is_none() { self.snapshots.clone() } else { Vec::new() }
    }

    fn all_backups(&self) -> Vec<String> {
        self.backups(|_| true)
    }
}

/// The state. What is said first is what has to be dealt with first.
pub(super) fn state(facts: &Facts) -> State {
    let unwritable = |why: &String, up_to_date| State::ReadOnly { why: why.clone(), up_to_date };
    let launching = || facts.launching.map(|holder| State::Locked { lock: "launch lock", holder });
    match &facts.place {
        Place::There => {}
        Place::Other(what) => return State::NotAFile { what: what.clone() },
        Place::Unreachable { why, denied } => return State::Unreadable { why: why.clone(), denied: *denied },
        Place::Absent => {
            if let Some(locked) = launching() {
                return locked;
            }
            if let Some(why) = &facts.unwritable {
                return unwritable(why, false);
            }
            if let Some(why) = &facts.bad_migrations {
                return State::BadMigrations { why: why.clone() };
            }
            return State::Absent {
                pending: facts.called.pending.clone(),
                backups: facts.all_backups(),
                snapshots: facts.all_snapshots(),
            };
        }
    }
    if let Some(cut) = &facts.cut {
        // Its run goes on: that is no interruption.
        if let Some(locked) = launching() {
            return locked;
        }
        if let Some(why) = &facts.unwritable {
            return unwritable(why, false);
        }
        // Damage is mended by what undoes the run.
        if cut.stuck.is_none() || facts.damage.is_none() {
            return State::Interrupted {
                backup: cut.backup.clone(),
                restorable: cut.stuck.is_none(),
                why: cut.stuck.clone(),
                restore: cut.is_restore,
                backups: facts.backups(|copy| copy.name != cut.backup),
            };
        }
    }
    if let Some(detail) = &facts.damage {
        return State::Corrupt {
            detail: detail.clone(),
            backups: facts.all_backups(),
            snapshots: facts.all_snapshots(),
        };
    }
    if let Some(error) = &facts.unread {
        return unread(facts, error.problem());
    }
    if let Some(why) = &facts.bad_migrations {
        return State::BadMigrations { why: why.clone() };
    }
    let called = &facts.called;
    if !called.newer.is_empty() {
        let newest = facts.newest_known.as_ref();
        return State::NewerThanApp {
            newest_known: newest.map(|(_, name)| name.clone()),
            newer: called.newer.clone(),
            backups: facts.backups(|copy| copy.newest <= newest.map(|(version, _)| *version)),
        };
    }
    if !(called.divergent.is_empty() && called.missing.is_empty()) {
        return State::Diverged { divergent: called.divergent.clone(), missing: called.missing.clone() };
    }
    if !called.out_of_order.is_empty() {
        let newest_applied = called.newest_applied.clone();
        return State::OutOfOrder { migrations: called.out_of_order.clone(), newest_applied };
    }
    if let Some(why) = &facts.unwritable {
        return unwritable(why, called.pending.is_empty());
    }
    // Whoever has nothing to run waits for nobody, and needs no room.
    if called.pending.is_empty() {
        return State::Ready;
    }
    if let Some(locked) = launching() {
        return locked;
    }
    if facts.writing {
        return State::Locked { lock: "write lock", holder: None };
    }
    if let Some(why) = &facts.no_copy {
        return unwritable(why, false);
    }
    match &facts.shortage {
        Some(Shortage { folder, needed, available }) => {
            State::NoSpace { folder: folder.clone(), needed: *needed, available: *available }
        }
        None => State::NeedsMigration { pending: called.pending.clone() },
    }
}

fn unread(facts: &Facts, problem: &Problem) -> State {
    match problem {
        Problem::NotADatabase { .. } => {
            State::NotADatabase { backups: facts.all_backups(), snapshots: facts.all_snapshots() }
        }
        Problem::Corrupt { detail, .. } => {
            State::Corrupt { detail: detail.clone(), backups: facts.all_backups(), snapshots: facts.all_snapshots() }
        }
        Problem::BadHistory { table, why, .. } => State::BadHistory {
            table: table.clone(),
            why: why.clone(),
            backups: facts.all_backups(),
            snapshots: facts.all_snapshots(),
        },
        Problem::Locked { .. } => match facts.launching {
            Some(holder) => State::Locked { lock: "launch lock", holder },
            None => State::Locked { lock: "write lock", holder: None },
        },
        Problem::ReadOnly { why, .. } => State::ReadOnly { why: why.clone(), up_to_date: false },
        other => State::Unreadable { why: described(other), denied: is_denied(other) },
    }
}

/// Whether rights are what is missing.
pub(super) fn is_denied(problem: &Problem) -> bool {
    match problem {
        Problem::Io { source, .. } => source.kind() == std::io::ErrorKind::PermissionDenied,
        _ => crate::file::may_be_unwritable(problem),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::state::Action;
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    /// A file with two backups and one migration to run.
    fn pending() -> Facts {
        Facts {
            called: Called { pending: names(&["V3__c"]), newest_applied: "V2__b".to_owned(), ..Called::default() },
            newest_known: Some((3, "V3__c".to_owned())),
            copies: vec![
                Copy { name: "new.db".to_owned(), newest: Some(4) },
                Copy { name: "old.db".to_owned(), newest: Some(2) },
            ],
            ..Facts::default()
        }
    }

    fn restore(name: &str) -> Action {
        Action::RestoreBackup { backup: name.to_owned() }
    }

    #[test]
    fn a_file_with_nothing_to_do_is_ready_whoever_works_on_it() {
        let facts = Facts { launching: Some(Some(7)), writing: true, ..Facts::default() };
        assert_eq!(state(&facts), State::Ready);
        assert_eq!(State::Ready.actions(), [Action::Open]);
    }

    #[test]
    fn what_is_to_do_waits_for_locks_and_room() {
        assert_eq!(state(&pending()).actions(), [Action::Migrate]);
        let launching = Facts { launching: Some(Some(7)), ..pending() };
        assert_eq!(state(&launching), State::Locked { lock: "launch lock", holder: Some(7) });
        let writing = state(&Facts { writing: true, ..pending() });
        assert_eq!(writing, State::Locked { lock: "write lock", holder: None });
        assert_eq!(writing.actions(), [Action::Wait, Action::Retry]);
        let shortage = Some(Shortage { folder: "/data".to_owned(), needed: 100, available: 30 });
        let short = state(&Facts { shortage, ..pending() });
        assert_eq!(short.actions(), [Action::FreeSpace { bytes: 70 }, Action::Retry]);
    }

    #[test]
    fn only_a_backup_that_the_app_knows_is_offered_for_a_newer_file() {
        let mut facts = pending();
        facts.called.newer = names(&["V9__z"]);
        let newer = state(&facts);
        assert_eq!(newer.actions(), [Action::UpdateApp, restore("old.db")]);
        facts.newest_known = None;
        assert_eq!(state(&facts).actions(), [Action::UpdateApp]);
    }

    #[test]
    fn damage_is_answered_by_the_newest_backup_unless_nothing_can_be_written() {
        let mut facts = Facts { damage: Some("Page 3: never used".to_owned()), ..pending() };
        assert_eq!(state(&facts).actions(), [restore("new.db"), Action::ContactSupport]);
        facts.unwritable = Some("its permissions do not allow it".to_owned());
        assert_eq!(state(&facts).actions(), [Action::ContactSupport]);
    }

    #[test]
    fn a_run_that_was_cut_off_goes_before_damage_if_it_can_be_undone() {
        let cut = |stuck: Option<&str>| {
            Some(Cut { backup: "new.db".to_owned(), stuck: stuck.map(ToOwned::to_owned), is_restore: false })
        };
        let damaged = |cut| Facts { cut, damage: Some("torn".to_owned()), ..pending() };
        assert_eq!(state(&damaged(cut(None))).actions(), [Action::Recover]);
        assert!(matches!(state(&damaged(cut(Some("gone")))), State::Corrupt { .. }));
        let stuck = state(&Facts { cut: cut(Some("gone")), ..pending() });
        assert_eq!(stuck.actions(), [restore("old.db"), Action::AcceptAsIs, Action::ContactSupport]);
        // While its process lives it is not cut off.
        let running = Facts { cut: cut(None), launching: Some(None), ..pending() };
        assert_eq!(state(&running), State::Locked { lock: "launch lock", holder: None });
        // And where nothing can be written, nothing can be undone.
        let fixed = Facts { cut: cut(None), unwritable: Some("a medium".to_owned()), ..pending() };
        assert!(matches!(state(&fixed), State::ReadOnly { up_to_date: false, .. }));
    }

    #[test]
    fn a_file_that_cannot_be_written_can_be_read_if_it_is_up_to_date() {
        let mut facts = Facts { unwritable: Some("a medium".to_owned()), ..pending() };
        assert_eq!(state(&facts).actions(), [Action::GrantAccess, Action::Retry]);
        facts.called.pending.clear();
        assert_eq!(state(&facts).actions(), [Action::OpenReadOnly, Action::GrantAccess, Action::Retry]);
        // Where only the copy cannot be written, the app goes on as long as it needs none.
        let mut facts = Facts { no_copy: Some("a medium".to_owned()), ..pending() };
        assert_eq!(state(&facts).actions(), [Action::GrantAccess, Action::Retry]);
        facts.called.pending.clear();
        assert_eq!(state(&facts), State::Ready);
    }

    #[test]
    fn a_missing_file_is_made_or_brought_back() {
        let facts = Facts { place: Place::Absent, ..pending() };
        assert_eq!(state(&facts).actions(), [restore("new.db"), Action::Migrate]);
        let nothing = Facts { place: Place::Absent, ..Facts::default() };
        assert_eq!(state(&nothing).actions(), [Action::Open]);
        let bad = Facts { place: Place::Absent, bad_migrations: Some("two are V2".to_owned()), ..pending() };
        assert_eq!(state(&bad).actions(), [Action::UpdateApp, Action::ContactSupport]);
    }

    #[test]
    fn whatever_keeps_a_file_from_being_read_is_a_state() {
        let path = PathBuf::from("a.db");
        let of = |problem| state(&Facts { unread: Some(Error::from(problem)), ..pending() });
        assert!(matches!(of(Problem::NotADatabase { path: path.clone() }), State::NotADatabase { .. }));
        let locked = Problem::Locked { path: path.clone(), lock: "write lock", holder: None, waited: Duration::ZERO };
        assert_eq!(of(locked), State::Locked { lock: "write lock", holder: None });
        let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let denied = of(Problem::Io { path: path.clone(), action: "look at", source });
        assert_eq!(denied.actions(), [Action::GrantAccess, Action::Retry]);
        let bad = Problem::BadHistory { path, table: "h".to_owned(), why: "it is a view".to_owned() };
        assert_eq!(of(bad).actions(), [restore("new.db"), Action::ContactSupport]);
    }

    #[test]
    fn what_was_applied_comes_before_what_is_to_do() {
        let mut facts = pending();
        facts.called.out_of_order = names(&["V1__a"]);
        assert!(matches!(state(&facts), State::OutOfOrder { .. }));
        facts.called.missing = names(&["V2__b"]);
        assert!(matches!(state(&facts), State::Diverged { .. }));
        facts.bad_migrations = Some("no".to_owned());
        assert!(matches!(state(&facts), State::BadMigrations { .. }));
    }
}
