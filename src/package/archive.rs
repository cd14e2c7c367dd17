//! Archives whose bytes follow from their content alone: sorted, without times, owners and machines.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use fs_err as fs;
use tar::{Builder, EntryType, Header};
use zip::write::SimpleFileOptions;

/// What may be done with a file in an archive.
const FILE: u32 = 0o644;
const PROGRAM: u32 = 0o755;

/// How hard shared libraries are compressed, of 9: see docs/decisions/011.
const LEVEL: u32 = 6;

/// A zip being written to memory.
pub struct Zip {
    writer: zip::ZipWriter<io::Cursor<Vec<u8>>>,
    options: SimpleFileOptions,
}

impl Zip {
    /// Returns an empty one.
    pub fn new() -> Self {
        // The default time is the earliest a zip can say: the first of January 1980.
        let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default()).unix_permissions(FILE);
        Self { writer: zip::ZipWriter::new(io::Cursor::new(Vec::new())), options }
    }

    /// Adds a folder. Python before 3.13 imports a folder without `__init__.py` from a zip only when it has an entry.
    pub fn folder(&mut self, name: &str) -> io::Result<()> {
        Ok(self.writer.add_directory(name, self.options.unix_permissions(PROGRAM))?)
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.writer.start_file(name, self.options)?;
        self.writer.write_all(bytes)
    }

    /// Adds a file that can be run.
    pub fn program(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.writer.start_file(name, self.options.unix_permissions(PROGRAM))?;
        self.writer.write_all(bytes)
    }

    /// Returns the archive.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        Ok(self.writer.finish()?.into_inner())
    }
}

/// A gzipped tar being written to a file.
pub struct TarGz {
    builder: Builder<GzEncoder<fs::File>>,
}

impl TarGz {
    /// Returns an empty one at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        // No file name and no time in the header.
        let encoder = GzBuilder::new().write(fs::File::create(path)?, Compression::new(LEVEL));
        Ok(Self { builder: Builder::new(encoder) })
    }

    /// Adds a file with these bytes.
    pub fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.builder.append_data(&mut header(EntryType::Regular, FILE, text.len() as u64), name, text.as_bytes())
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, name: &str, target: &str) -> io::Result<()> {
        self.builder.append_link(&mut header(EntryType::Symlink, PROGRAM, 0), name, target)
    }

    /// Adds the files below `folder` that `keep` wants, given their path below it, under `prefix`; links are left out.
    pub fn tree(&mut self, prefix: &str, folder: &Path, keep: &dyn Fn(&Path) -> bool) -> io::Result<()> {
        for file in files(folder, Path::new(""), keep)? {
            let content = fs::File::open(folder.join(&file))?;
            let about = content.metadata()?;
            let mode = if is_program(&about) { PROGRAM } else { FILE };
            let mut header = header(EntryType::Regular, mode, about.len());
            self.builder.append_data(&mut header, Path::new(prefix).join(&file), content)?;
        }
        Ok(())
    }

    /// Completes the archive, so that it survives a power cut: it is kept, and its name is all that is looked at.
    pub fn finish(self) -> io::Result<()> {
        self.builder.into_inner()?.finish()?.sync_all()
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn is_program(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    about.permissions().mode() & 0o111 != 0
}

/// Returns the wanted files below `root`/`below` as paths below `root`, sorted.
fn files(root: &Path, below: &Path, keep: &dyn Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let (path, kind) = (below.join(entry.file_name()), entry.file_type()?);
        if !keep(&path) {
            continue;
        }
        if kind.is_dir() {
            found.extend(files(root, &path, keep)?);
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
