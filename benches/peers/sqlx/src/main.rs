//! sqlx with one connection on tokio's runtime of the current thread, which is built before the clock starts.

#[path = "../../contender.rs"]
mod contender;

use std::path::Path;

use contender::{Fallible, Open, Request, run};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, migrate::Migrator};

static ONE: Migrator = sqlx::migrate!("../../generated/sqlx/1");
static HUNDRED: Migrator = sqlx::migrate!("../../generated/sqlx/100");
static THOUSAND: Migrator = sqlx::migrate!("../../generated/sqlx/1000");

fn main() -> Fallible<()> {
    let request = Request::read()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let launch = |set: &str, path: &Path| {
        let migrator = match set {
            "1" => &ONE,
            "100" => &HUNDRED,
            "1000" => &THOUSAND,
            other => return Err(format!("no such set: {other}").into()),
        };
        let db: SqliteConnection = runtime.block_on(async {
            let mut db = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await?;
            migrator.run(&mut db).await?;
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM t1").fetch_one(&mut db).await?;
            Fallible::Ok(db)
        })?;
        Ok(Box::new(db) as Open)
    };
    run(&request, launch, || {
        let version = runtime.block_on(async {
            let mut memory = SqliteConnection::connect("sqlite::memory:").await?;
            sqlx::query_scalar::<_, String>("SELECT sqlite_version()").fetch_one(&mut memory).await
        });
        Ok(version?)
    })
}
