//! refinery, as its documentation uses it.

#[path = "../../contender.rs"]
mod contender;

use std::path::Path;

use contender::{Fallible, Open, Request, run};
use rusqlite::Connection;

mod one {
    refinery::embed_migrations!("../../generated/refinery/1");
}
mod hundred {
    refinery::embed_migrations!("../../generated/refinery/100");
}
mod thousand {
    refinery::embed_migrations!("../../generated/refinery/1000");
}
mod pending {
    refinery::embed_migrations!("../../generated/refinery/pending");
}
mod failing {
    refinery::embed_migrations!("../../generated/refinery/failing");
}

fn main() -> Fallible<()> {
    let request = Request::read()?;
    let launch = |set: &str, path: &Path| {
        let mut db = Connection::open(path)?;
        let runner = match set {
            "1" => one::migrations::runner(),
            "100" => hundred::migrations::runner(),
            "1000" => thousand::migrations::runner(),
            "pending" => pending::migrations::runner(),
            "failing" => failing::migrations::runner(),
            other => return Err(format!("no such set: {other}").into()),
        };
        runner.run(&mut db)?;
        db.query_row("SELECT count(*) FROM t1", [], |row| row.get::<_, i64>(0))?;
        Ok(Box::new(db) as Open)
    };
    run(&request, launch, || Ok(rusqlite::version().to_owned()))
}
