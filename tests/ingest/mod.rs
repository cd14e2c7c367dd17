//! Reading the API into raw, against a double of it that changes, fails and keeps count while it is read.

mod binary;
mod faults;
mod kills;
mod lab;
mod pace;
mod windows;
