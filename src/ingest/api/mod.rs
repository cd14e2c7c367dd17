//! Reads the Stack Exchange API into raw: everything that was created or changed in a span of time, each page as it came.

pub mod endpoint;
pub mod secret;
pub mod walk;
pub mod window;
