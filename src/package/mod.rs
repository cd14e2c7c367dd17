//! What a step needs on a cluster and a laptop has anyway: its code and the packages it imports, as archives.
//!
//! ```text
//! SQL file, notebook -> StepSource -> a script that runs it
//! code folder -> Bundle -> soflow_code.zip (--py-files) + the step scripts + soflow_chain.py
//! program + project files -> what a Lambda function is made from
//! requirements.lock + Platform -> Environment -> <key>.tar.gz (--archives …#environment)
//! ```

mod archive;
mod bundle;
mod environment;
mod function;
mod notebook;
mod platform;
mod script;

pub use bundle::{Bundle, BundleFile, CHAIN_DRIVER, CODE_ARCHIVE};
pub use environment::{Environment, INTERPRETER};
pub use function::{FunctionFile, function_archive};
pub use platform::{Architecture, Platform};
pub use script::{SourceProblem, StepSource, script_path};
