//! The rows, from one connection to the other. Not by `ATTACH`: that wants both files in one encoding, and the copy must be
//! read by a connection that cannot write.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::plan::Plan;
use super::report::TableRows;
use crate::event::CancelToken;
use crate::ops::compare::{Borrowed, Identity, in_quotes};

/// Which connection failed.
pub(super) enum WriteError {
    Copy(rusqlite::Error),
    Live(rusqlite::Error),
    Cancelled,
}

/// Between two looks whether the caller cancelled: no statement is long enough for the progress handler to be asked.
const ROWS_BETWEEN: u64 = 256;

/// Where the values of columns that the copy lacks wait while the rows go.
const KEPT: &str = "temp.lifeboat_kept";

pub(super) fn write(
    live: &Connection,
    copy: &Connection,
    plan: &Plan,
    rows: TableRows,
    cancel: &CancelToken,
) -> Result<u64, WriteError> {
    let table = format!("main.{}", in_quotes(&plan.table));
    let keeps = rows == TableRows::All && !plan.own_columns.is_empty() && plan.layout.identity == Identity::Key;
    if keeps {
        live.execute_batch(&keep(plan, &table)).map_err(WriteError::Live)?;
    }
    if rows == TableRows::All {
        live.execute_batch(&format!("DELETE FROM {table}")).map_err(WriteError::Live)?;
    }
    let read = names(plan, |(_, copy)| copy, plan.rowid.map(|(_, copy)| copy));
    let sql = format!("SELECT {} FROM main.{}", read.join(", "), in_quotes(&plan.table_in_copy));
    let mut from = copy.prepare(&sql).map_err(WriteError::Copy)?;
    let into = names(plan, |(live, _)| live, plan.rowid.map(|(live, _)| live));
    // `OR ABORT`: a constraint that says `ON CONFLICT IGNORE` or `REPLACE` must not lose rows.
    let head = format!("INSERT OR ABORT INTO {table} ({}", into.join(", "));
    let values = (1..=into.len()).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ");
    let plain = match rows {
        TableRows::All => format!("{head}) VALUES ({values})"),
        TableRows::Missing => {
            format!(
                "{head}) SELECT {values} WHERE NOT EXISTS (SELECT 1 FROM {table} AS had WHERE {})",
                same_key(plan, "had")
            )
        }
    };
    let mut plain = live.prepare(&plain).map_err(WriteError::Live)?;
    let own: Vec<String> = plan.own_columns.iter().map(|name| in_quotes(name)).collect();
    let mut keeping = if keeps {
        let kept: Vec<String> = (0..own.len()).map(|at| format!("v{at}")).collect();
        let (own, kept, key) = (own.join(", "), kept.join(", "), same_kept_key(plan));
        let sql = format!("{head}, {own}) SELECT {values}, {kept} FROM {KEPT} WHERE {key} LIMIT 1");
        Some(live.prepare(&sql).map_err(WriteError::Live)?)
    } else {
        None
    };
    let mut rows = from.query([]).map_err(WriteError::Copy)?;
    let (mut passed, mut written) = (0_u64, 0_u64);
    while let Some(row) = rows.next().map_err(WriteError::Copy)? {
        passed += 1;
        if passed.is_multiple_of(ROWS_BETWEEN) && cancel.is_cancelled() {
            return Err(WriteError::Cancelled);
        }
        let values: Vec<ValueRef<'_>> =
            (0..into.len()).map(|at| row.get_ref(at)).collect::<rusqlite::Result<_>>().map_err(WriteError::Copy)?;
        let bound = || params_from_iter(values.iter().map(|value| Borrowed(*value)));
        let mut done = 0;
        if let Some(keeping) = &mut keeping {
            done = keeping.execute(bound()).map_err(WriteError::Live)?;
        }
        if done == 0 {
            done = plain.execute(bound()).map_err(WriteError::Live)?;
        }
        written += u64::try_from(done).unwrap_or(0);
    }
    if keeps {
        drop(keeping);
        live.execute_batch(&format!("DROP TABLE {KEPT}")).map_err(WriteError::Live)?;
    }
    Ok(written)
}

/// The rowid, where it is brought back by itself, and the columns.
fn names(plan: &Plan, side: impl Fn(&(String, String)) -> &String, rowid: Option<&str>) -> Vec<String> {
    let columns = plan.columns.iter().map(|pair| in_quotes(side(pair)));
    rowid.map(ToOwned::to_owned).into_iter().chain(columns).collect()
}

/// Where in the parameters each column of the key is, from 1.
fn key_places(plan: &Plan) -> impl Iterator<Item = (usize, &str, &str)> {
    let before = usize::from(plan.rowid.is_some());
    plan.layout.columns.iter().zip(&plan.layout.sorted).take(plan.layout.key).filter_map(move |((name, _), sorted)| {
        let at = plan.columns.iter().position(|(column, _)| column.eq_ignore_ascii_case(name))?;
        let collation = if sorted.coarse { "BINARY" } else { sorted.collation.as_str() };
        Some((at + before + 1, name.as_str(), collation))
    })
}

fn same_key(plan: &Plan, alias: &str) -> String {
    let same = |(at, name, collation): (usize, &str, &str)| {
        format!("{alias}.{} IS ?{at} COLLATE {}", in_quotes(name), in_quotes(collation))
    };
    key_places(plan).map(same).collect::<Vec<_>>().join(" AND ")
}

fn same_kept_key(plan: &Plan) -> String {
    let same = |(place, (at, _, collation)): (usize, (usize, &str, &str))| {
        format!("k{place} IS ?{at} COLLATE {}", in_quotes(collation))
    };
    key_places(plan).enumerate().map(same).collect::<Vec<_>>().join(" AND ")
}

fn keep(plan: &Plan, table: &str) -> String {
    let keys: Vec<String> =
        key_places(plan).enumerate().map(|(place, (_, name, _))| format!("{} AS k{place}", in_quotes(name))).collect();
    let values = plan.own_columns.iter().enumerate().map(|(at, name)| format!("{} AS v{at}", in_quotes(name)));
    let all = keys.into_iter().chain(values).collect::<Vec<_>>().join(", ");
    let sorted = key_places(plan).enumerate();
    let sorted = sorted.map(|(place, (_, _, collation))| format!("k{place} COLLATE {}", in_quotes(collation)));
    format!(
        "CREATE TABLE {KEPT} AS SELECT {all} FROM {table};
         CREATE INDEX {KEPT}_key ON lifeboat_kept ({})",
        sorted.collect::<Vec<_>>().join(", ")
    )
}

/// No number that the copy had given is given again.
pub(super) fn raise_sequence(live: &Connection, copy: &Connection, plan: &Plan) -> Result<(), WriteError> {
    const SEQUENCE: &str = "SELECT seq FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE";
    let has = copy.prepare("SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'");
    let has = has.and_then(|mut statement| statement.exists([])).map_err(WriteError::Copy)?;
    if !plan.autoincrement || !has {
        return Ok(());
    }
    let reached = copy.query_row(SEQUENCE, [&plan.table_in_copy], |row| row.get::<_, i64>(0)).optional();
    let Some(reached) = reached.map_err(WriteError::Copy)? else { return Ok(()) };
    let own = live.query_row(SEQUENCE, [&plan.table], |row| row.get::<_, i64>(0)).optional();
    let sql = match own.map_err(WriteError::Live)? {
        Some(own) if own >= reached => return Ok(()),
        Some(_) => "UPDATE main.sqlite_sequence SET seq = ?2 WHERE name = ?1",
        None => "INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)",
    };
    live.execute(sql, rusqlite::params![plan.table, reached]).map(drop).map_err(WriteError::Live)
}

/// Builds the full-text indexes over the table anew: their triggers did not fire.
pub(super) fn rebuild(live: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    for index in &plan.indexes {
        let name = in_quotes(index);
        live.execute_batch(&format!("INSERT INTO main.{name} ({name}) VALUES ('rebuild')"))?;
    }
    Ok(())
}
