//! Reads the Stack Exchange API into raw: everything that was created or changed in a span of time, each page as it came.

mod ask;
pub mod client;
pub mod cursor;
pub mod endpoint;
mod fetch;
mod forecast;
mod response;
mod retry;
mod run_folder;
pub mod secret;
pub mod state;
pub mod window;

pub use fetch::{Clock, Request, Span, fetch};
pub use forecast::{Forecast, forecast};
