//! What a picture shows: a box for each table and view of the app, and a line for each foreign key.

use crate::schema::model::{Schema, Table, TableKind};

/// A table with more columns than this shows its keys and the first others.
const ROWS_SHOWN: usize = 48;

/// How a box is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Table,
    /// A virtual table or a view.
    Derived,
    /// A table that a foreign key refers to, and that is not there.
    Missing,
}

/// A box.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) name: String,
    /// What it is, where it is no plain table.
    pub(super) note: Option<String>,
    pub(super) shape: Shape,
    pub(super) rows: Vec<Row>,
    /// The columns that are not shown.
    pub(super) more: usize,
}

/// A column in a box.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) declared_type: String,
    pub(super) not_null: bool,
    pub(super) primary: bool,
    pub(super) foreign: bool,
    pub(super) unique: bool,
}

/// A foreign key: from a row of the child to one of the parent, by their places.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) child: usize,
    pub(super) child_row: Option<usize>,
    pub(super) parent: usize,
    pub(super) parent_row: Option<usize>,
    pub(super) columns: Vec<String>,
    /// No two children have the same parent.
    pub(super) single: bool,
    /// Every child has a parent.
    pub(super) mandatory: bool,
}

/// The boxes and lines of a schema.
#[derive(Debug, Default)]
pub(super) struct Entities {
    pub(super) boxes: Vec<Entity>,
    pub(super) relations: Vec<Relation>,
}

impl Entities {
    pub(super) fn of(schema: &Schema) -> Self {
        let mut entities = Entities::default();
        let own: Vec<&Table> = schema.tables.iter().filter(|table| table.is_apps_own()).collect();
        for table in &own {
            entities.boxes.push(of_table(table));
        }
        for table in &own {
            for key in &table.foreign_keys {
                let child = entities.place(&table.name);
                let parent = entities.place_or_missing(&key.parent);
                let row = |at: usize, columns: &[String]| {
                    let first = columns.first()?;
                    entities.boxes[at].rows.iter().position(|row| row.name.eq_ignore_ascii_case(first))
                };
                let not_null = |name: &String| {
                    table.column(name).is_some_and(|column| column.not_null || column.primary_key.is_some())
                };
                let relation = Relation {
                    child_row: child.and_then(|child| row(child, &key.columns)),
                    parent_row: row(parent, &key.parent_columns),
                    child: child.unwrap_or(parent),
                    parent,
                    columns: key.columns.clone(),
                    single: table.is_unique(&key.columns),
                    mandatory: key.columns.iter().all(not_null),
                };
                entities.relations.push(relation);
            }
        }
        for view in &schema.views {
            let row = |column: &crate::schema::model::ViewColumn| Row {
                name: column.name.clone(),
                declared_type: column.declared_type.as_ref().map(ToString::to_string).unwrap_or_default(),
                not_null: false,
                primary: false,
                foreign: false,
                unique: false,
            };
            let note = if view.broken.is_some() { "broken view" } else { "view" };
            let rows = view.columns.iter().take(ROWS_SHOWN).map(row).collect();
            entities.boxes.push(Entity {
                name: view.name.clone(),
                note: Some(note.to_owned()),
                shape: Shape::Derived,
                rows,
                more: view.columns.len().saturating_sub(ROWS_SHOWN),
            });
        }
        entities
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.boxes.iter().position(|entity| entity.name.eq_ignore_ascii_case(name))
    }

    fn place_or_missing(&mut self, name: &str) -> usize {
        self.place(name).unwrap_or_else(|| {
            self.boxes.push(Entity {
                name: name.to_owned(),
                note: Some("missing".to_owned()),
                shape: Shape::Missing,
                rows: Vec::new(),
                more: 0,
            });
            self.boxes.len() - 1
        })
    }
}

fn of_table(table: &Table) -> Entity {
    let is_foreign = |name: &str| {
        table.foreign_keys.iter().any(|key| key.columns.iter().any(|column| column.eq_ignore_ascii_case(name)))
    };
    let rows: Vec<Row> = table
        .columns
        .iter()
        .filter(|column| !column.hidden)
        .map(|column| Row {
            name: column.name.clone(),
            declared_type: column.declared_type.as_ref().map(|name| in_one_line(name.text())).unwrap_or_default(),
            not_null: column.not_null || column.primary_key.is_some(),
            primary: column.primary_key.is_some(),
            foreign: is_foreign(&column.name),
            unique: table.primary_key.as_ref().is_none_or(|key| key.columns != [column.name.clone()])
                && table.is_unique(std::slice::from_ref(&column.name)),
        })
        .collect();
    let (note, shape) = match &table.kind {
        TableKind::Virtual { module, .. } => (Some(module.clone()), Shape::Derived),
        _ => (None, Shape::Table),
    };
    let all = rows.len();
    let keys = rows.iter().filter(|row| row.primary || row.foreign).count();
    let mut room = ROWS_SHOWN.saturating_sub(keys);
    let rows: Vec<Row> = rows
        .into_iter()
        .filter(|row| {
            let is_key = row.primary || row.foreign;
            let shown = is_key || room > 0;
            room -= usize::from(shown && !is_key);
            shown
        })
        .collect();
    Entity { name: table.name.clone(), note, shape, more: all - rows.len(), rows }
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
