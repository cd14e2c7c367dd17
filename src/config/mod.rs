//! Settings: what `config/soflow.yaml`, the environment and the flags say, merged, checked and read.
//!
//! ```text
//! trees with places -> layers (defaults < file < environment < flags) -> check against the schema -> rules -> serde
//! ```
//!
//! Reads no file itself: the texts and the variables are given.

mod describe;
mod emr;
mod formats;
mod ingest;
mod layers;
mod rules;
mod schedule;
mod settings;
mod stack;

pub use describe::{reference, settings_schema};
pub use emr::{Bootstrap, Classification, Disk, Emr, Fleet, InstanceType, Scaling, Shape, SpotFallback};
pub use ingest::{Auth, ENDPOINTS, Ingest};
pub use layers::{Layers, Origin, Resolved, find_root, read};
pub use schedule::Schedule;
pub use settings::{Engine, Lake, Local, Network, Settings, Target, TargetKind};
pub use stack::{EndpointSettings, LambdaArchitecture, Provision, StackSettings};

#[cfg(test)]
mod tests;
