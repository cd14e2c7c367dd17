//! Release labels of EMR.

use super::forms;

/// The last release of the classic line that AWS no longer gives standard support for, and since when.
/// Source: EMR release guide, "Amazon EMR standard support"; older ones left it before.
pub(super) const LAST_UNSUPPORTED: (Release, &str) = (Release::from(7, 3), "2026-10-15");

/// `emr-7.14.0` or `emr-spark-8.1.0`, in the order of their versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    version: (u32, u32),
    patch: u32,
    /// Whether it is of the line that has Spark 4 and little besides.
    pub(super) spark: bool,
}

impl Release {
    /// Returns the classic release `major.minor.0`.
    pub(super) const fn from(major: u32, minor: u32) -> Self {
        Self { version: (major, minor), patch: 0, spark: false }
    }

    /// Returns the release a label names; `None` when it is not the form of one.
    pub(super) fn parse(label: &str) -> Option<Self> {
        let rest = label.strip_prefix("emr-")?;
        let (spark, rest) = rest.strip_prefix("spark-").map_or((false, rest), |rest| (true, rest));
        let mut numbers = rest.split('.').map(|part| {
            let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok())?
        });
        let version = (numbers.next()??, numbers.next()??);
        let patch = numbers.next()??;
        numbers.next().is_none().then_some(Self { version, patch, spark })
    }

    /// Returns whether a cluster of this release can end by itself when idle.
    ///
    /// Source: EMR API reference, PutAutoTerminationPolicy: 5.30.0, and 6.1.0 and later.
    pub(super) fn can_end_idle(self) -> bool {
        self >= Self::from(6, 1) || (self >= Self::from(5, 30) && self < Self::from(6, 0))
    }

    /// Returns whether step and driver logs can go to CloudWatch as they are printed.
    ///
    /// Source: EMR management guide, "Monitor Amazon EMR logs with CloudWatch": 7.11.0 and later.
    pub(super) fn can_log_to_cloudwatch(self) -> bool {
        self >= Self::from(7, 11)
    }
}

/// What a label must look like.
pub(super) const LABEL: forms::Form =
    forms::Form::new(|text| Release::parse(text).is_some(), "a release such as `emr-7.14.0` or `emr-spark-8.1.0`");
