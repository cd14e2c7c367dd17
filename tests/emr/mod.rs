//! The program against the twin: the whole way of a run on EMR, with every fault that AWS has.
//!
//! Steps are really submitted and executed, by a launcher that writes a small file for each table (`launcher.py`), so that a
//! run takes a second; `whole.rs` runs the real steps on the embedded engine.

mod backfill;
mod costs;
mod faults;
pub mod fused;
mod kill;
pub mod lab;
mod left;
mod logs;
mod loss;
mod lost;
mod publishing;
mod race;
mod report;
mod said;
mod submit;
mod upload;
mod values;
mod watching;
pub mod whole;
mod wishes;
