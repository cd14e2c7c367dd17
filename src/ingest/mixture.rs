//! Made-up rows and real ones do not belong into the same tables.

use crate::error::{Error, Kind, Result};
use crate::ingest::raw::Folder;
use crate::names::Uri;
use crate::store::Store;

/// How the run folders of every sample begin.
pub const SAMPLE_RUN: &str = "sample-";

/// Refuses to write the run folder `run` into a raw location that holds pages of the other sort: a sample beside real
/// pages, real pages beside a sample, or two samples.
///
/// # Errors
/// `Usage`, with how to get a lake for each.
pub async fn refuse(store: &dyn Store, raw: &Uri, site: &str, run: &str) -> Result<()> {
    let is_sample = run.starts_with(SAMPLE_RUN);
    for object in store.list(&raw.join(&format!("site={site}"))).await? {
        let Some((folder, _)) = Folder::parse(raw, &object.uri) else { continue };
        let other_sample = folder.run.starts_with(SAMPLE_RUN);
        if other_sample != is_sample || (is_sample && folder.run != run) {
            return Err(mixed(raw, is_sample, other_sample));
        }
    }
    Ok(())
}

fn mixed(raw: &Uri, is_sample: bool, other_sample: bool) -> Error {
    let message = match (is_sample, other_sample) {
        (true, false) => "raw holds real pages: the made-up sample would be mixed into their tables",
        (true, true) => "raw holds a sample of another size: their rows would be mixed",
        (false, _) => "raw holds the made-up sample: real pages would be mixed into its tables",
    };
    let error = Error::new(Kind::Usage, message).detail(format!("looked in {raw}"));
    let error = error.hint("use a lake of its own for this shell: `export SOFLOW_LAKE=file:.soflow/other`");
    let lake = raw.to_path().and_then(|path| path.parent().map(std::path::Path::to_path_buf));
    match lake.filter(|_| other_sample) {
        Some(lake) => {
            error.hint(format!("or remove the sample and all that was made from it: `rm -r {}`", lake.display()))
        }
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileStore;

    async fn refusal(there: &str, run: &str) -> Option<String> {
        let lake = tempfile::tempdir().unwrap();
        let raw = Uri::from_path(lake.path()).join("raw");
        let page = format!("site=s/endpoint=questions/dt=2026-01-01/run={there}/000001.json.gz");
        FileStore.put(&raw.join(&page), b"x").await.unwrap();
        refuse(&FileStore, &raw, "s", run).await.err().map(|error| error.message)
    }

    #[tokio::test]
    async fn samples_and_real_pages_stay_apart() {
        assert_eq!(refusal("pages-1", "pages-2").await, None);
        assert_eq!(refusal("sample-7-x1", "sample-7-x1").await, None);
        assert!(refusal("pages-1", "sample-7-x1").await.unwrap().contains("raw holds real pages"));
        assert!(refusal("sample-7-x1", "pages-1").await.unwrap().contains("raw holds the made-up sample"));
        assert!(refusal("sample-7-x1", "sample-7-x10").await.unwrap().contains("another size"));
    }
}
