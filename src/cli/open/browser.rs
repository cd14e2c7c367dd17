//! The person's browser.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::cli::workspace::Workspace;
use crate::error::Result;

/// What starts a browser: on Linux, on macOS, under WSL.
const PROGRAMS: [&str; 3] = ["xdg-open", "open", "wslview"];

/// Shows an address in the browser, when someone sits in front of a terminal and there is one.
pub fn show(work: &Workspace<'_>, url: &str) -> Result<()> {
    // Whoever reads the answer by a program shows it himself.
    if work.app.layout.width.is_none() || work.app.json {
        return Ok(());
    }
    let host = work.app.host();
    if let Some(program) = PROGRAMS.iter().find_map(|name| host.program(name)) {
        // The address is printed too: a browser that does not start is no failure.
        let _ = Command::new(program).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    }
    Ok(())
}

/// Shows an address that others must not know: it is on no command line, where every user of the machine could read it, but in a
/// file of the person's own, which sends the browser on.
pub fn show_secretly(work: &Workspace<'_>, url: &str) -> Result<()> {
    if work.app.layout.width.is_none() || work.app.json {
        return Ok(());
    }
    let folder = work.project.settings.root.join(".soflow");
    fs::create_dir_all(&folder)?;
    let path = folder.join("open.html");
    let page = redirect(url);
    let file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(&folder)?;
    fs::write(file.path(), page)?;
    file.persist(&path).map_err(|error| error.error)?;
    show(work, &format!("file://{}", path.display()))
}

fn redirect(url: &str) -> String {
    let url = url.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    format!(
        "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0; url={url}\"><title>soflow</title>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_cannot_leave_its_place_in_the_page() {
        let page = redirect("https://a.example/?x=1&y=\"><script>");
        assert!(page.contains("url=https://a.example/?x=1&amp;y=&quot;>&lt;script>\""), "{page}");
    }
}
