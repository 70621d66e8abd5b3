//! rusqlite_migration with its constant slice, the fastest of its ways.

#[path = "../../contender.rs"]
mod contender;

use std::path::Path;

use contender::{Fallible, Open, Request, run};
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

const ONE_SLICE: &[M<'_>] = include!("../../../generated/rusqlite_migration/1.rs");
const HUNDRED_SLICE: &[M<'_>] = include!("../../../generated/rusqlite_migration/100.rs");
const THOUSAND_SLICE: &[M<'_>] = include!("../../../generated/rusqlite_migration/1000.rs");
const PENDING_SLICE: &[M<'_>] = include!("../../../generated/rusqlite_migration/pending.rs");
const FAILING_SLICE: &[M<'_>] = include!("../../../generated/rusqlite_migration/failing.rs");

const ONE: Migrations<'_> = Migrations::from_slice(ONE_SLICE);
const HUNDRED: Migrations<'_> = Migrations::from_slice(HUNDRED_SLICE);
const THOUSAND: Migrations<'_> = Migrations::from_slice(THOUSAND_SLICE);
const PENDING: Migrations<'_> = Migrations::from_slice(PENDING_SLICE);
const FAILING: Migrations<'_> = Migrations::from_slice(FAILING_SLICE);

fn main() -> Fallible<()> {
    let request = Request::read()?;
    let launch = |set: &str, path: &Path| {
        let mut db = Connection::open(path)?;
        match set {
            "1" => ONE.to_latest(&mut db)?,
            "100" => HUNDRED.to_latest(&mut db)?,
            "1000" => THOUSAND.to_latest(&mut db)?,
            "pending" => PENDING.to_latest(&mut db)?,
            "failing" => FAILING.to_latest(&mut db)?,
            other => return Err(format!("no such set: {other}").into()),
        }
        db.query_row("SELECT count(*) FROM t1", [], |row| row.get::<_, i64>(0))?;
        Ok(Box::new(db) as Open)
    };
    run(&request, launch, || Ok(rusqlite::version().to_owned()))
}
