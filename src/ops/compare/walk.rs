//! The rows of a table in both files, side by side in the order of their keys. Two connections, each with a read
//! transaction of its own, and one row of each at a time: constant memory, also for files that others are writing.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rusqlite::types::Value as Owned;
use rusqlite::{Connection, Row};

use super::cursor::{Collator, Cursor, digest, digest_of, is_same};
use super::layout::Layout;
use super::model::{CompareOptions, Identity, RowDifference};
use crate::event::{Emitter, Event};
use crate::schema::{Change, Value};

/// What a walk counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tally {
    pub(crate) rows_a: u64,
    pub(crate) rows_b: u64,
    pub(crate) added: u64,
    pub(crate) removed: u64,
    pub(crate) changed: u64,
    pub(crate) rows: Vec<RowDifference>,
}

impl Tally {
    pub(crate) fn is_equal(&self) -> bool {
        (self.added, self.removed, self.changed) == (0, 0, 0)
    }
}

/// Which file SQLite could not read, and why.
#[derive(Debug)]
pub(crate) enum WalkError {
    A(rusqlite::Error),
    B(rusqlite::Error),
}

/// A walk through one table.
pub(crate) struct Walk<'w> {
    pub(crate) a: &'w Connection,
    pub(crate) b: &'w Connection,
    /// The table's names in both.
    pub(crate) names: (&'w str, &'w str),
    pub(crate) layout: &'w Layout,
    pub(crate) options: CompareOptions,
    pub(crate) emitter: &'w Emitter,
}

/// A row of a group: what stands for its values, how often each side has it, and itself where it is to be shown.
#[derive(Default)]
struct Entry {
    by_content: bool,
    count: [u64; 2],
    digests: [Vec<u128>; 2],
    key: Vec<Value>,
    values: [Option<Vec<Value>>; 2],
}

const TOLD_EVERY: Duration = Duration::from_millis(500);

impl Walk<'_> {
    pub(crate) fn run(&self) -> Result<Tally, WalkError> {
        let mut statement_a = self.a.prepare(&self.layout.query(self.names.0, true)).map_err(WalkError::A)?;
        let mut statement_b = self.b.prepare(&self.layout.query(self.names.1, false)).map_err(WalkError::B)?;
        let collator = Collator::new(self.a, &self.layout.sorted).map_err(WalkError::A)?;
        self.tell(0);
        let mut a = Cursor::new(&mut statement_a).map_err(WalkError::A)?;
        let mut b = Cursor::new(&mut statement_b).map_err(WalkError::B)?;
        let mut tally = Tally::default();
        let (mut told, mut steps) = (Instant::now(), 0_u64);
        loop {
            steps += 1;
            if steps.is_multiple_of(1024) && told.elapsed() > TOLD_EVERY {
                told = Instant::now();
                self.tell(a.passed.max(b.passed));
            }
            let order = match (a.row(), b.row()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => collator.rows(one, other).map_err(WalkError::A)?,
            };
            match order {
                Ordering::Less => {
                    tally.removed += 1;
                    self.show_one(&mut tally, a.row(), Change::Removed).map_err(WalkError::A)?;
                    a.advance().map_err(WalkError::A)?;
                }
                Ordering::Greater => {
                    tally.added += 1;
                    self.show_one(&mut tally, b.row(), Change::Added).map_err(WalkError::B)?;
                    b.advance().map_err(WalkError::B)?;
                }
                Ordering::Equal if self.layout.unique => {
                    if let (Some(one), Some(other)) = (a.row(), b.row()) {
                        self.compare(&mut tally, one, other)?;
                    }
                    a.advance().map_err(WalkError::A)?;
                    b.advance().map_err(WalkError::B)?;
                }
                Ordering::Equal => self.group(&mut tally, &collator, &mut a, &mut b)?,
            }
        }
        tally.rows_a = a.passed;
        tally.rows_b = b.passed;
        Ok(tally)
    }

    fn tell(&self, rows: u64) {
        self.emitter.emit(Event::Comparing { table: self.names.0.to_owned(), rows });
    }

    /// Two rows of one key.
    fn compare(&self, tally: &mut Tally, one: &Row<'_>, other: &Row<'_>) -> Result<(), WalkError> {
        let mut changed = Vec::new();
        for at in self.layout.key.min(self.layout.columns.len())..self.layout.columns.len() {
            let a = one.get_ref(at).map_err(WalkError::A)?;
            if !is_same(a, other.get_ref(at).map_err(WalkError::B)?) {
                changed.push(at);
            }
        }
        // A key that its collation calls the same may be spelled otherwise.
        for at in 0..self.layout.key {
            let a = one.get_ref(at).map_err(WalkError::A)?;
            if !is_same(a, other.get_ref(at).map_err(WalkError::B)?) {
                changed.push(at);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        changed.sort_unstable();
        tally.changed += 1;
        if self.wants_more(tally) {
            let values = |row: &Row<'_>| self.options.values.then(|| self.values(row)).transpose();
            tally.rows.push(RowDifference {
                change: Change::Changed,
                key: self.key(one).map_err(WalkError::A)?,
                columns: self.named(&changed),
                a: values(one).map_err(WalkError::A)?,
                b: values(other).map_err(WalkError::B)?,
            });
        }
        Ok(())
    }

    /// All rows of both sides that sort as equal: several may, where a key holds a null, where there is no key, or where
    /// texts are sorted more coarsely than they are told apart.
    fn group(
        &self,
        tally: &mut Tally,
        collator: &Collator<'_>,
        a: &mut Cursor<'_>,
        b: &mut Cursor<'_>,
    ) -> Result<(), WalkError> {
        let mut entries = BTreeMap::new();
        self.collect(tally, collator, a, &mut entries, 0).map_err(WalkError::A)?;
        self.collect(tally, collator, b, &mut entries, 1).map_err(WalkError::B)?;
        for entry in entries.into_values() {
            self.settle(tally, entry);
        }
        Ok(())
    }

    fn collect(
        &self,
        tally: &Tally,
        collator: &Collator<'_>,
        cursor: &mut Cursor<'_>,
        entries: &mut BTreeMap<u128, Entry>,
        side: usize,
    ) -> rusqlite::Result<()> {
        let mut first: Option<Vec<Owned>> = None;
        while let Some(row) = cursor.row() {
            match &first {
                None => {
                    let sorted = (0..self.layout.sorted.len()).map(|at| row.get(at));
                    first = Some(sorted.collect::<rusqlite::Result<_>>()?);
                }
                Some(first) => {
                    let mut equal = true;
                    for (at, value) in first.iter().enumerate() {
                        equal = equal && collator.values(at, value.into(), row.get_ref(at)?)?.is_eq();
                    }
                    if !equal {
                        break;
                    }
                }
            }
            self.note(tally, row, entries, side)?;
            cursor.advance()?;
        }
        Ok(())
    }

    fn note(
        &self,
        tally: &Tally,
        row: &Row<'_>,
        entries: &mut BTreeMap<u128, Entry>,
        side: usize,
    ) -> rusqlite::Result<()> {
        let width = self.layout.columns.len();
        let digests = (0..width).map(|at| row.get_ref(at).map(digest)).collect::<rusqlite::Result<Vec<u128>>>()?;
        let mut by_content = self.layout.identity == Identity::Content;
        let mut identity = Vec::new();
        for (at, sorted) in self.layout.sorted.iter().enumerate().take(self.layout.key) {
            let value = row.get_ref(at)?;
            // Two nulls in a key are two keys.
            by_content |= value == rusqlite::types::ValueRef::Null;
            if sorted.coarse && matches!(value, rusqlite::types::ValueRef::Text(_)) {
                identity.push(digests[at]);
            }
        }
        let identity = if by_content { digest_of(&digests) } else { digest_of(&identity) };
        let entry = entries.entry(identity).or_default();
        entry.by_content |= by_content;
        entry.count[side] += 1;
        if self.wants_more(tally) && entry.values[side].is_none() {
            entry.key = self.key(row)?;
            entry.values[side] = Some(if self.options.values { self.values(row)? } else { Vec::new() });
        }
        entry.digests[side] = digests;
        Ok(())
    }

    fn settle(&self, tally: &mut Tally, entry: Entry) {
        let Entry { by_content, count: [in_a, in_b], digests, key, values: [a, b] } = entry;
        let key = if by_content && self.layout.identity == Identity::Content { Vec::new() } else { key };
        let shown = |values: Option<Vec<Value>>| values.filter(|_| self.options.values);
        let (a, b) = (shown(a), shown(b));
        if in_a > in_b {
            tally.removed += in_a - in_b;
            let row =
                RowDifference { change: Change::Removed, key: key.clone(), columns: Vec::new(), a: a.clone(), b: None };
            self.show(tally, row, in_a - in_b);
        } else if in_b > in_a {
            tally.added += in_b - in_a;
            let row =
                RowDifference { change: Change::Added, key: key.clone(), columns: Vec::new(), a: None, b: b.clone() };
            self.show(tally, row, in_b - in_a);
        }
        if !by_content && in_a > 0 && in_b > 0 && digests[0] != digests[1] {
            tally.changed += 1;
            let changed: Vec<usize> = (0..digests[0].len()).filter(|at| digests[0][*at] != digests[1][*at]).collect();
            self.show(tally, RowDifference { change: Change::Changed, key, columns: self.named(&changed), a, b }, 1);
        }
    }

    fn show(&self, tally: &mut Tally, row: RowDifference, times: u64) {
        for _ in 0..times {
            if !self.wants_more(tally) {
                return;
            }
            tally.rows.push(row.clone());
        }
    }

    fn show_one(&self, tally: &mut Tally, row: Option<&Row<'_>>, change: Change) -> rusqlite::Result<()> {
        let Some(row) = row.filter(|_| self.wants_more(tally)) else { return Ok(()) };
        let key = if self.layout.identity == Identity::Content { Vec::new() } else { self.key(row)? };
        let values = self.options.values.then(|| self.values(row)).transpose()?;
        let (a, b) = if change == Change::Removed { (values, None) } else { (None, values) };
        tally.rows.push(RowDifference { change, key, columns: Vec::new(), a, b });
        Ok(())
    }

    fn wants_more(&self, tally: &Tally) -> bool {
        tally.rows.len() < self.options.rows
    }

    fn key(&self, row: &Row<'_>) -> rusqlite::Result<Vec<Value>> {
        (0..self.layout.key).map(|at| row.get_ref(at).map(Value::of)).collect()
    }

    fn values(&self, row: &Row<'_>) -> rusqlite::Result<Vec<Value>> {
        (0..self.layout.columns.len()).map(|at| row.get_ref(at).map(Value::of)).collect()
    }

    fn named(&self, columns: &[usize]) -> Vec<String> {
        columns.iter().map(|at| self.layout.columns[*at].1.clone()).collect()
    }
}
