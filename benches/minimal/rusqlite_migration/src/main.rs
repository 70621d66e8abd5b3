//! The least that an app on rusqlite_migration is.

use rusqlite_migration::{M, Migrations};

const SLICE: &[M<'_>] = include!("../../../generated/rusqlite_migration/1.rs");
const MIGRATIONS: Migrations<'_> = Migrations::from_slice(SLICE);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut db = rusqlite::Connection::open("notes.db")?;
    MIGRATIONS.to_latest(&mut db)?;
    let rows: i64 = db.query_row("SELECT count(*) FROM t1", [], |row| row.get(0))?;
    println!("{rows}");
    Ok(())
}
