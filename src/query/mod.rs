//! SQL on the tables in Glue, with Athena.
//!
//! ```text
//! athena (start, look, page, stop) -> rows (text to Arrow) and cost; refusal (Athena's words to ours)
//! ```

mod athena;
mod cost;
mod refusal;
mod rows;
mod shapes;

pub use athena::{Answer, Athena};
pub use cost::Cost;
