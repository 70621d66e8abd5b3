//! Reads a schema: the engine is asked for what it knows, and the stored text for what it does not tell.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row};

use super::declaration::{self, Clause, Declaration, IndexDeclaration};
use super::model::{
    Check, Column, Deferral, ForeignKey, Generated, Index, IndexColumn, Origin, Owner, PrimaryKey, Schema, Spelling,
    Sql, Table, TableKind, Trigger, View, ViewColumn,
};

/// An object as SQLite keeps it.
struct Object {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

/// What `PRAGMA table_list` says of a table.
#[derive(Default)]
struct Listed {
    kind: String,
    without_rowid: bool,
    strict: bool,
}

/// Reads the schema of the main database. `ours` are the tables in which migrations are written down.
pub(crate) fn read_schema(connection: &Connection, ours: &[&str]) -> rusqlite::Result<Schema> {
    let objects = rows(connection, "SELECT type, name, tbl_name, sql FROM main.sqlite_schema", "", |row| {
        Ok(Object { kind: text(row, 0)?, name: text(row, 1)?, table: text(row, 2)?, sql: optional(row, 3)? })
    })?;
    let listed: BTreeMap<String, Listed> =
        rows(connection, "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'", "", |row| {
            Ok((text(row, 0)?, Listed { kind: text(row, 1)?, without_rowid: row.get(2)?, strict: row.get(3)? }))
        })?
        .into_iter()
        .collect();
    let virtual_tables: BTreeSet<&str> =
        listed.iter().filter(|(_, listed)| listed.kind == "virtual").map(|(name, _)| name.as_str()).collect();
    let mut indexes: BTreeMap<&str, &str> = BTreeMap::new();
    for index in objects.iter().filter(|object| object.kind == "index") {
        indexes.extend(index.sql.as_deref().map(|sql| (index.name.as_str(), sql)));
    }
    let mut schema = Schema::default();
    for object in &objects {
        let sql = object.sql.clone().unwrap_or_default();
        match object.kind.as_str() {
            "table" => {
                let nothing = Listed::default();
                let listed = listed.get(&object.name).unwrap_or(&nothing);
                schema.tables.push(table(connection, object, listed, &virtual_tables, &indexes, ours)?);
            }
            "view" => schema.views.push(view(connection, &object.name, sql)?),
            "trigger" => {
                let definition = declaration::behind_name(&sql, "trigger").unwrap_or_else(|| Sql::new(sql.as_str()));
                let (fires, condition) = declaration::trigger(definition.text());
                let (name, table, sql) = (object.name.clone(), object.table.clone(), Spelling(Some(sql)));
                schema.triggers.push(Trigger { name, table, fires, condition, definition, sql });
            }
            _ => {}
        }
    }
    schema.tables.sort_by(|a, b| a.name.cmp(&b.name));
    schema.views.sort_by(|a, b| a.name.cmp(&b.name));
    schema.triggers.sort_by(|a, b| a.name.cmp(&b.name));
    resolve_parents(&mut schema);
    Ok(schema)
}

fn table(
    connection: &Connection,
    object: &Object,
    listed: &Listed,
    virtual_tables: &BTreeSet<&str>,
    indexes: &BTreeMap<&str, &str>,
    ours: &[&str],
) -> rusqlite::Result<Table> {
    let name = object.name.clone();
    let sql = object.sql.clone().unwrap_or_default();
    let kind = match listed.kind.as_str() {
        "virtual" => {
            let (module, arguments) = declaration::module(&sql);
            TableKind::Virtual { module, arguments }
        }
        "shadow" => {
            let is_of = |owner: &&&str| name.strip_prefix(**owner).is_some_and(|rest| rest.starts_with('_'));
            TableKind::Shadow {
                of: virtual_tables.iter().filter(is_of).max_by_key(|o| o.len()).map(|o| (*o).to_owned()),
            }
        }
        _ => TableKind::Ordinary,
    };
    let owner = if name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_")) {
        Owner::Sqlite
    } else if ours.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
        Owner::Lifeboat
    } else {
        Owner::App
    };
    let mut table = Table {
        strict: listed.strict,
        without_rowid: listed.without_rowid,
        columns: Vec::new(),
        primary_key: None,
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
        broken: None,
        opaque: None,
        sql: Spelling(object.sql.clone()),
        name,
        kind,
        owner,
    };
    match columns(connection, &table.name) {
        Ok(columns) => table.columns = columns,
        Err(error) => table.broken = Some(reason(error)?),
    }
    if matches!(table.kind, TableKind::Virtual { .. }) {
        return Ok(table);
    }
    let mut keyed: Vec<&Column> = table.columns.iter().filter(|column| column.primary_key.is_some()).collect();
    keyed.sort_by_key(|column| column.primary_key);
    if !keyed.is_empty() {
        let columns = keyed.iter().map(|column| column.name.clone()).collect();
        let autoincrement = keyed.len() == 1 && is_autoincrement(connection, &table.name, &keyed[0].name);
        table.primary_key = Some(PrimaryKey { name: None, columns, autoincrement, on_conflict: None });
    }
    table.indexes = read_indexes(connection, &table.name, indexes)?;
    table.foreign_keys = foreign_keys(connection, &table.name)?;
    match Declaration::read(&sql).filter(|declaration| fits(declaration, &table)) {
        Some(declaration) => declare(&mut table, declaration),
        None => table.opaque = Some(Sql::new(sql)),
    }
    Ok(table)
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    const SQL: &str = "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')";
    let mut columns = rows(connection, SQL, table, |row| {
        let hidden: i64 = row.get(5)?;
        let generated = matches!(hidden, 2 | 3).then_some(Generated { stored: hidden == 3, expression: None });
        Ok(Column {
            name: text(row, 0)?,
            declared_type: optional(row, 1)?.filter(|name| !name.is_empty()).map(Sql::new),
            not_null: row.get(2)?,
            not_null_conflict: None,
            default: optional(row, 3)?.map(Sql::new),
            collation: None,
            primary_key: usize::try_from(row.get::<_, i64>(4)?).ok().filter(|place| *place > 0),
            generated,
            hidden: hidden == 1,
            checks: Vec::new(),
            comment: Spelling::default(),
        })
    })?;
    for column in &mut columns {
        let facts = connection.column_metadata(Some("main"), table, column.name.as_str());
        let collation = facts.ok().and_then(|(_, collation, ..)| Some(collation?.to_string_lossy().into_owned()));
        column.collation = collation.and_then(unless_binary);
    }
    Ok(columns)
}

fn is_autoincrement(connection: &Connection, table: &str, column: &str) -> bool {
    connection.column_metadata(Some("main"), table, column).is_ok_and(|(.., autoincrement)| autoincrement)
}

fn unless_binary(collation: String) -> Option<String> {
    (!collation.is_empty() && !collation.eq_ignore_ascii_case("binary")).then_some(collation)
}

fn read_indexes(connection: &Connection, table: &str, texts: &BTreeMap<&str, &str>) -> rusqlite::Result<Vec<Index>> {
    const LIST: &str = "SELECT name, \"unique\", origin FROM pragma_index_list(?1, 'main')";
    const PARTS: &str = "SELECT cid, name, \"desc\", coll FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno";
    let list = rows(connection, LIST, table, |row| Ok((text(row, 0)?, row.get::<_, bool>(1)?, text(row, 2)?)))?;
    let mut indexes = Vec::new();
    for (name, unique, origin) in list {
        let sql = texts.get(name.as_str()).map(|sql| (*sql).to_owned());
        let said = sql.as_deref().and_then(IndexDeclaration::read);
        let mut columns = rows(connection, PARTS, &name, |row| {
            // A column that is none is the rowid (-1) or an expression (-2).
            let column = if row.get::<_, i64>(0)? == -1 { Some("rowid".to_owned()) } else { optional(row, 1)? };
            let collation = optional(row, 3)?.and_then(unless_binary);
            Ok(IndexColumn { column, expression: None, descending: row.get(2)?, collation })
        })?;
        let parts = said.as_ref().map_or_else(Vec::new, |said| said.parts.clone());
        for (column, part) in columns.iter_mut().zip(parts) {
            if column.column.is_none() {
                column.expression = Some(part);
            }
        }
        let origin = match origin.as_str() {
            "u" => Origin::Unique,
            "pk" => Origin::PrimaryKey,
            _ => Origin::Created,
        };
        let partial = said.and_then(|said| said.partial);
        let sql = Spelling(sql);
        indexes.push(Index { name, unique, origin, columns, partial, constraint: None, on_conflict: None, sql });
    }
    // Of those that constraints made, the name says only which came first.
    let key = |index: &Index| match index.origin {
        Origin::Created => (index.origin, index.name.clone(), Vec::new()),
        _ => (index.origin, String::new(), index.columns.iter().map(|column| column.column.clone()).collect()),
    };
    indexes.sort_by_key(key);
    Ok(indexes)
}

fn foreign_keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ForeignKey>> {
    const SQL: &str =
        "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main')
                       ORDER BY id, seq";
    let parts = rows(connection, SQL, table, |row| {
        let id: i64 = row.get(0)?;
        Ok((id, text(row, 1)?, text(row, 2)?, optional(row, 3)?, text(row, 4)?, text(row, 5)?))
    })?;
    let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    for (id, parent, from, to, on_update, on_delete) in parts {
        let key = keys.entry(id).or_insert_with(|| ForeignKey {
            name: None,
            columns: Vec::new(),
            parent,
            parent_columns: Vec::new(),
            on_delete,
            on_update,
            match_name: None,
            deferral: Deferral::Immediate,
        });
        key.columns.push(from);
        key.parent_columns.extend(to);
    }
    // SQLite lists the last one first.
    Ok(keys.into_values().rev().collect())
}

/// Whether the text was taken apart into what the engine knows.
fn fits(declaration: &Declaration, table: &Table) -> bool {
    let all = || declaration.columns.iter().flat_map(|column| &column.clauses).chain(&declaration.clauses);
    let keys = all().filter(|clause| matches!(clause, Clause::ForeignKey { .. })).count();
    let same_names = declaration.columns.len() == table.columns.len()
        && declaration.columns.iter().zip(&table.columns).all(|(a, b)| a.name.eq_ignore_ascii_case(&b.name));
    let generated =
        |column: &declaration::ColumnClause| column.clauses.iter().any(|clause| matches!(clause, Clause::Generated(_)));
    let same_generated =
        declaration.columns.iter().zip(&table.columns).all(|(a, b)| generated(a) == b.generated.is_some());
    keys == table.foreign_keys.len() && same_names && same_generated
}

/// Adds what the text says.
fn declare(table: &mut Table, declaration: Declaration) {
    let mut keys = 0;
    for (at, said) in declaration.columns.into_iter().enumerate() {
        table.columns[at].comment = Spelling(said.comment);
        for clause in said.clauses {
            match clause {
                Clause::NotNull { on_conflict } => table.columns[at].not_null_conflict = on_conflict,
                Clause::Check(check) => table.columns[at].checks.push(check),
                Clause::Generated(expression) => {
                    table.columns[at].generated.iter_mut().for_each(|g| g.expression = Some(expression.clone()));
                }
                Clause::Unique { name, on_conflict, .. } => {
                    let column = table.columns[at].name.clone();
                    constrain(table, Clause::Unique { name, columns: vec![column], on_conflict }, &mut keys);
                }
                other => constrain(table, other, &mut keys),
            }
        }
    }
    for clause in declaration.clauses {
        constrain(table, clause, &mut keys);
    }
}

fn constrain(table: &mut Table, clause: Clause, keys: &mut usize) {
    match clause {
        Clause::PrimaryKey { name, on_conflict, autoincrement } => {
            if let Some(key) = &mut table.primary_key {
                (key.name, key.on_conflict) = (name, on_conflict);
                key.autoincrement |= autoincrement;
            }
        }
        Clause::Unique { name, columns, on_conflict } => {
            let is_it = |index: &&mut Index| {
                index.origin == Origin::Unique
                    && index.columns.len() == columns.len()
                    && index
                        .columns
                        .iter()
                        .zip(&columns)
                        .all(|(a, b)| a.column.as_deref().is_some_and(|column| column.eq_ignore_ascii_case(b)))
            };
            if let Some(index) = table.indexes.iter_mut().find(is_it) {
                (index.constraint, index.on_conflict) = (name, on_conflict);
            }
        }
        Clause::Check(check) => table.checks.push(Check { ..check }),
        Clause::ForeignKey { name, match_name, deferral } => {
            if let Some(key) = table.foreign_keys.get_mut(*keys) {
                (key.name, key.match_name, key.deferral) = (name, match_name, deferral);
            }
            *keys += 1;
        }
        Clause::NotNull { .. } | Clause::Generated(_) => {}
    }
}

fn view(connection: &Connection, name: &str, sql: String) -> rusqlite::Result<View> {
    const SQL: &str = "SELECT name, type FROM pragma_table_xinfo(?1, 'main')";
    let columns = rows(connection, SQL, name, |row| {
        let declared_type = optional(row, 1)?.filter(|name| !name.is_empty()).map(Sql::new);
        Ok(ViewColumn { name: text(row, 0)?, declared_type })
    });
    // The pragma is content with less than a query is.
    let works = connection.prepare(&format!("SELECT * FROM main.\"{}\"", name.replace('"', "\"\""))).map(drop);
    let (columns, broken) = match works.and(columns) {
        Ok(columns) => (columns, None),
        Err(error) => (Vec::new(), Some(reason(error)?)),
    };
    let definition = declaration::behind_name(&sql, "view").unwrap_or_else(|| Sql::new(sql.as_str()));
    Ok(View { name: name.to_owned(), columns, definition, broken, sql: Spelling(Some(sql)) })
}

/// What SQLite has against an object, where it is the object and not the file.
fn reason(error: rusqlite::Error) -> rusqlite::Result<String> {
    if crate::file::is_about_sql(&error) { Ok(crate::error::SqliteCause::from(&error).message) } else { Err(error) }
}

/// Names and keys as the parents have them.
fn resolve_parents(schema: &mut Schema) {
    let parents: BTreeMap<String, (String, Vec<String>, Vec<String>)> = schema
        .tables
        .iter()
        .map(|table| {
            let key = table.primary_key.as_ref().map(|key| key.columns.clone()).unwrap_or_default();
            let columns = table.columns.iter().map(|column| column.name.clone()).collect();
            (table.name.to_ascii_lowercase(), (table.name.clone(), key, columns))
        })
        .collect();
    for key in schema.tables.iter_mut().flat_map(|table| &mut table.foreign_keys) {
        let Some((name, primary_key, columns)) = parents.get(&key.parent.to_ascii_lowercase()) else { continue };
        key.parent.clone_from(name);
        if key.parent_columns.is_empty() {
            key.parent_columns.clone_from(primary_key);
        }
        for column in &mut key.parent_columns {
            if let Some(own) = columns.iter().find(|own| own.eq_ignore_ascii_case(column)) {
                column.clone_from(own);
            }
        }
    }
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    argument: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    let arguments: &[&str] = if sql.contains("?1") { &[argument] } else { &[] };
    statement.query_map(rusqlite::params_from_iter(arguments), read)?.collect()
}

/// Text, as near to it as it comes: a name in a file may be no UTF-8.
fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    Ok(optional(row, at)?.unwrap_or_default())
}

fn optional(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(at)? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    })
}
