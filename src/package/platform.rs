//! What the nodes of a cluster run packages with: Python, Linux, processor.

use std::fmt;

use crate::error::{Error, Kind, Result};

/// A processor architecture of EC2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// Graviton.
    Aarch64,
}

impl Architecture {
    /// Returns its name as Python and Linux spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Returns its name as Lambda spells it.
    pub const fn lambda(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Returns the architecture that all of these instance types have.
    ///
    /// # Errors
    /// `Usage` when there are two, naming a type of each: the packages of a step are compiled for one of them.
    pub fn of_types<'a>(instance_types: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let (arm, intel): (Vec<&str>, Vec<&str>) = instance_types.into_iter().partition(|name| is_graviton(name));
        match (intel.first(), arm.first()) {
            (Some(intel), Some(arm)) => {
                let message = format!("`{intel}` is x86_64 and `{arm}` is aarch64: a cluster has one of them");
                let hint = "Graviton types, such as `m6g.xlarge`, need to be together in a shape of their own";
                Err(Error::new(Kind::Usage, message).hint(hint))
            }
            (None, Some(_)) => Ok(Self::Aarch64),
            (_, None) => Ok(Self::X86_64),
        }
    }
}

/// Returns whether an instance type such as `m6g.xlarge` has a processor of AWS's own.
///
/// It has a `g` among the letters behind the generation (`m6g`, `c7gn`, `im4gn`), which `g5` and `gr6` have not; the first
/// generation is `a1`. Source: EC2 user guide, "Instance type naming conventions".
fn is_graviton(instance_type: &str) -> bool {
    let family = instance_type.split('.').next().unwrap_or_default();
    let behind = family.trim_start_matches(|c: char| !c.is_ascii_digit());
    family == "a1" || behind.contains('g')
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What packages are compiled for: nodes with Amazon Linux 2023.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Python's version, `3.11`.
    pub python: String,
    /// The processor.
    pub architecture: Architecture,
}

impl Platform {
    /// Returns what makes uv choose wheels for this platform instead of for the machine it runs on. Amazon Linux 2023,
    /// which releases from 7.0 run on, has the C library 2.34. Source: its user guide, "Comparing AL2 and AL2023".
    pub fn uv_options(&self) -> [String; 2] {
        let Self { python, architecture } = self;
        [format!("--python-version={python}"), format!("--python-platform={architecture}-manylinux_2_34")]
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Python {} on Linux {}", self.python, self.architecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graviton_has_a_g_behind_the_generation() {
        let arm = [
            "m6g.xlarge",
            "c7gn.large",
            "im4gn.large",
            "is4gen.large",
            "x2gd.metal",
            "t4g.nano",
            "g5g.xlarge",
            "hpc7g.4xlarge",
            "r8gd.48xlarge",
            "a1.medium",
        ];
        let intel = [
            "m5.xlarge",
            "g5.xlarge",
            "g4dn.xlarge",
            "gr6.4xlarge",
            "g6e.xlarge",
            "m7i-flex.large",
            "x2iedn.xlarge",
            "u-6tb1.metal",
            "p4de.24xlarge",
            "hpc7a.12xlarge",
            "i3en.large",
        ];
        assert!(arm.iter().all(|name| is_graviton(name)));
        assert!(!intel.iter().any(|name| is_graviton(name)));
    }

    #[test]
    fn a_mix_is_refused_naming_both() {
        assert_eq!(Architecture::of_types(["m6g.xlarge", "r6g.large"]).unwrap(), Architecture::Aarch64);
        let error = Architecture::of_types(["m5.xlarge", "c5.large", "m6g.xlarge"]).unwrap_err();
        assert_eq!(error.message, "`m5.xlarge` is x86_64 and `m6g.xlarge` is aarch64: a cluster has one of them");
    }
}
