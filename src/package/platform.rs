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

    /// Returns the architecture of an instance type such as `m6g.xlarge`.
    ///
    /// Graviton has a `g` among the letters behind the generation (`m6g`, `c7gn`, `im4gn`), which `g5` and `gr6` have
    /// not; the first generation is `a1`. Source: EC2 user guide, "Instance type naming conventions".
    ///
    /// # Errors
    /// `Usage` when it is not the name of an instance type.
    pub fn of_type(instance_type: &str) -> Result<Self> {
        let parts = instance_type.split_once('.').filter(|(family, size)| !family.is_empty() && !size.is_empty());
        let behind = parts.and_then(|(family, _)| {
            let letters = family.find(|c: char| c.is_ascii_digit())?;
            Some(family[letters..].trim_start_matches(|c: char| c.is_ascii_digit()))
        });
        let Some(behind) = behind else {
            return Err(Error::new(Kind::Usage, format!("`{instance_type}` is not an EC2 instance type"))
                .hint("a type has a family and a size, such as `m5.xlarge`"));
        };
        let graviton = behind.contains('g') || instance_type.starts_with("a1.");
        Ok(if graviton { Self::Aarch64 } else { Self::X86_64 })
    }

    /// Returns the architecture that all of these instance types have.
    ///
    /// # Errors
    /// `Usage` when there are two, naming a type of each: the packages of a step are compiled for one of them.
    pub fn of_types<'a>(instance_types: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut first: Option<(&str, Self)> = None;
        for name in instance_types {
            let architecture = Self::of_type(name)?;
            match first {
                None => first = Some((name, architecture)),
                Some((_, same)) if same == architecture => {}
                Some((other, theirs)) => {
                    let what =
                        format!("`{other}` is {theirs} and `{name}` is {architecture}: a cluster has one of them");
                    return Err(Error::new(Kind::Usage, what)
                        .hint("Graviton types, such as `m6g.xlarge`, need to be together in a shape of their own"));
                }
            }
        }
        let none = || Error::new(Kind::Usage, "the cluster shape names no instance type");
        first.map(|(_, architecture)| architecture).ok_or_else(none)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What packages are compiled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Python's version, `3.11`.
    pub python: String,
    /// The processor.
    pub architecture: Architecture,
}

impl Platform {
    /// Returns the platform of nodes with Amazon Linux 2023 and `python`, such as `3.11`.
    ///
    /// # Errors
    /// `Usage` when `python` is not a Python 3 written with two numbers.
    pub fn new(python: &str, architecture: Architecture) -> Result<Self> {
        match python.strip_prefix("3.").map(str::parse::<u32>) {
            Some(Ok(_)) => Ok(Self { python: python.into(), architecture }),
            _ => Err(Error::new(Kind::Usage, format!("`{python}` is not a version of Python 3"))
                .hint("write it with two numbers, such as `3.11`")),
        }
    }

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
        for name in arm {
            assert_eq!(Architecture::of_type(name).unwrap(), Architecture::Aarch64, "{name}");
        }
        for name in intel {
            assert_eq!(Architecture::of_type(name).unwrap(), Architecture::X86_64, "{name}");
        }
        for wrong in ["", "m5", "m5.", ".xlarge", "medium.large"] {
            assert!(Architecture::of_type(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mix_is_refused_naming_both() {
        assert_eq!(Architecture::of_types(["m6g.xlarge", "r6g.large"]).unwrap(), Architecture::Aarch64);
        let error = Architecture::of_types(["m5.xlarge", "c5.large", "m6g.xlarge"]).unwrap_err();
        assert_eq!(error.message, "`m5.xlarge` is x86_64 and `m6g.xlarge` is aarch64: a cluster has one of them");
        assert!(Architecture::of_types([]).is_err());
    }

    #[test]
    fn a_python_is_two_numbers() {
        assert_eq!(Platform::new("3.11", Architecture::X86_64).unwrap().to_string(), "Python 3.11 on Linux x86_64");
        for wrong in ["", "3", "2.7", "3.11.2", "3.x", "python3.11"] {
            assert!(Platform::new(wrong, Architecture::X86_64).is_err(), "{wrong}");
        }
    }
}
