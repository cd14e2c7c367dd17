//! What a step needs on a cluster and a laptop has anyway: its code and the packages it imports, as archives.
//!
//! ```text
//! code folder -> Bundle -> soflow_code.zip (--py-files) + the step scripts
//! requirements.lock + Platform -> Environment -> <key>.tar.gz (--archives …#environment)
//! ```

mod archive;
mod bundle;
mod environment;
mod platform;

pub use bundle::{Bundle, BundleFile, CODE_ARCHIVE};
pub use environment::{Environment, INTERPRETER};
pub use platform::{Architecture, Platform};
