//! Whether schema and keys allow it, and what is to be written. Pure, but for asking for collations.

use std::path::Path;

use super::report::TableRows;
use crate::error::Problem;
use crate::ops::compare::{Identity, Layout, is_rowid_alias};
use crate::ops::inspect::no_such_table;
use crate::schema::{Column, Owner, Schema, Table, TableKind};

/// What is to be written.
#[derive(Debug)]
pub(super) struct Plan {
    /// The table's names here and in the copy.
    pub(super) table: String,
    pub(super) table_in_copy: String,
    pub(super) layout: Layout,
    /// The columns that are written, here and in the copy.
    pub(super) columns: Vec<(String, String)>,
    /// What names the rowid here and in the copy, where it is brought back too without being a column.
    pub(super) rowid: Option<(&'static str, &'static str)>,
    /// Columns that only the table here has.
    pub(super) own_columns: Vec<String>,
    pub(super) left_out: Vec<String>,
    pub(super) silenced: Vec<String>,
    /// Full-text tables over this one.
    pub(super) indexes: Vec<String>,
    pub(super) autoincrement: bool,
}

/// The file that is written and the copy.
pub(super) struct Both<'a> {
    pub(super) live: (&'a Schema, &'a Path),
    pub(super) copy: (&'a Schema, &'a Path),
}

impl Both<'_> {
    pub(super) fn plan(
        &self,
        name: &str,
        rows: TableRows,
        layout: impl FnOnce(&Table, &Table) -> Result<Layout, Problem>,
    ) -> Result<Plan, Problem> {
        let refused = |why: String| Problem::TableRefused { copy: self.copy.1.to_owned(), table: name.to_owned(), why };
        let live = self.find(self.live, name, &refused)?;
        let copy = self.find(self.copy, name, &refused)?;
        for table in [live, copy] {
            if let Some(why) = is_none_of_the_apps(table) {
                return Err(refused(why));
            }
        }
        let layout = layout(live, copy)?;
        if layout.identity == Identity::Content {
            match (keys(live), keys(copy)) {
                (None, None) => {}
                (one, other) => return Err(refused(format!("it has {} here, and {} there", said(one), said(other)))),
            }
            if rows == TableRows::Missing {
                return Err(refused("it has no primary key that tells which rows are missing".to_owned()));
            }
        }
        let mut columns = Vec::new();
        let mut own_columns = Vec::new();
        for column in live.columns.iter().filter(|column| column.generated.is_none()) {
            match copy.column(&column.name) {
                Some(other) => columns.push((column.name.clone(), other.name.clone())),
                None if needs_value(column) => {
                    return Err(refused(format!(
                        "its column `{}` must not be null, has no default, and is not in the copy",
                        column.name
                    )));
                }
                None => own_columns.push(column.name.clone()),
            }
        }
        if columns.is_empty() {
            return Err(refused("no column of it is in both".to_owned()));
        }
        if layout.identity == Identity::Content && !own_columns.is_empty() {
            let list = own_columns.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(refused(format!("it has no primary key that tells in which rows the values of {list} belong")));
        }
        let left_out = copy.columns.iter().filter(|column| column.generated.is_none());
        let left_out = left_out.filter(|column| live.column(&column.name).is_none_or(|own| own.generated.is_some()));
        let (silenced, indexes) = self.triggers(&live.name, &refused)?;
        Ok(Plan {
            table: live.name.clone(),
            table_in_copy: copy.name.clone(),
            columns,
            // Without one of its own a row is referred to by it, from a full-text index, say. Beside rows that stay it
            // may be taken.
            rowid: if rows == TableRows::All && !is_rowid_alias(live) {
                rowid_of(live).zip(rowid_of(copy))
            } else {
                None
            },
            own_columns,
            left_out: left_out.map(|column| column.name.clone()).collect(),
            silenced,
            indexes,
            autoincrement: live.primary_key.as_ref().is_some_and(|key| key.autoincrement),
            layout,
        })
    }

    fn find<'s>(
        &self,
        (schema, path): (&'s Schema, &Path),
        name: &str,
        refused: &impl Fn(String) -> Problem,
    ) -> Result<&'s Table, Problem> {
        match (schema.table(name), schema.view(name)) {
            (Some(table), _) => Ok(table),
            (None, Some(_)) => Err(refused("it is a view, which has no rows of its own".to_owned())),
            (None, None) => Err(no_such_table(schema, path, name)),
        }
    }

    /// Its triggers do not fire: what they once did is in the copy too, or in other tables, which stay as they are. But an
    /// index that they keep would no longer agree with the rows.
    fn triggers(
        &self,
        table: &str,
        refused: &impl Fn(String) -> Problem,
    ) -> Result<(Vec<String>, Vec<String>), Problem> {
        let schema = self.live.0;
        let mut indexes = Vec::new();
        for other in &schema.tables {
            let TableKind::Virtual { module, arguments } = &other.kind else { continue };
            let is_over = ["fts4", "fts5"].iter().any(|known| module.eq_ignore_ascii_case(known))
                && arguments.iter().any(|argument| is_content_of(argument.text(), table));
            let writes = |trigger: &&crate::schema::Trigger| names(trigger.definition.text(), &other.name);
            match schema.triggers_on(table).find(writes) {
                _ if is_over => indexes.push(other.name.clone()),
                Some(trigger) => {
                    return Err(refused(format!(
                        "its trigger `{}` keeps `{}`, which would no longer agree with it",
                        trigger.name, other.name
                    )));
                }
                None => {}
            }
        }
        Ok((schema.triggers_on(table).map(|trigger| trigger.name.clone()).collect(), indexes))
    }
}

fn is_none_of_the_apps(table: &Table) -> Option<String> {
    match (&table.kind, table.owner) {
        (_, Owner::Lifeboat) => Some("migrations are written down in it, and it goes with the whole file".to_owned()),
        (_, Owner::Sqlite) => Some("it is SQLite's own".to_owned()),
        (TableKind::Shadow { .. }, _) => Some("it is a part of a virtual table".to_owned()),
        (TableKind::Virtual { module, .. }, _) => Some(format!("it is a virtual table, and `{module}` keeps its rows")),
        _ => table.broken.clone(),
    }
}

fn keys(table: &Table) -> Option<&[String]> {
    table.primary_key.as_ref().map(|key| key.columns.as_slice()).filter(|key| !key.is_empty())
}

fn said(key: Option<&[String]>) -> String {
    key.map_or_else(|| "no primary key".to_owned(), |key| format!("the primary key ({})", key.join(", ")))
}

fn needs_value(column: &Column) -> bool {
    let no_default = column.default.as_ref().is_none_or(|default| default.text().eq_ignore_ascii_case("null"));
    column.not_null && no_default
}

/// One of the names of the rowid that no column bears.
fn rowid_of(table: &Table) -> Option<&'static str> {
    if table.without_rowid {
        return None;
    }
    ["rowid", "_rowid_", "oid"].into_iter().find(|name| table.column(name).is_none())
}

/// `content='notes'` and its like among the arguments of a full-text table.
fn is_content_of(argument: &str, table: &str) -> bool {
    let Some((option, value)) = argument.split_once('=') else { return false };
    let value = value.trim();
    let inner = ["''", "\"\"", "``", "[]"].iter().find_map(|quotes| {
        let (open, close) = quotes.split_at(1);
        value.strip_prefix(open)?.strip_suffix(close)
    });
    option.trim().eq_ignore_ascii_case("content") && inner.unwrap_or(value).eq_ignore_ascii_case(table)
}

/// Whether a text of SQL has this name in it, in quotes or not. In a comment it counts too: better once too often.
fn names(sql: &str, name: &str) -> bool {
    let (sql, name) = (sql.to_ascii_lowercase(), name.to_ascii_lowercase());
    let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    sql.match_indices(&name)
        .any(|(at, found)| !is_part(sql[..at].chars().next_back()) && !is_part(sql[at + found.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_of_a_full_text_table_is_read_in_any_quotes() {
        for argument in ["content='notes'", "content = \"Notes\"", "CONTENT=notes", "content=[notes]"] {
            assert!(is_content_of(argument, "notes"), "{argument}");
        }
        for argument in ["content=''", "content_rowid='notes'", "notes", "tokenize='notes'"] {
            assert!(!is_content_of(argument, "notes"), "{argument}");
        }
    }

    #[test]
    fn a_name_is_found_as_a_whole() {
        assert!(names("INSERT INTO \"Search\"(x) VALUES (1)", "search"));
        assert!(names("insert into search select 1", "search"));
        assert!(!names("insert into research select my_search", "search"));
    }
}
