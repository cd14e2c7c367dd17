//! Runs without a laptop: the generated state machine, executed by interpreters that are not ours, with the program as its
//! Lambda functions and the twin as everything that they call.

mod cost;
mod daily;
mod faults;
mod fused;
mod interpreter;
mod kills;
mod lab;
mod reach;
mod rights;
mod second;
mod stops;
mod whole;
