//! The rows of one side, one after the other, and how their values are compared.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::hash::Hash;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, Rows, Statement, ToSql};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::layout::{Sorted, in_quotes, integer_and_real};

/// The rows of one side, with the one that is looked at.
pub(super) struct Cursor<'s> {
    rows: Rows<'s>,
    pub(super) passed: u64,
}

impl<'s> Cursor<'s> {
    pub(super) fn new(statement: &'s mut Statement<'_>) -> rusqlite::Result<Self> {
        let mut rows = statement.query([])?;
        rows.advance()?;
        Ok(Cursor { rows, passed: 0 })
    }

    pub(super) fn row(&self) -> Option<&Row<'s>> {
        self.rows.get()
    }

    pub(super) fn advance(&mut self) -> rusqlite::Result<()> {
        self.passed += 1;
        self.rows.advance()
    }
}

/// Compares values as both queries sort them.
pub(super) struct Collator<'c> {
    /// For each column that sorts, SQLite's own word on two texts; nothing where their bytes tell.
    statements: Vec<Option<RefCell<Statement<'c>>>>,
}

impl<'c> Collator<'c> {
    pub(super) fn new(connection: &'c Connection, sorted: &[Sorted]) -> rusqlite::Result<Self> {
        let statement = |sorted: &Sorted| {
            if sorted.collation == "BINARY" {
                return Ok(None);
            }
            let collation = in_quotes(&sorted.collation);
            let sql = format!("SELECT (?1 > ?2 COLLATE {collation}) - (?1 < ?2 COLLATE {collation})");
            connection.prepare(&sql).map(|statement| Some(RefCell::new(statement)))
        };
        Ok(Collator { statements: sorted.iter().map(statement).collect::<rusqlite::Result<_>>()? })
    }

    /// By the columns that sort.
    pub(super) fn rows(&self, a: &Row<'_>, b: &Row<'_>) -> rusqlite::Result<Ordering> {
        for at in 0..self.statements.len() {
            let order = self.values(at, a.get_ref(at)?, b.get_ref(at)?)?;
            if order != Ordering::Equal {
                return Ok(order);
            }
        }
        Ok(Ordering::Equal)
    }

    pub(super) fn values(&self, at: usize, a: ValueRef<'_>, b: ValueRef<'_>) -> rusqlite::Result<Ordering> {
        use ValueRef::{Blob, Integer, Null, Real, Text};
        Ok(match (a, b) {
            (Integer(a), Integer(b)) => a.cmp(&b),
            (Real(a), Real(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal), // SQLite keeps no NaN
            (Integer(a), Real(b)) => integer_and_real(a, b),
            (Real(a), Integer(b)) => integer_and_real(b, a).reverse(),
            (Text(one), Text(other)) => match &self.statements[at] {
                Some(statement) if one != other => {
                    let mut statement = statement.borrow_mut();
                    let sign: i64 = statement.query_row([Borrowed(a), Borrowed(b)], |row| row.get(0))?;
                    sign.cmp(&0)
                }
                _ => one.cmp(other),
            },
            (Blob(a), Blob(b)) => a.cmp(b),
            (Null, Null) => Ordering::Equal,
            _ => class(a).cmp(&class(b)),
        })
    }
}

/// A value of one connection, as a parameter of another.
pub(crate) struct Borrowed<'a>(pub(crate) ValueRef<'a>);

impl ToSql for Borrowed<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

/// The order of what cannot be compared otherwise.
fn class(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 1,
        ValueRef::Text(_) => 2,
        ValueRef::Blob(_) => 3,
    }
}

/// Whether two values are the same, bit for bit: `1` is not `1.0`, and `0.0` not `-0.0`. Texts are compared as UTF-8.
pub(super) fn is_same(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

/// What stands for a value where it cannot be kept: 128 bits that are the same for the same value.
pub(super) fn digest(value: ValueRef<'_>) -> u128 {
    let mut hasher = SipHasher13::new();
    match value {
        ValueRef::Null => 0_u8.hash(&mut hasher),
        ValueRef::Integer(number) => (1_u8, number).hash(&mut hasher),
        ValueRef::Real(number) => (2_u8, number.to_bits()).hash(&mut hasher),
        ValueRef::Text(bytes) => (3_u8, bytes).hash(&mut hasher),
        ValueRef::Blob(bytes) => (4_u8, bytes).hash(&mut hasher),
    }
    hasher.finish128().as_u128()
}

/// What stands for several.
pub(super) fn digest_of(digests: &[u128]) -> u128 {
    let mut hasher = SipHasher13::new();
    digests.hash(&mut hasher);
    hasher.finish128().as_u128()
}
