//! What a database holds, as text for people.

use std::fmt::Write;
use std::path::Path;

use anstyle::Style;
use lifeboat::mebibytes;
use lifeboat::schema::{
    Column, Detail, Index, Inspection, Object, Origin, Owner, Reference, Sample, Size, Table as SchemaTable, TableKind,
    Trigger, Value, View,
};

use unicode_width::UnicodeWidthStr;

use super::screen::{ERROR, FAINT, Screen, WARNING, harmless};
use super::table::{Cell, Set, Table, counted, grouped, screen_width, shortened};

const TITLE: Style = Style::new().bold();

/// One line about all of it.
pub(super) fn summary(inspection: &Inspection) -> String {
    let schema = &inspection.schema;
    let own = || schema.tables.iter().filter(|table| table.is_apps_own());
    let is_virtual = |table: &&SchemaTable| matches!(table.kind, TableKind::Virtual { .. });
    let virtuals = own().filter(is_virtual).count();
    let indexes = own().flat_map(|table| &table.indexes).filter(|index| index.origin == Origin::Created).count();
    let mut parts = vec![counted(own().count() - virtuals, "table", "tables")];
    for (count, one, more) in [
        (virtuals, "virtual table", "virtual tables"),
        (schema.views.len(), "view", "views"),
        (indexes, "index", "indexes"),
        (schema.triggers.len(), "trigger", "triggers"),
    ] {
        if count > 0 {
            parts.push(counted(count, one, more));
        }
    }
    let rows: u64 =
        own().filter(|table| !is_virtual(table)).filter_map(|table| inspection.size(&table.name).rows).sum();
    format!("{}; {}", parts.join(", "), if rows == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(rows)) })
}

/// The list, and then each table and view of the app.
pub(super) fn whole(screen: &Screen, path: &Path, inspection: &Inspection, message: &str, list_only: bool) -> String {
    let mut text = format!("{}: {message}\n", screen.path(path));
    let schema = &inspection.schema;
    let listed = list(inspection);
    if !listed.is_empty() {
        let _ = write!(text, "\n{}", listed.text(2, screen_width()));
    }
    if list_only {
        return text;
    }
    for table in schema.tables.iter().filter(|table| table.is_apps_own()) {
        let references = schema.references_to(&table.name).map(|(child, key)| (child.name.as_str(), key));
        let references: Vec<_> =
            references.map(|(child, key)| seen(child, &key.columns, &key.parent_columns, &key.on_delete)).collect();
        let triggers: Vec<&Trigger> = schema.triggers_on(&table.name).collect();
        text.push('\n');
        text.push_str(&of_table(table, inspection.size(&table.name), &references, &triggers));
    }
    for view in &schema.views {
        text.push('\n');
        text.push_str(&of_view(view, None, &schema.triggers_on(&view.name).collect::<Vec<_>>()));
    }
    text
}

fn list(inspection: &Inspection) -> Table {
    let schema = &inspection.schema;
    let mut list = Table::new(&[
        ("name", Set::Left),
        ("kind", Set::Left),
        ("rows", Set::Right),
        ("size", Set::Right),
        ("indexes", Set::Right),
        ("refers to", Set::Left),
    ]);
    let of_app = |table: &&SchemaTable| table.is_apps_own();
    let (own, others): (Vec<_>, Vec<_>) = schema.tables.iter().partition(of_app);
    let mut row = |table: &SchemaTable, faint: bool| {
        let size = inspection.size(&table.name);
        let mut parents: Vec<&str> = table.foreign_keys.iter().map(|key| key.parent.as_str()).collect();
        parents.sort_unstable();
        parents.dedup();
        let style = if faint { FAINT } else { Style::new() };
        list.add([
            Cell::styled(&table.name, style),
            Cell::faint(kind(table)),
            Cell::styled(size.rows.map_or("?".to_owned(), grouped), style),
            Cell::styled(size.bytes.map_or_else(String::new, mebibytes), style),
            Cell::styled(size.index_bytes.filter(|bytes| *bytes > 0).map_or_else(String::new, mebibytes), style),
            Cell::new(parents.join(", ")),
        ]);
    };
    own.into_iter().for_each(|table| row(table, false));
    others.into_iter().for_each(|table| row(table, true));
    for view in &schema.views {
        let kind = if view.broken.is_some() { "broken view" } else { "view" };
        list.add([Cell::new(&view.name), Cell::faint(kind)]);
    }
    list
}

/// What a table is, where it is none like most.
fn kind(table: &SchemaTable) -> String {
    match (&table.kind, table.owner) {
        (TableKind::Virtual { module, .. }, _) => module.clone(),
        (TableKind::Shadow { .. }, _) => "shadow".to_owned(),
        (_, Owner::Sqlite) => "SQLite's".to_owned(),
        (_, Owner::Lifeboat) => "history".to_owned(),
        _ => String::new(),
    }
}

/// One line about a table or view.
pub(super) fn headline(detail: &Detail) -> String {
    let what = match &detail.object {
        Object::Table(table) => what_table(table, detail.size),
        Object::View(view) => what_view(view, detail.size.rows),
    };
    format!("{}: {what}", detail.object.name())
}

fn what_table(table: &SchemaTable, size: Size) -> String {
    let mut parts = vec![rows_in_words(size.rows)];
    parts.extend(size.bytes.map(mebibytes));
    parts.extend(size.index_bytes.filter(|bytes| *bytes > 0).map(|bytes| format!("indexes {}", mebibytes(bytes))));
    match &table.kind {
        TableKind::Virtual { module, .. } => parts.push(format!("virtual ({module})")),
        TableKind::Shadow { of: Some(of) } => parts.push(format!("shadow table of {of}")),
        TableKind::Shadow { of: None } => parts.push("shadow table".to_owned()),
        _ => {}
    }
    for (is, word) in [
        (table.strict, "strict"),
        (table.without_rowid, "without rowid"),
        (table.primary_key.as_ref().is_some_and(|key| key.autoincrement), "autoincrement"),
    ] {
        if is {
            parts.push(word.to_owned());
        }
    }
    parts.join(", ")
}

fn what_view(view: &View, rows: Option<u64>) -> String {
    match (&view.broken, rows) {
        (Some(reason), _) => format!("broken view ({reason})"),
        (None, Some(_)) => format!("view, {}", rows_in_words(rows)),
        (None, None) => "view".to_owned(),
    }
}

fn rows_in_words(rows: Option<u64>) -> String {
    match rows {
        Some(1) => "1 row".to_owned(),
        Some(rows) => format!("{} rows", grouped(rows)),
        None => "rows unknown".to_owned(),
    }
}

/// One table or view, with its first rows if there are some to show.
pub(super) fn one(detail: &Detail) -> String {
    let triggers: Vec<&Trigger> = detail.triggers.iter().collect();
    let seen_from = |reference: &Reference| {
        seen(&reference.table, &reference.columns, &reference.parent_columns, &reference.on_delete)
    };
    let mut text = match &detail.object {
        Object::Table(table) => {
            let references: Vec<String> = detail.referenced_by.iter().map(seen_from).collect();
            of_table(table, detail.size, &references, &triggers)
        }
        Object::View(view) => of_view(view, detail.size.rows, &triggers),
    };
    if let Some(sample) = &detail.sample {
        text.push('\n');
        text.push_str(&rows(sample));
    }
    text
}

fn seen(child: &str, columns: &[String], parent_columns: &[String], on_delete: &str) -> String {
    format!("{child} ({}) → ({}){}", columns.join(", "), parent_columns.join(", "), action("delete", on_delete))
}

fn action(on: &str, action: &str) -> String {
    if action == "NO ACTION" { String::new() } else { format!("  on {on} {}", action.to_lowercase()) }
}

fn title(name: &str, what: &str) -> String {
    let (name, what) = (harmless(name, false), harmless(what, false));
    let room = screen_width().saturating_sub(what.width() + 2).max(20);
    format!("{TITLE}{}{TITLE:#}: {what}\n", shortened(&name, room))
}

fn of_table(table: &SchemaTable, size: Size, references: &[String], triggers: &[&Trigger]) -> String {
    let mut text = title(&table.name, &what_table(table, size));
    if let Some(reason) = &table.broken {
        let _ = writeln!(text, "  {ERROR}broken:{ERROR:#} {}", harmless(reason, false));
    }
    text.push_str(&columns(table));
    let checks = table.columns.iter().flat_map(|column| &column.checks).chain(&table.checks);
    text.push_str(&part(
        "checks",
        checks.map(|check| {
            let expression = in_one_line(check.expression.text());
            check.name.as_ref().map_or(expression.clone(), |name| format!("{name}: {expression}"))
        }),
    ));
    text.push_str(&part(
        "foreign keys",
        table.foreign_keys.iter().map(|key| {
            let deferred = if key.deferral == lifeboat::schema::Deferral::Deferred { "  deferred" } else { "" };
            let parent = if key.parent_columns.is_empty() {
                String::new()
            } else {
                format!(" ({})", key.parent_columns.join(", "))
            };
            let (delete, update) = (action("delete", &key.on_delete), action("update", &key.on_update));
            format!("({}) → {}{parent}{delete}{update}{deferred}", key.columns.join(", "), key.parent)
        }),
    ));
    text.push_str(&part("referenced by", references.iter().cloned()));
    text.push_str(&part(
        "indexes",
        table.indexes.iter().filter(|index| !(table.without_rowid && index.origin == Origin::PrimaryKey)).map(index),
    ));
    if let TableKind::Virtual { arguments, .. } = &table.kind {
        text.push_str(&part("made with", arguments.iter().map(|argument| in_one_line(argument.text()))));
    }
    text.push_str(&trigger_part(triggers));
    text
}

fn trigger_part(triggers: &[&Trigger]) -> String {
    part(
        "triggers",
        triggers.iter().map(|trigger| {
            let when = trigger.condition.as_ref().map(|condition| format!(" WHEN {}", in_one_line(condition.text())));
            format!("{}  {}{}", trigger.name, trigger.fires, when.unwrap_or_default())
        }),
    )
}

fn index(index: &Index) -> String {
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|column| {
            let expression = column.expression.as_ref().map(|sql| in_one_line(sql.text()));
            let mut text = column.column.clone().or(expression).unwrap_or_else(|| "?".to_owned());
            text.push_str(
                &column.collation.as_ref().map_or_else(String::new, |name| format!(" collate {}", name.to_lowercase())),
            );
            text.push_str(if column.descending { " desc" } else { "" });
            text
        })
        .collect();
    let what = match (index.origin, index.unique) {
        (Origin::Created, false) => format!("{} ", index.name),
        (Origin::Created, true) => format!("{} unique ", index.name),
        (Origin::PrimaryKey, _) => "primary key ".to_owned(),
        _ => "unique ".to_owned(),
    };
    let partial = index.partial.as_ref().map(|sql| format!(" where {}", in_one_line(sql.text())));
    format!("{what}({}){}", columns.join(", "), partial.unwrap_or_default())
}

fn columns(table: &SchemaTable) -> String {
    let mut rows = Table::new(&[
        ("column", Set::Left),
        ("type", Set::Left),
        ("null", Set::Left),
        ("key", Set::Left),
        ("default", Set::Left),
    ]);
    for column in &table.columns {
        let default = match (&column.generated, &column.default) {
            (Some(generated), _) => {
                let expression = generated.expression.as_ref().map_or("?", |expression| expression.text());
                format!("= {}", in_one_line(expression))
            }
            (None, Some(default)) => in_one_line(default.text()),
            (None, None) => String::new(),
        };
        rows.add([
            Cell::new(&column.name),
            Cell::faint(column.declared_type.as_ref().map_or_else(String::new, |name| in_one_line(name.text()))),
            Cell::new(if column.not_null { "no" } else { "" }),
            Cell::new(notes(table, column)),
            Cell::new(default),
        ]);
    }
    rows.text(2, screen_width())
}

fn notes(table: &SchemaTable, column: &Column) -> String {
    let mut notes = Vec::new();
    let keys = table.primary_key.as_ref().map_or(0, |key| key.columns.len());
    match column.primary_key {
        Some(_) if keys == 1 => notes.push("primary key".to_owned()),
        Some(place) => notes.push(format!("primary key {place}")),
        None if table.is_unique(std::slice::from_ref(&column.name)) => notes.push("unique".to_owned()),
        None => {}
    }
    notes.extend(column.collation.as_ref().map(|name| name.to_lowercase()));
    if let Some(generated) = &column.generated {
        notes.push(if generated.stored { "stored" } else { "virtual" }.to_owned());
    }
    if column.hidden {
        notes.push("hidden".to_owned());
    }
    for key in table
        .foreign_keys
        .iter()
        .filter(|key| key.columns.len() == 1 && key.columns[0].eq_ignore_ascii_case(&column.name))
    {
        notes.push(format!("→ {}", key.parent));
    }
    notes.join(", ")
}

fn of_view(view: &View, rows: Option<u64>, triggers: &[&Trigger]) -> String {
    let mut text = title(&view.name, &what_view(view, rows));
    let mut columns = Table::new(&[("column", Set::Left), ("type", Set::Left)]);
    for column in &view.columns {
        let declared_type = column.declared_type.as_ref().map_or_else(String::new, |name| in_one_line(name.text()));
        columns.add([Cell::new(&column.name), Cell::faint(declared_type)]);
    }
    text.push_str(&columns.text(2, screen_width()));
    text.push_str(&trigger_part(triggers));
    text
}

/// A title and its lines, if there are any.
fn part(name: &str, lines: impl Iterator<Item = String>) -> String {
    let room = screen_width().saturating_sub(4);
    let lines: Vec<String> = lines.map(|line| format!("    {}\n", shortened(&harmless(&line, false), room))).collect();
    if lines.is_empty() { String::new() } else { format!("  {FAINT}{name}{FAINT:#}\n{}", lines.concat()) }
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first rows: side by side where they fit, else each value in a line of its own.
fn rows(sample: &Sample) -> String {
    if sample.rows.is_empty() {
        return format!("  {FAINT}no rows{FAINT:#}\n");
    }
    let width = screen_width();
    let columns = sample.columns.len();
    // Ten characters a column tell something; fewer do not.
    if columns * 12 <= width {
        let widths = width / columns.max(1);
        let mut text = String::new();
        let mut table = Table::new(&vec![("", Set::Left); columns]);
        table.add(sample.columns.iter().map(Cell::faint));
        for row in &sample.rows {
            table.add(row.iter().map(|value| cell(value, widths.max(60))));
        }
        text.push_str(&table.text(2, width));
        return text;
    }
    let mut text = String::new();
    for (at, row) in sample.rows.iter().enumerate() {
        let _ = writeln!(text, "  {FAINT}row {}{FAINT:#}", at + 1);
        let mut table = Table::new(&[("", Set::Left), ("", Set::Left)]);
        for (name, value) in sample.columns.iter().zip(row) {
            table.add([Cell::faint(shortened(name, 24)), cell(value, width)]);
        }
        text.push_str(&table.text(4, width));
    }
    text
}

pub(super) fn cell(value: &Value, width: usize) -> Cell {
    match value {
        Value::Integer(number) => Cell::new(number.to_string()),
        Value::Real(number) => Cell::new(format!("{number:?}")),
        Value::Text { start, characters } => {
            let cut = if *characters > start.chars().count() { "…" } else { "" };
            Cell::new(shortened(&harmless(&format!("{start}{cut}"), false), width))
        }
        Value::Blob { start, bytes } => {
            let hex: String = start.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            let more = if *bytes > 8 { "…" } else { "" };
            let size = counted(*bytes, "byte", "bytes");
            Cell::styled(format!("{size} {hex}{more}").trim_end(), WARNING)
        }
        _ => Cell::faint("null"),
    }
}
