//! A schema for Graphviz.

use std::fmt::Write;

use super::entities::{Entities, Entity, Shape};
use super::font::escaped;
use crate::schema::model::Schema;

impl Schema {
    /// The app's tables and views and their foreign keys as a graph for Graphviz: `dot -Tsvg`.
    #[must_use]
    pub fn dot(&self) -> String {
        let entities = Entities::of(self);
        let mut text = String::from(
            "digraph schema {\n  rankdir = RL;\n  nodesep = 0.4;\n  ranksep = 1.0;\n  \
             node [shape = plain, fontname = \"Helvetica\", fontsize = 11];\n  \
             edge [color = \"#4a5a70\", arrowhead = teetee, arrowtail = crow, dir = both];\n",
        );
        for (at, entity) in entities.boxes.iter().enumerate() {
            text.push_str(&node(at, entity));
        }
        for relation in &entities.relations {
            let port = |row: Option<usize>, side: &str| row.map_or_else(String::new, |row| format!(":{side}{row}"));
            let tail = if relation.single { "tee" } else { "crow" };
            let head = if relation.mandatory { "teetee" } else { "teeodot" };
            let _ = writeln!(
                text,
                "  t{}{} -> t{}{} [arrowtail = {tail}, arrowhead = {head}];",
                relation.child,
                port(relation.child_row, "l"),
                relation.parent,
                port(relation.parent_row, "r"),
            );
        }
        text.push_str("}\n");
        text
    }
}

fn node(at: usize, entity: &Entity) -> String {
    let mut text = String::new();
    let style = if entity.shape == Shape::Table { "" } else { " STYLE=\"DASHED\"" };
    let _ = write!(
        text,
        "  t{at} [label = <<TABLE BORDER=\"1\" COLOR=\"#5b6b82\" CELLBORDER=\"0\" CELLSPACING=\"0\" \
         CELLPADDING=\"4\"{style}>\n    <TR><TD COLSPAN=\"3\" BGCOLOR=\"#e8eef6\" ALIGN=\"LEFT\"><B>{}</B>",
        escaped(&entity.name)
    );
    if let Some(note) = &entity.note {
        let _ = write!(text, " <I>{}</I>", escaped(note));
    }
    text.push_str("</TD></TR>\n");
    for (row_at, row) in entity.rows.iter().enumerate() {
        let name = escaped(&row.name);
        // Graphviz takes no empty text.
        let name = if name.is_empty() { " ".to_owned() } else { name };
        let name = if row.not_null { format!("<B>{name}</B>") } else { name };
        let marks = row.marks();
        let marks = if marks.is_empty() { " " } else { &marks };
        let _ = writeln!(
            text,
            "    <TR><TD ALIGN=\"LEFT\" PORT=\"l{row_at}\"><FONT POINT-SIZE=\"8\">{marks}</FONT></TD>\
             <TD ALIGN=\"LEFT\">{name}</TD>\
             <TD ALIGN=\"RIGHT\" PORT=\"r{row_at}\"><FONT COLOR=\"#5a6472\">{} </FONT></TD></TR>",
            escaped(&row.declared_type)
        );
    }
    if entity.more > 0 {
        let _ = writeln!(text, "    <TR><TD COLSPAN=\"3\" ALIGN=\"LEFT\"><I>… {} more</I></TD></TR>", entity.more);
    }
    text.push_str("  </TABLE>>];\n");
    text
}
