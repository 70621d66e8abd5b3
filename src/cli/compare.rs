//! `lifeboat compare`

use std::fmt::Write;

use lifeboat::schema::{Change, ObjectKind, Value};
use lifeboat::{CompareOptions, Comparison, Identity, Migrations, RowDifference, TableComparison};
use serde::Serialize;

use super::answer::{Answer, Failure};
use super::copies::{Source, source};
use super::exit::Exit;
use super::inspect_text::cell;
use super::screen::{ERROR, GOOD, Screen, WARNING, harmless};
use super::session::Session;
use super::status::with_example;
use super::table::{Cell, Set, Table, counted, grouped, screen_width};
use super::{args, json};

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    a: String,
    b: String,
    comparison: &'a Comparison,
    message: &'a str,
}

pub(super) fn compare(session: &Session, args: &args::Compare) -> Result<Answer, Failure> {
    let a = source(session, &args.a)?;
    let b = source(session, args.b.as_deref().unwrap_or("live"))?;
    let migrator = session.migrator(Migrations::none());
    let options = CompareOptions::new().rows(args.rows.unwrap_or(0)).values(args.values);
    let comparison = migrator.at(a.path()).compare_in_detail(b.path(), options);
    let comparison = comparison.map_err(|error| with_example(session, error))?;
    session.progress.end(None);
    let message = message(&comparison);
    let text = if session.json {
        let (a, b) = (json::lossy(&a.shown), json::lossy(&b.shown));
        json::line(&Document { format: json::FORMAT, a, b, comparison: &comparison, message: &message })
    } else {
        human(&session.screen, &a, &b, &comparison, &message, args.all)
    };
    let exit = if args.exit_code && !comparison.equal { Exit::Finding } else { Exit::Done };
    Ok(Answer { text, exit })
}

fn message(comparison: &Comparison) -> String {
    if comparison.equal {
        return "equal".to_owned();
    }
    let mut parts = Vec::new();
    let mut part = |count: usize, one: &str, more: &str| parts.extend((count > 0).then(|| counted(count, one, more)));
    let history = &comparison.history;
    part(comparison.schema.len(), "difference of schema", "differences of schema");
    part(comparison.settings.len(), "setting", "settings");
    part(
        history.only_a.len() + history.only_b.len() + history.divergent.len(),
        "difference of migrations",
        "differences of migrations",
    );
    let tables = comparison.tables.iter().filter(|table| !table.is_equal()).count();
    part(tables, "table with other rows", "tables with other rows");
    if tables == 0 {
        return parts.join(", ");
    }
    let sum = |of: fn(&TableComparison) -> u64| comparison.tables.iter().map(of).sum::<u64>();
    let [added, removed, changed] =
        [sum(|table| table.added), sum(|table| table.removed), sum(|table| table.changed)].map(grouped);
    format!("{}; rows: {added} added, {removed} removed, {changed} changed", parts.join(", "))
}

fn human(screen: &Screen, a: &Source, b: &Source, comparison: &Comparison, message: &str, all: bool) -> String {
    let (a, b) = (screen.path(&a.shown), screen.path(&b.shown));
    let mut text = if comparison.equal {
        format!("{a} and {b} are equal\n")
    } else {
        // The rows on a line of their own: else it is too long for a screen.
        format!("a: {a}\nb: {b}\n{}\n", screen.text(message).replacen("; rows", "\nrows", 1))
    };
    for section in [schema(comparison), headers(comparison), tables(comparison, all)] {
        if !section.is_empty() {
            let _ = write!(text, "\n{}", section.text(2, screen_width()));
        }
    }
    for table in comparison.tables.iter().filter(|table| !table.rows.is_empty()) {
        text.push('\n');
        text.push_str(&rows(table));
    }
    text
}

fn schema(comparison: &Comparison) -> Table {
    let mut list = Table::new(&[("", Set::Left); 4]);
    for difference in &comparison.schema {
        let name = match difference.object {
            ObjectKind::Column => format!("{}.{}", difference.table, difference.name),
            _ => difference.name.clone(),
        };
        list.add([
            Cell::new(name),
            Cell::faint(difference.object.as_str()),
            changed(difference.change),
            Cell::new(difference.parts.join(", ")),
        ]);
    }
    list
}

fn changed(change: Change) -> Cell {
    let style = match change {
        Change::Added => GOOD,
        Change::Removed => ERROR,
        _ => WARNING,
    };
    Cell::styled(change.as_str(), style)
}

fn headers(comparison: &Comparison) -> Table {
    let mut list = Table::new(&[("", Set::Left); 2]);
    for setting in &comparison.settings {
        list.add([Cell::faint(setting.name), Cell::new(format!("{} → {}", setting.a, setting.b))]);
    }
    let history = &comparison.history;
    for (what, migrations) in
        [("only in a", &history.only_a), ("only in b", &history.only_b), ("other text", &history.divergent)]
    {
        migrations.iter().for_each(|migration| list.add([Cell::faint(what), Cell::new(migration)]));
    }
    list
}

fn tables(comparison: &Comparison, all: bool) -> Table {
    let mut list = Table::new(&[
        ("table", Set::Left),
        ("rows in a", Set::Right),
        ("rows in b", Set::Right),
        ("added", Set::Right),
        ("removed", Set::Right),
        ("changed", Set::Right),
        ("", Set::Left),
    ]);
    for table in comparison.tables.iter().filter(|table| all || !table.is_equal()) {
        let rows = |rows: Option<u64>| rows.map_or_else(|| "-".to_owned(), grouped);
        let count = |rows: u64, style| {
            if rows == 0 { Cell::faint("0") } else { Cell::styled(grouped(rows), style) }
        };
        let note = match (&table.unread, table.identity) {
            (Some(why), _) => format!("not compared: {why}"),
            (None, Identity::Content) if table.rows_a.is_some() && table.rows_b.is_some() => "no key".to_owned(),
            _ => String::new(),
        };
        list.add([
            Cell::new(&table.name),
            Cell::new(rows(table.rows_a)),
            Cell::new(rows(table.rows_b)),
            count(table.added, GOOD),
            count(table.removed, ERROR),
            count(table.changed, WARNING),
            Cell::faint(note),
        ]);
    }
    list
}

/// The rows that were asked for: their keys, and what changed in them.
fn rows(table: &TableComparison) -> String {
    let key = if table.key.is_empty() { "no key".to_owned() } else { table.key.join(", ") };
    let mut list = Table::new(&[("", Set::Left); 3]);
    for row in &table.rows {
        let key: Vec<String> = row.key.iter().map(shown).collect();
        list.add([changed(row.change), Cell::new(key.join(", ")), Cell::faint(row.columns.join(", "))]);
        for (name, values) in values(table, row) {
            list.add([Cell::new(""), Cell::faint(name), Cell::new(values)]);
        }
    }
    let mut text = format!("  {} ({})\n", harmless(&table.name, false), harmless(&key, false));
    text.push_str(&list.text(4, screen_width()));
    text
}

/// What the columns hold, where that was asked for; of a row that changed, those that did.
fn values<'t>(table: &'t TableComparison, row: &RowDifference) -> Vec<(&'t str, String)> {
    let at = |values: &Option<Vec<Value>>, at: usize| values.as_ref().and_then(|values| values.get(at)).map(shown);
    let columns = table.columns.iter().enumerate();
    let columns = columns.filter(|(_, name)| row.columns.is_empty() || row.columns.contains(name));
    columns
        .filter_map(|(place, name)| {
            let text = match (at(&row.a, place), at(&row.b, place)) {
                (Some(a), Some(b)) => format!("{a} → {b}"),
                (one, other) => one.or(other)?,
            };
            Some((name.as_str(), text))
        })
        .collect()
}

fn shown(value: &Value) -> String {
    const WIDTH: usize = 30;
    match value {
        // Else nothing would be seen of it.
        Value::Text { characters: 0, .. } => "''".to_owned(),
        value => cell(value, WIDTH).text().to_owned(),
    }
}
