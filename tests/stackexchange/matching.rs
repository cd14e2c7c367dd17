//! Which requests go wrong.

use std::fmt;
use std::sync::Arc;

use super::Asked;

/// Which requests meet a fault.
#[derive(Clone)]
pub enum Match {
    /// All.
    Any,
    /// From the request with this number on.
    Number(u64),
    /// Those of the method with this template, such as `/questions`.
    Method(String),
    /// Those it returns true for.
    When(Arc<dyn Fn(&Asked) -> bool + Send + Sync>),
}

impl Match {
    /// Returns a match of the requests that `when` returns true for.
    pub fn when(when: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> Self {
        Self::When(Arc::new(when))
    }

    /// Whether a request is one of them.
    pub fn fits(&self, asked: &Asked) -> bool {
        match self {
            Self::Any => true,
            Self::Number(first) => asked.number >= *first,
            Self::Method(template) => asked.method == *template,
            Self::When(when) => when(asked),
        }
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Number(number) => write!(f, "Number({number})"),
            Self::Method(template) => write!(f, "Method({template})"),
            Self::When(_) => f.write_str("When(_)"),
        }
    }
}
