//! How high each box and lane stands in its layer: as near as can be to what it is joined to, and none on another.

use super::layers::{Item, Layers};

/// Between two boxes, a box and a lane, two lanes.
const BOXES: f64 = 26.0;
const BOX_AND_LANE: f64 = 13.0;
const LANES: f64 = 6.0;

/// The least distance between two boxes of a layer.
pub(super) const GAP: f64 = BOXES;

fn gap(above: &Item, below: &Item) -> f64 {
    match (above.node, below.node) {
        (Some(_), Some(_)) => BOXES,
        (None, None) => LANES,
        _ => BOX_AND_LANE,
    }
}

/// Places all items; the highest stands at 0. Gives the height of the whole.
pub(super) fn place(layers: &mut Layers) -> f64 {
    let offsets: Vec<Vec<f64>> = layers.layers.iter().map(|layer| stacked(layer, &layers.items)).collect();
    let height_of = |layer: &[usize], offsets: &[f64]| {
        layer.last().zip(offsets.last()).map_or(0.0, |(last, offset)| offset + layers.items[*last].height)
    };
    let heights: Vec<f64> =
        layers.layers.iter().zip(&offsets).map(|(layer, offsets)| height_of(layer, offsets)).collect();
    let height = heights.iter().copied().fold(0.0, f64::max);
    for ((layer, offsets), own) in layers.layers.iter().zip(&offsets).zip(&heights) {
        for (item, offset) in layer.iter().zip(offsets) {
            layers.items[*item].y = offset + (height - own) / 2.0;
        }
    }
    let count = layers.layers.len();
    for sweep in 0..40 {
        for step in 0..count {
            let at = if sweep % 2 == 0 { step } else { count - 1 - step };
            let wishes: Vec<(f64, f64)> = layers.layers[at].iter().map(|item| wish(&layers.items, *item)).collect();
            let found = apart(&wishes, &offsets[at]);
            for ((item, y), offset) in layers.layers[at].iter().zip(found).zip(&offsets[at]) {
                // Never beyond the highest layer, which would make the picture higher for a line's sake.
                layers.items[*item].y = y.clamp(*offset, height - heights[at] + offset);
            }
        }
    }
    height
}

/// The places of a layer's items when they stand close together.
fn stacked(layer: &[usize], items: &[Item]) -> Vec<f64> {
    let mut offsets: Vec<f64> = Vec::with_capacity(layer.len());
    for (place, item) in layer.iter().enumerate() {
        let offset = match place.checked_sub(1) {
            Some(above) => {
                let above_item = &items[layer[above]];
                offsets[above] + above_item.height + gap(above_item, &items[*item])
            }
            None => 0.0,
        };
        offsets.push(offset);
    }
    offsets
}

/// Where an item would stand if it were alone, and how much it matters.
#[allow(clippy::cast_precision_loss)] // small numbers
fn wish(items: &[Item], at: usize) -> (f64, f64) {
    let item = &items[at];
    let (mut sum, mut weight) = (0.0, 0.0);
    for (other, own_port, other_port) in item.previous.iter().chain(&item.next) {
        // A lane that goes on as a lane should go straight on.
        let pull = if item.node.is_none() && items[*other].node.is_none() { 4.0 } else { 1.0 };
        sum += pull * (items[*other].y + other_port - own_port);
        weight += pull;
    }
    if weight > 0.0 { (sum / weight, weight) } else { (item.y, 0.1) }
}

/// The places nearest to the wishes at which the items keep their order and their distances: the pool of adjacent
/// violators.
fn apart(wishes: &[(f64, f64)], offsets: &[f64]) -> Vec<f64> {
    // Blocks of items that stand close together: the sum of wishes, the weight, how many.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for ((wish, weight), offset) in wishes.iter().zip(offsets) {
        blocks.push(((wish - offset) * weight, *weight, 1));
        while let [.., above, below] = blocks.as_slice()
            && above.0 / above.1 > below.0 / below.1
        {
            let merged = (above.0 + below.0, above.1 + below.1, above.2 + below.2);
            blocks.truncate(blocks.len() - 2);
            blocks.push(merged);
        }
    }
    let shifts = blocks.iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, *count));
    shifts.zip(offsets).map(|(shift, offset)| shift + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order_and_distance_and_come_as_near_as_they_can() {
        let offsets = [0.0, 10.0, 20.0];
        assert_eq!(apart(&[(5.0, 1.0), (30.0, 1.0), (80.0, 1.0)], &offsets), [5.0, 30.0, 80.0]);
        assert_eq!(apart(&[(50.0, 1.0), (50.0, 1.0), (50.0, 1.0)], &offsets), [40.0, 50.0, 60.0]);
    }
}
