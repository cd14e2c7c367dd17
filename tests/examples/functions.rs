//! The program that functions run, when it was built.

use std::path::Path;

use soflow::package::{Architecture, function_archive};

#[test]
fn the_program_of_the_functions_runs_in_lambda() {
    let built = Path::new(env!("CARGO_BIN_EXE_soflow")).ancestors().nth(2).unwrap().join("lambda");
    for architecture in [Architecture::Aarch64, Architecture::X86_64] {
        let program = built.join(format!("soflow-{}", architecture.lambda()));
        let Ok(bytes) = fs_err::read(&program) else {
            println!(
                "skipped: whether Lambda could run the program: `just lambda {}` has not built it",
                architecture.lambda()
            );
            continue;
        };
        let archive = function_archive(&bytes, architecture, Vec::new()).unwrap_or_else(|error| panic!("{error:?}"));
        // What is larger than this was not stripped. Measured: docs/operations.md.
        assert!(archive.len() < 25_000_000, "{} bytes", archive.len());
    }
}
