//! What lifeboat is compared with where no peer does the like: plain copies, and SQLite alone, whose launch is an open
//! file and a first query. It also fills databases.

#[path = "../../contender.rs"]
mod contender;

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Instant;

use contender::{Fallible, Open, Request, answer, cpu_ns, peak_kib, run};
use rusqlite::backup::Backup;
use rusqlite::{Connection, version};

fn main() -> Fallible<()> {
    let request = Request::read()?;
    if request.command == "launch" {
        let launch = |_: &str, path: &Path| {
            let db = Connection::open(path)?;
            db.query_row("SELECT count(*) FROM t1", [], |row| row.get::<_, i64>(0))?;
            Ok(Box::new(db) as Open)
        };
        return run(&request, launch, || Ok(version().to_owned()));
    }
    // For a copy: from, to. For the others: what, where.
    let (what, path) = (request.set.as_str(), request.file.as_path());
    let (before, cpu, started) = (peak_kib(), cpu_ns(), Instant::now());
    match request.command.as_str() {
        "copy" => {
            std::fs::copy(what, path)?;
            sync(path)?;
        }
        "read-write" => {
            let (mut from, mut to) = (File::open(what)?, File::create(path)?);
            let mut buffer = vec![0_u8; 1 << 20];
            loop {
                match std::io::Read::read(&mut from, &mut buffer)? {
                    0 => break,
                    length => std::io::Write::write_all(&mut to, &buffer[..length])?,
                }
            }
            drop(to);
            sync(path)?;
        }
        "backup-api" => {
            let from = Connection::open(what)?;
            let mut to = Connection::open(path)?;
            to.execute_batch("PRAGMA synchronous = OFF")?;
            Backup::new(&from, &mut to)?.step(-1)?;
            to.close().map_err(|(_, error)| error)?;
            sync(path)?;
        }
        "vacuum-into" => {
            Connection::open(what)?.execute("VACUUM INTO ?1", [path.to_str().ok_or("not UTF-8")?])?;
            sync(path)?;
        }
        "quick-check" => read_all(path, "PRAGMA quick_check")?,
        "integrity-check" => read_all(path, "PRAGMA integrity_check")?,
        "foreign-key-check" if what == "all" => read_all(path, "PRAGMA foreign_key_check")?,
        "foreign-key-check" => read_all(path, &format!("PRAGMA foreign_key_check({what})"))?,
        "fill" => fill(path, what.parse()?)?,
        "fill-keys" => fill_keys(path, what.parse()?)?,
        "sql" => Connection::open(path)?.execute_batch(what)?,
        "mode" => Connection::open(path)?.query_row(&format!("PRAGMA journal_mode = {what}"), [], |_| Ok(()))?,
        other => return Err(format!("no such command: {other}").into()),
    }
    answer(started.elapsed(), cpu_ns().saturating_sub(cpu), before);
    println!("sqlite {}", version());
    Ok(())
}

/// The content, then the name.
fn sync(path: &Path) -> Fallible<()> {
    OpenOptions::new().write(true).open(path)?.sync_all()?;
    File::open(path.parent().ok_or("no folder")?)?.sync_all()?;
    Ok(())
}

fn read_all(path: &Path, sql: &str) -> Fallible<()> {
    let db = Connection::open(path)?;
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Rows of about 600 bytes in a table with an index, until the file has its size.
fn fill(path: &Path, bytes: i64) -> Fallible<()> {
    fill_with(
        path,
        bytes,
        "CREATE TABLE IF NOT EXISTS bulk
             (id INTEGER PRIMARY KEY, title TEXT NOT NULL, amount INTEGER NOT NULL, body TEXT NOT NULL);
         CREATE INDEX IF NOT EXISTS bulk_title ON bulk (title);",
        "INSERT INTO bulk (title, amount, body)
         SELECT printf('title %012d', n), n * 7, printf('%0540d', n) || hex(randomblob(16)) FROM numbers",
    )
}

/// Rows of which each refers to another table.
fn fill_keys(path: &Path, bytes: i64) -> Fallible<()> {
    fill_with(
        path,
        bytes,
        "CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS child
             (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parent (id), note TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS small (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id));
         INSERT OR IGNORE INTO parent WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             SELECT i, 'parent ' || i FROM n;
         INSERT OR IGNORE INTO small SELECT id, id FROM parent WHERE id <= 100;",
        "INSERT INTO child (parent_id, note) SELECT n % 1000 + 1, printf('%060d', n) FROM numbers",
    )
}

fn fill_with(path: &Path, bytes: i64, tables: &str, insert: &str) -> Fallible<()> {
    let db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;",
    )?;
    db.execute_batch(tables)?;
    let pages = bytes / db.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?;
    let mut first = 0_i64;
    while db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))? < pages {
        db.execute_batch(&format!(
            "WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {first} + 3999)
             {insert}"
        ))?;
        first += 4000;
    }
    db.close().map_err(|(_, error)| error)?;
    sync(path)
}
