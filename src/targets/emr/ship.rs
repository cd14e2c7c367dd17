//! Brings to S3 what steps need and is not there yet: code, Python packages, bootstrap scripts. Names tell content, so what
//! is there is never sent again, and a running step's code never changes.

use fs_err as fs;
use serde::Serialize;

use super::Clusters;
use crate::config::Bootstrap;
use crate::encoding;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::names::{Digest, Uri};
use crate::package::{Architecture, Bundle, CODE_ARCHIVE, Environment, Platform};
use crate::targets::{Notes, Shipped};

/// The script that replaces JupyterHub's default password.
const JUPYTERHUB: &[u8] = include_bytes!("jupyterhub.sh");

/// Something that steps need in S3.
#[derive(Clone, Debug, Serialize)]
pub struct Shipment {
    /// What: `code`, `dependencies`.
    pub what: &'static str,
    /// Of its content.
    pub digest: Digest,
    /// Where it is, or will be.
    pub location: Uri,
    /// Whether it is there.
    pub there: bool,
    /// Its size in bytes; `None` before it is packaged.
    pub bytes: Option<u64>,
}

impl Clusters {
    /// Returns what the next run needs in S3, and what of it is there already.
    ///
    /// # Errors
    /// Those of the store; `Usage` when code or dependencies cannot be packaged.
    pub async fn shipments(&self) -> Result<Vec<Shipment>> {
        let (bundle, location) = self.bundle()?;
        let bytes = Some(bundle.files.iter().map(|file| file.bytes.len() as u64).sum());
        let there = self.store.size(&location.join(CODE_ARCHIVE)).await?.is_some();
        let mut shipments = vec![Shipment { what: "code", digest: bundle.digest.clone(), location, there, bytes }];
        if let Some(environment) = self.dependencies()? {
            let (digest, location) = (environment.key(), self.environment_place(&environment));
            let bytes = self.store.size(&location).await?;
            shipments.push(Shipment { what: "dependencies", digest, location, there: bytes.is_some(), bytes });
        }
        Ok(shipments)
    }

    /// Returns what the steps of a run run with that begins now.
    pub(super) fn shipment(&self) -> Result<Shipped> {
        let environment = self.dependencies()?.map(|environment| self.environment_place(&environment));
        Ok(Shipped { code: self.bundle()?.1, environment })
    }

    /// Returns whether all of `shipped` is there.
    pub(super) async fn is_shipped(&self, shipped: &Shipped) -> Result<bool> {
        // The archive is written last: when it is there, all of the code is.
        let places = std::iter::once(shipped.code.join(CODE_ARCHIVE)).chain(shipped.environment.clone());
        for place in places {
            if self.store.size(&place).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Brings to S3 what is missing of what a run's steps run with, and returns that. Code other than that of this folder has
    /// been brought there by the process that began the run.
    pub(super) async fn ship(&self, wanted: Option<Shipped>, notes: &Notes) -> Result<Shipped> {
        let ours = self.shipment()?;
        let wanted = wanted.unwrap_or_else(|| ours.clone());
        let code = async { if wanted.code == ours.code { self.ship_code(notes).await } else { Ok(()) } };
        let environment =
            async { if wanted.environment == ours.environment { self.ship_environment(notes).await } else { Ok(()) } };
        tokio::try_join!(code, environment)?;
        Ok(wanted)
    }

    /// Brings to S3 what the next run's steps run with.
    ///
    /// # Errors
    /// As [`Self::shipments`].
    pub async fn ship_all(&self, notes: Notes) -> Result<()> {
        self.ship(None, &notes).await.map(drop)
    }

    async fn ship_code(&self, notes: &Notes) -> Result<()> {
        let (bundle, place) = self.bundle()?;
        if self.store.size(&place.join(CODE_ARCHIVE)).await?.is_some() {
            return Ok(());
        }
        let total = bundle.files.iter().map(|file| file.bytes.len() as u64).sum();
        let mut done = 0;
        let (archive, scripts): (Vec<_>, Vec<_>) = bundle.files.iter().partition(|file| file.name == CODE_ARCHIVE);
        for file in scripts.into_iter().chain(archive) {
            self.store.put(&place.join(&file.name), &file.bytes).await?;
            done += file.bytes.len() as u64;
            notes.tell(Event::Uploading { what: "code".into(), done, total });
        }
        Ok(())
    }

    /// Returns the code as it is shipped, and its place: read once, so that what is sent is what the record names.
    fn bundle(&self) -> Result<(&Bundle, Uri)> {
        let bundle = match self.bundle.get() {
            Some(bundle) => bundle,
            None => {
                let bundle = Bundle::read(&self.settings.code)?;
                self.bundle.get_or_init(|| bundle)
            }
        };
        Ok((bundle, self.settings.lake.artifacts.join(&format!("code/{}", bundle.digest.as_str()))))
    }

    fn environment_place(&self, environment: &Environment) -> Uri {
        self.settings.lake.artifacts.join(&format!("dependencies/{}.tar.gz", environment.key().as_str()))
    }

    /// Returns the packages that steps import besides Spark, for the release's Python and the nodes' processors.
    ///
    /// # Errors
    /// `Usage` when the lock cannot be read, or the shape has processors of two kinds.
    pub(super) fn dependencies(&self) -> Result<Option<Environment>> {
        let Some(lock) = &self.settings.emr.dependencies else { return Ok(None) };
        let shape = &self.settings.emr.shape;
        let fleets = [Some(&shape.primary), Some(&shape.core), shape.task.as_ref()];
        let types = fleets.into_iter().flatten().flat_map(|fleet| &fleet.types).map(|kind| kind.name.as_str());
        let platform = Platform { python: shape.python.clone(), architecture: Architecture::of_types(types)? };
        Ok(Some(Environment::read(lock, platform)?))
    }

    async fn ship_environment(&self, notes: &Notes) -> Result<()> {
        let Some(environment) = self.dependencies()? else { return Ok(()) };
        let place = self.environment_place(&environment);
        if self.store.size(&place).await?.is_some() {
            return Ok(());
        }
        let (host, cache, mut sink) = (self.settings.host.clone(), self.settings.cache.clone(), notes.clone());
        let built = tokio::task::spawn_blocking(move || environment.build(&host, &cache, &mut sink)).await;
        let archive =
            built.map_err(|error| Error::new(Kind::Internal, "packaging ended unexpectedly").caused_by(error))??;
        let total = fs::metadata(&archive)?.len();
        let told = |done| notes.tell(Event::Uploading { what: "dependencies".into(), done, total });
        self.store.put_file(&place, &archive, &told).await
    }

    /// Returns the bootstrap actions of the target's clusters: those of the shape, and soflow's own.
    pub(super) fn bootstrap(&self) -> Vec<Bootstrap> {
        let shape = &self.settings.emr.shape;
        let own = shape.applications.iter().any(|name| name.eq_ignore_ascii_case("JupyterHub")).then(|| Bootstrap {
            name: "soflow: JupyterHub's password".into(),
            script: self.in_bootstrap(JUPYTERHUB, "jupyterhub.sh"),
            args: vec![self.jupyter_secret(), self.api.session().region().into()],
        });
        shape.bootstrap.iter().cloned().chain(own).collect()
    }

    /// Returns where the scripts of the bootstrap actions are, or will be.
    pub(super) fn bootstrap_places(&self) -> Vec<Uri> {
        self.bootstrap().iter().map(|action| self.bootstrap_place(&action.script)).collect()
    }

    fn bootstrap_place(&self, script: &Uri) -> Uri {
        let Some(path) = script.to_path() else { return script.clone() };
        // One that cannot be read is told of when it is uploaded.
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.in_bootstrap(&fs::read(&path).unwrap_or_default(), &name)
    }

    fn in_bootstrap(&self, body: &[u8], name: &str) -> Uri {
        self.settings.lake.artifacts.join(&format!("bootstrap/{}/{name}", Digest::of([body]).as_str()))
    }

    pub(super) async fn upload_bootstrap(&self) -> Result<Vec<Uri>> {
        let places = self.bootstrap_places();
        for (action, place) in self.bootstrap().iter().zip(&places) {
            let body = match action.script.to_path() {
                Some(path) => {
                    let body = fs::read(&path)?;
                    check_script(&path.display().to_string(), &body)?;
                    body
                }
                None if *place == self.in_bootstrap(JUPYTERHUB, "jupyterhub.sh") => JUPYTERHUB.to_vec(),
                None => continue,
            };
            if self.store.size(place).await?.is_none() {
                self.store.put(place, &body).await?;
            }
        }
        Ok(places)
    }
}

/// Refuses a bootstrap script that a node would not run, for what an editor made of its text. A program is none.
fn check_script(shown: &str, body: &[u8]) -> Result<()> {
    let (why, remedy) = match encoding::text(body) {
        Ok(text) if text.starts_with("#!") && text.contains('\r') => ("ends its lines as Windows does", "s/\\r$//"),
        Ok(text) if text.starts_with(encoding::MARK) => ("begins with a byte order mark", "1s/^\\xef\\xbb\\xbf//"),
        Err(foreign) if foreign == encoding::UTF_16 => return Err(foreign.error(shown)),
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Usage, format!("`{shown}` {why}: no node can run it"))
        .hint(format!("sed -i '{remedy}' {shown}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_editor_made_of_a_script_is_told_before_a_cluster_is_paid_for() {
        let wrong = |body: &[u8]| check_script("b.sh", body).unwrap_err().message;
        assert_eq!(wrong(b"#!/bin/bash\r\ntrue\r\n"), "`b.sh` ends its lines as Windows does: no node can run it");
        assert_eq!(wrong(b"\xef\xbb\xbf#!/bin/bash\n"), "`b.sh` begins with a byte order mark: no node can run it");
        assert_eq!(wrong(b"\xff\xfe#\0!\0"), "`b.sh` is UTF-16 text");
        for fine in [&b"#!/bin/bash\nprintf 'caf\xe9'\n"[..], b"\x7fELF\0\x01", b""] {
            check_script("b.sh", fine).unwrap();
        }
    }
}
