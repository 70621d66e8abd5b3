//! The migrations, in the form that each contender embeds. They are like those of real apps: most add a column or an
//! index, few make a table; a hundred of them leave some 100 tables and indexes, a thousand some 250.

use std::fs;
use std::path::Path;

use crate::Fallible;

/// The first of every set: the table of the first query.
const FIRST: &str = "-- The first table, which the app reads when it starts.
CREATE TABLE t1 (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    body TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL DEFAULT ''
);
CREATE INDEX t1_title ON t1 (title);
INSERT INTO t1 (title, body) VALUES ('welcome', 'the first row'), ('second', 'another one');
";

/// What is pending on a big file: small work beside everything that was there.
const STEP: &str = "CREATE TABLE marker (id INTEGER PRIMARY KEY, note TEXT NOT NULL);
CREATE INDEX marker_note ON marker (note);
INSERT INTO marker (note) VALUES ('one'), ('two'), ('three');
";

/// Fails on rows alone: a trial on an empty schema cannot tell.
const FAILURE: &str = "INSERT INTO marker (note) SELECT NULL FROM t1;\n";

/// Touches one small table of a file in which nearly all rows refer to others.
const KEYS: &str = "UPDATE small SET parent_id = parent_id + 1 WHERE id <= 10;\n";

/// What undoes [`STEP`] and [`KEYS`] for the next round, whoever has run them.
pub const UNDO: &str = "DROP TABLE IF EXISTS marker;
DROP TABLE IF EXISTS lifeboat_ledger;
DELETE FROM refinery_schema_history WHERE version > 1;
PRAGMA user_version = 1;";

pub fn write(folder: &Path) -> Fallible<()> {
    for count in [1, 100, 1000] {
        write_set(folder, &count.to_string(), &(1..=count).map(|at| text(at, count)).collect::<Vec<_>>())?;
    }
    write_set(folder, "pending", &[FIRST.into(), STEP.into()])?;
    write_set(folder, "failing", &[FIRST.into(), STEP.into(), FAILURE.into()])?;
    write_set(folder, "keys", &[FIRST.into(), KEYS.into()])
}

fn write_set(folder: &Path, set: &str, texts: &[String]) -> Fallible<()> {
    let mut slice = String::from("&[\n");
    for (text, at) in texts.iter().zip(1..) {
        put(&folder.join(format!("refinery/{set}/V{at}__change_{at}.sql")), text)?;
        put(&folder.join(format!("sqlx/{set}/{at:04}_change_{at}.sql")), text)?;
        put(&folder.join(format!("diesel/{set}/{at:04}_change_{at}/up.sql")), text)?;
        put(&folder.join(format!("diesel/{set}/{at:04}_change_{at}/down.sql")), "")?;
        slice += &format!("    M::up(include_str!(\"../refinery/{set}/V{at}__change_{at}.sql\")),\n");
    }
    put(&folder.join(format!("rusqlite_migration/{set}.rs")), &(slice + "]\n"))
}

/// Untouched where nothing changes, so that nothing is compiled again.
fn put(path: &Path, text: &str) -> Fallible<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    Ok(fs::write(path, text)?)
}

fn text(at: usize, count: usize) -> String {
    if at == 1 {
        return FIRST.to_owned();
    }
    // How many migrations there are to a new table.
    let rhythm = if count <= 100 { 3 } else { 12 };
    let table = 1 + at / rhythm;
    match at % rhythm {
        0 => format!(
            "-- Step {at}: a table for another part of the app, with the index that its list is sorted by.
CREATE TABLE t{table} (
    id INTEGER PRIMARY KEY,
    owner_id INTEGER REFERENCES t1 (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'open', 'done')),
    position INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL DEFAULT '1970-01-01T00:00:00Z',
    changed_at TEXT NOT NULL DEFAULT '1970-01-01T00:00:00Z'
);
CREATE INDEX t{table}_position ON t{table} (owner_id, position);
"
        ),
        1 => format!(
            "-- Step {at}: the list of t{table} is searched by state, too, newest first.
CREATE INDEX t{table}_by_{at} ON t{table} ({});
",
            if table == 1 { "created_at" } else { "state, created_at" }
        ),
        2 | 5 | 8 => format!(
            "-- Step {at}: what the new version of the app shows beside each row.
ALTER TABLE t{table} ADD COLUMN detail_{at} TEXT NOT NULL DEFAULT '';
"
        ),
        other if other % 2 == 0 => format!(
            "-- Step {at}: rows that an older version left without a date get one.
UPDATE t{table} SET created_at = '2020-01-01T00:00:00Z' WHERE created_at = '';
UPDATE t1 SET body = trim(body) WHERE body <> trim(body);
"
        ),
        _ => format!(
            "-- Step {at}: one row that every installation has.
INSERT INTO t1 (title, body, created_at) VALUES ('step {at}', 'what is new in this version', '2020-01-01T00:00:00Z');
"
        ),
    }
}
