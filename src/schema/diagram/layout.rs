//! Where everything in a picture stands: what is joined in layers, and beside and below it what stands alone.

use super::channel::{Turn, tracks};
use super::layers::{Layers, Line, without_circles};
use super::place::{GAP, place};

/// What is to be laid out: the sizes of the boxes, and the lines between heights in them.
#[derive(Debug, Default)]
pub(super) struct Task {
    pub(super) sizes: Vec<(f64, f64)>,
    pub(super) links: Vec<Link>,
}

/// A line from a height in the parent to a height in the child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) parent: usize,
    pub(super) parent_port: f64,
    pub(super) child: usize,
    pub(super) child_port: f64,
}

/// A box in its place.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The way of a line, from the left to the right; with `turned`, the parent is on the right.
#[derive(Debug, Clone, Default)]
pub(super) struct Route {
    pub(super) points: Vec<(f64, f64)>,
    pub(super) turned: bool,
}

#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) places: Vec<Place>,
    /// In the order of the links; without points where a box refers to itself.
    pub(super) routes: Vec<Route>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Free room at both sides between two layers, for the ends of lines.
const SIDE: f64 = 20.0;
const TRACK: f64 = 7.0;
/// Between parts that have nothing to do with each other.
const APART: f64 = 40.0;
/// Width to height, as a page that lies.
const SHAPE: f64 = 1.45;

pub(super) fn lay_out(task: &Task) -> Layout {
    let mut parts: Vec<(Vec<usize>, Layout)> = Vec::new();
    let mut alone = Vec::new();
    for members in components(task) {
        if members.len() == 1 {
            alone.extend(members);
        } else {
            let part = part_of(task, &members);
            let layout = best(&part);
            parts.push((members, layout));
        }
    }
    parts.sort_by(|(_, a), (_, b)| b.height.total_cmp(&a.height));
    // The groups have their places; how wide the page is, the whole decides.
    let area: f64 = parts.iter().map(|(_, part)| (part.width + APART) * (part.height + APART)).sum::<f64>()
        + alone.iter().map(|at| (task.sizes[*at].0 + GAP) * (task.sizes[*at].1 + GAP)).sum::<f64>();
    let waste = |layout: &Layout| {
        let shape = (layout.width.max(1.0) / layout.height.max(1.0) / SHAPE).ln().abs();
        (layout.width * layout.height).ln() + 0.6 * shape
    };
    let pages = [0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0].map(|wider| (area * SHAPE).sqrt() * wider);
    let tried = pages.into_iter().map(|wide| pack(task, &parts, &alone, wide));
    tried.min_by(|a, b| waste(a).total_cmp(&waste(b))).unwrap_or_default()
}

/// The boxes that lines join, each group by itself, the largest first.
fn components(task: &Task) -> Vec<Vec<usize>> {
    let count = task.sizes.len();
    let mut group: Vec<usize> = (0..count).collect();
    let root = |group: &[usize], mut at: usize| {
        while group[at] != at {
            at = group[at];
        }
        at
    };
    for link in &task.links {
        let (a, b) = (root(&group, link.parent), root(&group, link.child));
        group[a.max(b)] = a.min(b);
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    for at in 0..count {
        members[root(&group, at)].push(at);
    }
    members.retain(|members| !members.is_empty());
    members.sort_by_key(|members| usize::MAX - members.len());
    members
}

/// A group as a task of its own; links by their place among the group's.
fn part_of(task: &Task, members: &[usize]) -> Task {
    let place = |at: usize| members.iter().position(|member| *member == at).unwrap_or(0);
    let links = links_of(task, members)
        .map(|(_, link)| Link { parent: place(link.parent), child: place(link.child), ..*link })
        .collect();
    Task { sizes: members.iter().map(|at| task.sizes[*at]).collect(), links }
}

fn links_of<'a>(task: &'a Task, members: &'a [usize]) -> impl Iterator<Item = (usize, &'a Link)> {
    task.links.iter().enumerate().filter(|(_, link)| members.contains(&link.parent))
}

/// Tries layers of several heights, and takes the picture that is small, of a good shape, and with few crossings.
#[allow(clippy::cast_precision_loss)] // small numbers
fn best(task: &Task) -> Layout {
    let total: f64 = task.sizes.iter().map(|size| size.1 + GAP).sum();
    let highest = task.sizes.iter().map(|size| size.1).fold(0.0, f64::max);
    let mut best: Option<(f64, Layout)> = None;
    for columns in 1..=task.sizes.len().min(14) {
        let (layout, crossings) = layered(task, (total / columns as f64 * 1.08).max(highest));
        let shape = (layout.width / layout.height / SHAPE).ln().abs();
        let length: f64 = layout.routes.iter().map(|route| length(&route.points)).sum();
        let crossed = crossings as f64 / (task.links.len() as f64 + 1.0);
        let score = (layout.width * layout.height).ln() + 0.3 * length.max(1.0).ln() + shape + 0.25 * crossed;
        if best.as_ref().is_none_or(|(least, _)| score < *least) {
            best = Some((score, layout));
        }
    }
    best.map(|(_, layout)| layout).unwrap_or_default()
}

fn length(points: &[(f64, f64)]) -> f64 {
    points.windows(2).map(|pair| (pair[1].0 - pair[0].0).abs() + (pair[1].1 - pair[0].1).abs()).sum()
}

/// One group in layers that are not higher than this where it can be helped, and how often lines cross.
#[allow(clippy::cast_precision_loss)] // small numbers
fn layered(task: &Task, highest: f64) -> (Layout, usize) {
    let others: Vec<usize> =
        (0..task.links.len()).filter(|at| task.links[*at].parent != task.links[*at].child).collect();
    let pairs: Vec<(usize, usize)> = others.iter().map(|at| (task.links[*at].parent, task.links[*at].child)).collect();
    let turned = without_circles(task.sizes.len(), &pairs);
    let lines: Vec<Line> = others
        .iter()
        .zip(turned)
        .map(|(id, turned)| {
            let link = task.links[*id];
            let (id, parent, child) = (*id, (link.parent, link.parent_port), (link.child, link.child_port));
            let (left, right) = if turned { (child, parent) } else { (parent, child) };
            Line { id, left: left.0, left_port: left.1, right: right.0, right_port: right.1, turned }
        })
        .collect();
    let heights: Vec<f64> = task.sizes.iter().map(|size| size.1).collect();
    let mut layers = Layers::new(&heights, &lines, highest, GAP);
    let height = place(&mut layers);
    let y = |item: usize, port: f64| layers.items[item].y + port;
    // The turns of each gap between layers, with the bundle that each is of.
    let mut turns: Vec<Vec<(usize, Turn)>> = vec![Vec::new(); layers.layers.len()];
    let end_of = |bundle: &super::layers::Bundle, step: usize| {
        let port = if step == 0 { bundle.lines[0].left_port } else { layers.items[bundle.way[step]].height / 2.0 };
        y(bundle.way[step], port)
    };
    let layer_of = |item: usize| layers.layers.iter().position(|layer| layer.contains(&item)).unwrap_or(0);
    for (at, bundle) in layers.bundles.iter().enumerate() {
        for step in 0..bundle.way.len() {
            let layer = bundle.first_layer + step;
            let ends = bundle.lines.iter().filter(|line| layer_of(line.right) == layer + 1);
            let mut to: Vec<f64> = ends.map(|line| y(line.right, line.right_port)).collect();
            to.extend((step + 1 < bundle.way.len()).then(|| end_of(bundle, step + 1)));
            turns[layer].push((at, Turn { from: end_of(bundle, step), to }));
        }
    }
    let mut left = 0.0;
    let mut places = vec![Place::default(); task.sizes.len()];
    let mut track_of = vec![std::collections::BTreeMap::new(); turns.len()];
    for (layer, turns) in turns.iter().enumerate() {
        let boxes =
            || layers.layers[layer].iter().filter_map(|item| layers.items[*item].node.map(|node| (*item, node)));
        let width = boxes().map(|(_, node)| task.sizes[node].0).fold(0.0, f64::max);
        for (item, node) in boxes() {
            places[node] = Place { x: left, y: layers.items[item].y, width, height: task.sizes[node].1 };
        }
        let only: Vec<Turn> = turns.iter().map(|(_, turn)| turn.clone()).collect();
        let (found, count) = tracks(&only);
        for ((bundle, _), track) in turns.iter().zip(found) {
            track_of[layer].insert(*bundle, left + width + SIDE + track as f64 * TRACK);
        }
        left += width + 2.0 * SIDE + (count.max(1) - 1) as f64 * TRACK;
    }
    let width = places.iter().map(|place| place.x + place.width).fold(0.0, f64::max);
    let mut routes = vec![Route::default(); task.links.len()];
    for (at, bundle) in layers.bundles.iter().enumerate() {
        for line in &bundle.lines {
            let (from, to) = (places[line.left], places[line.right]);
            let mut points = vec![(from.x + from.width, end_of(bundle, 0))];
            let last = layer_of(line.right);
            let passed = &track_of[bundle.first_layer..last];
            for (step, tracks) in passed.iter().enumerate() {
                let goal =
                    if step + 1 == passed.len() { y(line.right, line.right_port) } else { end_of(bundle, step + 1) };
                let x = tracks[&at];
                points.push((x, points[points.len() - 1].1));
                points.push((x, goal));
            }
            points.push((to.x, y(line.right, line.right_port)));
            routes[line.id] = Route { points, turned: line.turned };
        }
    }
    let crossings = layers.crossings();
    (Layout { places, routes, width, height }, crossings)
}

/// Puts the groups, the highest first, and then what stands alone, each as high up as there is room.
fn pack(task: &Task, parts: &[(Vec<usize>, Layout)], alone: &[usize], wide: f64) -> Layout {
    let column = alone.iter().map(|at| task.sizes[*at].0).fold(0.0, f64::max);
    let widest = parts.iter().map(|(_, part)| part.width).fold(column, f64::max);
    let mut shelf = Shelf { wide: wide.max(widest), taken: Vec::new() };
    let mut whole = Layout {
        places: vec![Place::default(); task.sizes.len()],
        routes: vec![Route::default(); task.links.len()],
        ..Layout::default()
    };
    for (members, part) in parts {
        let (x, y) = shelf.put(part.width, part.height, APART);
        for (at, place) in members.iter().zip(&part.places) {
            whole.places[*at] = Place { x: place.x + x, y: place.y + y, ..*place };
        }
        for ((at, _), route) in links_of(task, members).zip(&part.routes) {
            let points = route.points.iter().map(|point| (point.0 + x, point.1 + y)).collect();
            whole.routes[at] = Route { points, turned: route.turned };
        }
    }
    for at in alone {
        let height = task.sizes[*at].1;
        let (x, y) = shelf.put(column, height, GAP);
        whole.places[*at] = Place { x, y, width: column, height };
    }
    whole.width = shelf.taken.iter().map(|place| place.x + place.width).fold(0.0, f64::max);
    whole.height = shelf.taken.iter().map(|place| place.y + place.height).fold(0.0, f64::max);
    whole
}

/// What is put into a page of this width, from the top.
struct Shelf {
    wide: f64,
    taken: Vec<Place>,
}

impl Shelf {
    /// The highest place below which all is free, and of these the one furthest to the left.
    fn put(&mut self, width: f64, height: f64, apart: f64) -> (f64, f64) {
        let apart_of = |place: &Place| if place.width > width { APART } else { apart };
        let mut lefts: Vec<f64> = self.taken.iter().map(|place| place.x + place.width + apart_of(place)).collect();
        lefts.push(0.0);
        lefts.retain(|x| *x == 0.0 || x + width <= self.wide);
        lefts.sort_by(f64::total_cmp);
        lefts.dedup();
        let top = |x: f64| {
            let beside = |place: &&Place| {
                let apart = apart_of(place) - 0.01;
                x < place.x + place.width + apart && place.x < x + width + apart
            };
            let above = self.taken.iter().filter(beside);
            above.map(|place| place.y + place.height + apart_of(place)).fold(0.0, f64::max)
        };
        let mut best = (0.0, f64::INFINITY);
        for x in lefts {
            let y = top(x);
            if y < best.1 {
                best = (x, y);
            }
        }
        self.taken.push(Place { x: best.0, y: best.1, width, height });
        best
    }
}
