//! The output of a step on this machine: two files, which grow while it runs.

use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use fs_err as fs;

use super::LoggedStep;
use super::page::LogPrinter;
use crate::error::Result;

/// How often to look for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// Prints what is there and, when wanted, what comes until the step ends.
pub async fn print(wanted: &mut LoggedStep, page: &mut LogPrinter<'_>) -> Result<()> {
    let mut read = [None; 2];
    loop {
        // Asked before the files are read: what it prints last is in them once it has ended.
        let goes_on = wanted.follow && wanted.is_open()?;
        let logs = wanted.step()?.logs.to_path();
        for (read, (stream, name)) in read.iter_mut().zip(page.streams.clone()) {
            if let Some(folder) = &logs {
                copy(&folder.join(format!("{name}.log")), read, |text| page.print_plain(stream, text))?;
            }
        }
        if !goes_on || page.gone {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        wanted.refresh().await?;
    }
    if read.iter().all(Option::is_none) { Err(wanted.did_not_run()) } else { Ok(()) }
}

/// Passes on what a file has after its first `read` bytes, and counts it; nothing when there is no such file.
fn copy(path: &Path, read: &mut Option<u64>, mut out: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let read = read.get_or_insert(0);
    file.seek(SeekFrom::Start(*read))?;
    let mut piece = vec![0; PIECE];
    loop {
        let got = file.read(&mut piece)?;
        if got == 0 {
            return Ok(());
        }
        out(&piece[..got])?;
        *read += got as u64;
    }
}
