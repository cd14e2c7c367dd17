//! What can be wrong with a file of the dump, as errors that name it and say what to do.

use std::io;

use crate::error::{Error, Kind};

const AGAIN: &str = "download or unpack it again, then run the same command: what is complete in raw stays";

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
            let message = format!("`{name}` is damaged{}", after(rows));
            Error::new(Kind::Usage, message).caused_by(in_words(error)).hint(AGAIN)
        }
        io::ErrorKind::OutOfMemory => {
            Error::new(Kind::Machine, format!("`{name}` needs more memory to unpack than there is")).caused_by(error)
        }
        _ => Error::from(error),
    }
}

fn after(rows: u64) -> String {
    match rows {
        0 => String::new(),
        1 => " after 1 row".into(),
        rows => format!(" after {rows} rows"),
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
