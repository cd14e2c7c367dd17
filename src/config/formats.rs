//! The formats of texts in settings: what a path, a location, a name means in this project.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use reqwest::Url;

use super::schedule::Schedule;
use crate::names::{Uri, name_problem};
use crate::yaml::Refusal;

/// What the shipped settings ship to a cluster when it is there.
const USUAL_REQUIREMENTS: &str = "pyspark/requirements.lock";

/// What is around the settings.
pub(super) struct ProjectFiles<'a> {
    /// The folder relative paths start from.
    pub(super) root: &'a Path,
    /// The folder that `~` stands for, if it is known.
    pub(super) home: Option<&'a Path>,
    /// Says whether a file is there.
    pub(super) exists: &'a dyn Fn(&Path) -> bool,
}

impl ProjectFiles<'_> {
    /// Returns what a text of a format stands for, `None` within when that is nothing.
    pub(super) fn judge(&self, format: &str, text: &str) -> Result<Option<String>, Refusal> {
        let shown = |path: PathBuf| path.display().to_string();
        match format {
            "path" => self.path(text).map(shown).map(Some),
            // One without a slash is looked for on `PATH`.
            "program" if text.contains('/') => self.path(text).map(shown).map(Some),
            "location" => self.location(text).map(Some),
            "script" => self.script(text).map(Some),
            "requirements" => self.requirements(text),
            "address" => address(text).map(Some),
            "schedule" => schedule(text),
            "target name" | "cluster name" | "job name" => name(format, text),
            _ => Ok(Some(text.into())),
        }
    }

    fn path(&self, text: &str) -> Result<PathBuf, Refusal> {
        let below = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (below, self.home) {
            (None, _) => Ok(self.root.join(text)),
            (Some(below), Some(home)) => Ok(home.join(below.trim_start_matches('/'))),
            (Some(_), None) => Err(Refusal::new(
                "`~` stands for the home folder, and the variable `HOME` is not set",
                "write the path from `/` on",
            )),
        }
    }

    fn location(&self, text: &str) -> Result<String, Refusal> {
        let hint = "such as `file:lake` or `s3://bucket/prefix`";
        let uri = match text.strip_prefix("file:").filter(|path| path.starts_with('~')) {
            Some(path) => Uri::from_path(&self.path(path)?),
            None => Uri::parse(text, self.root).map_err(|error| Refusal::new(error.message, hint))?,
        };
        // A folder is refused when it is used: it is that of the project, if nobody has named another.
        match uri.misread().filter(|_| uri.bucket_and_key().is_some()) {
            Some(sign) => {
                let message =
                    format!("a lake cannot be at `{uri}`: Hadoop does not take `{sign}` in a prefix as it is");
                Err(Refusal::new(message, "such as `s3://bucket/prefix`"))
            }
            None => Ok(uri.as_str().into()),
        }
    }

    /// Returns where a bootstrap action's script is: in S3, or a file that is there.
    fn script(&self, text: &str) -> Result<String, Refusal> {
        if text.starts_with("s3://") {
            let uri = Uri::parse(text, self.root).map_err(|error| Refusal::plain(error.message))?;
            return Ok(uri.as_str().into());
        }
        let path = self.path(text)?;
        if text.is_empty() || !(self.exists)(&path) {
            let hint = "a file of the project, or `s3://bucket/script.sh`";
            return Err(Refusal::new(format!("there is no script `{text}`"), hint));
        }
        Ok(Uri::from_path(&path).as_str().into())
    }

    /// Returns the file with the requirements, `None` within when nothing is to be shipped.
    fn requirements(&self, text: &str) -> Result<Option<String>, Refusal> {
        let path = self.path(text)?;
        if (self.exists)(&path) {
            return Ok(Some(path.display().to_string()));
        }
        // A project without the usual file ships nothing.
        let hint = "a file of requirements pinned with hashes, or `none` to ship nothing";
        let missing = || Refusal::new(format!("there is no file `{text}`"), hint);
        if text == USUAL_REQUIREMENTS { Ok(None) } else { Err(missing()) }
    }
}

/// Returns a name of the thing that `format` ends with ` name` for.
fn name(format: &str, text: &str) -> Result<Option<String>, Refusal> {
    let what = format.trim_end_matches(" name");
    name_problem(text, true).map_or_else(
        || Ok(Some(text.into())),
        |why| Err(Refusal::plain(format!("`{text}` cannot name a {what}: {why}"))),
    )
}

/// Returns an expression of EventBridge Scheduler, which is told to be none before a stack is made.
fn schedule(text: &str) -> Result<Option<String>, Refusal> {
    let hint = "such as `rate(30 minutes)` or `cron(15 2 * * ? *)`: minutes, hours, day, month, weekday, year";
    match Schedule::parse(text) {
        Ok(_) => Ok(Some(text.into())),
        Err(why) => Err(Refusal::new(format!("`{text}` is no schedule: {why}"), hint)),
    }
}

/// Returns the address without the slashes at its end: paths such as `/questions` are added to it.
fn address(text: &str) -> Result<String, Refusal> {
    // The reader of addresses would leave out white space without a word.
    let visible = text.chars().all(|c| c.is_ascii_graphic());
    let url = Url::parse(text).ok().filter(|url| visible && url.has_host());
    let alone = |url: &Url| url.query().is_none() && url.fragment().is_none() && !url.authority().contains('@');
    match url.filter(alone) {
        Some(url) if url.scheme() == "https" || url.scheme() == "http" && is_this_machine(&url) => {
            Ok(url.as_str().trim_end_matches('/').into())
        }
        _ => {
            let message =
                format!("`api` must be an address such as `https://api.stackexchange.com/2.3`, found `{text}`");
            let hint = "`http` is for this machine only, since anyone on the way could read the key, which is kept apart: \
                        see `key-file`";
            Err(Refusal::new(message, hint))
        }
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
