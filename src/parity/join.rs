//! Rows of two sides matched by the hash of their keys.

/// How the rows of two sides match, by row number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Joined {
    /// Left and right row of a key that each side has once.
    pub pairs: Vec<(u32, u32)>,
    /// Rows of keys that only the left has.
    pub only_left: Vec<u32>,
    /// Rows of keys that only the right has.
    pub only_right: Vec<u32>,
    /// Rows of keys that both sides have, and one at least more than once.
    pub crowds: Vec<Crowd>,
    /// The first row of each key that more than one row on the left has.
    pub repeated_left: Vec<u32>,
    /// The same for the right.
    pub repeated_right: Vec<u32>,
}

/// The rows of one key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    pub left: Vec<u32>,
    pub right: Vec<u32>,
}

/// Returns how rows with these hashes match. Takes 4 bytes a row besides what it returns.
pub(super) fn join(left: &[u128], right: &[u128]) -> Joined {
    let (left_order, right_order) = (order(left), order(right));
    let mut joined = Joined::default();
    let (mut l, mut r) = (left_order.as_slice(), right_order.as_slice());
    while let Some(hash) = next(left, l).into_iter().chain(next(right, r)).min() {
        let (left_run, right_run);
        (left_run, l) = run(left, l, hash);
        (right_run, r) = run(right, r, hash);
        if left_run.len() > 1 {
            joined.repeated_left.push(left_run[0]);
        }
        if right_run.len() > 1 {
            joined.repeated_right.push(right_run[0]);
        }
        match (left_run, right_run) {
            ([left], [right]) => joined.pairs.push((*left, *right)),
            (only, []) => joined.only_left.extend(only),
            ([], only) => joined.only_right.extend(only),
            (left, right) => joined.crowds.push(Crowd { left: left.into(), right: right.into() }),
        }
    }
    joined
}

fn order(hashes: &[u128]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
    order.sort_unstable_by_key(|row| (hashes[*row as usize], *row));
    order
}

fn next(hashes: &[u128], order: &[u32]) -> Option<u128> {
    order.first().map(|row| hashes[*row as usize])
}

/// Splits the rows with this hash off the front.
fn run<'a>(hashes: &[u128], order: &'a [u32], hash: u128) -> (&'a [u32], &'a [u32]) {
    order.split_at(order.iter().take_while(|row| hashes[**row as usize] == hash).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_match_by_hash_whatever_their_order() {
        let joined = join(&[7, 3, 9, 9, 4, 4], &[3, 4, 8, 7, 2, 2]);
        assert_eq!(joined.pairs, [(1, 0), (0, 3)]);
        assert_eq!(joined.only_left, [2, 3]);
        assert_eq!(joined.only_right, [4, 5, 2]);
        assert_eq!(joined.crowds, [Crowd { left: vec![4, 5], right: vec![1] }]);
        assert_eq!((joined.repeated_left, joined.repeated_right), (vec![4, 2], vec![4]));
    }
}
