//! What people see of runs and clusters on EMR: the whole output of the program, as snapshots.

/// Compares what the program said in a lab with the snapshot of that name.
macro_rules! shot {
    ($name:expr, $lab:expr, $said:expr) => {{
        let said = $crate::emr::said::support::told(&$lab, $said);
        insta::with_settings!({ filters => $crate::emr::said::support::filters(), omit_expression => true }, {
            insta::assert_snapshot!($name, said)
        })
    }};
}

mod clusters;
mod plans;
mod refusals;
mod runs;
mod support;
