//! What the doubles of services share: broken answers, and the decoding of what is in an address.

pub mod broken;
pub mod percent;
