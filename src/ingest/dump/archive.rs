//! 7z archives, in which dumps are published: what is in one, and its members' content as a stream; and what can be wrong
//! with files of the dump.
//!
//! Unpacking takes as much memory as the archive's dictionary, whatever its size.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use fs_err as fs;
use jiff::Timestamp;
use sevenz_rust2::{Archive, BlockDecoder, Password};

use crate::error::{Error, Kind, Result};

/// How 7z archives begin. Source: 7zFormat.txt of the LZMA SDK, "Signature".
const SIGNATURE: [u8; 6] = [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c];
/// One: more would each hold a dictionary and its blocks, and memory would grow with the machine.
const DECODING_THREADS: u32 = 1;
/// Most memory for unpacking, in KiB: what the largest dictionary takes that 7-Zip packs with on a desktop (1.5 GB), and
/// some. A damaged or malicious archive may ask for more than there is.
const MEMORY_KIB: usize = 2 << 20;
/// What to do about a file that is not whole.
const AGAIN: &str = "download or unpack it again, then run the same command: what is complete in raw stays";

/// A file in an archive.
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

/// What is done with a member: its name, size and content. After `Break`, or an error, nothing more is read.
pub type Visit<'a> = dyn FnMut(&str, u64, &mut dyn Read) -> Result<ControlFlow<()>> + 'a;

/// Returns the files in the archive at `path`, which people know as `name`, in the order in which they are unpacked. Reads
/// its header only.
///
/// # Errors
/// `Usage` when it is no archive, is damaged, is encrypted, or packed in a way that is not known.
pub fn list(path: &Path, name: &str) -> Result<Vec<Member>> {
    let (archive, _) = open(path, name)?;
    let member = |(at, file): (usize, &sevenz_rust2::ArchiveEntry)| {
        if archive.is_file_encrypted(at) {
            return Err(unusable(name, sevenz_rust2::Error::PasswordRequired));
        }
        let modified = file.has_last_modified_date.then(|| std::time::SystemTime::from(file.last_modified_date));
        Ok(Member {
            name: file.name.clone(),
            bytes: file.size,
            crc: if file.has_crc { u32::try_from(file.crc).ok() } else { None },
            modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
        })
    };
    archive.files.iter().enumerate().filter(|(_, file)| !file.is_directory).map(member).collect()
}

/// Shows the members of the archive at `path` to `visit`, with name, size and content, until it has seen all that are
/// `wanted` or breaks off: others too where they have to be unpacked first, because they are packed together.
///
/// # Errors
/// Those of `visit`, and `Usage` when the archive is damaged.
pub fn read(path: &Path, name: &str, wanted: &[&str], visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
    let (archive, mut file) = open(path, name)?;
    let password = Password::empty();
    for block in 0..archive.blocks.len() {
        let decoder =
            BlockDecoder::new_with_memory_limit(DECODING_THREADS, MEMORY_KIB, block, &archive, &password, &mut file);
        let is_wanted = |entry: &sevenz_rust2::ArchiveEntry| wanted.contains(&entry.name.as_str());
        let mut left = decoder.entries().iter().filter(|entry| is_wanted(entry)).count();
        if left == 0 {
            continue;
        }
        let mut said = Ok(ControlFlow::Continue(()));
        let decoded = decoder.for_each_entries(&mut |entry, content| {
            left -= usize::from(is_wanted(entry));
            said = visit(&entry.name, entry.size, content);
            Ok(matches!(said, Ok(ControlFlow::Continue(()))) && left > 0)
        });
        if said?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        decoded.map_err(|error| unusable(name, error))?;
    }
    Ok(ControlFlow::Continue(()))
}

fn open(path: &Path, name: &str) -> Result<(Archive, fs::File)> {
    let mut file = fs::File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(SIGNATURE.len() as u64).read_to_end(&mut start)?;
    if start.is_empty() {
        return Err(empty(name));
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

/// Returns what a failure of the library means.
fn unusable(name: &str, error: sevenz_rust2::Error) -> Error {
    use sevenz_rust2::Error as Failure;
    let why = match error {
        Failure::Io(error, _) => return while_reading(name, 0, error),
        Failure::PasswordRequired | Failure::MaybeBadPassword(_) => "is encrypted".into(),
        // The method of encryption, when even the names of the members are encrypted.
        Failure::UnsupportedCompressionMethod(method) if method.contains("AES") => "is encrypted".into(),
        Failure::UnsupportedCompressionMethod(method) => {
            format!("is packed with `{method}`, which soflow cannot unpack")
        }
        Failure::MaxMemLimited { max_kb, actaul_kb } => {
            let (needs, most) = (actaul_kb >> 10, max_kb >> 10);
            format!("needs {needs} MiB of memory to be unpacked, at most {most} are taken")
        }
        other => return while_reading(name, 0, io::Error::other(other)),
    };
    to_unpack(name, format!("`{name}` {why}"))
}

/// Returns the error of a member that people know as `member` and the archive `name` has no checksum of.
pub fn without_checksum(name: &str, member: &str) -> Error {
    to_unpack(name, format!("`{name}` has no checksum of `{member}`"))
}

fn to_unpack(name: &str, message: String) -> Error {
    Error::new(Kind::Usage, message).hint(format!("unpack it and give the folder: `7z x {name} -odump`"))
}

/// Returns the error of a file that ends too early.
pub fn cut_short(name: &str, rows: u64, how: &str) -> Error {
    Error::new(Kind::Usage, format!("`{name}` is cut short{}: {how}", after(rows))).hint(AGAIN)
}

/// Returns the error of a file without content.
pub fn empty(name: &str) -> Error {
    Error::new(Kind::Usage, format!("`{name}` is empty")).hint(AGAIN)
}

/// Returns the error of reading on after `rows` rows: what a decoder says is damage, what the system says is not.
pub fn while_reading(name: &str, rows: u64, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            cut_short(name, rows, "the compressed data end before they are complete").caused_by(error)
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            let damaged = Error::new(Kind::Usage, format!("`{name}` is damaged{}", after(rows)));
            damaged.caused_by(in_words(error)).hint(AGAIN)
        }
        io::ErrorKind::OutOfMemory => {
            Error::new(Kind::Machine, format!("`{name}` needs more memory to unpack than there is")).caused_by(error)
        }
        _ => Error::from(error),
    }
}

/// Returns the error with the library's most likely word for damage in words of ours: it prints the name of its variant.
fn in_words(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(sevenz_rust2::Error::ChecksumVerificationFailed) => {
            io::Error::new(error.kind(), "the checksum does not fit the content")
        }
        _ => error,
    }
}

fn after(rows: u64) -> String {
    match rows {
        0 => String::new(),
        1 => " after 1 row".into(),
        rows => format!(" after {rows} rows"),
    }
}
