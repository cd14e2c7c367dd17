//! A port of an instance as a port of this machine, through AWS Systems Manager: no public port, no key pair, no other program.
//!
//! ```text
//! session (start, resume, terminate; the WebSocket) -> link -> channel (numbers, acknowledgements, handshake) of frames
//!   -> smux (several connections in one) -> forward (connections of this machine)
//! ```

mod channel;
mod forward;
mod frame;
mod link;
mod session;
mod smux;

pub use forward::{Forward, NotOpened, Traffic, TunnelEvent};
pub use session::{DOCUMENT, Remote, SessionStart};
