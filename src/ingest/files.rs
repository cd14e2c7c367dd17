//! The files of a folder of downloaded pages, in the order a person would count them.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::summary::Skipped;
use crate::error::Result;

/// A file that may be a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its path below the folder with `/` between the parts, for people and for the manifest.
    pub name: String,
}

/// Returns the files below `folder` that may be pages, and those that are none; hidden ones are in neither.
///
/// Links are followed; a folder that was seen already, by whichever name, is not walked again, and neither is `raw`,
/// which holds what was ingested before.
pub fn find(folder: &Path, raw: Option<&Path>) -> Result<(Vec<PageFile>, Vec<Skipped>)> {
    let raw = raw.and_then(|raw| fs::canonicalize(raw).ok());
    let mut walk = FolderWalk { raw, ..FolderWalk::default() };
    if fs::metadata(folder)?.is_dir() {
        walk.folder(folder, "")?;
    } else {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        walk.found.push(PageFile { path: folder.to_path_buf(), name });
    }
    walk.found.sort_by(|a, b| natural(&a.name, &b.name));
    walk.skipped.sort_by(|a, b| natural(&a.path, &b.path));
    Ok((walk.found, walk.skipped))
}

#[derive(Default)]
struct FolderWalk {
    raw: Option<PathBuf>,
    seen: HashSet<PathBuf>,
    found: Vec<PageFile>,
    skipped: Vec<Skipped>,
}

impl FolderWalk {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let canonical = fs::canonicalize(folder)?;
        if self.raw.as_ref() == Some(&canonical) && !prefix.is_empty() {
            self.skip(prefix.trim_end_matches('/'), "raw itself");
            return Ok(());
        }
        if !self.seen.insert(canonical) {
            self.skip(prefix.trim_end_matches('/'), "a link to a folder that is read already");
            return Ok(());
        }
        // Sorted, so that of two names of one folder the same is taken every time.
        let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        entries.sort();
        for path in entries {
            let part = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !part.starts_with('.') {
                self.entry(path, format!("{prefix}{part}"))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, name: String) -> Result<()> {
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.skip(&name, "a link to nothing");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let lower = name.to_lowercase();
        if about.is_dir() {
            return self.folder(&path, &format!("{name}/"));
        } else if !about.is_file() {
            self.skip(&name, "not a regular file");
        } else if lower.ends_with(".json") || lower.ends_with(".json.gz") {
            self.found.push(PageFile { path, name });
        } else {
            self.skip(&name, "not a `.json` or `.json.gz` file");
        }
        Ok(())
    }

    fn skip(&mut self, path: &str, reason: &str) {
        self.skipped.push(Skipped { path: path.into(), reason: reason.into() });
    }
}

/// Compares as people count: `page2` before `page10`. Equal only for equal texts.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) {
        let (digits, others) = (number(left), number(right));
        let order = match (digits.is_empty(), others.is_empty()) {
            (false, false) => {
                left = &left[digits.len()..];
                right = &right[others.len()..];
                let (digits, others) = (digits.trim_start_matches('0'), others.trim_start_matches('0'));
                digits.len().cmp(&others.len()).then_with(|| digits.cmp(others))
            }
            _ => {
                left = &left[x.len_utf8()..];
                right = &right[y.len_utf8()..];
                x.cmp(&y)
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Returns the ASCII digits `text` starts with.
fn number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_as_people_count() {
        let mut names = ["p10.json", "p2.json", "p02.json", "é/1.json", "a/3.json", "p.json", "p99999999999999999999"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["a/3.json", "p.json", "p02.json", "p2.json", "p10.json", "p99999999999999999999", "é/1.json"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir_all(at("questions/ünïcode 🦀")).unwrap();
        for name in ["questions/1.JSON", "questions/ünïcode 🦀/2.json.gz", "questions/.3.json", "README.md"] {
            fs::write(at(name), "{}").unwrap();
        }
        std::os::unix::fs::symlink(at("questions"), at("questions/loop")).unwrap();
        std::os::unix::fs::symlink(at("questions/1.JSON"), at("questions/4.json")).unwrap();
        std::os::unix::fs::symlink(at("gone"), at("5.json")).unwrap();
        let (found, skipped) = find(home.path(), None).unwrap();
        let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["questions/1.JSON", "questions/4.json", "questions/ünïcode 🦀/2.json.gz"]);
        let skipped: Vec<_> = skipped.iter().map(|skipped| skipped.path.as_str()).collect();
        assert_eq!(skipped, ["5.json", "README.md", "questions/loop"]);
    }

    #[test]
    fn raw_is_no_folder_of_downloads() {
        let home = tempfile::tempdir().unwrap();
        let raw = home.path().join("lake/raw");
        fs::create_dir_all(&raw).unwrap();
        fs::write(raw.join("000001.json.gz"), "{}").unwrap();
        fs::write(home.path().join("1.json"), "{}").unwrap();
        let (found, skipped) = find(home.path(), Some(&raw)).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(skipped, [Skipped { path: "lake/raw".into(), reason: "raw itself".into() }]);
        assert_eq!(find(&raw, Some(&raw)).unwrap().0.len(), 1);
    }
}
