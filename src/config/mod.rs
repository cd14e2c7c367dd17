//! Settings: what `config/soflow.yaml`, the environment and the flags say, merged and checked.
//!
//! ```text
//! raw (as written, with places) -> layers (defaults < file < environment < flags) -> check -> Settings
//! ```
//!
//! Reads nothing itself: the texts and the variables are given.

mod check;
mod emr;
mod ingest;
mod keys;
mod layers;
mod raw;
mod reference;
mod root;
mod settings;
mod show;

pub use emr::{Bootstrap, Classification, Disk, Emr, Fleet, InstanceType, Scaling, Shape, SpotFallback};
pub use ingest::{Auth, ENDPOINTS, Ingest};
pub use layers::{Layers, Origin, Resolved, read, resolve};
pub use reference::reference;
pub use root::find_root;
pub use settings::{Engine, Lake, Local, Network, Settings, Target, TargetKind};

#[cfg(test)]
mod tests;
