//! A schema as a picture for a document: SVG without scripts and without fonts of its own.

use std::fmt::Write;

use super::entities::{Entities, Entity, Relation, Shape};
use super::font::{escaped, shortened, width};
use super::layout::{Layout, Link, Place, Route, Task, lay_out};
use crate::schema::model::Schema;

const FONT: f64 = 12.0;
const SMALL: f64 = 10.0;
const HEADER: f64 = 26.0;
const ROW: f64 = 19.0;
const PADDING: f64 = 9.0;
const MARGIN: f64 = 24.0;
/// Longer names and types are cut.
const NAME_AT_MOST: f64 = 260.0;
const TYPE_AT_MOST: f64 = 130.0;
const LEGEND: f64 = 30.0;

/// Dark enough to be read in print, and different enough to be followed.
const COLORS: [&str; 8] = ["#2f5d8a", "#a3482a", "#3f7a45", "#7a4b94", "#8a6a12", "#1f7a7a", "#a0345e", "#55606e"];

const STYLE: &str = "\
text{font-family:'Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;font-size:12px;fill:#1c2530}\
.t{font-weight:bold;font-size:13px}.n{font-weight:bold}.y{fill:#5d6875;font-size:11px;text-anchor:end}\
.k{fill:#5d6875;font-size:9px;font-weight:bold}.i{fill:#5d6875;font-size:11px;font-style:italic}\
.l{fill:#5d6875;font-size:10px}.b{fill:#fff;stroke:#66758a}.h{fill:#e6ecf4;stroke:#66758a}\
.d{stroke-dasharray:4 3}.v{fill:#f3f1ea}.r{stroke:#e3e7ed}.e{fill:none;stroke-width:1.3}";

impl Schema {
    /// The app's tables and views and their foreign keys as a picture: SVG that needs no other file.
    ///
    /// A line goes from a column of the child, where it ends in a crow's foot (or in a bar, where no two children may have
    /// the same parent), to the parent, where it ends in a double bar. It is dashed where a child need not have a parent.
    #[must_use]
    pub fn svg(&self) -> String {
        let entities = Entities::of(self);
        let boxes: Vec<Measured<'_>> = entities.boxes.iter().map(Measured::new).collect();
        let mut task = Task { sizes: boxes.iter().map(Measured::size).collect(), links: Vec::new() };
        for relation in &entities.relations {
            let Relation { parent, child, parent_row, child_row, .. } = *relation;
            task.links.push(Link { parent, parent_port: port(parent_row), child, child_port: port(child_row) });
        }
        let layout = lay_out(&task);
        draw(&entities, &boxes, &layout)
    }
}

/// The middle of a row, or of the head.
#[allow(clippy::cast_precision_loss)] // small numbers
fn port(row: Option<usize>) -> f64 {
    row.map_or(HEADER / 2.0, |row| HEADER + ROW * (row as f64 + 0.5))
}

/// A box with the widths of its columns.
struct Measured<'a> {
    entity: &'a Entity,
    title: String,
    marks: f64,
    names: f64,
    types: f64,
}

impl<'a> Measured<'a> {
    fn new(entity: &'a Entity) -> Self {
        let widest = |widths: &mut dyn Iterator<Item = f64>| widths.fold(0.0, f64::max);
        let rows = &entity.rows;
        Measured {
            title: shortened(&entity.name, 13.0, true, NAME_AT_MOST),
            marks: widest(&mut rows.iter().map(|row| width(&row.marks(), 9.0, true))),
            names: widest(&mut rows.iter().map(|row| width(&row.name, FONT, row.not_null).min(NAME_AT_MOST))),
            types: widest(&mut rows.iter().map(|row| width(&row.declared_type, 11.0, false).min(TYPE_AT_MOST))),
            entity,
        }
    }

    #[allow(clippy::cast_precision_loss)] // small numbers
    fn size(&self) -> (f64, f64) {
        let note = self.entity.note.as_ref().map_or(0.0, |note| width(note, 11.0, false) + 12.0);
        let head = width(&self.title, 13.0, true) + note + 2.0 * PADDING;
        let body = self.name_at() + self.names + 14.0 + self.types + PADDING;
        let rows = self.entity.rows.len() + usize::from(self.entity.more > 0);
        let foot = if rows > 0 { 3.0 } else { 0.0 };
        (head.max(body).max(90.0).ceil(), HEADER + ROW * rows as f64 + foot)
    }

    fn name_at(&self) -> f64 {
        if self.marks > 0.0 { PADDING + self.marks + 7.0 } else { PADDING }
    }
}

fn draw(entities: &Entities, boxes: &[Measured<'_>], layout: &Layout) -> String {
    let legend = !entities.boxes.is_empty();
    let text =
        "PK primary key  ·  FK foreign key  ·  U unique  ·  bold: not null  ·  dashed line: there need not be a parent";
    let wide = layout.width.max(width(text, SMALL, false) + 40.0) + 2.0 * MARGIN;
    let high = layout.height + 2.0 * MARGIN + if legend { LEGEND } else { 0.0 };
    let (wide, high) = (wide.ceil(), high.ceil());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\" \
         role=\"img\">\n<title>Database schema: {} and {}</title>\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<g transform=\"translate({MARGIN} {MARGIN})\">\n",
        counted(entities.boxes.len(), "table or view", "tables and views"),
        counted(entities.relations.len(), "foreign key", "foreign keys"),
    );
    let colors = colors(entities);
    for (relation, route) in entities.relations.iter().zip(&layout.routes) {
        svg.push_str(&line(entities, relation, route, layout, colors[relation.parent]));
    }
    for (measured, place) in boxes.iter().zip(&layout.places) {
        svg.push_str(&table(measured, place));
    }
    if legend {
        let y = layout.height + LEGEND;
        let _ = writeln!(svg, "<text class=\"l\" x=\"0\" y=\"{y:.1}\">{text}</text>");
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn counted(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

#[allow(clippy::cast_precision_loss)] // small numbers
fn table(measured: &Measured<'_>, place: &Place) -> String {
    let entity = measured.entity;
    let Place { x, y, width: wide, height } = *place;
    let dashed = if entity.shape == Shape::Table { "" } else { " d" };
    let head = if entity.shape == Shape::Table { "h" } else { "h v d" };
    let mut svg = format!(
        "<g transform=\"translate({x:.1} {y:.1})\">\n<title>{}</title>\n\
         <rect class=\"b{dashed}\" width=\"{wide:.1}\" height=\"{height:.1}\" rx=\"4\"/>\n\
         <path class=\"{head}\" d=\"M0 {HEADER}V4a4 4 0 0 1 4-4H{:.1}a4 4 0 0 1 4 4V{HEADER}z\"/>\n\
         <text class=\"t\" x=\"{PADDING}\" y=\"17.5\">{}</text>\n",
        escaped(&entity.name),
        wide - 4.0,
        escaped(&measured.title),
    );
    let right = wide - PADDING;
    if let Some(note) = &entity.note {
        let _ =
            writeln!(svg, "<text class=\"i\" x=\"{right:.1}\" y=\"17.5\" text-anchor=\"end\">{}</text>", escaped(note));
    }
    for (at, row) in entity.rows.iter().enumerate() {
        let top = HEADER + ROW * at as f64;
        let base = top + 14.0;
        if at > 0 {
            let _ = writeln!(svg, "<path class=\"r\" d=\"M1 {top}H{:.1}\"/>", wide - 1.0);
        }
        let marks = row.marks();
        if !marks.is_empty() {
            let _ = writeln!(svg, "<text class=\"k\" x=\"{PADDING}\" y=\"{:.1}\">{marks}</text>", base - 0.5);
        }
        let name = shortened(&row.name, FONT, row.not_null, NAME_AT_MOST);
        let class = if row.not_null { " class=\"n\"" } else { "" };
        let _ = writeln!(svg, "<text{class} x=\"{:.1}\" y=\"{base}\">{}</text>", measured.name_at(), escaped(&name));
        if !row.declared_type.is_empty() {
            let name = escaped(&shortened(&row.declared_type, 11.0, false, TYPE_AT_MOST));
            let _ = writeln!(svg, "<text class=\"y\" x=\"{right:.1}\" y=\"{base}\">{name}</text>");
        }
    }
    if entity.more > 0 {
        let base = HEADER + ROW * entity.rows.len() as f64 + 14.0;
        let more = counted(entity.more, "more column", "more columns");
        let _ = writeln!(svg, "<text class=\"i\" x=\"{:.1}\" y=\"{base}\">… {more}</text>", measured.name_at());
    }
    svg.push_str("</g>\n");
    svg
}

/// All lines to one parent have one colour; the parents with the most have colours of their own.
fn colors(entities: &Entities) -> Vec<&'static str> {
    let mut counts = vec![0_usize; entities.boxes.len()];
    entities.relations.iter().for_each(|relation| counts[relation.parent] += 1);
    let mut ranked: Vec<usize> = (0..counts.len()).collect();
    ranked.sort_by_key(|at| usize::MAX - counts[*at]);
    let mut colors = vec![COLORS[0]; counts.len()];
    for (rank, at) in ranked.into_iter().enumerate() {
        colors[at] = COLORS[rank % COLORS.len()];
    }
    colors
}

/// A line with its ends.
fn line(entities: &Entities, relation: &Relation, route: &Route, layout: &Layout, color: &str) -> String {
    let points = if route.points.is_empty() { around(relation, layout) } else { route.points.clone() };
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let looped = route.points.is_empty();
    // Out of which side of its box each end comes: 1 to the right.
    let (left, right) = ((*first, 1.0), (*last, if looped { 1.0 } else { -1.0 }));
    let (parent, child) = if route.turned { (right, left) } else { (left, right) };
    let dashed = if relation.mandatory { "" } else { " stroke-dasharray=\"5 3\"" };
    let (from, to) = (&entities.boxes[relation.child].name, &entities.boxes[relation.parent].name);
    format!(
        "<g stroke=\"{color}\"><title>{}.{} → {}</title><path class=\"e\"{dashed} d=\"{}\"/>\
         <path class=\"e\" d=\"{}{}\"/></g>\n",
        escaped(from),
        escaped(&relation.columns.join(", ")),
        escaped(to),
        rounded(&points),
        bars(parent, 2),
        if relation.single { bars(child, 1) } else { foot(child) },
    )
}

/// From a box to itself, out and in at its right side.
fn around(relation: &Relation, layout: &Layout) -> Vec<(f64, f64)> {
    let place = layout.places[relation.parent];
    let right = place.x + place.width;
    let (from, to) = (place.y + port(relation.parent_row), place.y + port(relation.child_row));
    if (from - to).abs() < 1.0 {
        // Of a column to itself.
        return vec![(right, from), (right + 14.0, from), (right + 14.0, to + 12.0), (right, to + 12.0)];
    }
    vec![(right, from), (right + 14.0, from), (right + 14.0, to), (right, to)]
}

fn bars((at, side): ((f64, f64), f64), count: u8) -> String {
    let mut path = String::new();
    for bar in 0..count {
        let _ = write!(path, "M{:.1} {:.1}v8", at.0 + side * (5.0 + 3.5 * f64::from(bar)), at.1 - 4.0);
    }
    path
}

fn foot(((x, y), side): ((f64, f64), f64)) -> String {
    let tip = x + side * 9.0;
    format!("M{tip:.1} {y:.1}L{x:.1} {:.1}M{tip:.1} {y:.1}L{x:.1} {:.1}", y - 5.0, y + 5.0)
}

/// A path through the points with round corners.
fn rounded(points: &[(f64, f64)]) -> String {
    let mut path = format!("M{:.1} {:.1}", points[0].0, points[0].1);
    for corner in points.windows(3) {
        let ((ax, ay), (bx, by), (cx, cy)) = (corner[0], corner[1], corner[2]);
        let (before, after) = ((bx - ax).abs() + (by - ay).abs(), (cx - bx).abs() + (cy - by).abs());
        let radius = 5.0_f64.min(before / 2.0).min(after / 2.0);
        let toward = |from: f64, to: f64| (to - from).signum() * if (to - from).abs() < 0.01 { 0.0 } else { radius };
        let (sx, sy) = (bx - toward(ax, bx), by - toward(ay, by));
        let (ex, ey) = (bx + toward(bx, cx), by + toward(by, cy));
        let _ = write!(path, "L{sx:.1} {sy:.1}Q{bx:.1} {by:.1} {ex:.1} {ey:.1}");
    }
    if let Some((x, y)) = points.last() {
        let _ = write!(path, "L{x:.1} {y:.1}");
    }
    path
}
