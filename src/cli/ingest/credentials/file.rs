//! A key in a file that nobody else can read.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fs_err as fs;

use super::sendable;
use crate::encoding;
use crate::error::{Error, Kind, Result};
use crate::ingest::api::Secret;

/// Most bytes that such a file may have: a key has tens. More is a mistake, such as the wrong file.
const LARGEST: u64 = 4096;

/// What others may do with a file, in its mode: anything at all.
const OTHERS: u32 = 0o077;

/// Returns the secret in the first line of a file that the setting named `setting` names.
///
/// # Errors
/// `Usage` when there is no such file, it is not the user's alone, or its first line is no key; `Machine` when it cannot be
/// read.
pub(super) fn read(path: &Path, setting: &str) -> Result<Secret> {
    let shown = path.display();
    let refuse = |why: String| Error::new(Kind::Usage, format!("`{setting}` cannot be used: {why}"));
    // Before it is opened: opening a pipe would wait for whoever writes to it.
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => return Err(refuse(format!("`{shown}` is not a file"))),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let error = refuse(format!("there is no file `{shown}`"));
            return Err(error.hint(format!("write the key into it: `(umask 077; cat > {shown})`")));
        }
        Err(error) => return Err(error.into()),
    }
    let file = fs::File::open(path)?;
    let found = file.metadata()?;
    if found.uid() != own_uid()? {
        let error = refuse(format!("`{shown}` belongs to somebody else, who can change it"));
        return Err(error.hint(format!("make it yours: `sudo chown \"$(id -u)\" {shown}`")));
    }
    if found.mode() & OTHERS != 0 {
        let error = refuse(format!("others may use `{shown}`: its mode is {:04o}", found.mode() & 0o7777));
        return Err(error.hint(format!("chmod 600 {shown}")));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(
            refuse(format!("`{shown}` has more than {LARGEST} bytes")).hint("the file holds the key and no more")
        );
    }
    let line = bytes.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let text = encoding::text(line);
    let text = text.map_err(|foreign| refuse(format!("`{shown}` is {}", foreign.what)).hint(foreign.mending))?;
    let secret = sendable(text.strip_prefix(encoding::MARK).unwrap_or(text), &format!("the first line of `{shown}`"))?;
    secret.ok_or_else(|| {
        refuse(format!("the first line of `{shown}` is empty")).hint("write the key there, or remove the setting")
    })
}

/// Returns the user whom a file made by this process belongs to.
fn own_uid() -> Result<u32> {
    Ok(tempfile::tempfile()?.metadata()?.uid())
}
