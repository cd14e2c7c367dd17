//! Parses, runs, prints the error, returns its code.
fn main() {}
