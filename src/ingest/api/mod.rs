//! Reads the Stack Exchange API into raw: everything that was created or changed in a span of time, each page as it came.

mod answer;
mod ask;
mod body;
pub mod client;
pub mod endpoint;
mod fetch;
mod folder;
mod forecast;
mod patience;
pub mod secret;
pub mod state;
pub mod walk;
pub mod window;

pub use fetch::{Clock, Request, Span, fetch};
pub use forecast::{Forecast, forecast};
