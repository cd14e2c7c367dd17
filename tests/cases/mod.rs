//! What went wrong on people's machines and with people's data, one file a kind. Each test makes its own inputs.

mod insights;
mod paths;
mod project;
mod read_only;
mod sharing;
mod smallest;
mod surroundings;
mod text;
mod values;
mod way_out;
