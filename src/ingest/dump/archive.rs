//! 7z archives, in which dumps are published: what is in one, and its members' content as a stream.
//!
//! Unpacking takes as much memory as the archive's dictionary, whatever its size.

use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use fs_err as fs;
use jiff::Timestamp;
use sevenz_rust2::{Archive, ArchiveEntry, BlockDecoder, Password};

use super::damage;
use crate::error::{Error, Kind, Result};

/// How 7z archives begin. Source: 7zFormat.txt of the LZMA SDK, "Signature".
const SIGNATURE: [u8; 6] = [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c];
/// One: more would each hold a dictionary and its blocks, and memory would grow with the machine.
const DECODING_THREADS: u32 = 1;
/// Most memory for unpacking, in KiB: what the largest dictionary takes that 7-Zip packs with on a desktop (1.5 GB), and
/// some. A damaged or malicious archive may ask for more than there is.
const MEMORY_KIB: usize = 2 << 20;
/// What is unpacked at a time of members that are only passed over.
const PASSED_AT_ONCE: usize = 1 << 16;

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path in the archive.
    pub name: String,
    /// Its size, unpacked.
    pub bytes: u64,
    /// CRC-32 of its content, which archives have as a rule.
    pub crc: Option<u32>,
    /// When it was written, as far as the archive says.
    pub modified: Option<Timestamp>,
}

/// What is met on the way through an archive.
pub enum Unpacked<'a> {
    /// A wanted member: its path and its content.
    Wanted(&'a str, &'a mut dyn Read),
    /// Another one that had to be unpacked: its path, the bytes passed over so far, and in all.
    Passed(&'a str, u64, u64),
}

/// What is done with it, in the order of the archive. After `Break`, or an error, nothing more is read.
pub type Visit<'a> = dyn FnMut(Unpacked<'_>) -> Result<ControlFlow<()>> + 'a;

/// Returns the files in the archive at `path`, which people know as `name`. Reads its header only.
///
/// # Errors
/// `Usage` when it is no archive, is damaged, is encrypted, or packed in a way that is not known.
pub fn list(path: &Path, name: &str) -> Result<Vec<Member>> {
    let (archive, _) = open(path, name)?;
    let files = archive.files.iter().enumerate().filter(|(_, file)| !file.is_directory);
    files
        .map(|(at, file)| {
            if archive.is_file_encrypted(at) {
                return Err(encrypted(name));
            }
            let modified = file.has_last_modified_date.then(|| file.last_modified_date.into());
            Ok(Member {
                name: file.name.clone(),
                bytes: file.size,
                crc: file.has_crc.then(|| u32::try_from(file.crc).ok()).flatten(),
                modified: modified.and_then(|time: std::time::SystemTime| Timestamp::try_from(time).ok()),
            })
        })
        .collect()
}

/// Shows the members of the archive at `path` to `visit`: those that are `wanted`, and of the others only those that
/// have to be unpacked to get to a wanted one, because they are packed together.
///
/// # Errors
/// Those of `visit`, and `Usage` when the archive is damaged.
pub fn read(path: &Path, name: &str, wanted: &[String], visit: &mut Visit<'_>) -> Result<()> {
    let (archive, mut file) = open(path, name)?;
    let password = Password::empty();
    for block in 0..archive.blocks.len() {
        let decoder =
            BlockDecoder::new_with_memory_limit(DECODING_THREADS, MEMORY_KIB, block, &archive, &password, &mut file);
        let mut left = decoder.entries().iter().filter(|entry| wanted.contains(&entry.name)).count();
        if left == 0 {
            continue;
        }
        let mut said = Ok(ControlFlow::Continue(()));
        let decoded = decoder.for_each_entries(&mut |entry, content| {
            if wanted.contains(&entry.name) {
                left -= 1;
                said = visit(Unpacked::Wanted(&entry.name, content));
            } else {
                said = pass(name, entry, content, visit);
            }
            Ok(matches!(said, Ok(ControlFlow::Continue(()))) && left > 0)
        });
        if said?.is_break() {
            return Ok(());
        }
        decoded.map_err(|error| unusable(name, error))?;
    }
    Ok(())
}

fn pass(name: &str, entry: &ArchiveEntry, content: &mut dyn Read, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
    let (mut buffer, mut done) = (vec![0; PASSED_AT_ONCE], 0);
    loop {
        let read = content.read(&mut buffer).map_err(|error| damage::while_reading(name, 0, error))?;
        if read == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        done += read as u64;
        if visit(Unpacked::Passed(&entry.name, done, entry.size))?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}

fn open(path: &Path, name: &str) -> Result<(Archive, fs::File)> {
    let mut file = fs::File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(SIGNATURE.len() as u64).read_to_end(&mut start)?;
    if start.is_empty() {
        return Err(damage::empty(name));
    }
    if start != SIGNATURE {
        let error = Error::new(Kind::Usage, format!("`{name}` is not a 7z archive"));
        return Err(error.hint("a part of an archive in volumes is none: join them, `cat x.7z.0* > x.7z`"));
    }
    file.seek(SeekFrom::Start(0))?;
    let archive = Archive::read_with_memory_limit(&mut file, &Password::empty(), MEMORY_KIB)
        .map_err(|error| unusable(name, error))?;
    Ok((archive, file))
}

fn encrypted(name: &str) -> Error {
    let error = Error::new(Kind::Usage, format!("`{name}` is encrypted"));
    error.hint(format!("unpack it with its password and give the folder: `7z x {name} -odump`"))
}

/// Returns what a failure of the library means.
fn unusable(name: &str, error: sevenz_rust2::Error) -> Error {
    use sevenz_rust2::Error as Failure;
    match error {
        Failure::Io(error, _) => damage::while_reading(name, 0, error),
        Failure::PasswordRequired | Failure::MaybeBadPassword(_) => encrypted(name),
        // The method of encryption, when even the names of the members are encrypted.
        Failure::UnsupportedCompressionMethod(method) if method.contains("AES") => encrypted(name),
        Failure::UnsupportedCompressionMethod(method) => {
            let error =
                Error::new(Kind::Usage, format!("`{name}` is packed with `{method}`, which soflow cannot unpack"));
            error.hint(format!("unpack it and give the folder: `7z x {name} -odump`"))
        }
        Failure::MaxMemLimited { max_kb, actaul_kb } => {
            let (needs, most) = (actaul_kb >> 10, max_kb >> 10);
            let message = format!("`{name}` needs {needs} MiB of memory to be unpacked, at most {most} are taken");
            Error::new(Kind::Usage, message).hint(format!("unpack it and give the folder: `7z x {name} -odump`"))
        }
        other => damage::while_reading(name, 0, std::io::Error::other(other)),
    }
}
