//! Reads the Stack Exchange API into raw: everything that was created or changed in a span of time, each page as it came.

mod ask;
mod client;
pub mod cursor;
pub mod endpoint;
mod fetch;
mod forecast;
mod response;
mod run_folder;
pub mod state;
pub mod window;

pub use client::{Client, Credentials, Secret};
pub use fetch::{ApiRequest, Clock, Span, fetch};
pub use forecast::{Forecast, forecast};
