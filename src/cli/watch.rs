//! `soflow watch`: runs a job whenever what it is made from is saved. Only what a save changes runs: the steps whose
//! fingerprints are others now, and those that depend on them. The engine stays loaded from one run to the next.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use fs_err as fs;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::app::App;
use super::args::{Selection, Watching};
use super::jobs;
use super::submit::{self, Submission};
use super::workspace::{Workspace, second_signal};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::ingest::sample::SAMPLE_DATE;
use crate::report::plural;
use crate::targets::Stop;

/// How often files are looked at. Of a few hundred files it costs less than a millisecond, and other than inotify it sees
/// what is saved on network file systems and in containers.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    pub selection: Selection,
    /// Write a made-up sample of Stack Overflow pages into raw first, and run on its date
    #[arg(long, conflicts_with = "date")]
    pub sample: bool,
}

/// Runs the job after each save, until Ctrl-C.
///
/// # Errors
/// `Usage` on a target elsewhere. Errors of a run are shown, and the next save is waited for.
pub async fn watch(app: &App, args: &WatchArgs) -> Result<u8> {
    let date = if args.sample { Some(SAMPLE_DATE) } else { args.selection.date };
    let mut selection = Selection { date, ..args.selection.clone() };
    let mut interrupts = signal(SignalKind::interrupt())?;
    let (mut work, _) = app.open_for(&selection, Watching::default()).await?;
    work.project.local().map_err(|error| {
        error.hint("a run on a cluster costs minutes and money: `soflow submit` starts one when you mean it")
    })?;
    if args.sample {
        submit::write_sample(&work, app.sink().as_mut()).await?;
    }
    loop {
        let mut files = Files::of(&work);
        if run(&work, &selection, &mut files, &mut interrupts).await? == AfterRun::Leave {
            return Ok(0);
        }
        // What was to run although nothing had changed has.
        selection.force = false;
        if files.changed.iter().any(|file| file.starts_with(work.project.settings.root.join("config"))) {
            match app.open_for(&selection, Watching::default()).await {
                Ok((changed, _)) => work = changed,
                Err(error) => drop(app.show_error(&error)),
            }
        }
    }
}

/// What comes after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterRun {
    Again,
    Leave,
}

/// Runs the job once and waits for the next save; one during the run ends it.
async fn run(
    work: &Workspace<'_>,
    selection: &Selection,
    files: &mut Files,
    interrupts: &mut Signal,
) -> Result<AfterRun> {
    let app = work.app;
    let (tell, stop) = watch::channel(Stop::Go);
    let mut next = None;
    {
        let submitted = async {
            let services = work.services_until(stop, None)?;
            let job = jobs::asked(&work.project, selection)?;
            Submission::new(work, &services, selection, job)?.run(work, &services, app.sink()).await
        };
        tokio::pin!(submitted);
        loop {
            tokio::select! {
                done = &mut submitted => {
                    match done {
                        Err(error) if error.kind == Kind::Interrupted && next.is_some() => {}
                        Err(error) => drop(app.fail(&error)),
                        Ok(_) => {}
                    }
                    break;
                }
                _ = interrupts.recv() => {
                    if next == Some(AfterRun::Leave) {
                        second_signal();
                    }
                    next = Some(AfterRun::Leave);
                    let _ = tell.send(Stop::Cancel);
                }
                () = files.change(), if next.is_none() => {
                    next = Some(AfterRun::Again);
                    let _ = tell.send(Stop::Cancel);
                }
            }
        }
    }
    if next == Some(AfterRun::Leave) {
        return Err(Error::new(Kind::Interrupted, "interrupted: finished steps are kept"));
    }
    if next.is_none() {
        let text = format!("Watching {}; Ctrl-C ends it.", plural(files.seen.len() as u64, "file"));
        app.tell(Event::Note { text });
        tokio::select! {
            _ = interrupts.recv() => return Ok(AfterRun::Leave),
            () = files.change() => {}
        }
    }
    let root = &work.project.settings.root;
    let names: Vec<String> =
        files.changed.iter().map(|file| file.strip_prefix(root).unwrap_or(file).display().to_string()).collect();
    app.tell(Event::Note { text: format!("Saved: {}.", names.join(", ")) });
    Ok(AfterRun::Again)
}

type Stamps = BTreeMap<PathBuf, (SystemTime, u64)>;

/// The files that a job is made from: code, jobs, settings.
struct Files {
    folders: [PathBuf; 3],
    seen: Stamps,
    /// Those that the last change was of.
    changed: Vec<PathBuf>,
}

impl Files {
    fn of(work: &Workspace<'_>) -> Self {
        let settings = &work.project.settings;
        let folders = [settings.code.clone(), settings.jobs.clone(), settings.root.join("config")];
        let seen = stamps(&folders);
        Self { folders, seen, changed: Vec::new() }
    }

    /// Waits until a file is written, made or removed, and all that was saved with it has been.
    async fn change(&mut self) {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let now = stamps(&self.folders);
            let mut changed = differences(&self.seen, &now);
            self.seen = now;
            if changed.is_empty() && !self.changed.is_empty() {
                return;
            }
            self.changed.append(&mut changed);
        }
    }
}

fn differences(before: &Stamps, now: &Stamps) -> Vec<PathBuf> {
    let other = |file: &&PathBuf| before.get(*file) != now.get(*file);
    let gone = before.keys().filter(|file| !now.contains_key(*file));
    now.keys().filter(other).chain(gone).cloned().collect()
}

fn stamps(folders: &[PathBuf]) -> Stamps {
    let mut found = Stamps::new();
    for folder in folders {
        // A folder that goes while it is read is a change like others.
        let _ = collect(folder, &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut Stamps) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_passing(&entry.file_name().to_string_lossy()) {
            continue;
        }
        match entry.metadata() {
            Ok(about) if about.is_dir() => collect(&entry.path(), found)?,
            Ok(about) => drop(found.insert(entry.path(), (about.modified()?, about.len()))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns whether a name is one of what editors and Python leave beside what people save. `4913` is Vim's.
fn is_passing(name: &str) -> bool {
    let ends = ["~", ".pyc", ".swp", ".tmp"];
    name.starts_with(['.', '#'])
        || name == "__pycache__"
        || name == "4913"
        || ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_save_is_seen_and_what_editors_leave_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("steps")).unwrap();
        for name in ["steps/a.py", "b.yaml", "gone.py"] {
            fs::write(path(name), "1").unwrap();
        }
        let before = stamps(&[folder.path().into()]);
        fs::write(path("steps/a.py"), "12").unwrap();
        fs::write(path("new.py"), "").unwrap();
        fs::remove_file(path("gone.py")).unwrap();
        for name in [".a.py.swp", "steps/a.py~", "4913", "#a.py#"] {
            fs::write(path(name), "").unwrap();
        }
        let now = stamps(&[folder.path().into(), path("no such folder")]);
        let names = ["new.py", "steps/a.py", "gone.py"].map(path);
        assert_eq!(differences(&before, &now), names);
        assert_eq!(differences(&now, &now), Vec::<PathBuf>::new());
    }
}
