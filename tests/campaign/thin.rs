//! A large file makes thousands of calls that are all the same. What is taken of them.

use std::collections::HashMap;
use std::hash::Hash;

/// How many of those of a kind are taken, between the first and the last.
const SHARE: usize = 1;

/// Which of `count` things to take. `class` says which ones are of a kind with others, and is nothing for what must not be
/// left out. Of each class, in each row between two of the latter: the first, the last and one in the middle.
pub fn thin<K: Eq + Hash>(count: usize, class: impl Fn(usize) -> Option<K>) -> Vec<usize> {
    let mut taken = Vec::new();
    let mut row: HashMap<K, Vec<usize>> = HashMap::new();
    for index in 0..=count {
        match (index < count).then(|| class(index)).flatten() {
            Some(class) => row.entry(class).or_default().push(index),
            None => {
                for (_, same) in row.drain() {
                    let every = (same.len() - 1).div_ceil(SHARE + 1).max(1);
                    taken.extend(same.iter().step_by(every).chain(same.last()));
                }
                taken.extend((index < count).then_some(index));
            }
        }
    }
    taken.sort_unstable();
    taken.dedup();
    taken
}
