//! A schema as an entity-relationship diagram of Mermaid (<https://mermaid.js.org/syntax/entityRelationshipDiagram.html>).

use std::collections::BTreeSet;
use std::fmt::Write;

use super::entities::{Entities, Entity, Row};
use crate::schema::model::Schema;

impl Schema {
    /// The app's tables and views and their foreign keys as a Mermaid `erDiagram`. What Mermaid takes for no name is
    /// shown as near to it as it comes.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let entities = Entities::of(self);
        let mut text = String::from("erDiagram\n");
        let names = names(&entities.boxes);
        for (entity, name) in entities.boxes.iter().zip(&names) {
            let label = match &entity.note {
                Some(note) => format!("[\"{} ({})\"]", quoted(&entity.name), quoted(note)),
                None if *name != entity.name => format!("[\"{}\"]", quoted(&entity.name)),
                None => String::new(),
            };
            if entity.rows.is_empty() {
                let _ = writeln!(text, "    {name}{label}");
                continue;
            }
            let _ = writeln!(text, "    {name}{label} {{");
            entity.rows.iter().for_each(|row| text.push_str(&attribute(row)));
            text.push_str("    }\n");
        }
        for relation in &entities.relations {
            let (parent, child) = (&names[relation.parent], &names[relation.child]);
            let one = if relation.mandatory { "||" } else { "|o" };
            let many = if relation.single { "o|" } else { "o{" };
            let label = quoted(&relation.columns.join(", "));
            let _ = writeln!(text, "    {parent} {one}--{many} {child} : \"{label}\"");
        }
        text
    }
}

/// Plain words, no two the same.
fn names(boxes: &[Entity]) -> Vec<String> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    boxes
        .iter()
        .map(|entity| {
            let mut name = word(&entity.name);
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            name
        })
        .collect()
}

fn attribute(row: &Row) -> String {
    let declared_type = if row.declared_type.is_empty() { "any".to_owned() } else { typed(&row.declared_type) };
    let name = word(&row.name);
    let keys: Vec<&str> = [(row.primary, "PK"), (row.foreign, "FK"), (row.unique, "UK")]
        .into_iter()
        .filter_map(|(is, key)| is.then_some(key))
        .collect();
    let mut notes = Vec::new();
    if name != row.name {
        notes.push(quoted(&row.name));
    }
    if row.not_null && !row.primary {
        notes.push("not null".to_owned());
    }
    let mut text = format!("        {declared_type} {name}");
    if !keys.is_empty() {
        let _ = write!(text, " {}", keys.join(", "));
    }
    if !notes.is_empty() {
        let _ = write!(text, " \"{}\"", notes.join(", "));
    }
    text.push('\n');
    text
}

/// Letters of any script, digits and underscores, with a letter first.
fn word(name: &str) -> String {
    let mut word: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !word.starts_with(|first: char| first.is_ascii_alphabetic()) {
        word.insert_str(0, "t_");
    }
    word
}

/// As a word, and lengths in brackets.
fn typed(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_whitespace() || *c == ' ').collect();
    let plain = plain.replace(" (", "(").replace(", ", ",").replace(',', "-");
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "_-()[]".contains(c);
    let plain: String = plain.chars().map(|c| if is_fine(c) { c } else { '_' }).collect();
    if plain.starts_with(|first: char| first.is_ascii_alphabetic()) { plain } else { format!("t_{plain}") }
}

/// Inside double quotes, which Mermaid cannot escape.
fn quoted(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '"' {
                '\''
            } else if c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect()
}
