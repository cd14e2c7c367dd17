//! Logs in the store followed as they grow: every byte once, also when a log is rotated in between.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use super::name::{LogFile, LogName, Rotated};
use super::read::open;
use crate::error::Result;
use crate::store::Store;

/// How much text is passed on at once, in bytes.
const PIECE: usize = 64 << 10;

/// What has been read of the logs of a step.
#[derive(Debug, Default)]
pub struct LogTail {
    seen: BTreeMap<LogName, Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The size of the object, as it is stored, when it was read.
    stored: u64,
    /// How much of its text has been passed on, in bytes.
    told: u64,
}

impl LogTail {
    /// Passes on what these logs have that was not passed on before; returns whether there was anything. `files` must be
    /// sorted. An object whose size has not changed is not read again, and none that is larger than [`super::LARGEST`].
    ///
    /// # Errors
    /// Those of the store and of `out`.
    pub async fn read(
        &mut self,
        store: &dyn Store,
        files: &[LogFile],
        out: &mut (dyn FnMut(&LogFile, &[u8]) -> Result<()> + Send),
    ) -> Result<bool> {
        let mut any = false;
        for file in files {
            let mut seen = self.known(&file.name);
            if seen.stored == file.bytes {
                continue;
            }
            let Some(mut text) = open(store, file).await? else { continue };
            seen.stored = file.bytes;
            if io::copy(&mut text.by_ref().take(seen.told), &mut io::sink()).unwrap_or_default() < seen.told {
                // Shorter than it was: it is another text.
                seen.told = 0;
                let Some(again) = open(store, file).await? else { continue };
                text = again;
            }
            let mut piece = vec![0; PIECE];
            // An upload that was cut short ends with an error: what comes before it counts.
            while let Ok(read @ 1..) = text.read(&mut piece) {
                out(file, &piece[..read])?;
                seen.told += read as u64;
                any = true;
            }
            self.seen.insert(file.name.clone(), seen);
        }
        Ok(any)
    }

    /// Returns what was seen of a log. A new rotated copy is what its log was before.
    fn known(&mut self, name: &LogName) -> Seen {
        if let Some(seen) = self.seen.get(name) {
            return *seen;
        }
        let last = LogName { rotated: Rotated::Last, ..name.clone() };
        match self.seen.get_mut(&last) {
            Some(before) if name.rotated != Rotated::Last => {
                // Until it is pushed anew, the object still has the text that was moved.
                let moved = std::mem::replace(before, Seen { told: 0, ..*before });
                Seen { stored: 0, ..moved }
            }
            _ => Seen::default(),
        }
    }
}
