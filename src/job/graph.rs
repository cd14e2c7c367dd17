//! Which step waits for which: a step waits for every step that writes a table it reads.

use std::collections::BTreeSet;

use super::model::{Source, Step};

/// The steps of a job and whom each waits for.
#[derive(Clone, Debug)]
pub struct Graph {
    names: Vec<String>,
    needs: Vec<BTreeSet<usize>>,
}

impl Graph {
    /// Returns the graph of `steps`. That a step reads what it writes itself makes no edge.
    pub fn of(steps: &[Step]) -> Self {
        let writers = |table: &str| {
            let writes = |step: &Step| step.writes.iter().any(|output| output.table == table);
            steps.iter().enumerate().filter(move |(_, step)| writes(step)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        let needs = |(at, step): (usize, &Step)| {
            let tables = step.reads.iter().filter_map(|source| match source {
                Source::Table(table) => Some(table.as_str()),
                Source::Raw(_) => None,
            });
            tables.flat_map(writers).filter(|writer| *writer != at).collect()
        };
        let needs = steps.iter().enumerate().map(needs).collect();
        Self { names: steps.iter().map(|step| step.name.clone()).collect(), needs }
    }

    /// Returns an order in which the steps can run, as positions: as written where nothing else is asked.
    ///
    /// # Errors
    /// The cycles when there is none; no step is in two of them, and each step waits for the next in its cycle.
    pub fn order(&self) -> Result<Vec<usize>, Vec<Vec<usize>>> {
        let mut done = vec![false; self.names.len()];
        let order = self.sweep(&mut done);
        let mut cycles = Vec::new();
        while let Some(cycle) = self.cycle(&done) {
            // With this cycle taken out, go on to find the others.
            cycle.iter().for_each(|step| done[*step] = true);
            self.sweep(&mut done);
            cycles.push(cycle);
        }
        if cycles.is_empty() { Ok(order) } else { Err(cycles) }
    }

    /// Marks and returns what can run once `done` has, always the first in the file.
    fn sweep(&self, done: &mut [bool]) -> Vec<usize> {
        let mut open: Vec<usize> =
            self.needs.iter().map(|needs| needs.iter().filter(|need| !done[**need]).count()).collect();
        let mut free: BTreeSet<usize> = (0..open.len()).filter(|step| !done[*step] && open[*step] == 0).collect();
        let mut order = Vec::new();
        while let Some(step) = free.pop_first() {
            done[step] = true;
            order.push(step);
            for (later, _) in self.needs.iter().enumerate().filter(|(_, needs)| needs.contains(&step)) {
                open[later] -= 1;
                if open[later] == 0 && !done[later] {
                    free.insert(later);
                }
            }
        }
        order
    }

    /// Returns a cycle among the steps that are not `done`, each of which waits for another such step.
    fn cycle(&self, done: &[bool]) -> Option<Vec<usize>> {
        let mut step = done.iter().position(|done| !done)?;
        let mut path = vec![step];
        loop {
            step = *self.needs[step].iter().find(|need| !done[**need])?;
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

    /// Returns the steps that `step` waits for directly.
    pub fn needs(&self, step: &str) -> Vec<&str> {
        self.position(step).map_or(Vec::new(), |at| self.named(&self.needs[at]))
    }

    /// Returns all steps that must be over before `step`, in the order of the job.
    pub fn upstream(&self, step: &str) -> Vec<&str> {
        self.reach(step, |at| self.needs[at].iter().copied().collect())
    }

    /// Returns all steps that must wait until `step` is over, in the order of the job.
    pub fn downstream(&self, step: &str) -> Vec<&str> {
        self.reach(step, |at| (0..self.needs.len()).filter(|later| self.needs[*later].contains(&at)).collect())
    }

    fn reach(&self, step: &str, next: impl Fn(usize) -> Vec<usize>) -> Vec<&str> {
        let Some(start) = self.position(step) else { return Vec::new() };
        let mut reached = BTreeSet::new();
        let mut open = next(start);
        while let Some(at) = open.pop() {
            if reached.insert(at) {
                open.extend(next(at));
            }
        }
        self.named(&reached)
    }

    fn position(&self, step: &str) -> Option<usize> {
        self.names.iter().position(|name| name == step)
    }

    fn named(&self, steps: &BTreeSet<usize>) -> Vec<&str> {
        steps.iter().map(|step| self.names[*step].as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(needs: &[&[usize]]) -> Graph {
        let names = (0..needs.len()).map(|at| format!("s{at}")).collect();
        Graph { names, needs: needs.iter().map(|needs| needs.iter().copied().collect()).collect() }
    }

    #[test]
    fn free_steps_keep_the_order_of_the_file() {
        assert_eq!(graph(&[&[], &[], &[]]).order(), Ok(vec![0, 1, 2]));
        assert_eq!(graph(&[&[3], &[], &[0], &[]]).order(), Ok(vec![1, 3, 0, 2]));
    }

    #[test]
    fn each_cycle_is_found_once_and_begins_with_its_first_step() {
        let two = graph(&[&[2], &[3], &[0], &[1], &[0, 1]]);
        assert_eq!(two.order(), Err(vec![vec![0, 2], vec![1, 3]]));
        assert_eq!(graph(&[&[1], &[2], &[3], &[1]]).order(), Err(vec![vec![1, 2, 3]]));
    }

    #[test]
    fn upstream_and_downstream_reach_all_the_way() {
        let graph = graph(&[&[], &[0], &[1], &[0], &[]]);
        assert_eq!(graph.needs("s2"), ["s1"]);
        assert_eq!(graph.upstream("s2"), ["s0", "s1"]);
        assert_eq!(graph.downstream("s0"), ["s1", "s2", "s3"]);
        assert!(graph.downstream("s4").is_empty() && graph.upstream("nobody").is_empty());
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
            let names = (0..needs.len()).map(|at| format!("s{at}")).collect();
            let graph = Graph { names, needs };
            match graph.order() {
                Ok(order) => {
                    prop_assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), graph.needs.len());
                    prop_assert_eq!(order.len(), graph.needs.len());
                    let place = |step: usize| order.iter().position(|at| *at == step);
                    for (step, needs) in graph.needs.iter().enumerate() {
                        prop_assert!(needs.iter().all(|need| place(*need) < place(step)));
                    }
                }
                Err(cycles) => for cycle in cycles {
                    prop_assert!(cycle.len() > 1);
                    for (at, step) in cycle.iter().enumerate() {
                        prop_assert!(graph.needs[*step].contains(&cycle[(at + 1) % cycle.len()]));
                    }
                },
            }
        }

        #[test]
        fn upstream_and_downstream_mirror_each_other(needs in any_needs()) {
            let names: Vec<String> = (0..needs.len()).map(|at| format!("s{at}")).collect();
            let graph = Graph { names: names.clone(), needs };
            for a in &names {
                for b in &names {
                    prop_assert_eq!(graph.upstream(a).contains(&b.as_str()), graph.downstream(b).contains(&a.as_str()));
                }
            }
        }
    }
}
