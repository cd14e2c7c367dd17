//! Parses, runs, prints the error, returns its code: all in [`soflow::cli::main`].

use std::process::ExitCode;

fn main() -> ExitCode {
    soflow::cli::main()
}
