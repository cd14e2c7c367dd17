//! SQL on published tables.
//!
//! ```text
//! statement (where one ends, which may be run), view (a table as an engine of this machine reads it), sail (its words to ours)
//! athena (start, look, page, stop) -> rows (text to Arrow); refusal (Athena's words to ours)
//! ```

mod athena;
mod refusal;
mod rows;
pub mod sail;
pub mod statement;
mod view;

pub use athena::{Answer, Athena, Cost};
pub use view::{TableRead, View};
