//! Which box stands in which layer, from the left to the right, and in which order from the top to the bottom.
//!
//! Sugiyama's way: circles are cut, each box comes into a layer right of those it refers to, a line that passes a layer has a
//! lane of its own in it, and the order in the layers is improved until lines cross as little as they can.

use std::collections::{BTreeMap, BTreeSet};

/// A line between two boxes, from a height in the left one to a height in the right one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Its number among the caller's.
    pub(super) id: usize,
    pub(super) left: usize,
    pub(super) left_port: f64,
    pub(super) right: usize,
    pub(super) right_port: f64,
    /// The parent is on the right, since a circle had to be cut.
    pub(super) turned: bool,
}

/// What stands in a layer: a box, or the lane of a bundle of lines.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The box; nothing for a lane.
    pub(super) node: Option<usize>,
    pub(super) height: f64,
    /// What it is joined to in the next layer: the item, and the heights in this one and in that one.
    pub(super) next: Vec<(usize, f64, f64)>,
    pub(super) previous: Vec<(usize, f64, f64)>,
    /// The height of its upper end.
    pub(super) y: f64,
}

/// Lines that start at the same height of the same box share their way.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) lines: Vec<Line>,
    /// The item in each layer that it starts in or passes, from the left.
    pub(super) way: Vec<usize>,
    pub(super) first_layer: usize,
}

#[derive(Debug)]
pub(super) struct Layers {
    pub(super) items: Vec<Item>,
    pub(super) layers: Vec<Vec<usize>>,
    pub(super) bundles: Vec<Bundle>,
}

/// The room that a line takes between boxes.
const LANE: f64 = 2.0;

/// From parents to children without a circle: of each line, whether it is turned round.
pub(super) fn without_circles(count: usize, parents_to_children: &[(usize, usize)]) -> Vec<bool> {
    let mut children: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
    let mut parents = vec![0_usize; count];
    for (at, (parent, child)) in parents_to_children.iter().enumerate() {
        children[*parent].push((at, *child));
        parents[*child] += 1;
    }
    let mut turned = vec![false; parents_to_children.len()];
    let (mut begun, mut ended) = (vec![false; count], vec![false; count]);
    // Those without parents first, then those with the most children: they are what others refer to.
    let mut starts: Vec<usize> = (0..count).collect();
    starts.sort_by_key(|at| (parents[*at] > 0, usize::MAX - children[*at].len()));
    for start in starts {
        let mut open = Vec::new();
        if !std::mem::replace(&mut begun[start], true) {
            open.push((start, 0));
        }
        while let Some((at, next)) = open.last_mut() {
            let Some((line, child)) = children[*at].get(*next).copied() else {
                ended[*at] = true;
                open.pop();
                continue;
            };
            *next += 1;
            if !begun[child] {
                begun[child] = true;
                open.push((child, 0));
            } else if !ended[child] {
                turned[line] = true;
            }
        }
    }
    turned
}

impl Layers {
    /// Puts boxes of these heights into layers that are not higher than `highest` where it can be helped.
    pub(super) fn new(heights: &[f64], lines: &[Line], highest: f64, gap: f64) -> Self {
        let layer_of = assign(heights, lines, highest, gap);
        let count = layer_of.iter().max().map_or(0, |last| last + 1);
        let mut items: Vec<Item> = heights
            .iter()
            .enumerate()
            .map(|(at, height)| Item {
                node: Some(at),
                height: *height,
                next: Vec::new(),
                previous: Vec::new(),
                y: 0.0,
            })
            .collect();
        let mut layers: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (at, layer) in layer_of.iter().enumerate() {
            layers[*layer].push(at);
        }
        let mut bundled: BTreeMap<(usize, u64, bool), Vec<Line>> = BTreeMap::new();
        for line in lines {
            bundled.entry((line.left, line.left_port.to_bits(), line.turned)).or_default().push(*line);
        }
        let mut bundles = Vec::new();
        for lines in bundled.into_values() {
            let first = &lines[0];
            let first_layer = layer_of[first.left];
            let last = lines.iter().map(|line| layer_of[line.right]).max().unwrap_or(0);
            let mut way = vec![first.left];
            for layer in &mut layers[first_layer + 1..last.max(first_layer + 1)] {
                layer.push(items.len());
                way.push(items.len());
                items.push(Item { node: None, height: LANE, next: Vec::new(), previous: Vec::new(), y: 0.0 });
            }
            let port = |place: usize| if place == 0 { first.left_port } else { LANE / 2.0 };
            for place in 1..way.len() {
                join(&mut items, (way[place - 1], port(place - 1)), (way[place], LANE / 2.0));
            }
            for line in &lines {
                let place = layer_of[line.right] - first_layer - 1;
                join(&mut items, (way[place], port(place)), (line.right, line.right_port));
            }
            bundles.push(Bundle { lines, way, first_layer });
        }
        let mut layers = Layers { items, layers, bundles };
        layers.order();
        layers
    }

    /// Sorts each layer by the middle of what its items are joined to, to and fro, and keeps the best.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..24 {
            let forth = sweep % 2 == 0;
            let count = self.layers.len();
            for step in 1..count {
                let layer = if forth { step } else { count - 1 - step };
                let beside = if forth { layer - 1 } else { layer + 1 };
                self.sort_by_neighbours(layer, beside, forth);
            }
            self.swap_neighbours();
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn places(&self, layer: usize) -> Vec<usize> {
        let mut places = vec![0; self.items.len()];
        for (place, item) in self.layers[layer].iter().enumerate() {
            places[*item] = place;
        }
        places
    }

    #[allow(clippy::cast_precision_loss)] // small numbers
    fn sort_by_neighbours(&mut self, layer: usize, beside: usize, forth: bool) {
        let places = self.places(beside);
        let key = |at: usize, place: usize| {
            let item = &self.items[at];
            let joined = if forth { &item.previous } else { &item.next };
            if joined.is_empty() {
                return place as f64;
            }
            // The height inside a box decides between lines of one box.
            let sum: f64 = joined
                .iter()
                .map(|(other, _, port)| places[*other] as f64 + port / (self.items[*other].height + 1.0))
                .sum();
            sum / joined.len() as f64
        };
        let mut keyed: Vec<(f64, usize)> =
            self.layers[layer].iter().enumerate().map(|(place, at)| (key(*at, place), *at)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.layers[layer] = keyed.into_iter().map(|(_, at)| at).collect();
    }

    /// Swaps two that stand one above the other, where fewer lines cross then.
    fn swap_neighbours(&mut self) {
        for layer in 0..self.layers.len() {
            let left = layer.checked_sub(1).map(|left| self.places(left));
            let right = (layer + 1 < self.layers.len()).then(|| self.places(layer + 1));
            let mut again = true;
            let mut rounds = 0;
            while std::mem::take(&mut again) && rounds < 8 {
                rounds += 1;
                for place in 1..self.layers[layer].len() {
                    let (a, b) = (self.layers[layer][place - 1], self.layers[layer][place]);
                    let crossings = |upper: usize, lower: usize| {
                        let of = |joined: fn(&Item) -> &Vec<(usize, f64, f64)>, places: &Option<Vec<usize>>| {
                            let Some(places) = places else { return 0 };
                            let below = joined(&self.items[lower]);
                            joined(&self.items[upper])
                                .iter()
                                .map(|(x, ..)| below.iter().filter(|(y, ..)| places[*y] < places[*x]).count())
                                .sum::<usize>()
                        };
                        of(|item| &item.previous, &left) + of(|item| &item.next, &right)
                    };
                    if crossings(b, a) < crossings(a, b) {
                        self.layers[layer].swap(place - 1, place);
                        again = true;
                    }
                }
            }
        }
    }

    /// How often lines cross.
    pub(super) fn crossings(&self) -> usize {
        let mut crossings = 0;
        for layer in 0..self.layers.len().saturating_sub(1) {
            let right = self.places(layer + 1);
            let mut ends: Vec<usize> = Vec::new();
            for item in &self.layers[layer] {
                let own: Vec<usize> = self.items[*item].next.iter().map(|(other, ..)| right[*other]).collect();
                crossings += own.iter().map(|end| ends.iter().filter(|other| *other > end).count()).sum::<usize>();
                ends.extend(own);
            }
        }
        crossings
    }
}

fn join(items: &mut [Item], left: (usize, f64), right: (usize, f64)) {
    items[left.0].next.push((right.0, left.1, right.1));
    items[right.0].previous.push((left.0, right.1, left.1));
}

/// The layer of each box: right of all that it must be right of, and where there is room.
fn assign(heights: &[f64], lines: &[Line], highest: f64, gap: f64) -> Vec<usize> {
    let count = heights.len();
    let (mut lefts, mut rights) = (vec![BTreeSet::new(); count], vec![BTreeSet::new(); count]);
    for line in lines {
        lefts[line.right].insert(line.left);
        rights[line.left].insert(line.right);
    }
    let mut waiting: Vec<usize> = lefts.iter().map(BTreeSet::len).collect();
    let mut layer_of = vec![0; count];
    let mut filled: Vec<f64> = Vec::new();
    let mut ready: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
    let depths = depths(&rights);
    // First what stands furthest to the left, then what has the most behind it.
    let rank = |at: usize, earliest: usize| (earliest, usize::MAX - depths[at], at);
    ready.extend((0..count).filter(|at| waiting[*at] == 0).map(|at| rank(at, 0)));
    while let Some((earliest, _, at)) = ready.pop_first() {
        let room =
            |layer: &usize| filled.get(*layer).is_none_or(|filled| *filled == 0.0 || filled + heights[at] <= highest);
        let layer = (earliest..).find(room).unwrap_or(earliest);
        if filled.len() <= layer {
            filled.resize(layer + 1, 0.0);
        }
        filled[layer] += heights[at] + gap;
        layer_of[at] = layer;
        for right in &rights[at] {
            waiting[*right] -= 1;
            if waiting[*right] == 0 {
                let earliest = lefts[*right].iter().map(|left| layer_of[*left] + 1).max().unwrap_or(0);
                ready.insert(rank(*right, earliest));
            }
        }
    }
    // What nothing holds on the left comes as near to its children as there is room.
    for at in (0..count).filter(|at| lefts[*at].is_empty()) {
        let Some(nearest) = rights[at].iter().map(|right| layer_of[*right] - 1).min() else { continue };
        let found = (layer_of[at] + 1..=nearest).rev().find(|layer| filled[*layer] + heights[at] <= highest);
        if let Some(layer) = found {
            filled[layer_of[at]] -= heights[at] + gap;
            filled[layer] += heights[at] + gap;
            layer_of[at] = layer;
        }
    }
    // A layer may have become empty.
    let used: BTreeSet<usize> = layer_of.iter().copied().collect();
    let renumbered: BTreeMap<usize, usize> = used.into_iter().enumerate().map(|(new, old)| (old, new)).collect();
    layer_of.into_iter().map(|layer| renumbered[&layer]).collect()
}

/// How many layers each has behind it at the least.
fn depths(rights: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut depths = vec![0; rights.len()];
    // As often as the longest chain is long; there is no circle.
    for _ in 0..rights.len() {
        let mut changed = false;
        for at in 0..rights.len() {
            let depth = rights[at].iter().map(|right| depths[*right] + 1).max().unwrap_or(0);
            changed |= std::mem::replace(&mut depths[at], depth) != depth;
        }
        if !changed {
            break;
        }
    }
    depths
}
