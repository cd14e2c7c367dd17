//! A client of Spark Connect, the protocol of Sail, of Spark and of sessions on EMR 8: SQL in, Arrow out.
//!
//! ```text
//! session (one connection, its views, one statement at a time) -> messages (what goes over the wire)
//! ```

mod messages;
mod session;

pub use messages::Relation;
pub use session::{Rows, SparkSession, StatementError};
