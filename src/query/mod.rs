//! SQL on the tables in Glue, with Athena.
//!
//! ```text
//! athena (start, look, page, stop) -> rows (text to Arrow); refusal (Athena's words to ours)
//! ```

mod athena;
mod refusal;
mod rows;

pub use athena::{Answer, Athena, Cost};
