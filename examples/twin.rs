//! The twin as a program: an AWS on this machine to try soflow on. One line a call on standard error.
//!
//! ```text
//! cargo run --example twin -- [--port 5600] [--pace-ms 200] [--exec]
//! ```

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the twin is for tests and tries")]

#[path = "../tests/twin/mod.rs"]
#[expect(dead_code, reason = "one twin for all tests; nobody uses all of it")]
mod twin;
#[path = "../tests/wire/mod.rs"]
mod wire;

use std::io::Write;
use std::time::Duration;

use clap::Parser;
use twin::{Exec, Options, Twin};

/// An EMR whose clusters and steps move, with S3, Glue, Athena, CloudWatch Logs and the rest of moto behind it.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1
    #[arg(long, default_value_t = 5600)]
    port: u16,
    /// Milliseconds that a cluster or a step stays in each state
    #[arg(long, default_value_t = 200)]
    pace_ms: u64,
    /// Run spark-submit steps with the local engine
    #[arg(long)]
    exec: bool,
    /// Buckets to make
    #[arg(long, default_values_t = ["soflow-lake".to_string()])]
    bucket: Vec<String>,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let mut exec = None;
    if arguments.exec {
        exec = Some(Exec::find().expect("no engine environment: make it with `soflow engine install`"));
    }
    let pace = Duration::from_millis(arguments.pace_ms);
    let twin = Twin::with(Options { port: arguments.port, pace, exec, verbose: true, ..Options::default() });
    for bucket in &arguments.bucket {
        twin.bucket(bucket);
    }
    let mut out = std::io::stdout();
    for (name, value) in twin.environment() {
        writeln!(out, "export {name}={value}")?;
    }
    writeln!(out, "# buckets: {}. Ctrl-C ends it.", arguments.bucket.join(", "))?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}
