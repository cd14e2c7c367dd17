//! The twin as a program: an AWS on this machine to try soflow on. One line a call on standard error.
//!
//! ```text
//! cargo run --example twin -- [--port 5600] [--pace-ms 200] [--exec] [--deployable]
//! ```
//!
//! A time on standard input moves the clock that schedules of a stack go by; a line on standard output says so.

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
    /// Have ministack behind it instead of moto: stacks can be deployed
    #[arg(long)]
    deployable: bool,
    /// Security configurations that EMR knows
    #[arg(long)]
    security_configuration: Vec<String>,
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
    let deployable = arguments.deployable;
    let twin =
        Twin::with(Options { port: arguments.port, pace, exec, deployable, verbose: true, ..Options::default() });
    for name in &arguments.security_configuration {
        twin.security_configuration(name, &serde_json::json!({}));
    }
    for bucket in &arguments.bucket {
        twin.bucket(bucket);
    }
    let mut out = std::io::stdout();
    for (name, value) in twin.environment() {
        writeln!(out, "export {name}={value}")?;
    }
    writeln!(out, "# buckets: {}. Ctrl-C ends it.", arguments.bucket.join(", "))?;
    out.flush()?;
    for line in std::io::stdin().lines() {
        let line = line?;
        twin.clock(line.trim().parse().expect("a time such as 2026-11-22T02:15:00Z"));
        writeln!(out, "# it is {line}")?;
    }
    loop {
        std::thread::park();
    }
}
