//! The order of steps: a step waits for every step that writes a table it reads.

use std::collections::BTreeSet;

/// Returns an order in which steps can run, as positions: as written where nothing else is asked. `needs` has, for each
/// step, those it waits for.
///
/// # Errors
/// The cycles when there is none; no step is in two of them, and each step waits for the next in its cycle.
pub(super) fn order(needs: &[BTreeSet<usize>]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let mut done = vec![false; needs.len()];
    let (mut order, mut cycles) = (Vec::new(), Vec::new());
    loop {
        let free = |step: &usize| !done[*step] && needs[*step].iter().all(|need| done[*need]);
        if let Some(step) = (0..needs.len()).find(free) {
            done[step] = true;
            order.push(step);
        } else if let Some(cycle) = cycle(needs, &done) {
            // With this cycle taken out, go on to find the others.
            cycle.iter().for_each(|step| done[*step] = true);
            cycles.push(cycle);
        } else {
            return if cycles.is_empty() { Ok(order) } else { Err(cycles) };
        }
    }
}

/// Returns a cycle among the steps that are not `done`, each of which waits for another such step.
fn cycle(needs: &[BTreeSet<usize>], done: &[bool]) -> Option<Vec<usize>> {
    let mut step = done.iter().position(|done| !done)?;
    let mut path = vec![step];
    loop {
        step = *needs[step].iter().find(|need| !done[**need])?;
        if let Some(first) = path.iter().position(|seen| *seen == step) {
            let mut cycle = path.split_off(first);
            // Begin with the step written first, whichever way the cycle was entered.
            let least = cycle.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(at, _)| at);
            cycle.rotate_left(least);
            return Some(cycle);
        }
        path.push(step);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order_of(needs: &[&[usize]]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
        order(&needs.iter().map(|needs| needs.iter().copied().collect()).collect::<Vec<_>>())
    }

    #[test]
    fn free_steps_keep_the_order_of_the_file() {
        assert_eq!(order_of(&[&[], &[], &[]]), Ok(vec![0, 1, 2]));
        assert_eq!(order_of(&[&[3], &[], &[0], &[]]), Ok(vec![1, 3, 0, 2]));
    }

    #[test]
    fn each_cycle_is_found_once_and_begins_with_its_first_step() {
        assert_eq!(order_of(&[&[2], &[3], &[0], &[1], &[0, 1]]), Err(vec![vec![0, 2], vec![1, 3]]));
        assert_eq!(order_of(&[&[1], &[2], &[3], &[1]]), Err(vec![vec![1, 2, 3]]));
    }

    /// Any graph of up to 12 steps.
    fn any_needs() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
        (1_usize..12).prop_flat_map(|size| {
            let needs = prop::collection::btree_set(0..size, 0..4);
            prop::collection::vec(needs, size).prop_map(|mut needs| {
                needs.iter_mut().enumerate().for_each(|(at, needs)| _ = needs.remove(&at));
                needs
            })
        })
    }

    proptest! {
        #[test]
        fn an_order_is_complete_and_nobody_runs_before_what_it_needs(needs in any_needs()) {
            match order(&needs) {
                Ok(order) => {
                    prop_assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), needs.len());
                    prop_assert_eq!(order.len(), needs.len());
                    let place = |step: usize| order.iter().position(|at| *at == step);
                    for (step, needs) in needs.iter().enumerate() {
                        prop_assert!(needs.iter().all(|need| place(*need) < place(step)));
                    }
                }
                Err(cycles) => for cycle in cycles {
                    prop_assert!(cycle.len() > 1);
                    for (at, step) in cycle.iter().enumerate() {
                        prop_assert!(needs[*step].contains(&cycle[(at + 1) % cycle.len()]));
                    }
                },
            }
        }
    }
}
