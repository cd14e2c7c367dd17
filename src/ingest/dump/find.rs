//! The files of a dump: of a folder, of an archive, or a single one.

use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::Timestamp;

use super::source::{self, DumpFile, Packing};
use super::table::DumpTable;
use super::{archive, damage};
use crate::error::{Error, Kind, Result};
use crate::ingest::summary::Skipped;

/// The endings of files that are read.
const ENDINGS: [&str; 3] = [".xml.gz", ".xml", ".7z"];

/// What was found.
#[derive(Debug, Default)]
pub struct DumpFiles {
    /// The tables' files, in the order in which they are read.
    pub sources: Vec<DumpFile>,
    /// Files that are none of a dump.
    pub skipped: Vec<Skipped>,
    /// The sites that names tell, each once.
    pub sites: Vec<String>,
}

/// Returns the files of the tables of `only`, or of all when it is empty.
///
/// # Errors
/// `Usage` when there is none, when one of `only` is missing, or when two files are of one table; also when an archive
/// cannot be used. `Machine` when something cannot be read.
pub fn find(input: &Path, only: &[DumpTable]) -> Result<DumpFiles> {
    if !input.exists() {
        return Err(Error::new(Kind::Usage, format!("there is no file or folder `{}`", input.display())));
    }
    let mut found = DumpFiles::default();
    let named = fs::canonicalize(input)?;
    if named.is_dir() {
        let mut entries: Vec<PathBuf> = fs::read_dir(input)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        entries.sort();
        for path in entries {
            found.file(&path)?;
        }
    } else {
        found.file(input)?;
    }
    // Where the files' own names do not tell the site, as `Posts.xml`, that of their folder may.
    let folder = if named.is_dir() { Some(named.as_path()) } else { named.parent() };
    if let (true, Some(site)) = (found.sites.is_empty(), folder.and_then(|folder| site_of_stem(&name_of(folder)))) {
        found.sites.push(site);
    }
    check_all_there(input, only, &found)?;
    found.sources.retain(|source| only.is_empty() || only.contains(&source.table));
    check_one_each(&found.sources)?;
    Ok(found)
}

impl DumpFiles {
    fn file(&mut self, path: &Path) -> Result<()> {
        let name = name_of(path);
        let lower = name.to_ascii_lowercase();
        if name.starts_with('.') {
            return Ok(());
        }
        let Some(ending) = ENDINGS.into_iter().find(|ending| lower.ends_with(ending)) else {
            self.skip(name, "not a `.7z`, `.xml` or `.xml.gz` file");
            return Ok(());
        };
        let about = fs::metadata(path)?;
        if !about.is_file() {
            self.skip(name, "not a regular file");
            return Ok(());
        }
        let written = source::written(&about)?;
        let stem = &name[..name.len() - ending.len()];
        if ending == ".7z" {
            self.archive(path, &name, written)?;
        } else if let Some(table) = DumpTable::of_stem(stem) {
            if about.len() == 0 {
                return Err(damage::empty(&name));
            }
            let (path, packed) = (path.to_path_buf(), DumpFile::packing(path)?);
            let (name, bytes, modified) = (name.clone(), about.len(), written);
            self.sources.push(DumpFile { table, name, path, packed, bytes, modified, written });
        } else {
            self.skip(name, "not a table of the data dump");
            return Ok(());
        }
        if let Some(site) = site_of_stem(stem).filter(|site| !self.sites.contains(site)) {
            self.sites.push(site);
        }
        Ok(())
    }

    fn archive(&mut self, path: &Path, name: &str, written: Timestamp) -> Result<()> {
        for member in archive::list(path, name)? {
            let shown = format!("{name}/{}", member.name);
            let file = member.name.rsplit('/').next().unwrap_or_default();
            let lower = file.to_ascii_lowercase();
            let Some(table) = lower.strip_suffix(".xml").and_then(DumpTable::of_stem) else {
                self.skip(shown, "not a table of the data dump");
                continue;
            };
            if member.bytes == 0 {
                return Err(damage::empty(&shown));
            }
            let packed = Packing::Member { member: member.name, crc: member.crc };
            let (path, modified) = (path.to_path_buf(), member.modified.unwrap_or(written));
            self.sources.push(DumpFile { table, name: shown, path, packed, bytes: member.bytes, modified, written });
        }
        Ok(())
    }

    fn skip(&mut self, path: String, reason: &str) {
        self.skipped.push(Skipped { path, reason: reason.into() });
    }
}

fn check_all_there(input: &Path, only: &[DumpTable], found: &DumpFiles) -> Result<()> {
    let there: Vec<DumpTable> = found.sources.iter().map(|source| source.table).collect();
    let input = input.display();
    if there.is_empty() {
        let error = Error::new(Kind::Usage, format!("there is no file of the data dump in `{input}`"));
        return Err(
            error.hint("its files are called `Posts.xml`, `Users.xml` and so on, plain, with `.gz`, or in a `.7z`")
        );
    }
    match only.iter().find(|table| !there.contains(table)) {
        Some(missing) => {
            let names: Vec<_> = there.iter().map(|table| format!("`{}`", table.endpoint())).collect();
            let error = Error::new(Kind::Usage, format!("there is no `{}` in `{input}`", missing.endpoint()));
            Err(error.hint(format!("there are {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

fn check_one_each(sources: &[DumpFile]) -> Result<()> {
    for (at, source) in sources.iter().enumerate() {
        if let Some(other) = sources[..at].iter().find(|other| other.table == source.table) {
            let message = format!("two files have rows of `{}`, nothing was written", source.table.endpoint());
            return Err(Error::new(Kind::Usage, message)
                .detail(format!("{}\n{}", other.name, source.name))
                .hint("give one of them by its own path, or one site's folder at a time"));
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the API's name of the site that a file or folder without its endings is named after, or `None` when it is
/// not named after a host: `bicycles.meta.stackexchange.com`, `stackoverflow.com-Posts`, `ru.stackoverflow.com`.
///
/// The API drops `.stackexchange.com` and `.com` and keeps other endings. Source: `api_site_parameter` of
/// <https://api.stackexchange.com/docs/sites>, where MathOverflow is `mathoverflow.net`.
fn site_of_stem(stem: &str) -> Option<String> {
    let lower = stem.to_ascii_lowercase();
    let host = lower.rsplit_once('-').map_or(lower.as_str(), |(host, _)| host);
    let site = match host.strip_suffix(".com") {
        Some(rest) => rest.strip_suffix(".stackexchange").unwrap_or(rest),
        None => host.ends_with(".net").then_some(host)?,
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    (site.starts_with(|c: char| c.is_ascii_alphanumeric()) && site.chars().all(fits)).then(|| site.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_the_name_the_api_calls_it_by() {
        for (stem, site) in [
            ("stackoverflow.com-Posts", Some("stackoverflow")),
            ("bicycles.meta.stackexchange.com", Some("bicycles.meta")),
            ("meta.stackexchange.com", Some("meta")),
            ("ru.stackoverflow.com", Some("ru.stackoverflow")),
            ("pt.meta.stackoverflow.com-Users", Some("pt.meta.stackoverflow")),
            ("mathoverflow.net", Some("mathoverflow.net")),
            ("Posts", None),
            ("my folder.com", None),
            (".com", None),
            ("stackexchange_20260630", None),
        ] {
            assert_eq!(site_of_stem(stem).as_deref(), site, "{stem}");
        }
    }
}
