//! diesel_migrations, as its documentation uses it.

#[path = "../../contender.rs"]
mod contender;

use std::path::Path;

use contender::{Fallible, Open, Request, run};
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use libsqlite3_sys as _; // compiled in, with `bundled`

const ONE: EmbeddedMigrations = embed_migrations!("../../generated/diesel/1");
const HUNDRED: EmbeddedMigrations = embed_migrations!("../../generated/diesel/100");
const THOUSAND: EmbeddedMigrations = embed_migrations!("../../generated/diesel/1000");

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    #[allow(dead_code)]
    count: i64,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

fn main() -> Fallible<()> {
    let request = Request::read()?;
    let launch = |set: &str, path: &Path| {
        let mut db = SqliteConnection::establish(path.to_str().ok_or("not UTF-8")?)?;
        let migrations = match set {
            "1" => ONE,
            "100" => HUNDRED,
            "1000" => THOUSAND,
            other => return Err(format!("no such set: {other}").into()),
        };
        db.run_pending_migrations(migrations).map_err(|error| error.to_string())?;
        sql_query("SELECT count(*) AS count FROM t1").get_result::<Count>(&mut db)?;
        Ok(Box::new(db) as Open)
    };
    run(&request, launch, || {
        let mut memory = SqliteConnection::establish(":memory:")?;
        Ok(sql_query("SELECT sqlite_version() AS version").get_result::<Version>(&mut memory)?.version)
    })
}
