//! Rows for the tables of any schema: of the declared types, and such that `NOT NULL`, `CHECK`, `UNIQUE` and foreign
//! keys hold, as far as that can be found by trying.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// So many rows every table gets.
const ROWS: i64 = 3;
/// So often a row is tried with other values before the table is given up.
const TRIES: u64 = 300;

/// Makes rows; no two have the same number in them.
#[derive(Default)]
pub struct Rows {
    serial: i64,
    /// Tables for which nothing fitted.
    pub given_up: BTreeSet<String>,
}

struct Table {
    name: String,
    columns: Vec<Column>,
    keys: Vec<Key>,
    /// The text of its checks, and the values that stand in them.
    checks: String,
    literals: Vec<Value>,
}

struct Column {
    name: String,
    declared: String,
    not_null: bool,
    /// SQLite chooses its value.
    is_rowid: bool,
    is_json: bool,
}

struct Key {
    parent: String,
    columns: Vec<(String, String)>,
}

/// The app's tables: neither SQLite's, nor refinery's, nor ours; neither virtual tables nor what these consist of.
pub fn tables(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare(
            "SELECT name FROM pragma_table_list
             WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
               AND name NOT IN ('refinery_schema_history', 'lifeboat_ledger')
             ORDER BY name",
        )
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Empties every table, whatever its triggers think of that.
pub fn clear(connection: &Connection) {
    for table in tables(connection) {
        connection.execute_batch(&format!("DELETE FROM {}", quoted(&table))).unwrap();
    }
}

impl Rows {
    /// Fills every table up to three rows, parents first.
    pub fn fill(&mut self, connection: &Connection) {
        let mut left: Vec<Table> = tables(connection).into_iter().map(|name| Table::read(connection, name)).collect();
        while !left.is_empty() {
            let unfilled: BTreeSet<String> = left.iter().map(|table| table.name.to_lowercase()).collect();
            let next = left.iter().position(|table| !table.waits_for(&unfilled, |_| true));
            // In a circle, one begins that can do without its parents.
            let next =
                next.or_else(|| left.iter().position(|table| !table.waits_for(&unfilled, |key| table.needs(key))));
            let next = next.unwrap_or(0);
            self.fill_table(connection, &left.remove(next));
        }
    }

    fn fill_table(&mut self, connection: &Connection, table: &Table) {
        let count = format!("SELECT count(*) FROM {}", quoted(&table.name));
        let mut tries = 0;
        loop {
            let rows: i64 = connection.query_row(&count, [], |row| row.get(0)).unwrap();
            if rows >= ROWS {
                return;
            }
            self.serial += 1;
            let Some(row) = table.row(connection, self.serial, rows, tries) else {
                self.given_up.insert(format!("{}: no parents", table.name));
                return;
            };
            let names: Vec<String> = row.keys().map(|name| quoted(name)).collect();
            let sql = match names.len() {
                0 => format!("INSERT INTO {} DEFAULT VALUES", quoted(&table.name)),
                some => format!(
                    "INSERT INTO {} ({}) VALUES ({})",
                    quoted(&table.name),
                    names.join(","),
                    vec!["?"; some].join(",")
                ),
            };
            match connection.execute(&sql, params_from_iter(row.values())) {
                Ok(_) => tries = 0,
                Err(error) => {
                    tries += 1;
                    if tries > TRIES {
                        self.given_up.insert(format!("{}: {error}", table.name));
                        return;
                    }
                }
            }
        }
    }
}

impl Table {
    fn read(connection: &Connection, name: String) -> Self {
        let sql: String = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1", [&name], |row| row.get(0))
            .unwrap();
        let mut statement = connection
            .prepare("SELECT name, upper(type), \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE hidden = 0")
            .unwrap();
        let columns: Vec<(Column, i64)> = statement
            .query_map([&name], |row| {
                let (name, declared, not_null) = (row.get::<_, String>(0)?, row.get(1)?, row.get(2)?);
                // A generated column, or a check, reads it so.
                let is_json = sql.to_lowercase().contains(&format!("json_extract({},", name.to_lowercase()));
                Ok((Column { name, declared, not_null, is_rowid: false, is_json }, row.get(3)?))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let in_primary_key = columns.iter().filter(|(_, pk)| *pk > 0).count();
        let columns = columns
            .into_iter()
            .map(|(column, pk)| {
                let is_rowid = pk > 0 && in_primary_key == 1 && column.declared == "INTEGER";
                Column { is_rowid, not_null: column.not_null || pk > 0, ..column }
            })
            .collect();
        let checks = checks(&sql);
        let keys = keys(connection, &name);
        Table { literals: literals(&checks), checks: checks.to_lowercase(), name, columns, keys }
    }

    /// The `serial`th row, which will be number `place` of its table; the `attempt`th idea for it. Nothing if it has no
    /// parent to refer to.
    fn row(&self, connection: &Connection, serial: i64, place: i64, attempt: u64) -> Option<BTreeMap<String, Value>> {
        let mut dice = Dice(attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut row = BTreeMap::new();
        let mut itself = Vec::new();
        for key in &self.keys {
            let nullable = |(from, _): &(String, String)| self.column(from).is_some_and(|column| !column.not_null);
            let place = if attempt == 0 { place } else { dice.below(64) };
            let checked = |(from, _): &&(String, String)| self.is_checked(from) && attempt > 0;
            if let Some((from, _)) = key.columns.iter().filter(|pair| nullable(pair)).find(checked)
                && dice.below(2) == 0
            {
                row.insert(from.clone(), Value::Null);
                continue;
            }
            match key.parent_values(connection, &row, place) {
                Some(values) => {
                    row.extend(key.columns.iter().map(|(from, _)| from.clone()).zip(values));
                }
                None => match key.columns.iter().find(|pair| nullable(pair)) {
                    Some((from, _)) => drop(row.insert(from.clone(), Value::Null)),
                    None if key.parent.eq_ignore_ascii_case(&self.name) => itself.extend(&key.columns),
                    None => return None,
                },
            }
        }
        for column in &self.columns {
            let refers_to_itself = itself.iter().any(|(from, _)| from.eq_ignore_ascii_case(&column.name));
            if row.contains_key(&column.name) || refers_to_itself || (column.is_rowid && itself.is_empty()) {
                continue;
            }
            let checked = attempt > 0 && self.is_checked(&column.name);
            let value = match dice.below(3) {
                0 if checked && !column.not_null => Value::Null,
                0 | 1 if checked && !self.literals.is_empty() => {
                    self.literals[usize::try_from(dice.below(self.literals.len() as u64)).unwrap()].clone()
                }
                _ => column.value(serial),
            };
            row.insert(column.name.clone(), value);
        }
        for (from, to) in itself {
            if let Some(value) = row.get(to).cloned() {
                row.insert(from.clone(), value);
            }
        }
        Some(row)
    }

    /// Whether one of those tables is the parent of one of these keys.
    fn waits_for(&self, unfilled: &BTreeSet<String>, of_interest: impl Fn(&Key) -> bool) -> bool {
        self.keys.iter().any(|key| {
            let parent = key.parent.to_lowercase();
            parent != self.name.to_lowercase() && unfilled.contains(&parent) && of_interest(key)
        })
    }

    /// Whether no column of the key can be null.
    fn needs(&self, key: &Key) -> bool {
        key.columns.iter().all(|(from, _)| self.column(from).is_none_or(|column| column.not_null))
    }

    fn is_checked(&self, column: &str) -> bool {
        self.checks.contains(&column.to_lowercase())
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

impl Column {
    fn value(&self, serial: i64) -> Value {
        let name = self.name.to_lowercase();
        let has = |part: &str| self.declared.contains(part);
        if let Some(length) = self.declared.strip_prefix("FLOAT[").and_then(|rest| rest.strip_suffix(']')) {
            // A vector, as sqlite-vec keeps them.
            Value::Blob(vec![0; length.parse::<usize>().unwrap() * 4])
        } else if has("BOOL") {
            Value::Integer(serial % 2)
        } else if has("INT") {
            Value::Integer(serial)
        } else if has("JSON") || name.contains("json") || self.is_json {
            Value::Text(format!("{{\"n\":{serial}}}"))
        } else if has("DATE") || has("TIME") {
            Value::Text(format!("2026-01-02 03:{:02}:{:02}", serial / 60 % 60, serial % 60))
        } else if has("BLOB") || has("BINARY") {
            Value::Blob(u128::try_from(serial).unwrap().to_be_bytes().to_vec())
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Value::Real(serial as f64 + 0.5)
        } else if has("NUM") || has("DEC") {
            Value::Integer(serial)
        } else {
            Value::Text(format!("{name}-{serial}"))
        }
    }
}

impl Key {
    /// The values of the parent's row number `place`, counted round, among those that agree with what is chosen.
    fn parent_values(
        &self,
        connection: &Connection,
        chosen: &BTreeMap<String, Value>,
        place: i64,
    ) -> Option<Vec<Value>> {
        let (agree, values): (Vec<String>, Vec<&Value>) = self
            .columns
            .iter()
            .filter_map(|(from, to)| Some((format!("{} IS ?", quoted(to)), chosen.get(from)?)))
            .unzip();
        let agree = if agree.is_empty() { "1".to_owned() } else { agree.join(" AND ") };
        let columns = self.columns.iter().map(|(_, to)| quoted(to)).collect::<Vec<_>>().join(",");
        let from = format!("FROM {} WHERE {agree}", quoted(&self.parent));
        let count: i64 = connection
            .query_row(&format!("SELECT count(*) {from}"), params_from_iter(&values), |row| row.get(0))
            .ok()?;
        let offset = place.checked_rem(count)?;
        let sql = format!("SELECT {columns} {from} LIMIT 1 OFFSET {offset}");
        let read = |row: &rusqlite::Row<'_>| (0..self.columns.len()).map(|at| row.get(at)).collect();
        connection.query_row(&sql, params_from_iter(&values), read).ok()
    }
}

fn keys(connection: &Connection, table: &str) -> Vec<Key> {
    let mut statement = connection
        .prepare("SELECT id, \"table\", \"from\", \"to\", seq FROM pragma_foreign_key_list(?1) ORDER BY id, seq")
        .unwrap();
    let mut rows = statement.query([table]).unwrap();
    let mut keys: BTreeMap<i64, Key> = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let parent: String = row.get(1).unwrap();
        let to = row.get::<_, Option<String>>(3).unwrap().or_else(|| {
            let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk = ?2 + 1";
            connection.query_row(sql, (&parent, row.get::<_, i64>(4).unwrap()), |row| row.get(0)).ok()
        });
        let column = (row.get(2).unwrap(), to.unwrap_or_else(|| "rowid".to_owned()));
        let key = keys.entry(row.get(0).unwrap()).or_insert(Key { parent, columns: Vec::new() });
        key.columns.push(column);
    }
    keys.into_values().collect()
}

/// What stands in the parentheses after each `CHECK`.
fn checks(sql: &str) -> String {
    let mut found = String::new();
    let upper = sql.to_ascii_uppercase();
    for (at, word) in upper.match_indices("CHECK") {
        let after = &sql[at + word.len()..];
        if !after.trim_start().starts_with('(') {
            continue;
        }
        let mut depth = 0;
        for character in after.chars() {
            depth += match character {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            found.push(character);
            if depth == 0 && character == ')' {
                break;
            }
        }
        found.push('\n');
    }
    found
}

/// The texts and numbers in there.
fn literals(checks: &str) -> Vec<Value> {
    let texts = checks.split('\'').skip(1).step_by(2).map(|text| Value::Text(text.to_owned()));
    let numbers = checks
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter_map(|word| word.parse().ok().map(Value::Integer));
    texts.chain(numbers).collect()
}

/// Chance that falls the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % limit).unwrap()
    }
}
