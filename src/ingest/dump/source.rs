//! One file of the dump: where it is, what it holds, and what tells its content from another one's.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use fs_err as fs;
use jiff::{Timestamp, TimestampRound, Unit};

use super::archive::{self, Unpacked};
use super::damage;
use super::table::DumpTable;
use crate::error::{Error, Kind, Result};
use crate::ingest::page::GZIP;
use crate::names::Digest;

/// What is read at a time to compute a checksum.
const CHECKED_AT_ONCE: usize = 1 << 18;

/// How the rows are packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// With gzip.
    Gzip,
    /// As a member of a 7z archive.
    Member {
        /// Its path in the archive.
        member: String,
        /// CRC-32 of its content, if the archive has it.
        crc: Option<u32>,
    },
}

/// A table's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpFile {
    /// The table.
    pub table: DumpTable,
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

/// Returns when a file was written last.
pub fn written(about: &std::fs::Metadata) -> Result<Timestamp> {
    Ok(Timestamp::try_from(about.modified()?).unwrap_or(Timestamp::UNIX_EPOCH))
}

impl DumpFile {
    /// Returns how a file of the disk is packed, by its content: names are changed more easily.
    pub fn packing(path: &Path) -> Result<Packing> {
        let mut start = Vec::new();
        fs::File::open(path)?.take(GZIP.len() as u64).read_to_end(&mut start)?;
        Ok(if start == GZIP { Packing::Gzip } else { Packing::Plain })
    }

    /// Returns the name of the run folder for this content: the same for the same rows, however they are packed.
    ///
    /// What tells content apart is the CRC-32 and the length, modulo 2^32, of all of it. 7z archives have both; anything
    /// else is read once for them, for a gzip file knows no more than its last member.
    ///
    /// # Errors
    /// `Machine` when the file cannot be read; `Usage` when it is damaged.
    pub fn run(&self) -> Result<String> {
        let file = || fs::File::open(&self.path).map(io::BufReader::new);
        let (crc, length) = match &self.packed {
            Packing::Plain => checksum(&self.name, &mut file()?)?,
            Packing::Gzip => checksum(&self.name, &mut MultiGzDecoder::new(file()?))?,
            Packing::Member { crc: Some(crc), .. } => (*crc, self.bytes as u32),
            Packing::Member { crc: None, member } => {
                let mut found = (0, 0);
                archive::read(&self.path, &self.name, std::slice::from_ref(member), &mut |met| {
                    if let Unpacked::Wanted(_, content) = met {
                        found = checksum(&self.name, content)?;
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
                found
            }
        };
        let digest = Digest::of([crc.to_be_bytes(), length.to_be_bytes()]);
        Ok(format!("{}{}", super::RUN, digest.short()))
    }

    /// Returns whether [`Source::run`] reads the file as a whole.
    pub fn is_read_for_its_checksum(&self) -> bool {
        !matches!(self.packed, Packing::Member { crc: Some(_), .. })
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

    /// Returns when the dump was taken, to the second: when the file was written, and never a time to come.
    pub fn taken(&self, now: Timestamp) -> Timestamp {
        let modified = self.modified.min(now);
        let round = TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Floor);
        modified.round(round).unwrap_or(modified)
    }
}

/// Returns the CRC-32 of all that `input` has, and its length modulo 2^32.
fn checksum(name: &str, input: &mut dyn Read) -> Result<(u32, u32)> {
    let (mut hasher, mut length, mut buffer) = (crc32fast::Hasher::new(), 0_u32, vec![0; CHECKED_AT_ONCE]);
    loop {
        match input.read(&mut buffer).map_err(|error| damage::while_reading(name, 0, error))? {
            0 => return Ok((hasher.finalize(), length)),
            read => {
                hasher.update(&buffer[..read]);
                length = length.wrapping_add(read as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_archive_has_no_checksum_of_is_read_for_it() {
        use crate::ingest::dump::tests::seven_zip;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x.7z");
        let run = |content: &[u8], packed: Option<u32>| {
            fs::write(&path, seven_zip(&[("Tags.xml", b"<tags/>"), ("Posts.xml", content)], true)).unwrap();
            let packed = Packing::Member { member: "Posts.xml".into(), crc: packed };
            let (name, bytes, time) = ("x.7z/Posts.xml".to_string(), content.len() as u64, Timestamp::UNIX_EPOCH);
            let source = DumpFile {
                table: DumpTable::Posts,
                name,
                path: path.clone(),
                packed,
                bytes,
                modified: time,
                written: time,
            };
            source.run().unwrap()
        };
        assert_eq!(run(b"<posts>1", None), run(b"<posts>1", Some(crc32fast::hash(b"<posts>1"))));
        assert_ne!(run(b"<posts>1", None), run(b"<posts>2", None));
    }

    #[test]
    fn a_file_that_is_written_to_is_another_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("Posts.xml");
        fs::write(&path, "<posts>\n").unwrap();
        let about = fs::metadata(&path).unwrap();
        let written = written(&about).unwrap();
        let (name, packed) = ("Posts.xml".to_string(), Packing::Plain);
        let source = DumpFile {
            table: DumpTable::Posts,
            name,
            path: path.clone(),
            packed,
            bytes: 8,
            modified: written,
            written,
        };
        source.check_unchanged().unwrap();
        fs::write(&path, "<posts>\n</posts>").unwrap();
        let set = |time| fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        set(about.modified().unwrap());
        assert!(source.check_unchanged().is_err(), "another size");
        let member = Packing::Member { member: "Posts.xml".into(), crc: None };
        let source = DumpFile { packed: member, ..source };
        source.check_unchanged().unwrap();
        set(about.modified().unwrap() + std::time::Duration::from_secs(9));
        assert_eq!(source.check_unchanged().unwrap_err().message, "`Posts.xml` changed while it was ingested");
    }
}
