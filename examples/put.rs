//! Uploads one file with soflow's own code, for measuring: in parts, going on where a killed upload of it stopped.
//!
//! ```text
//! cargo run --example put -- FILE s3://bucket/key
//! ```

use std::path::{Path, PathBuf};

use clap::Parser;
use soflow::aws::{Session, SessionOptions};
use soflow::error::Result;
use soflow::names::Uri;
use soflow::store::{S3Store, Store};

/// A file to S3.
#[derive(Parser)]
struct Arguments {
    /// The file
    file: PathBuf,
    /// Where to, `s3://bucket/key`
    to: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let session = Session::load(&SessionOptions { region: None, profile: None, quota: 1.0 }).await?;
    let to = Uri::parse(&arguments.to, Path::new("/"))?;
    S3Store::new(&session).put_file(&to, &arguments.file, &|_| {}).await
}
