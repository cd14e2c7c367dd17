//! When steps ran, and the division of an instance's cost by what it did when.

use jiff::Timestamp;

use super::dollars::Dollars;

/// What the cost of instances was for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) starting: Dollars,
    pub(super) working: Dollars,
    pub(super) idle: Dollars,
    /// `working` by step.
    pub(super) steps: Vec<Dollars>,
}

impl Split {
    /// Returns a split of nothing among so many steps.
    pub(super) fn new(steps: usize) -> Self {
        let none = Dollars::default();
        Self { starting: none, working: none, idle: none, steps: vec![none; steps] }
    }
}

/// The time in which some step ran, cut wherever a step starts or ends.
pub(super) struct Timeline {
    spans: Vec<Span>,
}

struct Span {
    from: i64,
    until: i64,
    /// The steps that ran all through it, never none.
    running: Vec<usize>,
}

impl Timeline {
    /// Returns the timeline of steps that started and ended at these times.
    pub(super) fn new(steps: impl Iterator<Item = (Timestamp, Timestamp)>) -> Self {
        let steps: Vec<_> = steps.map(|(from, until)| (from.as_millisecond(), until.as_millisecond())).collect();
        let mut cuts: Vec<i64> = steps.iter().flat_map(|&(from, until)| [from, until]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let span = |(&from, &until): (&i64, &i64)| {
            let ran = |&(_, step): &(usize, &(i64, i64))| step.0 <= from && until <= step.1;
            let running: Vec<_> = steps.iter().enumerate().filter(ran).map(|(at, _)| at).collect();
            (!running.is_empty()).then_some(Span { from, until, running })
        };
        Self { spans: cuts.iter().zip(cuts.iter().skip(1)).filter_map(span).collect() }
    }

    /// Adds to `split` the cost of an instance by what it did between its creation, its being ready and its end.
    ///
    /// Every amount is the difference of two points on one line from nothing to `cost`: so whatever the rounding, they
    /// add up to it.
    pub(super) fn divide(&self, cost: Dollars, life: [Timestamp; 3], split: &mut Split) {
        let [created, ready, ended] = life.map(Timestamp::as_millisecond);
        let until = |time: i64| match ended.abs_diff(created) {
            0 => cost,
            whole => cost.part(time.abs_diff(created), whole),
        };
        let between = |from: i64, to: i64| Dollars::from_micros(until(to).micros() - until(from).micros());
        split.starting = split.starting + until(ready);
        let mut done = ready;
        for span in &self.spans {
            let (from, to) = (span.from.max(ready), span.until.min(ended));
            if from >= to {
                continue;
            }
            let part = between(from, to);
            split.idle = split.idle + between(done, from);
            split.working = split.working + part;
            share(part, &span.running, &mut split.steps);
            done = to;
        }
        split.idle = split.idle + between(done, ended);
    }
}

/// Adds equal parts of `amount` to those of `all` that `of` names.
fn share(amount: Dollars, of: &[usize], all: &mut [Dollars]) {
    let mut given = Dollars::default();
    for (&at, number) in of.iter().zip(1..) {
        let until = amount.part(number, of.len() as u64);
        if let Some(one) = all.get_mut(at) {
            *one = *one + Dollars::from_micros(until.micros() - given.micros());
        }
        given = until;
    }
}
