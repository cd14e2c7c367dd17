//! The files of a dump: of a folder, of an archive, or a single one; and what tells a file's content from another one's.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use fs_err as fs;
use jiff::Timestamp;

use super::archive;
use crate::error::{Error, Kind, Result};
use crate::ingest::page::GZIP;
use crate::ingest::summary::Skipped;
use crate::names::Digest;

/// The tables of the data dump: the endpoints that their rows are filed under, which are also the root elements of their
/// files.
const TABLES: [&str; 8] = ["badges", "comments", "posthistory", "postlinks", "posts", "tags", "users", "votes"];

/// The endings of files that are read.
const ENDINGS: [&str; 3] = [".xml.gz", ".xml", ".7z"];

/// What is read at a time to compute a checksum.
const CHECKED_AT_ONCE: usize = 1 << 18;

/// Returns the table that people call `name`.
///
/// # Errors
/// `Usage` when the dump has none of that name.
pub fn table(name: &str) -> Result<&'static str> {
    let found = TABLES.into_iter().find(|table| name.trim().eq_ignore_ascii_case(table));
    found.ok_or_else(|| {
        let all = TABLES.map(|table| format!("`{table}`")).join(", ");
        Error::new(Kind::Usage, format!("the data dump has no table `{name}`: it has {all}"))
    })
}

/// Returns the table of a file called `stem` without its endings: `Posts`, `stackoverflow.com-Posts`.
fn table_of_stem(stem: &str) -> Option<&'static str> {
    stem.rsplit('-').next().and_then(|last| table(last).ok())
}

/// How the rows are packed.
#[derive(Clone, Debug)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// With gzip.
    Gzip,
    /// As a member of a 7z archive.
    Member {
        /// Its path in the archive.
        member: String,
        /// CRC-32 of its content, which archives have as a rule.
        crc: Option<u32>,
    },
}

/// A table's file.
#[derive(Clone, Debug)]
pub struct DumpFile {
    /// The table.
    pub table: &'static str,
    /// What people know it as: `Posts.xml.gz`, `stackoverflow.com-Posts.7z/Posts.xml`.
    pub name: String,
    /// The file, or the archive it is in.
    pub path: PathBuf,
    /// How the rows are packed.
    pub packed: Packing,
    /// Bytes to read: as packed by gzip, as unpacked from an archive.
    pub bytes: u64,
    /// When the rows were written: of an archive's member, what the archive says.
    pub modified: Timestamp,
    /// When the file, or the archive, was written.
    pub written: Timestamp,
}

impl DumpFile {
    /// Returns the name of the run folder for this content: the same for the same rows, however they are packed.
    ///
    /// What tells content apart is the CRC-32 and the length, modulo 2^32, of all of it. 7z archives have both; anything
    /// else is read once for them, for a gzip file knows no more than its last member.
    ///
    /// # Errors
    /// `Machine` when the file cannot be read; `Usage` when it is damaged, or an archive's member without CRC-32.
    pub fn run(&self) -> Result<String> {
        let (crc, length) = match &self.packed {
            Packing::Member { crc, .. } => {
                (crc.ok_or_else(|| archive::without_checksum(&name_of(&self.path), &self.name))?, self.bytes as u32)
            }
            _ => self.checksum(&mut self.open(fs::File::open(&self.path)?))?,
        };
        Ok(format!("{}{}", super::RUN, Digest::of([crc.to_be_bytes(), length.to_be_bytes()]).short()))
    }

    /// Returns the content of `input`, the file as it is on the disk.
    pub fn open<'a>(&self, input: impl Read + 'a) -> Box<dyn Read + 'a> {
        match self.packed {
            Packing::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHECKED_AT_ONCE, input))),
            _ => Box::new(input),
        }
    }

    /// Returns the CRC-32 of all that `input` has, and its length modulo 2^32.
    fn checksum(&self, input: &mut dyn Read) -> Result<(u32, u32)> {
        let (mut hasher, mut length, mut buffer) = (crc32fast::Hasher::new(), 0_u32, vec![0; CHECKED_AT_ONCE]);
        loop {
            match input.read(&mut buffer).map_err(|error| archive::while_reading(&self.name, 0, error))? {
                0 => return Ok((hasher.finalize(), length)),
                read => {
                    hasher.update(&buffer[..read]);
                    length = length.wrapping_add(read as u32);
                }
            }
        }
    }

    /// Returns whether [`Self::run`] reads the file as a whole.
    pub fn is_read_for_its_checksum(&self) -> bool {
        !matches!(self.packed, Packing::Member { .. })
    }

    /// Makes sure that the file is the one that was found: its folder in raw is named after what was in it then.
    ///
    /// # Errors
    /// `Machine` when it was written to meanwhile.
    pub fn check_unchanged(&self) -> Result<()> {
        let about = fs::metadata(&self.path)?;
        let same_size = about.len() == self.bytes || matches!(self.packed, Packing::Member { .. });
        if same_size && written(&about)? == self.written {
            return Ok(());
        }
        let error = Error::new(Kind::Machine, format!("`{}` changed while it was ingested", self.name));
        Err(error.hint("run the same command again when nothing writes to it any more"))
    }
}

/// Returns when a file was written last.
fn written(about: &std::fs::Metadata) -> Result<Timestamp> {
    Ok(Timestamp::try_from(about.modified()?).unwrap_or(Timestamp::UNIX_EPOCH))
}

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
pub fn find(input: &Path, only: &[&str]) -> Result<DumpFiles> {
    let shown = input.display();
    if !input.exists() {
        return Err(Error::new(Kind::Usage, format!("there is no file or folder `{shown}`")));
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
    if found.sites.is_empty() {
        found.sites.extend(folder.and_then(|folder| site_of_stem(&name_of(folder))));
    }
    if found.sources.is_empty() {
        let error = Error::new(Kind::Usage, format!("there is no file of the data dump in `{shown}`"));
        return Err(
            error.hint("its files are called `Posts.xml`, `Users.xml` and so on, plain, with `.gz`, or in a `.7z`")
        );
    }
    if let Some(missing) = only.iter().find(|table| !found.sources.iter().any(|source| source.table == **table)) {
        let there: Vec<String> = found.sources.iter().map(|source| format!("`{}`", source.table)).collect();
        let error = Error::new(Kind::Usage, format!("there is no `{missing}` in `{shown}`"));
        return Err(error.hint(format!("there are {}", there.join(", "))));
    }
    found.sources.retain(|source| only.is_empty() || only.contains(&source.table));
    for (at, source) in found.sources.iter().enumerate() {
        if let Some(other) = found.sources[..at].iter().find(|other| other.table == source.table) {
            let message = format!("two files have rows of `{}`, nothing was written", source.table);
            return Err(Error::new(Kind::Usage, message)
                .detail(format!("{}\n{}", other.name, source.name))
                .hint("give one of them by its own path, or one site's folder at a time"));
        }
    }
    Ok(found)
}

impl DumpFiles {
    fn file(&mut self, path: &Path) -> Result<()> {
        let name = name_of(path);
        let lower = name.to_ascii_lowercase();
        if name.starts_with('.') {
            return Ok(());
        }
        // By the name first: whatever else is in the folder, a link to nothing too, is of no concern.
        let ending = ENDINGS.into_iter().find(|ending| lower.ends_with(ending));
        let about = ending.map(|_| fs::metadata(path)).transpose()?;
        let (Some(ending), Some(about)) = (ending, about.filter(std::fs::Metadata::is_file)) else {
            self.skip(name, "not a `.7z`, `.xml` or `.xml.gz` file");
            return Ok(());
        };
        let (written, path) = (written(&about)?, path.to_path_buf());
        let stem = &name[..name.len() - ending.len()];
        if ending == ".7z" {
            self.archive(&path, &name, written)?;
        } else if let Some(table) = table_of_stem(stem) {
            // By the content: names are changed more easily.
            let mut start = Vec::new();
            fs::File::open(&path)?.take(GZIP.len() as u64).read_to_end(&mut start)?;
            if start.is_empty() {
                return Err(archive::empty(&name));
            }
            let packed = if start == GZIP { Packing::Gzip } else { Packing::Plain };
            let (name, bytes, modified) = (name.clone(), about.len(), written);
            self.sources.push(DumpFile { table, name, path, packed, bytes, modified, written });
        } else {
            self.skip(name, "not a table of the data dump");
            return Ok(());
        }
        self.sites.extend(site_of_stem(stem).filter(|site| !self.sites.contains(site)));
        Ok(())
    }

    fn archive(&mut self, path: &Path, name: &str, written: Timestamp) -> Result<()> {
        for member in archive::list(path, name)? {
            let shown = format!("{name}/{}", member.name);
            let lower = member.name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            let Some(table) = lower.strip_suffix(".xml").and_then(table_of_stem) else {
                self.skip(shown, "not a table of the data dump");
                continue;
            };
            if member.bytes == 0 {
                return Err(archive::empty(&shown));
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
    crate::ingest::raw::check_names(site, &[]).ok().map(|()| site.into())
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

    #[test]
    fn tables_are_known_by_the_last_part_of_a_name_in_any_case() {
        for (stem, table) in [
            ("Posts", Some("posts")),
            ("POSTHISTORY", Some("posthistory")),
            ("stackoverflow.com-PostLinks", Some("postlinks")),
            ("Posts-old", None),
            ("Sites", None),
            ("", None),
        ] {
            assert_eq!(table_of_stem(stem), table, "{stem}");
        }
    }

    #[test]
    fn a_file_that_is_written_to_is_another_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("Posts.xml");
        fs::write(&path, "<posts>\n").unwrap();
        let about = fs::metadata(&path).unwrap();
        let written = written(&about).unwrap();
        let (name, packed) = ("Posts.xml".to_string(), Packing::Plain);
        let source =
            DumpFile { table: "posts", name, path: path.clone(), packed, bytes: 8, modified: written, written };
        source.check_unchanged().unwrap();
        fs::write(&path, "<posts>\n</posts>").unwrap();
        let set = |time| fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        set(about.modified().unwrap());
        assert!(source.check_unchanged().is_err(), "another size");
        let source = DumpFile { packed: Packing::Member { member: "Posts.xml".into(), crc: Some(0) }, ..source };
        source.check_unchanged().unwrap();
        set(about.modified().unwrap() + std::time::Duration::from_secs(9));
        assert_eq!(source.check_unchanged().unwrap_err().message, "`Posts.xml` changed while it was ingested");
    }
}
