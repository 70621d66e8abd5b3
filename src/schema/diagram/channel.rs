//! Between two layers each bundle of lines turns on a track of its own, so that no two run on each other.

/// A bundle between two layers: where it comes from on the left, and where it goes to on the right.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) from: f64,
    pub(super) to: Vec<f64>,
}

impl Turn {
    fn top(&self) -> f64 {
        self.to.iter().copied().fold(self.from, f64::min)
    }

    fn bottom(&self) -> f64 {
        self.to.iter().copied().fold(self.from, f64::max)
    }

    fn is_straight(&self) -> bool {
        self.bottom() - self.top() < 1.0
    }
}

/// Heights that are nearer than this look like one.
const SAME: f64 = 3.0;

/// What it costs to have `left` on a track left of `right`: lines that cross, and, worse, lines that lie on each other.
fn cost(left: &Turn, right: &Turn) -> u32 {
    let crosses = |y: f64, other: &Turn| y > other.top() && y < other.bottom();
    let mut cost = 0;
    for y in &left.to {
        cost += u32::from(crosses(*y, right));
        cost += 20 * u32::from((y - right.from).abs() < SAME);
    }
    cost + u32::from(crosses(right.from, left))
}

/// The track of each turn, from the left, and how many tracks there are. What goes straight on needs none.
pub(super) fn tracks(turns: &[Turn]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..turns.len()).filter(|at| !turns[*at].is_straight()).collect();
    order.sort_by(|a, b| turns[*a].from.total_cmp(&turns[*b].from));
    let mut again = true;
    let mut rounds = 0;
    while std::mem::take(&mut again) && rounds < 4 * turns.len() {
        rounds += 1;
        for place in 1..order.len() {
            let (a, b) = (&turns[order[place - 1]], &turns[order[place]]);
            if cost(b, a) < cost(a, b) {
                order.swap(place - 1, place);
                again = true;
            }
        }
    }
    let mut tracks = vec![0; turns.len()];
    let mut count = 0;
    for (place, at) in order.iter().enumerate() {
        let turn = &turns[*at];
        let meets = |other: &Turn| other.top() < turn.bottom() + SAME && turn.top() < other.bottom() + SAME;
        let left = order[..place].iter().filter(|other| meets(&turns[**other])).map(|other| tracks[*other] + 1).max();
        tracks[*at] = left.unwrap_or(0);
        count = count.max(tracks[*at] + 1);
    }
    (tracks, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_that_meet_have_tracks_of_their_own_and_cross_as_little_as_they_can() {
        let down = |from, to| Turn { from, to: vec![to] };
        assert_eq!(tracks(&[down(0.0, 100.0), down(50.0, 150.0)]), (vec![1, 0], 2));
        assert_eq!(tracks(&[down(0.0, 10.0), down(50.0, 60.0)]), (vec![0, 0], 1));
        assert_eq!(tracks(&[down(0.0, 0.0)]), (vec![0], 0));
    }
}
