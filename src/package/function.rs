//! What a Lambda function is made from: this program, as the `bootstrap` of a runtime of its own, and the project beside it.

use super::archive::Zip;
use super::platform::Architecture;
use crate::error::{Error, Kind, Result};

/// The newest glibc that the runtime `provided.al2023` has, as the minor number of its version. Source: Amazon Linux 2023
/// user guide, "Comparing packages".
const NEWEST_GLIBC: u32 = 34;

/// Where the header of an ELF file has the kind of processor, and how it calls them. Source: elf(5), `e_machine`.
const MACHINE: std::ops::Range<usize> = 18..20;
const X86_64: [u8; 2] = [0x3e, 0];
const AARCH64: [u8; 2] = [0xb7, 0];

/// A file of the project.
pub struct FunctionFile {
    /// Its path below the project's root.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Returns the archive of a function: the same for the same content, whenever and wherever it is made.
///
/// # Errors
/// `Usage` when `program` does not run in Lambda on that kind of processor.
pub fn function_archive(program: &[u8], architecture: Architecture, mut files: Vec<FunctionFile>) -> Result<Vec<u8>> {
    check_program(program, architecture)?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let mut zip = Zip::new();
    zip.program("bootstrap", program)?;
    for FunctionFile { name, bytes } in &files {
        zip.file(name, bytes)?;
    }
    Ok(zip.finish()?)
}

fn check_program(program: &[u8], architecture: Architecture) -> Result<()> {
    let wanted = match architecture {
        Architecture::X86_64 => X86_64,
        Architecture::Aarch64 => AARCH64,
    };
    let wrong = |what: String| {
        Error::new(Kind::Usage, format!("the program {what}: Lambda could not run it"))
            .hint("`just lambda` builds one that it can; `soflow deploy --program FILE` takes it")
    };
    if !program.starts_with(b"\x7fELF") {
        return Err(wrong("is none of Linux".into()));
    }
    if program.get(MACHINE) != Some(&wanted[..]) {
        return Err(wrong(format!("is not for the processors of `architecture: {}`", architecture.lambda())));
    }
    match newest_glibc(program) {
        Some(minor) if minor > NEWEST_GLIBC => {
            Err(wrong(format!("needs glibc 2.{minor}, and Lambda has 2.{NEWEST_GLIBC}")))
        }
        _ => Ok(()),
    }
}

/// Returns the newest minor version of glibc whose symbols a program asks for, by the names in it: `GLIBC_2.34`.
fn newest_glibc(program: &[u8]) -> Option<u32> {
    let names = regex::bytes::Regex::new(r"GLIBC_2\.([0-9]+)").ok()?;
    let minor = |found: regex::bytes::Captures<'_>| std::str::from_utf8(&found[1]).ok()?.parse().ok();
    names.captures_iter(program).filter_map(minor).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: [u8; 2], text: &str) -> Vec<u8> {
        let mut program = b"\x7fELF\x02\x01\x01".to_vec();
        program.resize(MACHINE.start, 0);
        program.extend(machine);
        program.extend(text.as_bytes());
        program
    }

    #[test]
    fn a_program_that_lambda_cannot_run_is_told_for_what_it_is() {
        let refused = |program: &[u8], on| function_archive(program, on, Vec::new()).unwrap_err().message;
        let hint = ": Lambda could not run it";
        assert_eq!(refused(b"#!/bin/sh", Architecture::Aarch64), format!("the program is none of Linux{hint}"));
        let other = refused(&elf(X86_64, ""), Architecture::Aarch64);
        assert_eq!(other, format!("the program is not for the processors of `architecture: arm64`{hint}"));
        let new = refused(&elf(AARCH64, "\0GLIBC_2.17\0GLIBC_2.38\0GLIBC_2.4\0"), Architecture::Aarch64);
        assert_eq!(new, format!("the program needs glibc 2.38, and Lambda has 2.34{hint}"));
    }

    #[test]
    fn the_archive_follows_from_its_content_alone() {
        let file = |name: &str| FunctionFile { name: name.into(), bytes: name.as_bytes().to_vec() };
        let program = elf(X86_64, "GLIBC_2.34");
        let archive = |files| function_archive(&program, Architecture::X86_64, files).unwrap();
        let made = archive(vec![file("jobs/daily.yaml"), file("config/soflow.yaml")]);
        assert_eq!(made, archive(vec![file("config/soflow.yaml"), file("jobs/daily.yaml")]));
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(made)).unwrap();
        assert_eq!(zip.by_name("bootstrap").unwrap().unix_mode(), Some(0o100_755));
    }
}
