//! Two files, compared: schema, rows a table, settings, history. Writes nothing.

mod cursor;
mod layout;
mod model;
mod operation;
mod side;
mod walk;

pub use model::{
    CompareOptions, Comparison, HistoryDifference, Identity, RowDifference, SettingDifference, TableComparison,
};
pub use operation::compare;

pub(crate) use cursor::Borrowed;
pub(crate) use layout::{Layout, in_quotes, is_rowid_alias};
pub(crate) use operation::compare_launched;
pub(crate) use side::{Side, is_utf8, knows, schema_of};
pub(crate) use walk::{Tally, Walk, WalkError};
