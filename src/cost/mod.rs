//! Dollars: what a cluster shape would cost, and what a cluster has cost.
//!
//! ```text
//! prices (a dated table, shipped) -> estimate (before: a shape, a region)
//!                                 -> actual   (after: the lives of instances, the times of steps)
//! ```
//!
//! Pure: no clock, no network. Whole micro-dollars inside, so that parts add up to their total. Every result says the
//! date of its prices, and a price that is not in the table is an answer of its own, [`Missing`], never a nought.
//! What is counted, and what is not: `docs/cost.md`.

mod actual;
mod dollars;
mod estimate;
mod prices;

pub use actual::{Actual, InstanceLife, StepCost, StepTime, actual};
pub use dollars::{Dollars, Range};
pub use estimate::{Estimate, estimate};
pub use prices::{Capacity, Market, Missing, as_of, capacity};
