//! How the migrations of a run fall into groups: a group is one transaction, or one bare file that can have none. Pure.

use super::settings::Atomicity;
use super::step::Manner;
use crate::migration::Migration;

/// The part of a run that commits at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) manner: Manner,
    /// Indices into the run's migrations.
    pub(crate) steps: std::ops::Range<usize>,
}

/// Nearly every run is one group.
pub(crate) fn group(pending: &[Migration], atomicity: Atomicity) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, migration) in pending.iter().enumerate() {
        let manner =
            Manner { bare: migration.directives.no_transaction, keys_on: migration.directives.foreign_keys_on };
        match groups.last_mut() {
            Some(last) if last.manner == manner && !manner.bare && atomicity == Atomicity::Run => {
                last.steps.end = index + 1;
            }
            _ => groups.push(Group { manner, steps: index..index + 1 }),
        }
    }
    groups
}

/// Whether something is committed before the end of the run, so that going back may mean restoring the copy.
pub(crate) fn is_split(groups: &[Group]) -> bool {
    groups.len() > 1 || groups.iter().any(|group| group.manner.bare)
}
