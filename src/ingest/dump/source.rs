//! One file of the dump: where it is, what it holds, and what tells its content from another one's.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::{Timestamp, TimestampRound, Unit};

use super::table::Table;
use crate::error::{Error, Kind, Result};
use crate::ingest::page::GZIP;
use crate::names::Digest;

/// Bytes of a gzip member's end: CRC-32 and length of the content. Source: RFC 1952, section 2.3.1.
const GZIP_END: i64 = 8;
/// What is read at a time to compute a checksum.
const CHECKED_AT_ONCE: usize = 1 << 18;

/// How the rows are packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packed {
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
pub struct Source {
    /// The table.
    pub table: Table,
    /// What people know it as: `Posts.xml.gz`, `stackoverflow.com-Posts.7z/Posts.xml`.
    pub name: String,
    /// The file, or the archive it is in.
    pub path: PathBuf,
    /// How the rows are packed.
    pub packed: Packed,
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

impl Source {
    /// Returns how a file of the disk is packed, by its content: names are changed more easily.
    pub fn packing(path: &Path) -> Result<Packed> {
        let mut start = Vec::new();
        fs::File::open(path)?.take(GZIP.len() as u64).read_to_end(&mut start)?;
        Ok(if start == GZIP { Packed::Gzip } else { Packed::Plain })
    }

    /// Returns the name of the run folder for this content: the same for the same rows, however they are packed.
    ///
    /// What tells content apart is its CRC-32 and its length modulo 2^32: gzip and 7z files have both, so nothing is
    /// unpacked to learn them. A plain file is read once for it.
    ///
    /// # Errors
    /// `Machine` when the file cannot be read.
    pub fn run(&self) -> Result<String> {
        let (crc, length) = match &self.packed {
            Packed::Plain => (self.checksum()?, self.bytes as u32),
            Packed::Gzip => self.gzip_end()?,
            Packed::Member { crc: Some(crc), .. } => (*crc, self.bytes as u32),
            Packed::Member { crc: None, .. } => (self.modified.as_second() as u32, self.bytes as u32),
        };
        let digest = Digest::of([crc.to_be_bytes(), length.to_be_bytes()]);
        Ok(format!("{}{}", super::RUN, digest.short()))
    }

    /// Makes sure that the file is the one that was found: its folder in raw is named after what was in it then.
    ///
    /// # Errors
    /// `Machine` when it was written to meanwhile.
    pub fn check_unchanged(&self) -> Result<()> {
        let about = fs::metadata(&self.path)?;
        let same_size = about.len() == self.bytes || matches!(self.packed, Packed::Member { .. });
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

    fn checksum(&self) -> Result<u32> {
        let (mut file, mut hasher) = (fs::File::open(&self.path)?, crc32fast::Hasher::new());
        let mut buffer = vec![0; CHECKED_AT_ONCE];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finalize()),
                read => hasher.update(&buffer[..read]),
            }
        }
    }

    /// Returns what the last gzip member says of its content. A file that is cut short says something else, and is
    /// found out when it is read.
    fn gzip_end(&self) -> Result<(u32, u32)> {
        let mut file = fs::File::open(&self.path)?;
        let (mut crc, mut length) = ([0; 4], [0; 4]);
        if self.bytes > GZIP_END as u64 {
            file.seek(SeekFrom::End(-GZIP_END))?;
            file.read_exact(&mut crc)?;
            file.read_exact(&mut length)?;
        }
        Ok((u32::from_le_bytes(crc), u32::from_le_bytes(length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_to_is_another_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("Posts.xml");
        fs::write(&path, "<posts>\n").unwrap();
        let about = fs::metadata(&path).unwrap();
        let written = written(&about).unwrap();
        let (name, packed) = ("Posts.xml".to_string(), Packed::Plain);
        let source =
            Source { table: Table::Posts, name, path: path.clone(), packed, bytes: 8, modified: written, written };
        source.check_unchanged().unwrap();
        fs::write(&path, "<posts>\n</posts>").unwrap();
        let set = |time| fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        set(about.modified().unwrap());
        assert!(source.check_unchanged().is_err(), "another size");
        let member = Packed::Member { member: "Posts.xml".into(), crc: None };
        let source = Source { packed: member, ..source };
        source.check_unchanged().unwrap();
        set(about.modified().unwrap() + std::time::Duration::from_secs(9));
        assert_eq!(source.check_unchanged().unwrap_err().message, "`Posts.xml` changed while it was ingested");
    }
}
