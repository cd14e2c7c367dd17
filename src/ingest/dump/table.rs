//! The tables of the data dump and what their files are called.

use std::str::FromStr;

use crate::error::{Error, Kind, Result};

/// A table of the data dump; each is one XML file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DumpTable {
    /// Badges that users were given.
    Badges,
    /// Comments below posts.
    Comments,
    /// Every version of every post.
    PostHistory,
    /// Links between posts, and duplicates.
    PostLinks,
    /// Questions, answers, and what else is a post.
    Posts,
    /// Tags with how often they are used.
    Tags,
    /// Profiles.
    Users,
    /// Votes, without who gave them.
    Votes,
}

impl DumpTable {
    /// All of them, in the order of their endpoints.
    pub const ALL: [Self; 8] = [
        Self::Badges,
        Self::Comments,
        Self::PostHistory,
        Self::PostLinks,
        Self::Posts,
        Self::Tags,
        Self::Users,
        Self::Votes,
    ];

    /// Returns the endpoint its rows are filed under, which is also the root element of its file.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::Badges => "badges",
            Self::Comments => "comments",
            Self::PostHistory => "posthistory",
            Self::PostLinks => "postlinks",
            Self::Posts => "posts",
            Self::Tags => "tags",
            Self::Users => "users",
            Self::Votes => "votes",
        }
    }

    /// Returns the other endpoints whose items are among its rows.
    pub fn holds(self) -> Vec<String> {
        match self {
            Self::Posts => vec!["questions".into(), "answers".into()],
            _ => Vec::new(),
        }
    }

    /// Returns how the attribute that says when a row was made begins. In attribute values `"` is always escaped, so
    /// it cannot begin anywhere else.
    pub const fn created(self) -> &'static str {
        match self {
            Self::Badges => " Date=\"",
            _ => " CreationDate=\"",
        }
    }

    /// Returns the table of a file called `name` without its endings: `Posts`, `stackoverflow.com-Posts`.
    pub fn of_stem(name: &str) -> Option<Self> {
        let last = name.rsplit('-').next()?;
        Self::ALL.into_iter().find(|table| last.eq_ignore_ascii_case(table.endpoint()))
    }
}

impl FromStr for DumpTable {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|table| text.trim().eq_ignore_ascii_case(table.endpoint()));
        found.ok_or_else(|| Error::new(Kind::Usage, format!("the data dump has no table `{text}`: it has {}", all())))
    }
}

/// Returns the names of all tables as they are typed.
fn all() -> String {
    DumpTable::ALL.map(|table| format!("`{}`", table.endpoint())).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_known_by_the_last_part_of_a_name_in_any_case() {
        for (stem, table) in [
            ("Posts", Some(DumpTable::Posts)),
            ("POSTHISTORY", Some(DumpTable::PostHistory)),
            ("stackoverflow.com-PostLinks", Some(DumpTable::PostLinks)),
            ("Posts-old", None),
            ("Sites", None),
            ("", None),
        ] {
            assert_eq!(DumpTable::of_stem(stem), table, "{stem}");
        }
        assert_eq!("PostHistory".parse::<DumpTable>().unwrap(), DumpTable::PostHistory);
        assert!("answers".parse::<DumpTable>().unwrap_err().message.ends_with("`users`, `votes`"));
    }
}
