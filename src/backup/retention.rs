//! Which backups stay: a decision about a list, made without a file.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDateTime};

/// Which backups stay. A backup stays if one of the rules keeps it: it is among the [`last`](Self::last), or the newest of
/// its [day](Self::daily) or [week](Self::weekly).
///
/// Whatever the rules say, these stay: the newest copy that was seen to be whole, and all that are newer than it; the copy
/// of a run that was cut off; the copy that undoes the last run that failed; and what cut-off runs had left, of which
/// there are three at the most, and which do not count.
///
/// ```
/// use lifeboat::Retention;
/// let kept = Retention::last(5).daily(7).weekly(4).at_most_bytes(2 * 1024 * 1024 * 1024);
/// # let _ = lifeboat::Migrator::new(lifeboat::Migrations::none()).retention(kept);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Retention {
    last: usize,
    daily: usize,
    weekly: usize,
    at_most_bytes: Option<u64>,
    compress_older_than: Option<usize>,
}

impl Default for Retention {
    /// The last five.
    fn default() -> Self {
        Retention::last(5)
    }
}

impl Retention {
    /// The newest `count`, at least 1.
    pub fn last(count: usize) -> Self {
        Retention { last: count.max(1), daily: 0, weekly: 0, at_most_bytes: None, compress_older_than: None }
    }

    /// Also the newest of each of the last `days` days that have a backup. A day is one of UTC, as in the names.
    pub fn daily(self, days: usize) -> Self {
        Retention { daily: days, ..self }
    }

    /// Also the newest of each of the last `weeks` weeks that have a backup. A week begins on Monday, in UTC.
    pub fn weekly(self, weeks: usize) -> Self {
        Retention { weekly: weeks, ..self }
    }

    /// The oldest go while all backups of the database together have more bytes than this on the disk, even if the other
    /// rules keep them.
    pub fn at_most_bytes(self, bytes: u64) -> Self {
        Retention { at_most_bytes: Some(bytes), ..self }
    }

    /// Backups other than the newest `count`, at least 1, are compressed (zstd). It takes some of the time of the launch
    /// that takes a new backup. Copies of a database whose name has no extension stay plain.
    #[cfg(feature = "zstd")]
    pub fn compress_older_than(self, count: usize) -> Self {
        Retention { compress_older_than: Some(count.max(1)), ..self }
    }

    pub(crate) fn with_last(self, count: usize) -> Self {
        Retention { last: count.max(1), ..self }
    }

    /// The same with `last` as the only rule for what stays.
    pub(crate) fn only_last(self, count: usize) -> Self {
        Retention { compress_older_than: self.compress_older_than, ..Retention::last(count) }
    }

    /// Which of `held`, from the oldest to the newest, go, and in which order. `verified` is the newest that is known to
    /// be whole; without one nothing goes. `cap` is whether the size counts by now.
    pub(crate) fn surplus(&self, held: &[Held], verified: Option<usize>, cap: bool) -> Vec<usize> {
        let Some(verified) = verified.filter(|verified| *verified < held.len()) else { return Vec::new() };
        let counted: Vec<(usize, &Held)> =
            held.iter().enumerate().take(verified + 1).filter(|(_, held)| held.counts).rev().collect();
        let mut kept: BTreeSet<usize> = counted.iter().take(self.last).map(|(index, _)| *index).collect();
        kept.extend(newest_of_each(&counted, self.daily, |at| at.date().num_days_from_ce()));
        kept.extend(newest_of_each(&counted, self.weekly, |at| {
            at.date().num_days_from_ce() - i32::try_from(at.weekday().num_days_from_monday()).unwrap_or(0)
        }));
        let may_go = |index: &usize| *index < verified && !held[*index].stays;
        let mut goes: Vec<usize> = (0..held.len()).filter(|index| may_go(index) && !kept.contains(index)).collect();
        let Some(cap) = self.at_most_bytes.filter(|_| cap) else { return goes };
        let size = |indexes: &mut dyn Iterator<Item = usize>| {
            indexes.fold(0_u64, |sum, index| sum.saturating_add(held[index].bytes))
        };
        let mut bytes = size(&mut (0..held.len()).filter(|index| !goes.contains(index)));
        for index in (0..held.len()).filter(may_go).filter(|index| kept.contains(index)) {
            if bytes <= cap {
                break;
            }
            bytes -= held[index].bytes.min(bytes);
            goes.push(index);
        }
        goes
    }

    /// Which of `held` are to be compressed.
    pub(crate) fn to_compress(&self, held: &[Held], verified: Option<usize>) -> Vec<usize> {
        let (Some(plain), Some(verified)) = (self.compress_older_than, verified) else { return Vec::new() };
        let counted = |index: &usize| held[*index].counts;
        let older = (0..held.len()).rev().filter(counted).skip(plain);
        let mut older: Vec<usize> = older.filter(|index| *index < verified && !held[*index].stays).collect();
        older.reverse();
        older
    }
}

/// A backup, as far as the decision needs to know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) at: NaiveDateTime,
    /// On the disk.
    pub(crate) bytes: u64,
    /// It stays as it is, whatever the rules say.
    pub(crate) stays: bool,
    /// It is one of those that the rules count.
    pub(crate) counts: bool,
}

/// The newest of each of the last `many` periods; `counted` is from the newest to the oldest.
fn newest_of_each(counted: &[(usize, &Held)], many: usize, period: impl Fn(&NaiveDateTime) -> i32) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let first = counted.iter().filter(|(_, held)| seen.insert(period(&held.at)));
    first.take(many).map(|(index, _)| *index).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeDelta};
    use proptest::prelude::*;

    use super::*;

    fn at(day: u32, hour: u32) -> Held {
        // The first of June 2026 is a Monday.
        let at = NaiveDate::from_ymd_opt(2026, 6, day).unwrap().and_hms_opt(hour, 0, 0).unwrap();
        Held { at, bytes: 10, stays: false, counts: true }
    }

    fn left(retention: &Retention, held: &[Held]) -> Vec<(u32, u32)> {
        use chrono::Timelike;
        let goes = retention.surplus(held, held.len().checked_sub(1), true);
        let stays = (0..held.len()).filter(|index| !goes.contains(index));
        stays.map(|index| (held[index].at.day(), held[index].at.hour())).collect()
    }

    #[test]
    fn the_newest_of_each_day_and_week_stays_beside_the_last() {
        let mut held = Vec::new();
        for day in 1..=16 {
            held.extend([at(day, 8), at(day, 20)]);
        }
        assert_eq!(left(&Retention::last(3), &held), [(15, 20), (16, 8), (16, 20)]);
        assert_eq!(left(&Retention::last(1).daily(3), &held), [(14, 20), (15, 20), (16, 20)]);
        assert_eq!(left(&Retention::last(1).weekly(3), &held), [(7, 20), (14, 20), (16, 20)]);
        assert_eq!(
            left(&Retention::last(3).daily(3).weekly(9), &held),
            [(7, 20), (14, 20), (15, 20), (16, 8), (16, 20)]
        );
    }

    #[test]
    fn days_without_a_backup_take_no_place() {
        let held = [at(1, 9), at(9, 9), at(20, 9), at(20, 10), at(21, 9)];
        assert_eq!(left(&Retention::last(1).daily(4), &held), [(1, 9), (9, 9), (20, 10), (21, 9)]);
    }

    #[test]
    fn a_cap_on_the_size_takes_the_oldest_and_never_the_newest() {
        let held: Vec<Held> = (1..=5).map(|day| at(day, 9)).collect();
        assert_eq!(left(&Retention::last(9).at_most_bytes(30), &held), [(3, 9), (4, 9), (5, 9)]);
        assert_eq!(left(&Retention::last(9).at_most_bytes(29), &held), [(4, 9), (5, 9)]);
        assert_eq!(left(&Retention::last(9).at_most_bytes(0), &held), [(5, 9)]);
    }

    #[test]
    fn nothing_goes_that_is_not_older_than_one_that_is_whole() {
        let held: Vec<Held> = (1..=5).map(|day| at(day, 9)).collect();
        let retention = Retention::last(1).at_most_bytes(0);
        assert!(retention.surplus(&held, None, true).is_empty());
        assert_eq!(retention.surplus(&held, Some(2), true), [0, 1], "the two newest are damaged, and take no place");
        assert_eq!(Retention::last(2).surplus(&held, Some(2), true), [0]);
    }

    #[test]
    fn what_is_pinned_stays_and_what_runs_had_left_does_not_count() {
        let mut held: Vec<Held> = (1..=5).map(|day| at(day, 9)).collect();
        held[0].stays = true;
        held[3] = Held { stays: true, counts: false, ..held[3] };
        assert_eq!(left(&Retention::last(2).at_most_bytes(0), &held), [(1, 9), (4, 9), (5, 9)]);
        assert_eq!(left(&Retention::last(2), &held), [(1, 9), (3, 9), (4, 9), (5, 9)]);
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn all_but_the_newest_are_compressed_and_none_that_is_pinned() {
        let mut held: Vec<Held> = (1..=5).map(|day| at(day, 9)).collect();
        held[1].stays = true;
        let retention = Retention::last(5).compress_older_than(2);
        assert_eq!(retention.to_compress(&held, Some(4)), [0, 2]);
        assert_eq!(retention.to_compress(&held, None), [0_usize; 0]);
        assert_eq!(Retention::last(5).compress_older_than(0).to_compress(&held, Some(4)), [0, 2, 3]);
        assert_eq!(Retention::last(5).to_compress(&held, Some(4)), [0_usize; 0]);
    }

    proptest! {
        #[test]
        fn whatever_the_rules_the_safe_ones_stay_and_deciding_again_changes_nothing(
            backups in proptest::collection::vec((0_i64..3_000, 0_u64..100, any::<bool>(), any::<bool>()), 0..30),
            (last, daily, weekly) in (1_usize..6, 0_usize..6, 0_usize..6),
            cap in proptest::option::of(0_u64..800),
            verified in any::<proptest::sample::Index>(),
        ) {
            let start = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
            let mut held: Vec<Held> = backups.iter().map(|(hours, bytes, stays, counts)| Held {
                at: start + TimeDelta::hours(*hours), bytes: *bytes, stays: *stays, counts: *counts,
            }).collect();
            held.sort_by_key(|held| held.at);
            let mut retention = Retention::last(last).daily(daily).weekly(weekly);
            if let Some(cap) = cap {
                retention = retention.at_most_bytes(cap);
            }
            let verified = (!held.is_empty()).then(|| verified.index(held.len()));
            let goes = retention.surplus(&held, verified, true);
            let unique: BTreeSet<usize> = goes.iter().copied().collect();
            prop_assert_eq!(unique.len(), goes.len());
            for index in &goes {
                prop_assert!(Some(*index) < verified && !held[*index].stays);
            }
            let left: Vec<usize> = (0..held.len()).filter(|index| !goes.contains(index)).collect();
            let again: Vec<Held> = left.iter().map(|index| held[*index]).collect();
            let verified_again = verified.map(|verified| left.iter().position(|index| *index == verified).unwrap());
            prop_assert!(retention.surplus(&again, verified_again, true).is_empty());
            // Without a cap: as many as `last` says are left, if there were so many.
            let goes = retention.surplus(&held, verified, false);
            let counted = |index: &usize| held[*index].counts && Some(*index) <= verified;
            let had = (0..held.len()).filter(counted).count();
            let has = (0..held.len()).filter(counted).filter(|index| !goes.contains(index)).count();
            prop_assert!(has >= had.min(last));
            prop_assert!(has <= had.min(last + daily + weekly + held.iter().filter(|held| held.stays).count()));
        }
    }
}
