//! What the nodes of a cluster run packages with: Python, Linux, processor.

use std::fmt;

use super::Architecture;
use crate::error::{Error, Kind, Result};

/// The C library of Amazon Linux 2023, which releases from 7.0 run on: 2.34. Source: its user guide, "Comparing
/// AL2 and AL2023".
const GLIBC_MINOR: u32 = 34;

/// The oldest C library that wheels are tagged with: 2.5. Source: PEP 513.
const OLDEST_GLIBC_MINOR: u32 = 5;

/// What packages are compiled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    python: (u32, u32),
    architecture: Architecture,
}

impl Platform {
    /// Returns the platform of nodes with Amazon Linux 2023 and `python`, such as `3.11`.
    ///
    /// # Errors
    /// `Usage` when `python` is not a Python 3 written with two numbers.
    pub fn new(python: &str, architecture: Architecture) -> Result<Self> {
        let numbers =
            python.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        match numbers {
            Some(version @ (3, _)) => Ok(Self { python: version, architecture }),
            _ => Err(Error::new(Kind::Usage, format!("`{python}` is not a version of Python 3"))
                .hint("write it with two numbers, such as `3.11`")),
        }
    }

    /// Returns the Python's version, `3.11`.
    pub fn python(&self) -> String {
        format!("{}.{}", self.python.0, self.python.1)
    }

    /// Returns the processor.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Returns what makes pip choose wheels for this platform instead of for the machine it runs on.
    pub fn pip_options(&self) -> Vec<String> {
        let (major, minor) = self.python;
        let mut options = vec!["--only-binary=:all:".into(), "--implementation=cp".into()];
        options.push(format!("--python-version={major}.{minor}"));
        options.push(format!("--abi=cp{major}{minor}"));
        let tags = (OLDEST_GLIBC_MINOR..=GLIBC_MINOR).rev().map(|minor| format!("manylinux_2_{minor}"));
        // The names that three of them had before; and what a wheel is tagged with that someone built at home.
        let legacy = ["manylinux2014", "manylinux2010", "manylinux1", "linux"].map(String::from);
        options.extend(tags.chain(legacy).map(|tag| format!("--platform={tag}_{}", self.architecture)));
        options
    }

    /// Returns the value of an environment marker of PEP 508 on this platform, or `None` when there is no such marker.
    /// The patch level of Python is taken for 0: a lock does not know which one a release will have.
    pub fn marker(&self, name: &str) -> Option<String> {
        let value = match name {
            "os_name" => "posix",
            "sys_platform" => "linux",
            "platform_system" => "Linux",
            "platform_machine" => self.architecture.name(),
            "platform_python_implementation" => "CPython",
            "implementation_name" => "cpython",
            "extra" => "",
            "python_version" => return Some(self.python()),
            "python_full_version" | "implementation_version" => return Some(format!("{}.0", self.python())),
            _ => return None,
        };
        Some(value.into())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Python {} on Linux {}", self.python(), self.architecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_is_two_numbers() {
        assert_eq!(Platform::new("3.11", Architecture::X86_64).unwrap().to_string(), "Python 3.11 on Linux x86_64");
        for wrong in ["", "3", "2.7", "3.11.2", "3.x", "python3.11"] {
            assert!(Platform::new(wrong, Architecture::X86_64).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wheels_are_taken_up_to_the_c_library_of_the_nodes() {
        let options = Platform::new("3.11", Architecture::Aarch64).unwrap().pip_options();
        for tag in ["manylinux_2_34_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"] {
            assert!(options.contains(&format!("--platform={tag}")), "{tag}");
        }
        assert!(options.iter().all(|option| !option.contains("2_35") && !option.contains("x86_64")));
        assert!(options.contains(&"--abi=cp311".into()));
    }
}
