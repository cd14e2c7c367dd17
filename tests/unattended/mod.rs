//! Runs without a laptop: the generated state machine, executed by an interpreter that is not ours, with the program as its
//! Lambda functions and the twin as everything that they call.

mod faults;
mod kills;
mod lab;
mod stops;
mod whole;
