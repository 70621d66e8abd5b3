//! What a database's schema says: the model, reading it from SQLite, the script that makes it, what its tables hold, and
//! pictures of it.

mod declaration;
mod diagram;
mod difference;
mod inspection;
mod model;
mod read;
mod script;
mod token;

pub use difference::{Change, ObjectKind, SchemaDifference};
pub use inspection::{Detail, Inspection, Object, Reference, Sample, Size, Value};
pub use model::{
    Check, Column, Conflict, Deferral, ForeignKey, Generated, Index, IndexColumn, Origin, Owner, PrimaryKey, Schema,
    Spelling, Sql, Table, TableKind, Trigger, View, ViewColumn,
};

pub(crate) use difference::differences;
pub(crate) use inspection::{detail, measure};
pub(crate) use read::read_schema;
